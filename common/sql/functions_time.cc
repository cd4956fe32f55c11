// Dates and times. The time zone is UTC throughout: timestamp and timestamptz differ in their text
// only.
#include <cmath>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

bool IsInfinite(int64_t t) {
  return t == kTimestampInfinity || t == kTimestampMinusInfinity;
}
int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

// Microseconds of a date, timestamp or timestamptz argument.
int64_t MicrosOf(TypeOid type, const Datum& value) {
  const int64_t v = value.int_value();
  if (type != kDate) return v;
  if (v == INT32_MAX) return kTimestampInfinity;
  if (v == INT32_MIN) return kTimestampMinusInfinity;
  return v * kMicrosPerDay;
}

// ISO week and its year.
void IsoWeek(const CivilTime& c, int64_t* year, int64_t* week) {
  const int64_t day = DaysFromCivil(c.year, c.month, c.day);
  const auto monday = [](int64_t d) {
    return d - (((d + 5) % 7) + 7) % 7;
  };  // 2000-01-01 was a Saturday
  const auto first = [&](int64_t y) { return monday(DaysFromCivil(y, 1, 4)); };
  *year = c.year;
  if (day < first(*year))
    --*year;
  else if (day >= first(*year + 1))
    ++*year;
  *week = (day - first(*year)) / 7 + 1;
}

SqlStatus UnknownUnit(std::string_view unit, TypeOid type) {
  return SqlStatus(
      "22023", "unit \"" + std::string(unit) + "\" not recognized for type " + FormatType(type));
}

SqlResult<Numeric> ExtractField(const std::string& field, TypeOid type, int64_t t) {
  if (field == "epoch") return Numeric::FromScaled(t + kPostgresEpochMicros, 6);
  const CivilTime c = ToCivil(t);
  const int64_t days = DaysFromCivil(c.year, c.month, c.day);
  const int64_t seconds = c.second * kMicrosPerSecond + c.micros;
  int64_t iso_year = 0, week = 0;
  IsoWeek(c, &iso_year, &week);
  if (field == "microseconds") return Numeric::FromInt(seconds);
  if (field == "milliseconds") return Numeric::FromScaled(seconds, 3);
  if (field == "second" || field == "seconds") return Numeric::FromScaled(seconds, 6);
  if (field == "timezone" || field == "timezone_hour" || field == "timezone_minute")
    return Numeric::FromInt(0);
  int64_t v = 0;
  if (field == "minute")
    v = c.minute;
  else if (field == "hour")
    v = c.hour;
  else if (field == "day")
    v = c.day;
  else if (field == "month")
    v = c.month;
  else if (field == "year")
    v = c.year > 0 ? c.year : c.year - 1;
  else if (field == "quarter")
    v = (c.month - 1) / 3 + 1;
  else if (field == "decade")
    v = FloorDivide(c.year, 10);
  else if (field == "century")
    v = c.year > 0 ? (c.year + 99) / 100 : -((99 - (c.year - 1)) / 100);
  else if (field == "millennium")
    v = c.year > 0 ? (c.year + 999) / 1000 : -((999 - (c.year - 1)) / 1000);
  else if (field == "dow")
    v = (((days + 6) % 7) + 7) % 7;
  else if (field == "isodow")
    v = (((days + 5) % 7) + 7) % 7 + 1;
  else if (field == "doy")
    v = days - DaysFromCivil(c.year, 1, 1) + 1;
  else if (field == "week")
    v = week;
  else if (field == "isoyear")
    v = iso_year;
  else if (field == "julian")
    v = days + 2451545;
  else
    return UnknownUnit(field, type);
  return Numeric::FromInt(v);
}

