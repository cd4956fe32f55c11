// Text and binary input and output of values, in PostgreSQL's formats and with its errors.
#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/sql/datum.h"
#include "common/sql/error.h"

namespace borealis::sql {

class SessionContext;

// What text input and output depend on. A session's settings; the default is UTC and now = 0.
struct IoContext {
  SessionContext* session = nullptr;  // may be null: regclass input then takes numbers only
  int64_t now_micros = 0;             // transaction start, for 'now', 'today'
  // 3 (PostgreSQL's default 1): shortest round-trip output; <= 0: that many digits are dropped from
  // 15 (or 6).
  int extra_float_digits = 1;
};

// Text -> value. 22P02 invalid_text_representation, 22003 out of range, 22001 too long (varchar(n),
// char(n)), 22007, 22008 (dates), 0A000 for a type without input.
SqlResult<Datum> TextInput(Type type, std::string_view text, const IoContext& io = {});
// Appends; null is the caller's. The value must be of the type's kind.
void TextOutput(Type type, const Datum& value, std::string* out, const IoContext& io = {});
std::string ToText(Type type, const Datum& value, const IoContext& io = {});

// PostgreSQL's binary formats. 22P03 for a wrong length or content, 0A000 for a type without one.
SqlResult<Datum> BinaryInput(Type type, ByteView bytes, const IoContext& io = {});
SqlStatus BinaryOutput(Type type, const Datum& value, Bytes* out, const IoContext& io = {});

// Fits a value that has the type already to a typmod. Explicit casts cut strings silently;
// assignments raise 22001 unless only blanks are cut. numeric rounds or raises 22003.
SqlResult<Datum> ApplyTypmod(Type type, Datum value, bool explicit_cast);

// ---- dates and times, proleptic Gregorian, UTC
inline constexpr int64_t kMicrosPerSecond = 1000000;
inline constexpr int64_t kMicrosPerDay = 86400 * kMicrosPerSecond;
// Microseconds between 1970-01-01 and 2000-01-01.
inline constexpr int64_t kPostgresEpochMicros = 946684800 * kMicrosPerSecond;
inline constexpr int64_t kTimestampInfinity = INT64_MAX;
inline constexpr int64_t kTimestampMinusInfinity = INT64_MIN;
struct CivilTime {
  int64_t year = 2000;  // astronomical: 0 = 1 BC
  int month = 1, day = 1, hour = 0, minute = 0, second = 0, micros = 0;
};
CivilTime ToCivil(int64_t timestamp_micros);
int64_t FromCivil(const CivilTime& civil);
int64_t DaysFromCivil(int64_t year, int month, int day);  // since 2000-01-01

// interval: months, days, microseconds, as 16 little-endian bytes (micros i64, days i32, months
// i32) in a kString Datum.
struct Interval {
  int64_t micros = 0;
  int32_t days = 0;
  int32_t months = 0;
};
Datum IntervalDatum(const Interval& v);
Interval ToInterval(const Datum& v);
SqlResult<int64_t> AddInterval(int64_t timestamp, const Interval& v);  // 22008

// Quotes an identifier if it needs it: quote_ident().
std::string QuoteIdentifier(std::string_view name);
// quote_literal().
std::string QuoteLiteral(std::string_view text);
// Characters (not bytes) of UTF-8; invalid bytes count as one each.
size_t Utf8Length(std::string_view text);
// The byte offset of the n-th character (0-based), or text.size().
size_t Utf8Offset(std::string_view text, size_t characters);
// False for anything but well-formed UTF-8 without NUL: what text may hold (22021).
bool IsValidText(std::string_view text);

}  // namespace borealis::sql
