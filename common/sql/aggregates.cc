// Aggregates: their signatures, with PostgreSQL's result types, and their states.
#include <cmath>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;
using K = AggregateKind;

const std::vector<Aggregate>& Registry() {
  static const std::vector<Aggregate>* all = [] {
    auto* list = new std::vector<Aggregate>;
    uint32_t next = 95000;
    const auto add = [&](std::string_view name, std::vector<TypeOid> args, TypeOid result, K kind) {
      list->push_back({next++, name, std::move(args), result, kind});
    };
    add("count", {}, kInt8, K::kCountStar);
    add("count", {kAny}, kInt8, K::kCount);
    add("sum", {kInt2}, kInt8, K::kSumInt8);
    add("sum", {kInt4}, kInt8, K::kSumInt8);
    add("sum", {kInt8}, kNumeric, K::kSumInt8AsNumeric);
    add("sum", {kNumeric}, kNumeric, K::kSumNumeric);
    add("sum", {kFloat4}, kFloat4, K::kSumDouble);
    add("sum", {kFloat8}, kFloat8, K::kSumDouble);
    for (TypeOid t : {kInt2, kInt4, kInt8, kNumeric}) add("avg", {t}, kNumeric, K::kAvgNumeric);
    for (TypeOid t : {kFloat4, kFloat8}) add("avg", {t}, kFloat8, K::kAvgDouble);
    for (TypeOid t : {kInt2, kInt4, kInt8, kFloat4, kFloat8, kNumeric, kText, kBpchar, kOid, kDate,
                      kTime, kTimestamp, kTimestamptz, kBytea, kName, kBool}) {
      if (t == kBool || t == kName || t == kBytea) continue;  // PostgreSQL 15 has none for these
      add("min", {t}, t, K::kMin);
      add("max", {t}, t, K::kMax);
    }
    add("min", {kAnyArray}, kAnyArray, K::kMin);
    add("max", {kAnyArray}, kAnyArray, K::kMax);
    add("bool_and", {kBool}, kBool, K::kBoolAnd);
    add("every", {kBool}, kBool, K::kBoolAnd);
    add("bool_or", {kBool}, kBool, K::kBoolOr);
    add("string_agg", {kText, kText}, kText, K::kStringAgg);
    add("string_agg", {kBytea, kBytea}, kBytea, K::kStringAgg);
    add("array_agg", {kAnyNonArray}, kAnyArray, K::kArrayAgg);
    for (const char* name : {"stddev", "stddev_samp"}) add(name, {kFloat8}, kFloat8, K::kStddev);
    for (const char* name : {"variance", "var_samp"}) add(name, {kFloat8}, kFloat8, K::kVariance);
    add("stddev_pop", {kFloat8}, kFloat8, K::kStddevPop);
    add("var_pop", {kFloat8}, kFloat8, K::kVariancePop);
    return list;
  }();
  return *all;
}

class Count : public AggregateState {
 public:
  explicit Count(bool star) : star_(star) {}
  SqlStatus Add(const Datum* args) override {
    if (star_ || !args[0].is_null()) ++count_;
    return {};
  }
  SqlResult<Datum> Finish() override { return Datum::Int(count_); }

 private:
  const bool star_;
  int64_t count_ = 0;
};

class SumInt : public AggregateState {
 public:
  explicit SumInt(K kind) : kind_(kind) {}
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    sum_ += args[0].int_value();  // 2^64 values of 2^63 each would be needed to overflow
    ++count_;
    return {};
  }
  SqlResult<Datum> Finish() override {
    if (count_ == 0) return Datum();
    if (kind_ == K::kSumInt8) {
      if (sum_ > INT64_MAX || sum_ < INT64_MIN) return SqlStatus("22003", "bigint out of range");
      return Datum::Int(static_cast<int64_t>(sum_));
    }
    SQL_ASSIGN_OR_RETURN(Numeric total, Wide());
    if (kind_ == K::kSumInt8AsNumeric) return Datum::Of(total);
    SQL_ASSIGN_OR_RETURN(Numeric average, Numeric::Divide(total, Numeric::FromInt(count_)));
    return Datum::Of(average);
  }

 private:
  SqlResult<Numeric> Wide() const {
    constexpr int64_t kPart = 1000000000000000000;
    SQL_ASSIGN_OR_RETURN(Numeric high,
                         Numeric::Multiply(Numeric::FromInt(static_cast<int64_t>(sum_ / kPart)),
                                           Numeric::FromInt(kPart)));
    return Numeric::Add(high, Numeric::FromInt(static_cast<int64_t>(sum_ % kPart)));
  }
  const K kind_;
  __int128 sum_ = 0;
  int64_t count_ = 0;
};

