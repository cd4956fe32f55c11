// DDL and COPY.
#include <algorithm>
#include <set>

#include "writer-node/binder/binder_impl.h"
#include "writer-node/parser/deparse.h"
#include "writer-node/parser/parser.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;
using parser::ConstraintDef;
using parser::ConstraintKind;

// Storage parameters. They tune PostgreSQL's heap and its vacuum, neither of which exists here, so
// that ignoring them changes no answer; anything else is refused.
void CheckStorageOptions(const std::vector<parser::Option>& options) {
  for (const parser::Option& option : options) {
    const std::string& name = option.name;
    const bool harmless = name == "fillfactor" || name == "parallel_workers" ||
                          name == "toast_tuple_target" || name == "deduplicate_items" ||
                          name.rfind("autovacuum_", 0) == 0 ||
                          name.rfind("toast.autovacuum_", 0) == 0;
    if (!harmless) {
      Fail("22023", "unrecognized parameter \"" + name + "\"", option.location);
    }
  }
}

catalog::ForeignKeyAction ActionOf(parser::ForeignAction action) {
  switch (action) {
    case parser::ForeignAction::kNoAction:
      return catalog::ForeignKeyAction::kNoAction;
    case parser::ForeignAction::kRestrict:
      return catalog::ForeignKeyAction::kRestrict;
    case parser::ForeignAction::kCascade:
      return catalog::ForeignKeyAction::kCascade;
    case parser::ForeignAction::kSetNull:
      return catalog::ForeignKeyAction::kSetNull;
    case parser::ForeignAction::kSetDefault:
      return catalog::ForeignKeyAction::kSetDefault;
  }
  return catalog::ForeignKeyAction::kNoAction;
}

// int4 for serial, int8 for bigserial, int2 for smallserial; 0 for others.
sql::TypeOid SerialType(const parser::TypeName& type) {
  if (type.names.size() != 1 || type.array_dimensions > 0) return 0;
  const std::string& name = type.names[0];
  if (name == "serial" || name == "serial4") return oid::kInt4;
  if (name == "bigserial" || name == "serial8") return oid::kInt8;
  if (name == "smallserial" || name == "serial2") return oid::kInt2;
  return 0;
}

void CheckCollation(const parser::QualifiedName& name, int location) {
  if (name.empty()) return;
  const std::string& last = name.back();
  if (last != "default" && last != "C" && last != "POSIX" && last != "ucs_basic") {
    Unsupported("the collation \"" + last + "\"", location);
  }
}

void RefuseConstraintOptions(const ConstraintDef& c) {
  if (c.deferrable || c.initially_deferred) Unsupported("a deferrable constraint", c.location);
  if (!c.including.empty()) Unsupported("INCLUDE", c.location);
  if (!c.using_index.empty()) Unsupported("USING INDEX", c.location);
  if (c.nulls_not_distinct) Unsupported("NULLS NOT DISTINCT", c.location);
  if (c.not_valid) Unsupported("NOT VALID", c.location);
  CheckStorageOptions(c.options);
}

class DdlBinder {
 public:
  explicit DdlBinder(Binder* binder) : binder_(binder) {}

  catalog::NewTable CreateTable(const parser::CreateTableStmt& create);
  catalog::NewIndex CreateIndex(const parser::CreateIndexStmt& create);
  catalog::NewSequence CreateSequence(const parser::CreateSequenceStmt& create);
  BoundDrop Drop(const parser::DropStmt& drop);
  BoundAlterTable AlterTable(const parser::AlterTableStmt& alter);
  BoundRename Rename(const parser::RenameStmt& rename);
  BoundTruncate Truncate(const parser::TruncateStmt& truncate);

