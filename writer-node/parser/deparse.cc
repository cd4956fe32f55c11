#include "writer-node/parser/deparse.h"

#include <algorithm>

#include "writer-node/parser/keywords.h"

namespace borealis::parser {
namespace {

std::string QualifiedText(const QualifiedName& name) {
  std::string out;
  for (const std::string& part : name) {
    if (!out.empty()) out += '.';
    out += QuoteIdentifier(part);
  }
  return out;
}

// An operator as a token, or OPERATOR(schema.op).
std::string OperatorText(const QualifiedName& name) {
  if (name.size() == 1) return name[0];
  std::string out = "OPERATOR(";
  for (size_t i = 0; i + 1 < name.size(); ++i) out += QuoteIdentifier(name[i]) + ".";
  return out + name.back() + ")";
}

std::string ListText(const std::vector<ExprPtr>& list) {
  std::string out;
  for (const ExprPtr& e : list) {
    if (!out.empty()) out += ", ";
    out += ExprText(*e);
  }
  return out;
}

std::string ConstantText(const Constant& c) {
  switch (c.constant_kind) {
    case ConstantKind::kNull:
      return "NULL";
    case ConstantKind::kBoolean:
      return c.integer != 0 ? "true" : "false";
    case ConstantKind::kInteger:
      return c.integer < 0 ? "(" + std::to_string(c.integer) + ")" : std::to_string(c.integer);
    case ConstantKind::kNumeric:
      return !c.text.empty() && c.text[0] == '-' ? "(" + c.text + ")" : c.text;
    case ConstantKind::kString:
      return QuoteLiteral(c.text);
    case ConstantKind::kBitString:
      return (c.text.substr(0, 1) == "x" ? "X'" : "B'") + c.text.substr(1) + "'";
  }
  return "NULL";
}

std::string FunctionText(const FunctionCall& f) {
  if (f.sql_value_function) {
    std::string out = f.name[0];
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return f.args.empty() ? out : out + "(" + ListText(f.args) + ")";
  }
  std::string out = QualifiedText(f.name) + "(";
  if (f.distinct) out += "DISTINCT ";
  if (f.variadic) {
    for (size_t i = 0; i < f.args.size(); ++i) {
      if (i > 0) out += ", ";
      if (i + 1 == f.args.size()) out += "VARIADIC ";
      out += ExprText(*f.args[i]);
    }
  } else {
    out += f.star ? "*" : ListText(f.args);
  }
  for (size_t i = 0; i < f.order_by.size(); ++i) {
    out += i == 0 ? " ORDER BY " : ", ";
    out += ExprText(*f.order_by[i].expr);
    if (f.order_by[i].descending) out += " DESC";
    if (f.order_by[i].nulls == NullsOrder::kFirst) out += " NULLS FIRST";
    if (f.order_by[i].nulls == NullsOrder::kLast) out += " NULLS LAST";
  }
  out += ")";
  if (f.filter != nullptr) out += " FILTER (WHERE " + ExprText(*f.filter) + ")";
  return out;
}

std::string CaseText(const CaseExpr& c) {
  std::string out = "CASE";
  if (c.arg != nullptr) out += " " + ExprText(*c.arg);
  for (const CaseWhen& when : c.whens) {
    out += " WHEN " + ExprText(*when.condition) + " THEN " + ExprText(*when.result);
  }
  if (c.otherwise != nullptr) out += " ELSE " + ExprText(*c.otherwise);
  return out + " END";
}

std::string BoolText(const BoolExpr& b) {
  if (b.op == BoolOp::kNot) return "(NOT " + ExprText(*b.args[0]) + ")";
  std::string out = "(";
  for (size_t i = 0; i < b.args.size(); ++i) {
    if (i > 0) out += b.op == BoolOp::kAnd ? " AND " : " OR ";
    out += ExprText(*b.args[i]);
  }
  return out + ")";
}

const char* BooleanTestText(BooleanTestKind kind) {
  switch (kind) {
    case BooleanTestKind::kIsTrue:
      return "IS TRUE";
    case BooleanTestKind::kIsNotTrue:
      return "IS NOT TRUE";
    case BooleanTestKind::kIsFalse:
      return "IS FALSE";
    case BooleanTestKind::kIsNotFalse:
      return "IS NOT FALSE";
    case BooleanTestKind::kIsUnknown:
      return "IS UNKNOWN";
    case BooleanTestKind::kIsNotUnknown:
      return "IS NOT UNKNOWN";
  }
  return "";
}

template <typename T>
const T& To(const Expr& e) {
  return static_cast<const T&>(e);
}

std::string PredicateText(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kAnyAll: {
      auto& a = To<AnyAllExpr>(e);
      return "(" + ExprText(*a.left) + " " + OperatorText(a.op) + (a.all ? " ALL (" : " ANY (") +
             ExprText(*a.array) + "))";
    }
    case ExprKind::kDistinct: {
      auto& d = To<DistinctExpr>(e);
      return "(" + ExprText(*d.left) + (d.negated ? " IS NOT" : " IS") + " DISTINCT FROM " +
             ExprText(*d.right) + ")";
    }
    case ExprKind::kInList: {
      auto& in = To<InListExpr>(e);
      return "(" + ExprText(*in.left) + (in.negated ? " NOT IN (" : " IN (") + ListText(in.list) +
             "))";
    }
    case ExprKind::kBetween: {
      auto& b = To<BetweenExpr>(e);
      return "(" + ExprText(*b.arg) + (b.negated ? " NOT BETWEEN " : " BETWEEN ") +
             (b.symmetric ? "SYMMETRIC " : "") + ExprText(*b.low) + " AND " + ExprText(*b.high) +
             ")";
    }
    case ExprKind::kNullTest:
      return "(" + ExprText(*To<NullTest>(e).arg) +
             (To<NullTest>(e).is_null ? " IS NULL)" : " IS NOT NULL)");
    default: {
      auto& t = To<BooleanTest>(e);
      return "(" + ExprText(*t.arg) + " " + BooleanTestText(t.test) + ")";
    }
  }
}

}  // namespace

