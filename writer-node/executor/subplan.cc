#include "writer-node/executor/subplan.h"

#include "common/sql/functions.h"

namespace borealis::executor {

namespace {

// One call of a comparison; null when an argument is (they are strict).
SqlStatus CallComparison(const sql::Function& function, sql::EvalContext& context,
                         const Datum& left, const Datum& right, Datum* out) {
  *out = Datum();
  if (function.strict && (left.is_null() || right.is_null())) return {};
  sql::CallInfo call{context, function, {}, sql::Type{sql::oid::kBool, -1}};
  const Datum args[2] = {left, right};
  return function.body(call, args, 2, out);
}

// Equality of the operator's type is that of CompareTyped, which hashing goes by. Not so for the
// types left out: intervals of one length are written in many ways, and arrays hold any type.
bool Hashable(sql::TypeOid type) {
  using namespace sql::oid;
  switch (type) {
    case kBool:
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
    case kFloat4:
    case kFloat8:
    case kNumeric:
    case kText:
    case kVarchar:
    case kBpchar:
    case kName:
    case kBytea:
    case kDate:
    case kTime:
    case kTimestamp:
    case kTimestamptz:
      return true;
    default:
      return false;
  }
}

bool IsInteger(sql::TypeOid type) {
  return type == sql::oid::kInt2 || type == sql::oid::kInt4 || type == sql::oid::kInt8;
}

bool ComparesByHash(const sql::Expr& expr) {
  const sql::Function& function = *expr.function;
  const bool any = expr.subplan_kind == sql::SubplanKind::kAny;
  if (function.op != (any ? "=" : "<>") || function.args.size() != 2) return false;
  const sql::TypeOid left = function.args[0], right = function.args[1];
  return (left == right && Hashable(left)) || (IsInteger(left) && IsInteger(right));
}

}  // namespace

SqlStatus ExecState::SubplanState::Open(const Datum* row) {
  position = 0;
  if (kept) return {};
  SQL_RETURN_IF_ERROR(state->Bind(subplan.bindings, row));
  if (root == nullptr) root = Build(state, *subplan.plan);
  SQL_RETURN_IF_ERROR(root->Open());
  if (!subplan.bindings.empty()) return {};
  Row next;
  for (;;) {
    SQL_ASSIGN_OR_RETURN(bool more, root->Next(&next));
    if (!more) break;
    SQL_RETURN_IF_ERROR(state->Charge(MemoryOf(next)));
    kept_rows.push_back(next);
  }
  kept = true;
  return {};
}

SqlResult<bool> ExecState::SubplanState::Next(Row* row) {
  if (!kept) return root->Next(row);
  if (position == kept_rows.size()) return false;
  *row = kept_rows[position++];
  return true;
}

SqlStatus ExecState::SubplanState::Run(const sql::Expr& expr, sql::EvalContext& context,
                                       const Datum* row, Datum* out) {
  using sql::SubplanKind;
  *out = Datum();
  if (expr.subplan_kind == SubplanKind::kAny || expr.subplan_kind == SubplanKind::kAll) {
    return Compare(expr, context, row, out);
  }
  SQL_RETURN_IF_ERROR(Open(row));
  Row next;
  SQL_ASSIGN_OR_RETURN(bool more, Next(&next));
  switch (expr.subplan_kind) {
    case SubplanKind::kExists:
      *out = Datum::Bool(more);
      return {};
    case SubplanKind::kArray: {
      std::vector<Datum> elements;
      while (more) {
        elements.push_back(next[0]);
        SQL_RETURN_IF_ERROR(state->Charge(next[0].memory_bytes()));
        SQL_ASSIGN_OR_RETURN(more, Next(&next));
      }
      const sql::TypeInfo* type = sql::FindType(expr.type.oid);
      *out = Datum::Array(type == nullptr ? sql::oid::kText : type->element, std::move(elements));
      return {};
    }
    default: {
      if (!more) return {};
      Datum value = next[0];
      SQL_ASSIGN_OR_RETURN(more, Next(&next));
      if (more) {
        return SqlStatus("21000", "more than one row returned by a subquery used as an expression");
      }
      *out = std::move(value);
      return {};
    }
  }
}

// ANY is true when one comparison is, ALL false when one is; otherwise NULL when one was NULL.
SqlStatus ExecState::SubplanState::Compare(const sql::Expr& expr, sql::EvalContext& context,
                                           const Datum* row, Datum* out) {
  if (subplan.bindings.empty() && ComparesByHash(expr)) {
    return CompareHashed(expr, context, row, out);
  }
  const bool any = expr.subplan_kind == sql::SubplanKind::kAny;
  SQL_ASSIGN_OR_RETURN(Datum left, sql::Eval(*expr.args[0], context, row));
  SQL_RETURN_IF_ERROR(Open(row));
  bool saw_null = false;
  bool decided = false;
  Row next;
  while (!decided) {
    SQL_ASSIGN_OR_RETURN(bool more, Next(&next));
    if (!more) break;
    Datum answer;
    SQL_RETURN_IF_ERROR(CallComparison(*expr.function, context, left, next[0], &answer));
    if (answer.is_null()) {
      saw_null = true;
    } else {
      decided = answer.is_true() == any;
    }
  }
  if (!decided && saw_null) {
    *out = Datum();
  } else {
    *out = Datum::Bool((decided == any) != expr.negated);
  }
  return {};
}

SqlStatus ExecState::SubplanState::LoadValues(sql::TypeOid type) {
  if (values_loaded) return {};
  values = decltype(values)(0, RowHash(), RowEqual({type}));
  if (root == nullptr) root = Build(state, *subplan.plan);
  SQL_RETURN_IF_ERROR(root->Open());
  Row next;
  for (;;) {
    SQL_ASSIGN_OR_RETURN(bool more, root->Next(&next));
    if (!more) break;
    SQL_RETURN_IF_ERROR(state->CheckCancel());
    if (next[0].is_null()) {
      has_null_value = true;
      continue;
    }
    Row value{next[0]};
    const size_t bytes = MemoryOf(value) + 64;
    if (values.insert(std::move(value)).second) SQL_RETURN_IF_ERROR(state->Charge(bytes));
  }
  values_loaded = true;
  return {};
}

// Compare's answer for equality. Over no rows it is decided whatever the left side is; else NULL on
// the left leaves it open, an equal value decides it, and without one a NULL among the values
// leaves it open.
SqlStatus ExecState::SubplanState::CompareHashed(const sql::Expr& expr, sql::EvalContext& context,
                                                 const Datum* row, Datum* out) {
  const bool any = expr.subplan_kind == sql::SubplanKind::kAny;
  SQL_ASSIGN_OR_RETURN(Datum left, sql::Eval(*expr.args[0], context, row));
  SQL_RETURN_IF_ERROR(LoadValues(expr.function->args[1]));
  const bool empty = values.empty() && !has_null_value;
  if (!empty && left.is_null()) return {};
  const bool found = !empty && values.contains(Row{left});
  if (!found && has_null_value) return {};
  *out = Datum::Bool((found == any) != expr.negated);
  return {};
}

}  // namespace borealis::executor
