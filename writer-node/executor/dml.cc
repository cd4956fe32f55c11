#include "writer-node/executor/dml.h"

#include "common/sql/io.h"

namespace borealis::executor {

DmlOp::DmlOp(ExecState* state, const planner::DmlNode& node)
    : state_(state),
      node_(node),
      codec_(state->codec(node.table)),
      child_(node.child == nullptr ? nullptr : Build(state, *node.child)) {}

SqlStatus DmlOp::Open() {
  returned_.clear();
  position_ = 0;
  Status used = catalog::Catalog::UseTable(state_->context.txn, table());
  if (!used.ok()) return state_->TxnError(used);
  return Run();
}

SqlResult<bool> DmlOp::Next(Row* row) {
  if (position_ == returned_.size()) return false;
  row->swap(returned_[position_++]);
  return true;
}

SqlResult<std::vector<Row>> DmlOp::ChildRows() {
  std::vector<Row> rows;
  if (child_ == nullptr) {
    rows.emplace_back();
    return rows;
  }
  SQL_RETURN_IF_ERROR(child_->Open());
  Row row;
  for (;;) {
    SQL_ASSIGN_OR_RETURN(bool more, child_->Next(&row));
    if (!more) return rows;
    SQL_RETURN_IF_ERROR(state_->Charge(MemoryOf(row)));
    rows.push_back(row);
  }
}

// As PostgreSQL's: the columns that a client may see, each cut to 64 bytes at a character's start.
std::string DmlOp::FailingRow(const Row& row) const {
  constexpr size_t kBytesShown = 64;
  sql::IoContext io;
  io.session = state_->context.session;
  io.extra_float_digits = state_->context.extra_float_digits;
  std::string out = "Failing row contains (";
  bool first = true;
  for (size_t i = 0; i < table().columns.size(); i++) {
    const catalog::ColumnDescriptor& column = table().columns[i];
    if (column.hidden) continue;
    if (!std::exchange(first, false)) out += ", ";
    std::string text = "null";
    if (!row[i].is_null()) {
      text.clear();
      sql::TextOutput({column.type_oid, column.typmod}, row[i], &text, io);
    }
    size_t size = std::min(text.size(), kBytesShown);
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    out.append(text, 0, size);
    if (size < text.size()) out += "...";
  }
  return out + ").";
}

SqlStatus DmlOp::CheckRow(const Row& row) {
  for (size_t i = 0; i < table().columns.size(); i++) {
    const catalog::ColumnDescriptor& column = table().columns[i];
    if (!column.not_null || column.hidden || !row[i].is_null()) continue;
    SqlStatus error("23502", "null value in column \"" + column.name + "\" of relation \"" +
                                 table().name + "\" violates not-null constraint");
    error.set_detail(FailingRow(row));
    error.mutable_error().column_name = column.name;
    error.mutable_error().table_name = table().name;
    error.mutable_error().schema_name = table().schema;
    return error;
  }
  for (const planner::CheckConstraint& check : node_.checks) {
    SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*check.condition, row));
    if (value.is_null() || value.is_true()) continue;
    SqlStatus error("23514", "new row for relation \"" + table().name +
                                 "\" violates check constraint \"" + check.name + "\"");
    error.set_detail(FailingRow(row));
    error.mutable_error().constraint_name = check.name;
    error.mutable_error().table_name = table().name;
    error.mutable_error().schema_name = table().schema;
    return error;
  }
  return {};
}

SqlStatus DmlOp::Return(const Row& row, const Row& child) {
  state_->rows_affected++;
  if (node_.returning.empty()) return {};
  Row input = row;
  input.insert(input.end(), child.begin(), child.end());
  Row output(node_.returning.size());
  for (size_t i = 0; i < output.size(); i++) {
    SQL_RETURN_IF_ERROR(sql::EvalInto(*node_.returning[i], state_->eval, input.data(), &output[i]));
  }
  SQL_RETURN_IF_ERROR(state_->Charge(MemoryOf(output)));
  returned_.push_back(std::move(output));
  return {};
}

