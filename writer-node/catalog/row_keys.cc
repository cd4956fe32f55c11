#include "writer-node/catalog/row_keys.h"

namespace borealis::catalog {

IndexCodec::IndexCodec(const TableDescriptor& table, const IndexDescriptor& index)
    : prefix_(wire::MakeKeyPrefix(wire::Keyspace::kUser, table.id, index.id)),
      unique_(index.unique || index.primary) {
  for (const IndexColumn& column : index.columns) {
    int position = table.ColumnPosition(column.column);
    BOREALIS_CHECK(position >= 0);
    const ColumnDescriptor& descriptor = table.columns[static_cast<size_t>(position)];
    columns_.push_back(
        {sql::Type{descriptor.type_oid, descriptor.typmod}, column.descending, column.nulls_first});
    positions_.push_back(position);
  }
}

bool IndexCodec::HasNull(const sql::Datum* row) const {
  for (int position : positions_) {
    if (row[position].is_null()) return true;
  }
  return false;
}

void IndexCodec::AppendColumns(const sql::Datum* row, Bytes* out) const {
  for (size_t i = 0; i < columns_.size(); i++) {
    sql::EncodeKeyColumn(columns_[i], row[positions_[i]], out);
  }
}

Bytes IndexCodec::Key(const sql::Datum* row) const {
  Bytes key = prefix_;
  AppendColumns(row, &key);
  return key;
}

Bytes IndexCodec::KeyOfValues(const std::vector<sql::Datum>& values) const {
  BOREALIS_CHECK(values.size() <= columns_.size());
  Bytes key = prefix_;
  for (size_t i = 0; i < values.size(); i++) sql::EncodeKeyColumn(columns_[i], values[i], &key);
  return key;
}

Status IndexCodec::DecodeColumns(ByteView key, sql::Datum* row) const {
  ByteView rest = wire::KeySuffix(key);
  for (size_t i = 0; i < columns_.size(); i++) {
    RETURN_IF_ERROR(sql::DecodeKeyColumn(columns_[i], &rest, &row[positions_[i]]));
  }
  return Status::Ok();
}

Result<ByteView> IndexCodec::AfterColumns(ByteView key) const {
  ByteView rest = wire::KeySuffix(key);
  for (const sql::KeyColumn& column : columns_) {
    RETURN_IF_ERROR(sql::SkipKeyColumn(column, &rest));
  }
  return rest;
}

TableCodec::TableCodec(const TableDescriptor& table)
    : table_(&table), primary_(table, table.primary), row_columns_(RowColumnsOf(table)) {
  for (const IndexDescriptor& index : table.secondary) {
    secondary_.emplace_back(index.id, IndexCodec(table, index));
  }
}

const IndexCodec& TableCodec::index(IndexId id) const {
  if (id == table_->primary.id) return primary_;
  for (const auto& [index, codec] : secondary_) {
    if (index == id) return codec;
  }
  CheckFailed("the table has the index", __FILE__, __LINE__);
}

Bytes TableCodec::EncodeRow(const sql::Datum* row) const {
  Bytes out;
  sql::EncodeRow(table_->schema_version, row_columns_, row, &out);
  return out;
}

IndexEntry TableCodec::Entry(const IndexDescriptor& index, const sql::Datum* row) const {
  const IndexCodec& codec = this->index(index.id);
  IndexEntry entry;
  entry.key = codec.Key(row);
  if (codec.unique() && !codec.HasNull(row)) {
    entry.exclusive = true;
    primary_.AppendColumns(row, &entry.value);
  } else {
    primary_.AppendColumns(row, &entry.key);
  }
  return entry;
}

Result<Bytes> TableCodec::RowKeyOf(const IndexCodec& index, ByteView entry_key,
                                   ByteView entry_value) const {
  ASSIGN_OR_RETURN(ByteView suffix, index.AfterColumns(entry_key));
  if (suffix.empty()) suffix = entry_value;
  if (suffix.empty()) {
    return Corruption("table " + table_->name + ": an index entry names no row, key " +
                      ToHex(entry_key));
  }
  Bytes key(primary_.prefix());
  key += suffix;
  return key;
}

std::vector<sql::RowColumn> RowColumnsOf(const TableDescriptor& table) {
  std::vector<sql::RowColumn> columns;
  for (const ColumnDescriptor& column : table.columns) {
    columns.push_back({column.id, sql::Type{column.type_oid, column.typmod}});
  }
  return columns;
}

}  // namespace borealis::catalog
