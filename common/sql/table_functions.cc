// Functions in FROM: generate_series, unnest, pg_options_to_table and their like.
#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

SqlStatus NotScalar(CallInfo& call, const Datum*, size_t, Datum*) {
  return SqlStatus("0A000", "set-valued function called in context that cannot accept a set");
}

class IntSeries : public TableFunctionRows {
 public:
  IntSeries(int64_t first, int64_t last, int64_t step) : next_(first), last_(last), step_(step) {}
  SqlResult<bool> Next(Row* row) override {
    if (done_ || (step_ > 0 ? next_ > last_ : next_ < last_)) return false;
    row->assign(1, Datum::Int(next_));
    done_ = __builtin_add_overflow(next_, step_, &next_);
    return true;
  }

 private:
  int64_t next_, last_, step_;
  bool done_ = false;
};

class NumericSeries : public TableFunctionRows {
 public:
  NumericSeries(Numeric first, Numeric last, Numeric step)
      : next_(std::move(first)), last_(std::move(last)), step_(std::move(step)) {}
  SqlResult<bool> Next(Row* row) override {
    const int c = Numeric::Compare(next_, last_);
    if (step_.negative() ? c < 0 : c > 0) return false;
    row->assign(1, Datum::Of(next_));
    SQL_ASSIGN_OR_RETURN(next_, Numeric::Add(next_, step_));
    return true;
  }

 private:
  Numeric next_, last_, step_;
};

class TimeSeries : public TableFunctionRows {
 public:
  TimeSeries(int64_t first, int64_t last, Interval step, bool down)
      : next_(first), last_(last), step_(step), down_(down) {}
  SqlResult<bool> Next(Row* row) override {
    if (down_ ? next_ < last_ : next_ > last_) return false;
    row->assign(1, Datum::Int(next_));
    SQL_ASSIGN_OR_RETURN(next_, AddInterval(next_, step_));
    return true;
  }

 private:
  int64_t next_, last_;
  Interval step_;
  bool down_;
};

// Rows known at once.
class FixedRows : public TableFunctionRows {
 public:
  explicit FixedRows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  SqlResult<bool> Next(Row* row) override {
    if (at_ >= rows_.size()) return false;
    *row = rows_[at_++];
    return true;
  }

 private:
  std::vector<Row> rows_;
  size_t at_ = 0;
};

SqlStatus ZeroStep() {
  return SqlStatus("22023", "step size cannot equal zero");
}

SqlResult<std::unique_ptr<TableFunctionRows>> Series(const Function& f,
                                                     const std::vector<Datum>& args) {
  using Rows = std::unique_ptr<TableFunctionRows>;
  if (f.result == kNumeric) {
    const Numeric step = args.size() > 2 ? args[2].numeric_value() : Numeric::FromInt(1);
    if (step.is_zero()) return ZeroStep();
    if (!step.is_finite() || !args[0].numeric_value().is_finite() ||
        args[1].numeric_value().is_nan()) {
      return SqlStatus("22023", "start, stop and step must be finite numbers");
    }
    return Rows(
        std::make_unique<NumericSeries>(args[0].numeric_value(), args[1].numeric_value(), step));
  }
  if (f.result == kTimestamp || f.result == kTimestamptz) {
    const Interval step = ToInterval(args[2]);
    const int64_t size = step.months * 30 * kMicrosPerDay + step.days * kMicrosPerDay + step.micros;
    if (size == 0) return ZeroStep();
    return Rows(
        std::make_unique<TimeSeries>(args[0].int_value(), args[1].int_value(), step, size < 0));
  }
  const int64_t step = args.size() > 2 ? args[2].int_value() : 1;
  if (step == 0) return ZeroStep();
  return Rows(std::make_unique<IntSeries>(args[0].int_value(), args[1].int_value(), step));
}

}  // namespace