SqlResult<Numeric> ExtractInterval(const std::string& field, const Interval& v) {
  if (field == "epoch") {
    const int64_t years = v.months / 12, months = v.months % 12;
    const int64_t days = years * 1461 / 4 + months * 30 + v.days;  // 365.25 days a year
    const int64_t extra = years * 1461 % 4 * (kMicrosPerDay / 4);
    SQL_ASSIGN_OR_RETURN(Numeric whole,
                         Numeric::Multiply(Numeric::FromInt(days), Numeric::FromInt(86400)));
    return Numeric::Add(whole, Numeric::FromScaled(v.micros + extra, 6));
  }
  const int64_t seconds = v.micros / kMicrosPerSecond;
  if (field == "microseconds") return Numeric::FromInt(v.micros % (60 * kMicrosPerSecond));
  if (field == "milliseconds") return Numeric::FromScaled(v.micros % (60 * kMicrosPerSecond), 3);
  if (field == "second") return Numeric::FromScaled(v.micros % (60 * kMicrosPerSecond), 6);
  if (field == "minute") return Numeric::FromInt(seconds / 60 % 60);
  if (field == "hour") return Numeric::FromInt(seconds / 3600);
  if (field == "day") return Numeric::FromInt(v.days);
  if (field == "month") return Numeric::FromInt(v.months % 12);
  if (field == "year") return Numeric::FromInt(v.months / 12);
  return UnknownUnit(field, kInterval);
}

SqlStatus Extract(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const std::string field = Lower(a[0].string_value());
  const TypeOid type = call.function.args[1];
  Numeric v;
  if (type == kInterval) {
    SQL_ASSIGN_OR_RETURN(v, ExtractInterval(field, ToInterval(a[1])));
  } else {
    const int64_t t = MicrosOf(type, a[1]);
    if (IsInfinite(t)) return {};
    SQL_ASSIGN_OR_RETURN(v, ExtractField(field, type, t));
  }
  *out = call.function.result == kNumeric ? Datum::Of(v) : Datum::Double(v.ToDouble());
  return {};
}

SqlResult<int64_t> Truncate(const std::string& unit, TypeOid type, int64_t t) {
  if (IsInfinite(t)) return t;
  CivilTime c = ToCivil(t);
  if (unit == "microseconds") return t;
  if (unit == "milliseconds") return FloorDivide(t, 1000) * 1000;
  c.micros = 0;
  if (unit == "second") return FromCivil(c);
  c.second = 0;
  if (unit == "minute") return FromCivil(c);
  c.minute = 0;
  if (unit == "hour") return FromCivil(c);
  c.hour = 0;
  if (unit == "day") return FromCivil(c);
  if (unit == "week") {
    const int64_t day = DaysFromCivil(c.year, c.month, c.day);
    return (day - (((day + 5) % 7) + 7) % 7) * kMicrosPerDay;
  }
  c.day = 1;
  if (unit == "month") return FromCivil(c);
  c.month = unit == "quarter" ? (c.month - 1) / 3 * 3 + 1 : 1;
  if (unit == "quarter" || unit == "year") return FromCivil(c);
  if (unit == "decade")
    c.year = FloorDivide(c.year, 10) * 10;
  else if (unit == "century")
    c.year = FloorDivide(c.year - 1, 100) * 100 + 1;
  else if (unit == "millennium")
    c.year = FloorDivide(c.year - 1, 1000) * 1000 + 1;
  else
    return UnknownUnit(unit, type);
  return FromCivil(c);
}

Interval Difference(int64_t a, int64_t b) {
  Interval v;
  v.micros = a - b;
  v.days = static_cast<int32_t>(v.micros / kMicrosPerDay);  // as timestamp_mi: days, hours below 24
  v.micros %= kMicrosPerDay;
  return v;
}

Interval Age(int64_t later, int64_t earlier) {
  const bool swap = later < earlier;
  const CivilTime x = ToCivil(swap ? earlier : later), y = ToCivil(swap ? later : earlier);
  int64_t months = (x.year - y.year) * 12 + x.month - y.month;
  const auto of_day = [](const CivilTime& c) {
    return ((c.hour * 60LL + c.minute) * 60 + c.second) * kMicrosPerSecond + c.micros;
  };
  int64_t micros = of_day(x) - of_day(y);
  int64_t days = x.day - y.day;
  if (micros < 0) {
    micros += kMicrosPerDay;
    --days;
  }
  if (days < 0) {
    // Days of the earlier one's month.
    days += DaysFromCivil(y.month == 12 ? y.year + 1 : y.year, y.month == 12 ? 1 : y.month + 1, 1) -
            DaysFromCivil(y.year, y.month, 1);
    --months;
  }
  Interval v{micros, static_cast<int32_t>(days), static_cast<int32_t>(months)};
  return swap ? Interval{-v.micros, -v.days, -v.months} : v;
}

