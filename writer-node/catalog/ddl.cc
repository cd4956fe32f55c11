// Making and dropping of tables and sequences. Changes of existing tables: ddl_alter.cc; what reads
// or writes rows: ddl_rows.cc.
#include "writer-node/catalog/ddl.h"

#include <algorithm>
#include <limits>

#include "common/sql/key.h"
#include "writer-node/catalog/encoding.h"
#include "writer-node/catalog/virtual_tables.h"

namespace borealis::catalog {
namespace {

constexpr auto kUpdate = wire::AccessKind::kUpdate;

std::string Quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

std::string Join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : "_") + name;
  return out;
}

}  // namespace

Status Ddl::Fail(std::string sqlstate, Code code, std::string message, std::string detail,
                 std::string hint) {
  sqlstate_ = std::move(sqlstate);
  detail_ = std::move(detail);
  hint_ = std::move(hint);
  return Status(code, std::move(message));
}

Status Ddl::Begin() {
  ASSIGN_OR_RETURN(snapshot_, catalog_->ForTxn(txn_));
  return Status::Ok();
}

Result<TableDescriptor> Ddl::OpenTable(const std::string& schema, const std::string& name) {
  RETURN_IF_ERROR(Begin());
  const TablePtr found = snapshot_->FindTable(schema, name);
  if (!found) return Fail("42P01", Code::kNotFound, "relation " + Quoted(name) + " does not exist");
  if (found->is_virtual) {
    return Fail("42501", Code::kInvalidArgument,
                "permission denied: " + Quoted(name) + " is a system catalog");
  }
  RETURN_IF_ERROR(txn_->Lock(TableKey(found->id), kUpdate).status());
  return *found;
}

Status Ddl::PutTable(TableDescriptor* table, bool is_new) {
  if (!is_new) ++table->schema_version;
  return txn_->Put(TableKey(table->id), Encode(*table), kUpdate);
}

Status Ddl::PutName(Oid schema_oid, const std::string& schema, const std::string& name, char kind,
                    TableId id, IndexId index) {
  if (name.empty() || name.size() > 63) {
    return Fail("42622", Code::kInvalidArgument,
                "identifier " + Quoted(name) + " is empty or too long");
  }
  // The transaction's own view: also names taken by this very statement.
  const Bytes key = NameKey(schema_oid, name);
  ASSIGN_OR_RETURN(const auto existing, txn_->Get(key));
  if (existing) {
    return Fail("42P07", Code::kAlreadyExists, "relation " + Quoted(name) + " already exists");
  }
  return txn_->Put(key, Encode(NameRow{kind, id, index}), kUpdate);
}

Status Ddl::TakeName(const TableDescriptor& table, const std::string& name, char kind, TableId id,
                     IndexId index) {
  return PutName(table.schema_oid, table.schema, name, kind, id, index);
}

Status Ddl::DropName(Oid schema_oid, const std::string& name) {
  return txn_->Delete(NameKey(schema_oid, name), kUpdate);
}

std::string Ddl::FreeName(const std::string& schema, const std::string& base) const {
  const SchemaDescriptor* found = snapshot_->FindSchema(schema);
  for (int i = 0; found != nullptr; ++i) {
    const std::string number = i == 0 ? "" : std::to_string(i);
    std::string name = base.substr(0, 63 - number.size()) + number;
    bool taken = snapshot_->RelationExists(schema, name);
    const Bytes key = NameKey(found->oid, name);
    txn_->VisitWrites(key, wire::KeyAfter(key),
                      [&](ByteView, std::optional<ByteView> value) { taken = value.has_value(); });
    if (!taken) return name;
  }
  return base;
}

