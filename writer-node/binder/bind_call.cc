// Function calls and aggregates.
#include <algorithm>

#include "writer-node/binder/binder_impl.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;

std::vector<sql::TypeOid> TypesOf(const std::vector<ExprPtr>& args) {
  std::vector<sql::TypeOid> out;
  for (const ExprPtr& arg : args) out.push_back(arg->type.oid);
  return out;
}

}  // namespace

std::string Binder::FunctionName(const parser::FunctionCall& call) {
  if (call.name.size() == 2 && call.name[0] != "pg_catalog") {
    if (catalog_.FindSchema(call.name[0]) == nullptr) {
      Fail("3F000", "schema \"" + call.name[0] + "\" does not exist", call.location);
    }
    Fail("42883", "function " + parser::NameText(call.name) + " does not exist", call.location);
  }
  if (call.name.size() > 2) {
    Unsupported("a function name with a database", call.location);
  }
  return call.name.back();
}

ExprPtr Binder::BindValueFunction(const parser::FunctionCall& call) {
  const std::string& name = call.name[0];
  const auto plain = [&](const char* function) {
    return Check(sql::BuildCall(function, {}), call.location);
  };
  const int32_t precision =
      call.args.empty() ? -1 : static_cast<const parser::Constant&>(*call.args[0]).integer;
  const auto moment = [&](sql::TypeOid type) {
    return Check(sql::Coerce(plain("now"), {type, precision}, sql::CastContext::kExplicit),
                 call.location);
  };
  if (name == "current_timestamp") return moment(oid::kTimestamptz);
  if (name == "localtimestamp") return moment(oid::kTimestamp);
  if (name == "current_date") return moment(oid::kDate);
  if (name == "localtime") return moment(oid::kTime);
  if (name == "current_time") Unsupported("CURRENT_TIME", call.location);
  if (name == "session_user") return plain("session_user");
  if (name == "current_catalog") return plain("current_database");
  if (name == "current_schema") return plain("current_schema");
  return plain("current_user");  // current_user, current_role, user
}

ExprPtr Binder::BindFunction(const parser::FunctionCall& call, Scope* scope, Clause clause) {
  if (call.sql_value_function) {
    ExprPtr out = BindValueFunction(call);
    out->location = call.location;
    return out;
  }
  const std::string name = FunctionName(call);
  if (call.variadic) Unsupported("VARIADIC", call.location);
  if (sql::IsAggregate(name)) return BindAggregate(call, name, scope, clause);
  if (call.star) {
    Fail("42809", name + "(*) specified, but " + name + " is not an aggregate function",
         call.location);
  }
  if (call.distinct) {
    Fail("42809", "DISTINCT specified, but " + name + " is not an aggregate function",
         call.location);
  }
  if (!call.order_by.empty()) {
    Fail("42809", "ORDER BY specified, but " + name + " is not an aggregate function",
         call.location);
  }
  if (call.filter != nullptr) {
    Fail("42809", "FILTER specified, but " + name + " is not an aggregate function", call.location);
  }
  if (sql::IsTableFunction(name)) {
    Fail("0A000", std::string("set-returning functions are not allowed in ") + ClauseName(clause),
         call.location);
  }
  std::vector<ExprPtr> args = BindExprs(call.args, scope, clause);
  if (args.size() == 1 && !sql::FunctionExists(name)) {
    if (const sql::TypeInfo* type = sql::FindType(name); type != nullptr) {
      return CastTo(std::move(args[0]), {type->oid, -1}, call.location);  // text(x)
    }
  }
  ExprPtr out = Check(sql::BuildCall(name, std::move(args)), call.location);
  if (out->function != nullptr && out->function->volatility == sql::Volatility::kVolatile) {
    ++volatile_calls_;
  }
  out->location = call.location;
  return out;
}

ExprPtr Binder::BindAggregate(const parser::FunctionCall& call, const std::string& name,
                              Scope* scope, Clause clause) {
  Query* query = scope->query;
  if (scope->in_aggregate) {
    Fail("42803", "aggregate function calls cannot be nested", call.location);
  }
  if (query == nullptr || clause == Clause::kWhere || clause == Clause::kOn ||
      clause == Clause::kGroupBy || clause == Clause::kFunctionArgs || clause == Clause::kLimit ||
      clause == Clause::kOffset || clause == Clause::kValues) {
    Fail("42803",
         clause == Clause::kOn
             ? std::string("aggregate functions are not allowed in JOIN conditions")
             : std::string("aggregate functions are not allowed in ") + ClauseName(clause),
         call.location);
  }
  AggregateSpec spec;
  spec.distinct = call.distinct;
  scope->in_aggregate = true;
  spec.args = BindExprs(call.args, scope, Clause::kAggregateArgs);
  if (call.filter != nullptr) spec.filter = BindPredicate(*call.filter, scope, Clause::kFilter);
  for (const parser::SortItem& item : call.order_by) {
    SortSpec sort;
    sort.output = static_cast<int>(spec.order_by.size());
    sort.descending = item.descending;
    sort.nulls_first = item.nulls == parser::NullsOrder::kDefault
                           ? item.descending
                           : item.nulls == parser::NullsOrder::kFirst;
    spec.order_by.emplace_back(ResolveUnknown(BindExpr(*item.expr, scope, Clause::kAggregateArgs)),
                               sort);
  }
  scope->in_aggregate = false;
  const auto resolved =
      Check(sql::ResolveAggregate(name, call.star, TypesOf(spec.args)), call.location);
  spec.aggregate = resolved.aggregate;
  spec.arg_types = resolved.arg_types;
  spec.type = {resolved.result, -1};
  for (size_t i = 0; i < spec.args.size(); ++i) {
    spec.args[i] = Check(
        sql::Coerce(std::move(spec.args[i]), {spec.arg_types[i], -1}, sql::CastContext::kImplicit),
        call.location);
  }
  if (spec.distinct && spec.args.empty()) {
    Fail("42601", "DISTINCT needs an argument", call.location);
  }
  if (spec.distinct && !spec.order_by.empty() &&
      !(spec.order_by.size() == 1 && sql::Equal(*spec.order_by[0].first, *spec.args[0]))) {
    Fail("42P10",
         "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
         call.location);
  }
  CheckAggregateLevel(spec, scope, call.location);
  spec.id = NewColumn(nullptr, name);
  ExprPtr out = sql::MakeColumn(static_cast<uint32_t>(spec.id), spec.type);
  out->location = call.location;
  query->aggregated = true;
  query->aggregates.push_back(std::move(spec));
  return out;
}

// An aggregate whose arguments are columns of an outer query only would belong to that query.
void Binder::CheckAggregateLevel(const AggregateSpec& spec, Scope* scope, int location) {
  std::set<int> used;
  for (const ExprPtr& arg : spec.args) CollectColumns(*out_, *arg, &used);
  if (used.empty()) return;
  for (int id : used) {
    if (origins_[static_cast<size_t>(id)].owner == scope->query) return;
  }
  Unsupported("an aggregate of an outer query inside a sub-select", location);
}

}  // namespace borealis::binder
