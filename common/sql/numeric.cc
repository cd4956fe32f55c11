#include "common/sql/numeric.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/sql/types.h"

namespace borealis::sql {
namespace {

constexpr uint32_t kBase = 1000000000;
constexpr int kLimbDigits = 9;
using Limbs = std::vector<uint32_t>;

constexpr int64_t kPow10[] = {1,
                              10,
                              100,
                              1000,
                              10000,
                              100000,
                              1000000,
                              10000000,
                              100000000,
                              1000000000,
                              10000000000,
                              100000000000,
                              1000000000000,
                              10000000000000,
                              100000000000000,
                              1000000000000000,
                              10000000000000000,
                              100000000000000000,
                              1000000000000000000};

void Trim(Limbs* a) {
  while (!a->empty() && a->back() == 0) a->pop_back();
}

int CompareLimbs(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

Limbs AddLimbs(const Limbs& a, const Limbs& b) {
  Limbs out(std::max(a.size(), b.size()) + 1);
  uint32_t carry = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    uint32_t sum = carry + (i < a.size() ? a[i] : 0) + (i < b.size() ? b[i] : 0);
    carry = sum >= kBase ? 1 : 0;
    out[i] = sum - carry * kBase;
  }
  Trim(&out);
  return out;
}

// Requires a >= b.
Limbs SubtractLimbs(const Limbs& a, const Limbs& b) {
  Limbs out(a.size());
  int64_t borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t d = static_cast<int64_t>(a[i]) - borrow - (i < b.size() ? b[i] : 0);
    borrow = d < 0 ? 1 : 0;
    out[i] = static_cast<uint32_t>(d + borrow * kBase);
  }
  Trim(&out);
  return out;
}

Limbs MultiplyLimbs(const Limbs& a, const Limbs& b) {
  if (a.empty() || b.empty()) return {};
  Limbs out(a.size() + b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.size() || carry != 0; ++j) {
      const uint64_t x =
          out[i + j] + carry + (j < b.size() ? static_cast<uint64_t>(a[i]) * b[j] : 0);
      out[i + j] = static_cast<uint32_t>(x % kBase);
      carry = x / kBase;
    }
  }
  Trim(&out);
  return out;
}

uint32_t DivideSmall(Limbs* a, uint32_t divisor) {
  uint64_t rest = 0;
  for (size_t i = a->size(); i-- > 0;) {
    const uint64_t x = rest * kBase + (*a)[i];
    (*a)[i] = static_cast<uint32_t>(x / divisor);
    rest = x % divisor;
  }
  Trim(a);
  return static_cast<uint32_t>(rest);
}

