#include "writer-node/catalog/virtual_tables.h"

#include <memory>
#include <sstream>

#include "common/sql/io.h"
#include "common/sql/types.h"
#include "writer-node/catalog/virtual_schema.h"

namespace borealis::catalog {
namespace {

struct Entry {
  TablePtr table;
  sql::Row defaults;
  RowProducer producer = nullptr;
  bool view = false;
};

sql::Datum ZeroOf(const sql::TypeInfo& type) {
  switch (type.kind) {
    case sql::DatumKind::kBool:
      return sql::Datum::Bool(false);
    case sql::DatumKind::kInt:
      return sql::Datum::Int(0);
    case sql::DatumKind::kDouble:
      return sql::Datum::Double(0);
    case sql::DatumKind::kString:
      return sql::Datum::String("");
    default:
      return sql::Datum();
  }
}

Entry MakeEntry(const VirtualTableSpec& spec) {
  auto table = std::make_shared<TableDescriptor>();
  Entry entry;
  table->oid = spec.oid;
  table->schema = spec.schema;
  table->schema_oid = table->schema == "pg_catalog" ? kPgCatalogSchemaOid : kInformationSchemaOid;
  table->name = spec.name;
  table->is_virtual = true;
  std::istringstream words(spec.columns);
  for (std::string word; words >> word;) {
    const size_t colon = word.find(':');
    BOREALIS_CHECK(colon != std::string::npos);
    const bool nullable = word.back() == '?';
    const std::string type_name =
        word.substr(colon + 1, word.size() - colon - 1 - (nullable ? 1 : 0));
    const sql::TypeInfo* type = sql::FindType(type_name);
    BOREALIS_CHECK(type != nullptr);
    ColumnDescriptor column;
    column.id = table->next_column;
    table->next_column = table->next_column.Next();
    column.name = word.substr(0, colon);
    column.type_oid = type->oid;
    column.not_null = !nullable;
    table->columns.push_back(std::move(column));
    entry.defaults.push_back(nullable ? sql::Datum() : ZeroOf(*type));
  }
  entry.table = std::move(table);
  entry.producer = spec.producer;
  entry.view = spec.view;
  return entry;
}

// Constant after its first use.
struct Tables {
  std::map<std::pair<std::string, std::string>, Entry> by_name;
  std::map<Oid, const Entry*> by_oid;
  std::vector<TablePtr> all;
};

const Tables& AllVirtual() {
  static const Tables* const tables = [] {
    auto* made = new Tables();
    for (const auto& specs : {PgCatalogTables(), InformationSchemaTables()}) {
      for (const VirtualTableSpec& spec : specs) {
        auto [it, fresh] =
            made->by_name.emplace(std::pair(spec.schema, spec.name), MakeEntry(spec));
        BOREALIS_CHECK(fresh);
        BOREALIS_CHECK(made->by_oid.emplace(spec.oid, &it->second).second);
      }
    }
    for (const auto& [oid, entry] : made->by_oid) made->all.push_back(entry->table);
    return made;
  }();
  return *tables;
}

}  // namespace

TablePtr FindVirtualTable(std::string_view schema, std::string_view name) {
  const auto& tables = AllVirtual().by_name;
  auto it = tables.find({std::string(schema), std::string(name)});
  return it == tables.end() ? nullptr : it->second.table;
}

TablePtr FindVirtualTable(Oid oid) {
  const auto& tables = AllVirtual().by_oid;
  auto it = tables.find(oid);
  return it == tables.end() ? nullptr : it->second->table;
}

const std::vector<TablePtr>& VirtualTables() {
  return AllVirtual().all;
}

bool IsView(const TableDescriptor& table) {
  return AllVirtual().by_oid.at(table.oid)->view;
}

std::vector<sql::Row> VirtualRows(const TableDescriptor& table, const VirtualContext& context) {
  auto it = AllVirtual().by_oid.find(table.oid);
  if (it == AllVirtual().by_oid.end() || it->second->producer == nullptr) return {};
  VirtualRowBuilder rows(it->second->table.get(), &it->second->defaults);
  it->second->producer(context, &rows);
  return rows.Take();
}

VirtualRowBuilder::VirtualRowBuilder(const TableDescriptor* table, const sql::Row* defaults)
    : defaults_(defaults) {
  for (size_t i = 0; i < table->columns.size(); ++i) positions_[table->columns[i].name] = i;
}

VirtualRowBuilder& VirtualRowBuilder::Row() {
  rows_.push_back(*defaults_);
  return *this;
}

VirtualRowBuilder& VirtualRowBuilder::Set(std::string_view column, sql::Datum value) {
  auto it = positions_.find(column);
  BOREALIS_CHECK(it != positions_.end());
  rows_.back()[it->second] = std::move(value);
  return *this;
}

sql::Datum Int2s(const std::vector<int64_t>& values) {
  std::vector<sql::Datum> out;
  for (int64_t v : values) out.push_back(sql::Datum::Int(v));
  return sql::Datum::Array(sql::oid::kInt2, std::move(out));
}

sql::Datum Oids(const std::vector<int64_t>& values) {
  std::vector<sql::Datum> out;
  for (int64_t v : values) out.push_back(sql::Datum::Int(v));
  return sql::Datum::Array(sql::oid::kOid, std::move(out));
}

Oid CollationOf(uint32_t type_oid) {
  if (type_oid == sql::oid::kName) return 950;  // "C"
  const bool collatable = type_oid == sql::oid::kText || type_oid == sql::oid::kVarchar ||
                          type_oid == sql::oid::kBpchar;
  return collatable ? 100 : 0;
}

// ---- definitions

std::string QuoteIdentifier(std::string_view name) {
  return sql::QuoteIdentifier(name);
}

namespace {

std::string ColumnList(const TableDescriptor& table, const std::vector<ColumnId>& ids) {
  std::string out;
  for (ColumnId id : ids) {
    const ColumnDescriptor* column = table.FindColumn(id);
    out += (out.empty() ? "" : ", ") + QuoteIdentifier(column == nullptr ? "?" : column->name);
  }
  return out;
}

std::string ActionText(ForeignKeyAction action) {
  switch (action) {
    case ForeignKeyAction::kNoAction:
      return "";
    case ForeignKeyAction::kRestrict:
      return "RESTRICT";
    case ForeignKeyAction::kCascade:
      return "CASCADE";
    case ForeignKeyAction::kSetNull:
      return "SET NULL";
    case ForeignKeyAction::kSetDefault:
      return "SET DEFAULT";
  }
  return "";
}

}  // namespace

namespace {

// "(a > 0)" -> "a > 0"; "(a) AND (b)" stays, as its first parenthesis is not closed by the last.
std::string_view WithoutOuterParentheses(std::string_view sql) {
  if (!sql.starts_with('(')) return sql;
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (quote != 0) {
      if (c == quote) quote = 0;  // a doubled one opens the next part at once
      continue;
    }
    if (c == '\'' || c == '"') quote = c;
    if (c == '(') ++depth;
    if (c == ')' && --depth == 0) {
      return i + 1 == sql.size() ? sql.substr(1, sql.size() - 2) : sql;
    }
  }
  return sql;
}

}  // namespace