Result<Oid> Ddl::SchemaOid(const std::string& schema) {
  const SchemaDescriptor* found = snapshot_->FindSchema(schema);
  if (found == nullptr) {
    return Fail("3F000", Code::kNotFound, "schema " + Quoted(schema) + " does not exist");
  }
  if (found->oid != kPublicSchemaOid && found->oid < kFirstUserOid) {
    return Fail("42501", Code::kInvalidArgument, "permission denied to create in " + Quoted(schema),
                "System catalog modifications are currently disallowed.");
  }
  return found->oid;
}

Status Ddl::ResolveKey(const TableDescriptor& table, const std::vector<std::string>& names,
                       std::vector<ColumnId>* ids) {
  for (const std::string& name : names) {
    const ColumnDescriptor* column = table.FindColumn(name);
    if (column == nullptr) {
      return Fail("42703", Code::kNotFound,
                  "column " + Quoted(name) + " named in key does not exist");
    }
    if (std::find(ids->begin(), ids->end(), column->id) != ids->end()) {
      return Fail("42701", Code::kInvalidArgument,
                  "column " + Quoted(name) + " appears twice in the key");
    }
    if (!sql::IsKeyType(column->type_oid)) {
      return Fail("0A000", Code::kUnsupported,
                  "an index on a column of type " + sql::FormatType(column->type_oid) +
                      " is not supported");
    }
    ids->push_back(column->id);
  }
  return Status::Ok();
}

Status Ddl::CheckConstraintName(const TableDescriptor& table, const std::string& name) {
  if (table.FindConstraint(name) == nullptr) return Status::Ok();
  return Fail(
      "42710", Code::kAlreadyExists,
      "constraint " + Quoted(name) + " for relation " + Quoted(table.name) + " already exists");
}

// ---- sequences

Status Ddl::PutSequence(const SequenceDescriptor& sequence, bool is_new) {
  RETURN_IF_ERROR(txn_->Put(SequenceKey(sequence.id), Encode(sequence), kUpdate));
  if (!is_new) return Status::Ok();
  const SequenceState state{sequence.epoch, sequence.start, false};
  return txn_->Put(SequenceStateKey(sequence.id), Encode(state), kUpdate);
}

Result<SequenceDescriptor> Ddl::MakeSequence(const NewSequence& sequence) {
  SequenceDescriptor made;
  ASSIGN_OR_RETURN(made.schema_oid, SchemaOid(sequence.schema));
  ASSIGN_OR_RETURN(made.id, catalog_->NewTableId());
  ASSIGN_OR_RETURN(made.oid, catalog_->NewOid());
  made.schema = sequence.schema;
  made.name = sequence.name;
  made.owner = sequence.owner;
  made.type_oid = sequence.type_oid;
  made.increment = sequence.increment;
  made.cycle = sequence.cycle;
  if (made.increment == 0) {
    return Fail("22023", Code::kInvalidArgument, "INCREMENT must not be zero");
  }
  int64_t type_max = INT64_MAX;
  if (made.type_oid == sql::oid::kInt4) type_max = INT32_MAX;
  if (made.type_oid == sql::oid::kInt2) type_max = INT16_MAX;
  const bool up = made.increment > 0;
  made.max_value = sequence.max_value.value_or(up ? type_max : -1);
  made.min_value = sequence.min_value.value_or(up ? 1 : -type_max - 1);
  made.start = sequence.start.value_or(up ? made.min_value : made.max_value);
  auto out_of_range = [&](int64_t v) { return v > type_max || v < -type_max - 1; };
  if (made.min_value >= made.max_value || out_of_range(made.min_value) ||
      out_of_range(made.max_value)) {
    return Fail("22023", Code::kInvalidArgument,
                "MINVALUE (" + std::to_string(made.min_value) + ") must be less than MAXVALUE (" +
                    std::to_string(made.max_value) + ") and both within the sequence's type");
  }
  if (made.start < made.min_value || made.start > made.max_value) {
    return Fail("22023", Code::kInvalidArgument,
                "START value (" + std::to_string(made.start) + ") is out of MINVALUE and MAXVALUE");
  }
  return made;
}