// Knuth's algorithm D in base 10^9. Requires b not empty. Returns the quotient, *rest the
// remainder.
Limbs DivideLimbs(const Limbs& a, const Limbs& b, Limbs* rest) {
  if (CompareLimbs(a, b) < 0) {
    *rest = a;
    return {};
  }
  if (b.size() == 1) {
    Limbs q = a;
    const uint32_t r = DivideSmall(&q, b[0]);
    *rest = r == 0 ? Limbs{} : Limbs{r};
    return q;
  }
  const uint32_t norm = kBase / (b.back() + 1);
  const Limbs scale{norm};
  Limbs u = MultiplyLimbs(a, scale);
  const Limbs v = MultiplyLimbs(b, scale);
  u.resize(std::max(u.size(), a.size()) + 1, 0);
  while (u.size() < a.size() + 1) u.push_back(0);
  const size_t n = v.size();
  const size_t m = u.size() - n;
  Limbs q(m, 0);
  for (size_t j = m; j-- > 0;) {
    const uint64_t top = static_cast<uint64_t>(u[j + n]) * kBase + u[j + n - 1];
    uint64_t digit = top / v[n - 1];
    uint64_t r = top % v[n - 1];
    while (digit >= kBase || digit * v[n - 2] > r * kBase + u[j + n - 2]) {
      --digit;
      r += v[n - 1];
      if (r >= kBase) break;
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (size_t i = 0; i < n; ++i) {
      const uint64_t p = digit * v[i] + carry;
      carry = p / kBase;
      int64_t d = static_cast<int64_t>(u[i + j]) - borrow - static_cast<int64_t>(p % kBase);
      borrow = d < 0 ? 1 : 0;
      u[i + j] = static_cast<uint32_t>(d + borrow * static_cast<int64_t>(kBase));
    }
    int64_t d = static_cast<int64_t>(u[j + n]) - borrow - static_cast<int64_t>(carry);
    if (d < 0) {  // one too many: add back
      --digit;
      uint32_t c = 0;
      for (size_t i = 0; i < n; ++i) {
        const uint32_t s = u[i + j] + v[i] + c;
        c = s >= kBase ? 1 : 0;
        u[i + j] = s - c * kBase;
      }
      d = d + static_cast<int64_t>(kBase) + c;
      if (d >= static_cast<int64_t>(kBase)) d -= kBase;
    }
    u[j + n] = static_cast<uint32_t>(d);
    q[j] = static_cast<uint32_t>(digit);
  }
  Trim(&q);
  Trim(&u);
  DivideSmall(&u, norm);
  *rest = u;
  return q;
}

Limbs PowerOfTen(int exponent) {
  Limbs out(exponent / kLimbDigits, 0);
  out.push_back(static_cast<uint32_t>(kPow10[exponent % kLimbDigits]));
  return out;
}

int CountDigits(const Limbs& a) {
  if (a.empty()) return 0;
  int n = static_cast<int>(a.size() - 1) * kLimbDigits;
  for (uint32_t top = a.back(); top != 0; top /= 10) ++n;
  return n;
}

Limbs LimbsOf(uint64_t v) {
  Limbs out;
  for (; v != 0; v /= kBase) out.push_back(static_cast<uint32_t>(v % kBase));
  return out;
}

SqlStatus OutOfRange() {
  return SqlStatus("22003", "value overflows numeric format");
}
SqlStatus DivisionByZero() {
  return SqlStatus("22012", "division by zero");
}

// The digits that PostgreSQL counts for choosing a division's scale: base-10000 weight of the first
// digit, and it.
void FirstDigit(int digits, int scale, const std::string& text, int* weight, int* first) {
  if (digits == 0) {
    *weight = 0;
    *first = 0;
    return;
  }
  const int exponent = digits - 1 - scale;  // of the leading decimal digit
  *weight = exponent >= 0 ? exponent / 4 : -((-exponent + 3) / 4);
  const int in_group = exponent - *weight * 4 + 1;  // decimal digits in the leading group
  int value = 0;
  for (int i = 0; i < in_group; ++i) {
    value = value * 10 + (i < static_cast<int>(text.size()) ? text[i] - '0' : 0);
  }
  *first = value;
}

}  // namespace

Numeric Numeric::Make(Limbs limbs, bool negative, int scale) {
  Numeric n;
  Trim(&limbs);
  n.negative_ = negative && !limbs.empty();
  n.limbs_ = std::move(limbs);
  n.scale_ = scale;
  return n;
}

Numeric Numeric::FromInt(int64_t v) {
  return FromScaled(v, 0);
}

Numeric Numeric::FromScaled(int64_t units, int scale) {
  const uint64_t magnitude =
      units < 0 ? 0 - static_cast<uint64_t>(units) : static_cast<uint64_t>(units);
  return Make(LimbsOf(magnitude), units < 0, scale);
}

Numeric Numeric::Of(Special special) {
  Numeric n;
  n.special_ = special;
  return n;
}

Numeric Numeric::FromDigits(std::string_view digits, bool negative, int scale) {
  Limbs limbs;
  limbs.reserve(digits.size() / kLimbDigits + 1);
  for (size_t end = digits.size(); end > 0;) {
    const size_t begin = end > kLimbDigits ? end - kLimbDigits : 0;
    uint32_t limb = 0;
    for (size_t i = begin; i < end; ++i) limb = limb * 10 + static_cast<uint32_t>(digits[i] - '0');
    limbs.push_back(limb);
    end = begin;
  }
  return Make(std::move(limbs), negative, scale);
}

SqlStatus Numeric::CheckRange(const Numeric& n) {
  if (n.digits() - n.scale_ > kIntegerDigitsMax) return OutOfRange();
  return {};
}

