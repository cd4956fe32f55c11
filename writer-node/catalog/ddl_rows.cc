// DDL that depends on data. All rows are read at the transaction's snapshot and the whole index is
// recorded as a READ, so this transaction commits only if none of it changed since; DML that
// started before and commits later carries READ on the descriptor that this transaction updates,
// and loses. docs/design/catalog.md has the argument.
#include <unordered_set>

#include "common/sql/io.h"
#include "writer-node/catalog/ddl.h"
#include "writer-node/catalog/encoding.h"
#include "writer-node/catalog/row_keys.h"

namespace borealis::catalog {
namespace {

constexpr size_t kProbesAtOnce = 512;

std::string Quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

// "Key (a, b)=(1, 2)".
std::string DescribeKey(const TableDescriptor& table, const std::vector<ColumnId>& columns,
                        const sql::Datum* values) {
  std::string names;
  std::string texts;
  for (ColumnId id : columns) {
    const auto position = static_cast<size_t>(table.ColumnPosition(id));
    const ColumnDescriptor& column = table.columns[position];
    if (!names.empty()) {
      names += ", ";
      texts += ", ";
    }
    names += column.name;
    texts += values[position].is_null()
                 ? "null"
                 : sql::ToText({column.type_oid, column.typmod}, values[position]);
  }
  return "Key (" + names + ")=(" + texts + ")";
}

std::vector<ColumnId> ColumnsOf(const IndexDescriptor& index) {
  std::vector<ColumnId> out;
  for (const IndexColumn& c : index.columns) out.push_back(c.column);
  return out;
}

}  // namespace

Status Ddl::ForEachRow(const TableDescriptor& table, const RowFunction& visit) {
  const Bytes prefix = wire::MakeKeyPrefix(wire::Keyspace::kUser, table.id, table.primary.id);
  txn::ScanSpec spec;
  spec.start = prefix;
  spec.end = wire::PrefixEnd(prefix);
  RETURN_IF_ERROR(txn_->AddReadRange(spec.start, spec.end));
  const std::vector<sql::RowColumn> columns = RowColumnsOf(table);
  const sql::RowDecoder decoder(columns);
  std::vector<sql::Datum> values(table.columns.size());
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const txn::ScanPage page, txn_->Scan(spec));
    for (const auto& row : page.rows) {
      RETURN_IF_ERROR(decoder.Decode(row.value, values.data()));
      RETURN_IF_ERROR(visit(row.key, row.value, values.data()));
    }
    more = page.more;
    spec.start = page.resume;
  }
  return Status::Ok();
}

Result<bool> Ddl::HasRows(const TableDescriptor& table) {
  const Bytes prefix = wire::MakeKeyPrefix(wire::Keyspace::kUser, table.id, table.primary.id);
  txn::ScanSpec spec;
  spec.start = prefix;
  spec.end = wire::PrefixEnd(prefix);
  RETURN_IF_ERROR(txn_->AddReadRange(spec.start, spec.end));
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const txn::ScanPage page, txn_->Scan(spec));
    if (!page.rows.empty()) return true;
    more = page.more;
    spec.start = page.resume;
  }
  return false;
}

// Entries of an index that nobody else can see yet need no check and no row lock: they are written
// unchecked, which still records them as modifications for whoever reads the range later from an
// older snapshot.
Status Ddl::FillIndex(const TableDescriptor& table, const IndexDescriptor& index) {
  const TableCodec codec(table);
  std::unordered_set<Bytes> seen;
  return ForEachRow(table, [&](ByteView, ByteView, const sql::Datum* values) -> Status {
    const IndexEntry entry = codec.Entry(index, values);
    if (entry.exclusive && !seen.insert(entry.key).second) {
      return Fail("23505", Code::kInvalidArgument,
                  "could not create unique index " + Quoted(index.name),
                  DescribeKey(table, ColumnsOf(index), values) + " is duplicated.");
    }
    return txn_->Put(entry.key, entry.value, wire::AccessKind::kWriteUnchecked);
  });
}