using Clock = int64_t (SessionContext::*)();
template <Clock clock>
SqlStatus Now(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_SESSION_OR_RETURN(session);
  int64_t t = (session->*clock)();
  if (call.function.result == kDate)
    t = FloorDivide(t, kMicrosPerDay);
  else if (n == 1) {
    SQL_ASSIGN_OR_RETURN(*out, ApplyTypmod({kTimestamptz, static_cast<int32_t>(a[0].int_value())},
                                           Datum::Int(t), true));
    return {};
  }
  *out = Datum::Int(t);
  return {};
}

void AddNow(RegistryBuilder* b) {
  b->Stable("now", {}, kTimestamptz, Now<&SessionContext::TransactionTimestamp>);
  b->Stable("current_timestamp", {kInt4}, kTimestamptz, Now<&SessionContext::TransactionTimestamp>)
      .defaults = 1;
  b->Stable("localtimestamp", {kInt4}, kTimestamp, Now<&SessionContext::TransactionTimestamp>)
      .defaults = 1;
  b->Stable("transaction_timestamp", {}, kTimestamptz, Now<&SessionContext::TransactionTimestamp>);
  b->Stable("statement_timestamp", {}, kTimestamptz, Now<&SessionContext::StatementTimestamp>);
  b->Volatile("clock_timestamp", {}, kTimestamptz, Now<&SessionContext::ClockTimestamp>);
  b->Stable("current_date", {}, kDate, Now<&SessionContext::TransactionTimestamp>);
  b->Volatile(
      "timeofday", {}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        *out = Datum::String(ToText({kTimestamptz, -1}, Datum::Int(session->ClockTimestamp())));
        return {};
      });
}

template <int sign>
SqlStatus PlusInterval(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const bool swapped = call.function.args[0] == kInterval;
  const TypeOid type = call.function.args[swapped ? 1 : 0];
  Interval v = ToInterval(a[swapped ? 0 : 1]);
  v = {sign * v.micros, sign * v.days, sign * v.months};
  SQL_ASSIGN_OR_RETURN(int64_t t, AddInterval(MicrosOf(type, a[swapped ? 1 : 0]), v));
  *out = Datum::Int(t);
  return {};
}

