// Running one statement in its transaction; running it again when it lost.
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

// A lost single-statement transaction is run again after a pause: uniform up to a cap that doubles
// from 1 ms to 32 ms, and halves again beyond the sixth turn. So a crowd on one row spreads out
// first, and whoever has lost most waits least.
constexpr int kGrowingTurns = 6;
constexpr env::Duration kRetryTimeMax = std::chrono::seconds(5);

env::Duration PauseCap(int attempt) {
  const int exponent = attempt < kGrowingTurns ? attempt : 2 * kGrowingTurns - 1 - attempt;
  return std::chrono::milliseconds(1) * (1 << std::max(exponent, 0));
}

}  // namespace

void Session::BeginStatement() {
  running_ = true;
  state_changed_ = services_.loop->clock().Wall();
  cancel_ = terminate_ ? CancelReason::kTerminate : CancelReason::kNone;
  statement_started_ = state_changed_;
  statement_began_ = services_.loop->clock().Monotonic();
  statement_catalog_ = nullptr;
  const int64_t limit = settings_.Int(SettingId::kStatementTimeout);
  if (limit == 0) return;
  timeout_timer_ = services_.loop->RunAfter(std::chrono::milliseconds(limit), [this] {
    timeout_timer_ = env::TimerId::kNone;
    if (!running_ || cancel_ != CancelReason::kNone) return;
    cancel_ = CancelReason::kTimeout;
    cancel_event_.NotifyAll();
    if (block_.txn() != nullptr) block_.txn()->Cancel();
  });
}

void Session::EndStatement() {
  running_ = false;
  state_changed_ = services_.loop->clock().Wall();
  if (timeout_timer_ != env::TimerId::kNone) services_.loop->Cancel(timeout_timer_);
  timeout_timer_ = env::TimerId::kNone;
  SessionMetrics& metrics = manager_->metrics();
  metrics.statements.Add();
  metrics.statement_micros.Record(
      static_cast<uint64_t>((services_.loop->clock().Monotonic() - statement_began_).count()));
}

sql::SqlStatus Session::CheckCancel() {
  switch (cancel_) {
    case CancelReason::kNone:
      return {};
    case CancelReason::kUser:
      return {"57014", "canceling statement due to user request"};
    case CancelReason::kTimeout:
      return {"57014", "canceling statement due to statement timeout"};
    case CancelReason::kTerminate:
      return {"57P01", "terminating connection due to administrator command"};
  }
  return {};
}

sql::SqlStatus Session::Explain(SqlStatus status) const {
  if (status.ok() || status.sqlstate() != "57014") return status;
  SqlStatus why = const_cast<Session*>(this)->CheckCancel();
  return why.ok() ? status : why;
}

sql::SqlStatus Session::RunInTransaction(const Work& work, bool auto_commit, Outcome* outcome) {
  if (auto_commit) return RunAutoCommit(work, outcome);
  // Work that ends a failed block looks at the state itself (utility.cc).
  if (block_.state() == IdleState()) SQL_RETURN_IF_ERROR(block_.StartImplicit());
  return work(outcome);
}

sql::SqlStatus Session::RunAutoCommit(const Work& work, Outcome* outcome) {
  pgwire::Encoder& out = connection_.out();
  const size_t mark = out.size();
  const uint64_t sent = connection_.bytes_sent();
  for (int attempt = 0;; ++attempt) {
    *outcome = {};
    SQL_RETURN_IF_ERROR(block_.StartImplicit());
    SqlStatus status = work(outcome);
    StopRuns();
    // The work may have ended the transaction itself, or opened a block.
    if (status.ok()) status = block_.CommitImplicit(statement_catalog_.get());
    if (status.ok()) {
      manager_->metrics().commits.Add();
      return status;
    }
    block_.Fail();
    // Rows, notices and COPY's invitation that went out cannot be taken back.
    const bool unseen = connection_.bytes_sent() == sent && out.size() >= mark;
    if (!unseen || !IsRetryable(status) || !BackOff(attempt, statement_began_)) return status;
    out.TruncateTo(mark);
    statement_catalog_ = nullptr;
    SQL_RETURN_IF_ERROR(CatchUp());
  }
}

// A statement that starts at the local version would lose again to the same commit for as long as
// the stream has not brought it here.
sql::SqlStatus Session::CatchUp() {
  storage_client::Storage* storage = services_.txns->storage();
  const std::chrono::milliseconds wait(settings_.Int(SettingId::kQuorumWait));
  SQL_ASSIGN_OR_RETURN_BASE(Version version, storage->ReadIndex(wait));
  SQL_RETURN_IF_BASE_ERROR(storage->WaitForLocal(version, wait));
  return {};
}

bool Session::BackOff(int attempt, env::MonotonicTime began) {
  if (attempt >= settings_.Int(SettingId::kRetriesMax) || cancel_ != CancelReason::kNone)
    return false;
  if (services_.loop->clock().Monotonic() - began > kRetryTimeMax) return false;
  manager_->metrics().retries.Add();
  const auto cap = static_cast<uint64_t>(PauseCap(attempt).count());
  const env::Duration pause(static_cast<int64_t>(services_.random->Uniform(cap) + 1));
  // Either the time is over, or the statement was cancelled.
  return cancel_event_.WaitFor(pause).code() == Code::kDeadlineExceeded;
}

sql::SqlStatus Session::RunPortal(Portal* portal, int64_t limit, bool auto_commit,
                                  Outcome* outcome) {
  if (portal->query->statement == nullptr) {
    outcome->empty = true;
    return {};
  }
  if (IsPlanned(*portal->query->statement)) {
    SQL_RETURN_IF_ERROR(block_.CheckUsable());
    return RunPlanned(portal, limit, auto_commit, outcome);
  }
  if (!portal->done) {
    SQL_RETURN_IF_ERROR(RunUtility(portal, auto_commit, outcome));
    portal->tag = outcome->tag;
    portal->done = true;
  }
  // Rows of SHOW, EXPLAIN, FETCH, EXECUTE.
  int64_t count = 0;
  sql::Row row;
  while (!portal->kept.empty()) {
    if (limit > 0 && count == limit) {
      outcome->suspended = true;
      return {};
    }
    SQL_RETURN_IF_ERROR(SendRow(*portal, portal->kept.front()));
    portal->kept.pop_front();
    ++count;
  }
  outcome->tag = portal->tag;
  return {};
}

void Session::StopRuns() {
  for (auto& [name, portal] : portals_) {
    portal.run.reset();
    portal.done = portal.done || portal.started;
  }
}

// Portals and cursors end with their transaction.
void Session::DropTransactionPortals() {
  portals_.clear();
}

}  // namespace borealis::session