std::string IndexDefinition(const TableDescriptor& table, const IndexDescriptor& index,
                            int column) {
  if (column > 0) {
    if (static_cast<size_t>(column) > index.columns.size()) return "";
    return ColumnList(table, {index.columns[static_cast<size_t>(column) - 1].column});
  }
  std::string out = std::string("CREATE ") + (index.unique ? "UNIQUE " : "") + "INDEX " +
                    QuoteIdentifier(index.name) + " ON " + QuoteIdentifier(table.schema) + "." +
                    QuoteIdentifier(table.name) + " USING btree (";
  for (size_t i = 0; i < index.columns.size(); ++i) {
    const IndexColumn& c = index.columns[i];
    out += (i == 0 ? "" : ", ") + ColumnList(table, {c.column});
    if (c.descending) out += " DESC";
    if (c.descending != c.nulls_first) out += c.nulls_first ? " NULLS FIRST" : " NULLS LAST";
  }
  return out + ")";
}

std::string ConstraintDefinition(const CatalogSnapshot& catalog, const TableDescriptor& table,
                                 const ConstraintDescriptor& constraint, bool pretty) {
  switch (constraint.type) {
    case ConstraintType::kPrimaryKey:
      return "PRIMARY KEY (" + ColumnList(table, constraint.columns) + ")";
    case ConstraintType::kUnique:
      return "UNIQUE (" + ColumnList(table, constraint.columns) + ")";
    case ConstraintType::kCheck:
      return "CHECK (" +
             (pretty ? std::string(WithoutOuterParentheses(constraint.check_sql))
                     : constraint.check_sql) +
             ")";
    case ConstraintType::kForeignKey:
      break;
  }
  const TablePtr parent = catalog.FindTable(constraint.ref_table);
  std::string out = "FOREIGN KEY (" + ColumnList(table, constraint.columns) + ") REFERENCES ";
  if (parent == nullptr) return out + "?";
  if (parent->schema != "public") out += QuoteIdentifier(parent->schema) + ".";
  out += QuoteIdentifier(parent->name) + "(" + ColumnList(*parent, constraint.ref_columns) + ")";
  if (constraint.on_update != ForeignKeyAction::kNoAction) {
    out += " ON UPDATE " + ActionText(constraint.on_update);
  }
  if (constraint.on_delete != ForeignKeyAction::kNoAction) {
    out += " ON DELETE " + ActionText(constraint.on_delete);
  }
  return out;
}

}  // namespace borealis::catalog