Result<bool> Ddl::CreateSequence(const NewSequence& sequence) {
  RETURN_IF_ERROR(Begin());
  if (sequence.if_not_exists && snapshot_->RelationExists(sequence.schema, sequence.name))
    return false;
  ASSIGN_OR_RETURN(const SequenceDescriptor made, MakeSequence(sequence));
  RETURN_IF_ERROR(PutName(made.schema_oid, made.schema, made.name, 'S', made.id, IndexId()));
  RETURN_IF_ERROR(PutSequence(made, true));
  return true;
}

Status Ddl::DropSequenceRows(const SequenceDescriptor& sequence) {
  RETURN_IF_ERROR(txn_->Delete(SequenceKey(sequence.id), kUpdate));
  RETURN_IF_ERROR(txn_->Delete(SequenceStateKey(sequence.id), kUpdate));
  return DropName(sequence.schema_oid, sequence.name);
}

Result<bool> Ddl::DropSequence(const std::string& schema, const std::string& name, bool if_exists,
                               DropBehavior behavior) {
  RETURN_IF_ERROR(Begin());
  const SequencePtr sequence = snapshot_->FindSequence(schema, name);
  if (!sequence) {
    if (if_exists) return false;
    return Fail("42P01", Code::kNotFound, "sequence " + Quoted(name) + " does not exist");
  }
  for (const auto& [id, table] : snapshot_->tables()) {
    for (const ColumnDescriptor& column : table->columns) {
      if (column.sequence != sequence->id) continue;
      if (behavior == DropBehavior::kRestrict) {
        return Fail("2BP01", Code::kInvalidArgument,
                    "cannot drop sequence " + name + " because other objects depend on it",
                    "default value for column " + column.name + " of table " + table->name +
                        " depends on sequence " + name,
                    "Use DROP ... CASCADE to drop the dependent objects too.");
      }
      ASSIGN_OR_RETURN(TableDescriptor changed, OpenTable(table->schema, table->name));
      for (ColumnDescriptor& c : changed.columns) {
        if (c.sequence != sequence->id) continue;
        c.sequence = TableId();
        c.default_sql.clear();
        c.identity = 0;
      }
      RETURN_IF_ERROR(PutTable(&changed, false));
      break;
    }
  }
  RETURN_IF_ERROR(DropSequenceRows(*sequence));
  return true;
}

Status Ddl::MakeSequenceFor(const TableDescriptor& table, const NewColumn& column,
                            ColumnDescriptor* made) {
  NewSequence sequence;
  sequence.schema = table.schema;
  sequence.name = FreeName(table.schema, table.name + "_" + column.name + "_seq");
  sequence.owner = table.owner;
  sequence.type_oid = column.type_oid;
  ASSIGN_OR_RETURN(SequenceDescriptor descriptor, MakeSequence(sequence));
  descriptor.owned_by_table = table.id;
  descriptor.owned_by_column = made->id;
  RETURN_IF_ERROR(PutName(descriptor.schema_oid, descriptor.schema, descriptor.name, 'S',
                          descriptor.id, IndexId()));
  RETURN_IF_ERROR(PutSequence(descriptor, true));
  made->sequence = descriptor.id;
  made->not_null = true;
  made->identity = column.identity;
  const std::string name =
      descriptor.schema == "public"
          ? QuoteIdentifier(descriptor.name)
          : QuoteIdentifier(descriptor.schema) + "." + QuoteIdentifier(descriptor.name);
  if (column.identity == 0) made->default_sql = "nextval('" + name + "'::regclass)";
  return Status::Ok();
}

// ---- tables