 private:
  catalog::NewColumn Column(const parser::ColumnDef& column, catalog::NewTable* table);
  void ColumnConstraint(const ConstraintDef& c, catalog::NewColumn* column,
                        catalog::NewTable* table);
  void TableConstraint(const ConstraintDef& c, catalog::NewTable* table);
  void SetPrimaryKey(const ConstraintDef& c, std::vector<std::string> columns,
                     catalog::NewTable* table);
  catalog::NewForeignKey ForeignKey(const ConstraintDef& c, std::vector<std::string> columns);
  void CheckDefault(const std::string& text, const catalog::NewColumn& column, int location);
  void CheckChecks(catalog::NewTable* new_table);
  AlterStep Alter(const parser::AlterCommand& command, const catalog::TableDescriptor& table);
  AlterStep AddConstraint(const parser::AlterCommand& command,
                          const catalog::TableDescriptor& table);
  RelationRef Existing(const parser::RelationName& name, bool* exists);

  Binder* binder_;
};

void DdlBinder::CheckDefault(const std::string& text, const catalog::NewColumn& column,
                             int location) {
  Scope empty(nullptr);
  ExprPtr value = binder_->BindCatalogExpr(text, &empty, Clause::kDefault);
  auto coerced =
      sql::CoerceForColumn(std::move(value), {column.type_oid, column.typmod}, column.name);
  if (!coerced.ok()) {
    if (coerced.sqlstate() != "42804") Rethrow(std::move(coerced.status()), location);
    std::string message = coerced.status().message();
    const size_t at = message.find(" but expression is");
    if (at != std::string::npos) message.replace(at, 18, " but default expression is");
    Fail("42804", message, location, coerced.status().hint());
  }
}

catalog::NewColumn DdlBinder::Column(const parser::ColumnDef& column, catalog::NewTable* table) {
  catalog::NewColumn out;
  out.name = column.name;
  CheckCollation(column.collation, column.location);
  if (const sql::TypeOid serial = SerialType(column.type); serial != 0) {
    out.type_oid = serial;
    out.serial = true;
    out.not_null = true;
  } else {
    const sql::Type type = binder_->ResolveType(column.type);
    const sql::TypeInfo* info = sql::FindType(type.oid);
    if (info->type_type == 'p') {
      Fail("42P16", "column \"" + column.name + "\" has pseudo-type " + sql::FormatType(type.oid),
           column.location);
    }
    out.type_oid = type.oid;
    out.typmod = type.typmod;
  }
  for (const ConstraintDef& c : column.constraints) ColumnConstraint(c, &out, table);
  if (!out.default_sql.empty() && (out.serial || out.identity != 0)) {
    Fail("42601",
         out.identity != 0 ? "both default and identity specified for column \"" + column.name +
                                 "\" of table \"" + table->name + "\""
                           : "multiple default values specified for column \"" + column.name +
                                 "\" of table \"" + table->name + "\"",
         column.location);
  }
  return out;
}

void DdlBinder::ColumnConstraint(const ConstraintDef& c, catalog::NewColumn* column,
                                 catalog::NewTable* table) {
  RefuseConstraintOptions(c);
  switch (c.kind) {
    case ConstraintKind::kNotNull:
      column->not_null = true;
      break;
    case ConstraintKind::kNull:
      if (column->not_null) {
        Fail("42601",
             "conflicting NULL/NOT NULL declarations for column \"" + column->name +
                 "\" of table \"" + table->name + "\"",
             c.location);
      }
      break;
    case ConstraintKind::kDefault:
      if (!column->default_sql.empty()) {
        Fail("42601",
             "multiple default values specified for column \"" + column->name + "\" of table \"" +
                 table->name + "\"",
             c.location);
      }
      CheckDefault(c.expr_text, *column, c.location);
      column->default_sql = c.expr_text;
      break;
    case ConstraintKind::kIdentity:
      if (column->type_oid != oid::kInt2 && column->type_oid != oid::kInt4 &&
          column->type_oid != oid::kInt8) {
        Fail("22023", "identity column type must be smallint, integer, or bigint", c.location);
      }
      if (c.sequence.start || c.sequence.increment || c.sequence.min_value ||
          c.sequence.max_value || c.sequence.cycle) {
        Unsupported("sequence options of an identity column", c.location);
      }
      column->identity = c.identity_always ? 'a' : 'd';
      column->not_null = true;
      break;
    case ConstraintKind::kGenerated:
      Unsupported("GENERATED ALWAYS AS (expression)", c.location);
    case ConstraintKind::kCheck:
      table->checks.push_back({c.name, column->name, c.expr_text});
      break;
    case ConstraintKind::kPrimaryKey:
      SetPrimaryKey(c, {column->name}, table);
      break;
    case ConstraintKind::kUnique:
      table->uniques.push_back({c.name, {column->name}});
      break;
    case ConstraintKind::kForeignKey:
      table->foreign_keys.push_back(ForeignKey(c, {column->name}));
      break;
  }
}

