// PostgreSQL's numeric: coefficient * 10^-scale with a display scale, NaN, Infinity. Results have
// the scales that PostgreSQL gives them (src/backend/utils/adt/numeric.c). At most 131072 digits
// before and 16383 after the decimal point; 22003 beyond that.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/sql/error.h"

namespace borealis::sql {

class Numeric {
 public:
  enum class Special : uint8_t { kFinite = 0, kNan = 1, kInfinity = 2, kMinusInfinity = 3 };
  static constexpr int kScaleMax = 16383;
  static constexpr int kIntegerDigitsMax = 131072;

  Numeric() = default;  // 0
  static Numeric FromInt(int64_t v);
  // units * 10^-scale: FromScaled(150, 2) is 1.50.
  static Numeric FromScaled(int64_t units, int scale);
  static Numeric Of(Special special);
  // Text as PostgreSQL reads it (blanks around, exponents, NaN, Infinity); 22P02, 22003.
  static SqlResult<Numeric> Parse(std::string_view text);
  // As PostgreSQL's float8 -> numeric: 15 significant digits.
  static SqlResult<Numeric> FromDouble(double v, int digits = 15);

  std::string ToString() const;
  double ToDouble() const;
  // Rounds half away from zero. 22003 "<type> out of range", 0A000 for NaN ("cannot convert NaN to
  // <type>").
  SqlResult<int64_t> ToInt64(std::string_view type_name = "bigint") const;

  bool is_nan() const { return special_ == Special::kNan; }
  bool is_finite() const { return special_ == Special::kFinite; }
  bool is_zero() const { return is_finite() && limbs_.empty(); }
  bool negative() const { return special_ == Special::kMinusInfinity || negative_; }
  int scale() const { return scale_; }
  // Digits of the coefficient, 0 for zero.
  int digits() const;

  static SqlResult<Numeric> Add(const Numeric& a, const Numeric& b);
  static SqlResult<Numeric> Subtract(const Numeric& a, const Numeric& b);
  static SqlResult<Numeric> Multiply(const Numeric& a, const Numeric& b);
  static SqlResult<Numeric> Divide(const Numeric& a, const Numeric& b);  // 22012
  static SqlResult<Numeric> Modulo(const Numeric& a, const Numeric& b);  // sign of a; 22012
  static int Compare(const Numeric& a, const Numeric& b);                // NaN above all
  Numeric Negate() const;
  Numeric Abs() const;
  // Half away from zero; a negative scale rounds left of the point (the result then has scale 0).
  Numeric Round(int scale) const;
  Numeric Truncate(int scale) const;
  Numeric Floor() const;
  Numeric Ceil() const;
  SqlResult<Numeric> Sqrt() const;  // 2201F for a negative one
  // exponent an integer; 22003, 22012.
  SqlResult<Numeric> PowerInt(int64_t exponent) const;
  // numeric(p, s): rounds to s and checks p digits; 22003 "numeric field overflow" with
  // PostgreSQL's DETAIL.
  SqlResult<Numeric> ApplyTypmod(int32_t typmod) const;
  // Trailing zeros of the fraction removed: the canonical form of the value.
  Numeric Normalized() const;
  uint64_t Hash() const;  // of the value

  // Compact form that a Datum and a row hold: docs/formats/rows.md, "numeric".
  void EncodeTo(Bytes* out) const;
  // kCorruption-like: false for anything EncodeTo never wrote.
  static bool Decode(ByteView bytes, Numeric* out);
  // Order-preserving, self-delimiting form: docs/formats/keys.md, "numeric". The display scale is
  // lost.
  void EncodeKeyTo(Bytes* out) const;
  // Consumes the encoding at the front of *in; false when it is none.
  static bool DecodeKey(ByteView* in, Numeric* out);
  // PostgreSQL's binary format (numeric_send).
  void SendTo(Bytes* out) const;
  static SqlResult<Numeric> Receive(ByteView bytes);

 private:
  using Limbs = std::vector<uint32_t>;  // base 10^9, least significant first, no leading zero limb
  static Numeric Make(Limbs limbs, bool negative, int scale);
  Limbs ScaledLimbs(int scale) const;
  static SqlStatus CheckRange(const Numeric& n);
  // Fits in 18 digits: *out = the signed coefficient.
  bool SmallCoefficient(int64_t* out) const;
  std::string CoefficientDigits() const;
  static Numeric FromDigits(std::string_view digits, bool negative, int scale);

  Special special_ = Special::kFinite;
  bool negative_ = false;
  int scale_ = 0;  // >= 0
  Limbs limbs_;
};

}  // namespace borealis::sql
