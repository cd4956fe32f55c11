// Changes of existing tables: ALTER TABLE, CREATE and DROP INDEX, TRUNCATE.
#include <algorithm>
#include <set>

#include "common/sql/key.h"
#include "writer-node/catalog/ddl.h"
#include "writer-node/catalog/encoding.h"

namespace borealis::catalog {
namespace {

constexpr auto kUpdate = wire::AccessKind::kUpdate;

std::string Quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

}  // namespace

Result<bool> Ddl::CreateIndex(const NewIndex& index) {
  RETURN_IF_ERROR(Begin());
  if (!index.name.empty() && snapshot_->RelationExists(index.schema, index.name)) {
    if (index.if_not_exists) return false;
    return Fail("42P07", Code::kAlreadyExists,
                "relation " + Quoted(index.name) + " already exists");
  }
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(index.schema, index.table));
  IndexDescriptor made;
  std::string joined;
  for (const NewIndexColumn& column : index.columns) {
    const ColumnDescriptor* found = table.FindColumn(column.name);
    if (found == nullptr) {
      return Fail("42703", Code::kNotFound, "column " + Quoted(column.name) + " does not exist");
    }
    if (!sql::IsKeyType(found->type_oid)) {
      return Fail(
          "0A000", Code::kUnsupported,
          "an index on a column of type " + sql::FormatType(found->type_oid) + " is not supported");
    }
    made.columns.push_back({found->id, column.descending, column.nulls_first});
    joined += "_" + column.name;
  }
  made.id = table.next_index;
  table.next_index = table.next_index.Next();
  ASSIGN_OR_RETURN(made.oid, catalog_->NewOid());
  made.name =
      index.name.empty() ? FreeName(table.schema, table.name + joined + "_idx") : index.name;
  made.unique = index.unique;
  RETURN_IF_ERROR(TakeName(table, made.name, 'i', table.id, made.id));
  table.secondary.push_back(made);
  RETURN_IF_ERROR(FillIndex(table, made));
  RETURN_IF_ERROR(PutTable(&table, false));
  return true;
}

Result<bool> Ddl::DropIndex(const std::string& schema, const std::string& name, bool if_exists) {
  RETURN_IF_ERROR(Begin());
  const auto found = snapshot_->FindIndex(schema, name);
  if (!found) {
    if (if_exists) return false;
    return Fail("42704", Code::kNotFound, "index " + Quoted(name) + " does not exist");
  }
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(found->table->schema, found->table->name));
  if (const ConstraintDescriptor* constraint = table.ConstraintOf(found->index)) {
    return Fail(
        "2BP01", Code::kInvalidArgument,
        "cannot drop index " + name + " because constraint " + constraint->name + " on table " +
            table.name + " requires it",
        "",
        "You can drop constraint " + constraint->name + " on table " + table.name + " instead.");
  }
  RETURN_IF_ERROR(DropInbound(table, found->index, DropBehavior::kRestrict, "index " + name));
  std::erase_if(table.secondary, [&](const IndexDescriptor& i) { return i.id == found->index; });
  RETURN_IF_ERROR(DropName(table.schema_oid, name));
  RETURN_IF_ERROR(PutTable(&table, false));
  return true;
}

// The rows move to a new primary index, and secondary entries, which end in the primary key, to new
// indexes. The old ones are garbage from this version on.
Status Ddl::AddPrimaryKey(const std::string& schema, const std::string& name,
                          const std::string& constraint, const std::vector<std::string>& columns) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  if (table.has_primary_key()) {
    return Fail("42P16", Code::kInvalidArgument,
                "multiple primary keys for table " + Quoted(name) + " are not allowed");
  }
  const TableDescriptor old = table;
  std::erase_if(table.columns, [](const ColumnDescriptor& c) { return c.hidden; });
  RETURN_IF_ERROR(AddKeyTo(&table, constraint, columns));
  RETURN_IF_ERROR(RewriteIndexes(old, &table));
  return PutTable(&table, false);
}

