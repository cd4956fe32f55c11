// Bound statements: names resolved, types known, not yet planned.
//
// Columns. Every column that a statement can see gets a number of its own, unique in the statement
// (BoundColumn::id): one for each column of each FROM item, each aggregate, each group key. An
// sql::Expr of a bound statement reads a column by that number in its column slot, at whatever
// depth of sub-select it stands: a sub-select is correlated when it reads a number of an outer
// query. The planner replaces the numbers by slots and internal parameters.
//
// Sub-selects in expressions stand in Statement::subqueries; the expression names one by its
// position.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/sql/expr.h"
#include "common/sql/functions.h"
#include "common/sql/types.h"
#include "writer-node/catalog/descriptors.h"
#include "writer-node/catalog/snapshot.h"
#include "writer-node/parser/ast.h"

namespace borealis::binder {

using sql::ExprPtr;

struct BoundColumn {
  int id = -1;
  std::string name;
  sql::Type type;
};

struct Query;
using QueryPtr = std::unique_ptr<Query>;

enum class FromKind : uint8_t { kTable, kSubquery, kFunction, kJoin };

struct From;
using FromPtr = std::unique_ptr<From>;

// An item of FROM. Its columns have ids; a join's are those of its sides.
struct From {
  FromKind kind = FromKind::kTable;
  std::string alias;
  std::vector<BoundColumn> columns;  // kTable: of all columns of the descriptor, in its order

  catalog::TablePtr table;  // kTable

  QueryPtr query;        // kSubquery: columns[i] is its i-th visible output
  bool lateral = false;  // kSubquery, kFunction: reads columns of items before it

  const sql::Function* function = nullptr;  // kFunction: a table function
  std::vector<sql::TypeOid> arg_types;
  std::vector<ExprPtr> args;
  ExprPtr scalar;  // kFunction: any other expression instead, one row
  bool ordinality = false;

  parser::JoinType join = parser::JoinType::kInner;  // kJoin
  FromPtr left;
  FromPtr right;
  ExprPtr on;  // may be null
};

struct OutputColumn {
  ExprPtr expr;
  std::string name;
  sql::Type type;
  // Where it comes from, for RowDescription; 0: computed.
  uint32_t table_oid = 0;
  int16_t attnum = 0;
};

struct SortSpec {
  int output = 0;  // position in Query::outputs
  bool descending = false;
  bool nulls_first = false;
};

struct AggregateSpec {
  int id = -1;  // the column that holds its result
  const sql::Aggregate* aggregate = nullptr;
  std::vector<sql::TypeOid> arg_types;
  std::vector<ExprPtr> args;
  bool distinct = false;
  ExprPtr filter;
  std::vector<std::pair<ExprPtr, SortSpec>> order_by;
  sql::Type type;
};

struct GroupKey {
  int id = -1;  // the column that holds it above the aggregation
  ExprPtr expr;
};

struct LockSpec {
  int relation_first_column = -1;  // id of the first column of the locked FROM item
  parser::LockStrength strength = parser::LockStrength::kUpdate;
  parser::LockWait wait = parser::LockWait::kBlock;
};

// A SELECT, VALUES or set operation.
struct Query {
  // Plain SELECT: the items of FROM are joined as a product.
  std::vector<FromPtr> from;
  ExprPtr where;
  bool aggregated = false;
  std::vector<GroupKey> group_by;
  std::vector<AggregateSpec> aggregates;
  ExprPtr having;
  std::vector<LockSpec> locks;

  // VALUES, when not empty: outputs[i].expr is null then.
  std::vector<std::vector<ExprPtr>> values;

  // Set operation: both sides have as many visible outputs, cast to this query's output types.
  parser::SetOp op = parser::SetOp::kNone;
  bool all = false;
  QueryPtr left;
  QueryPtr right;

  // Of any: the first `visible` are the answer, the others are for ORDER BY.
  std::vector<OutputColumn> outputs;
  size_t visible = 0;
  bool distinct = false;
  std::vector<int> distinct_on;  // positions in outputs
  std::vector<SortSpec> order_by;
  ExprPtr limit;
  ExprPtr offset;
};

// A sub-select inside an expression.
struct Subquery {
  QueryPtr query;
};

enum class ConflictAction : uint8_t { kError, kNothing, kUpdate };

struct BoundCheck {
  std::string name;
  ExprPtr condition;  // over the ids of `new_columns`
};

struct BoundInsert {
  catalog::TablePtr table;
  std::string alias;
  QueryPtr source;                          // null: one row of no columns
  std::vector<BoundColumn> source_columns;  // ids of the source's visible outputs
  std::vector<ExprPtr>
      values;  // for each column of the table, over source_columns; null: hidden row id
  std::vector<BoundColumn> new_columns;  // ids of the inserted (or updated) row
  std::vector<BoundCheck> checks;
  ConflictAction on_conflict = ConflictAction::kError;
  std::optional<IndexId> conflict_index;
  std::vector<BoundColumn> old_columns;       // the existing row
  std::vector<BoundColumn> excluded_columns;  // the proposed row
  std::vector<std::pair<int, ExprPtr>> conflict_set;
  ExprPtr conflict_where;
  std::vector<OutputColumn> returning;  // over new_columns
};

struct BoundUpdate {
  std::string alias;
  std::vector<FromPtr> from;  // the first is the target table
  ExprPtr where;
  std::vector<std::pair<int, ExprPtr>> set;  // column position := expression over the FROM columns
  std::vector<BoundColumn> new_columns;
  std::vector<BoundCheck> checks;
  std::vector<OutputColumn> returning;  // over new_columns and the columns of the other FROM items
};

struct BoundDelete {
  std::string alias;
  std::vector<FromPtr> from;  // the first is the target table
  ExprPtr where;
  std::vector<OutputColumn> returning;  // over the FROM columns
};

// SELECT, INSERT, UPDATE or DELETE: exactly one of the four is there.
struct Statement {
  QueryPtr select;
  std::unique_ptr<BoundInsert> insert;
  std::unique_ptr<BoundUpdate> update;
  std::unique_ptr<BoundDelete> remove;
  std::vector<Subquery> subqueries;
  std::vector<sql::Type> param_types;  // $1..$n
  int next_column_id = 0;              // ids below are taken
  std::vector<std::string> search_path;
  // Every stored table it names, and those of foreign keys that its changes must look at.
  std::vector<catalog::TablePtr> tables;
  std::vector<catalog::InboundForeignKey> inbound;  // of the changed table
  std::vector<catalog::TablePtr> outbound_parents;  // parallel to the changed table's constraints;
                                                    // null where it is no foreign key
};

}  // namespace borealis::binder
