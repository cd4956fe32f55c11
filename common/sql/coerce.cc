#include "common/sql/coerce.h"

#include "common/sql/io.h"

namespace borealis::sql {
namespace {

thread_local ParamTyper current_typer;

Type Plain(TypeOid type) {
  return {type, -1};
}
const Type kBoolType{oid::kBool, -1};

// An input that depends on when or where it is read: now, names of relations. Left for run time.
bool IsStableInput(TypeOid type, std::string_view text) {
  switch (type) {
    case oid::kRegclass:
    case oid::kRegrole:
    case oid::kRegnamespace:
    case oid::kRegproc:
      return text.find_first_not_of("0123456789") != std::string_view::npos;
    case oid::kDate:
    case oid::kTimestamp:
    case oid::kTimestamptz: {
      const size_t at = text.find_first_not_of(" \t");
      const char c = at == std::string_view::npos ? ' ' : static_cast<char>(text[at] | 0x20);
      return c == 'n' || c == 't' || c == 'y';
    }
    default:
      return false;
  }
}

ExprPtr Wrap(ExprKind kind, ExprPtr arg, Type type) {
  auto e = std::make_unique<Expr>(kind);
  e->type = type;
  e->location = arg->location;
  e->args.push_back(std::move(arg));
  return e;
}

// An untyped literal becomes a constant of the type. The typmod is applied by the caller: an
// explicit cast cuts.
SqlResult<ExprPtr> CoerceLiteral(ExprPtr expr, TypeOid target) {
  const int location = expr->location;
  if (expr->value.is_null()) {
    ExprPtr e = MakeNull(Plain(target));
    e->location = location;
    return e;
  }
  const std::string text(expr->value.string_value());
  if (IsStableInput(target, text)) {
    expr->type = Plain(oid::kText);
    return Wrap(ExprKind::kIoCast, std::move(expr), Plain(target));
  }
  SQL_ASSIGN_OR_RETURN(Datum value, TextInput(Plain(target), text));
  ExprPtr e = MakeConst(Plain(target), std::move(value));
  e->location = location;
  return e;
}

SqlResult<ExprPtr> CoerceParam(ExprPtr expr, TypeOid target) {
  if (current_typer) {
    SQL_RETURN_IF_ERROR(current_typer(expr->slot, target));
  }
  expr->type = Plain(target);
  return expr;
}

SqlStatus CannotCast(TypeOid from, TypeOid to) {
  return SqlStatus("42846", "cannot cast type " + FormatType(from) + " to " + FormatType(to));
}

SqlResult<ExprPtr> CoerceType(ExprPtr expr, TypeOid target, CastContext context) {
  if (expr->type.oid == target) return expr;
  if (expr->type.oid == oid::kUnknown) {
    if (expr->kind == ExprKind::kConst) return CoerceLiteral(std::move(expr), target);
    if (expr->kind == ExprKind::kParam) return CoerceParam(std::move(expr), target);
    // A column of an untyped subquery is text.
    expr = Wrap(ExprKind::kRelabel, std::move(expr), Plain(oid::kText));
    context = CastContext::kExplicit;
    if (target == oid::kText) return expr;
  }
  const Cast cast = FindCast(expr->type.oid, target, context);
  switch (cast.method) {
    case CastMethod::kRelabel:
      return Wrap(ExprKind::kRelabel, std::move(expr), Plain(target));
    case CastMethod::kFunction: {
      const int location = expr->location;
      std::vector<ExprPtr> args;
      args.push_back(std::move(expr));
      ExprPtr call = MakeCall(cast.function, std::move(args), Plain(target));
      call->location = location;
      return call;
    }
    case CastMethod::kIo:
      return Wrap(ExprKind::kIoCast, std::move(expr), Plain(target));
    case CastMethod::kNone:
      break;
  }
  const TypeInfo* from = FindType(expr->type.oid);
  const TypeInfo* to = FindType(target);
  const bool vector = target == oid::kInt2Vector || target == oid::kOidVector;
  if (from != nullptr && to != nullptr && from->element != 0 && to->element != 0 && !vector) {
    auto element = std::make_unique<Expr>(ExprKind::kCaseValue);
    element->type = Plain(from->element);
    SQL_ASSIGN_OR_RETURN(ExprPtr cast_element,
                         CoerceType(std::move(element), to->element, context));
    ExprPtr e = Wrap(ExprKind::kArrayCast, std::move(expr), Plain(target));
    e->args.push_back(std::move(cast_element));
    return e;
  }
  return CannotCast(expr->type.oid, target);
}

// Both sides of a comparison-like construct, resolved and coerced.
struct Pair {
  const Function* function = nullptr;
  TypeOid left = 0, right = 0;
};

SqlResult<Pair> ResolvePair(std::string_view op, TypeOid left, TypeOid right) {
  SQL_ASSIGN_OR_RETURN(ResolvedFunction f, ResolveOperator(op, left, right));
  return Pair{f.function, f.arg_types[0], f.arg_types[1]};
}

SqlStatus RequireBool(const Pair& pair, std::string_view construct) {
  if (pair.function->result == oid::kBool) return {};
  return SqlStatus("42804", std::string(construct) + " requires operator to yield boolean");
}

SqlResult<TypeOid> CommonOf(const std::vector<ExprPtr>& args, std::string_view construct) {
  std::vector<TypeOid> types;
  for (const ExprPtr& arg : args) types.push_back(arg->type.oid);
  return CommonType(types, construct);
}

SqlStatus CoerceAll(std::vector<ExprPtr>* args, TypeOid type) {
  for (ExprPtr& arg : *args) {
    SQL_ASSIGN_OR_RETURN(arg, Coerce(std::move(arg), Plain(type), CastContext::kImplicit));
  }
  return {};
}

// The typmod that all share, else none.
int32_t CommonTypmod(const std::vector<ExprPtr>& args, TypeOid type) {
  int32_t typmod = -1;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i]->type.oid != type) return -1;
    if (i > 0 && args[i]->type.typmod != typmod) return -1;
    typmod = args[i]->type.typmod;
  }
  return typmod;
}

}  // namespace

