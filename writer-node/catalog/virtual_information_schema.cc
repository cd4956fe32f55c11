// Rows of information_schema.
#include "common/sql/types.h"
#include "writer-node/catalog/virtual_schema.h"

namespace borealis::catalog {
namespace {

using Rows = VirtualRowBuilder;

std::string DataType(const ColumnDescriptor& c) {
  const sql::TypeInfo* type = sql::FindType(c.type_oid);
  if (type == nullptr) return "USER-DEFINED";
  return type->element != 0 ? "ARRAY" : std::string(type->sql_name);
}

void ForEachTable(const VirtualContext& context,
                  const std::function<void(const TableDescriptor&)>& f) {
  for (const auto& [id, t] : context.catalog->tables()) f(*t);
  for (const TablePtr& t : VirtualTables()) f(*t);
}

void Tables(const VirtualContext& context, Rows* rows) {
  ForEachTable(context, [&](const TableDescriptor& t) {
    const bool view = t.is_virtual && IsView(t);
    rows->Row()
        .Str("table_catalog", context.catalog->database().name)
        .Str("table_schema", t.schema);
    rows->Str("table_name", t.name).Str("table_type", view ? "VIEW" : "BASE TABLE");
    rows->Str("is_insertable_into", t.is_virtual ? "NO" : "YES").Str("is_typed", "NO");
  });
}

void Columns(const VirtualContext& context, Rows* rows) {
  ForEachTable(context, [&](const TableDescriptor& t) {
    int64_t number = 0;
    for (const ColumnDescriptor& c : t.columns) {
      if (c.hidden) continue;
      const sql::TypeInfo* type = sql::FindType(c.type_oid);
      rows->Row()
          .Str("table_catalog", context.catalog->database().name)
          .Str("table_schema", t.schema);
      rows->Str("table_name", t.name).Str("column_name", c.name).Int("ordinal_position", ++number);
      rows->Str("is_nullable", c.not_null ? "NO" : "YES").Str("data_type", DataType(c));
      rows->Str("udt_catalog", context.catalog->database().name).Str("udt_schema", "pg_catalog");
      rows->Str("udt_name", type == nullptr ? "" : type->name)
          .Str("dtd_identifier", std::to_string(number));
      rows->Str("is_identity", c.identity != 0 ? "YES" : "NO").Str("is_generated", "NEVER");
      rows->Str("is_updatable", t.is_virtual ? "NO" : "YES").Str("is_self_referencing", "NO");
      if (c.identity != 0)
        rows->Str("identity_generation", c.identity == 'a' ? "ALWAYS" : "BY DEFAULT");
      if (!c.default_sql.empty()) rows->Str("column_default", c.default_sql);
      const bool sized = c.type_oid == sql::oid::kVarchar || c.type_oid == sql::oid::kBpchar;
      if (sized && sql::TypmodLength(c.typmod) >= 0) {
        rows->Int("character_maximum_length", sql::TypmodLength(c.typmod));
      }
      const int64_t bits = c.type_oid == sql::oid::kInt2   ? 16
                           : c.type_oid == sql::oid::kInt4 ? 32
                           : c.type_oid == sql::oid::kInt8 ? 64
                                                           : 0;
      if (bits != 0) {
        rows->Int("numeric_precision", bits)
            .Int("numeric_precision_radix", 2)
            .Int("numeric_scale", 0);
      } else if (c.type_oid == sql::oid::kNumeric) {
        rows->Int("numeric_precision_radix", 10);
        if (c.typmod >= 4) {
          rows->Int("numeric_precision", sql::TypmodPrecision(c.typmod));
          rows->Int("numeric_scale", sql::TypmodScale(c.typmod));
        }
      }
    }
  });
}

void Schemata(const VirtualContext& context, Rows* rows) {
  for (const auto& [oid, s] : context.catalog->schemas()) {
    const RolePtr owner = context.catalog->FindRoleByOid(s.owner);
    rows->Row().Str("catalog_name", context.catalog->database().name).Str("schema_name", s.name);
    rows->Str("schema_owner", owner ? owner->name : "");
  }
}

std::string_view TypeText(ConstraintType type) {
  switch (type) {
    case ConstraintType::kPrimaryKey:
      return "PRIMARY KEY";
    case ConstraintType::kUnique:
      return "UNIQUE";
    case ConstraintType::kForeignKey:
      return "FOREIGN KEY";
    case ConstraintType::kCheck:
      return "CHECK";
  }
  return "";
}

void TableConstraints(const VirtualContext& context, Rows* rows) {
  const std::string& database = context.catalog->database().name;
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const ConstraintDescriptor& c : t->constraints) {
      rows->Row().Str("constraint_catalog", database).Str("constraint_schema", t->schema);
      rows->Str("constraint_name", c.name)
          .Str("table_catalog", database)
          .Str("table_schema", t->schema);
      rows->Str("table_name", t->name).Str("constraint_type", TypeText(c.type));
      rows->Str("is_deferrable", "NO").Str("initially_deferred", "NO").Str("enforced", "YES");
    }
  }
}