void DdlBinder::SetPrimaryKey(const ConstraintDef& c, std::vector<std::string> columns,
                              catalog::NewTable* table) {
  if (!table->primary_key.empty()) {
    Fail("42P16", "multiple primary keys for table \"" + table->name + "\" are not allowed",
         c.location);
  }
  table->primary_key_name = c.name;
  table->primary_key = std::move(columns);
}

catalog::NewForeignKey DdlBinder::ForeignKey(const ConstraintDef& c,
                                             std::vector<std::string> columns) {
  if (c.match_full) Unsupported("MATCH FULL", c.location);
  catalog::NewForeignKey out;
  out.name = c.name;
  out.columns = std::move(columns);
  out.ref_table = c.references.name;
  auto existing = binder_->FindTable(c.references);
  out.ref_schema = existing != nullptr ? existing->schema : binder_->TargetSchema(c.references);
  out.ref_columns = c.ref_columns;
  out.on_delete = ActionOf(c.on_delete);
  out.on_update = ActionOf(c.on_update);
  return out;
}

void DdlBinder::TableConstraint(const ConstraintDef& c, catalog::NewTable* table) {
  RefuseConstraintOptions(c);
  switch (c.kind) {
    case ConstraintKind::kCheck:
      table->checks.push_back({c.name, "", c.expr_text});
      break;
    case ConstraintKind::kPrimaryKey:
      SetPrimaryKey(c, c.columns, table);
      break;
    case ConstraintKind::kUnique:
      table->uniques.push_back({c.name, c.columns});
      break;
    case ConstraintKind::kForeignKey:
      table->foreign_keys.push_back(ForeignKey(c, c.columns));
      break;
    default:
      Unsupported("this kind of table constraint", c.location);
  }
}

namespace {

void CollectSlots(const sql::Expr& expr, std::set<uint32_t>* out) {
  if (expr.kind == sql::ExprKind::kColumn) out->insert(expr.slot);
  for (const ExprPtr& arg : expr.args) CollectSlots(*arg, out);
}

}  // namespace

// Binds each CHECK over the columns that the table will have. One that reads a single column is
// named after it, wherever it stands.
void DdlBinder::CheckChecks(catalog::NewTable* new_table) {
  const catalog::NewTable& table = *new_table;
  for (catalog::NewCheck& check : new_table->checks) {
    Scope scope(nullptr);
    ScopeRelation relation;
    relation.alias = table.name;
    int id = 0;
    for (const catalog::NewColumn& column : table.columns) {
      relation.columns.push_back({column.name, id++, {column.type_oid, column.typmod}, 0, 0});
    }
    scope.unqualified = relation.columns;
    scope.relations.push_back(std::move(relation));
    ExprPtr condition = binder_->BindCatalogExpr(check.sql, &scope, Clause::kCheck);
    condition = Check(sql::CoerceToBool(std::move(condition), "CHECK"), -1);
    std::set<uint32_t> columns;
    CollectSlots(*condition, &columns);
    check.column = columns.size() == 1 ? table.columns[*columns.begin()].name : "";
  }
}

