// Dates, timestamps and intervals: ISO 8601 output as with DateStyle 'ISO, MDY', UTC only.
#include "common/sql/io_time.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/sql/io.h"

namespace borealis::sql {
namespace {

constexpr int64_t kDaysTo2000 = 10957;  // from 1970-01-01
constexpr int64_t kMinYear = -4713, kMaxYear = 294276;

int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLeap(int64_t y) {
  return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}
int DaysInMonth(int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// A cursor over the text of a date or time.
struct Scanner {
  std::string_view text;
  size_t at = 0;
  void SkipBlanks() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n')) ++at;
  }
  bool done() const { return at >= text.size(); }
  char peek(size_t n = 0) const { return at + n < text.size() ? text[at + n] : '\0'; }
  // Up to 9 digits; *count tells how many.
  int64_t Number(int* count) {
    int64_t v = 0;
    *count = 0;
    while (IsDigit(peek()) && *count < 9) {
      v = v * 10 + (text[at++] - '0');
      ++*count;
    }
    return v;
  }
  std::string Word() {
    std::string out;
    while (std::isalpha(static_cast<unsigned char>(peek()))) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at++])));
    }
    return out;
  }
  bool Take(char c) {
    if (peek() != c) return false;
    ++at;
    return true;
  }
};

enum class Parsed { kOk, kSyntax, kRange };

Parsed ParseDatePart(Scanner* in, CivilTime* out) {
  int count = 0;
  const int64_t first = in->Number(&count);
  if (count == 8) {  // 20240131
    out->year = first / 10000;
    out->month = static_cast<int>(first / 100 % 100);
    out->day = static_cast<int>(first % 100);
  } else if (count >= 3 && (in->peek() == '-' || in->peek() == '/')) {
    const char separator = in->text[in->at++];
    int c1 = 0, c2 = 0;
    out->year = first;
    out->month = static_cast<int>(in->Number(&c1));
    if (c1 == 0 || c1 > 2 || !in->Take(separator)) return Parsed::kSyntax;
    out->day = static_cast<int>(in->Number(&c2));
    if (c2 == 0 || c2 > 2) return Parsed::kSyntax;
  } else if (count >= 1 && count <= 2 && (in->peek() == '/' || in->peek() == '-')) {  // MDY
    const char separator = in->text[in->at++];
    int c1 = 0, c2 = 0;
    out->month = static_cast<int>(first);
    out->day = static_cast<int>(in->Number(&c1));
    if (c1 == 0 || c1 > 2 || !in->Take(separator)) return Parsed::kSyntax;
    out->year = in->Number(&c2);
    if (c2 != 4 && c2 != 2) return Parsed::kSyntax;
    if (c2 == 2) out->year += out->year < 70 ? 2000 : 1900;
  } else {
    return Parsed::kSyntax;
  }
  return Parsed::kOk;
}

Parsed ParseTimePart(Scanner* in, CivilTime* out) {
  int count = 0;
  out->hour = static_cast<int>(in->Number(&count));
  if (count == 0 || count > 2 || !in->Take(':')) return Parsed::kSyntax;
  out->minute = static_cast<int>(in->Number(&count));
  if (count != 2) return Parsed::kSyntax;
  if (in->Take(':')) {
    out->second = static_cast<int>(in->Number(&count));
    if (count != 2) return Parsed::kSyntax;
    if (in->Take('.')) {
      int digits = 0, micros = 0, next = 0;
      while (IsDigit(in->peek())) {
        const int d = in->text[in->at++] - '0';
        if (digits < 6) micros = micros * 10 + d;
        if (digits == 6) next = d;
        ++digits;
      }
      for (int i = digits; i < 6; ++i) micros *= 10;
      out->micros = micros + (next >= 5 ? 1 : 0);
    }
  }
  in->SkipBlanks();
  const char ampm = static_cast<char>(std::tolower(in->peek()));
  if ((ampm == 'a' || ampm == 'p') && std::tolower(in->peek(1)) == 'm') {
    in->at += 2;
    if (out->hour < 1 || out->hour > 12) return Parsed::kRange;
    out->hour = out->hour % 12 + (ampm == 'p' ? 12 : 0);
  }
  if (out->hour > 24 || out->minute > 59 || out->second > 60) return Parsed::kRange;
  if (out->hour == 24 && (out->minute != 0 || out->second != 0 || out->micros != 0))
    return Parsed::kRange;
  return Parsed::kOk;
}