SqlResult<Numeric> Numeric::Parse(std::string_view text) {
  const std::string_view whole = text;
  const auto bad = [&] {
    return SqlStatus("22P02",
                     "invalid input syntax for type numeric: \"" + std::string(whole) + "\"");
  };
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (lower == "nan") return Of(Special::kNan);
  if (lower == "infinity" || lower == "+infinity" || lower == "inf" || lower == "+inf") {
    return Of(Special::kInfinity);
  }
  if (lower == "-infinity" || lower == "-inf") return Of(Special::kMinusInfinity);

  bool negative = false;
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';
  std::string digits;
  int64_t scale = 0;
  bool point = false, any = false;
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && !point) {
      point = true;
    } else if (text[i] >= '0' && text[i] <= '9') {
      any = true;
      digits += text[i];
      if (point) ++scale;
    } else {
      break;
    }
  }
  if (!any) return bad();
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    bool minus = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) minus = text[i++] == '-';
    int64_t exponent = 0;
    const size_t start = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      exponent = std::min<int64_t>(exponent * 10 + (text[i] - '0'), 1000000000);
    }
    if (i == start) return bad();
    if (exponent > 1000000) return OutOfRange();
    scale -= minus ? -exponent : exponent;
  }
  if (i != text.size()) return bad();
  if (scale > kScaleMax + 1000) return OutOfRange();
  if (static_cast<int64_t>(digits.size()) - scale > kIntegerDigitsMax + 1000000)
    return OutOfRange();
  if (scale < 0) {
    if (digits.find_first_not_of('0') != std::string::npos) {
      if (-scale > kIntegerDigitsMax) return OutOfRange();
      digits.append(static_cast<size_t>(-scale), '0');
    }
    scale = 0;
  }
  Numeric n = FromDigits(digits, negative, static_cast<int>(scale));
  if (n.scale_ > kScaleMax) return OutOfRange();
  SQL_RETURN_IF_ERROR(CheckRange(n));
  return n;
}

SqlResult<Numeric> Numeric::FromDouble(double v, int digits) {
  if (std::isnan(v)) return Of(Special::kNan);
  if (std::isinf(v)) return Of(v < 0 ? Special::kMinusInfinity : Special::kInfinity);
  char text[64];
  std::snprintf(text, sizeof(text), "%.*g", digits, v);
  return Parse(text);
}

std::string Numeric::CoefficientDigits() const {
  if (limbs_.empty()) return "0";
  std::string out;
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), "%u", limbs_.back());
  out += buffer;
  for (size_t i = limbs_.size() - 1; i-- > 0;) {
    std::snprintf(buffer, sizeof(buffer), "%09u", limbs_[i]);
    out += buffer;
  }
  return out;
}

std::string Numeric::ToString() const {
  switch (special_) {
    case Special::kNan:
      return "NaN";
    case Special::kInfinity:
      return "Infinity";
    case Special::kMinusInfinity:
      return "-Infinity";
    case Special::kFinite:
      break;
  }
  std::string digits = CoefficientDigits();
  if (static_cast<int>(digits.size()) <= scale_) digits.insert(0, scale_ + 1 - digits.size(), '0');
  if (scale_ > 0) digits.insert(digits.size() - scale_, ".");
  return negative_ ? "-" + digits : digits;
}

double Numeric::ToDouble() const {
  switch (special_) {
    case Special::kNan:
      return std::nan("");
    case Special::kInfinity:
      return HUGE_VAL;
    case Special::kMinusInfinity:
      return -HUGE_VAL;
    case Special::kFinite:
      break;
  }
  return std::strtod(ToString().c_str(), nullptr);
}

bool Numeric::SmallCoefficient(int64_t* out) const {
  if (limbs_.size() > 2) return false;
  int64_t v = 0;
  for (size_t i = limbs_.size(); i-- > 0;) v = v * kBase + limbs_[i];
  *out = negative_ ? -v : v;
  return true;
}

SqlResult<int64_t> Numeric::ToInt64(std::string_view type_name) const {
  if (special_ == Special::kNan) {
    return SqlStatus("0A000", "cannot convert NaN to " + std::string(type_name));
  }
  if (!is_finite()) {
    return SqlStatus("0A000", "cannot convert infinity to " + std::string(type_name));
  }
  const Numeric whole = Round(0);
  const SqlStatus range("22003", std::string(type_name) + " out of range");
  if (whole.limbs_.size() > 3) return range;
  unsigned __int128 v = 0;
  for (size_t i = whole.limbs_.size(); i-- > 0;) v = v * kBase + whole.limbs_[i];
  const unsigned __int128 limit =
      static_cast<unsigned __int128>(INT64_MAX) + (whole.negative_ ? 1 : 0);
  if (v > limit) return range;
  const auto magnitude = static_cast<uint64_t>(v);
  return static_cast<int64_t>(whole.negative_ ? 0 - magnitude : magnitude);
}