std::string NameText(const QualifiedName& name) {
  std::string out;
  for (const std::string& part : name) {
    if (!out.empty()) out += '.';
    out += part;
  }
  return out;
}

std::string QuoteIdentifier(std::string_view name) {
  bool plain = !name.empty() && (name[0] == '_' || (name[0] >= 'a' && name[0] <= 'z'));
  for (char c : name) {
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  }
  if (plain && !IsKeyword(name)) return std::string(name);
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string QuoteLiteral(std::string_view text) {
  const bool escape = text.find('\\') != std::string_view::npos;
  std::string out = escape ? "E'" : "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

std::string TypeText(const TypeName& type) {
  std::string out = QualifiedText(type.names);
  for (size_t i = 0; i < type.modifiers.size(); ++i) {
    out += (i == 0 ? "(" : ",") + std::to_string(type.modifiers[i]);
  }
  if (!type.modifiers.empty()) out += ")";
  for (int i = 0; i < type.array_dimensions; ++i) out += "[]";
  return out;
}

std::string ExprText(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kColumnRef: {
      auto& c = To<ColumnRef>(e);
      if (!c.star) return QualifiedText(c.name);
      return c.name.empty() ? "*" : QualifiedText(c.name) + ".*";
    }
    case ExprKind::kParam:
      return "$" + std::to_string(To<ParamRef>(e).number);
    case ExprKind::kConstant:
      return ConstantText(To<Constant>(e));
    case ExprKind::kCast:
      if (To<CastExpr>(e).arg->kind == ExprKind::kConstant) {
        return ExprText(*To<CastExpr>(e).arg) + "::" + TypeText(To<CastExpr>(e).type);
      }
      return "(" + ExprText(*To<CastExpr>(e).arg) + ")::" + TypeText(To<CastExpr>(e).type);
    case ExprKind::kOperator: {
      auto& o = To<OperatorExpr>(e);
      const std::string left = o.left == nullptr ? "" : ExprText(*o.left) + " ";
      return "(" + left + OperatorText(o.name) + " " + ExprText(*o.right) + ")";
    }
    case ExprKind::kNullIf:
      return "NULLIF(" + ExprText(*To<NullIfExpr>(e).left) + ", " +
             ExprText(*To<NullIfExpr>(e).right) + ")";
    case ExprKind::kBool:
      return BoolText(To<BoolExpr>(e));
    case ExprKind::kFunction:
      return FunctionText(To<FunctionCall>(e));
    case ExprKind::kCase:
      return CaseText(To<CaseExpr>(e));
    case ExprKind::kCoalesce:
      return "COALESCE(" + ListText(To<CoalesceExpr>(e).args) + ")";
    case ExprKind::kMinMax:
      return (To<MinMaxExpr>(e).greatest ? "GREATEST(" : "LEAST(") +
             ListText(To<MinMaxExpr>(e).args) + ")";
    case ExprKind::kSubquery:
      return "(SELECT NULL)";
    case ExprKind::kRow:
      return "ROW(" + ListText(To<RowExpr>(e).args) + ")";
    case ExprKind::kArray:
      return "ARRAY[" + ListText(To<ArrayExpr>(e).elements) + "]";
    case ExprKind::kSubscript:
      return "(" + ExprText(*To<SubscriptExpr>(e).arg) + ")[" +
             ExprText(*To<SubscriptExpr>(e).index) + "]";
    case ExprKind::kCollate:
      return "(" + ExprText(*To<CollateExpr>(e).arg) + " COLLATE " +
             QualifiedText(To<CollateExpr>(e).collation) + ")";
    case ExprKind::kDefault:
      return "DEFAULT";
    case ExprKind::kAnyAll:
    case ExprKind::kDistinct:
    case ExprKind::kInList:
    case ExprKind::kBetween:
    case ExprKind::kNullTest:
    case ExprKind::kBooleanTest:
      return PredicateText(e);
  }
  return "";
}

}  // namespace borealis::parser
