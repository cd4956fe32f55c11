// Bound DDL and COPY: what the session hands to catalog::Ddl and to the executor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "writer-node/binder/bound.h"
#include "writer-node/catalog/ddl.h"

namespace borealis::binder {

struct RelationRef {
  std::string schema;
  std::string name;
};

struct BoundDrop {
  parser::ObjectKind object = parser::ObjectKind::kTable;
  std::vector<RelationRef> names;
  bool if_exists = false;
  bool cascade = false;
};

// One command of ALTER TABLE; they are run in order.
struct AlterAddColumn {
  catalog::NewColumn column;
  bool if_not_exists = false;
};
struct AlterAddPrimaryKey {
  std::string name;
  std::vector<std::string> columns;
};
struct AlterAddUnique {
  catalog::NewUnique unique;
};
struct AlterAddForeignKey {
  catalog::NewForeignKey key;
};
struct AlterDropConstraint {
  std::string name;
  bool if_exists = false;
  bool cascade = false;
};
struct AlterSetNotNull {
  std::string column;
  bool not_null = true;
};
struct AlterSetDefault {
  std::string column;
  std::string sql;  // empty: drop the default
};
struct AlterNothing {};  // accepted and documented as harmless: SET (fillfactor = n)
using AlterStep =
    std::variant<AlterAddColumn, AlterAddPrimaryKey, AlterAddUnique, AlterAddForeignKey,
                 AlterDropConstraint, AlterSetNotNull, AlterSetDefault, AlterNothing>;

struct BoundAlterTable {
  RelationRef table;
  bool exists = true;  // false: IF EXISTS and there is none; send a notice
  std::vector<AlterStep> steps;
};

struct BoundRename {
  RelationRef table;
  bool exists = true;
  std::string column;  // empty: the table itself
  std::string new_name;
};

struct BoundTruncate {
  std::vector<RelationRef> tables;
  bool restart_identity = false;
  bool cascade = false;
};

// Command tags: "CREATE TABLE", "DROP INDEX", ...
struct BoundDdl {
  std::string tag;
  std::variant<catalog::NewTable, catalog::NewIndex, catalog::NewSequence, BoundDrop,
               BoundAlterTable, BoundRename, BoundTruncate>
      action;
};

enum class CopyFormat : uint8_t { kText, kCsv };
struct CopyOptions {
  CopyFormat format = CopyFormat::kText;
  char delimiter = '\t';
  std::string null_text = "\\N";
  bool header = false;
  bool header_match = false;  // HEADER MATCH: names are checked
  char quote = '"';
  char escape = '"';
  std::vector<std::string> force_quote;  // {"*"}: all
  std::vector<std::string> force_not_null;
  std::vector<std::string> force_null;
};

struct BoundCopy {
  bool from = false;
  CopyOptions options;
  std::vector<std::string> columns;     // of the table, in the order of the fields
  std::vector<sql::Type> column_types;  // of the fields
  catalog::TablePtr table;              // null for COPY (query)
  // from: an INSERT whose source is `columns.size()` values; else a SELECT.
  std::unique_ptr<Statement> statement;
};

}  // namespace borealis::binder