Status Ddl::AddColumnTo(TableDescriptor* table, const NewColumn& column) {
  if (table->FindColumn(column.name) != nullptr) {
    return Fail("42701", Code::kAlreadyExists,
                "column " + Quoted(column.name) + " of relation " + Quoted(table->name) +
                    " already exists");
  }
  if (table->visible_columns() >= 1600) {
    return Fail("54011", Code::kInvalidArgument, "tables can have at most 1600 columns");
  }
  ColumnDescriptor made;
  made.id = table->next_column;
  table->next_column = table->next_column.Next();
  made.name = column.name;
  made.type_oid = column.type_oid;
  made.typmod = column.typmod;
  made.not_null = column.not_null;
  made.default_sql = column.default_sql;
  if (column.serial || column.identity != 0) {
    const bool integer = column.type_oid == sql::oid::kInt2 || column.type_oid == sql::oid::kInt4 ||
                         column.type_oid == sql::oid::kInt8;
    if (!integer) {
      return Fail("22023", Code::kInvalidArgument,
                  "identity column type must be smallint, integer, or bigint");
    }
    RETURN_IF_ERROR(MakeSequenceFor(*table, column, &made));
  }
  // The hidden row id stays last.
  const bool hidden_last = !table->columns.empty() && table->columns.back().hidden;
  table->columns.insert(table->columns.end() - (hidden_last ? 1 : 0), std::move(made));
  return Status::Ok();
}

Status Ddl::AddKeyTo(TableDescriptor* table, const std::string& name,
                     const std::vector<std::string>& columns) {
  std::vector<ColumnId> ids;
  RETURN_IF_ERROR(ResolveKey(*table, columns, &ids));
  ConstraintDescriptor constraint;
  constraint.type = ConstraintType::kPrimaryKey;
  constraint.name = name.empty() ? FreeName(table->schema, table->name + "_pkey") : name;
  RETURN_IF_ERROR(CheckConstraintName(*table, constraint.name));
  ASSIGN_OR_RETURN(constraint.oid, catalog_->NewOid());
  constraint.columns = ids;
  IndexDescriptor index;
  index.id = table->next_index;
  table->next_index = table->next_index.Next();
  ASSIGN_OR_RETURN(index.oid, catalog_->NewOid());
  index.name = constraint.name;
  index.unique = index.primary = true;
  for (ColumnId id : ids) {
    index.columns.push_back({id, false, false});
    table->columns[static_cast<size_t>(table->ColumnPosition(id))].not_null = true;
  }
  constraint.index = index.id;
  RETURN_IF_ERROR(TakeName(*table, index.name, 'i', table->id, index.id));
  table->primary = std::move(index);
  table->constraints.insert(table->constraints.begin(), std::move(constraint));
  return Status::Ok();
}

void Ddl::AddRowIdTo(TableDescriptor* table) {
  ColumnDescriptor column;
  column.id = table->next_column;
  table->next_column = table->next_column.Next();
  column.name = "rowid";
  column.type_oid = sql::oid::kInt8;
  column.not_null = true;
  column.hidden = true;
  IndexDescriptor index;
  index.id = table->next_index;
  table->next_index = table->next_index.Next();
  index.unique = index.primary = true;
  index.columns.push_back({column.id, false, false});
  table->columns.push_back(std::move(column));
  table->primary = std::move(index);
}

Status Ddl::AddChecksTo(TableDescriptor* table, const std::vector<NewCheck>& checks) {
  for (const NewCheck& check : checks) {
    ConstraintDescriptor constraint;
    constraint.type = ConstraintType::kCheck;
    constraint.check_sql = check.sql;
    ASSIGN_OR_RETURN(constraint.oid, catalog_->NewOid());
    constraint.name = check.name;
    if (check.name.empty()) {
      const std::string base =
          table->name + (check.column.empty() ? "" : "_" + check.column) + "_check";
      constraint.name = base;
      for (int i = 1; table->FindConstraint(constraint.name) != nullptr; ++i) {
        constraint.name = base + std::to_string(i);
      }
    }
    RETURN_IF_ERROR(CheckConstraintName(*table, constraint.name));
    if (const ColumnDescriptor* column = table->FindColumn(check.column)) {
      constraint.columns.push_back(column->id);
    }
    table->constraints.push_back(std::move(constraint));
  }
  return Status::Ok();
}