std::string KeyText(const catalog::TableDescriptor& table, const std::vector<ColumnId>& columns,
                    const Row& row) {
  std::string names, values;
  for (ColumnId id : columns) {
    const catalog::ColumnDescriptor* column = table.FindColumn(id);
    size_t position = static_cast<size_t>(table.ColumnPosition(id));
    if (!names.empty()) names += ", ", values += ", ";
    names += column->name;
    const Datum& value = row[position];
    values +=
        value.is_null() ? "null" : sql::ToText(sql::Type{column->type_oid, column->typmod}, value);
  }
  return "Key (" + names + ")=(" + values + ")";
}

SqlStatus DmlOp::DuplicateKey(const NewKey& key) const {
  std::vector<ColumnId> columns;
  for (const catalog::IndexColumn& column : key.index->columns) columns.push_back(column.column);
  SqlStatus error("23505",
                  "duplicate key value violates unique constraint \"" + key.index->name + "\"");
  error.set_detail(KeyText(table(), columns, *key.row) + " already exists.");
  error.mutable_error().constraint_name = key.index->name;
  error.mutable_error().table_name = table().name;
  error.mutable_error().schema_name = table().schema;
  return error;
}

SqlStatus DmlOp::RequireFree(const std::vector<NewKey>& keys) {
  // The lock first and the look second: whoever held the lock has ended then, and a snapshot that
  // is taken only now sees what it left.
  std::vector<Bytes> bytes;
  bytes.reserve(keys.size());
  for (const NewKey& key : keys) {
    auto locked = txn().Lock(key.key, txn::AccessKind::kUpdate);
    if (!locked.ok()) return state_->TxnError(locked.status());
    bytes.push_back(key.key);
  }
  auto found = txn().MultiGet(bytes);
  if (!found.ok()) return state_->TxnError(found.status());
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < keys.size(); i++) {
    if ((*found)[i].has_value() || !seen.insert(bytes[i]).second) return DuplicateKey(keys[i]);
  }
  return {};
}

SqlStatus DmlOp::Put(const Bytes& key, const Bytes& value, txn::AccessKind kind) {
  Status status = txn().Put(key, value, kind);
  return status.ok() ? SqlStatus() : state_->TxnError(status);
}

SqlStatus DmlOp::Delete(const Bytes& key, txn::AccessKind kind) {
  Status status = txn().Delete(key, kind);
  return status.ok() ? SqlStatus() : state_->TxnError(status);
}

SqlStatus DmlOp::WriteNew(const Row& row) {
  SQL_RETURN_IF_ERROR(
      Put(codec_.PrimaryKey(row.data()), codec_.EncodeRow(row.data()), txn::AccessKind::kUpdate));
  for (const catalog::IndexDescriptor& index : table().secondary) {
    catalog::IndexEntry entry = codec_.Entry(index, row.data());
    SQL_RETURN_IF_ERROR(
        Put(entry.key, entry.value,
            entry.exclusive ? txn::AccessKind::kUpdate : txn::AccessKind::kWriteUnchecked));
  }
  return {};
}

SqlStatus DmlOp::EraseOld(const Row& row) {
  SQL_RETURN_IF_ERROR(Delete(codec_.PrimaryKey(row.data()), txn::AccessKind::kUpdate));
  for (const catalog::IndexDescriptor& index : table().secondary) {
    catalog::IndexEntry entry = codec_.Entry(index, row.data());
    SQL_RETURN_IF_ERROR(Delete(
        entry.key, entry.exclusive ? txn::AccessKind::kUpdate : txn::AccessKind::kWriteUnchecked));
  }
  return {};
}

OperatorPtr BuildDml(ExecState* state, const planner::DmlNode& node) {
  switch (node.kind) {
    case planner::NodeKind::kInsert:
      return BuildInsert(state, static_cast<const planner::Insert&>(node));
    case planner::NodeKind::kUpdate:
      return BuildUpdate(state, static_cast<const planner::Update&>(node));
    default:
      return BuildDelete(state, static_cast<const planner::Delete&>(node));
  }
}

}  // namespace borealis::executor
