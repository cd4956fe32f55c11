// The evaluator. One function for each kind of node; integer comparison and addition, which most
// conditions are made of, run inline (Function::fast).
#include "common/sql/expr.h"
#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

constexpr size_t kArgsInline = 4;

SqlStatus IntOutOfRange(const char* type) {
  return SqlStatus("22003", std::string(type) + " out of range");
}

// Requires both of kind kInt.
SqlStatus RunFast(uint8_t op, int64_t x, int64_t y, Datum* out) {
  int64_t v = 0;
  switch (op) {
    case kFastIntEq:
      *out = Datum::Bool(x == y);
      return {};
    case kFastIntNe:
      *out = Datum::Bool(x != y);
      return {};
    case kFastIntLt:
      *out = Datum::Bool(x < y);
      return {};
    case kFastIntLe:
      *out = Datum::Bool(x <= y);
      return {};
    case kFastIntGt:
      *out = Datum::Bool(x > y);
      return {};
    case kFastIntGe:
      *out = Datum::Bool(x >= y);
      return {};
    case kFastInt4Add:
    case kFastInt4Sub:
      v = op == kFastInt4Add ? x + y : x - y;
      if (v != static_cast<int32_t>(v)) return IntOutOfRange("integer");
      break;
    case kFastInt8Add:
      if (__builtin_add_overflow(x, y, &v)) return IntOutOfRange("bigint");
      break;
    case kFastInt8Sub:
      if (__builtin_sub_overflow(x, y, &v)) return IntOutOfRange("bigint");
      break;
    default:
      return InternalError("unknown inlined function");
  }
  *out = Datum::Int(v);
  return {};
}

SqlStatus RunBody(const Expr& e, EvalContext& context, const Datum* args, size_t n, Datum* out) {
  const Function& f = *e.function;
  if (f.strict) {
    for (size_t i = 0; i < n; ++i) {
      if (args[i].is_null()) {
        *out = Datum();
        return {};
      }
    }
  }
  *out = Datum();
  CallInfo call{context, f, e.args, e.type};
  return f.body(call, args, n, out);
}

SqlStatus EvalCall(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  const size_t n = e.args.size();
  Datum inline_args[kArgsInline];
  std::vector<Datum> many;
  Datum* args = inline_args;
  if (n > kArgsInline) {
    many.resize(n);
    args = many.data();
  }
  for (size_t i = 0; i < n; ++i) SQL_RETURN_IF_ERROR(EvalInto(*e.args[i], context, row, &args[i]));
  if (e.function->fast != kFastNone && args[0].kind() == DatumKind::kInt &&
      args[1].kind() == DatumKind::kInt) {
    return RunFast(e.function->fast, args[0].int_value(), args[1].int_value(), out);
  }
  return RunBody(e, context, args, n, out);
}

// The operator of e over two values. A strict operator: null if either is.
SqlStatus Compare(const Expr& e, EvalContext& context, const Datum& left, const Datum& right,
                  Datum* out) {
  if (e.function->fast != kFastNone && left.kind() == DatumKind::kInt &&
      right.kind() == DatumKind::kInt) {
    return RunFast(e.function->fast, left.int_value(), right.int_value(), out);
  }
  const Datum args[2] = {left, right};
  return RunBody(e, context, args, 2, out);
}

SqlStatus EvalJunction(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  const bool stop = e.kind == ExprKind::kOr;  // the value that decides
  bool unknown = false;
  for (const ExprPtr& arg : e.args) {
    Datum value;
    SQL_RETURN_IF_ERROR(EvalInto(*arg, context, row, &value));
    if (value.is_null()) {
      unknown = true;
    } else if (value.bool_value() == stop) {
      *out = Datum::Bool(stop);
      return {};
    }
  }
  *out = unknown ? Datum() : Datum::Bool(!stop);
  return {};
}