Status Ddl::AddUnique(const std::string& schema, const std::string& name, const NewUnique& unique) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  RETURN_IF_ERROR(AddUniqueTo(&table, unique, true));
  return PutTable(&table, false);
}

Status Ddl::AddForeignKey(const std::string& schema, const std::string& name,
                          const NewForeignKey& key) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  RETURN_IF_ERROR(AddForeignKeyTo(&table, key, true));
  return PutTable(&table, false);
}

Status Ddl::DropConstraint(const std::string& schema, const std::string& name,
                           const std::string& constraint, bool if_exists, DropBehavior behavior) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  const ConstraintDescriptor* found = table.FindConstraint(constraint);
  if (found == nullptr) {
    if (if_exists) return Status::Ok();
    return Fail(
        "42704", Code::kNotFound,
        "constraint " + Quoted(constraint) + " of relation " + Quoted(name) + " does not exist");
  }
  const ConstraintDescriptor dropped = *found;
  if (dropped.type == ConstraintType::kPrimaryKey) {
    return Fail("0A000", Code::kUnsupported, "dropping a primary key is not supported");
  }
  if (dropped.type == ConstraintType::kUnique) {
    RETURN_IF_ERROR(DropInbound(table, dropped.index, behavior, "constraint " + constraint));
    // A cascade may have changed this very table.
    ASSIGN_OR_RETURN(table, OpenTable(schema, name));
    std::erase_if(table.secondary, [&](const IndexDescriptor& i) { return i.id == dropped.index; });
    RETURN_IF_ERROR(DropName(table.schema_oid, constraint));
  }
  std::erase_if(table.constraints,
                [&](const ConstraintDescriptor& c) { return c.name == constraint; });
  return PutTable(&table, false);
}

Status Ddl::AddColumn(const std::string& schema, const std::string& name, const NewColumn& column) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  const bool fills =
      column.not_null || !column.default_sql.empty() || column.serial || column.identity != 0;
  if (fills) {
    ASSIGN_OR_RETURN(const bool rows, HasRows(table));
    if (rows) {
      return Fail(
          "0A000", Code::kUnsupported,
          "adding a column with NOT NULL or DEFAULT to a table that has rows is not supported");
    }
  }
  RETURN_IF_ERROR(AddColumnTo(&table, column));
  return PutTable(&table, false);
}

Status Ddl::SetNotNull(const std::string& schema, const std::string& name,
                       const std::string& column, bool not_null) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  const ColumnDescriptor* found = table.FindColumn(column);
  if (found == nullptr) {
    return Fail("42703", Code::kNotFound,
                "column " + Quoted(column) + " of relation " + Quoted(name) + " does not exist");
  }
  const auto position = static_cast<size_t>(table.ColumnPosition(found->id));
  if (!not_null) {
    for (const IndexColumn& c : table.primary.columns) {
      if (c.column != found->id) continue;
      return Fail("42P16", Code::kInvalidArgument,
                  "column " + Quoted(column) + " is in a primary key");
    }
  } else {
    RETURN_IF_ERROR(ForEachRow(table, [&](ByteView, ByteView, const sql::Datum* values) -> Status {
      if (!values[position].is_null()) return Status::Ok();
      return Fail(
          "23502", Code::kInvalidArgument,
          "column " + Quoted(column) + " of relation " + Quoted(name) + " contains null values");
    }));
  }
  table.columns[position].not_null = not_null;
  return PutTable(&table, false);
}

Status Ddl::SetDefault(const std::string& schema, const std::string& name,
                       const std::string& column, const std::string& default_sql) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  const ColumnDescriptor* found = table.FindColumn(column);
  if (found == nullptr) {
    return Fail("42703", Code::kNotFound,
                "column " + Quoted(column) + " of relation " + Quoted(name) + " does not exist");
  }
  if (found->identity != 0) {
    return Fail(
        "42601", Code::kInvalidArgument,
        "column " + Quoted(column) + " of relation " + Quoted(name) + " is an identity column");
  }
  table.columns[static_cast<size_t>(table.ColumnPosition(found->id))].default_sql = default_sql;
  return PutTable(&table, false);
}

