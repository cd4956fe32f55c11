// Where a row and its index entries stand: the keys of docs/formats/catalog.md ("Rows and
// entries").
//
//   row            key = prefix(primary index), its columns       value = common/sql/row.h
//   unique entry   key = prefix(index), its columns               value = the columns of the
//   primary key other entry    key = prefix(index), its columns, the columns of the primary key
//   value empty
// A unique entry with a NULL in its columns is written as "other", since NULLs never collide.
//
// Used by the executor for DML and scans, and by DDL for building indexes.
#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/sql/key.h"
#include "common/sql/row.h"
#include "common/wire/keys.h"
#include "writer-node/catalog/descriptors.h"

namespace borealis::catalog {

// What encoding an index needs of its table, computed once. Borrows nothing.
class IndexCodec {
 public:
  // Of the primary index too.
  IndexCodec(const TableDescriptor& table, const IndexDescriptor& index);

  ByteView prefix() const { return prefix_; }
  bool unique() const { return unique_; }
  size_t column_count() const { return columns_.size(); }
  // Position in TableDescriptor::columns of each index column.
  const std::vector<int>& positions() const { return positions_; }
  const std::vector<sql::KeyColumn>& columns() const { return columns_; }

  // Whether one of the index's columns is NULL in the row (values by column position).
  bool HasNull(const sql::Datum* row) const;
  // The columns only, without prefix: what a unique entry keeps of the primary key.
  void AppendColumns(const sql::Datum* row, Bytes* out) const;
  // prefix and columns.
  Bytes Key(const sql::Datum* row) const;
  // The same from values in the index's order; fewer values than columns give the prefix of a
  // range.
  Bytes KeyOfValues(const std::vector<sql::Datum>& values) const;
  // The columns of an entry or row key back into their positions. kCorruption.
  Status DecodeColumns(ByteView key, sql::Datum* row) const;
  // What follows the index's columns in the key: the primary key's columns, or empty. kCorruption.
  Result<ByteView> AfterColumns(ByteView key) const;

 private:
  Bytes prefix_;
  bool unique_;
  std::vector<sql::KeyColumn> columns_;
  std::vector<int> positions_;
};

struct IndexEntry {
  Bytes key;
  Bytes value;
  // Two rows cannot have it: a write takes UPDATE on it. Otherwise it is written unchecked.
  bool exclusive = false;
};

// All codecs of a table. Borrows the descriptor.
class TableCodec {
 public:
  explicit TableCodec(const TableDescriptor& table);

  const TableDescriptor& table() const { return *table_; }
  const IndexCodec& primary() const { return primary_; }
  const IndexCodec& index(IndexId id) const;  // requires that it exists; the primary one too

  Bytes PrimaryKey(const sql::Datum* row) const { return primary_.Key(row); }
  Bytes EncodeRow(const sql::Datum* row) const;
  IndexEntry Entry(const IndexDescriptor& index, const sql::Datum* row) const;
  // The key of the row that an entry of a secondary index points at. kCorruption.
  Result<Bytes> RowKeyOf(const IndexCodec& index, ByteView entry_key, ByteView entry_value) const;

 private:
  const TableDescriptor* table_;
  IndexCodec primary_;
  std::vector<std::pair<IndexId, IndexCodec>> secondary_;
  std::vector<sql::RowColumn> row_columns_;
};

// All columns of a table, for a RowDecoder.
std::vector<sql::RowColumn> RowColumnsOf(const TableDescriptor& table);

}  // namespace borealis::catalog
