#include "common/sql/expr.h"

#include "common/sql/functions.h"
#include "common/sql/io.h"

namespace borealis::sql {

ExprPtr MakeConst(Type type, Datum value) {
  auto e = std::make_unique<Expr>(ExprKind::kConst);
  e->type = type;
  e->value = std::move(value);
  return e;
}

ExprPtr MakeBool(bool value) {
  return MakeConst({oid::kBool, -1}, Datum::Bool(value));
}
ExprPtr MakeNull(Type type) {
  return MakeConst(type, Datum());
}

ExprPtr MakeColumn(uint32_t slot, Type type) {
  auto e = std::make_unique<Expr>(ExprKind::kColumn);
  e->type = type;
  e->slot = slot;
  return e;
}

ExprPtr MakeOuterColumn(uint32_t level, uint32_t slot, Type type) {
  auto e = std::make_unique<Expr>(ExprKind::kOuterColumn);
  e->type = type;
  e->level = level;
  e->slot = slot;
  return e;
}

ExprPtr MakeParam(uint32_t slot, Type type) {
  auto e = std::make_unique<Expr>(ExprKind::kParam);
  e->type = type;
  e->slot = slot;
  return e;
}

ExprPtr MakeCall(const Function* function, std::vector<ExprPtr> args, Type type) {
  auto e = std::make_unique<Expr>(ExprKind::kCall);
  e->type = type;
  e->function = function;
  e->args = std::move(args);
  return e;
}

namespace {

ExprPtr MakeJunction(ExprKind kind, std::vector<ExprPtr> args) {
  if (args.empty()) return MakeBool(kind == ExprKind::kAnd);
  if (args.size() == 1) return std::move(args[0]);
  auto e = std::make_unique<Expr>(kind);
  e->type = {oid::kBool, -1};
  for (ExprPtr& arg : args) {
    if (arg->kind == kind) {
      for (ExprPtr& inner : arg->args) e->args.push_back(std::move(inner));
    } else {
      e->args.push_back(std::move(arg));
    }
  }
  return e;
}

}  // namespace

ExprPtr MakeAnd(std::vector<ExprPtr> args) {
  return MakeJunction(ExprKind::kAnd, std::move(args));
}
ExprPtr MakeOr(std::vector<ExprPtr> args) {
  return MakeJunction(ExprKind::kOr, std::move(args));
}

ExprPtr MakeNot(ExprPtr arg) {
  auto e = std::make_unique<Expr>(ExprKind::kNot);
  e->type = {oid::kBool, -1};
  e->location = arg->location;
  e->args.push_back(std::move(arg));
  return e;
}

ExprPtr Clone(const Expr& expr) {
  auto e = std::make_unique<Expr>(expr.kind);
  e->type = expr.type;
  e->negated = expr.negated;
  e->all = expr.all;
  e->explicit_cast = expr.explicit_cast;
  e->subplan_kind = expr.subplan_kind;
  e->test = expr.test;
  e->slot = expr.slot;
  e->level = expr.level;
  e->location = expr.location;
  e->function = expr.function;
  e->value = expr.value;
  e->args.reserve(expr.args.size());
  for (const ExprPtr& arg : expr.args) e->args.push_back(Clone(*arg));
  return e;
}

bool Equal(const Expr& a, const Expr& b) {
  if (a.kind != b.kind || !(a.type == b.type) || a.negated != b.negated || a.all != b.all ||
      a.explicit_cast != b.explicit_cast || a.subplan_kind != b.subplan_kind || a.test != b.test ||
      a.slot != b.slot || a.level != b.level || a.function != b.function ||
      a.args.size() != b.args.size() || a.value.kind() != b.value.kind() ||
      !NotDistinct(a.value, b.value)) {
    return false;
  }
  for (size_t i = 0; i < a.args.size(); ++i) {
    if (!Equal(*a.args[i], *b.args[i])) return false;
  }
  return true;
}

uint64_t HashExpr(const Expr& e) {
  uint64_t h = static_cast<uint64_t>(e.kind) * 1000003 + e.type.oid;
  h = h * 31 + e.slot * 7 + e.level * 5 + (e.negated ? 3 : 0);
  h = h * 31 + HashDatum(e.value) + (e.function != nullptr ? e.function->oid : 0);
  for (const ExprPtr& arg : e.args) h = (h ^ HashExpr(*arg)) * 0x9E3779B97F4A7C15ull;
  return h;
}

void Visit(const Expr& expr, const std::function<bool(const Expr&)>& visit) {
  if (!visit(expr)) return;
  for (const ExprPtr& arg : expr.args) Visit(*arg, visit);
}

void Rewrite(ExprPtr* expr, const std::function<void(ExprPtr*)>& rewrite) {
  for (ExprPtr& arg : (*expr)->args) Rewrite(&arg, rewrite);
  rewrite(expr);
}

namespace {

template <typename Predicate>
bool Any(const Expr& expr, const Predicate& predicate) {
  if (predicate(expr)) return true;
  for (const ExprPtr& arg : expr.args) {
    if (Any(*arg, predicate)) return true;
  }
  return false;
}

}  // namespace

bool IsConstant(const Expr& expr) {
  return !Any(expr, [](const Expr& e) {
    switch (e.kind) {
      case ExprKind::kColumn:
      case ExprKind::kOuterColumn:
      case ExprKind::kParam:
      case ExprKind::kSubplan:
      case ExprKind::kCaseValue:
        return true;
      // Conversions by text can depend on the session: reg* names, 'now'.
      case ExprKind::kIoCast:
        return !IsStringType(e.args[0]->type.oid) || !IsStringType(e.type.oid);
      default:
        return e.function != nullptr && e.function->volatility != Volatility::kImmutable;
    }
  });
}

bool HasColumns(const Expr& expr) {
  return Any(expr, [](const Expr& e) { return e.kind == ExprKind::kColumn; });
}
bool HasSubplans(const Expr& expr) {
  return Any(expr, [](const Expr& e) { return e.kind == ExprKind::kSubplan; });
}
bool IsVolatile(const Expr& expr) {
  return Any(expr, [](const Expr& e) {
    return e.function != nullptr && e.function->volatility == Volatility::kVolatile;
  });
}

void SplitConjuncts(ExprPtr expr, std::vector<ExprPtr>* out) {
  if (expr->kind != ExprKind::kAnd) {
    out->push_back(std::move(expr));
    return;
  }
  for (ExprPtr& arg : expr->args) SplitConjuncts(std::move(arg), out);
}

// ----------------------------------------------------------------------------------------- text

namespace {

using Namer = std::function<std::string(const Expr&)>;

std::string List(const Expr& e, const Namer& namer, size_t from, std::string_view separator) {
  std::string out;
  for (size_t i = from; i < e.args.size(); ++i) {
    if (i > from) out += separator;
    out += ToString(*e.args[i], namer);
  }
  return out;
}

std::string ConstText(const Expr& e) {
  if (e.value.is_null()) return "NULL::" + FormatType(e.type.oid, e.type.typmod);
  const std::string text = ToText(e.type, e.value);
  switch (e.type.oid) {
    case oid::kBool:
      return e.value.bool_value() ? "true" : "false";
    case oid::kInt4:
      return text[0] == '-' ? "'" + text + "'::integer" : text;
    case oid::kNumeric:
      return text[0] == '-' || text[0] == 'N' ? "'" + text + "'::numeric" : text;
    default:
      return QuoteLiteral(text) + "::" + FormatType(e.type.oid, e.type.typmod);
  }
}

std::string CallText(const Expr& e, const Namer& namer) {
  const Function& f = *e.function;
  if (!f.op.empty() && e.args.size() == 2) {
    return "(" + ToString(*e.args[0], namer) + " " + std::string(f.op) + " " +
           ToString(*e.args[1], namer) + ")";
  }
  if (!f.op.empty()) return "(" + std::string(f.op) + " " + ToString(*e.args[0], namer) + ")";
  return std::string(f.name) + "(" + List(e, namer, 0, ", ") + ")";
}

std::string CaseText(const Expr& e, const Namer& namer) {
  std::string out = "CASE";
  size_t i = 0;
  if (e.kind == ExprKind::kCaseOf) out += " " + ToString(*e.args[i++], namer);
  for (; i + 1 < e.args.size(); i += 2) {
    out += " WHEN " + ToString(*e.args[i], namer) + " THEN " + ToString(*e.args[i + 1], namer);
  }
  if (i < e.args.size()) out += " ELSE " + ToString(*e.args[i], namer);
  return out + " END";
}

}  // namespace

std::string ToString(const Expr& e, const Namer& namer) {
  const auto arg = [&](size_t i) { return ToString(*e.args[i], namer); };
  const std::string op = e.function != nullptr ? std::string(e.function->op) : "=";
  switch (e.kind) {
    case ExprKind::kConst:
      return ConstText(e);
    case ExprKind::kColumn:
    case ExprKind::kOuterColumn: {
      std::string name = namer ? namer(e) : "";
      if (!name.empty()) return name;
      return (e.kind == ExprKind::kColumn ? "#" : "outer#") + std::to_string(e.slot);
    }
    case ExprKind::kParam:
      return "$" + std::to_string(e.slot + 1);
    case ExprKind::kCall:
      return CallText(e, namer);
    case ExprKind::kAnd:
      return "(" + List(e, namer, 0, " AND ") + ")";
    case ExprKind::kOr:
      return "(" + List(e, namer, 0, " OR ") + ")";
    case ExprKind::kNot:
      return "(NOT " + arg(0) + ")";
    case ExprKind::kIsNull:
      return "(" + arg(0) + (e.negated ? " IS NOT NULL)" : " IS NULL)");
    case ExprKind::kBooleanTest:
      return "(" + arg(0) + " IS " + (e.negated ? "NOT " : "") +
             (e.test == BooleanTest::kTrue    ? "TRUE)"
              : e.test == BooleanTest::kFalse ? "FALSE)"
                                              : "UNKNOWN)");
    case ExprKind::kDistinct:
      return "(" + arg(0) + " IS " + (e.negated ? "NOT " : "") + "DISTINCT FROM " + arg(1) + ")";
    case ExprKind::kCase:
    case ExprKind::kCaseOf:
      return CaseText(e, namer);
    case ExprKind::kCoalesce:
      return "COALESCE(" + List(e, namer, 0, ", ") + ")";
    case ExprKind::kNullIf:
      return "NULLIF(" + List(e, namer, 0, ", ") + ")";
    case ExprKind::kGreatest:
      return "GREATEST(" + List(e, namer, 0, ", ") + ")";
    case ExprKind::kLeast:
      return "LEAST(" + List(e, namer, 0, ", ") + ")";
    case ExprKind::kInList:
      return "(" + arg(0) + (e.negated ? " NOT IN (" : " IN (") + List(e, namer, 1, ", ") + "))";
    case ExprKind::kAnyAll:
      return "(" + arg(0) + " " + op + (e.all ? " ALL (" : " ANY (") + arg(1) + "))";
    case ExprKind::kRelabel:
    case ExprKind::kTypmod:
    case ExprKind::kIoCast:
    case ExprKind::kArrayCast:
      return "(" + arg(0) + ")::" + FormatType(e.type.oid, e.type.typmod);
    case ExprKind::kCaseValue:
      return "CASE_VALUE";
    case ExprKind::kSubplan:
      return "(SubPlan " + std::to_string(e.slot + 1) + ")";
    case ExprKind::kArray:
      return "ARRAY[" + List(e, namer, 0, ", ") + "]";
    case ExprKind::kSubscript:
      return arg(0) + "[" + arg(1) + "]";
    case ExprKind::kRowValue:
      return "ROW(" + List(e, namer, 0, ", ") + ")";
  }
  return "?";
}

}  // namespace borealis::sql
