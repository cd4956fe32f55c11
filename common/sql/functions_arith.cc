// Arithmetic of integers, doubles and numerics: operators and mathematical functions.
#include <cmath>
#include <numeric>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

SqlStatus DivisionByZero() {
  return SqlStatus("22012", "division by zero");
}
SqlStatus OutOfRange(TypeOid type) {
  return SqlStatus("22003", FormatType(type) + " out of range");
}

SqlStatus PutInt(TypeOid type, int64_t v, Datum* out) {
  if ((type == kInt4 && v != static_cast<int32_t>(v)) ||
      (type == kInt2 && v != static_cast<int16_t>(v))) {
    return OutOfRange(type);
  }
  *out = Datum::Int(v);
  return {};
}

// The result type of the function decides the range.
SqlStatus IntAdd(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  int64_t v;
  if (__builtin_add_overflow(a[0].int_value(), a[1].int_value(), &v))
    return OutOfRange(call.function.result);
  return PutInt(call.function.result, v, out);
}
SqlStatus IntSub(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  int64_t v;
  if (__builtin_sub_overflow(a[0].int_value(), a[1].int_value(), &v))
    return OutOfRange(call.function.result);
  return PutInt(call.function.result, v, out);
}
SqlStatus IntMul(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  int64_t v;
  if (__builtin_mul_overflow(a[0].int_value(), a[1].int_value(), &v))
    return OutOfRange(call.function.result);
  return PutInt(call.function.result, v, out);
}
SqlStatus IntDiv(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t x = a[0].int_value(), y = a[1].int_value();
  if (y == 0) return DivisionByZero();
  if (y == -1) {  // INT64_MIN / -1 traps
    if (x == INT64_MIN) return OutOfRange(call.function.result);
    return PutInt(call.function.result, -x, out);
  }
  return PutInt(call.function.result, x / y, out);
}
SqlStatus IntMod(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t x = a[0].int_value(), y = a[1].int_value();
  if (y == 0) return DivisionByZero();
  *out = Datum::Int(y == -1 ? 0 : x % y);
  return {};
}

SqlStatus CheckDouble(double v, bool inputs_infinite, bool may_be_zero, Datum* out) {
  if (std::isinf(v) && !inputs_infinite) return SqlStatus("22003", "value out of range: overflow");
  if (v == 0 && !may_be_zero) return SqlStatus("22003", "value out of range: underflow");
  *out = Datum::Double(v);
  return {};
}
bool EitherInf(const Datum* a) {
  return std::isinf(a[0].double_value()) || std::isinf(a[1].double_value());
}

using NumericOp = SqlResult<Numeric> (*)(const Numeric&, const Numeric&);
template <NumericOp op>
SqlStatus NumericBinary(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(Numeric v, op(a[0].numeric_value(), a[1].numeric_value()));
  *out = Datum::Of(v);
  return {};
}

using DoubleFn = double (*)(double);
template <DoubleFn fn>
SqlStatus DoubleUnary(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const double x = a[0].double_value();
  return CheckDouble(fn(x), std::isinf(x), true, out);
}

