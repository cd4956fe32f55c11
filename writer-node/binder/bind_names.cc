// Names of columns, types and relations.
#include <algorithm>

#include "common/sql/io.h"
#include "writer-node/binder/binder_impl.h"
#include "writer-node/parser/parser.h"

namespace borealis::binder {
namespace {

bool IsSystemColumn(const std::string& name) {
  return name == "tableoid" || name == "ctid" || name == "xmin" || name == "xmax" ||
         name == "cmin" || name == "cmax";
}

// serial4 and the like are no types of their own.
std::string_view TypeAlias(std::string_view name) {
  if (name == "int") return "int4";
  if (name == "decimal") return "numeric";
  return name;
}

}  // namespace

FoundColumn Binder::FindUnqualified(const std::string& name, Scope* scope, int location) {
  for (Scope* s = scope; s != nullptr; s = s->parent) {
    FoundColumn found;
    for (const ScopeColumn& column : s->unqualified) {
      if (column.name != name) continue;
      if (found.column != nullptr) {
        Fail("42702", "column reference \"" + name + "\" is ambiguous", location);
      }
      found = {&column, s};
    }
    if (found.column != nullptr) return found;
  }
  return {};
}

const ScopeRelation* Binder::FindRelation(const std::string& schema, const std::string& alias,
                                          Scope* scope) {
  for (Scope* s = scope; s != nullptr; s = s->parent) {
    for (const ScopeRelation& relation : s->relations) {
      if (relation.alias == alias && (schema.empty() || relation.schema == schema)) {
        return &relation;
      }
    }
  }
  return nullptr;
}

ExprPtr Binder::BindSystemColumn(const ScopeRelation& relation, const std::string& name,
                                 int location) {
  if (name != "tableoid") Unsupported("the system column \"" + name + "\"", location);
  return sql::MakeConst({sql::oid::kOid, -1}, sql::Datum::Int(relation.table->oid));
}

ExprPtr Binder::BindColumnRef(const parser::ColumnRef& ref, Scope* scope) {
  const std::string& name = ref.name.back();
  if (ref.star) Unsupported("a row reference with \"*\" here", ref.location);
  if (ref.name.size() == 1) {
    const FoundColumn found = FindUnqualified(name, scope, ref.location);
    if (found.column != nullptr) {
      ExprPtr out = sql::MakeColumn(found.column->id, found.column->type);
      out->location = ref.location;
      return out;
    }
    if (IsSystemColumn(name) && scope->relations.size() == 1 && scope->relations[0].table) {
      return BindSystemColumn(scope->relations[0], name, ref.location);
    }
    if (FindRelation("", name, scope) != nullptr) {
      Unsupported("a whole-row reference (\"" + name + "\")", ref.location);
    }
    Fail("42703", "column \"" + name + "\" does not exist", ref.location);
  }
  if (ref.name.size() > 3) {
    Fail("42601", "improper qualified name (too many dotted names): " + parser::NameText(ref.name),
         ref.location);
  }
  const std::string schema = ref.name.size() == 3 ? ref.name[0] : "";
  const std::string& alias = ref.name[ref.name.size() - 2];
  const ScopeRelation* relation = FindRelation(schema, alias, scope);
  if (relation == nullptr) {
    Fail("42P01", "missing FROM-clause entry for table \"" + alias + "\"", ref.location);
  }
  const ScopeColumn* match = nullptr;
  for (const ScopeColumn& column : relation->columns) {
    if (column.name != name) continue;
    if (match != nullptr) {
      Fail("42702", "column reference \"" + name + "\" is ambiguous", ref.location);
    }
    match = &column;
  }
  if (match == nullptr) {
    if (IsSystemColumn(name) && relation->table != nullptr) {
      return BindSystemColumn(*relation, name, ref.location);
    }
    Fail("42703", "column " + alias + "." + name + " does not exist", ref.location);
  }
  ExprPtr out = sql::MakeColumn(match->id, match->type);
  out->location = ref.location;
  return out;
}

void Binder::ExpandStar(const parser::ColumnRef& ref, Scope* scope,
                        std::vector<OutputColumn>* out) {
  const std::vector<ScopeColumn>* columns = &scope->unqualified;
  if (!ref.name.empty()) {
    const std::string schema = ref.name.size() > 1 ? ref.name[ref.name.size() - 2] : "";
    const ScopeRelation* relation = FindRelation(schema, ref.name.back(), scope);
    if (relation == nullptr) {
      Fail("42P01", "missing FROM-clause entry for table \"" + ref.name.back() + "\"",
           ref.location);
    }
    columns = &relation->columns;
  } else if (scope->relations.empty()) {
    Fail("42601", "SELECT * with no tables specified is not valid", ref.location);
  }
  for (const ScopeColumn& column : *columns) {
    OutputColumn output;
    output.expr = sql::MakeColumn(column.id, column.type);
    output.expr->location = ref.location;
    output.name = column.name;
    output.type = column.type;
    output.table_oid = column.table_oid;
    output.attnum = column.attnum;
    out->push_back(std::move(output));
  }
}

namespace {

// Types that PostgreSQL 15 has and Borealis does not, so that a client learns what is missing here.
bool IsPostgresType(std::string_view name) {
  static constexpr std::string_view kNames[] = {"bit",
                                                "box",
                                                "cid",
                                                "cidr",
                                                "circle",
                                                "daterange",
                                                "datemultirange",
                                                "inet",
                                                "int4multirange",
                                                "int4range",
                                                "int8multirange",
                                                "int8range",
                                                "json",
                                                "jsonb",
                                                "jsonpath",
                                                "line",
                                                "lseg",
                                                "macaddr",
                                                "macaddr8",
                                                "money",
                                                "nummultirange",
                                                "numrange",
                                                "path",
                                                "pg_lsn",
                                                "pg_snapshot",
                                                "point",
                                                "polygon",
                                                "refcursor",
                                                "regcollation",
                                                "regconfig",
                                                "regdictionary",
                                                "regoper",
                                                "regoperator",
                                                "regprocedure",
                                                "tid",
                                                "timetz",
                                                "tsmultirange",
                                                "tsquery",
                                                "tsrange",
                                                "tstzmultirange",
                                                "tstzrange",
                                                "tsvector",
                                                "txid_snapshot",
                                                "uuid",
                                                "varbit",
                                                "xml"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

sql::Type Binder::ResolveType(const parser::TypeName& type) {
  const std::string text = parser::NameText(type.names);
  const bool known_schema =
      type.names.size() == 1 || (type.names.size() == 2 && type.names[0] == "pg_catalog");
  const sql::TypeInfo* info = known_schema ? sql::FindType(TypeAlias(type.names.back())) : nullptr;
  if (info == nullptr && known_schema && IsPostgresType(TypeAlias(type.names.back()))) {
    Unsupported("type \"" + type.names.back() + "\"", type.location);
  }
  if (info == nullptr) Fail("42704", "type \"" + text + "\" does not exist", type.location);
  sql::Type out{info->oid, -1};
  if (!type.modifiers.empty()) {
    out.typmod = Check(sql::MakeTypmod(info->oid, type.modifiers), type.location);
  }
  if (type.array_dimensions > 0) {
    if (info->array == 0) {
      Unsupported("an array of " + sql::FormatType(info->oid), type.location);
    }
    out.oid = info->array;
  }
  return out;
}

void Binder::CheckCatalogName(const parser::RelationName& name) {
  if (!name.catalog.empty() && name.catalog != catalog_.database().name) {
    Fail("0A000",
         "cross-database references are not implemented: \"" + name.catalog + "." + name.schema +
             "." + name.name + "\"",
         name.location);
  }
}

catalog::TablePtr Binder::FindTable(const parser::RelationName& name) {
  CheckCatalogName(name);
  if (!name.schema.empty()) return catalog_.FindTable(name.schema, name.name);
  for (const std::string& schema : path_) {
    if (auto table = catalog_.FindTable(schema, name.name)) return table;
  }
  return nullptr;
}

catalog::TablePtr Binder::RequireTable(const parser::RelationName& name) {
  if (auto table = FindTable(name)) return table;
  const std::string text = name.schema.empty() ? name.name : name.schema + "." + name.name;
  const std::vector<std::string> schemas =
      name.schema.empty() ? path_ : std::vector<std::string>{name.schema};
  for (const std::string& schema : schemas) {
    if (catalog_.FindSequence(schema, name.name)) {
      Unsupported("reading a sequence (\"" + text + "\") as a table", name.location);
    }
    if (catalog_.FindIndex(schema, name.name)) {
      Fail("42809", "\"" + name.name + "\" is an index", name.location);
    }
  }
  Fail("42P01", "relation \"" + text + "\" does not exist", name.location);
}

std::optional<uint32_t> Binder::FindRelationOid(const std::vector<std::string>& name) {
  if (name.empty() || name.size() > 3) return std::nullopt;
  const std::vector<std::string> schemas =
      name.size() == 1 ? path_ : std::vector<std::string>{name[name.size() - 2]};
  for (const std::string& schema : schemas) {
    if (auto table = catalog_.FindTable(schema, name.back())) return table->oid;
    if (auto sequence = catalog_.FindSequence(schema, name.back())) return sequence->oid;
    if (auto index = catalog_.FindIndex(schema, name.back())) {
      const catalog::IndexDescriptor* found = index->table->FindIndex(index->index);
      if (found != nullptr) return found->oid;
    }
  }
  return std::nullopt;
}

std::string Binder::TargetSchema(const parser::RelationName& name) {
  CheckCatalogName(name);
  if (!name.schema.empty()) {
    if (catalog_.FindSchema(name.schema) == nullptr) {
      Fail("3F000", "schema \"" + name.schema + "\" does not exist", name.location);
    }
    return name.schema;
  }
  for (const std::string& schema : options_.search_path) {
    if (catalog_.FindSchema(schema) != nullptr) return schema;
  }
  Fail("3F000", "no schema has been selected to create in", name.location);
}

int Binder::NewColumn(const Query* owner, std::string text) {
  origins_.push_back({owner, std::move(text)});
  return out_->next_column_id++;
}

void Binder::NoteTable(const catalog::TablePtr& table) {
  if (table->is_virtual) return;
  for (const auto& known : out_->tables) {
    if (known->id == table->id) return;
  }
  out_->tables.push_back(table);
}

}  // namespace borealis::binder