void AddOperators(RegistryBuilder* b) {
  for (TypeOid t : {kTimestamp, kTimestamptz, kDate}) {
    const TypeOid result = t == kDate ? kTimestamp : t;
    const char* prefix = t == kDate        ? "date_pl_interval"
                         : t == kTimestamp ? "timestamp_pl_interval"
                                           : "timestamptz_pl_interval";
    b->Op("+", prefix, {t, kInterval}, result, PlusInterval<1>);
    b->Op("+", "interval_pl_time", {kInterval, t}, result, PlusInterval<1>);
    b->Op("-",
          t == kDate        ? "date_mi_interval"
          : t == kTimestamp ? "timestamp_mi_interval"
                            : "timestamptz_mi_interval",
          {t, kInterval}, result, PlusInterval<-1>);
    if (t == kDate) continue;
    b->Op(
        "-", t == kTimestamp ? "timestamp_mi" : "timestamptz_mi", {t, t}, kInterval, SQL_BODY {
          const int64_t x = a[0].int_value(), y = a[1].int_value();
          if (IsInfinite(x) || IsInfinite(y))
            return SqlStatus("22008", "cannot subtract infinite timestamps");
          *out = IntervalDatum(Difference(x, y));
          return {};
        });
    b->Add(
        "age", {t, t}, kInterval, SQL_BODY {
          *out = IntervalDatum(Age(a[0].int_value(), a[1].int_value()));
          return {};
        });
  }
  const auto plus_days = SQL_BODY {
    const int64_t v = call.function.name == "date_mii" ? a[0].int_value() - a[1].int_value()
                                                       : a[0].int_value() + a[1].int_value();
    if (v != static_cast<int32_t>(v)) return SqlStatus("22008", "date out of range");
    *out = Datum::Int(v);
    return {};
  };
  b->Op("+", "date_pli", {kDate, kInt4}, kDate, plus_days);
  b->Op("+", "integer_pl_date", {kInt4, kDate}, kDate, plus_days);
  b->Op("-", "date_mii", {kDate, kInt4}, kDate, plus_days);
  b->Op(
      "-", "date_mi", {kDate, kDate}, kInt4, SQL_BODY {
        *out = Datum::Int(a[0].int_value() - a[1].int_value());
        return {};
      });
  b->Op(
      "+", "interval_pl", {kInterval, kInterval}, kInterval, SQL_BODY {
        const Interval x = ToInterval(a[0]), y = ToInterval(a[1]);
        Interval v;
        if (__builtin_add_overflow(x.micros, y.micros, &v.micros) ||
            __builtin_add_overflow(x.days, y.days, &v.days) ||
            __builtin_add_overflow(x.months, y.months, &v.months)) {
          return SqlStatus("22008", "interval out of range");
        }
        *out = IntervalDatum(v);
        return {};
      });
  const auto times = SQL_BODY {
    const bool first = call.function.args[0] == kInterval;
    const Interval v = ToInterval(a[first ? 0 : 1]);
    const double by = a[first ? 1 : 0].double_value();
    const double micros = static_cast<double>(v.micros) * by;
    const double days = v.days * by, months = v.months * by;
    if (!(std::fabs(micros) < 9e18) || !(std::fabs(days) < 2e9) || !(std::fabs(months) < 2e9)) {
      return SqlStatus("22008", "interval out of range");
    }
    // Fractions of months spill to days (30 a month), those of days to time.
    const double whole_months = std::trunc(months);
    const double all_days = days + (months - whole_months) * 30;
    const double whole_days = std::trunc(all_days);
    const double spill = (all_days - whole_days) * static_cast<double>(kMicrosPerDay);
    *out = IntervalDatum({static_cast<int64_t>(std::llround(micros + spill)),
                          static_cast<int32_t>(whole_days), static_cast<int32_t>(whole_months)});
    return {};
  };
  b->Op("*", "interval_mul", {kInterval, kFloat8}, kInterval, times);
  b->Op("*", "mul_d_interval", {kFloat8, kInterval}, kInterval, times);
}

}  // namespace