// Z, UTC, GMT, +hh, +hhmm, +hh:mm[:ss]. *offset in seconds east.
Parsed ParseZone(Scanner* in, int64_t* offset, bool* found) {
  in->SkipBlanks();
  *found = false;
  if (in->peek() == '+' || in->peek() == '-') {
    const bool minus = in->text[in->at++] == '-';
    int count = 0;
    int64_t hours = in->Number(&count), minutes = 0, seconds = 0;
    if (count == 4) {
      minutes = hours % 100;
      hours /= 100;
    } else if (count < 1 || count > 2) {
      return Parsed::kSyntax;
    } else if (in->Take(':')) {
      minutes = in->Number(&count);
      if (count != 2) return Parsed::kSyntax;
      if (in->Take(':')) seconds = in->Number(&count);
    }
    if (hours > 15 || minutes > 59 || seconds > 59) return Parsed::kRange;
    *offset = (hours * 3600 + minutes * 60 + seconds) * (minus ? -1 : 1);
    *found = true;
    return Parsed::kOk;
  }
  const size_t before = in->at;
  const std::string word = in->Word();
  if (word == "z" || word == "utc" || word == "gmt" || word == "zulu") {
    *offset = 0;
    *found = true;
    return Parsed::kOk;
  }
  in->at = before;
  return Parsed::kOk;
}

Parsed ParseWhole(std::string_view text, bool zoned, int64_t now, int64_t* out) {
  Scanner in{text};
  in.SkipBlanks();
  if (std::isalpha(static_cast<unsigned char>(in.peek())) ||
      (in.peek() == '-' && in.peek(1) == 'i')) {
    const bool minus = in.Take('-');
    const std::string word = in.Word();
    in.SkipBlanks();
    const int64_t today = FloorDivide(now, kMicrosPerDay) * kMicrosPerDay;
    if (!in.done()) return Parsed::kSyntax;
    if (word == "infinity")
      *out = minus ? kTimestampMinusInfinity : kTimestampInfinity;
    else if (minus)
      return Parsed::kSyntax;
    else if (word == "now")
      *out = now;
    else if (word == "today")
      *out = today;
    else if (word == "tomorrow")
      *out = today + kMicrosPerDay;
    else if (word == "yesterday")
      *out = today - kMicrosPerDay;
    else if (word == "epoch")
      *out = -kPostgresEpochMicros;
    else
      return Parsed::kSyntax;
    return Parsed::kOk;
  }
  CivilTime civil;
  Parsed parsed = ParseDatePart(&in, &civil);
  if (parsed != Parsed::kOk) return parsed;
  if (in.peek() == 'T' || in.peek() == 't') ++in.at;
  in.SkipBlanks();
  if (IsDigit(in.peek())) {
    parsed = ParseTimePart(&in, &civil);
    if (parsed != Parsed::kOk) return parsed;
  }
  int64_t offset = 0;
  bool found = false;
  parsed = ParseZone(&in, &offset, &found);
  if (parsed != Parsed::kOk) return parsed;
  in.SkipBlanks();
  if (!in.done()) {
    if (in.Word() != "bc") return Parsed::kSyntax;
    civil.year = 1 - civil.year;
    in.SkipBlanks();
    if (!in.done()) return Parsed::kSyntax;
  } else if (civil.year == 0) {
    return Parsed::kRange;
  }
  if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
      civil.day > DaysInMonth(civil.year, civil.month) || civil.year < kMinYear ||
      civil.year > kMaxYear) {
    return Parsed::kRange;
  }
  *out = FromCivil(civil);
  if (zoned && found) *out -= offset * kMicrosPerSecond;
  return Parsed::kOk;
}