ScopedParamTyper::ScopedParamTyper(ParamTyper typer) : previous_(std::move(current_typer)) {
  current_typer = std::move(typer);
}
ScopedParamTyper::~ScopedParamTyper() {
  current_typer = std::move(previous_);
}

SqlResult<ExprPtr> Coerce(ExprPtr expr, Type target, CastContext context) {
  const bool explicit_cast = context == CastContext::kExplicit;
  const bool same_typmod = expr->type.oid == target.oid && expr->type.typmod == target.typmod;
  SQL_ASSIGN_OR_RETURN(expr, CoerceType(std::move(expr), target.oid, context));
  if (target.typmod < 0 || same_typmod) return expr;
  if (expr->kind == ExprKind::kConst) {
    SQL_ASSIGN_OR_RETURN(Datum value, ApplyTypmod(target, expr->value, explicit_cast));
    ExprPtr e = MakeConst(target, std::move(value));
    e->location = expr->location;
    return e;
  }
  ExprPtr e = Wrap(ExprKind::kTypmod, std::move(expr), target);
  e->explicit_cast = explicit_cast;
  return e;
}

SqlResult<ExprPtr> CoerceForColumn(ExprPtr expr, Type target, std::string_view column) {
  const TypeOid from = expr->type.oid;
  if (!CanCoerce(from, target.oid, CastContext::kAssignment)) {
    return SqlStatus("42804", "column \"" + std::string(column) + "\" is of type " +
                                  FormatType(target.oid) + " but expression is of type " +
                                  FormatType(from))
        .WithHint("You will need to rewrite or cast the expression.");
  }
  return Coerce(std::move(expr), target, CastContext::kAssignment);
}

SqlResult<ExprPtr> CoerceToBool(ExprPtr expr, std::string_view construct) {
  const TypeOid from = expr->type.oid;
  if (!CanCoerce(from, oid::kBool, CastContext::kAssignment)) {
    return SqlStatus("42804", "argument of " + std::string(construct) +
                                  " must be type boolean, not type " + FormatType(from));
  }
  return Coerce(std::move(expr), kBoolType, CastContext::kAssignment);
}