SqlResult<std::string> FormatTimestamp(int64_t t, std::string_view f) {
  static constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
  static constexpr const char* kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
  const CivilTime c = ToCivil(t);
  const int64_t days = DaysFromCivil(c.year, c.month, c.day);
  const auto dow = static_cast<size_t>((((days + 6) % 7) + 7) % 7);
  const auto number = [](int64_t v, int width) {
    std::string s = std::to_string(v);
    if (static_cast<int>(s.size()) < width) s.insert(0, width - s.size(), '0');
    return s;
  };
  const auto pad9 = [](std::string s) {
    return s + std::string(s.size() < 9 ? 9 - s.size() : 0, ' ');
  };
  const auto upper = [](std::string s) {
    for (char& ch : s) ch = static_cast<char>(std::toupper(static_cast<unsigned char>(ch)));
    return s;
  };
  std::string out;
  bool fill = true;
  const auto take = [&](std::string_view word) {
    if (Lower(f.substr(0, word.size())) != Lower(word)) return false;
    f.remove_prefix(word.size());
    return true;
  };
  const auto exact = [&](std::string_view word) {
    if (f.substr(0, word.size()) != word) return false;
    f.remove_prefix(word.size());
    return true;
  };
  const auto put = [&](int64_t v, int width) { out += number(v, fill ? width : 0); };
  while (!f.empty()) {
    const int hour12 = c.hour % 12 == 0 ? 12 : c.hour % 12;
    if (f[0] == '"') {
      f.remove_prefix(1);
      while (!f.empty() && f[0] != '"') {
        out += f[0];
        f.remove_prefix(1);
      }
      if (!f.empty()) f.remove_prefix(1);
      continue;
    }
    if (take("FM")) {
      fill = false;
      continue;
    }
    if (take("YYYY"))
      put(c.year > 0 ? c.year : 1 - c.year, 4);
    else if (take("YY"))
      put(c.year % 100, 2);
    else if (exact("MONTH"))
      out += upper(fill ? pad9(kMonths[c.month - 1]) : kMonths[c.month - 1]);
    else if (exact("Month"))
      out += fill ? pad9(kMonths[c.month - 1]) : kMonths[c.month - 1];
    else if (exact("month"))
      out += Lower(fill ? pad9(kMonths[c.month - 1]) : kMonths[c.month - 1]);
    else if (exact("MON"))
      out += upper(std::string(kMonths[c.month - 1]).substr(0, 3));
    else if (exact("Mon"))
      out += std::string(kMonths[c.month - 1]).substr(0, 3);
    else if (take("MM"))
      put(c.month, 2);
    else if (take("MI"))
      put(c.minute, 2);
    else if (take("MS"))
      put(c.micros / 1000, 3);
    else if (take("DDD"))
      put(days - DaysFromCivil(c.year, 1, 1) + 1, 3);
    else if (take("DD"))
      put(c.day, 2);
    else if (exact("DAY"))
      out += upper(fill ? pad9(kDays[dow]) : kDays[dow]);
    else if (exact("Day"))
      out += fill ? pad9(kDays[dow]) : kDays[dow];
    else if (exact("DY"))
      out += upper(std::string(kDays[dow]).substr(0, 3));
    else if (exact("Dy"))
      out += std::string(kDays[dow]).substr(0, 3);
    else if (take("HH24"))
      put(c.hour, 2);
    else if (take("HH12") || take("HH"))
      put(hour12, 2);
    else if (take("SSSS"))
      put((c.hour * 60 + c.minute) * 60 + c.second, 0);
    else if (take("SS"))
      put(c.second, 2);
    else if (take("US"))
      put(c.micros, 6);
    else if (exact("AM") || exact("PM"))
      out += c.hour < 12 ? "AM" : "PM";
    else if (exact("am") || exact("pm"))
      out += c.hour < 12 ? "am" : "pm";
    else if (take("TZH"))
      out += "+00";
    else if (exact("TZ"))
      out += "UTC";
    else if (exact("tz"))
      out += "utc";
    else if (take("OF"))
      out += "+00";
    else if (take("Q"))
      put((c.month - 1) / 3 + 1, 0);
    else if (take("IW") || take("WW") || take("J") || take("CC") || take("RM")) {
      return FeatureNotSupported("this pattern of to_char");
    } else {
      out += f[0];
      f.remove_prefix(1);
      continue;
    }
    fill = true;
  }
  return out;
}

// 9, 0, . D , G, S, MI, FM and literals: what reports use.
SqlResult<std::string> FormatNumber(const Numeric& value, std::string_view format) {
  int whole = 0, fraction = 0, zero_from = -1;
  bool point = false, fm = false, sign_mark = false;
  for (size_t i = 0; i < format.size(); ++i) {
    const char c = static_cast<char>(std::toupper(static_cast<unsigned char>(format[i])));
    if (c == 'F' && i + 1 < format.size() &&
        std::toupper(static_cast<unsigned char>(format[i + 1])) == 'M') {
      fm = true;
      ++i;
    } else if (c == '9' || c == '0') {
      if (point)
        ++fraction;
      else {
        if (c == '0' && zero_from < 0) zero_from = whole;
        ++whole;
      }
    } else if (c == '.' || c == 'D') {
      point = true;
    } else if (c == 'S') {
      sign_mark = true;
    } else if (c != ',' && c != 'G') {
      return FeatureNotSupported("this number format of to_char");
    }
  }
  const Numeric rounded = value.Round(fraction);
  std::string digits = rounded.Abs().ToString();
  const size_t dot = digits.find('.');
  std::string fraction_digits = dot == std::string::npos ? "" : digits.substr(dot + 1);
  std::string whole_digits = digits.substr(0, dot);
  if (whole_digits == "0" && zero_from < 0 && fraction > 0) whole_digits.clear();
  const bool overflow = static_cast<int>(whole_digits.size()) > whole;
  std::string out;
  int seen = 0;
  bool started = false;
  const int blank = whole - static_cast<int>(whole_digits.size());
  point = false;
  size_t next_fraction = 0;
  std::string trailing;
  for (size_t i = 0; i < format.size(); ++i) {
    const char c = static_cast<char>(std::toupper(static_cast<unsigned char>(format[i])));
    if (c == 'F') {
      ++i;
    } else if ((c == '9' || c == '0') && !point) {
      if (overflow)
        out += '#';
      else if (seen >= blank)
        out += whole_digits[seen - blank], started = true;
      else if (zero_from >= 0 && seen >= zero_from)
        out += '0', started = true;
      else if (!fm)
        out += ' ';
      ++seen;
    } else if (c == '9' || c == '0') {
      out += overflow ? '#' : fraction_digits[next_fraction++];
    } else if (c == '.' || c == 'D') {
      point = true;
      out += '.';
    } else if (c == ',' || c == 'G') {
      if (started || overflow)
        out += ',';
      else if (!fm)
        out += ' ';
    }
  }
  const bool minus = rounded.negative();
  const size_t first = out.find_first_not_of(' ');
  const size_t at = first == std::string::npos ? out.size() : first;
  if (minus)
    out.insert(at, "-");
  else if (sign_mark)
    out.insert(at, "+");
  else if (!fm)
    out.insert(0, " ");
  return out;
}