SqlStatus EvalBooleanTest(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum v;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &v));
  bool holds = false;
  switch (e.test) {
    case BooleanTest::kTrue:
      holds = v.is_true();
      break;
    case BooleanTest::kFalse:
      holds = !v.is_null() && !v.bool_value();
      break;
    case BooleanTest::kUnknown:
      holds = v.is_null();
      break;
  }
  *out = Datum::Bool(holds != e.negated);
  return {};
}

SqlStatus EvalDistinct(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum left, right;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &left));
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[1], context, row, &right));
  bool distinct = left.is_null() != right.is_null();
  if (!left.is_null() && !right.is_null()) {
    Datum equal;
    SQL_RETURN_IF_ERROR(Compare(e, context, left, right, &equal));
    distinct = !equal.is_true();
  }
  *out = Datum::Bool(distinct != e.negated);
  return {};
}

SqlStatus EvalCase(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  size_t i = 0;
  Datum tested;
  const Datum* const saved = context.case_value;
  if (e.kind == ExprKind::kCaseOf) {
    SQL_RETURN_IF_ERROR(EvalInto(*e.args[i++], context, row, &tested));
  }
  for (; i + 1 < e.args.size(); i += 2) {
    bool holds = false;
    if (e.kind == ExprKind::kCaseOf) context.case_value = &tested;
    SqlStatus status = EvalPredicate(*e.args[i], context, row, &holds);
    context.case_value = saved;
    SQL_RETURN_IF_ERROR(std::move(status));
    if (holds) return EvalInto(*e.args[i + 1], context, row, out);
  }
  if (i < e.args.size()) return EvalInto(*e.args[i], context, row, out);
  *out = Datum();
  return {};
}

SqlStatus EvalMinMax(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum best;
  for (const ExprPtr& arg : e.args) {
    Datum value;
    SQL_RETURN_IF_ERROR(EvalInto(*arg, context, row, &value));
    if (value.is_null()) continue;
    const int c = best.is_null() ? 0 : CompareTyped(e.type.oid, value, best);
    if (best.is_null() || (e.kind == ExprKind::kGreatest ? c > 0 : c < 0)) best = std::move(value);
  }
  *out = std::move(best);
  return {};
}

SqlStatus EvalInList(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum left;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &left));
  bool unknown = false;
  for (size_t i = 1; i < e.args.size(); ++i) {
    Datum value, equal;
    SQL_RETURN_IF_ERROR(EvalInto(*e.args[i], context, row, &value));
    SQL_RETURN_IF_ERROR(Compare(e, context, left, value, &equal));
    if (equal.is_null()) {
      unknown = true;
    } else if (equal.bool_value()) {
      *out = Datum::Bool(!e.negated);
      return {};
    }
  }
  *out = unknown ? Datum() : Datum::Bool(e.negated);
  return {};
}

SqlStatus EvalAnyAll(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum left, array;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &left));
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[1], context, row, &array));
  *out = Datum();
  if (array.is_null()) return {};
  bool unknown = false;
  for (const Datum& element : array.array_value().elements) {
    Datum result;
    SQL_RETURN_IF_ERROR(Compare(e, context, left, element, &result));
    if (result.is_null()) {
      unknown = true;
    } else if (result.bool_value() != e.all) {
      *out = Datum::Bool(!e.all);
      return {};
    }
  }
  if (!unknown) *out = Datum::Bool(e.all);
  return {};
}

SqlStatus EvalArrayCast(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum array;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &array));
  *out = Datum();
  if (array.is_null()) return {};
  const TypeInfo* info = FindType(e.type.oid);
  std::vector<Datum> elements;
  const Datum* const saved = context.case_value;
  for (const Datum& element : array.array_value().elements) {
    Datum value;
    context.case_value = &element;
    SqlStatus status = EvalInto(*e.args[1], context, row, &value);
    context.case_value = saved;
    SQL_RETURN_IF_ERROR(std::move(status));
    elements.push_back(std::move(value));
  }
  *out = Datum::Array(info != nullptr ? info->element : 0, std::move(elements));
  return {};
}

