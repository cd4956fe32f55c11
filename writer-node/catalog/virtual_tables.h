// pg_catalog and information_schema: tables whose rows are computed from a CatalogSnapshot. Column
// names, types and OIDs are PostgreSQL 15's; only columns that clients ask for are there
// (docs/design/catalog.md lists the tables). CatalogSnapshot::FindTable finds their descriptors,
// with is_virtual set.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/sql/datum.h"
#include "writer-node/catalog/snapshot.h"

namespace borealis::catalog {

struct SettingRow {
  std::string name = {};
  std::string value = {};
  std::string unit = {};  // empty = none
  std::string category = {};
  std::string description = {};
  std::string context = "user";
  std::string type = "string";  // bool, integer, real, string, enum
  std::string default_value = {};
  std::string reset_value = {};
  std::string min_value = {};  // of integer and real
  std::string max_value = {};
  std::vector<std::string> choices = {};  // of enum
};

// Times in microseconds since 2000-01-01 UTC. What is none is NULL for the client.
struct ActivityRow {
  int32_t pid = 0;
  std::string user = {};
  std::string application = {};
  std::string client_address = {};  // empty = none
  int32_t client_port = 0;
  std::optional<int64_t> started = {};
  std::optional<int64_t> transaction_started = {};
  std::optional<int64_t> query_started = {};
  std::optional<int64_t> state_changed = {};
  std::string state = {};  // active, idle, idle in transaction; empty = none
  std::string query = {};
};

// What rows are computed from. Functions may be empty: then there are no such rows.
struct VirtualContext {
  const CatalogSnapshot* catalog = nullptr;
  std::function<std::vector<SettingRow>()> settings;
  std::function<std::vector<ActivityRow>()> activity;
};

// Null when there is none.
TablePtr FindVirtualTable(std::string_view schema, std::string_view name);
TablePtr FindVirtualTable(Oid oid);
const std::vector<TablePtr>& VirtualTables();

// All rows, values in the order of the descriptor's columns. Requires table.is_virtual.
std::vector<sql::Row> VirtualRows(const TableDescriptor& table, const VirtualContext& context);

// ---- definitions as pg_get_* show them
// "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)"; column > 0: that column's name only.
std::string IndexDefinition(const TableDescriptor& table, const IndexDescriptor& index,
                            int column = 0);
// "PRIMARY KEY (id)", "FOREIGN KEY (a) REFERENCES p(id)", "CHECK ((a > 0))"; pretty:
// "CHECK (a > 0)".
std::string ConstraintDefinition(const CatalogSnapshot& catalog, const TableDescriptor& table,
                                 const ConstraintDescriptor& constraint, bool pretty = false);
// The name as SQL: in double quotes unless it is plain lower case.
std::string QuoteIdentifier(std::string_view name);

}  // namespace borealis::catalog