void AddIntegers(RegistryBuilder* b) {
  struct Pair {
    TypeOid left, right, result;
    const char *add, *sub, *mul, *div;
  };
  static constexpr Pair kPairs[] = {
      {kInt2, kInt2, kInt2, "int2pl", "int2mi", "int2mul", "int2div"},
      {kInt4, kInt4, kInt4, "int4pl", "int4mi", "int4mul", "int4div"},
      {kInt8, kInt8, kInt8, "int8pl", "int8mi", "int8mul", "int8div"},
      {kInt2, kInt4, kInt4, "int24pl", "int24mi", "int24mul", "int24div"},
      {kInt4, kInt2, kInt4, "int42pl", "int42mi", "int42mul", "int42div"},
      {kInt2, kInt8, kInt8, "int28pl", "int28mi", "int28mul", "int28div"},
      {kInt8, kInt2, kInt8, "int82pl", "int82mi", "int82mul", "int82div"},
      {kInt4, kInt8, kInt8, "int48pl", "int48mi", "int48mul", "int48div"},
      {kInt8, kInt4, kInt8, "int84pl", "int84mi", "int84mul", "int84div"}};
  for (const Pair& p : kPairs) {
    const uint8_t add = p.result == kInt4   ? kFastInt4Add
                        : p.result == kInt8 ? kFastInt8Add
                                            : kFastNone;
    const uint8_t sub = p.result == kInt4   ? kFastInt4Sub
                        : p.result == kInt8 ? kFastInt8Sub
                                            : kFastNone;
    b->Op("+", p.add, {p.left, p.right}, p.result, IntAdd, add);
    b->Op("-", p.sub, {p.left, p.right}, p.result, IntSub, sub);
    b->Op("*", p.mul, {p.left, p.right}, p.result, IntMul);
    b->Op("/", p.div, {p.left, p.right}, p.result, IntDiv);
  }
  for (TypeOid t : {kInt2, kInt4, kInt8}) {
    b->Op("%", "mod", {t, t}, t, IntMod);
    b->Op(
        "-",
        t == kInt2   ? "int2um"
        : t == kInt4 ? "int4um"
                     : "int8um",
        {t}, t, SQL_BODY {
          if (a[0].int_value() == INT64_MIN) return OutOfRange(kInt8);
          return PutInt(call.function.result, -a[0].int_value(), out);
        });
    b->Op(
        "+",
        t == kInt2   ? "int2up"
        : t == kInt4 ? "int4up"
                     : "int8up",
        {t}, t, SQL_BODY {
          *out = a[0];
          return {};
        });
    b->Add(
        "abs", {t}, t, SQL_BODY {
          if (a[0].int_value() == INT64_MIN) return OutOfRange(kInt8);
          return PutInt(call.function.result, std::abs(a[0].int_value()), out);
        });
    b->Op(
        "&",
        t == kInt2   ? "int2and"
        : t == kInt4 ? "int4and"
                     : "int8and",
        {t, t}, t, SQL_BODY {
          *out = Datum::Int(a[0].int_value() & a[1].int_value());
          return {};
        });
    b->Op(
        "|",
        t == kInt2   ? "int2or"
        : t == kInt4 ? "int4or"
                     : "int8or",
        {t, t}, t, SQL_BODY {
          *out = Datum::Int(a[0].int_value() | a[1].int_value());
          return {};
        });
    b->Op(
        "#",
        t == kInt2   ? "int2xor"
        : t == kInt4 ? "int4xor"
                     : "int8xor",
        {t, t}, t, SQL_BODY {
          *out = Datum::Int(a[0].int_value() ^ a[1].int_value());
          return {};
        });
    b->Op(
        "~",
        t == kInt2   ? "int2not"
        : t == kInt4 ? "int4not"
                     : "int8not",
        {t}, t, SQL_BODY {
          *out = Datum::Int(~a[0].int_value());
          return {};
        });
  }
  for (TypeOid t : {kInt4, kInt8}) {
    b->Op(
        "<<", t == kInt4 ? "int4shl" : "int8shl", {t, kInt4}, t, SQL_BODY {
          const int64_t by = a[1].int_value();
          const uint64_t x = static_cast<uint64_t>(a[0].int_value());
          *out = call.function.result == kInt4
                     ? Datum::Int(static_cast<int32_t>(static_cast<uint32_t>(x) << (by & 31)))
                     : Datum::Int(static_cast<int64_t>(x << (by & 63)));
          return {};
        });
    b->Op(
        ">>", t == kInt4 ? "int4shr" : "int8shr", {t, kInt4}, t, SQL_BODY {
          const int64_t by = a[1].int_value() & (call.function.result == kInt4 ? 31 : 63);
          *out = Datum::Int(a[0].int_value() >> by);
          return {};
        });
    b->Add(
        "gcd", {t, t}, t, SQL_BODY {
          const int64_t x = a[0].int_value(), y = a[1].int_value();
          if (x == INT64_MIN || y == INT64_MIN) return OutOfRange(kInt8);
          return PutInt(call.function.result, std::gcd(x, y), out);
        });
  }
}

