// The four encodings of numeric: stored, key, and PostgreSQL's binary one both ways.
#include <algorithm>

#include "common/sql/numeric.h"

namespace borealis::sql {
namespace {

constexpr uint8_t kNegativeFlag = 4;
enum KeyClass : uint8_t {
  kKeyMinusInfinity = 0x10,
  kKeyNegative = 0x14,
  kKeyZero = 0x18,
  kKeyPositive = 0x1c,
  kKeyInfinity = 0x20,
  kKeyNan = 0x24
};

void PutU16BE(Bytes* out, uint16_t v) {
  PutU8(out, static_cast<uint8_t>(v >> 8));
  PutU8(out, static_cast<uint8_t>(v));
}
uint16_t TakeU16BE(ByteReader* in) {
  const uint16_t high = in->U8();
  return static_cast<uint16_t>(high << 8 | in->U8());
}

}  // namespace

void Numeric::EncodeTo(Bytes* out) const {
  PutU8(out,
        static_cast<uint8_t>(static_cast<uint8_t>(special_) | (negative_ ? kNegativeFlag : 0)));
  if (!is_finite()) return;
  PutVarint(out, static_cast<uint64_t>(scale_));
  for (uint32_t limb : limbs_) PutU32(out, limb);
}

bool Numeric::Decode(ByteView bytes, Numeric* out) {
  ByteReader in(bytes);
  const uint8_t flags = in.U8();
  if (!in.ok() || flags > 7) return false;
  *out = Numeric();
  out->special_ = static_cast<Special>(flags & 3);
  if (!out->is_finite()) return flags < kNegativeFlag && in.done();
  const uint64_t scale = in.Varint();
  if (!in.ok() || scale > kScaleMax || in.left() % 4 != 0) return false;
  out->scale_ = static_cast<int>(scale);
  out->limbs_.resize(in.left() / 4);
  for (uint32_t& limb : out->limbs_) {
    limb = in.U32();
    if (limb >= 1000000000) return false;
  }
  if (!out->limbs_.empty() && out->limbs_.back() == 0) return false;
  out->negative_ = (flags & kNegativeFlag) != 0;
  return !out->negative_ || !out->limbs_.empty();
}

void Numeric::EncodeKeyTo(Bytes* out) const {
  switch (special_) {
    case Special::kNan:
      return PutU8(out, kKeyNan);
    case Special::kInfinity:
      return PutU8(out, kKeyInfinity);
    case Special::kMinusInfinity:
      return PutU8(out, kKeyMinusInfinity);
    case Special::kFinite:
      break;
  }
  if (limbs_.empty()) return PutU8(out, kKeyZero);
  PutU8(out, negative_ ? kKeyNegative : kKeyPositive);
  const size_t start = out->size();
  std::string digits = CoefficientDigits();
  const int32_t exponent =
      static_cast<int32_t>(digits.size()) - scale_;  // value = 0.digits * 10^exponent
  while (digits.back() == '0') digits.pop_back();
  if (digits.size() % 2 != 0) digits += '0';
  PutU32BE(out, static_cast<uint32_t>(exponent) ^ 0x80000000u);
  for (size_t i = 0; i < digits.size(); i += 2) {
    PutU8(out, static_cast<uint8_t>((digits[i] - '0') * 10 + (digits[i + 1] - '0') + 1));
  }
  PutU8(out, 0);
  if (negative_) {
    for (size_t i = start; i < out->size(); ++i) (*out)[i] = static_cast<char>(~(*out)[i]);
  }
}

bool Numeric::DecodeKey(ByteView* in, Numeric* out) {
  if (in->empty()) return false;
  const auto kind = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  switch (kind) {
    case kKeyNan:
      *out = Of(Special::kNan);
      return true;
    case kKeyInfinity:
      *out = Of(Special::kInfinity);
      return true;
    case kKeyMinusInfinity:
      *out = Of(Special::kMinusInfinity);
      return true;
    case kKeyZero:
      *out = Numeric();
      return true;
    case kKeyNegative:
    case kKeyPositive:
      break;
    default:
      return false;
  }
  const uint8_t flip = kind == kKeyNegative ? 0xff : 0;
  if (in->size() < 4) return false;
  uint32_t raw = GetU32BE(in->data());
  if (flip != 0) raw = ~raw;
  const auto exponent = static_cast<int32_t>(raw ^ 0x80000000u);
  if (exponent > kIntegerDigitsMax + 1 || exponent < -kScaleMax - 1) return false;
  in->remove_prefix(4);
  std::string digits;
  for (;;) {
    if (in->empty()) return false;
    const uint8_t b = static_cast<uint8_t>(in->front()) ^ flip;
    in->remove_prefix(1);
    if (b == 0) break;
    if (b > 100) return false;
    digits += static_cast<char>('0' + (b - 1) / 10);
    digits += static_cast<char>('0' + (b - 1) % 10);
  }
  if (digits.empty()) return false;
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  if (digits.empty()) return false;
  int scale = static_cast<int>(digits.size()) - exponent;
  if (scale < 0) {
    digits.append(static_cast<size_t>(-scale), '0');
    scale = 0;
  }
  if (scale > kScaleMax) return false;
  *out = FromDigits(digits, flip != 0, scale);
  return true;
}

// numeric_send: int16 ndigits, weight, sign, dscale, then base-10000 digits, all big-endian.
void Numeric::SendTo(Bytes* out) const {
  const auto header = [&](uint16_t n, int16_t weight, uint16_t sign, uint16_t dscale) {
    PutU16BE(out, n);
    PutU16BE(out, static_cast<uint16_t>(weight));
    PutU16BE(out, sign);
    PutU16BE(out, dscale);
  };
  switch (special_) {
    case Special::kNan:
      return header(0, 0, 0xC000, 0);
    case Special::kInfinity:
      return header(0, 0, 0xD000, 0);
    case Special::kMinusInfinity:
      return header(0, 0, 0xF000, 0);
    case Special::kFinite:
      break;
  }
  if (limbs_.empty()) return header(0, 0, 0, static_cast<uint16_t>(scale_));
  std::string text = CoefficientDigits();
  int scale = scale_;
  while (scale % 4 != 0) {
    text += '0';
    ++scale;
  }
  if (text.size() % 4 != 0) text.insert(0, 4 - text.size() % 4, '0');
  std::vector<uint16_t> groups;
  for (size_t i = 0; i < text.size(); i += 4) {
    groups.push_back(static_cast<uint16_t>(std::stoi(text.substr(i, 4))));
  }
  int weight = static_cast<int>(groups.size()) - scale / 4 - 1;
  size_t first = 0;
  while (groups[first] == 0) {
    ++first;
    --weight;
  }
  while (groups.back() == 0) groups.pop_back();
  header(static_cast<uint16_t>(groups.size() - first), static_cast<int16_t>(weight),
         negative_ ? 0x4000 : 0, static_cast<uint16_t>(scale_));
  for (size_t i = first; i < groups.size(); ++i) PutU16BE(out, groups[i]);
}

SqlResult<Numeric> Numeric::Receive(ByteView bytes) {
  const SqlStatus bad("22P03", "invalid numeric in external binary format");
  ByteReader in(bytes);
  const uint16_t n = TakeU16BE(&in);
  const auto weight = static_cast<int16_t>(TakeU16BE(&in));
  const uint16_t sign = TakeU16BE(&in);
  const uint16_t dscale = TakeU16BE(&in);
  if (!in.ok() || dscale > kScaleMax || in.left() != n * 2u) return bad;
  if (sign == 0xC000) return Of(Special::kNan);
  if (sign == 0xD000) return Of(Special::kInfinity);
  if (sign == 0xF000) return Of(Special::kMinusInfinity);
  if (sign != 0 && sign != 0x4000) return bad;
  std::string digits;
  for (uint16_t i = 0; i < n; ++i) {
    const uint16_t group = TakeU16BE(&in);
    if (group > 9999) return bad;
    const std::string text = std::to_string(group);
    digits += std::string(4 - text.size(), '0') + text;
  }
  int scale = (n - 1 - weight) * 4;
  if (scale < 0) {
    digits.append(static_cast<size_t>(-scale), '0');
    scale = 0;
  }
  Numeric value = FromDigits(digits, sign == 0x4000, scale);
  SQL_RETURN_IF_ERROR(CheckRange(value));
  return value.Truncate(dscale);
}

}  // namespace borealis::sql