// select_common_type(): the first known type, replaced by a later one it converts to implicitly
// unless it is preferred already.
SqlResult<TypeOid> CommonType(std::span<const TypeOid> types, std::string_view construct) {
  TypeOid best = oid::kUnknown;
  for (TypeOid type : types) {
    if (type == oid::kUnknown || type == best) continue;
    if (best == oid::kUnknown) {
      best = type;
      continue;
    }
    const TypeInfo* a = FindType(best);
    const TypeInfo* b = FindType(type);
    if (a == nullptr || b == nullptr || a->category != b->category) {
      return SqlStatus("42804", std::string(construct) + " types " + FormatType(best) + " and " +
                                    FormatType(type) + " cannot be matched");
    }
    if (!a->preferred && CanCoerce(best, type, CastContext::kImplicit) &&
        !CanCoerce(type, best, CastContext::kImplicit)) {
      best = type;
    }
  }
  if (best == oid::kUnknown) return oid::kText;
  for (TypeOid type : types) {
    if (!CanCoerce(type, best, CastContext::kImplicit)) {
      return SqlStatus("42846", std::string(construct) + " could not convert type " +
                                    FormatType(type) + " to " + FormatType(best));
    }
  }
  return best;
}

SqlResult<ExprPtr> BuildCall(std::string_view name, std::vector<ExprPtr> args) {
  std::vector<TypeOid> types;
  for (const ExprPtr& arg : args) types.push_back(arg->type.oid);
  auto resolved = ResolveFunction(name, types);
  if (!resolved.ok()) {
    // A call with a type's name and one argument is a cast: date('2024-01-31').
    const TypeInfo* info = FindType(name);
    if (args.size() == 1 && info != nullptr && info->name == name &&
        (types[0] == oid::kUnknown || CanCoerce(types[0], info->oid, CastContext::kExplicit))) {
      return Coerce(std::move(args[0]), Plain(info->oid), CastContext::kExplicit);
    }
    return std::move(resolved.status());
  }
  for (size_t i = 0; i < args.size(); ++i) {
    SQL_ASSIGN_OR_RETURN(
        args[i], Coerce(std::move(args[i]), Plain(resolved->arg_types[i]), CastContext::kImplicit));
  }
  return MakeCall(resolved->function, std::move(args), Plain(resolved->result));
}

SqlResult<ExprPtr> BuildOperator(std::string_view op, ExprPtr left, ExprPtr right) {
  const int location = left != nullptr ? left->location : right->location;
  SQL_ASSIGN_OR_RETURN(ResolvedFunction f,
                       ResolveOperator(op, left != nullptr ? left->type.oid : 0, right->type.oid));
  std::vector<ExprPtr> args;
  size_t next = 0;
  if (left != nullptr) {
    SQL_ASSIGN_OR_RETURN(
        left, Coerce(std::move(left), Plain(f.arg_types[next++]), CastContext::kImplicit));
    args.push_back(std::move(left));
  }
  SQL_ASSIGN_OR_RETURN(right,
                       Coerce(std::move(right), Plain(f.arg_types[next]), CastContext::kImplicit));
  args.push_back(std::move(right));
  ExprPtr e = MakeCall(f.function, std::move(args), Plain(f.result));
  e->location = location;
  return e;
}

SqlResult<ExprPtr> BuildInList(ExprPtr left, std::vector<ExprPtr> list, bool negated) {
  if (list.size() == 1)
    return BuildOperator(negated ? "<>" : "=", std::move(left), std::move(list[0]));
  // One type for all, if there is one; else a chain of comparisons, each resolved by itself.
  std::vector<TypeOid> types{left->type.oid};
  for (const ExprPtr& each : list) types.push_back(each->type.oid);
  auto common = CommonType(types, "IN");
  if (common.ok()) {
    SQL_ASSIGN_OR_RETURN(Pair pair, ResolvePair("=", *common, *common));
    auto e = std::make_unique<Expr>(ExprKind::kInList);
    e->type = kBoolType;
    e->negated = negated;
    e->function = pair.function;
    e->location = left->location;
    SQL_ASSIGN_OR_RETURN(left, Coerce(std::move(left), Plain(pair.left), CastContext::kImplicit));
    e->args.push_back(std::move(left));
    for (ExprPtr& each : list) {
      SQL_ASSIGN_OR_RETURN(each,
                           Coerce(std::move(each), Plain(pair.right), CastContext::kImplicit));
      e->args.push_back(std::move(each));
    }
    return e;
  }
  std::vector<ExprPtr> parts;
  for (ExprPtr& each : list) {
    SQL_ASSIGN_OR_RETURN(ExprPtr part,
                         BuildOperator(negated ? "<>" : "=", Clone(*left), std::move(each)));
    parts.push_back(std::move(part));
  }
  return negated ? MakeAnd(std::move(parts)) : MakeOr(std::move(parts));
}

