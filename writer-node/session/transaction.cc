#include "writer-node/session/transaction.h"

#include "writer-node/executor/executor.h"

namespace borealis::session {

using sql::SqlResult;
using sql::SqlStatus;

SqlResult<txn::Isolation> IsolationFromText(const std::string& text) {
  if (text == "repeatable read") return txn::Isolation::kRepeatableRead;
  // As in PostgreSQL, read uncommitted behaves as read committed.
  if (text == "read committed" || text == "read uncommitted") return txn::Isolation::kReadCommitted;
  return sql::FeatureNotSupported("isolation level " + text)
      .WithHint("Use repeatable read or read committed.");
}

std::string_view IsolationText(parser::Isolation isolation) {
  switch (isolation) {
    case parser::Isolation::kReadUncommitted:
      return "read uncommitted";
    case parser::Isolation::kReadCommitted:
      return "read committed";
    case parser::Isolation::kRepeatableRead:
      return "repeatable read";
    case parser::Isolation::kSerializable:
      return "serializable";
  }
  return "";
}

TransactionBlock::TransactionBlock(txn::TxnManager* txns, Settings* settings,
                                   const env::Clock* clock, Warn warn)
    : txns_(txns), settings_(settings), clock_(clock), warn_(std::move(warn)) {}

pgwire::TransactionStatus TransactionBlock::status() const {
  if (state_ == State::kBlock) return pgwire::TransactionStatus::kInBlock;
  if (state_ == State::kFailed) return pgwire::TransactionStatus::kFailed;
  return pgwire::TransactionStatus::kIdle;
}

env::WallTime TransactionBlock::started() const {
  return state_ == State::kIdle ? clock_->Wall() : started_;
}

SqlStatus TransactionBlock::Start(State state) {
  const std::string isolation = settings_->Text(SettingId::kDefaultTransactionIsolation);
  SQL_ASSIGN_OR_RETURN(isolation_, IsolationFromText(isolation));
  read_only_ = settings_->Bool(SettingId::kDefaultTransactionReadOnly);
  settings_->SetInternal(SettingId::kTransactionIsolation, isolation);
  settings_->SetInternal(SettingId::kTransactionReadOnly, read_only_ ? "on" : "off");
  txn::TxnOptions options;
  options.isolation = isolation_;
  options.consistency = settings_->Text(SettingId::kReadConsistency) == "local"
                            ? txn::ReadConsistency::kLocal
                            : txn::ReadConsistency::kStrong;
  options.read_only = read_only_;
  options.quorum_wait = std::chrono::milliseconds(settings_->Int(SettingId::kQuorumWait));
  options.lock_timeout = std::chrono::milliseconds(settings_->Int(SettingId::kLockTimeout));
  options.bytes_max = static_cast<size_t>(settings_->Int(SettingId::kBytesMax)) * 1024;
  options.min_version = last_commit_;
  txn_ = txns_->Begin(options);
  started_ = clock_->Wall();
  has_ddl_ = false;
  state_ = state;
  return {};
}

SqlStatus TransactionBlock::StartImplicit() {
  return state_ == State::kIdle ? Start(State::kImplicit) : SqlStatus();
}

SqlStatus TransactionBlock::CheckUsable() const {
  if (state_ != State::kFailed) return {};
  return {"25P02",
          "current transaction is aborted, commands ignored until end of transaction block"};
}

void TransactionBlock::End(bool committed) {
  txn_.reset();  // rolls back what is still active
  points_.clear();
  has_ddl_ = false;
  state_ = State::kIdle;
  settings_->EndTransaction(committed);
}

// A block with savepoints keeps its transaction, as ROLLBACK TO may take it up again; the executor
// has undone the statement itself. Without one the locks go at once: nothing can bring the
// transaction back.
void TransactionBlock::Fail() {
  if (state_ == State::kImplicit || state_ == State::kIdle) return End(false);
  state_ = State::kFailed;
  if (points_.empty() && txn_ != nullptr) {
    txn_->Rollback();
    txn_.reset();
  }
}

SqlStatus TransactionBlock::Begin(const parser::TransactionModes& modes) {
  if (state_ == State::kBlock) {
    warn_("25001", "there is already a transaction in progress");
    return SetModes(modes);
  }
  // Several statements of one simple query: what ran before BEGIN becomes part of the block.
  if (state_ == State::kImplicit) {
    state_ = State::kBlock;
  } else {
    SQL_RETURN_IF_ERROR(Start(State::kBlock));
  }
  SqlStatus status = SetModes(modes);
  if (!status.ok()) End(false);
  return status;
}

SqlStatus TransactionBlock::SetModes(const parser::TransactionModes& modes) {
  if (modes.isolation) {
    const std::string text(IsolationText(*modes.isolation));
    SQL_ASSIGN_OR_RETURN(txn::Isolation isolation, IsolationFromText(text));
    if (!points_.empty() && isolation != isolation_) {
      return {"25001", "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction"};
    }
    if (!txn_->SetIsolation(isolation).ok()) {
      return {"25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query"};
    }
    isolation_ = isolation;
    settings_->SetInternal(SettingId::kTransactionIsolation, text);
  }
  if (modes.read_only) {
    if (read_only_ && !*modes.read_only && !txn_->SetReadOnly(false).ok()) {
      return {"25001", "transaction read-write mode must be set before any query"};
    }
    // From here on the planner's word counts (25006); the transaction may refuse this late.
    if (*modes.read_only) (void)txn_->SetReadOnly(true).ok();
    read_only_ = *modes.read_only;
    settings_->SetInternal(SettingId::kTransactionReadOnly, read_only_ ? "on" : "off");
  }
  return {};
}

SqlStatus TransactionBlock::FinishCommit(const catalog::CatalogSnapshot* names) {
  Result<txn::CommitResult> result = txn_->Commit();
  SqlStatus status;
  if (!result.ok()) status = executor::FromTxn(result.status(), *txn_, names);
  if (result.ok()) last_commit_ = std::max(last_commit_, result->version);
  End(status.ok());
  return status;
}

SqlStatus TransactionBlock::Commit(bool chain, const catalog::CatalogSnapshot* names,
                                   std::string* tag) {
  *tag = "COMMIT";
  if (chain && state_ != State::kBlock && state_ != State::kFailed) {
    return {"25P01", "COMMIT AND CHAIN can only be used in transaction blocks"};
  }
  const parser::TransactionModes modes{isolation_ == txn::Isolation::kReadCommitted
                                           ? parser::Isolation::kReadCommitted
                                           : parser::Isolation::kRepeatableRead,
                                       read_only_, std::nullopt};
  switch (state_) {
    case State::kIdle:
      warn_("25P01", "there is no transaction in progress");
      return {};
    case State::kImplicit:
      warn_("25P01", "there is no transaction in progress");
      return FinishCommit(names);
    case State::kFailed:
      *tag = "ROLLBACK";
      End(false);
      break;
    case State::kBlock:
      SQL_RETURN_IF_ERROR(FinishCommit(names));
      break;
  }
  return chain ? Begin(modes) : SqlStatus();
}

SqlStatus TransactionBlock::Rollback(bool chain) {
  if (chain && state_ != State::kBlock && state_ != State::kFailed) {
    return {"25P01", "ROLLBACK AND CHAIN can only be used in transaction blocks"};
  }
  const parser::TransactionModes modes{isolation_ == txn::Isolation::kReadCommitted
                                           ? parser::Isolation::kReadCommitted
                                           : parser::Isolation::kRepeatableRead,
                                       read_only_, std::nullopt};
  if (state_ == State::kIdle || state_ == State::kImplicit) {
    warn_("25P01", "there is no transaction in progress");
  }
  End(false);
  return chain ? Begin(modes) : SqlStatus();
}

std::optional<size_t> TransactionBlock::FindPoint(const std::string& name) const {
  for (size_t i = points_.size(); i > 0; --i) {
    if (points_[i - 1].name == name) return i - 1;
  }
  return std::nullopt;
}

SqlStatus TransactionBlock::SetSavepoint(const std::string& name) {
  if (state_ != State::kBlock) {
    return {"25P01", "SAVEPOINT can only be used in transaction blocks"};
  }
  if (points_.size() >= 10000) return {"53000", "too many savepoints in one transaction"};
  points_.push_back({name, txn_->SetSavepoint(), settings_->SetMark()});
  return {};
}

SqlStatus TransactionBlock::Release(const std::string& name) {
  if (state_ != State::kBlock) {
    return {"25P01", "RELEASE SAVEPOINT can only be used in transaction blocks"};
  }
  std::optional<size_t> at = FindPoint(name);
  if (!at) return {"3B001", "savepoint \"" + name + "\" does not exist"};
  points_.resize(*at);
  return {};
}

SqlStatus TransactionBlock::RollbackTo(const std::string& name) {
  if (state_ != State::kBlock && state_ != State::kFailed) {
    return {"25P01", "ROLLBACK TO SAVEPOINT can only be used in transaction blocks"};
  }
  std::optional<size_t> at = FindPoint(name);
  if (!at) return {"3B001", "savepoint \"" + name + "\" does not exist"};
  points_.resize(*at + 1);
  txn_->RollbackTo(points_.back().savepoint);
  settings_->RollbackTo(points_.back().settings);
  state_ = State::kBlock;
  return {};
}

SqlStatus TransactionBlock::CommitImplicit(const catalog::CatalogSnapshot* names) {
  return state_ == State::kImplicit ? FinishCommit(names) : SqlStatus();
}

void TransactionBlock::Abandon() {
  End(false);
}

}  // namespace borealis::session