Status Ddl::RewriteIndexes(const TableDescriptor& old, TableDescriptor* table) {
  std::vector<std::pair<IndexId, IndexId>> renumbered;
  for (IndexDescriptor& index : table->secondary) {
    renumbered.emplace_back(index.id, table->next_index);
    index.id = table->next_index;
    table->next_index = table->next_index.Next();
  }
  for (ConstraintDescriptor& c : table->constraints) {
    const bool points_here = c.type != ConstraintType::kForeignKey || c.ref_table == table->id;
    for (const auto& [from, to] : renumbered) {
      if (points_here && c.index == from) {
        c.index = to;
        break;
      }
    }
  }
  for (const InboundForeignKey& inbound : snapshot_->ForeignKeysTo(table->id)) {
    if (inbound.child->id == table->id) continue;
    ASSIGN_OR_RETURN(TableDescriptor child, OpenTable(inbound.child->schema, inbound.child->name));
    ConstraintDescriptor& c = child.constraints[inbound.constraint];
    for (const auto& [from, to] : renumbered) {
      if (c.index == from) {
        c.index = to;
        break;
      }
    }
    RETURN_IF_ERROR(PutTable(&child, false));
  }
  // Rows keep their bytes: the hidden row id in them is a column that the table no longer has.
  const TableCodec codec(*table);
  const std::vector<sql::RowColumn> columns = RowColumnsOf(*table);
  const sql::RowDecoder decoder(columns);
  std::vector<sql::Datum> values(table->columns.size());
  std::unordered_set<Bytes> seen;
  return ForEachRow(old, [&](ByteView, ByteView row, const sql::Datum*) -> Status {
    RETURN_IF_ERROR(decoder.Decode(row, values.data()));
    for (const IndexColumn& c : table->primary.columns) {
      const auto position = static_cast<size_t>(table->ColumnPosition(c.column));
      if (!values[position].is_null()) continue;
      return Fail("23502", Code::kInvalidArgument,
                  "column " + Quoted(table->columns[position].name) + " of relation " +
                      Quoted(table->name) + " contains null values");
    }
    const Bytes key = codec.PrimaryKey(values.data());
    if (!seen.insert(key).second) {
      return Fail(
          "23505", Code::kInvalidArgument,
          "could not create unique index " + Quoted(table->primary.name),
          DescribeKey(*table, ColumnsOf(table->primary), values.data()) + " is duplicated.");
    }
    RETURN_IF_ERROR(txn_->Put(key, row, wire::AccessKind::kWriteUnchecked));
    for (const IndexDescriptor& index : table->secondary) {
      const IndexEntry entry = codec.Entry(index, values.data());
      RETURN_IF_ERROR(txn_->Put(entry.key, entry.value, wire::AccessKind::kWriteUnchecked));
    }
    return Status::Ok();
  });
}

Status Ddl::CheckForeignKeyRows(const TableDescriptor& child, const ConstraintDescriptor& key,
                                const TableDescriptor& parent) {
  const IndexDescriptor* index = parent.FindIndex(key.index);
  if (index == nullptr) return Internal("the referenced index is gone");
  const IndexCodec codec(parent, *index);
  // A parent row that goes away before this commits shows in this range.
  const Bytes prefix(codec.prefix());
  RETURN_IF_ERROR(txn_->AddReadRange(prefix, wire::PrefixEnd(prefix)));
  std::vector<Bytes> probes;
  std::vector<std::string> described;
  auto flush = [&]() -> Status {
    ASSIGN_OR_RETURN(const auto found, txn_->MultiGet(probes));
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i]) continue;
      return Fail("23503", Code::kInvalidArgument,
                  "insert or update on table " + Quoted(child.name) +
                      " violates foreign key constraint " + Quoted(key.name),
                  described[i] + " is not present in table " + Quoted(parent.name) + ".");
    }
    probes.clear();
    described.clear();
    return Status::Ok();
  };
  std::vector<sql::Datum> parent_values(parent.columns.size());
  RETURN_IF_ERROR(ForEachRow(child, [&](ByteView, ByteView, const sql::Datum* values) -> Status {
    for (size_t i = 0; i < key.columns.size(); ++i) {
      const sql::Datum& value = values[child.ColumnPosition(key.columns[i])];
      if (value.is_null()) return Status::Ok();  // MATCH SIMPLE
      parent_values[static_cast<size_t>(parent.ColumnPosition(key.ref_columns[i]))] = value;
    }
    probes.push_back(codec.Key(parent_values.data()));
    described.push_back(DescribeKey(child, key.columns, values));
    return probes.size() < kProbesAtOnce ? Status::Ok() : flush();
  }));
  return flush();
}

}  // namespace borealis::catalog