void AddDoubleOperators(RegistryBuilder* b) {
  struct Pair {
    TypeOid left, right;
    const char *add, *sub, *mul, *div;
  };
  static constexpr Pair kPairs[] = {
      {kFloat8, kFloat8, "float8pl", "float8mi", "float8mul", "float8div"},
      {kFloat4, kFloat8, "float48pl", "float48mi", "float48mul", "float48div"},
      {kFloat8, kFloat4, "float84pl", "float84mi", "float84mul", "float84div"},
      {kFloat4, kFloat4, "float4pl", "float4mi", "float4mul", "float4div"}};
  for (const Pair& p : kPairs) {
    const TypeOid result = p.left == kFloat4 && p.right == kFloat4 ? kFloat4 : kFloat8;
    b->Op(
        "+", p.add, {p.left, p.right}, result, SQL_BODY {
          double v = a[0].double_value() + a[1].double_value();
          if (call.function.result == kFloat4) v = static_cast<float>(v);
          return CheckDouble(v, EitherInf(a), true, out);
        });
    b->Op(
        "-", p.sub, {p.left, p.right}, result, SQL_BODY {
          double v = a[0].double_value() - a[1].double_value();
          if (call.function.result == kFloat4) v = static_cast<float>(v);
          return CheckDouble(v, EitherInf(a), true, out);
        });
    b->Op(
        "*", p.mul, {p.left, p.right}, result, SQL_BODY {
          double v = a[0].double_value() * a[1].double_value();
          if (call.function.result == kFloat4) v = static_cast<float>(v);
          return CheckDouble(v, EitherInf(a), a[0].double_value() == 0 || a[1].double_value() == 0,
                             out);
        });
    b->Op(
        "/", p.div, {p.left, p.right}, result, SQL_BODY {
          if (a[1].double_value() == 0 && !std::isnan(a[0].double_value())) return DivisionByZero();
          double v = a[0].double_value() / a[1].double_value();
          if (call.function.result == kFloat4) v = static_cast<float>(v);
          return CheckDouble(v, EitherInf(a),
                             a[0].double_value() == 0 || std::isinf(a[1].double_value()), out);
        });
  }
  for (TypeOid t : {kFloat4, kFloat8}) {
    b->Op(
        "-", t == kFloat4 ? "float4um" : "float8um", {t}, t, SQL_BODY {
          *out = Datum::Double(-a[0].double_value());
          return {};
        });
    b->Op(
        "+", t == kFloat4 ? "float4up" : "float8up", {t}, t, SQL_BODY {
          *out = a[0];
          return {};
        });
    b->Add(
        "abs", {t}, t, SQL_BODY {
          *out = Datum::Double(std::fabs(a[0].double_value()));
          return {};
        });
  }
}

SqlStatus PowerDouble(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const double x = a[0].double_value(), y = a[1].double_value();
  if (x == 0 && y < 0) return SqlStatus("2201F", "zero raised to a negative power is undefined");
  if (x < 0 && y != std::floor(y)) {
    return SqlStatus("2201F",
                     "a negative number raised to a non-integer power yields a complex result");
  }
  return CheckDouble(std::pow(x, y), EitherInf(a), true, out);
}

