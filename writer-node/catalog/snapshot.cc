#include "writer-node/catalog/snapshot.h"

#include "writer-node/catalog/encoding.h"
#include "writer-node/catalog/virtual_tables.h"

namespace borealis::catalog {
namespace {

template <typename Map, typename Key>
typename Map::mapped_type FindOrNull(const Map& map, const Key& key) {
  auto it = map.find(key);
  return it == map.end() ? typename Map::mapped_type() : it->second;
}

template <typename Map, typename Key>
std::optional<IndexRef> FindIndexRef(const Map& map, const Key& key) {
  auto it = map.find(key);
  if (it == map.end()) return std::nullopt;
  return it->second;
}

}  // namespace

TablePtr CatalogSnapshot::FindTable(std::string_view schema, std::string_view name) const {
  if (TablePtr table = FindOrNull(tables_by_name_, Name(schema, name))) return table;
  return FindVirtualTable(schema, name);
}

TablePtr CatalogSnapshot::FindTable(TableId id) const {
  return FindOrNull(tables_, id);
}

TablePtr CatalogSnapshot::FindTableByOid(Oid oid) const {
  if (TablePtr table = FindOrNull(tables_by_oid_, oid)) return table;
  return FindVirtualTable(oid);
}

SequencePtr CatalogSnapshot::FindSequence(std::string_view schema, std::string_view name) const {
  return FindOrNull(sequences_by_name_, Name(schema, name));
}

SequencePtr CatalogSnapshot::FindSequence(TableId id) const {
  return FindOrNull(sequences_, id);
}

SequencePtr CatalogSnapshot::FindSequenceByOid(Oid oid) const {
  return FindOrNull(sequences_by_oid_, oid);
}

std::optional<IndexRef> CatalogSnapshot::FindIndex(std::string_view schema,
                                                   std::string_view name) const {
  return FindIndexRef(indexes_by_name_, Name(schema, name));
}

std::optional<IndexRef> CatalogSnapshot::FindIndexByOid(Oid oid) const {
  return FindIndexRef(indexes_by_oid_, oid);
}

RolePtr CatalogSnapshot::FindRole(std::string_view name) const {
  for (const auto& [oid, role] : roles_) {
    if (role->name == name) return role;
  }
  return nullptr;
}

RolePtr CatalogSnapshot::FindRoleByOid(Oid oid) const {
  return FindOrNull(roles_, oid);
}

const SchemaDescriptor* CatalogSnapshot::FindSchema(std::string_view name) const {
  for (const auto& [oid, schema] : schemas_) {
    if (schema.name == name) return &schema;
  }
  return nullptr;
}

const SchemaDescriptor* CatalogSnapshot::FindSchemaByOid(Oid oid) const {
  auto it = schemas_.find(oid);
  return it == schemas_.end() ? nullptr : &it->second;
}

bool CatalogSnapshot::RelationExists(std::string_view schema, std::string_view name) const {
  return FindTable(schema, name) != nullptr || FindSequence(schema, name) != nullptr ||
         FindIndex(schema, name).has_value();
}

std::vector<InboundForeignKey> CatalogSnapshot::ForeignKeysTo(TableId table) const {
  std::vector<InboundForeignKey> out;
  for (const auto& [id, child] : tables_) {
    for (size_t i = 0; i < child->constraints.size(); ++i) {
      const ConstraintDescriptor& c = child->constraints[i];
      if (c.type == ConstraintType::kForeignKey && c.ref_table == table) out.push_back({child, i});
    }
  }
  return out;
}

std::vector<SequencePtr> CatalogSnapshot::SequencesOwnedBy(TableId table) const {
  std::vector<SequencePtr> out;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence->owned_by_table == table) out.push_back(sequence);
  }
  return out;
}

bool CatalogSnapshot::Concerns(ByteView key) {
  const auto prefix = wire::ParseKeyPrefix(key);
  if (!prefix || prefix->keyspace != wire::Keyspace::kSystem) return false;
  return prefix->table == kTablesTable || prefix->table == kSequencesTable ||
         prefix->table == kRolesTable || prefix->table == kSchemasTable ||
         prefix->table == kDatabasesTable;
}

Status CatalogSnapshot::ApplyChange(const Change& change) {
  const auto& [key, value] = change;
  if (!Concerns(key)) return Status::Ok();
  const ByteView suffix = wire::KeySuffix(key);
  if (suffix.size() != 4) return Corruption("catalog key " + ToHex(key) + " is malformed");
  const TableId table = wire::ParseKeyPrefix(key)->table;
  const uint32_t id = GetU32BE(suffix.data());
  if (table == kTablesTable) {
    tables_.erase(TableId(id));
    if (!value) return Status::Ok();
    ASSIGN_OR_RETURN(TableDescriptor decoded, DecodeTable(*value));
    tables_[TableId(id)] = std::make_shared<const TableDescriptor>(std::move(decoded));
  } else if (table == kSequencesTable) {
    sequences_.erase(TableId(id));
    if (!value) return Status::Ok();
    ASSIGN_OR_RETURN(SequenceDescriptor decoded, DecodeSequence(*value));
    sequences_[TableId(id)] = std::make_shared<const SequenceDescriptor>(std::move(decoded));
  } else if (table == kRolesTable) {
    roles_.erase(id);
    if (!value) return Status::Ok();
    ASSIGN_OR_RETURN(RoleDescriptor decoded, DecodeRole(*value));
    roles_[id] = std::make_shared<const RoleDescriptor>(std::move(decoded));
  } else if (table == kSchemasTable) {
    schemas_.erase(id);
    if (!value) return Status::Ok();
    ASSIGN_OR_RETURN(schemas_[id], DecodeSchema(*value));
  } else if (value) {
    ASSIGN_OR_RETURN(database_, DecodeDatabase(*value));
  }
  return Status::Ok();
}

void CatalogSnapshot::BuildIndexes() {
  tables_by_name_.clear();
  sequences_by_name_.clear();
  indexes_by_name_.clear();
  tables_by_oid_.clear();
  sequences_by_oid_.clear();
  indexes_by_oid_.clear();
  for (const auto& [id, table] : tables_) {
    tables_by_name_[{table->schema, table->name}] = table;
    tables_by_oid_[table->oid] = table;
    auto add = [&](const IndexDescriptor& index) {
      indexes_by_name_[{table->schema, index.name}] = {table, index.id};
      indexes_by_oid_[index.oid] = {table, index.id};
    };
    if (table->has_primary_key()) add(table->primary);
    for (const IndexDescriptor& index : table->secondary) add(index);
  }
  for (const auto& [id, sequence] : sequences_) {
    sequences_by_name_[{sequence->schema, sequence->name}] = sequence;
    sequences_by_oid_[sequence->oid] = sequence;
  }
}

Result<std::shared_ptr<const CatalogSnapshot>> CatalogSnapshot::With(
    const std::vector<Change>& changes) const {
  auto copy = std::make_shared<CatalogSnapshot>(*this);
  for (const Change& change : changes) RETURN_IF_ERROR(copy->ApplyChange(change));
  copy->BuildIndexes();
  return std::shared_ptr<const CatalogSnapshot>(std::move(copy));
}

}  // namespace borealis::catalog