catalog::NewTable DdlBinder::CreateTable(const parser::CreateTableStmt& create) {
  catalog::NewTable out;
  out.schema = binder_->TargetSchema(create.table);
  out.name = create.table.name;
  out.if_not_exists = create.if_not_exists;
  if (out.schema == "pg_catalog" || out.schema == "information_schema") {
    Fail("42501", "permission denied to create \"" + out.schema + "." + out.name + "\"", -1, "",
         "System catalog modifications are currently disallowed.");
  }
  CheckStorageOptions(create.options);
  std::set<std::string> names;
  for (const parser::ColumnDef& column : create.columns) {
    if (!names.insert(column.name).second) {
      Fail("42701", "column \"" + column.name + "\" specified more than once", column.location);
    }
    out.columns.push_back(Column(column, &out));
  }
  for (const ConstraintDef& c : create.constraints) TableConstraint(c, &out);
  const auto require = [&](const std::vector<std::string>& columns, const char* what) {
    std::set<std::string> seen;
    for (const std::string& column : columns) {
      if (names.count(column) == 0) {
        Fail("42703", "column \"" + column + "\" " + what);
      }
      if (!seen.insert(column).second) {
        Fail("42701", "column \"" + column + "\" appears twice in a constraint");
      }
    }
  };
  require(out.primary_key, "named in key does not exist");
  for (const auto& unique : out.uniques) require(unique.columns, "named in key does not exist");
  for (const auto& key : out.foreign_keys) {
    require(key.columns, "referenced in foreign key constraint does not exist");
  }
  CheckChecks(&out);
  return out;
}

catalog::NewIndex DdlBinder::CreateIndex(const parser::CreateIndexStmt& create) {
  auto table = binder_->RequireTable(create.table);
  if (table->is_virtual) {
    Fail("42501", "permission denied: \"" + table->name + "\" is a system catalog",
         create.table.location);
  }
  if (create.method != "btree") Unsupported("the index method " + create.method);
  if (create.where != nullptr) Unsupported("a partial index");
  if (!create.including.empty()) Unsupported("INCLUDE");
  if (create.nulls_not_distinct) Unsupported("NULLS NOT DISTINCT");
  CheckStorageOptions(create.options);
  catalog::NewIndex out;
  out.schema = table->schema;
  out.table = table->name;
  out.name = create.name;
  out.unique = create.unique;
  out.if_not_exists = create.if_not_exists;
  for (const parser::IndexElement& element : create.elements) {
    if (element.expr != nullptr) Unsupported("an index on an expression");
    if (!element.opclass.empty()) Unsupported("an operator class");
    CheckCollation(element.collation, create.table.location);
    if (table->FindColumn(element.column) == nullptr) {
      Fail("42703", "column \"" + element.column + "\" does not exist");
    }
    out.columns.push_back({element.column, element.descending,
                           element.nulls == parser::NullsOrder::kDefault
                               ? element.descending
                               : element.nulls == parser::NullsOrder::kFirst});
  }
  return out;
}

catalog::NewSequence DdlBinder::CreateSequence(const parser::CreateSequenceStmt& create) {
  catalog::NewSequence out;
  out.schema = binder_->TargetSchema(create.name);
  out.name = create.name.name;
  out.if_not_exists = create.if_not_exists;
  const parser::SequenceOptions& options = create.options;
  if (options.type) {
    out.type_oid = binder_->ResolveType(*options.type).oid;
    if (out.type_oid != oid::kInt2 && out.type_oid != oid::kInt4 && out.type_oid != oid::kInt8) {
      Fail("22023", "sequence type must be smallint, integer, or bigint");
    }
  }
  if (options.owned_by && *options.owned_by != std::vector<std::string>{"none"}) {
    Unsupported("OWNED BY");
  }
  out.increment = options.increment.value_or(1);
  if (out.increment == 0) Fail("22023", "INCREMENT must not be zero");
  out.start = options.start;
  out.min_value = options.min_value;
  out.max_value = options.max_value;
  out.cycle = options.cycle.value_or(false);
  return out;  // CACHE only bounds how many values a session may skip; writers cache on their own
}

