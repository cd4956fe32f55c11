// Bound, typed expressions: names and types are resolved, every conversion is a node of its own,
// and a column is a slot. Trees are built by the binder (with coerce.h), changed by the planner,
// and immutable once in a plan: several fibers and threads may then evaluate one tree at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/sql/datum.h"
#include "common/sql/error.h"
#include "common/sql/types.h"

namespace borealis::sql {

struct Function;  // functions.h
class SessionContext;
struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind : uint8_t {
  kConst,        // value
  kColumn,       // slot of the input row
  kOuterColumn,  // slot of the row of the enclosing query `level` levels up (1 = the next one out)
  kParam,        // slot = parameter number - 1
  kCall,         // function(args): functions, operators, casts that are functions
  kAnd,          // args, two or more; three-valued
  kOr,
  kNot,          // args[0]
  kIsNull,       // args[0]; negated: IS NOT NULL
  kBooleanTest,  // args[0] IS TRUE/FALSE/UNKNOWN by `test`; negated
  kDistinct,     // args[0] IS DISTINCT FROM args[1]; function = equality; negated: IS NOT DISTINCT
                 // FROM
  kCase,         // args: condition, result, condition, result, ..., [else]; odd count = with else
  kCoalesce,     // args
  kNullIf,       // args[0] unless function(args[0], args[1]) (equality)
  kGreatest,     // args, all of one type
  kLeast,
  kInList,   // args[0] = any of args[1..] by function; negated: NOT IN
  kAnyAll,   // args[0] function ANY (args[1], an array); all: ALL
  kRelabel,  // args[0] as another type of the same kind: varchar -> text, int4 -> oid, bit for bit
  kTypmod,   // args[0] fitted to type.typmod; explicit_cast
  kIoCast,   // args[0] to `type` through text output and input
  kArrayCast,  // args[0], an array, with `cast` applied to each element (args[1] is the element's
               // cast over kCaseValue slot 0)
  kCaseValue,  // the value that the enclosing kArrayCast or CASE x WHEN holds
  kCaseOf,     // CASE args[0] WHEN ...: args[1..] as kCase, conditions refer to kCaseValue
  kSubplan,  // subplan `slot`; see SubplanKind; args[0] = left side of ANY/ALL, function = operator
  kArray,    // ARRAY[args]; type is the array type
  kSubscript,  // args[0][args[1]]
  kRowValue,   // ROW(args): only as text (record output)
};

enum class SubplanKind : uint8_t { kExists, kScalar, kAny, kAll, kArray };
enum class BooleanTest : uint8_t { kTrue, kFalse, kUnknown };

struct Expr {
  explicit Expr(ExprKind k) : kind(k) {}

  ExprKind kind;
  Type type;
  bool negated = false;
  bool all = false;
  bool explicit_cast = false;
  SubplanKind subplan_kind = SubplanKind::kScalar;
  BooleanTest test = BooleanTest::kTrue;
  uint32_t slot = 0;
  uint32_t level = 0;
  int32_t location = -1;               // byte offset in the statement, -1 = unknown
  const Function* function = nullptr;  // borrowed from the registry, which lives for ever
  Datum value;
  std::vector<ExprPtr> args;
};

// ---- building
ExprPtr MakeConst(Type type, Datum value);
ExprPtr MakeBool(bool value);
ExprPtr MakeNull(Type type);
ExprPtr MakeColumn(uint32_t slot, Type type);
ExprPtr MakeOuterColumn(uint32_t level, uint32_t slot, Type type);
ExprPtr MakeParam(uint32_t slot, Type type);
// The function's result type, or `type` where that is polymorphic. args have the types it takes.
ExprPtr MakeCall(const Function* function, std::vector<ExprPtr> args, Type type);
// Flattens; one argument comes back as it is, none is TRUE.
ExprPtr MakeAnd(std::vector<ExprPtr> args);
ExprPtr MakeOr(std::vector<ExprPtr> args);  // none is FALSE
ExprPtr MakeNot(ExprPtr arg);
ExprPtr Clone(const Expr& expr);

// ---- looking
// The same expression (locations do not count).
bool Equal(const Expr& a, const Expr& b);
uint64_t HashExpr(const Expr& expr);
// Calls for each node, parents first; false from the function skips its children.
void Visit(const Expr& expr, const std::function<bool(const Expr&)>& visit);
// Children first; may replace what it is given.
void Rewrite(ExprPtr* expr, const std::function<void(ExprPtr*)>& rewrite);
// Any of kColumn, kOuterColumn, kParam, kSubplan, kCaseValue, or a function that is not immutable:
// not a constant.
bool IsConstant(const Expr& expr);
bool HasColumns(const Expr& expr);  // kColumn
bool HasSubplans(const Expr& expr);
bool IsVolatile(const Expr& expr);  // random(), nextval(): must run once for each row, not be moved
// Splits a condition at its top-level ANDs.
void SplitConjuncts(ExprPtr expr, std::vector<ExprPtr>* out);
// Text for EXPLAIN and pg_get_expr: columns by `column_name(slot)`, "$slot" when empty.
std::string ToString(const Expr& expr,
                     const std::function<std::string(const Expr&)>& column_name = {});

// ---- evaluating
struct EvalContext;

// Evaluates kSubplan nodes: the executor's.
class SubplanRunner {
 public:
  virtual ~SubplanRunner() = default;
  virtual SqlStatus RunSubplan(const Expr& subplan, EvalContext& context, const Datum* row,
                               Datum* out) = 0;
};

// Of one running statement. Not thread-safe.
struct EvalContext {
  SessionContext* session = nullptr;  // null: functions that need it raise 0A000
  const std::vector<Datum>* params = nullptr;
  SubplanRunner* subplans = nullptr;
  // Rows of the enclosing queries, innermost last: level 1 is outer_rows.back().
  std::vector<const Datum*> outer_rows;
  const Datum* case_value = nullptr;
  int extra_float_digits = 1;
};

// The value of an expression over a row (null pointer: no columns). *out is overwritten.
SqlStatus EvalInto(const Expr& expr, EvalContext& context, const Datum* row, Datum* out);
inline SqlResult<Datum> Eval(const Expr& expr, EvalContext& context, const Datum* row) {
  Datum out;
  SQL_RETURN_IF_ERROR(EvalInto(expr, context, row, &out));
  return out;
}
inline SqlResult<Datum> Eval(const Expr& expr, EvalContext& context, const Row& row) {
  return Eval(expr, context, row.data());
}
// WHERE: true only for TRUE.
SqlStatus EvalPredicate(const Expr& expr, EvalContext& context, const Datum* row, bool* out);

// Replaces constant parts by their values. An error there (1/0) is left for run time, as CASE may
// never get to it. Stable functions (now()) stay. Simplifies AND, OR with constants.
void FoldConstants(ExprPtr* expr);

}  // namespace borealis::sql