void AddDoubleFunctions(RegistryBuilder* b) {
  b->Add("floor", {kFloat8}, kFloat8, DoubleUnary<std::floor>);
  b->Add("ceil", {kFloat8}, kFloat8, DoubleUnary<std::ceil>);
  b->Add("ceiling", {kFloat8}, kFloat8, DoubleUnary<std::ceil>);
  b->Add("trunc", {kFloat8}, kFloat8, DoubleUnary<std::trunc>);
  b->Add("round", {kFloat8}, kFloat8, DoubleUnary<std::nearbyint>);  // half to even, as PostgreSQL
  b->Add("exp", {kFloat8}, kFloat8, DoubleUnary<std::exp>);
  b->Add("sin", {kFloat8}, kFloat8, DoubleUnary<std::sin>);
  b->Add("cos", {kFloat8}, kFloat8, DoubleUnary<std::cos>);
  b->Add("tan", {kFloat8}, kFloat8, DoubleUnary<std::tan>);
  b->Add("atan", {kFloat8}, kFloat8, DoubleUnary<std::atan>);
  b->Add("cbrt", {kFloat8}, kFloat8, DoubleUnary<std::cbrt>);
  b->Add(
      "degrees", {kFloat8}, kFloat8, SQL_BODY {
        *out = Datum::Double(a[0].double_value() * 180.0 / M_PI);
        return {};
      });
  b->Add(
      "radians", {kFloat8}, kFloat8, SQL_BODY {
        *out = Datum::Double(a[0].double_value() * M_PI / 180.0);
        return {};
      });
  b->Add(
      "pi", {}, kFloat8, SQL_BODY {
        *out = Datum::Double(M_PI);
        return {};
      });
  b->Add(
      "sqrt", {kFloat8}, kFloat8, SQL_BODY {
        if (a[0].double_value() < 0) {
          return SqlStatus("2201F", "cannot take square root of a negative number");
        }
        *out = Datum::Double(std::sqrt(a[0].double_value()));
        return {};
      });
  for (const char* name : {"ln", "log"}) {
    b->Add(
        name, {kFloat8}, kFloat8, SQL_BODY {
          const double x = a[0].double_value();
          if (x == 0) return SqlStatus("2201E", "cannot take logarithm of zero");
          if (x < 0) return SqlStatus("2201E", "cannot take logarithm of a negative number");
          *out = Datum::Double(call.function.name == "ln" ? std::log(x) : std::log10(x));
          return {};
        });
  }
  b->Add("power", {kFloat8, kFloat8}, kFloat8, PowerDouble);
  b->Add("pow", {kFloat8, kFloat8}, kFloat8, PowerDouble);
  b->Op("^", "dpow", {kFloat8, kFloat8}, kFloat8, PowerDouble);
  b->Add(
      "sign", {kFloat8}, kFloat8, SQL_BODY {
        const double x = a[0].double_value();
        *out = Datum::Double(x > 0 ? 1 : x < 0 ? -1 : 0);
        return {};
      });
  b->Volatile(
      "random", {}, kFloat8, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        *out = Datum::Double(static_cast<double>(session->RandomBits() >> 11) * 0x1.0p-53);
        return {};
      });
  b->Volatile(
      "setseed", {kFloat8}, kVoid, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        session->SetSeed(a[0].double_value());
        *out = Datum::String("");
        return {};
      });
}

SqlStatus PowerNumeric(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const Numeric x = a[0].numeric_value(), y = a[1].numeric_value();
  if (y.is_finite() && Numeric::Compare(y.Truncate(0), y) == 0) {
    auto exponent = y.ToInt64();
    if (exponent.ok()) {
      SQL_ASSIGN_OR_RETURN(Numeric v, x.PowerInt(*exponent));
      *out = Datum::Of(v);
      return {};
    }
  }
  if (x.negative()) {
    return SqlStatus("2201F",
                     "a negative number raised to a non-integer power yields a complex result");
  }
  SQL_ASSIGN_OR_RETURN(Numeric v, Numeric::FromDouble(std::pow(x.ToDouble(), y.ToDouble())));
  *out = Datum::Of(v.Round(std::max(v.scale(), 16)));
  return {};
}