int Numeric::digits() const {
  return CountDigits(limbs_);
}

Numeric::Limbs Numeric::ScaledLimbs(int scale) const {
  if (scale == scale_ || limbs_.empty()) return limbs_;
  return MultiplyLimbs(limbs_, PowerOfTen(scale - scale_));
}

SqlResult<Numeric> Numeric::Add(const Numeric& a, const Numeric& b) {
  if (!a.is_finite() || !b.is_finite()) {
    if (a.is_nan() || b.is_nan()) return Of(Special::kNan);
    if (a.is_finite()) return b;
    if (b.is_finite()) return a;
    return a.special_ == b.special_ ? a : Of(Special::kNan);
  }
  const int scale = std::max(a.scale_, b.scale_);
  int64_t x, y;
  if (a.scale_ == b.scale_ && a.SmallCoefficient(&x) && b.SmallCoefficient(&y)) {
    return FromScaled(x + y, scale);  // both below 10^18
  }
  const Limbs p = a.ScaledLimbs(scale), q = b.ScaledLimbs(scale);
  Numeric out;
  if (a.negative_ == b.negative_) {
    out = Make(AddLimbs(p, q), a.negative_, scale);
  } else if (CompareLimbs(p, q) >= 0) {
    out = Make(SubtractLimbs(p, q), a.negative_, scale);
  } else {
    out = Make(SubtractLimbs(q, p), b.negative_, scale);
  }
  SQL_RETURN_IF_ERROR(CheckRange(out));
  return out;
}

SqlResult<Numeric> Numeric::Subtract(const Numeric& a, const Numeric& b) {
  return Add(a, b.Negate());
}

SqlResult<Numeric> Numeric::Multiply(const Numeric& a, const Numeric& b) {
  if (!a.is_finite() || !b.is_finite()) {
    if (a.is_nan() || b.is_nan() || a.is_zero() || b.is_zero()) return Of(Special::kNan);
    return Of(a.negative() == b.negative() ? Special::kInfinity : Special::kMinusInfinity);
  }
  Numeric out =
      Make(MultiplyLimbs(a.limbs_, b.limbs_), a.negative_ != b.negative_, a.scale_ + b.scale_);
  if (out.scale_ > kScaleMax) out = out.Round(kScaleMax);
  SQL_RETURN_IF_ERROR(CheckRange(out));
  return out;
}

SqlResult<Numeric> Numeric::Divide(const Numeric& a, const Numeric& b) {
  if (a.is_nan() || b.is_nan()) return Of(Special::kNan);
  if (!a.is_finite()) {
    if (!b.is_finite()) return Of(Special::kNan);
    if (b.is_zero()) return DivisionByZero();
    return Of(a.negative() == b.negative() ? Special::kInfinity : Special::kMinusInfinity);
  }
  if (!b.is_finite()) return Numeric();
  if (b.is_zero()) return DivisionByZero();
  // select_div_scale(): at least 16 significant digits, and not less than either input's scale.
  int weight1, first1, weight2, first2;
  FirstDigit(a.digits(), a.scale_, a.CoefficientDigits(), &weight1, &first1);
  FirstDigit(b.digits(), b.scale_, b.CoefficientDigits(), &weight2, &first2);
  int quotient_weight = weight1 - weight2;
  if (first1 <= first2) --quotient_weight;
  int scale = 16 - quotient_weight * 4;
  scale = std::clamp(std::max({scale, a.scale_, b.scale_}), 0, 1000);
  // coefficient = a * 10^(scale + b.scale - a.scale + 1) / b: one digit more, to round by.
  const int shift = scale + 1 + b.scale_ - a.scale_;
  Limbs rest;
  const Limbs numerator = shift >= 0 ? MultiplyLimbs(a.limbs_, PowerOfTen(shift)) : a.limbs_;
  const Limbs denominator = shift >= 0 ? b.limbs_ : MultiplyLimbs(b.limbs_, PowerOfTen(-shift));
  Limbs q = DivideLimbs(numerator, denominator, &rest);
  Numeric out = Make(std::move(q), a.negative_ != b.negative_, scale + 1).Round(scale);
  SQL_RETURN_IF_ERROR(CheckRange(out));
  return out;
}