class SumNumeric : public AggregateState {
 public:
  explicit SumNumeric(bool average) : average_(average) {}
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    SQL_ASSIGN_OR_RETURN(sum_, Numeric::Add(sum_, args[0].numeric_value()));
    ++count_;
    return {};
  }
  SqlResult<Datum> Finish() override {
    if (count_ == 0) return Datum();
    if (!average_) return Datum::Of(sum_);
    SQL_ASSIGN_OR_RETURN(Numeric v, Numeric::Divide(sum_, Numeric::FromInt(count_)));
    return Datum::Of(v);
  }

 private:
  const bool average_;
  Numeric sum_;
  int64_t count_ = 0;
};

// Sum, average, variance and deviation by Youngs and Cramer's method, as PostgreSQL's float8_accum.
class DoubleMoments : public AggregateState {
 public:
  DoubleMoments(K kind, bool single) : kind_(kind), single_(single) {}
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    const double v = args[0].double_value();
    const double n = ++count_;
    sum_ += v;
    if (n > 1) {
      const double t = v * n - sum_;
      squares_ += t * t / (n * (n - 1));
    }
    if (std::isinf(v)) infinite_ = true;
    if (std::isinf(sum_) && !infinite_) return SqlStatus("22003", "value out of range: overflow");
    return {};
  }
  SqlResult<Datum> Finish() override {
    if (count_ == 0) return Datum();
    const double n = count_;
    switch (kind_) {
      case K::kSumDouble:
        return Datum::Double(single_ ? static_cast<double>(static_cast<float>(sum_)) : sum_);
      case K::kAvgDouble:
        return Datum::Double(sum_ / n);
      case K::kVariancePop:
        return Datum::Double(squares_ / n);
      case K::kStddevPop:
        return Datum::Double(std::sqrt(squares_ / n));
      default:
        break;
    }
    if (count_ < 2) return Datum();
    const double variance = squares_ / (n - 1);
    return Datum::Double(kind_ == K::kVariance ? variance : std::sqrt(variance));
  }

 private:
  const K kind_;
  const bool single_;
  bool infinite_ = false;
  double count_ = 0, sum_ = 0, squares_ = 0;
};

class Extreme : public AggregateState {
 public:
  Extreme(bool max, TypeOid type) : max_(max), type_(type) {}
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    if (!best_.is_null()) {
      const int c = CompareTyped(type_, args[0], best_);
      if (max_ ? c <= 0 : c >= 0) return {};
    }
    best_ = args[0];
    return {};
  }
  SqlResult<Datum> Finish() override { return best_; }
  size_t memory_bytes() const override { return 64 + best_.memory_bytes(); }

 private:
  const bool max_;
  const TypeOid type_;
  Datum best_;
};

class BoolAll : public AggregateState {
 public:
  explicit BoolAll(bool all) : all_(all) {}
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    const bool v = args[0].bool_value();
    result_ = !seen_ ? v : all_ ? result_ && v : result_ || v;
    seen_ = true;
    return {};
  }
  SqlResult<Datum> Finish() override { return seen_ ? Datum::Bool(result_) : Datum(); }

 private:
  const bool all_;
  bool seen_ = false, result_ = false;
};

class StringAgg : public AggregateState {
 public:
  SqlStatus Add(const Datum* args) override {
    if (args[0].is_null()) return {};
    if (seen_ && !args[1].is_null()) text_ += args[1].string_value();
    seen_ = true;
    text_ += args[0].string_value();
    if (text_.size() > (1u << 30))
      return SqlStatus("54000", "string buffer exceeds maximum allowed length");
    return {};
  }
  SqlResult<Datum> Finish() override { return seen_ ? Datum::String(text_) : Datum(); }
  size_t memory_bytes() const override { return 64 + text_.capacity(); }

 private:
  bool seen_ = false;
  std::string text_;
};

class ArrayAgg : public AggregateState {
 public:
  explicit ArrayAgg(TypeOid element) : element_(element) {}
  SqlStatus Add(const Datum* args) override {
    elements_.push_back(args[0]);
    bytes_ += args[0].memory_bytes();
    return {};
  }
  SqlResult<Datum> Finish() override {
    return elements_.empty() ? Datum() : Datum::Array(element_, std::move(elements_));
  }
  size_t memory_bytes() const override { return 64 + bytes_; }

 private:
  const TypeOid element_;
  std::vector<Datum> elements_;
  size_t bytes_ = 0;
};

TypeOid Concrete(TypeOid wanted, TypeOid given) {
  switch (wanted) {
    case kAny:
    case kAnyElement:
    case kAnyNonArray:
    case kAnyArray:
      return given == kUnknown ? static_cast<TypeOid>(kText) : given;
    default:
      return wanted;
  }
}