BoundDrop DdlBinder::Drop(const parser::DropStmt& drop) {
  BoundDrop out;
  out.object = drop.object;
  out.if_exists = drop.if_exists;
  out.cascade = drop.cascade;
  for (const parser::RelationName& name : drop.names) {
    binder_->CheckCatalogName(name);
    // Where it is; else where it would be, for the error.
    std::string schema = name.schema;
    if (schema.empty()) {
      if (auto table = binder_->FindTable(name); table != nullptr && !table->is_virtual) {
        schema = table->schema;
      } else {
        schema = binder_->TargetSchema(name);
      }
    }
    out.names.push_back({schema, name.name});
  }
  return out;
}

RelationRef DdlBinder::Existing(const parser::RelationName& name, bool* exists) {
  auto table = binder_->FindTable(name);
  *exists = table != nullptr;
  if (table == nullptr) return {name.schema, name.name};
  if (table->is_virtual) {
    Fail("42501", "permission denied: \"" + table->name + "\" is a system catalog", name.location);
  }
  return {table->schema, table->name};
}

BoundAlterTable DdlBinder::AlterTable(const parser::AlterTableStmt& alter) {
  BoundAlterTable out;
  out.table = Existing(alter.table, &out.exists);
  if (!out.exists) {
    if (!alter.if_exists) (void)binder_->RequireTable(alter.table);
    return out;
  }
  auto table = binder_->RequireTable(alter.table);
  for (const parser::AlterCommand& command : alter.commands) {
    if (command.action == parser::AlterAction::kAddColumn) {
      // Constraints of the column become steps of their own.
      catalog::NewTable holder;
      holder.name = table->name;
      AlterAddColumn add;
      add.column = Column(command.column, &holder);
      add.if_not_exists = command.if_not_exists;
      if (!holder.checks.empty()) Unsupported("ADD COLUMN with CHECK");
      out.steps.emplace_back(std::move(add));
      if (!holder.primary_key.empty()) {
        out.steps.emplace_back(AlterAddPrimaryKey{holder.primary_key_name, holder.primary_key});
      }
      for (auto& unique : holder.uniques) out.steps.emplace_back(AlterAddUnique{unique});
      for (auto& key : holder.foreign_keys) out.steps.emplace_back(AlterAddForeignKey{key});
      continue;
    }
    out.steps.push_back(Alter(command, *table));
  }
  return out;
}

AlterStep DdlBinder::AddConstraint(const parser::AlterCommand& command,
                                   const catalog::TableDescriptor& table) {
  const ConstraintDef& c = command.constraint;
  RefuseConstraintOptions(c);
  for (const std::string& column : c.columns) {
    if (table.FindColumn(column) == nullptr) {
      Fail("42703",
           c.kind == ConstraintKind::kForeignKey
               ? "column \"" + column + "\" referenced in foreign key constraint does not exist"
               : "column \"" + column + "\" named in key does not exist",
           c.location);
    }
  }
  switch (c.kind) {
    case ConstraintKind::kPrimaryKey:
      return AlterAddPrimaryKey{c.name, c.columns};
    case ConstraintKind::kUnique:
      return AlterAddUnique{{c.name, c.columns}};
    case ConstraintKind::kForeignKey:
      return AlterAddForeignKey{ForeignKey(c, c.columns)};
    case ConstraintKind::kCheck:
      Unsupported("ALTER TABLE ... ADD CHECK", c.location);
    default:
      Unsupported("this kind of constraint", c.location);
  }
}