SqlResult<Numeric> Numeric::Modulo(const Numeric& a, const Numeric& b) {
  if (a.is_nan() || b.is_nan()) return Of(Special::kNan);
  if (b.is_zero()) return DivisionByZero();
  if (!a.is_finite()) return Of(Special::kNan);
  if (!b.is_finite()) return a;
  const int scale = std::max(a.scale_, b.scale_);
  Limbs rest;
  DivideLimbs(a.ScaledLimbs(scale), b.ScaledLimbs(scale), &rest);
  return Make(std::move(rest), a.negative_, scale);
}

int Numeric::Compare(const Numeric& a, const Numeric& b) {
  if (!a.is_finite() || !b.is_finite()) {
    const auto rank = [](const Numeric& n) {
      switch (n.special_) {
        case Special::kMinusInfinity:
          return 0;
        case Special::kFinite:
          return 1;
        case Special::kInfinity:
          return 2;
        case Special::kNan:
          return 3;
      }
      return 1;
    };
    return rank(a) < rank(b) ? -1 : (rank(a) > rank(b) ? 1 : 0);
  }
  if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
  // Leading digits' exponents first: no scaling of, say, 1e100000 against 1.
  if (!a.limbs_.empty() && !b.limbs_.empty()) {
    const int ea = a.digits() - a.scale_, eb = b.digits() - b.scale_;
    if (ea != eb) return (ea < eb) != a.negative_ ? -1 : 1;
  }
  const int scale = std::max(a.scale_, b.scale_);
  const int c = CompareLimbs(a.ScaledLimbs(scale), b.ScaledLimbs(scale));
  return a.negative_ ? -c : c;
}

Numeric Numeric::Negate() const {
  Numeric n = *this;
  if (special_ == Special::kInfinity) n.special_ = Special::kMinusInfinity;
  if (special_ == Special::kMinusInfinity) n.special_ = Special::kInfinity;
  if (is_finite()) n.negative_ = !negative_ && !limbs_.empty();
  return n;
}

Numeric Numeric::Abs() const {
  return negative() ? Negate() : *this;
}

Numeric Numeric::Round(int scale) const {
  if (!is_finite()) return *this;
  scale = std::clamp(scale, -kIntegerDigitsMax, kScaleMax);
  const int out_scale = std::max(scale, 0);
  if (scale >= scale_) return Make(ScaledLimbs(scale), negative_, scale);
  const int drop = scale_ - scale;
  if (drop > digits()) return Make({}, false, out_scale);
  Limbs rest;
  const Limbs power = PowerOfTen(drop);
  Limbs q = DivideLimbs(limbs_, power, &rest);
  if (CompareLimbs(AddLimbs(rest, rest), power) >= 0) q = AddLimbs(q, {1});
  if (scale < 0) q = MultiplyLimbs(q, PowerOfTen(-scale));
  return Make(std::move(q), negative_, out_scale);
}

Numeric Numeric::Truncate(int scale) const {
  if (!is_finite()) return *this;
  scale = std::clamp(scale, -kIntegerDigitsMax, kScaleMax);
  if (scale >= scale_) return Make(ScaledLimbs(scale), negative_, scale);
  const int drop = scale_ - scale;
  if (drop > digits()) return Make({}, false, std::max(scale, 0));
  Limbs rest;
  Limbs q = DivideLimbs(limbs_, PowerOfTen(drop), &rest);
  if (scale < 0) q = MultiplyLimbs(q, PowerOfTen(-scale));
  return Make(std::move(q), negative_, std::max(scale, 0));
}

Numeric Numeric::Floor() const {
  const Numeric t = Truncate(0);
  if (!is_finite() || !negative_ || Compare(t, *this) == 0) return t;
  return Make(AddLimbs(t.limbs_, {1}), true, 0);
}

Numeric Numeric::Ceil() const {
  return Negate().Floor().Negate();
}

SqlResult<Numeric> Numeric::Sqrt() const {
  if (is_nan() || special_ == Special::kInfinity) return *this;
  if (negative()) return SqlStatus("2201F", "cannot take square root of a negative number");
  // At least 16 significant digits, as sqrt_var's callers choose.
  const int whole_digits = std::max(1, (digits() - scale_ + 1) / 2);
  const int scale = std::clamp(std::max(16 - whole_digits, scale_), 0, 1000);
  if (is_zero()) return Make({}, false, scale);
  // Integer square root of coefficient * 10^(2 * (scale + 1) - scale_) by Newton's method from
  // above.
  const Limbs n = ScaledLimbs(2 * (scale + 1));
  Limbs x = PowerOfTen((CountDigits(n) + 1) / 2 + 1);
  for (;;) {
    Limbs rest;
    Limbs y = AddLimbs(x, DivideLimbs(n, x, &rest));
    DivideSmall(&y, 2);
    if (CompareLimbs(y, x) >= 0) break;
    x = std::move(y);
  }
  return Make(std::move(x), false, scale + 1).Round(scale);
}