SqlStatus TimeError(Parsed parsed, std::string_view type, std::string_view text) {
  if (parsed == Parsed::kSyntax) {
    return SqlStatus("22007", "invalid input syntax for type " + std::string(type) + ": \"" +
                                  std::string(text) + "\"");
  }
  return SqlStatus("22008", "date/time field value out of range: \"" + std::string(text) + "\"");
}

int64_t RoundToPrecision(int64_t micros, int32_t precision) {
  if (precision < 0 || precision >= 6) return micros;
  int64_t unit = 1;
  for (int i = precision; i < 6; ++i) unit *= 10;
  return FloorDivide(micros + unit / 2, unit) * unit;
}

void AppendFraction(int micros, std::string* out) {
  if (micros == 0) return;
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), ".%06d", micros);
  size_t n = 7;
  while (buffer[n - 1] == '0') --n;
  out->append(buffer, n);
}

}  // namespace

int64_t DaysFromCivil(int64_t year, int month, int day) {
  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  year -= month <= 2;
  const int64_t era = FloorDivide(year, 400);
  const int64_t yoe = year - era * 400;
  const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468 - kDaysTo2000;
}

CivilTime ToCivil(int64_t timestamp) {
  CivilTime out;
  const int64_t days = FloorDivide(timestamp, kMicrosPerDay);
  int64_t rest = timestamp - days * kMicrosPerDay;
  const int64_t z = days + kDaysTo2000 + 719468;
  const int64_t era = FloorDivide(z, 146097);
  const int64_t doe = z - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  out.day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  out.month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  out.year = yoe + era * 400 + (out.month <= 2 ? 1 : 0);
  out.micros = static_cast<int>(rest % kMicrosPerSecond);
  rest /= kMicrosPerSecond;
  out.second = static_cast<int>(rest % 60);
  out.minute = static_cast<int>(rest / 60 % 60);
  out.hour = static_cast<int>(rest / 3600);
  return out;
}

int64_t FromCivil(const CivilTime& c) {
  return DaysFromCivil(c.year, c.month, c.day) * kMicrosPerDay +
         ((c.hour * 60LL + c.minute) * 60 + c.second) * kMicrosPerSecond + c.micros;
}

SqlResult<Datum> DateTimeInput(Type type, std::string_view text, int64_t now) {
  const char* name = type.oid == oid::kTimestamptz ? "timestamp with time zone"
                     : type.oid == oid::kDate      ? "date"
                                                   : "timestamp";
  int64_t value = 0;
  const Parsed parsed = ParseWhole(text, type.oid == oid::kTimestamptz, now, &value);
  if (parsed != Parsed::kOk) return TimeError(parsed, name, text);
  const bool infinite = value == kTimestampInfinity || value == kTimestampMinusInfinity;
  if (type.oid == oid::kDate) {
    if (infinite) return Datum::Int(value > 0 ? INT32_MAX : INT32_MIN);
    return Datum::Int(FloorDivide(value, kMicrosPerDay));
  }
  return Datum::Int(infinite ? value : RoundToPrecision(value, type.typmod));
}

SqlResult<Datum> TimeInput(std::string_view text) {
  Scanner in{text};
  in.SkipBlanks();
  CivilTime civil;
  const Parsed parsed = ParseTimePart(&in, &civil);
  in.SkipBlanks();
  if (parsed != Parsed::kOk || !in.done()) {
    return TimeError(parsed == Parsed::kOk ? Parsed::kSyntax : parsed, "time", text);
  }
  return Datum::Int(((civil.hour * 60LL + civil.minute) * 60 + civil.second) * kMicrosPerSecond +
                    civil.micros);
}