void AddTimes(RegistryBuilder* b) {
  AddNow(b);
  AddOperators(b);
  for (TypeOid t : {kTimestamp, kTimestamptz, kDate, kInterval}) {
    b->Add("extract", {kText, t}, kNumeric, Extract);
    b->Add("date_part", {kText, t}, kFloat8, Extract);
  }
  for (TypeOid t : {kTimestamp, kTimestamptz}) {
    b->Add(
        "date_trunc", {kText, t}, t, SQL_BODY {
          SQL_ASSIGN_OR_RETURN(int64_t v, Truncate(Lower(a[0].string_value()), call.function.result,
                                                   a[1].int_value()));
          *out = Datum::Int(v);
          return {};
        });
    b->Add(
        "to_char", {t, kText}, kText, SQL_BODY {
          if (IsInfinite(a[0].int_value())) return {};
          SQL_ASSIGN_OR_RETURN(std::string s,
                               FormatTimestamp(a[0].int_value(), a[1].string_value()));
          *out = Datum::String(s);
          return {};
        });
    // AT TIME ZONE: UTC is the only zone there is.
    b->Add(
        "timezone", {kText, t}, t == kTimestamp ? kTimestamptz : kTimestamp, SQL_BODY {
          const std::string zone = Lower(a[0].string_value());
          if (zone != "utc" && zone != "gmt" && zone != "z" && zone != "etc/utc") {
            return FeatureNotSupported("time zone \"" + std::string(a[0].string_value()) + "\"");
          }
          *out = a[1];
          return {};
        });
  }
  b->Add(
      "to_char", {kNumeric, kText}, kText, SQL_BODY {
        SQL_ASSIGN_OR_RETURN(std::string s,
                             FormatNumber(a[0].numeric_value(), a[1].string_value()));
        *out = Datum::String(s);
        return {};
      });
  for (TypeOid t : {kInt4, kInt8}) {
    b->Add(
        "to_char", {t, kText}, kText, SQL_BODY {
          SQL_ASSIGN_OR_RETURN(
              std::string s, FormatNumber(Numeric::FromInt(a[0].int_value()), a[1].string_value()));
          *out = Datum::String(s);
          return {};
        });
  }
  b->Add(
      "to_timestamp", {kFloat8}, kTimestamptz, SQL_BODY {
        const double s = a[0].double_value();
        if (!(std::fabs(s) < 9e12)) return SqlStatus("22008", "timestamp out of range");
        *out = Datum::Int(static_cast<int64_t>(std::llround(s * 1e6)) - kPostgresEpochMicros);
        return {};
      });
  b->Add(
      "make_date", {kInt4, kInt4, kInt4}, kDate, SQL_BODY {
        char text[64];
        std::snprintf(
            text, sizeof(text), "%04lld-%02lld-%02lld", static_cast<long long>(a[0].int_value()),
            static_cast<long long>(a[1].int_value()), static_cast<long long>(a[2].int_value()));
        auto date = TextInput({kDate, -1}, text);
        if (!date.ok()) {
          return SqlStatus("22008", "date field value out of range: " + std::string(text));
        }
        *out = *date;
        return {};
      });
  b->Add(
      "isfinite", {kTimestamptz}, kBool, SQL_BODY {
        *out = Datum::Bool(!IsInfinite(a[0].int_value()));
        return {};
      });
}

}  // namespace borealis::sql