void AddNumerics(RegistryBuilder* b) {
  b->Op("+", "numeric_add", {kNumeric, kNumeric}, kNumeric, NumericBinary<Numeric::Add>);
  b->Op("-", "numeric_sub", {kNumeric, kNumeric}, kNumeric, NumericBinary<Numeric::Subtract>);
  b->Op("*", "numeric_mul", {kNumeric, kNumeric}, kNumeric, NumericBinary<Numeric::Multiply>);
  b->Op("/", "numeric_div", {kNumeric, kNumeric}, kNumeric, NumericBinary<Numeric::Divide>);
  b->Op("%", "mod", {kNumeric, kNumeric}, kNumeric, NumericBinary<Numeric::Modulo>);
  b->Op("^", "numeric_power", {kNumeric, kNumeric}, kNumeric, PowerNumeric);
  b->Add("power", {kNumeric, kNumeric}, kNumeric, PowerNumeric);
  b->Add("pow", {kNumeric, kNumeric}, kNumeric, PowerNumeric);
  b->Add(
      "div", {kNumeric, kNumeric}, kNumeric, SQL_BODY {
        const Numeric x = a[0].numeric_value(), y = a[1].numeric_value();
        if (y.is_zero()) return DivisionByZero();
        SQL_ASSIGN_OR_RETURN(Numeric rest, Numeric::Modulo(x, y));
        SQL_ASSIGN_OR_RETURN(Numeric whole, Numeric::Subtract(x, rest));
        SQL_ASSIGN_OR_RETURN(Numeric v, Numeric::Divide(whole, y));
        *out = Datum::Of(v.Round(0));
        return {};
      });
  b->Op(
      "-", "numeric_uminus", {kNumeric}, kNumeric, SQL_BODY {
        *out = Datum::Of(a[0].numeric_value().Negate());
        return {};
      });
  b->Op(
      "+", "numeric_uplus", {kNumeric}, kNumeric, SQL_BODY {
        *out = a[0];
        return {};
      });
  b->Add(
      "abs", {kNumeric}, kNumeric, SQL_BODY {
        *out = Datum::Of(a[0].numeric_value().Abs());
        return {};
      });
  b->Add(
      "sign", {kNumeric}, kNumeric, SQL_BODY {
        const Numeric v = a[0].numeric_value();
        *out = v.is_nan() ? a[0]
                          : Datum::Of(Numeric::FromInt(v.is_zero()    ? 0
                                                       : v.negative() ? -1
                                                                      : 1));
        return {};
      });
  b->Add(
      "floor", {kNumeric}, kNumeric, SQL_BODY {
        *out = Datum::Of(a[0].numeric_value().Floor());
        return {};
      });
  for (const char* name : {"ceil", "ceiling"}) {
    b->Add(
        name, {kNumeric}, kNumeric, SQL_BODY {
          *out = Datum::Of(a[0].numeric_value().Ceil());
          return {};
        });
  }
  b->Add(
       "round", {kNumeric, kInt4}, kNumeric,
       SQL_BODY {
         *out =
             Datum::Of(a[0].numeric_value().Round(n > 1 ? static_cast<int>(a[1].int_value()) : 0));
         return {};
       })
      .defaults = 1;
  b->Add(
       "trunc", {kNumeric, kInt4}, kNumeric,
       SQL_BODY {
         *out = Datum::Of(
             a[0].numeric_value().Truncate(n > 1 ? static_cast<int>(a[1].int_value()) : 0));
         return {};
       })
      .defaults = 1;
  b->Add(
      "sqrt", {kNumeric}, kNumeric, SQL_BODY {
        SQL_ASSIGN_OR_RETURN(Numeric v, a[0].numeric_value().Sqrt());
        *out = Datum::Of(v);
        return {};
      });
  b->Add(
      "scale", {kNumeric}, kInt4, SQL_BODY {
        *out = Datum::Int(a[0].numeric_value().scale());
        return {};
      });
}

}  // namespace

void AddArithmetic(RegistryBuilder* b) {
  AddIntegers(b);
  AddDoubleOperators(b);
  AddDoubleFunctions(b);
  AddNumerics(b);
}

}  // namespace borealis::sql