void DateTimeOutput(TypeOid type, int64_t value, std::string* out) {
  char buffer[64];
  if (type == oid::kTime) {
    const int64_t s = value / kMicrosPerSecond;
    std::snprintf(buffer, sizeof(buffer), "%02d:%02d:%02d", static_cast<int>(s / 3600),
                  static_cast<int>(s / 60 % 60), static_cast<int>(s % 60));
    *out += buffer;
    return AppendFraction(static_cast<int>(value % kMicrosPerSecond), out);
  }
  if (type == oid::kDate) {
    if (value == INT32_MAX || value == INT32_MIN) {
      *out += value > 0 ? "infinity" : "-infinity";
      return;
    }
    value *= kMicrosPerDay;
  } else if (value == kTimestampInfinity || value == kTimestampMinusInfinity) {
    *out += value > 0 ? "infinity" : "-infinity";
    return;
  }
  const CivilTime c = ToCivil(value);
  const bool bc = c.year <= 0;
  std::snprintf(buffer, sizeof(buffer), "%04lld-%02d-%02d",
                static_cast<long long>(bc ? 1 - c.year : c.year), c.month, c.day);
  *out += buffer;
  if (type != oid::kDate) {
    std::snprintf(buffer, sizeof(buffer), " %02d:%02d:%02d", c.hour, c.minute, c.second);
    *out += buffer;
    AppendFraction(c.micros, out);
    if (type == oid::kTimestamptz) *out += "+00";
  }
  if (bc) *out += " BC";
}

// ------------------------------------------------------------------------------------ intervals

Datum IntervalDatum(const Interval& v) {
  char raw[16];
  std::memcpy(raw, &v.micros, 8);
  std::memcpy(raw + 8, &v.days, 4);
  std::memcpy(raw + 12, &v.months, 4);
  return Datum::String({raw, 16});
}

Interval ToInterval(const Datum& d) {
  Interval v;
  const std::string_view raw = d.string_value();
  if (raw.size() != 16) return v;
  std::memcpy(&v.micros, raw.data(), 8);
  std::memcpy(&v.days, raw.data() + 8, 4);
  std::memcpy(&v.months, raw.data() + 12, 4);
  return v;
}

SqlResult<int64_t> AddInterval(int64_t timestamp, const Interval& v) {
  if (timestamp == kTimestampInfinity || timestamp == kTimestampMinusInfinity) return timestamp;
  if (v.months != 0) {
    CivilTime c = ToCivil(timestamp);
    const int64_t month = c.year * 12 + (c.month - 1) + v.months;
    c.year = FloorDivide(month, 12);
    c.month = static_cast<int>(month - c.year * 12) + 1;
    if (c.year > kMaxYear || c.year < kMinYear) return SqlStatus("22008", "timestamp out of range");
    c.day = std::min(c.day, DaysInMonth(c.year, c.month));
    timestamp = FromCivil(c);
  }
  int64_t delta = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(v.days), kMicrosPerDay, &delta) ||
      __builtin_add_overflow(timestamp, delta, &timestamp) ||
      __builtin_add_overflow(timestamp, v.micros, &timestamp)) {
    return SqlStatus("22008", "timestamp out of range");
  }
  return timestamp;
}

namespace {

// Adds `amount` (in millionths) of a unit; false when the unit is unknown or it overflows.
bool AddUnit(const std::string& unit, int64_t amount, Interval* v) {
  const auto is = [&](std::initializer_list<const char*> names) {
    for (const char* n : names) {
      if (unit == n || unit == std::string(n) + "s") return true;
    }
    return false;
  };
  const auto scaled = [&](int64_t micros_per_unit) {
    const __int128 total = static_cast<__int128>(amount) * micros_per_unit / 1000000 + v->micros;
    if (total > INT64_MAX || total < INT64_MIN) return false;
    v->micros = static_cast<int64_t>(total);
    return true;
  };
  const auto whole = [&](int32_t factor, int32_t* field, int64_t rest_micros) {
    const int64_t total = static_cast<int64_t>(*field) + amount / 1000000 * factor;
    if (total > INT32_MAX || total < INT32_MIN) return false;
    *field = static_cast<int32_t>(total);
    amount %= 1000000;
    return rest_micros == 0 || scaled(rest_micros);
  };
  if (is({"microsecond", "us", "usec"})) return scaled(1);
  if (is({"millisecond", "ms", "msec"})) return scaled(1000);
  if (is({"second", "sec", "s", ""})) return scaled(kMicrosPerSecond);
  if (is({"minute", "min", "m"})) return scaled(60 * kMicrosPerSecond);
  if (is({"hour", "hr", "h"})) return scaled(3600 * kMicrosPerSecond);
  if (is({"day", "d"})) return whole(1, &v->days, kMicrosPerDay);
  if (is({"week", "w"})) return whole(7, &v->days, 7 * kMicrosPerDay);
  if (is({"month", "mon"})) return whole(1, &v->months, 30 * kMicrosPerDay);
  if (is({"year", "yr", "y"})) {
    const int64_t months = static_cast<int64_t>(v->months) + amount * 12 / 1000000;
    if (months > INT32_MAX || months < INT32_MIN) return false;
    v->months = static_cast<int32_t>(months);
    return true;
  }
  return false;
}

}  // namespace

