// Internal to sql: text forms of dates, times and intervals, used by io.cc.
#pragma once

#include <string>
#include <string_view>

#include "common/sql/io.h"

namespace borealis::sql {

// date, timestamp, timestamptz; the typmod's precision is applied.
SqlResult<Datum> DateTimeInput(Type type, std::string_view text, int64_t now_micros);
SqlResult<Datum> TimeInput(std::string_view text);
SqlResult<Datum> IntervalInput(std::string_view text);
// date, time, timestamp, timestamptz. Appends.
void DateTimeOutput(TypeOid type, int64_t value, std::string* out);
void IntervalOutput(const Interval& value, std::string* out);

}  // namespace borealis::sql
