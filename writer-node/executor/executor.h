// Runs a plan within a transaction.
//
//   ExecContext context{.txn = ..., .catalog = ..., .params = &values, ...};
//   SQL_ASSIGN_OR_RETURN(auto run, Execution::Start(plan, context));
//   sql::Row row;
//   for (;;) { SQL_ASSIGN_OR_RETURN(bool more, run->Next(&row)); if (!more) break; ... }
//
// SELECT streams: Start opens the plan and each Next pulls a row, so a portal with a row limit
// simply stops pulling. What changes or locks rows runs to its end within Start, and Next hands out
// RETURNING's rows: only a finished statement can be run again, and two rules of transactions ask
// for that (docs/design/transactions.md):
//   - an auto-commit write that started at the local version must be made strong before it answers
//     zero rows or an error that follows from a read;
//   - in read committed, a statement that waited for a row which then changed runs on a newer
//   snapshot.
// Both end after a bounded number of turns.
//
// A failed execution leaves the transaction as the statement found it: its writes are undone by
// savepoint.
//
// Threads: a fiber of the writer's loop; storage reads block the fiber.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/sql/datum.h"
#include "common/sql/error.h"
#include "common/sql/session_context.h"
#include "writer-node/catalog/catalog.h"
#include "writer-node/catalog/virtual_tables.h"
#include "writer-node/planner/plan.h"
#include "writer-node/txn/txn.h"

namespace borealis::executor {

// What an execution borrows from its session, for its whole life.
struct ExecContext {
  txn::Txn* txn = nullptr;
  catalog::Catalog* catalog = nullptr;  // row ids, descriptors' READ accesses
  catalog::SnapshotPtr snapshot;        // the catalog that the plan was made for
  sql::SessionContext* session = nullptr;
  const catalog::VirtualContext* virtual_tables = nullptr;  // settings, activity; may be null
  const std::vector<sql::Datum>* params = nullptr;  // $1.., of the plan's types; may be null
  // The transaction is this statement only, and nothing went to the client: an eligible plan
  // (Plan::point_access_only) may start at the local version.
  bool auto_commit = false;
  size_t memory_max = 256u << 20;  // of hash tables, sorts and kept rows; then 53200
  int extra_float_digits = 1;
};

class Execution {
 public:
  // 40001, 40P01, 23505 and all other errors of statements. BeginStatement was called for this
  // statement by nobody else.
  static sql::SqlResult<std::unique_ptr<Execution>> Start(planner::PlanRef plan,
                                                          const ExecContext& context);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // False at the end. The row has Plan::columns.size() values, of which Plan::visible are for the
  // client.
  sql::SqlResult<bool> Next(sql::Row* row);
  // Rows inserted, updated or deleted: the number in the command tag.
  uint64_t rows_affected() const;
  const planner::Plan& plan() const;

 private:
  struct Impl;
  explicit Execution(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a failed transaction call means to the client: the SQLSTATE, and for a lost certification a
// DETAIL that names the table, the key and the writer that won. `snapshot` names tables.
sql::SqlStatus FromTxn(const Status& status, const txn::Txn& txn,
                       const catalog::CatalogSnapshot* snapshot);

// "(id, name)=(1, x)" for a key of one of the table's indexes; hex when it does not decode.
std::string DescribeKey(const catalog::TableDescriptor& table, IndexId index, ByteView key);

}  // namespace borealis::executor
