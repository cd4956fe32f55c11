// The catalog as of one version: immutable, shared by all statements that run at versions it is
// valid for.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "writer-node/catalog/descriptors.h"

namespace borealis::catalog {

using TablePtr = std::shared_ptr<const TableDescriptor>;
using SequencePtr = std::shared_ptr<const SequenceDescriptor>;
using RolePtr = std::shared_ptr<const RoleDescriptor>;

// A foreign key seen from the table it points at.
struct InboundForeignKey {
  TablePtr child;
  size_t constraint = 0;  // position in child->constraints
};

struct IndexRef {
  TablePtr table;
  IndexId index;
};

// Names are compared exactly: folding to lower case is the parser's.
class CatalogSnapshot {
 public:
  CatalogSnapshot() = default;

  // Null when there is none. Virtual tables (pg_catalog, information_schema) are found as well.
  TablePtr FindTable(std::string_view schema, std::string_view name) const;
  TablePtr FindTable(TableId id) const;  // no virtual ones: they have no id
  TablePtr FindTableByOid(Oid oid) const;
  SequencePtr FindSequence(std::string_view schema, std::string_view name) const;
  SequencePtr FindSequence(TableId id) const;
  SequencePtr FindSequenceByOid(Oid oid) const;
  // Index names share the schema's namespace with tables and sequences.
  std::optional<IndexRef> FindIndex(std::string_view schema, std::string_view name) const;
  std::optional<IndexRef> FindIndexByOid(Oid oid) const;
  RolePtr FindRole(std::string_view name) const;
  RolePtr FindRoleByOid(Oid oid) const;
  const SchemaDescriptor* FindSchema(std::string_view name) const;
  const SchemaDescriptor* FindSchemaByOid(Oid oid) const;
  const DatabaseDescriptor& database() const { return database_; }
  // Whether a table, index or sequence has that name.
  bool RelationExists(std::string_view schema, std::string_view name) const;

  // All foreign keys that point at the table, its own included.
  std::vector<InboundForeignKey> ForeignKeysTo(TableId table) const;
  // Sequences that are dropped with the table.
  std::vector<SequencePtr> SequencesOwnedBy(TableId table) const;

  // Stored objects in the order of their ids. Virtual tables: virtual_tables.h.
  const std::map<TableId, TablePtr>& tables() const { return tables_; }
  const std::map<TableId, SequencePtr>& sequences() const { return sequences_; }
  const std::map<Oid, RolePtr>& roles() const { return roles_; }
  const std::map<Oid, SchemaDescriptor>& schemas() const { return schemas_; }

  // A copy with rows of the system keyspace put (value) or deleted (none) on top. Rows of other
  // tables are ignored. kCorruption, kUnsupported when a row does not decode.
  using Change = std::pair<ByteView, std::optional<ByteView>>;
  Result<std::shared_ptr<const CatalogSnapshot>> With(const std::vector<Change>& changes) const;
  // Whether With() would change anything for such a key.
  static bool Concerns(ByteView key);

 private:
  Status ApplyChange(const Change& change);
  void BuildIndexes();

  using Name = std::pair<std::string, std::string>;
  std::map<TableId, TablePtr> tables_;
  std::map<TableId, SequencePtr> sequences_;
  std::map<Oid, RolePtr> roles_;
  std::map<Oid, SchemaDescriptor> schemas_;
  DatabaseDescriptor database_;
  // Derived.
  std::map<Name, TablePtr> tables_by_name_;
  std::map<Name, SequencePtr> sequences_by_name_;
  std::map<Name, IndexRef> indexes_by_name_;
  std::map<Oid, TablePtr> tables_by_oid_;
  std::map<Oid, SequencePtr> sequences_by_oid_;
  std::map<Oid, IndexRef> indexes_by_oid_;
};

using SnapshotPtr = std::shared_ptr<const CatalogSnapshot>;

}  // namespace borealis::catalog
