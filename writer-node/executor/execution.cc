// The top of an execution: streaming for what only reads, run-to-the-end with its two reasons to
// run again for what changes or locks rows.
#include "writer-node/executor/point_keys.h"
#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

// A statement that has been overtaken this often gives up with 40001: somebody else gets through
// each time.
constexpr int kTurnsMax = 64;

// The scan of an UPDATE or DELETE by whole primary keys, whose rows can be locked before they are
// read; else null.
const planner::PointGet* PointTarget(const planner::Plan& plan) {
  const planner::PlanNode* node = plan.root.get();
  while (node->kind == planner::NodeKind::kProject) {
    node = static_cast<const planner::Project*>(node)->child.get();
  }
  if (node->kind != planner::NodeKind::kUpdate && node->kind != planner::NodeKind::kDelete) {
    return nullptr;
  }
  const auto& dml = static_cast<const planner::DmlNode&>(*node);
  if (dml.child == nullptr || dml.child->kind != planner::NodeKind::kPointGet) return nullptr;
  const auto* get = static_cast<const planner::PointGet*>(dml.child.get());
  return get->table == dml.table && get->index == dml.table->primary.id ? get : nullptr;
}

txn::AccessKind TargetLock(const planner::Plan& plan) {
  const planner::PlanNode* node = plan.root.get();
  while (node->kind == planner::NodeKind::kProject) {
    node = static_cast<const planner::Project*>(node)->child.get();
  }
  if (node->kind != planner::NodeKind::kUpdate) return txn::AccessKind::kUpdate;
  const auto& update = static_cast<const planner::Update&>(*node);
  bool unique = update.changes_primary_key;
  for (IndexId id : update.changed_indexes) unique |= update.table->FindIndex(id)->unique;
  return unique ? txn::AccessKind::kUpdate : txn::AccessKind::kNoKeyUpdate;
}

}  // namespace

struct Execution::Impl {
  Impl(planner::PlanRef p, const ExecContext& context)
      : plan(std::move(p)), state(*plan, context) {}

  SqlStatus Start() {
    if (plan->read_only) {
      state.txn().BeginStatement();
      root = Build(&state, *plan->root);
      return root->Open();
    }
    savepoint = state.txn().SetSavepoint();
    SqlStatus status = RunWithTurns();
    if (!status.ok()) {
      rows.clear();
      state.rows_affected = 0;
      if (state.txn().active()) state.txn().RollbackTo(savepoint);
    }
    return status;
  }

  // Runs until the statement stands on a snapshot that it may answer from.
  SqlStatus RunWithTurns() {
    start_local = state.context.auto_commit && plan->point_access_only;
    state.txn().BeginStatement({.start_local = start_local});
    for (int turn = 0; turn < kTurnsMax; turn++) {
      SqlStatus status = RunOnce();
      if (state.txn().failure() == txn::FailureKind::kStaleStatement && !status.ok()) {
        // A new snapshot also in repeatable read: the old one is this statement's own.
        state.txn().RestartStatement();
        continue;
      }
      // An error of the transaction itself (conflict, deadlock, no quorum) needs no better
      // snapshot; an error or an emptiness that follows from what was read does.
      bool from_reads = status.ok() ? state.rows_affected == 0 && rows.empty()
                                    : state.txn().failure() == txn::FailureKind::kNone;
      if (!from_reads || !state.txn().active()) return status;
      auto check = state.txn().EnsureStrong();
      if (!check.ok()) return state.TxnError(check.status());
      if (*check == txn::Txn::StrongCheck::kStands) return Settle(status);
    }
    return SqlStatus("40001", "could not serialize access due to concurrent update")
        .WithDetail("The statement was overtaken by other transactions " +
                    std::to_string(kTurnsMax) + " times.")
        .WithHint("Run the transaction again.");
  }

  // A statement that found nothing to do leaves nothing behind that would have to be certified.
  SqlStatus Settle(SqlStatus status) {
    if (status.ok()) state.txn().RollbackTo(savepoint);
    return status;
  }

  SqlStatus RunOnce() {
    rows.clear();
    state.rows_affected = 0;
    state.certify_reads = start_local && !state.txn().snapshot_is_strong();
    state.locked_target = PointTarget(*plan);
    if (const planner::PointGet* target = PointTarget(*plan)) {
      SQL_ASSIGN_OR_RETURN(std::vector<Bytes> keys, PointKeys(&state, *target));
      for (const Bytes& key : keys) {
        auto locked = state.txn().Lock(key, TargetLock(*plan));
        if (!locked.ok()) return state.TxnError(locked.status());
      }
    }
    root = Build(&state, *plan->root);
    SQL_RETURN_IF_ERROR(root->Open());
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, root->Next(&row));
      if (!more) return {};
      SQL_RETURN_IF_ERROR(state.Charge(MemoryOf(row)));
      rows.push_back(row);
    }
  }

  planner::PlanRef plan;
  bool start_local = false;
  ExecState state;
  OperatorPtr root;
  txn::Savepoint savepoint = 0;
  std::vector<Row> rows;  // of what changes or locks
  size_t position = 0;
};

Execution::Execution(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Execution::~Execution() = default;

SqlResult<std::unique_ptr<Execution>> Execution::Start(planner::PlanRef plan,
                                                       const ExecContext& context) {
  auto impl = std::make_unique<Impl>(std::move(plan), context);
  SQL_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Execution>(new Execution(std::move(impl)));
}

SqlResult<bool> Execution::Next(Row* row) {
  if (impl_->plan->read_only) return impl_->root->Next(row);
  if (impl_->position == impl_->rows.size()) return false;
  row->swap(impl_->rows[impl_->position++]);
  return true;
}

uint64_t Execution::rows_affected() const {
  return impl_->state.rows_affected;
}
const planner::Plan& Execution::plan() const {
  return *impl_->plan;
}

}  // namespace borealis::executor
