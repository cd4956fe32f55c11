#include <algorithm>

#include "writer-node/executor/dml.h"

namespace borealis::executor {

namespace {

class UpdateOp final : public DmlOp {
 public:
  UpdateOp(ExecState* state, const planner::Update& node) : DmlOp(state, node), update_(node) {
    for (const catalog::IndexDescriptor& index : table().secondary) {
      const auto& changed = update_.changed_indexes;
      bool touched = update_.changes_primary_key ||
                     std::find(changed.begin(), changed.end(), index.id) != changed.end();
      if (touched) indexes_.push_back(&index);
      changes_unique_ |= touched && index.unique;
    }
    changes_unique_ |= update_.changes_primary_key;
  }

 protected:
  SqlStatus Run() override {
    SQL_ASSIGN_OR_RETURN(std::vector<Change> changes, Compute());
    for (const Change& change : changes) SQL_RETURN_IF_ERROR(LockRow(change));
    // What goes away first: a key that one row leaves is free for another row of the statement.
    for (const Change& change : changes) SQL_RETURN_IF_ERROR(RemoveOldKeys(change));
    SQL_RETURN_IF_ERROR(RequireNewKeysFree(changes));
    for (const Change& change : changes) {
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      SQL_RETURN_IF_ERROR(WriteChange(change));
      SQL_RETURN_IF_ERROR(Return(change.new_row, change.child));
    }
    std::vector<const Row*> news, olds;
    for (const Change& change : changes) {
      news.push_back(&change.new_row);
      olds.push_back(&change.old_row);
    }
    SQL_RETURN_IF_ERROR(CheckOutbound(state_, node_, news));
    return CheckInbound(state_, node_, olds);
  }

 private:
  struct Change {
    Row old_row, new_row, child;
    Bytes old_key, new_key;
  };

  SqlResult<std::vector<Change>> Compute() {
    SQL_ASSIGN_OR_RETURN(std::vector<Row> inputs, ChildRows());
    const size_t columns = table().columns.size();
    std::vector<Change> changes;
    std::unordered_set<std::string> seen;  // a row that FROM joins twice is updated once
    for (Row& input : inputs) {
      Change change;
      change.old_row.assign(input.begin(), input.begin() + static_cast<ptrdiff_t>(columns));
      change.old_key = codec().PrimaryKey(change.old_row.data());
      if (inputs.size() > 1 && !seen.insert(change.old_key).second) continue;
      change.new_row = change.old_row;
      for (const auto& [column, expr] : update_.set) {
        SQL_RETURN_IF_ERROR(sql::EvalInto(*expr, state_->eval, input.data(),
                                          &change.new_row[static_cast<size_t>(column)]));
      }
      SQL_RETURN_IF_ERROR(CheckRow(change.new_row));
      change.new_key =
          update_.changes_primary_key ? codec().PrimaryKey(change.new_row.data()) : change.old_key;
      SQL_RETURN_IF_ERROR(state_->Charge(MemoryOf(change.new_row)));
      change.child = std::move(input);
      changes.push_back(std::move(change));
    }
    return changes;
  }

  txn::AccessKind RowKind() const {
    return changes_unique_ ? txn::AccessKind::kUpdate : txn::AccessKind::kNoKeyUpdate;
  }

  SqlStatus LockRow(const Change& change) {
    auto locked = txn().Lock(change.old_key, RowKind());
    return locked.ok() ? SqlStatus() : state_->TxnError(locked.status());
  }

  SqlStatus RemoveOldKeys(const Change& change) {
    if (change.new_key != change.old_key) {
      SQL_RETURN_IF_ERROR(Delete(change.old_key, txn::AccessKind::kUpdate));
    }
    for (const catalog::IndexDescriptor* index : indexes_) {
      catalog::IndexEntry before = codec().Entry(*index, change.old_row.data());
      catalog::IndexEntry after = codec().Entry(*index, change.new_row.data());
      if (before.key == after.key) continue;
      SQL_RETURN_IF_ERROR(Delete(before.key, before.exclusive ? txn::AccessKind::kUpdate
                                                              : txn::AccessKind::kWriteUnchecked));
    }
    return {};
  }

  SqlStatus RequireNewKeysFree(const std::vector<Change>& changes) {
    if (!changes_unique_) return {};
    std::vector<NewKey> keys;
    for (const Change& change : changes) {
      if (change.new_key != change.old_key) {
        keys.push_back({change.new_key, &table().primary, &change.new_row});
      }
      for (const catalog::IndexDescriptor* index : indexes_) {
        catalog::IndexEntry before = codec().Entry(*index, change.old_row.data());
        catalog::IndexEntry after = codec().Entry(*index, change.new_row.data());
        if (after.exclusive && before.key != after.key) {
          keys.push_back({std::move(after.key), index, &change.new_row});
        }
      }
    }
    return RequireFree(keys);
  }

  SqlStatus WriteChange(const Change& change) {
    SQL_RETURN_IF_ERROR(Put(change.new_key, codec().EncodeRow(change.new_row.data()), RowKind()));
    for (const catalog::IndexDescriptor* index : indexes_) {
      catalog::IndexEntry before = codec().Entry(*index, change.old_row.data());
      catalog::IndexEntry after = codec().Entry(*index, change.new_row.data());
      if (before.key == after.key && before.value == after.value) continue;
      SQL_RETURN_IF_ERROR(
          Put(after.key, after.value,
              after.exclusive ? txn::AccessKind::kUpdate : txn::AccessKind::kWriteUnchecked));
    }
    return {};
  }

  const planner::Update& update_;
  std::vector<const catalog::IndexDescriptor*> indexes_;  // whose entries may change
  bool changes_unique_ = false;
};

class DeleteOp final : public DmlOp {
 public:
  DeleteOp(ExecState* state, const planner::Delete& node) : DmlOp(state, node) {}

 protected:
  SqlStatus Run() override {
    SQL_ASSIGN_OR_RETURN(std::vector<Row> inputs, ChildRows());
    const auto columns = static_cast<ptrdiff_t>(table().columns.size());
    std::unordered_set<std::string> seen;
    std::vector<Row> rows;
    for (const Row& input : inputs) {
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      Row row(input.begin(), input.begin() + columns);
      if (inputs.size() > 1 && !seen.insert(codec().PrimaryKey(row.data())).second) continue;
      SQL_RETURN_IF_ERROR(EraseOld(row));
      SQL_RETURN_IF_ERROR(Return(row, input));
      if (!node_.inbound.empty()) rows.push_back(std::move(row));
    }
    std::vector<const Row*> olds;
    for (const Row& row : rows) olds.push_back(&row);
    return CheckInbound(state_, node_, olds);
  }
};

}  // namespace

OperatorPtr BuildUpdate(ExecState* state, const planner::Update& node) {
  return std::make_unique<UpdateOp>(state, node);
}

OperatorPtr BuildDelete(ExecState* state, const planner::Delete& node) {
  return std::make_unique<DeleteOp>(state, node);
}

}  // namespace borealis::executor
