#include "writer-node/executor/dml.h"
#include "writer-node/executor/insert_rows.h"

namespace borealis::executor {

namespace {

// Rows that are locked, looked up and written together.
constexpr size_t kBatchRows = 1024;

class InsertOp final : public DmlOp, public RowInserter {
 public:
  InsertOp(ExecState* state, const planner::Insert& node) : DmlOp(state, node), insert_(node) {}

  SqlStatus InsertAll(const std::vector<Row>& inputs) override {
    // ON CONFLICT must see each row it inserted itself, so it goes row by row.
    const size_t step = insert_.on_conflict == planner::ConflictAction::kError ? kBatchRows : 1;
    for (size_t from = 0; from < inputs.size(); from += step) {
      size_t to = std::min(inputs.size(), from + step);
      std::vector<Row> rows;
      for (size_t i = from; i < to; i++) {
        SQL_ASSIGN_OR_RETURN(Row row, NewRow(inputs[i]));
        rows.push_back(std::move(row));
      }
      SQL_RETURN_IF_ERROR(step == 1 ? InsertOrResolve(rows[0], inputs[from])
                                    : InsertBatch(rows, inputs, from));
    }
    return {};
  }

  SqlStatus CheckForeignKeys() override {
    std::vector<const Row*> rows;
    for (const Row& row : written_) rows.push_back(&row);
    SQL_RETURN_IF_ERROR(CheckOutbound(state_, node_, rows));
    rows.clear();
    for (const Row& row : replaced_) rows.push_back(&row);
    return CheckInbound(state_, node_, rows);
  }

  uint64_t count() const override { return state_->rows_affected; }

 protected:
  SqlStatus Run() override {
    written_.clear();
    replaced_.clear();
    SQL_ASSIGN_OR_RETURN(std::vector<Row> inputs, ChildRows());
    SQL_RETURN_IF_ERROR(InsertAll(inputs));
    return CheckForeignKeys();
  }

 private:
  SqlResult<Row> NewRow(const Row& input) {
    Row row(table().columns.size());
    for (size_t i = 0; i < row.size(); i++) {
      if (insert_.values[i] == nullptr) {
        SQL_ASSIGN_OR_RETURN_BASE(int64_t id, state_->context.catalog->NewRowId());
        row[i] = Datum::Int(id);
        continue;
      }
      SQL_RETURN_IF_ERROR(sql::EvalInto(*insert_.values[i], state_->eval, input.data(), &row[i]));
    }
    SQL_RETURN_IF_ERROR(CheckRow(row));
    return row;
  }

  // The primary key and every unique entry of a new row.
  std::vector<NewKey> KeysOf(const Row& row) {
    std::vector<NewKey> keys{{codec().PrimaryKey(row.data()), &table().primary, &row}};
    for (const catalog::IndexDescriptor& index : table().secondary) {
      catalog::IndexEntry entry = codec().Entry(index, row.data());
      if (entry.exclusive) keys.push_back({std::move(entry.key), &index, &row});
    }
    return keys;
  }

  SqlStatus InsertBatch(const std::vector<Row>& rows, const std::vector<Row>& inputs, size_t from) {
    std::vector<NewKey> keys;
    for (const Row& row : rows) {
      for (NewKey& key : KeysOf(row)) keys.push_back(std::move(key));
    }
    SQL_RETURN_IF_ERROR(RequireFree(keys));
    for (size_t i = 0; i < rows.size(); i++) {
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      SQL_RETURN_IF_ERROR(WriteNew(rows[i]));
      SQL_RETURN_IF_ERROR(Return(rows[i], inputs[from + i]));
      SQL_RETURN_IF_ERROR(Remember(rows[i]));
    }
    return {};
  }

  SqlStatus Remember(const Row& row) {
    if (insert_.outbound.empty()) return {};
    SQL_RETURN_IF_ERROR(state_->Charge(MemoryOf(row)));
    written_.push_back(row);
    return {};
  }

