// The columns of the virtual tables and the building of their rows. Internal to virtual_*.cc.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "writer-node/catalog/virtual_tables.h"

namespace borealis::catalog {

class VirtualRowBuilder;

// Makes all rows of one table.
using RowProducer = void (*)(const VirtualContext& context, VirtualRowBuilder* rows);

struct VirtualTableSpec {
  Oid oid;
  const char* schema;  // pg_catalog or information_schema
  const char* name;
  // "name:type name:type ..."; types by pg_type's names; a "?" behind the type: NULL unless set,
  // else the type's zero (false, 0, the empty string).
  const char* columns;
  RowProducer producer;  // null: always empty
  bool view = false;     // PostgreSQL has it as a view
};

// The stored catalog's tables, then information_schema's.
std::vector<VirtualTableSpec> PgCatalogTables();
std::vector<VirtualTableSpec> InformationSchemaTables();

// Collects rows by column name.
class VirtualRowBuilder {
 public:
  VirtualRowBuilder(const TableDescriptor* table, const sql::Row* defaults);

  // Starts a row.
  VirtualRowBuilder& Row();
  // Requires that the column exists.
  VirtualRowBuilder& Set(std::string_view column, sql::Datum value);
  VirtualRowBuilder& Int(std::string_view column, int64_t v) {
    return Set(column, sql::Datum::Int(v));
  }
  VirtualRowBuilder& Str(std::string_view column, std::string_view v) {
    return Set(column, sql::Datum::String(v));
  }
  VirtualRowBuilder& Char(std::string_view column, char v) {
    return Set(column, sql::Datum::String(v == 0 ? std::string_view() : std::string_view(&v, 1)));
  }
  VirtualRowBuilder& Bool(std::string_view column, bool v) {
    return Set(column, sql::Datum::Bool(v));
  }

  std::vector<sql::Row> Take() { return std::move(rows_); }

 private:
  const sql::Row* defaults_;
  std::map<std::string_view, size_t> positions_;
  std::vector<sql::Row> rows_;
};

// ---- shared by the producers
sql::Datum Int2s(const std::vector<int64_t>& values);
sql::Datum Oids(const std::vector<int64_t>& values);
// 100 (default) for collatable types, 0 else.
Oid CollationOf(uint32_t type_oid);
bool IsView(const TableDescriptor& table);  // of a virtual one

}  // namespace borealis::catalog