Result<bool> Ddl::CreateTable(const NewTable& table) {
  RETURN_IF_ERROR(Begin());
  if (snapshot_->RelationExists(table.schema, table.name)) {
    if (table.if_not_exists) return false;
    return Fail("42P07", Code::kAlreadyExists,
                "relation " + Quoted(table.name) + " already exists");
  }
  TableDescriptor made;
  ASSIGN_OR_RETURN(made.schema_oid, SchemaOid(table.schema));
  ASSIGN_OR_RETURN(made.id, catalog_->NewTableId());
  ASSIGN_OR_RETURN(made.oid, catalog_->NewOid());
  made.schema = table.schema;
  made.name = table.name;
  made.owner = table.owner;
  RETURN_IF_ERROR(TakeName(made, made.name, 'r', made.id, IndexId()));
  for (const NewColumn& column : table.columns) RETURN_IF_ERROR(AddColumnTo(&made, column));
  if (table.primary_key.empty()) {
    AddRowIdTo(&made);
  } else {
    RETURN_IF_ERROR(AddKeyTo(&made, table.primary_key_name, table.primary_key));
  }
  for (const NewUnique& unique : table.uniques) RETURN_IF_ERROR(AddUniqueTo(&made, unique, false));
  RETURN_IF_ERROR(AddChecksTo(&made, table.checks));
  for (const NewForeignKey& key : table.foreign_keys) {
    RETURN_IF_ERROR(AddForeignKeyTo(&made, key, false));
  }
  RETURN_IF_ERROR(PutTable(&made, true));
  return true;
}

Status Ddl::DropInbound(const TableDescriptor& table, IndexId index, DropBehavior behavior,
                        const std::string& what) {
  std::string details;
  std::vector<std::pair<TableDescriptor, std::string>> drops;
  for (const InboundForeignKey& inbound : snapshot_->ForeignKeysTo(table.id)) {
    if (inbound.child->id == table.id && !index) continue;  // goes with the table
    const ConstraintDescriptor& constraint = inbound.child->constraints[inbound.constraint];
    if (index && constraint.index != index) continue;
    if (!details.empty()) details += "\n";
    details += "constraint " + constraint.name + " on table " + inbound.child->name +
               " depends on " + what;
    drops.emplace_back(*inbound.child, constraint.name);
  }
  if (drops.empty()) return Status::Ok();
  if (behavior == DropBehavior::kRestrict) {
    return Fail("2BP01", Code::kInvalidArgument,
                "cannot drop " + what + " because other objects depend on it", details,
                "Use DROP ... CASCADE to drop the dependent objects too.");
  }
  for (const auto& [child, name] : drops) {
    RETURN_IF_ERROR(DropConstraint(child.schema, child.name, name, false, DropBehavior::kCascade));
  }
  return Begin();
}

Status Ddl::DropTableRows(const TableDescriptor& table, DropBehavior behavior) {
  RETURN_IF_ERROR(DropInbound(table, IndexId(), behavior, "table " + table.name));
  for (const SequencePtr& sequence : snapshot_->SequencesOwnedBy(table.id)) {
    RETURN_IF_ERROR(DropSequenceRows(*sequence));
  }
  if (table.has_primary_key()) RETURN_IF_ERROR(DropName(table.schema_oid, table.primary.name));
  for (const IndexDescriptor& index : table.secondary) {
    RETURN_IF_ERROR(DropName(table.schema_oid, index.name));
  }
  RETURN_IF_ERROR(DropName(table.schema_oid, table.name));
  return txn_->Delete(TableKey(table.id), kUpdate);
}