AlterStep DdlBinder::Alter(const parser::AlterCommand& command,
                           const catalog::TableDescriptor& table) {
  using parser::AlterAction;
  const auto column = [&]() -> const catalog::ColumnDescriptor& {
    const auto* found = table.FindColumn(command.name);
    if (found == nullptr) {
      Fail("42703",
           "column \"" + command.name + "\" of relation \"" + table.name + "\" does not exist");
    }
    return *found;
  };
  switch (command.action) {
    case AlterAction::kAddConstraint:
      return AddConstraint(command, table);
    case AlterAction::kDropConstraint:
      return AlterDropConstraint{command.name, command.if_exists, command.cascade};
    case AlterAction::kSetNotNull:
      return AlterSetNotNull{column().name, true};
    case AlterAction::kDropNotNull:
      return AlterSetNotNull{column().name, false};
    case AlterAction::kSetDefault: {
      catalog::NewColumn holder;
      holder.name = column().name;
      holder.type_oid = column().type_oid;
      holder.typmod = column().typmod;
      CheckDefault(command.expr_text, holder, -1);
      return AlterSetDefault{holder.name, command.expr_text};
    }
    case AlterAction::kDropDefault:
      return AlterSetDefault{column().name, ""};
    case AlterAction::kSetOptions:
      CheckStorageOptions(command.options);
      return AlterNothing{};
    case AlterAction::kDropColumn:
      Unsupported("ALTER TABLE ... DROP COLUMN");
    case AlterAction::kAlterType:
      Unsupported("ALTER TABLE ... ALTER COLUMN ... TYPE");
    case AlterAction::kValidateConstraint:
      Unsupported("ALTER TABLE ... VALIDATE CONSTRAINT");
    case AlterAction::kOwner:
      Unsupported("ALTER TABLE ... OWNER TO");
    case AlterAction::kAddColumn:
      break;
  }
  Unsupported("this form of ALTER TABLE");
}

BoundRename DdlBinder::Rename(const parser::RenameStmt& rename) {
  if (rename.what != parser::RenameKind::kTable && rename.what != parser::RenameKind::kColumn) {
    Unsupported("ALTER ... RENAME of an index, sequence or constraint");
  }
  BoundRename out;
  out.table = Existing(rename.table, &out.exists);
  if (!out.exists && !rename.if_exists) (void)binder_->RequireTable(rename.table);
  out.column = rename.old_name;
  out.new_name = rename.new_name;
  return out;
}

BoundTruncate DdlBinder::Truncate(const parser::TruncateStmt& truncate) {
  BoundTruncate out;
  out.restart_identity = truncate.restart_identity;
  out.cascade = truncate.cascade;
  for (const parser::RelationName& name : truncate.tables) {
    bool exists = false;
    out.tables.push_back(Existing(name, &exists));
    if (!exists) (void)binder_->RequireTable(name);
  }
  return out;
}

char OneCharacter(const parser::Option& option) {
  const std::string text = option.value.value_or("");
  if (text.size() != 1) {
    Fail("0A000", "COPY " + option.name + " must be a single one-byte character", option.location);
  }
  return text[0];
}

bool IsTrue(const parser::Option& option) {
  const std::string text = option.value.value_or("true");
  if (text == "true" || text == "on" || text == "1") return true;
  if (text == "false" || text == "off" || text == "0") return false;
  Fail("42601", option.name + " requires a Boolean value", option.location);
}

void CheckCopyOptions(const CopyOptions& out, bool quoted) {
  const bool csv = out.format == CopyFormat::kCsv;
  if (!csv && quoted) Fail("0A000", "COPY quote and escape available only in CSV mode");
  if (!csv &&
      (!out.force_quote.empty() || !out.force_not_null.empty() || !out.force_null.empty())) {
    Fail("0A000", "COPY force options available only in CSV mode");
  }
  if (out.delimiter == '\n' || out.delimiter == '\r') {
    Fail("22023", "COPY delimiter cannot be newline or carriage return");
  }
  if (out.null_text.find_first_of("\r\n") != std::string::npos) {
    Fail("22023", "COPY null representation cannot use newline or carriage return");
  }
  if (!csv && std::string_view("\\.abcdefghijklmnopqrstuvwxyz0123456789").find(out.delimiter) !=
                  std::string_view::npos) {
    Fail("22023", std::string("COPY delimiter cannot be \"") + out.delimiter + "\"");
  }
  if (out.null_text.find(out.delimiter) != std::string::npos) {
    Fail("22023", "COPY delimiter must not appear in the NULL specification");
  }
  if (csv && out.delimiter == out.quote) {
    Fail("22023", "COPY delimiter and quote must be different");
  }
  if (csv && out.null_text.find(out.quote) != std::string::npos) {
    Fail("22023", "CSV quote character must not appear in the NULL specification");
  }
}

