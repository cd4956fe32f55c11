// The registry of functions, operators, casts and aggregates. Built once, at first use, and
// immutable then.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/sql/datum.h"
#include "common/sql/error.h"
#include "common/sql/expr.h"

namespace borealis::sql {

enum class Volatility : uint8_t { kImmutable, kStable, kVolatile };

// What a body sees of its call.
struct CallInfo {
  EvalContext& context;
  const Function& function;
  std::span<const ExprPtr>
      args;  // the argument expressions: their types, for polymorphic functions
  Type result;
};

// args: `n` values, n = the number of arguments of the call. A strict function sees no null. *out
// is null on entry.
using FunctionBody = SqlStatus (*)(CallInfo& call, const Datum* args, size_t n, Datum* out);

struct Function {
  uint32_t oid =
      0;  // PostgreSQL's pg_proc OID where it matters, else a number of our own from 90000 on
  std::string_view name;      // "lower"; of an operator: its implementing name, "int4pl"
  std::string_view op;        // "+" when it is an operator
  std::vector<TypeOid> args;  // a prefix operator has one
  TypeOid result = 0;
  bool strict = true;
  bool variadic = false;     // the last argument type repeats, one or more times
  bool returns_set = false;  // table function: see TableFunction
  uint8_t defaults = 0;      // that many trailing arguments may be left out
  Volatility volatility = Volatility::kImmutable;
  FunctionBody body = nullptr;
  // Inlined by the evaluator for speed; 0 = none. See eval.cc.
  uint8_t fast = 0;
};

// ---- look-up, PostgreSQL's chapter 10
struct ResolvedFunction {
  const Function* function = nullptr;
  std::vector<TypeOid> arg_types;  // what each given argument must be coerced to; one each
  TypeOid result = 0;              // polymorphic ones resolved
};

// `schema` empty or "pg_catalog". An argument type kUnknown is an untyped literal or parameter.
// 42883 with PostgreSQL's message and HINT, 42725 when ambiguous.
SqlResult<ResolvedFunction> ResolveFunction(std::string_view name, std::span<const TypeOid> args);
// left 0 = prefix operator.
SqlResult<ResolvedFunction> ResolveOperator(std::string_view op, TypeOid left, TypeOid right);
// All functions and operators, for pg_proc and pg_operator.
std::span<const Function> AllFunctions();
const Function* FindFunction(std::string_view name, std::span<const TypeOid> exact_args);
bool FunctionExists(std::string_view name);
// The "=" (or "<") of a type with itself; null if it has none.
const Function* EqualityOf(TypeOid type);
const Function* LessThanOf(TypeOid type);
// A comparison operator's commuted form ("<" -> ">") and negator; empty if none.
std::string_view CommutedOperator(std::string_view op);
std::string_view NegatedOperator(std::string_view op);

// ---- casts
// Each includes those before it.
enum class CastContext : uint8_t { kImplicit, kAssignment, kExplicit };
enum class CastMethod : uint8_t { kNone, kRelabel, kFunction, kIo };
struct Cast {
  CastMethod method = CastMethod::kNone;
  const Function* function = nullptr;
};
// kNone when there is no such cast in that context. Equal types: kRelabel. Arrays: not here
// (coerce.h).
Cast FindCast(TypeOid from, TypeOid to, CastContext context);
bool CanCoerce(TypeOid from, TypeOid to, CastContext context);
struct CastEntry {
  TypeOid from, to;
  CastContext context;
  Cast cast;
};
std::span<const CastEntry> AllCasts();  // pg_cast

// ---- aggregates
enum class AggregateKind : uint8_t {
  kCountStar,
  kCount,
  kSumInt8,
  kSumNumeric,
  kSumInt8AsNumeric,
  kSumDouble,
  kAvgNumeric,
  kAvgDouble,
  kMin,
  kMax,
  kBoolAnd,
  kBoolOr,
  kStringAgg,
  kArrayAgg,
  kStddev,
  kVariance,
  kStddevPop,
  kVariancePop,
};
struct Aggregate {
  uint32_t oid = 0;
  std::string_view name;
  std::vector<TypeOid> args;
  TypeOid result = 0;
  AggregateKind kind = AggregateKind::kCount;
};
struct ResolvedAggregate {
  const Aggregate* aggregate = nullptr;
  std::vector<TypeOid> arg_types;
  TypeOid result = 0;
};
bool IsAggregate(std::string_view name);
// count(*): star. Errors as ResolveFunction's.
SqlResult<ResolvedAggregate> ResolveAggregate(std::string_view name, bool star,
                                              std::span<const TypeOid> args);
std::span<const Aggregate> AllAggregates();

// The state of one aggregate over one group. DISTINCT, FILTER and ORDER BY are the executor's.
class AggregateState {
 public:
  virtual ~AggregateState() = default;
  virtual SqlStatus Add(const Datum* args) = 0;
  // May be called once.
  virtual SqlResult<Datum> Finish() = 0;
  virtual size_t memory_bytes() const { return 64; }
};
// arg_types: as resolved.
std::unique_ptr<AggregateState> MakeAggregateState(const Aggregate& aggregate,
                                                   std::span<const TypeOid> arg_types);

// ---- table functions: generate_series, unnest and the like
struct TableFunctionColumn {
  std::string name;
  Type type;
};
// Iterates the rows of one call.
class TableFunctionRows {
 public:
  virtual ~TableFunctionRows() = default;
  // False at the end; fills `row` (resized to the columns).
  virtual SqlResult<bool> Next(Row* row) = 0;
};
bool IsTableFunction(std::string_view name);
// Its columns for resolved argument types (the function has returns_set).
std::vector<TableFunctionColumn> TableFunctionColumns(const Function& function, TypeOid result);
SqlResult<std::unique_ptr<TableFunctionRows>> OpenTableFunction(const Function& function,
                                                                std::vector<Datum> args,
                                                                std::span<const TypeOid> arg_types);

}  // namespace borealis::sql