Result<bool> Ddl::DropTable(const std::string& schema, const std::string& name, bool if_exists,
                            DropBehavior behavior) {
  RETURN_IF_ERROR(Begin());
  if (snapshot_->FindTable(schema, name) == nullptr) {
    if (if_exists) return false;
    return Fail("42P01", Code::kNotFound, "table " + Quoted(name) + " does not exist");
  }
  ASSIGN_OR_RETURN(const TableDescriptor table, OpenTable(schema, name));
  RETURN_IF_ERROR(DropTableRows(table, behavior));
  return true;
}

Status Ddl::PutRole(const RoleDescriptor& role) {
  RETURN_IF_ERROR(Begin());
  RoleDescriptor made = role;
  if (const RolePtr existing = snapshot_->FindRole(role.name)) {
    made.oid = existing->oid;
  } else {
    ASSIGN_OR_RETURN(made.oid, catalog_->NewOid());
  }
  Bytes oid;
  PutU32(&oid, made.oid);
  RETURN_IF_ERROR(txn_->Put(RoleNameKey(made.name), oid, kUpdate));
  return txn_->Put(RoleKey(made.oid), Encode(made), kUpdate);
}

// ---- constraints of new tables and of ALTER TABLE

Status Ddl::AddUniqueTo(TableDescriptor* table, const NewUnique& unique, bool fill) {
  std::vector<ColumnId> ids;
  RETURN_IF_ERROR(ResolveKey(*table, unique.columns, &ids));
  ConstraintDescriptor constraint;
  constraint.type = ConstraintType::kUnique;
  constraint.name = unique.name.empty()
                        ? FreeName(table->schema, table->name + "_" + Join(unique.columns) + "_key")
                        : unique.name;
  RETURN_IF_ERROR(CheckConstraintName(*table, constraint.name));
  ASSIGN_OR_RETURN(constraint.oid, catalog_->NewOid());
  constraint.columns = ids;
  IndexDescriptor index;
  index.id = table->next_index;
  table->next_index = table->next_index.Next();
  ASSIGN_OR_RETURN(index.oid, catalog_->NewOid());
  index.name = constraint.name;
  index.unique = true;
  for (ColumnId id : ids) index.columns.push_back({id, false, false});
  constraint.index = index.id;
  RETURN_IF_ERROR(TakeName(*table, index.name, 'i', table->id, index.id));
  table->secondary.push_back(index);
  table->constraints.push_back(std::move(constraint));
  return fill ? FillIndex(*table, index) : Status::Ok();
}

Status Ddl::FindReferenced(const TableDescriptor& parent, const NewForeignKey& key,
                           ConstraintDescriptor* made) {
  if (key.ref_columns.empty()) {
    for (const ConstraintDescriptor& c : parent.constraints) {
      if (c.type != ConstraintType::kPrimaryKey) continue;
      made->ref_columns = c.columns;
      made->index = c.index;
      return Status::Ok();
    }
    return Fail("42704", Code::kNotFound,
                "there is no primary key for referenced table " + Quoted(parent.name));
  }
  for (const std::string& name : key.ref_columns) {
    const ColumnDescriptor* column = parent.FindColumn(name);
    if (column == nullptr) {
      return Fail(
          "42703", Code::kNotFound,
          "column " + Quoted(name) + " referenced in foreign key constraint does not exist");
    }
    made->ref_columns.push_back(column->id);
  }
  std::vector<ColumnId> wanted = made->ref_columns;
  std::sort(wanted.begin(), wanted.end());
  auto matches = [&](const IndexDescriptor& index) {
    std::vector<ColumnId> have;
    for (const IndexColumn& c : index.columns) have.push_back(c.column);
    std::sort(have.begin(), have.end());
    return index.unique && have == wanted;
  };
  if (parent.has_primary_key() && matches(parent.primary)) {
    made->index = parent.primary.id;
    return Status::Ok();
  }
  for (const IndexDescriptor& index : parent.secondary) {
    if (!matches(index)) continue;
    made->index = index.id;
    return Status::Ok();
  }
  return Fail("42830", Code::kInvalidArgument,
              "there is no unique constraint matching given keys for referenced table " +
                  Quoted(parent.name));
}