  // One row, with INSERT ... ON CONFLICT.
  SqlStatus InsertOrResolve(const Row& row, const Row& input) {
    std::vector<NewKey> keys = KeysOf(row);
    std::vector<Bytes> bytes;
    for (const NewKey& key : keys) {
      auto locked = txn().Lock(key.key, txn::AccessKind::kUpdate);
      if (!locked.ok()) return state_->TxnError(locked.status());
      bytes.push_back(key.key);
    }
    auto found = txn().MultiGet(bytes);
    if (!found.ok()) return state_->TxnError(found.status());
    // The conflict target first: a row that exists under it is the conflict that was asked about,
    // whichever other keys the same row (or another) holds.
    for (size_t i = 0; i < keys.size(); i++) {
      if (!(*found)[i].has_value()) continue;
      bool decides =
          !insert_.conflict_index.has_value() || *insert_.conflict_index == keys[i].index->id;
      if (!decides) continue;
      if (insert_.on_conflict == planner::ConflictAction::kNothing) return {};
      return UpdateExisting(keys[i], *(*found)[i], row, input);
    }
    for (size_t i = 0; i < keys.size(); i++) {
      if ((*found)[i].has_value()) return DuplicateKey(keys[i]);
    }
    SQL_RETURN_IF_ERROR(WriteNew(row));
    touched_.insert(keys[0].key);
    SQL_RETURN_IF_ERROR(Return(row, input));
    return Remember(row);
  }

  // DO UPDATE: `value` is what stands under the key that is taken.
  SqlStatus UpdateExisting(const NewKey& key, const Bytes& value, const Row& proposed,
                           const Row& input) {
    Bytes row_key = key.key;
    Bytes row_bytes = value;
    if (!key.index->primary) {
      SQL_ASSIGN_OR_RETURN_BASE(row_key,
                                codec().RowKeyOf(codec().index(key.index->id), key.key, value));
      // Locked before it is read, and also when WHERE then passes it over: the statement's answer
      // follows from this row, so certification has to know of it.
      auto locked = txn().Lock(row_key, txn::AccessKind::kUpdate);
      if (!locked.ok()) return state_->TxnError(locked.status());
      auto row = txn().Get(row_key);
      if (!row.ok()) return state_->TxnError(row.status());
      if (!row->has_value())
        return sql::InternalError("an index entry names a row that is not there");
      row_bytes = **row;
    }
    if (!touched_.insert(row_key).second) {
      return SqlStatus("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time")
          .WithHint(
              "Ensure that no rows proposed for insertion within the same command have duplicate "
              "constrained values.");
    }
    Row existing(table().columns.size());
    SQL_RETURN_IF_BASE_ERROR(
        sql::RowDecoder(catalog::RowColumnsOf(table())).Decode(row_bytes, existing.data()));
    Row both = existing;
    both.insert(both.end(), proposed.begin(), proposed.end());
    SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(insert_.conflict_where, both));
    if (!passes) return {};
    Row changed = existing;
    for (const auto& [column, expr] : insert_.conflict_set) {
      SQL_RETURN_IF_ERROR(
          sql::EvalInto(*expr, state_->eval, both.data(), &changed[static_cast<size_t>(column)]));
    }
    SQL_RETURN_IF_ERROR(CheckRow(changed));
    SQL_RETURN_IF_ERROR(EraseOld(existing));
    SQL_RETURN_IF_ERROR(RequireFree(KeysOf(changed)));
    SQL_RETURN_IF_ERROR(WriteNew(changed));
    SQL_RETURN_IF_ERROR(Return(changed, input));
    if (!insert_.inbound.empty()) {
      SQL_RETURN_IF_ERROR(state_->Charge(MemoryOf(existing)));
      replaced_.push_back(std::move(existing));
    }
    return Remember(changed);
  }

  const planner::Insert& insert_;
  std::vector<Row> written_;                 // for foreign keys; empty when there are none
  std::vector<Row> replaced_;                // by DO UPDATE, for foreign keys that point here
  std::unordered_set<std::string> touched_;  // row keys, for ON CONFLICT DO UPDATE
};

}  // namespace

OperatorPtr BuildInsert(ExecState* state, const planner::Insert& node) {
  return std::make_unique<InsertOp>(state, node);
}

std::unique_ptr<RowInserter> MakeRowInserter(ExecState* state, const planner::Insert& node) {
  return std::make_unique<InsertOp>(state, node);
}

}  // namespace borealis::executor