SqlResult<ExprPtr> BuildAnyAll(std::string_view op, ExprPtr left, ExprPtr array, bool all) {
  const TypeInfo* info = FindType(array->type.oid);
  TypeOid element = oid::kUnknown;
  if (array->type.oid != oid::kUnknown) {
    if (info == nullptr || info->element == 0) {
      return SqlStatus("42809", "op ANY/ALL (array) requires array on right side");
    }
    element = info->element;
  }
  SQL_ASSIGN_OR_RETURN(Pair pair, ResolvePair(op, left->type.oid, element));
  SQL_RETURN_IF_ERROR(RequireBool(pair, "op ANY/ALL (array)"));
  const TypeInfo* wanted = FindType(pair.right);
  TypeOid target = array->type.oid;
  if (element != pair.right) {
    if (wanted == nullptr || wanted->array == 0) {
      return SqlStatus("42704",
                       "could not find array type for data type " + FormatType(pair.right));
    }
    target = wanted->array;
  }
  auto e = std::make_unique<Expr>(ExprKind::kAnyAll);
  e->type = kBoolType;
  e->all = all;
  e->function = pair.function;
  e->location = left->location;
  SQL_ASSIGN_OR_RETURN(left, Coerce(std::move(left), Plain(pair.left), CastContext::kImplicit));
  SQL_ASSIGN_OR_RETURN(array, Coerce(std::move(array), Plain(target), CastContext::kImplicit));
  e->args.push_back(std::move(left));
  e->args.push_back(std::move(array));
  return e;
}

SqlResult<ExprPtr> BuildDistinct(ExprPtr left, ExprPtr right, bool negated) {
  SQL_ASSIGN_OR_RETURN(Pair pair, ResolvePair("=", left->type.oid, right->type.oid));
  auto e = std::make_unique<Expr>(ExprKind::kDistinct);
  e->type = kBoolType;
  e->negated = negated;
  e->function = pair.function;
  e->location = left->location;
  SQL_ASSIGN_OR_RETURN(left, Coerce(std::move(left), Plain(pair.left), CastContext::kImplicit));
  SQL_ASSIGN_OR_RETURN(right, Coerce(std::move(right), Plain(pair.right), CastContext::kImplicit));
  e->args.push_back(std::move(left));
  e->args.push_back(std::move(right));
  return e;
}

SqlResult<ExprPtr> BuildNullIf(ExprPtr left, ExprPtr right) {
  SQL_ASSIGN_OR_RETURN(Pair pair, ResolvePair("=", left->type.oid, right->type.oid));
  if (left->type.oid == oid::kUnknown) {
    SQL_ASSIGN_OR_RETURN(left, Coerce(std::move(left), Plain(pair.left), CastContext::kImplicit));
  }
  auto e = std::make_unique<Expr>(ExprKind::kNullIf);
  e->type = left->type;
  e->function = pair.function;
  e->location = left->location;
  auto held = std::make_unique<Expr>(ExprKind::kCaseValue);
  held->type = left->type;
  const bool converts = left->type.oid != pair.left;
  e->args.push_back(std::move(left));
  SQL_ASSIGN_OR_RETURN(right, Coerce(std::move(right), Plain(pair.right), CastContext::kImplicit));
  e->args.push_back(std::move(right));
  if (converts) {
    SQL_ASSIGN_OR_RETURN(ExprPtr converted,
                         Coerce(std::move(held), Plain(pair.left), CastContext::kImplicit));
    e->args.push_back(std::move(converted));
  }
  return e;
}

namespace {

SqlResult<ExprPtr> BuildVariadic(ExprKind kind, std::string_view construct,
                                 std::vector<ExprPtr> args) {
  SQL_ASSIGN_OR_RETURN(TypeOid type, CommonOf(args, construct));
  auto e = std::make_unique<Expr>(kind);
  e->type = {type, CommonTypmod(args, type)};
  SQL_RETURN_IF_ERROR(CoerceAll(&args, type));
  e->args = std::move(args);
  return e;
}

}  // namespace