// How well an aggregate fits: -1 not at all, more exact arguments count more, then preferred types.
int Score(const Aggregate& g, std::span<const TypeOid> args) {
  if (g.args.size() != args.size()) return -1;
  int score = 0;
  for (size_t i = 0; i < args.size(); ++i) {
    const TypeOid wanted = g.args[i];
    if (wanted == kAny) continue;
    const TypeInfo* given = FindType(args[i]);
    if (wanted == kAnyArray) {
      if (given == nullptr || given->element == 0) return -1;
      continue;
    }
    if (wanted == kAnyNonArray) {
      if (given != nullptr && given->element != 0) return -1;
      continue;
    }
    if (!CanCoerce(args[i], wanted, CastContext::kImplicit)) return -1;
    const TypeInfo* info = FindType(wanted);
    if (args[i] == wanted)
      score += 100;
    else if (args[i] == kUnknown)
      score += wanted == kText
                   ? 20
                   : (info->category == TypeCategory::kNumeric && info->preferred ? 10 : 0);
    else if (info->preferred && given != nullptr && info->category == given->category)
      score += 10;
    else if (wanted == kText && IsStringType(args[i]))
      score += 5;
  }
  return score;
}

}  // namespace

bool IsAggregate(std::string_view name) {
  for (const Aggregate& g : Registry()) {
    if (g.name == name) return true;
  }
  return false;
}

SqlResult<ResolvedAggregate> ResolveAggregate(std::string_view name, bool star,
                                              std::span<const TypeOid> args) {
  const Aggregate* best = nullptr;
  int best_score = -1;
  for (const Aggregate& g : Registry()) {
    if (g.name != name || (g.kind == K::kCountStar) != star) continue;
    const int score = Score(g, args);
    if (score > best_score) {
      best = &g;
      best_score = score;
    }
  }
  if (best == nullptr) {
    std::string list;
    for (TypeOid t : args) list += (list.empty() ? "" : ", ") + FormatType(t);
    if (name == "count" && !star && args.empty()) {
      return SqlStatus("42809", "count(*) must be used to call a parameterless aggregate function");
    }
    return SqlStatus("42883", "function " + std::string(name) + "(" + (star ? "*" : list) +
                                  ") does not exist")
        .WithHint(
            "No function matches the given name and argument types. You might need to add explicit "
            "type casts.");
  }
  ResolvedAggregate out;
  out.aggregate = best;
  for (size_t i = 0; i < args.size(); ++i)
    out.arg_types.push_back(Concrete(best->args[i], args[i]));
  out.result = best->result;
  if (best->kind == K::kArrayAgg) {
    const TypeInfo* info = FindType(out.arg_types[0]);
    if (info == nullptr || info->array == 0) {
      return SqlStatus("42704",
                       "could not find array type for data type " + FormatType(out.arg_types[0]));
    }
    out.result = info->array;
  } else if (best->result == kAnyArray) {
    out.result = out.arg_types[0];
  }
  return out;
}

std::span<const Aggregate> AllAggregates() {
  return Registry();
}

std::unique_ptr<AggregateState> MakeAggregateState(const Aggregate& g,
                                                   std::span<const TypeOid> arg_types) {
  const TypeOid type = arg_types.empty() ? 0 : arg_types[0];
  switch (g.kind) {
    case K::kCountStar:
    case K::kCount:
      return std::make_unique<Count>(g.kind == K::kCountStar);
    case K::kSumInt8:
    case K::kSumInt8AsNumeric:
      return std::make_unique<SumInt>(g.kind);
    case K::kSumNumeric:
      return std::make_unique<SumNumeric>(false);
    case K::kAvgNumeric:
      if (type == kNumeric) return std::make_unique<SumNumeric>(true);
      return std::make_unique<SumInt>(g.kind);
    case K::kSumDouble:
    case K::kAvgDouble:
    case K::kStddev:
    case K::kVariance:
    case K::kStddevPop:
    case K::kVariancePop:
      return std::make_unique<DoubleMoments>(g.kind, g.result == kFloat4);
    case K::kMin:
    case K::kMax:
      return std::make_unique<Extreme>(g.kind == K::kMax, type);
    case K::kBoolAnd:
    case K::kBoolOr:
      return std::make_unique<BoolAll>(g.kind == K::kBoolAnd);
    case K::kStringAgg:
      return std::make_unique<StringAgg>();
    case K::kArrayAgg:
      return std::make_unique<ArrayAgg>(type);
  }
  return nullptr;
}

}  // namespace borealis::sql
