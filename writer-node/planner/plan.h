// The physical plan of one statement: what the executor runs.
//
// A Plan is immutable once made and holds no state of an execution: the plan cache shares it
// between sessions and threads. It borrows nothing; table descriptors are shared with the catalog.
//
// Rows and slots. Each node yields rows of `columns.size()` values. An expression of a node reads
// its input row by sql::Expr column slots: slot i is the i-th value of
//   - a scan:              its own output row (all columns of the table, in the descriptor's order;
//                          those not in `needed` may be left NULL)
//   - a node with a child: the child's row
//   - a join:              the left child's row followed by the right child's
// A node computes its output row as its comment says.
//
// Parameters. kParam's slot n - 1 is parameter n. $1..$user_params come from the client. Numbers
// from user_params + 1 to total_params are internal: a nested loop or a subplan sets them from its
// current row before its inner side is opened (again), and expressions inside read them as
// parameters. They never hold a value across executions. kOuterColumn does not occur in a plan.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/sql/expr.h"
#include "common/sql/functions.h"
#include "common/sql/types.h"
#include "writer-node/catalog/descriptors.h"
#include "writer-node/catalog/snapshot.h"
#include "writer-node/parser/ast.h"

namespace borealis::planner {

struct PlanNode;
using PlanPtr = std::unique_ptr<PlanNode>;
using sql::ExprPtr;

enum class NodeKind : uint8_t {
  kResult,
  kValues,
  kTableScan,
  kIndexScan,
  kPointGet,
  kVirtualScan,
  kFunctionScan,
  kFilter,
  kProject,
  kNestedLoop,
  kLookupJoin,
  kHashJoin,
  kAggregate,
  kDistinct,
  kSort,
  kLimit,
  kSetOp,
  kMaterialize,
  kLockRows,
  kInsert,
  kUpdate,
  kDelete,
};

// Where an output column comes from, for RowDescription; zeros: computed.
struct ColumnOrigin {
  uint32_t table_oid = 0;
  int16_t attnum = 0;
};

struct OutputColumn {
  std::string name;
  sql::Type type;
  ColumnOrigin origin = {};  // only of a plan's columns
};

struct PlanNode {
  explicit PlanNode(NodeKind k) : kind(k) {}
  virtual ~PlanNode() = default;
  const NodeKind kind;
  std::vector<OutputColumn> columns;  // of the rows it yields
  double rows = 1;                    // expected
  double cost = 0;                    // to the last row, in rows touched
};

// internal parameter `number` := value of `expr` over the outer row
struct ParamBinding {
  int number = 0;
  ExprPtr expr;
};

// -------------------------------------------------------------------------------------- leaves

// One row, computed from parameters alone. Nothing at all when `filter` is not true.
struct Result final : PlanNode {
  Result() : PlanNode(NodeKind::kResult) {}
  std::vector<ExprPtr> exprs;
  ExprPtr filter;  // may be null
};

struct Values final : PlanNode {
  Values() : PlanNode(NodeKind::kValues) {}
  std::vector<std::vector<ExprPtr>> rows_exprs;
};

// What every access to a stored table has.
struct TableAccess {
  catalog::TablePtr table;
  std::string alias;         // for EXPLAIN
  std::vector<bool> needed;  // by column position; false: may be left NULL
  ExprPtr filter;            // over the table's row; may be null
  // SELECT ... FOR UPDATE and the target of UPDATE and DELETE: the rows that pass are locked (their
  // accesses recorded) by the node above that changes or locks them; nothing for the scan to do.
};

// All rows of the table in the primary key's order.
struct TableScan final : PlanNode, TableAccess {
  TableScan() : PlanNode(NodeKind::kTableScan) {}
  bool backward = false;
};

// Rows whose whole key of a unique index is given. A key with a NULL finds nothing. Duplicates
// among the keys yield their row once. Order of the output: that of the keys when `keys.size() ==
// 1` and there is no array; else unspecified.
struct PointGet final : PlanNode, TableAccess {
  PointGet() : PlanNode(NodeKind::kPointGet) {}
  IndexId index;
  // Each: one expression over parameters for each column of the index, of the column's type.
  std::vector<std::vector<ExprPtr>> keys;
  // key column position, when >= 0, is an array whose elements are the values (id = ANY($1)); then
  // there is exactly one element in `keys`, holding the array expression there.
  int array_column = -1;
};

// A bound of the first index column behind the equality prefix.
struct RangeBound {
  ExprPtr value;  // over parameters, of the column's type; NULL: the range is empty
  bool inclusive = true;
};

// Rows in the index's order. `equal` fixes the first columns; `lower` and `upper` bound the next
// one (in terms of the column's values, whatever its direction in the index). NULLs never satisfy a
// bound.
struct IndexScan final : PlanNode, TableAccess {
  IndexScan() : PlanNode(NodeKind::kIndexScan) {}
  IndexId index;
  std::vector<ExprPtr> equal;
  std::optional<RangeBound> lower;
  std::optional<RangeBound> upper;
  bool backward = false;
  // Only columns of the index and of the primary key are needed: the rows need not be read.
  bool index_only = false;
};

// A table of pg_catalog or information_schema.
struct VirtualScan final : PlanNode, TableAccess {
  VirtualScan() : PlanNode(NodeKind::kVirtualScan) {}
};

// A set-returning function in FROM. Yields the function's columns, then the ordinal (int8) if asked
// for.
struct FunctionScan final : PlanNode {
  FunctionScan() : PlanNode(NodeKind::kFunctionScan) {}
  const sql::Function* function = nullptr;  // returns_set
  std::vector<sql::TypeOid> arg_types;      // as resolved
  std::vector<ExprPtr> args;  // over parameters; a strict function with a NULL: no rows
  ExprPtr scalar;             // instead of a function: one row of this value
  bool ordinality = false;
  std::string alias;
};

// ---------------------------------------------------------------------------------- one child

struct UnaryNode : PlanNode {
  using PlanNode::PlanNode;
  PlanPtr child;
};

// The child's rows for which it is true.
struct Filter final : UnaryNode {
  Filter() : UnaryNode(NodeKind::kFilter) {}
  ExprPtr condition;
};

// One row of `exprs` for each of the child's.
struct Project final : UnaryNode {
  Project() : UnaryNode(NodeKind::kProject) {}
  std::vector<ExprPtr> exprs;
};

struct SortKey {
  int slot = 0;  // of the child's row
  bool descending = false;
  bool nulls_first = false;
};

// The child's rows in order (stable not promised); with `limit` only the first limit + offset of
// them need be kept (the Limit above still cuts).
struct Sort final : UnaryNode {
  Sort() : UnaryNode(NodeKind::kSort) {}
  std::vector<SortKey> keys;
  ExprPtr limit;   // over parameters; null: all
  ExprPtr offset;  // over parameters; null: 0
};

// A NULL limit is none; a negative one is 2201W, a negative offset 2201X.
struct Limit final : UnaryNode {
  Limit() : UnaryNode(NodeKind::kLimit) {}
  ExprPtr limit;
  ExprPtr offset;
};

struct AggregateCall {
  const sql::Aggregate* aggregate = nullptr;
  std::vector<sql::TypeOid> arg_types;  // as resolved
  std::vector<ExprPtr> args;            // over the child's row; none for count(*)
  bool distinct = false;
  ExprPtr filter;                 // may be null
  std::vector<ExprPtr> order_by;  // over the child's row; order_keys[i].slot = i
  std::vector<SortKey> order_keys;
  sql::Type type;  // of the result
};

// Groups by the values of `keys`; yields the keys, then the calls' results. Without keys exactly
// one row, also of no input (`plain`). NULLs are one group. Order unspecified.
struct Aggregate final : UnaryNode {
  Aggregate() : UnaryNode(NodeKind::kAggregate) {}
  std::vector<ExprPtr> keys;
  std::vector<AggregateCall> calls;
  bool plain = false;
};

// The first row of each group of equal values in `slots` (empty: all columns), in the child's
// order.
struct Distinct final : UnaryNode {
  Distinct() : UnaryNode(NodeKind::kDistinct) {}
  std::vector<int> slots;
};

// The child's rows, kept for as long as one opening of the NestedLoop above, which reads them again
// for each left row.
struct Materialize final : UnaryNode {
  Materialize() : UnaryNode(NodeKind::kMaterialize) {}
};

// SELECT ... FOR UPDATE and its like: locks the rows of these tables, found by their primary key at
// the given slots; passes the child's rows on.
struct LockTarget {
  catalog::TablePtr table;
  std::vector<int> key_slots;  // of the primary index's columns, in its order
  parser::LockStrength strength = parser::LockStrength::kUpdate;
  parser::LockWait wait = parser::LockWait::kBlock;
};
struct LockRows final : UnaryNode {
  LockRows() : UnaryNode(NodeKind::kLockRows) {}
  std::vector<LockTarget> targets;
};

// --------------------------------------------------------------------------------------- joins

enum class JoinKind : uint8_t { kInner, kLeft, kRight, kFull, kSemi, kAnti };

// Semi and anti joins yield the left row; the others left and right (NULLs for the absent side).
struct JoinNode : PlanNode {
  using PlanNode::PlanNode;
  JoinKind join = JoinKind::kInner;
  PlanPtr left;
  ExprPtr condition;  // beside the keys, over left and right; null: true
};

// For each left row: sets `bindings`, opens the right side again. kInner, kLeft, kSemi, kAnti.
struct NestedLoop final : JoinNode {
  NestedLoop() : JoinNode(NodeKind::kNestedLoop) {}
  PlanPtr right;
  std::vector<ParamBinding> bindings;  // over the left row
};

// For each left row: the rows of `table` whose first columns of `index` equal `keys` (over the left
// row, of the columns' types; a NULL finds nothing), that pass `filter` (over the table's row). The
// executor looks up many left rows at a time; the left order is kept. kInner, kLeft, kSemi, kAnti.
struct LookupJoin final : JoinNode, TableAccess {
  LookupJoin() : JoinNode(NodeKind::kLookupJoin) {}
  IndexId index;
  std::vector<ExprPtr> keys;
  bool unique = false;  // at most one row for each key
};

// Builds a hash table of the right side. Keys are equal by the types' equality; NULLs match
// nothing. All join kinds. Without keys (FULL only) every pair meets.
struct HashJoin final : JoinNode {
  HashJoin() : JoinNode(NodeKind::kHashJoin) {}
  PlanPtr right;
  std::vector<ExprPtr> left_keys;   // over the left row
  std::vector<ExprPtr> right_keys;  // over the right row; types equal to the left's
  // NOT IN: a NULL key on either side makes the anti join's answer unknown, so the left row is
  // dropped.
  bool null_aware = false;
};

// UNION ALL appends; the others compare whole rows, NULLs being equal.
struct SetOp final : PlanNode {
  SetOp() : PlanNode(NodeKind::kSetOp) {}
  parser::SetOp op = parser::SetOp::kUnion;
  bool all = false;
  PlanPtr left;
  PlanPtr right;
};

// ------------------------------------------------------------------------- changes of tables

struct CheckConstraint {
  std::string name;
  ExprPtr condition;  // over the table's row; false (not NULL) is 23514
};

// What INSERT, UPDATE and DELETE have in common. Yields `returning` for each changed row, computed
// over the table's row (new for INSERT and UPDATE, old for DELETE) followed by the child's row. The
// child is read to its end before the first change: a statement never meets its own changes.
struct DmlNode : UnaryNode {
  using UnaryNode::UnaryNode;
  catalog::TablePtr table;
  std::string alias;
  std::vector<CheckConstraint> checks;
  std::vector<ExprPtr> returning;  // empty: none (columns is empty then)
  // Foreign keys to look at: this table's own constraints whose columns change (positions in
  // table->constraints, and the table they point at), and those of others that point at columns
  // that change.
  struct OutboundKey {
    size_t constraint = 0;
    catalog::TablePtr parent;
  };
  std::vector<OutboundKey> outbound;
  std::vector<catalog::InboundForeignKey> inbound;
};

enum class ConflictAction : uint8_t { kError, kNothing, kUpdate };
struct Insert final : DmlNode {
  Insert() : DmlNode(NodeKind::kInsert) {}
  // For each column of the table, in order, its value over the child's row (defaults included; the
  // executor fills a hidden row id, whose expression is null).
  std::vector<ExprPtr> values;
  ConflictAction on_conflict = ConflictAction::kError;
  // The unique index that decides (kUpdate always has one; kNothing without: any unique index).
  std::optional<IndexId> conflict_index;
  // kUpdate: column position := expression over (existing row, the row proposed for insertion).
  std::vector<std::pair<int, ExprPtr>> conflict_set;
  ExprPtr conflict_where;  // over the same; may be null
};

// The child yields the old row (all columns of the table), followed by columns of FROM.
struct Update final : DmlNode {
  Update() : DmlNode(NodeKind::kUpdate) {}
  std::vector<std::pair<int, ExprPtr>> set;  // column position := expression over the child's row
  // The indexes whose columns `set` changes; others need no new entry.
  std::vector<IndexId> changed_indexes;
  bool changes_primary_key = false;
};

// The child yields the old row, followed by columns of USING.
struct Delete final : DmlNode {
  Delete() : DmlNode(NodeKind::kDelete) {}
};

// ----------------------------------------------------------------------------------- the plan

// A sub-select inside an expression: sql::ExprKind::kSubplan, whose slot is the position in
// Plan::subplans and whose subplan_kind says what it makes of the rows. It has one column (kExists:
// any number), of which ANY and ALL compare each value with args[0] by `function`.
struct Subplan {
  PlanPtr plan;
  std::vector<ParamBinding>
      bindings;  // over the row of the expression; empty: run once, keep the answer
};

struct TableDependency {
  TableId table;
  uint32_t schema_version = 0;
};

enum class CommandKind : uint8_t { kSelect, kInsert, kUpdate, kDelete };

struct Plan {
  CommandKind command = CommandKind::kSelect;
  PlanPtr root;
  std::vector<Subplan> subplans;
  // The columns for the client: those of the root, of which the first `visible` are sent.
  std::vector<OutputColumn> columns;
  size_t visible = 0;
  std::vector<sql::Type> param_types;  // $1..
  int user_params = 0;
  int total_params = 0;
  bool read_only = true;  // changes and locks nothing
  // Each stored table is read by whole keys of unique indexes only, and by no more than a few: the
  // statement has no range to certify. With one DML node above: the fast auto-commit path.
  bool point_access_only = false;
  // Stored tables it was made for: if any is now at another schema version, or gone, plan again.
  std::vector<TableDependency> dependencies;
  // It read names that another schema object could take (search path): plan again when the path
  // differs.
  std::vector<std::string> search_path;
};
using PlanRef = std::shared_ptr<const Plan>;

// PostgreSQL's EXPLAIN as lines: "Index Scan using t_pkey on t  (cost=0.00..1.00 rows=1)".
std::vector<std::string> ExplainPlan(const Plan& plan, bool costs = true, bool verbose = false);

}  // namespace borealis::planner