SqlStatus EvalIoCast(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum value;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &value));
  *out = Datum();
  if (value.is_null()) return {};
  const IoContext io = IoOf(context);
  std::string text = ToText(e.args[0]->type, value, io);
  SQL_ASSIGN_OR_RETURN(*out, TextInput({e.type.oid, -1}, text, io));
  return {};
}

SqlStatus EvalNullIf(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum right, equal;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, out));
  if (out->is_null()) return {};
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[1], context, row, &right));
  if (right.is_null()) return {};
  // args[2], when there, is args[0] converted for the comparison over kCaseValue.
  Datum left = *out;
  if (e.args.size() > 2) {
    const Datum* const saved = context.case_value;
    context.case_value = out;
    SqlStatus status = EvalInto(*e.args[2], context, row, &left);
    context.case_value = saved;
    SQL_RETURN_IF_ERROR(std::move(status));
  }
  SQL_RETURN_IF_ERROR(Compare(e, context, left, right, &equal));
  if (equal.is_true()) *out = Datum();
  return {};
}

SqlStatus EvalArray(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  std::vector<Datum> elements(e.args.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    SQL_RETURN_IF_ERROR(EvalInto(*e.args[i], context, row, &elements[i]));
  }
  const TypeInfo* info = FindType(e.type.oid);
  *out = Datum::Array(info != nullptr ? info->element : 0, std::move(elements));
  return {};
}

SqlStatus EvalSubscript(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  Datum array, index;
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &array));
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[1], context, row, &index));
  *out = Datum();
  if (array.is_null() || index.is_null()) return {};
  const auto& elements = array.array_value().elements;
  const TypeOid type = e.args[0]->type.oid;
  const int64_t first = type == oid::kInt2Vector || type == oid::kOidVector ? 0 : 1;
  const int64_t at = index.int_value() - first;
  if (at >= 0 && at < static_cast<int64_t>(elements.size()))
    *out = elements[static_cast<size_t>(at)];
  return {};
}

SqlStatus EvalRowValue(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  std::string text = "(";
  for (size_t i = 0; i < e.args.size(); ++i) {
    Datum value;
    SQL_RETURN_IF_ERROR(EvalInto(*e.args[i], context, row, &value));
    if (i > 0) text += ',';
    if (value.is_null()) continue;
    const std::string field = ToText(e.args[i]->type, value, IoOf(context));
    const bool quote = field.empty() || field.find_first_of("\",\\() \t\n\r") != std::string::npos;
    if (!quote) {
      text += field;
      continue;
    }
    text += '"';
    for (char c : field) {
      if (c == '"' || c == '\\') text += c;
      text += c;
    }
    text += '"';
  }
  *out = Datum::String(text + ")");
  return {};
}

SqlStatus EvalTypmod(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, out));
  if (out->is_null()) return {};
  SQL_ASSIGN_OR_RETURN(*out, ApplyTypmod(e.type, std::move(*out), e.explicit_cast));
  return {};
}

SqlStatus EvalParam(const Expr& e, EvalContext& context, Datum* out) {
  if (context.params == nullptr || e.slot >= context.params->size()) {
    return SqlStatus("42P02", "there is no parameter $" + std::to_string(e.slot + 1));
  }
  *out = (*context.params)[e.slot];
  return {};
}

}  // namespace