Status Ddl::RenameTable(const std::string& schema, const std::string& name, const std::string& to) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  RETURN_IF_ERROR(TakeName(table, to, 'r', table.id, IndexId()));
  RETURN_IF_ERROR(DropName(table.schema_oid, name));
  table.name = to;
  return PutTable(&table, false);
}

Status Ddl::RenameColumn(const std::string& schema, const std::string& name,
                         const std::string& column, const std::string& to) {
  ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
  const ColumnDescriptor* found = table.FindColumn(column);
  if (found == nullptr) {
    return Fail("42703", Code::kNotFound, "column " + Quoted(column) + " does not exist");
  }
  if (table.FindColumn(to) != nullptr) {
    return Fail("42701", Code::kAlreadyExists,
                "column " + Quoted(to) + " of relation " + Quoted(name) + " already exists");
  }
  for (const ConstraintDescriptor& c : table.constraints) {
    // The text of a check names its columns; it is not rewritten.
    if (c.type == ConstraintType::kCheck) {
      return Fail("0A000", Code::kUnsupported,
                  "renaming a column of a table with CHECK constraints is not supported");
    }
  }
  table.columns[static_cast<size_t>(table.ColumnPosition(found->id))].name = to;
  return PutTable(&table, false);
}

Status Ddl::Truncate(const std::vector<std::pair<std::string, std::string>>& names,
                     DropBehavior behavior, bool restart_identity) {
  std::vector<TableDescriptor> tables;
  std::set<TableId> ids;
  for (const auto& [schema, name] : names) {
    ASSIGN_OR_RETURN(TableDescriptor table, OpenTable(schema, name));
    if (ids.insert(table.id).second) tables.push_back(std::move(table));
  }
  for (size_t i = 0; i < tables.size(); ++i) {
    const TableId id = tables[i].id;
    const std::string name = tables[i].name;
    for (const InboundForeignKey& inbound : snapshot_->ForeignKeysTo(id)) {
      if (ids.contains(inbound.child->id)) continue;
      if (behavior == DropBehavior::kRestrict) {
        return Fail("0A000", Code::kInvalidArgument,
                    "cannot truncate a table referenced in a foreign key constraint",
                    "Table " + Quoted(inbound.child->name) + " references " + Quoted(name) + ".",
                    "Truncate table " + Quoted(inbound.child->name) +
                        " at the same time, or use TRUNCATE ... CASCADE.");
      }
      ASSIGN_OR_RETURN(TableDescriptor child,
                       OpenTable(inbound.child->schema, inbound.child->name));
      if (ids.insert(child.id).second) tables.push_back(std::move(child));
    }
  }
  for (TableDescriptor& table : tables) {
    // A truncated parent whose child is truncated too: the child's foreign keys point at the new
    // index.
    std::vector<std::pair<IndexId, IndexId>> renumbered;
    auto renumber = [&](IndexDescriptor* index) {
      renumbered.emplace_back(index->id, table.next_index);
      index->id = table.next_index;
      table.next_index = table.next_index.Next();
    };
    renumber(&table.primary);
    for (IndexDescriptor& index : table.secondary) renumber(&index);
    for (TableDescriptor& other : tables) {
      for (ConstraintDescriptor& c : other.constraints) {
        const bool own = other.id == table.id && c.type != ConstraintType::kForeignKey;
        const bool points_here = c.type == ConstraintType::kForeignKey && c.ref_table == table.id;
        if (!own && !points_here) continue;
        for (const auto& [from, to] : renumbered) {
          if (c.index != from) continue;
          c.index = to;
          break;
        }
      }
    }
  }
  for (TableDescriptor& table : tables) {
    RETURN_IF_ERROR(PutTable(&table, false));
    if (!restart_identity) continue;
    for (const SequencePtr& sequence : snapshot_->SequencesOwnedBy(table.id)) {
      SequenceDescriptor next = *sequence;
      ++next.epoch;
      RETURN_IF_ERROR(PutSequence(next, true));
    }
  }
  return Status::Ok();
}

}  // namespace borealis::catalog