void KeyColumnUsage(const VirtualContext& context, Rows* rows) {
  const std::string& database = context.catalog->database().name;
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const ConstraintDescriptor& c : t->constraints) {
      if (c.type == ConstraintType::kCheck) continue;
      for (size_t i = 0; i < c.columns.size(); ++i) {
        const ColumnDescriptor* column = t->FindColumn(c.columns[i]);
        rows->Row().Str("constraint_catalog", database).Str("constraint_schema", t->schema);
        rows->Str("constraint_name", c.name).Str("table_catalog", database);
        rows->Str("table_schema", t->schema).Str("table_name", t->name);
        rows->Str("column_name", column == nullptr ? "" : column->name);
        rows->Int("ordinal_position", static_cast<int64_t>(i) + 1);
        if (c.type == ConstraintType::kForeignKey) {
          rows->Int("position_in_unique_constraint", static_cast<int64_t>(i) + 1);
        }
      }
    }
  }
}

}  // namespace

std::vector<VirtualTableSpec> InformationSchemaTables() {
  return {
      {13100, "information_schema", "tables",
       "table_catalog:name table_schema:name table_name:name table_type:text "
       "self_referencing_column_name:name? reference_generation:text? "
       "user_defined_type_catalog:name? user_defined_type_schema:name? "
       "user_defined_type_name:name? "
       "is_insertable_into:text is_typed:text commit_action:text?",
       Tables, true},
      {13104, "information_schema", "columns",
       "table_catalog:name table_schema:name table_name:name column_name:name "
       "ordinal_position:int4 "
       "column_default:text? is_nullable:text data_type:text character_maximum_length:int4? "
       "character_octet_length:int4? numeric_precision:int4? numeric_precision_radix:int4? "
       "numeric_scale:int4? datetime_precision:int4? interval_type:text? collation_name:name? "
       "udt_catalog:name udt_schema:name udt_name:name dtd_identifier:text "
       "is_self_referencing:text "
       "is_identity:text identity_generation:text? identity_start:text? identity_increment:text? "
       "identity_maximum:text? identity_minimum:text? identity_cycle:text? is_generated:text "
       "generation_expression:text? is_updatable:text",
       Columns, true},
      {13108, "information_schema", "schemata",
       "catalog_name:name schema_name:name schema_owner:name sql_path:text?", Schemata, true},
      {13112, "information_schema", "table_constraints",
       "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name "
       "table_schema:name table_name:name constraint_type:text is_deferrable:text "
       "initially_deferred:text enforced:text",
       TableConstraints, true},
      {13116, "information_schema", "key_column_usage",
       "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name "
       "table_schema:name table_name:name column_name:name ordinal_position:int4 "
       "position_in_unique_constraint:int4?",
       KeyColumnUsage, true},
  };
}

}  // namespace borealis::catalog