SqlResult<ExprPtr> BuildCoalesce(std::vector<ExprPtr> args) {
  return BuildVariadic(ExprKind::kCoalesce, "COALESCE", std::move(args));
}

SqlResult<ExprPtr> BuildMinMax(bool greatest, std::vector<ExprPtr> args) {
  const char* name = greatest ? "GREATEST" : "LEAST";
  SQL_ASSIGN_OR_RETURN(ExprPtr e, BuildVariadic(greatest ? ExprKind::kGreatest : ExprKind::kLeast,
                                                name, std::move(args)));
  if (LessThanOf(e->type.oid) == nullptr) {
    return SqlStatus(
        "42883", "could not identify a comparison function for type " + FormatType(e->type.oid));
  }
  return e;
}

SqlResult<ExprPtr> BuildCase(ExprPtr arg, std::vector<std::pair<ExprPtr, ExprPtr>> whens,
                             ExprPtr otherwise) {
  auto e = std::make_unique<Expr>(arg != nullptr ? ExprKind::kCaseOf : ExprKind::kCase);
  std::vector<ExprPtr> results;
  for (auto& when : whens) results.push_back(std::move(when.second));
  if (otherwise != nullptr) results.push_back(std::move(otherwise));
  SQL_ASSIGN_OR_RETURN(TypeOid type, CommonOf(results, "CASE"));
  e->type = {type, CommonTypmod(results, type)};
  SQL_RETURN_IF_ERROR(CoerceAll(&results, type));
  if (arg != nullptr && arg->type.oid == oid::kUnknown) {
    SQL_ASSIGN_OR_RETURN(arg, Coerce(std::move(arg), Plain(oid::kText), CastContext::kImplicit));
  }
  const Type tested = arg != nullptr ? arg->type : Type{};
  if (arg != nullptr) {
    e->location = arg->location;
    e->args.push_back(std::move(arg));
  }
  for (size_t i = 0; i < whens.size(); ++i) {
    ExprPtr condition = std::move(whens[i].first);
    if (e->kind == ExprKind::kCaseOf) {
      auto held = std::make_unique<Expr>(ExprKind::kCaseValue);
      held->type = tested;
      SQL_ASSIGN_OR_RETURN(condition, BuildOperator("=", std::move(held), std::move(condition)));
    } else {
      SQL_ASSIGN_OR_RETURN(condition, CoerceToBool(std::move(condition), "CASE/WHEN"));
    }
    e->args.push_back(std::move(condition));
    e->args.push_back(std::move(results[i]));
  }
  if (results.size() > whens.size()) e->args.push_back(std::move(results.back()));
  return e;
}

SqlResult<ExprPtr> BuildArray(std::vector<ExprPtr> elements) {
  SQL_ASSIGN_OR_RETURN(TypeOid type, CommonOf(elements, "ARRAY"));
  const TypeInfo* info = FindType(type);
  if (info == nullptr || info->array == 0) {
    if (info != nullptr && info->element != 0)
      return FeatureNotSupported("an array of several dimensions");
    return SqlStatus("42704", "could not find array type for data type " + FormatType(type));
  }
  SQL_RETURN_IF_ERROR(CoerceAll(&elements, type));
  auto e = std::make_unique<Expr>(ExprKind::kArray);
  e->type = Plain(info->array);
  e->args = std::move(elements);
  return e;
}

SqlResult<ExprPtr> BuildSubplanComparison(std::string_view op, ExprPtr left, TypeOid column,
                                          bool all, uint32_t subplan, TypeOid* column_target) {
  SQL_ASSIGN_OR_RETURN(Pair pair, ResolvePair(op, left->type.oid, column));
  SQL_RETURN_IF_ERROR(RequireBool(pair, "ANY/ALL"));
  auto e = std::make_unique<Expr>(ExprKind::kSubplan);
  e->type = kBoolType;
  e->subplan_kind = all ? SubplanKind::kAll : SubplanKind::kAny;
  e->all = all;
  e->slot = subplan;
  e->function = pair.function;
  e->location = left->location;
  SQL_ASSIGN_OR_RETURN(left, Coerce(std::move(left), Plain(pair.left), CastContext::kImplicit));
  e->args.push_back(std::move(left));
  *column_target = pair.right;
  return e;
}

}  // namespace borealis::sql