void AddTableFunctions(RegistryBuilder* b) {
  const auto add = [&](std::string_view name, std::vector<TypeOid> args,
                       TypeOid result) -> Function& {
    Function& f = b->Stable(name, std::move(args), result, NotScalar);
    f.returns_set = true;
    return f;
  };
  for (TypeOid t : {kInt4, kInt8, kNumeric}) add("generate_series", {t, t, t}, t).defaults = 1;
  for (TypeOid t : {kTimestamp, kTimestamptz}) add("generate_series", {t, t, kInterval}, t);
  add("unnest", {kAnyArray}, kAnyElement);
  add("generate_subscripts", {kAnyArray, kInt4}, kInt4);
  add("pg_options_to_table", {kTextArray}, kRecord);
  add("regexp_split_to_table", {kText, kText}, kText);
  add("aclexplode", {kAclItemArray}, kRecord);
  add("pg_get_keywords", {}, kRecord);
  add("pg_partition_ancestors", {kRegclass}, kRegclass);
  add("pg_get_publication_tables", {kText}, kRecord);
}

bool IsTableFunction(std::string_view name) {
  for (const Function& f : AllFunctions()) {
    if (f.returns_set && f.name == name) return true;
  }
  return false;
}

std::vector<TableFunctionColumn> TableFunctionColumns(const Function& f, TypeOid result) {
  if (f.name == "pg_options_to_table") {
    return {{"option_name", {kText, -1}}, {"option_value", {kText, -1}}};
  }
  if (f.name == "aclexplode") {
    return {{"grantor", {kOid, -1}},
            {"grantee", {kOid, -1}},
            {"privilege_type", {kText, -1}},
            {"is_grantable", {kBool, -1}}};
  }
  if (f.name == "pg_get_keywords") {
    return {{"word", {kText, -1}},
            {"catcode", {kChar, -1}},
            {"barelabel", {kBool, -1}},
            {"catdesc", {kText, -1}},
            {"baredesc", {kText, -1}}};
  }
  if (f.name == "pg_get_publication_tables") {
    return {{"relid", {kOid, -1}}};
  }
  if (f.name == "pg_partition_ancestors") return {{"relid", {kRegclass, -1}}};
  return {{std::string(f.name), {result, -1}}};
}

SqlResult<std::unique_ptr<TableFunctionRows>> OpenTableFunction(
    const Function& f, std::vector<Datum> args, std::span<const TypeOid> arg_types) {
  using Rows = std::unique_ptr<TableFunctionRows>;
  for (const Datum& arg : args) {
    if (arg.is_null()) return Rows(std::make_unique<FixedRows>(std::vector<Row>()));
  }
  if (f.name == "generate_series") return Series(f, args);
  std::vector<Row> rows;
  if (f.name == "unnest") {
    for (const Datum& e : args[0].array_value().elements) rows.push_back({e});
  } else if (f.name == "generate_subscripts") {
    const bool from_zero =
        !arg_types.empty() && (arg_types[0] == kInt2Vector || arg_types[0] == kOidVector);
    const auto count = static_cast<int64_t>(args[0].array_value().elements.size());
    for (int64_t i = 0; i < count && args[1].int_value() == 1; ++i)
      rows.push_back({Datum::Int(from_zero ? i : i + 1)});
  } else if (f.name == "pg_options_to_table") {
    for (const Datum& e : args[0].array_value().elements) {
      if (e.is_null()) continue;
      const std::string_view s = e.string_value();
      const size_t at = s.find('=');
      rows.push_back({Datum::String(s.substr(0, at)),
                      at == std::string_view::npos ? Datum() : Datum::String(s.substr(at + 1))});
    }
  } else if (f.name == "regexp_split_to_table") {
    return FeatureNotSupported("regexp_split_to_table");
  }
  // The others (privileges, key words, publications, partitions) have no rows: there are none of
  // those things.
  return Rows(std::make_unique<FixedRows>(std::move(rows)));
}

}  // namespace borealis::sql