namespace {

int IntWidth(uint32_t type) {
  if (type == sql::oid::kInt2) return 2;
  if (type == sql::oid::kInt4) return 4;
  return type == sql::oid::kInt8 ? 8 : 0;
}

// Whether a child's value can be looked up in the parent's index as it is.
bool Comparable(const ColumnDescriptor& child, const ColumnDescriptor& parent) {
  if (child.type_oid == parent.type_oid) return true;
  const int child_width = IntWidth(child.type_oid);
  if (child_width != 0) return IntWidth(parent.type_oid) >= child_width;
  auto text = [](uint32_t t) { return t == sql::oid::kText || t == sql::oid::kVarchar; };
  return text(child.type_oid) && text(parent.type_oid);
}

}  // namespace

Status Ddl::AddForeignKeyTo(TableDescriptor* table, const NewForeignKey& key, bool check_rows) {
  for (ForeignKeyAction action : {key.on_delete, key.on_update}) {
    if (action == ForeignKeyAction::kNoAction || action == ForeignKeyAction::kRestrict) continue;
    return Fail("0A000", Code::kUnsupported,
                "foreign key actions other than NO ACTION and RESTRICT are not supported");
  }
  ConstraintDescriptor made;
  made.type = ConstraintType::kForeignKey;
  made.on_delete = key.on_delete;
  made.on_update = key.on_update;
  for (const std::string& name : key.columns) {
    const ColumnDescriptor* column = table->FindColumn(name);
    if (column == nullptr) {
      return Fail(
          "42703", Code::kNotFound,
          "column " + Quoted(name) + " referenced in foreign key constraint does not exist");
    }
    made.columns.push_back(column->id);
  }
  const bool self = key.ref_table == table->name && key.ref_schema == table->schema;
  TableDescriptor parent = *table;
  if (!self) {
    ASSIGN_OR_RETURN(parent, OpenTable(key.ref_schema, key.ref_table));
  }
  made.ref_table = parent.id;
  RETURN_IF_ERROR(FindReferenced(parent, key, &made));
  if (made.columns.size() != made.ref_columns.size()) {
    return Fail("42830", Code::kInvalidArgument,
                "number of referencing and referenced columns for foreign key disagree");
  }
  const std::string base = table->name + "_" + Join(key.columns) + "_fkey";
  made.name = key.name.empty() ? base : key.name;
  for (int i = 1; key.name.empty() && table->FindConstraint(made.name) != nullptr; ++i) {
    made.name = base + std::to_string(i);
  }
  RETURN_IF_ERROR(CheckConstraintName(*table, made.name));
  for (size_t i = 0; i < made.columns.size(); ++i) {
    const ColumnDescriptor& child_column = *table->FindColumn(made.columns[i]);
    const ColumnDescriptor& parent_column = *parent.FindColumn(made.ref_columns[i]);
    if (Comparable(child_column, parent_column)) continue;
    return Fail("42804", Code::kInvalidArgument,
                "foreign key constraint " + Quoted(made.name) + " cannot be implemented",
                "Key columns " + Quoted(child_column.name) + " and " + Quoted(parent_column.name) +
                    " are of incompatible types: " + sql::FormatType(child_column.type_oid) +
                    " and " + sql::FormatType(parent_column.type_oid) + ".");
  }
  ASSIGN_OR_RETURN(made.oid, catalog_->NewOid());
  table->constraints.push_back(made);
  if (check_rows) RETURN_IF_ERROR(CheckForeignKeyRows(*table, made, self ? *table : parent));
  // A new version of the parent: a delete there that does not know of this key loses certification.
  return self ? Status::Ok() : PutTable(&parent, false);
}

}  // namespace borealis::catalog