// FREEZE only saves PostgreSQL later work on its heap; it is harmless to leave it out.
CopyOptions BindCopyOptions(const parser::CopyStmt& copy) {
  CopyOptions out;
  bool delimiter = false, null = false, quote = false, escape = false;
  for (const parser::Option& option : copy.options) {
    const std::string& name = option.name;
    if (name == "format") {
      const std::string format = option.value.value_or("");
      if (format == "binary") Unsupported("COPY in binary format", option.location);
      if (format != "text" && format != "csv") {
        Fail("22023", "COPY format \"" + format + "\" not recognized", option.location);
      }
      out.format = format == "csv" ? CopyFormat::kCsv : CopyFormat::kText;
    } else if (name == "freeze") {
      (void)IsTrue(option);
    } else if (name == "delimiter") {
      out.delimiter = OneCharacter(option);
      delimiter = true;
    } else if (name == "null") {
      out.null_text = option.value.value_or("");
      null = true;
    } else if (name == "header") {
      out.header_match = option.value.value_or("") == "match";
      out.header = out.header_match || IsTrue(option);
    } else if (name == "quote") {
      out.quote = OneCharacter(option);
      quote = true;
    } else if (name == "escape") {
      out.escape = OneCharacter(option);
      escape = true;
    } else if (name == "force_quote") {
      out.force_quote = option.list;
    } else if (name == "force_not_null") {
      out.force_not_null = option.list;
    } else if (name == "force_null") {
      out.force_null = option.list;
    } else if (name == "encoding") {
      std::string encoding = option.value.value_or("");
      std::transform(encoding.begin(), encoding.end(), encoding.begin(), ::tolower);
      if (encoding != "utf8" && encoding != "utf-8") {
        Unsupported("COPY with the encoding " + encoding, option.location);
      }
    } else {
      Fail("42601", "option \"" + name + "\" not recognized", option.location);
    }
  }
  if (out.format == CopyFormat::kCsv) {
    if (!delimiter) out.delimiter = ',';
    if (!null) out.null_text = "";
    if (!escape) out.escape = out.quote;
  }
  CheckCopyOptions(out, quote || escape);
  return out;
}

std::vector<int> CopyPositions(const parser::CopyStmt& copy, const catalog::TableDescriptor& table,
                               std::vector<std::string>* names) {
  std::vector<int> out;
  if (copy.columns.empty()) {
    for (size_t i = 0; i < table.columns.size(); ++i) {
      if (table.columns[i].hidden) continue;
      out.push_back(static_cast<int>(i));
      names->push_back(table.columns[i].name);
    }
  }
  std::set<std::string> seen;
  for (const std::string& name : copy.columns) {
    const auto* column = table.FindColumn(name);
    if (column == nullptr) {
      Fail("42703", "column \"" + name + "\" of relation \"" + table.name + "\" does not exist");
    }
    if (!seen.insert(name).second) {
      Fail("42701", "column \"" + name + "\" specified more than once");
    }
    out.push_back(table.ColumnPosition(column->id));
    names->push_back(name);
  }
  return out;
}

// COPY t (a, b) TO STDOUT as SELECT a, b FROM s.t.
parser::SelectPtr CopySelect(const catalog::TableDescriptor& table,
                             const std::vector<std::string>& columns) {
  auto select = std::make_unique<parser::SelectStmt>();
  for (const std::string& name : columns) {
    auto ref = std::make_unique<parser::ColumnRef>(-1);
    ref->name = {table.name, name};
    select->targets.push_back({name, std::move(ref), -1});
  }
  auto from = std::make_unique<parser::FromTable>(-1);
  from->table.schema = table.schema;
  from->table.name = table.name;
  select->from.push_back(std::move(from));
  return select;
}

template <typename Fn>
auto GuardDdl(const BindOptions& options, Fn&& fn) -> sql::SqlResult<decltype(fn())> {
  try {
    return fn();
  } catch (BindFailure& failure) {
    if (failure.location >= 0 && !options.text.empty() && failure.status.position() == 0) {
      failure.status.set_position(parser::CharacterPosition(options.text, failure.location));
    }
    return std::move(failure.status);
  }
}

