// Expressions.
#include <algorithm>
#include <charconv>

#include "common/sql/io.h"
#include "writer-node/binder/binder_impl.h"
#include "writer-node/parser/parser.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;

ExprPtr At(ExprPtr expr, int location) {
  if (expr->location < 0) expr->location = location;
  return expr;
}

template <typename T>
const T& To(const parser::Expr& e) {
  return static_cast<const T&>(e);
}

bool IsRow(const parser::Expr& e) {
  return e.kind == parser::ExprKind::kRow;
}

// Words whose meaning as a date or time is that of the moment: they must not be read at bind time.
bool IsMomentaryLiteral(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (std::string_view word : {"now", "today", "tomorrow", "yesterday"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

bool IsDateTime(sql::TypeOid type) {
  return type == oid::kDate || type == oid::kTime || type == oid::kTimestamp ||
         type == oid::kTimestamptz;
}

bool IsUntypedLiteral(const sql::Expr& e) {
  return e.kind == sql::ExprKind::kConst && e.type.oid == oid::kUnknown && !e.value.is_null();
}

// "S.t" -> {"S", "t"} as PostgreSQL reads a regclass: folded unless quoted.
std::vector<std::string> SplitName(std::string_view text) {
  std::vector<std::string> out;
  std::string part;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      for (++i; i < text.size(); ++i) {
        if (text[i] == '"') {
          if (i + 1 >= text.size() || text[i + 1] != '"') break;
          ++i;
        }
        part += text[i];
      }
    } else if (text[i] == '.') {
      out.push_back(std::move(part));
      part.clear();
    } else {
      const char c = text[i];
      part += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
  }
  out.push_back(std::move(part));
  return out;
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

ExprPtr Binder::ResolveUnknown(ExprPtr expr) {
  if (expr->type.oid != oid::kUnknown) return expr;
  const int location = expr->location;
  return At(
      Check(sql::Coerce(std::move(expr), {oid::kText, -1}, sql::CastContext::kImplicit), location),
      location);
}

std::vector<ExprPtr> Binder::BindExprs(const std::vector<parser::ExprPtr>& list, Scope* scope,
                                       Clause clause) {
  std::vector<ExprPtr> out;
  out.reserve(list.size());
  for (const parser::ExprPtr& e : list) out.push_back(BindExpr(*e, scope, clause));
  return out;
}

ExprPtr Binder::BindPredicate(const parser::Expr& expr, Scope* scope, Clause clause) {
  ExprPtr bound = BindExpr(expr, scope, clause);
  const int location = bound->location;
  return Check(sql::CoerceToBool(std::move(bound), ClauseName(clause)), location);
}

ExprPtr Binder::BindExpr(const parser::Expr& expr, Scope* scope, Clause clause) {
  using parser::ExprKind;
  switch (expr.kind) {
    case ExprKind::kColumnRef:
      return BindColumnRef(To<parser::ColumnRef>(expr), scope);
    case ExprKind::kParam:
      return BindParam(To<parser::ParamRef>(expr));
    case ExprKind::kConstant:
      return BindConstantNode(To<parser::Constant>(expr));
    case ExprKind::kCast:
      return BindCast(To<parser::CastExpr>(expr), scope, clause);
    case ExprKind::kOperator:
      return BindOperatorExpr(To<parser::OperatorExpr>(expr), scope, clause);
    case ExprKind::kBool:
      return BindBool(To<parser::BoolExpr>(expr), scope, clause);
    case ExprKind::kFunction:
      return BindFunction(To<parser::FunctionCall>(expr), scope, clause);
    case ExprKind::kSubquery:
      return BindSubquery(To<parser::SubqueryExpr>(expr), scope, clause);
    case ExprKind::kInList:
      return BindInListExpr(To<parser::InListExpr>(expr), scope, clause);
    case ExprKind::kBetween:
      return BindBetween(To<parser::BetweenExpr>(expr), scope, clause);
    case ExprKind::kCase:
      return BindCaseExpr(To<parser::CaseExpr>(expr), scope, clause);
    default:
      return At(BindRare(expr, scope, clause), expr.location);
  }
}

ExprPtr Binder::BindConstantNode(const parser::Constant& c) {
  ExprPtr out;
  switch (c.constant_kind) {
    case parser::ConstantKind::kNull:
      out = sql::MakeNull({oid::kUnknown, -1});
      break;
    case parser::ConstantKind::kBoolean:
      out = sql::MakeBool(c.integer != 0);
      break;
    case parser::ConstantKind::kInteger:
      out = sql::MakeConst({oid::kInt4, -1}, sql::Datum::Int(c.integer));
      break;
    case parser::ConstantKind::kNumeric: {
      int64_t integer = 0;
      const char* end = c.text.data() + c.text.size();
      auto [stop, error] = std::from_chars(c.text.data(), end, integer);
      if (error == std::errc() && stop == end) {
        out = sql::MakeConst({oid::kInt8, -1}, sql::Datum::Int(integer));
      } else {
        const sql::Type numeric{oid::kNumeric, -1};
        out = sql::MakeConst(numeric, Check(sql::TextInput(numeric, c.text), c.location));
      }
      break;
    }
    case parser::ConstantKind::kString:
      out = sql::MakeConst({oid::kUnknown, -1}, sql::Datum::String(c.text));
      break;
    case parser::ConstantKind::kBitString:
      Unsupported("the type bit", c.location);
  }
  return At(std::move(out), c.location);
}

ExprPtr Binder::BindParam(const parser::ParamRef& param) {
  const size_t slot = static_cast<size_t>(param.number - 1);
  if (param_types_.size() <= slot) param_types_.resize(slot + 1, oid::kUnknown);
  return At(sql::MakeParam(static_cast<uint32_t>(slot), {param_types_[slot], -1}), param.location);
}

// Object names and moments are no constants of their type's input function: names are looked up
// here, in this statement's catalog; 'now' is read when the statement runs.
ExprPtr Binder::CastTo(ExprPtr expr, sql::Type type, int location) {
  if (IsUntypedLiteral(*expr)) {
    const std::string text(expr->value.string_value());
    std::optional<uint32_t> found;
    if (type.oid == oid::kRegclass && !IsNumber(text) && text != "-") {
      const std::vector<std::string> name = SplitName(text);
      found = FindRelationOid(name);
      if (!found) {
        Fail("42P01", "relation \"" + parser::NameText(name) + "\" does not exist", location);
      }
    } else if (type.oid == oid::kRegnamespace && !IsNumber(text) && text != "-") {
      const auto* schema = catalog_.FindSchema(SplitName(text).back());
      if (schema == nullptr) Fail("3F000", "schema \"" + text + "\" does not exist", location);
      found = schema->oid;
    } else if (type.oid == oid::kRegrole && !IsNumber(text) && text != "-") {
      auto role = catalog_.FindRole(SplitName(text).back());
      if (role == nullptr) Fail("42704", "role \"" + text + "\" does not exist", location);
      found = role->oid;
    } else if (IsDateTime(type.oid) && IsMomentaryLiteral(text)) {
      auto cast = std::make_unique<sql::Expr>(sql::ExprKind::kIoCast);
      cast->type = type;
      cast->explicit_cast = true;
      expr->type = {oid::kText, -1};
      cast->args.push_back(std::move(expr));
      return At(std::move(cast), location);
    }
    if (found) return At(sql::MakeConst(type, sql::Datum::Int(*found)), location);
  }
  return At(Check(sql::Coerce(std::move(expr), type, sql::CastContext::kExplicit), location),
            location);
}

ExprPtr Binder::BindCast(const parser::CastExpr& cast, Scope* scope, Clause clause) {
  const sql::Type type = ResolveType(cast.type);
  if (cast.arg->kind == parser::ExprKind::kArray && sql::IsArrayType(type.oid)) {
    // ARRAY[...]::t[] casts each element, so that it also works for none.
    const auto& array = To<parser::ArrayExpr>(*cast.arg);
    const sql::TypeOid element = sql::FindType(type.oid)->element;
    if (array.elements.empty()) {
      return At(sql::MakeConst(type, sql::Datum::Array(element, {})), cast.location);
    }
    std::vector<ExprPtr> elements;
    for (const parser::ExprPtr& e : array.elements) {
      elements.push_back(CastTo(BindExpr(*e, scope, clause), {element, type.typmod}, e->location));
    }
    return At(Check(sql::BuildArray(std::move(elements)), cast.location), cast.location);
  }
  return CastTo(BindExpr(*cast.arg, scope, clause), type, cast.location);
}

ExprPtr Binder::BindBool(const parser::BoolExpr& expr, Scope* scope, Clause clause) {
  const char* name = expr.op == parser::BoolOp::kAnd  ? "AND"
                     : expr.op == parser::BoolOp::kOr ? "OR"
                                                      : "NOT";
  std::vector<ExprPtr> args;
  for (const parser::ExprPtr& e : expr.args) {
    ExprPtr arg = BindExpr(*e, scope, clause);
    const int location = arg->location;
    args.push_back(Check(sql::CoerceToBool(std::move(arg), name), location));
  }
  if (expr.op == parser::BoolOp::kNot) {
    return At(sql::MakeNot(std::move(args[0])), expr.location);
  }
  return At(expr.op == parser::BoolOp::kAnd ? sql::MakeAnd(std::move(args))
                                            : sql::MakeOr(std::move(args)),
            expr.location);
}

ExprPtr Binder::BindOperatorExpr(const parser::OperatorExpr& op, Scope* scope, Clause clause) {
  if (op.name.size() > 2 || (op.name.size() == 2 && op.name[0] != "pg_catalog")) {
    Fail("3F000", "schema \"" + op.name[0] + "\" does not exist", op.location);
  }
  if (op.left != nullptr && IsRow(*op.left) && IsRow(*op.right)) {
    return BindRowComparison(op, scope, clause);
  }
  ExprPtr left = op.left == nullptr ? nullptr : BindExpr(*op.left, scope, clause);
  ExprPtr right = BindExpr(*op.right, scope, clause);
  // An untyped literal beside an array is an array of that type: polroles = '{0}'.
  if (left != nullptr && IsUntypedLiteral(*right) && sql::IsArrayType(left->type.oid)) {
    right = CastTo(std::move(right), {left->type.oid, -1}, op.right->location);
  } else if (left != nullptr && IsUntypedLiteral(*left) && sql::IsArrayType(right->type.oid)) {
    left = CastTo(std::move(left), {right->type.oid, -1}, op.left->location);
  }
  return At(
      Check(sql::BuildOperator(op.name.back(), std::move(left), std::move(right)), op.location),
      op.location);
}

ExprPtr Binder::BindRowComparison(const parser::OperatorExpr& op, Scope* scope, Clause clause) {
  const auto& left = To<parser::RowExpr>(*op.left);
  const auto& right = To<parser::RowExpr>(*op.right);
  if (left.args.size() != right.args.size()) {
    Fail("42601", "unequal number of entries in row expressions", op.location);
  }
  if (left.args.empty()) Fail("0A000", "cannot compare rows of zero length", op.location);
  return CompareRows(op.name.back(), BindExprs(left.args, scope, clause),
                     BindExprs(right.args, scope, clause), op.location);
}

// =, <>: each pair. <, <=, >, >=: the first pair that differs decides:
// (a, b) < (c, d)  is  a < c OR (a = c AND b < d).
ExprPtr Binder::CompareRows(std::string_view op, std::vector<ExprPtr> left,
                            std::vector<ExprPtr> right, int location) {
  const auto build = [&](std::string_view o, ExprPtr l, ExprPtr r) {
    return At(Check(sql::BuildOperator(o, std::move(l), std::move(r)), location), location);
  };
  if (op == "=" || op == "<>") {
    std::vector<ExprPtr> pairs;
    for (size_t i = 0; i < left.size(); ++i) {
      pairs.push_back(build(op, std::move(left[i]), std::move(right[i])));
    }
    return op == "=" ? sql::MakeAnd(std::move(pairs)) : sql::MakeOr(std::move(pairs));
  }
  if (op != "<" && op != "<=" && op != ">" && op != ">=") {
    Unsupported("the operator " + std::string(op) + " for rows", location);
  }
  const std::string_view strict = op.substr(0, 1);
  const size_t last = left.size() - 1;
  ExprPtr out = build(op, std::move(left[last]), std::move(right[last]));
  for (size_t i = last; i-- > 0;) {
    std::vector<ExprPtr> tie;
    tie.push_back(build("=", sql::Clone(*left[i]), sql::Clone(*right[i])));
    tie.push_back(std::move(out));
    std::vector<ExprPtr> either;
    either.push_back(build(strict, std::move(left[i]), std::move(right[i])));
    either.push_back(sql::MakeAnd(std::move(tie)));
    out = sql::MakeOr(std::move(either));
  }
  return out;
}

ExprPtr Binder::BindBetween(const parser::BetweenExpr& between, Scope* scope, Clause clause) {
  const int location = between.location;
  const auto compare = [&](std::string_view op, const parser::Expr& bound) {
    return At(Check(sql::BuildOperator(op, BindExpr(*between.arg, scope, clause),
                                       BindExpr(bound, scope, clause)),
                    location),
              location);
  };
  const auto within = [&](const parser::Expr& low, const parser::Expr& high) {
    std::vector<ExprPtr> both;
    both.push_back(compare(">=", low));
    both.push_back(compare("<=", high));
    return sql::MakeAnd(std::move(both));
  };
  ExprPtr out = within(*between.low, *between.high);
  if (between.symmetric) {
    std::vector<ExprPtr> either;
    either.push_back(std::move(out));
    either.push_back(within(*between.high, *between.low));
    out = sql::MakeOr(std::move(either));
  }
  if (between.negated) out = sql::MakeNot(std::move(out));
  return At(std::move(out), location);
}

ExprPtr Binder::BindInListExpr(const parser::InListExpr& in, Scope* scope, Clause clause) {
  if (IsRow(*in.left)) {
    const auto& left = To<parser::RowExpr>(*in.left);
    std::vector<ExprPtr> any;
    for (const parser::ExprPtr& e : in.list) {
      if (!IsRow(*e) || To<parser::RowExpr>(*e).args.size() != left.args.size()) {
        Fail("42601", "unequal number of entries in row expressions", in.location);
      }
      any.push_back(CompareRows("=", BindExprs(left.args, scope, clause),
                                BindExprs(To<parser::RowExpr>(*e).args, scope, clause),
                                in.location));
    }
    ExprPtr out = sql::MakeOr(std::move(any));
    return At(in.negated ? sql::MakeNot(std::move(out)) : std::move(out), in.location);
  }
  ExprPtr left = BindExpr(*in.left, scope, clause);
  std::vector<ExprPtr> list = BindExprs(in.list, scope, clause);
  return At(Check(sql::BuildInList(std::move(left), std::move(list), in.negated), in.location),
            in.location);
}

ExprPtr Binder::BindCaseExpr(const parser::CaseExpr& expr, Scope* scope, Clause clause) {
  ExprPtr arg = expr.arg == nullptr ? nullptr : BindExpr(*expr.arg, scope, clause);
  if (arg != nullptr) arg = ResolveUnknown(std::move(arg));
  std::vector<std::pair<ExprPtr, ExprPtr>> whens;
  for (const parser::CaseWhen& when : expr.whens) {
    ExprPtr condition = BindExpr(*when.condition, scope, clause);
    if (expr.arg == nullptr) {
      const int location = condition->location;
      condition = Check(sql::CoerceToBool(std::move(condition), "CASE/WHEN"), location);
    }
    whens.emplace_back(std::move(condition), BindExpr(*when.result, scope, clause));
  }
  ExprPtr otherwise =
      expr.otherwise == nullptr ? nullptr : BindExpr(*expr.otherwise, scope, clause);
  return At(
      Check(sql::BuildCase(std::move(arg), std::move(whens), std::move(otherwise)), expr.location),
      expr.location);
}

ExprPtr Binder::BindSubquery(const parser::SubqueryExpr& expr, Scope* scope, Clause clause) {
  if (clause == Clause::kCheck) {
    Fail("0A000", "cannot use subquery in check constraint", expr.location);
  }
  if (clause == Clause::kDefault) {
    Fail("0A000", "cannot use subquery in DEFAULT expression", expr.location);
  }
  if (clause == Clause::kExecute) {
    Fail("0A000", "cannot use subquery in EXECUTE parameter", expr.location);
  }
  ExprPtr left;
  if (expr.test != nullptr) {
    if (IsRow(*expr.test)) Unsupported("a row compared with a sub-select", expr.location);
    left = BindExpr(*expr.test, scope, clause);
  }
  QueryPtr query = BindSelect(*expr.select, scope, false);
  if (expr.subquery_kind != parser::SubqueryKind::kExists && query->visible != 1) {
    Fail("42601",
         query->visible > 1 && left != nullptr ? "subquery has too many columns"
                                               : "subquery must return only one column",
         expr.location);
  }
  const uint32_t slot = static_cast<uint32_t>(out_->subqueries.size());
  const sql::Type column = query->visible > 0 ? query->outputs[0].type : sql::Type{};
  Query* raw = query.get();
  out_->subqueries.push_back({std::move(query)});
  if (left != nullptr) {
    const bool all = expr.subquery_kind == parser::SubqueryKind::kAll;
    sql::TypeOid target = column.oid;
    ExprPtr out = At(Check(sql::BuildSubplanComparison(expr.op.back(), std::move(left), column.oid,
                                                       all, slot, &target),
                           expr.location),
                     expr.location);
    if (target != column.oid) CoerceOutputs(raw, {{target, -1}});
    return out;
  }
  auto out = std::make_unique<sql::Expr>(sql::ExprKind::kSubplan);
  out->slot = slot;
  out->location = expr.location;
  switch (expr.subquery_kind) {
    case parser::SubqueryKind::kExists:
      out->subplan_kind = sql::SubplanKind::kExists;
      out->type = {oid::kBool, -1};
      break;
    case parser::SubqueryKind::kArray: {
      const sql::TypeInfo* info = sql::FindType(column.oid);
      if (info == nullptr || info->array == 0) {
        Fail("42704", "could not find array type for data type " + sql::FormatType(column.oid),
             expr.location);
      }
      out->subplan_kind = sql::SubplanKind::kArray;
      out->type = {info->array, -1};
      break;
    }
    default:
      out->subplan_kind = sql::SubplanKind::kScalar;
      out->type = column;
  }
  return out;
}

ExprPtr Binder::BindRare(const parser::Expr& expr, Scope* scope, Clause clause) {
  using parser::ExprKind;
  const int location = expr.location;
  switch (expr.kind) {
    case ExprKind::kAnyAll: {
      auto& any = To<parser::AnyAllExpr>(expr);
      ExprPtr left = BindExpr(*any.left, scope, clause);
      ExprPtr array = BindExpr(*any.array, scope, clause);
      return Check(sql::BuildAnyAll(any.op.back(), std::move(left), std::move(array), any.all),
                   location);
    }
    case ExprKind::kDistinct: {
      auto& d = To<parser::DistinctExpr>(expr);
      ExprPtr left = BindExpr(*d.left, scope, clause);
      ExprPtr right = BindExpr(*d.right, scope, clause);
      return Check(sql::BuildDistinct(std::move(left), std::move(right), d.negated), location);
    }
    case ExprKind::kNullIf: {
      auto& n = To<parser::NullIfExpr>(expr);
      ExprPtr left = BindExpr(*n.left, scope, clause);
      ExprPtr right = BindExpr(*n.right, scope, clause);
      return Check(sql::BuildNullIf(std::move(left), std::move(right)), location);
    }
    case ExprKind::kNullTest: {
      auto& test = To<parser::NullTest>(expr);
      if (IsRow(*test.arg)) Unsupported("IS NULL of a row", location);
      auto out = std::make_unique<sql::Expr>(sql::ExprKind::kIsNull);
      out->type = {oid::kBool, -1};
      out->negated = !test.is_null;
      out->args.push_back(ResolveUnknown(BindExpr(*test.arg, scope, clause)));
      return out;
    }
    case ExprKind::kBooleanTest: {
      auto& test = To<parser::BooleanTest>(expr);
      auto out = std::make_unique<sql::Expr>(sql::ExprKind::kBooleanTest);
      out->type = {oid::kBool, -1};
      const int kind = static_cast<int>(test.test);
      static constexpr const char* kNames[] = {"IS TRUE",      "IS NOT TRUE", "IS FALSE",
                                               "IS NOT FALSE", "IS UNKNOWN",  "IS NOT UNKNOWN"};
      out->negated = kind % 2 == 1;
      out->test = static_cast<sql::BooleanTest>(kind / 2);
      out->args.push_back(
          Check(sql::CoerceToBool(BindExpr(*test.arg, scope, clause), kNames[kind]), location));
      return out;
    }
    case ExprKind::kCoalesce:
      return Check(
          sql::BuildCoalesce(BindExprs(To<parser::CoalesceExpr>(expr).args, scope, clause)),
          location);
    case ExprKind::kMinMax: {
      auto& m = To<parser::MinMaxExpr>(expr);
      return Check(sql::BuildMinMax(m.greatest, BindExprs(m.args, scope, clause)), location);
    }
    case ExprKind::kArray: {
      auto& array = To<parser::ArrayExpr>(expr);
      if (array.elements.empty()) {
        Fail("42P18", "cannot determine type of empty array", location,
             "Explicitly cast to the desired type, for example ARRAY[]::integer[].");
      }
      return Check(sql::BuildArray(BindExprs(array.elements, scope, clause)), location);
    }
    case ExprKind::kSubscript: {
      auto& subscript = To<parser::SubscriptExpr>(expr);
      ExprPtr arg = BindExpr(*subscript.arg, scope, clause);
      if (!sql::IsArrayType(arg->type.oid)) {
        Fail("42804",
             "cannot subscript type " + sql::FormatType(arg->type.oid) +
                 " because it does not support subscripting",
             location);
      }
      ExprPtr index = Check(sql::Coerce(BindExpr(*subscript.index, scope, clause), {oid::kInt4, -1},
                                        sql::CastContext::kAssignment),
                            location);
      auto out = std::make_unique<sql::Expr>(sql::ExprKind::kSubscript);
      out->type = {sql::FindType(arg->type.oid)->element, -1};
      out->args.push_back(std::move(arg));
      out->args.push_back(std::move(index));
      return out;
    }
    case ExprKind::kCollate: {
      auto& collate = To<parser::CollateExpr>(expr);
      const std::string& name = collate.collation.back();
      if (name != "default" && name != "C" && name != "POSIX" && name != "ucs_basic") {
        Unsupported("the collation \"" + name + "\"", location);
      }
      ExprPtr arg = ResolveUnknown(BindExpr(*collate.arg, scope, clause));
      if (!sql::IsStringType(arg->type.oid)) {
        Fail("42804", "collations are not supported by type " + sql::FormatType(arg->type.oid),
             location);
      }
      return arg;  // every collation here is "C"
    }
    case ExprKind::kRow: {
      auto out = std::make_unique<sql::Expr>(sql::ExprKind::kRowValue);
      out->type = {oid::kRecord, -1};
      for (ExprPtr& arg : BindExprs(To<parser::RowExpr>(expr).args, scope, clause)) {
        out->args.push_back(ResolveUnknown(std::move(arg)));
      }
      return out;
    }
    case ExprKind::kDefault:
      Fail("42601", "DEFAULT is not allowed in this context", location);
    default:
      Unsupported("this kind of expression", location);
  }
}

ExprPtr Binder::BindCatalogExpr(const std::string& text, Scope* scope, Clause clause) {
  auto parsed = parser::ParseExpression(text);
  if (!parsed.ok()) Rethrow(std::move(parsed.status()), -1);
  try {
    return BindExpr(**parsed, scope, clause);
  } catch (BindFailure& failure) {
    failure.location = -1;  // it would be a place in another text
    throw;
  }
}

ExprPtr Binder::ColumnDefault(const catalog::ColumnDescriptor& column) {
  const sql::Type type{column.type_oid, column.typmod};
  ExprPtr value;
  if (!column.default_sql.empty()) {
    Scope empty(nullptr);
    value = BindCatalogExpr(column.default_sql, &empty, Clause::kDefault);
  } else if (column.sequence) {
    auto sequence = catalog_.FindSequence(column.sequence);
    if (sequence == nullptr) {
      Fail("XX000", "the sequence of column \"" + column.name + "\" is missing");
    }
    std::vector<ExprPtr> args;
    args.push_back(sql::MakeConst({oid::kRegclass, -1}, sql::Datum::Int(sequence->oid)));
    value = Check(sql::BuildCall("nextval", std::move(args)), -1);
  } else {
    return sql::MakeNull(type);
  }
  return Check(sql::CoerceForColumn(std::move(value), type, column.name), -1);
}

}  // namespace borealis::binder