SqlResult<Numeric> Numeric::PowerInt(int64_t exponent) const {
  if (is_nan()) return exponent == 0 ? FromInt(1) : *this;
  const int result_scale = std::max(16, scale_);
  if (exponent == 0) return FromInt(1).Round(16);
  if (is_zero()) {
    if (exponent < 0) return DivisionByZero();
    return Make({}, false, result_scale);
  }
  if (!is_finite()) {
    if (exponent < 0) return Numeric();
    return negative() && exponent % 2 != 0 ? *this : Of(Special::kInfinity);
  }
  uint64_t e = exponent < 0 ? 0 - static_cast<uint64_t>(exponent) : static_cast<uint64_t>(exponent);
  if (e > 1000000) return SqlStatus("22003", "value overflows numeric format");
  Numeric result = FromInt(1);
  Numeric base = Normalized();
  const auto shorten = [&](Numeric* n) {
    // 40 significant digits (or the result's scale) are kept: more than the result shows.
    const int keep = std::max(0, 60 + result_scale - (n->digits() - n->scale_));
    if (n->scale_ > keep) *n = n->Round(keep);
  };
  for (; e != 0; e >>= 1) {
    if (e & 1) {
      SQL_ASSIGN_OR_RETURN(result, Multiply(result, base));
      shorten(&result);
    }
    if (e > 1) {
      SQL_ASSIGN_OR_RETURN(base, Multiply(base, base));
      shorten(&base);
    }
  }
  if (exponent < 0) {
    if (result.is_zero()) return OutOfRange();
    Numeric wide = FromInt(1);
    wide = Make(wide.ScaledLimbs(result_scale + 20), false, result_scale + 20);
    SQL_ASSIGN_OR_RETURN(result, Divide(wide, result));
  }
  // select_div_scale's like in power_var: 16 significant digits.
  const int whole = std::max(0, result.digits() - result.scale_);
  const int scale =
      std::clamp(std::max({16 - std::max(0, whole - 1), scale_, 16 - whole}), 0, 1000);
  return result.Round(std::max(scale, exponent > 0 && whole >= 1 ? 16 : scale));
}

SqlResult<Numeric> Numeric::ApplyTypmod(int32_t typmod) const {
  if (typmod < 4 || is_nan()) return *this;
  const int precision = TypmodPrecision(typmod), scale = TypmodScale(typmod);
  const auto overflow = [&](std::string detail) {
    return SqlStatus("22003", "numeric field overflow").WithDetail(std::move(detail));
  };
  const std::string field = "A field with precision " + std::to_string(precision) + ", scale " +
                            std::to_string(scale) + " ";
  if (!is_finite()) return overflow(field + "cannot hold an infinite value.");
  const Numeric rounded = Round(scale);
  if (rounded.digits() - rounded.scale_ > precision - scale && !rounded.is_zero()) {
    const int whole = precision - scale;
    return overflow(field + "must round to an absolute value less than " +
                    (whole > 0 ? "10^" + std::to_string(whole) : "1") + ".");
  }
  return rounded;
}

Numeric Numeric::Normalized() const {
  if (!is_finite() || scale_ == 0) return *this;
  if (limbs_.empty()) return Numeric();
  const std::string digits = CoefficientDigits();
  int drop = 0;
  while (drop < scale_ && drop < static_cast<int>(digits.size()) &&
         digits[digits.size() - 1 - drop] == '0') {
    ++drop;
  }
  if (drop == 0) return *this;
  return FromDigits(std::string_view(digits).substr(0, digits.size() - drop), negative_,
                    scale_ - drop);
}

uint64_t Numeric::Hash() const {
  const Numeric n = Normalized();
  uint64_t h = static_cast<uint64_t>(n.special_) * 31 + (n.negative_ ? 7 : 1);
  h = h * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(n.scale_);
  for (uint32_t limb : n.limbs_) h = (h ^ limb) * 0xff51afd7ed558ccdull ^ (h >> 29);
  return h ^ (h >> 32);
}

}  // namespace borealis::sql