const char* ObjectTag(parser::ObjectKind kind) {
  return kind == parser::ObjectKind::kTable   ? "TABLE"
         : kind == parser::ObjectKind::kIndex ? "INDEX"
                                              : "SEQUENCE";
}

BoundDdl BindDdlStatement(const parser::Statement& statement, DdlBinder* ddl) {
  using parser::StatementKind;
  switch (statement.kind) {
    case StatementKind::kCreateTable:
      return {"CREATE TABLE",
              ddl->CreateTable(static_cast<const parser::CreateTableStmt&>(statement))};
    case StatementKind::kCreateIndex:
      return {"CREATE INDEX",
              ddl->CreateIndex(static_cast<const parser::CreateIndexStmt&>(statement))};
    case StatementKind::kCreateSequence:
      return {"CREATE SEQUENCE",
              ddl->CreateSequence(static_cast<const parser::CreateSequenceStmt&>(statement))};
    case StatementKind::kDrop: {
      auto& drop = static_cast<const parser::DropStmt&>(statement);
      return {std::string("DROP ") + ObjectTag(drop.object), ddl->Drop(drop)};
    }
    case StatementKind::kAlterTable:
      return {"ALTER TABLE",
              ddl->AlterTable(static_cast<const parser::AlterTableStmt&>(statement))};
    case StatementKind::kRename:
      return {"ALTER TABLE", ddl->Rename(static_cast<const parser::RenameStmt&>(statement))};
    case StatementKind::kTruncate:
      return {"TRUNCATE TABLE", ddl->Truncate(static_cast<const parser::TruncateStmt&>(statement))};
    case StatementKind::kAlterSequence:
      Unsupported("ALTER SEQUENCE");
    default:
      Fail("XX000", "the binder was given a statement that is no DDL");
  }
}

}  // namespace

bool IsDdl(const parser::Statement& statement) {
  using parser::StatementKind;
  switch (statement.kind) {
    case StatementKind::kCreateTable:
    case StatementKind::kDrop:
    case StatementKind::kAlterTable:
    case StatementKind::kRename:
    case StatementKind::kCreateIndex:
    case StatementKind::kCreateSequence:
    case StatementKind::kAlterSequence:
    case StatementKind::kTruncate:
      return true;
    default:
      return false;
  }
}

sql::SqlResult<BoundDdl> BindDdl(const parser::Statement& statement, const BindOptions& options) {
  return GuardDdl(options, [&] {
    Binder binder(options);
    DdlBinder ddl(&binder);
    return BindDdlStatement(statement, &ddl);
  });
}

sql::SqlResult<BoundCopy> BindCopy(const parser::CopyStmt& copy, const BindOptions& options) {
  return GuardDdl(options, [&] {
    Binder binder(options);
    BoundCopy out;
    out.from = copy.from;
    out.options = BindCopyOptions(copy);
    if (copy.query != nullptr) {
      binder.BindStatement(*copy.query);
    } else {
      out.table = binder.RequireTable(*copy.table);
      const std::vector<int> positions = CopyPositions(copy, *out.table, &out.columns);
      for (int position : positions) {
        const auto& column = out.table->columns[static_cast<size_t>(position)];
        out.column_types.push_back({column.type_oid, column.typmod});
      }
      if (!copy.from) {
        binder.BindStatement(*CopySelect(*out.table, out.columns));
      } else if (out.table->is_virtual) {
        Fail("42501", "permission denied: \"" + out.table->name + "\" is a system catalog",
             copy.table->location);
      } else {
        binder.BindCopyFrom(copy, out.table, positions);
      }
    }
    out.statement = binder.Finish();
    if (copy.query != nullptr) {
      const Query& query = *out.statement->select;
      for (size_t i = 0; i < query.visible; ++i) {
        out.columns.push_back(query.outputs[i].name);
        out.column_types.push_back(query.outputs[i].type);
      }
    }
    return out;
  });
}

}  // namespace borealis::binder