SqlResult<Datum> IntervalInput(std::string_view text) {
  const SqlStatus bad("22007",
                      "invalid input syntax for type interval: \"" + std::string(text) + "\"");
  Scanner in{text};
  Interval v;
  bool any = false;
  for (in.SkipBlanks(); !in.done(); in.SkipBlanks()) {
    const size_t before = in.at;
    if (in.Word() == "ago") {
      v = {-v.micros, -v.days, -v.months};
      continue;
    }
    in.at = before;
    bool minus = false;
    if (in.peek() == '-' || in.peek() == '+') minus = in.text[in.at++] == '-';
    int count = 0;
    const size_t number_at = in.at;
    int64_t n = in.Number(&count);
    if (in.peek() == ':') {
      in.at = number_at;
      CivilTime civil;
      int64_t hours = in.Number(&count);
      ++in.at;
      civil.minute = static_cast<int>(in.Number(&count));
      if (in.Take(':')) {
        in.at = number_at;
        in.Number(&count);
        // Re-read as 00:mm:ss.ffffff: hours may have more than two digits in an interval.
        std::string rest = "00" + std::string(text.substr(in.at));
        Scanner sub{rest};
        if (ParseTimePart(&sub, &civil) != Parsed::kOk) return bad;
        in.at += sub.at - 2;
      }
      const int64_t micros =
          (hours * 3600 + civil.minute * 60 + civil.second) * kMicrosPerSecond + civil.micros;
      v.micros += minus ? -micros : micros;
      any = true;
      continue;
    }
    int64_t amount = n * 1000000;
    bool digits = count > 0;
    if (in.Take('.')) {
      int64_t unit = 100000;
      for (; IsDigit(in.peek()); ++in.at, unit /= 10) {
        amount += (in.peek() - '0') * unit;
        digits = true;
      }
    }
    if (!digits) return bad;
    in.SkipBlanks();
    if (!AddUnit(in.Word(), minus ? -amount : amount, &v)) return bad;
    any = true;
  }
  if (!any) return bad;
  return IntervalDatum(v);
}

void IntervalOutput(const Interval& v, std::string* out) {
  const size_t start = out->size();
  bool minus_seen = false;
  const auto part = [&](int64_t n, const char* unit) {
    if (n == 0) return;
    if (out->size() > start) *out += ' ';
    if (minus_seen && n > 0) *out += '+';
    *out += std::to_string(n) + " " + unit + (n == 1 ? "" : "s");
    minus_seen = n < 0;
  };
  part(v.months / 12, "year");
  part(v.months % 12, "mon");
  part(v.days, "day");
  if (v.micros != 0 || out->size() == start) {
    if (out->size() > start) *out += ' ';
    const bool minus = v.micros < 0;
    const uint64_t m =
        minus ? 0 - static_cast<uint64_t>(v.micros) : static_cast<uint64_t>(v.micros);
    if (minus)
      *out += '-';
    else if (minus_seen)
      *out += '+';
    char buffer[64];
    const uint64_t s = m / kMicrosPerSecond;
    std::snprintf(buffer, sizeof(buffer), "%02llu:%02d:%02d",
                  static_cast<unsigned long long>(s / 3600), static_cast<int>(s / 60 % 60),
                  static_cast<int>(s % 60));
    *out += buffer;
    AppendFraction(static_cast<int>(m % kMicrosPerSecond), out);
  }
}

}  // namespace borealis::sql
