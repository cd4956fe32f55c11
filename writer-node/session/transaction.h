// The transaction block of a session: PostgreSQL's state machine over one txn::Txn.
//
//   kIdle      no transaction
//   kImplicit  one that no BEGIN opened: a single statement, several of one simple query, or those
//   of
//              an extended query up to Sync
//   kBlock     between BEGIN and its end
//   kFailed    a block whose transaction is lost; only its end, or ROLLBACK TO, is accepted (25P02)
//
// It also ends what SET changed (settings.h) together with the transaction. Used by its session's
// fiber.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/env/clock.h"
#include "common/sql/error.h"
#include "writer-node/catalog/catalog.h"
#include "writer-node/parser/ast.h"
#include "writer-node/pgwire/messages.h"
#include "writer-node/session/settings.h"
#include "writer-node/txn/txn.h"

namespace borealis::session {

class TransactionBlock {
 public:
  enum class State : uint8_t { kIdle, kImplicit, kBlock, kFailed };
  // (SQLSTATE, text) of a WARNING for the client.
  using Warn = std::function<void(std::string, std::string)>;

  // Borrows all of them.
  TransactionBlock(txn::TxnManager* txns, Settings* settings, const env::Clock* clock, Warn warn);

  State state() const { return state_; }
  pgwire::TransactionStatus status() const;
  // Null in kIdle, and in kFailed unless a savepoint can bring it back.
  txn::Txn* txn() { return txn_.get(); }
  // Of the first statement; now when idle.
  env::WallTime started() const;
  bool read_only() const { return read_only_; }
  txn::Isolation isolation() const { return isolation_; }
  // The transaction wrote to the catalog, so its own view of it is needed.
  bool has_ddl() const { return has_ddl_; }
  void set_has_ddl() { has_ddl_ = true; }

  // kIdle -> kImplicit, with the session's defaults. 0A000 for an isolation level that is not
  // there.
  sql::SqlStatus StartImplicit();
  // One statement is about to run: 25P02 in a failed block.
  sql::SqlStatus CheckUsable() const;
  // A statement failed: an implicit transaction is over, a block has failed.
  void Fail();

  // ---- the statements
  sql::SqlStatus Begin(const parser::TransactionModes& modes);
  // The tag is COMMIT or, for a failed block, ROLLBACK. With an error the transaction is over as
  // well.
  sql::SqlStatus Commit(bool chain, const catalog::CatalogSnapshot* names, std::string* tag);
  sql::SqlStatus Rollback(bool chain);
  sql::SqlStatus SetSavepoint(const std::string& name);
  sql::SqlStatus Release(const std::string& name);
  sql::SqlStatus RollbackTo(const std::string& name);
  // SET TRANSACTION.
  sql::SqlStatus SetModes(const parser::TransactionModes& modes);

  // Ends an implicit transaction: at the end of a simple query, at Sync. No effect in other states.
  sql::SqlStatus CommitImplicit(const catalog::CatalogSnapshot* names);
  // The session ends.
  void Abandon();

 private:
  struct Point {
    std::string name;
    txn::Savepoint savepoint = 0;
    Settings::Mark settings = 0;
  };
  sql::SqlStatus Start(State state);
  sql::SqlStatus FinishCommit(const catalog::CatalogSnapshot* names);
  void End(bool committed);
  std::optional<size_t> FindPoint(const std::string& name) const;

  txn::TxnManager* const txns_;
  Settings* const settings_;
  const env::Clock* const clock_;
  const Warn warn_;
  State state_ = State::kIdle;
  std::unique_ptr<txn::Txn> txn_;
  txn::Isolation isolation_ = txn::Isolation::kRepeatableRead;
  bool read_only_ = false;
  bool has_ddl_ = false;
  // The session sees its own writes, also with borealis.read_consistency = local.
  Version last_commit_;
  env::WallTime started_;
  std::vector<Point> points_;
};

// "repeatable read" and its like; 0A000 for serializable.
sql::SqlResult<txn::Isolation> IsolationFromText(const std::string& text);
std::string_view IsolationText(parser::Isolation isolation);

}  // namespace borealis::session