SqlStatus EvalInto(const Expr& e, EvalContext& context, const Datum* row, Datum* out) {
  switch (e.kind) {
    case ExprKind::kConst:
      *out = e.value;
      return {};
    case ExprKind::kColumn:
      *out = row[e.slot];
      return {};
    case ExprKind::kOuterColumn:
      BOREALIS_CHECK(e.level >= 1 && e.level <= context.outer_rows.size());
      *out = context.outer_rows[context.outer_rows.size() - e.level][e.slot];
      return {};
    case ExprKind::kParam:
      return EvalParam(e, context, out);
    case ExprKind::kCall:
      return EvalCall(e, context, row, out);
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return EvalJunction(e, context, row, out);
    case ExprKind::kNot:
      SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, out));
      if (!out->is_null()) *out = Datum::Bool(!out->bool_value());
      return {};
    case ExprKind::kIsNull: {
      Datum value;
      SQL_RETURN_IF_ERROR(EvalInto(*e.args[0], context, row, &value));
      *out = Datum::Bool(value.is_null() != e.negated);
      return {};
    }
    case ExprKind::kBooleanTest:
      return EvalBooleanTest(e, context, row, out);
    case ExprKind::kDistinct:
      return EvalDistinct(e, context, row, out);
    case ExprKind::kCase:
    case ExprKind::kCaseOf:
      return EvalCase(e, context, row, out);
    case ExprKind::kCoalesce:
      for (const ExprPtr& arg : e.args) {
        SQL_RETURN_IF_ERROR(EvalInto(*arg, context, row, out));
        if (!out->is_null()) break;
      }
      return {};
    case ExprKind::kNullIf:
      return EvalNullIf(e, context, row, out);
    case ExprKind::kGreatest:
    case ExprKind::kLeast:
      return EvalMinMax(e, context, row, out);
    case ExprKind::kInList:
      return EvalInList(e, context, row, out);
    case ExprKind::kAnyAll:
      return EvalAnyAll(e, context, row, out);
    case ExprKind::kRelabel:
      return EvalInto(*e.args[0], context, row, out);
    case ExprKind::kTypmod:
      return EvalTypmod(e, context, row, out);
    case ExprKind::kIoCast:
      return EvalIoCast(e, context, row, out);
    case ExprKind::kArrayCast:
      return EvalArrayCast(e, context, row, out);
    case ExprKind::kCaseValue:
      BOREALIS_CHECK(context.case_value != nullptr);
      *out = *context.case_value;
      return {};
    case ExprKind::kSubplan:
      if (context.subplans == nullptr) return FeatureNotSupported("a subquery here");
      return context.subplans->RunSubplan(e, context, row, out);
    case ExprKind::kArray:
      return EvalArray(e, context, row, out);
    case ExprKind::kSubscript:
      return EvalSubscript(e, context, row, out);
    case ExprKind::kRowValue:
      return EvalRowValue(e, context, row, out);
  }
  return InternalError("unknown expression");
}

SqlStatus EvalPredicate(const Expr& expr, EvalContext& context, const Datum* row, bool* out) {
  Datum value;
  SQL_RETURN_IF_ERROR(EvalInto(expr, context, row, &value));
  *out = value.is_true();
  return {};
}

namespace {

// AND, OR: constants that decide or do not matter.
void SimplifyJunction(ExprPtr* expr) {
  Expr& e = **expr;
  const bool stop = e.kind == ExprKind::kOr;
  std::vector<ExprPtr> kept;
  for (ExprPtr& arg : e.args) {
    if (arg->kind == ExprKind::kConst && !arg->value.is_null()) {
      if (arg->value.bool_value() != stop) continue;
      *expr = MakeBool(stop);
      return;
    }
    kept.push_back(std::move(arg));
  }
  *expr = stop ? MakeOr(std::move(kept)) : MakeAnd(std::move(kept));
}

bool AllArgsConst(const Expr& e) {
  for (const ExprPtr& arg : e.args) {
    if (arg->kind != ExprKind::kConst) return false;
  }
  return true;
}

}  // namespace

void FoldConstants(ExprPtr* expr) {
  Expr& e = **expr;
  if (e.kind == ExprKind::kConst) return;
  for (ExprPtr& arg : e.args) FoldConstants(&arg);
  if (e.kind == ExprKind::kAnd || e.kind == ExprKind::kOr) return SimplifyJunction(expr);
  if (e.kind == ExprKind::kRowValue || !AllArgsConst(e) || !IsConstant(e)) return;
  EvalContext context;
  Datum value;
  if (!EvalInto(e, context, nullptr, &value).ok()) return;
  ExprPtr folded = MakeConst(e.type, std::move(value));
  folded->location = e.location;
  *expr = std::move(folded);
}

}  // namespace borealis::sql
