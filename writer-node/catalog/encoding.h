// Rows of the system keyspace: docs/formats/catalog.md has them byte by byte. Each value starts
// with a format byte; decoders check everything: kUnsupported for a newer format, kCorruption else.
#pragma once

#include <string_view>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/wire/keys.h"
#include "writer-node/catalog/descriptors.h"

namespace borealis::catalog {

// Table ids of the system keyspace; their index id is always 1.
inline constexpr TableId kMetaTable{1};
inline constexpr TableId kTablesTable{3};
inline constexpr TableId kNamesTable{4};
inline constexpr TableId kCountersTable{5};
inline constexpr TableId kSequencesTable{6};
inline constexpr TableId kSequenceStatesTable{7};
inline constexpr TableId kRolesTable{8};
inline constexpr TableId kDatabasesTable{9};
inline constexpr TableId kSchemasTable{10};
inline constexpr TableId kRoleNamesTable{11};

// The first id of the counter of tables and sequences in the user keyspace.
inline constexpr uint64_t kFirstTableId = 100;

Bytes SystemPrefix(TableId table);
Bytes BootstrapKey();
Bytes TableKey(TableId id);
Bytes NameKey(Oid schema, std::string_view name);
Bytes CounterKey(std::string_view name);  // "table_id", "oid"
Bytes SequenceKey(TableId id);
Bytes SequenceStateKey(TableId id);
Bytes RoleKey(Oid oid);
Bytes RoleNameKey(std::string_view name);
Bytes DatabaseKey(Oid oid);
Bytes SchemaKey(Oid oid);

Bytes Encode(const TableDescriptor& table);
Bytes Encode(const SequenceDescriptor& sequence);
Bytes Encode(const RoleDescriptor& role);
Bytes Encode(const DatabaseDescriptor& database);
Bytes Encode(const SchemaDescriptor& schema);
Result<TableDescriptor> DecodeTable(ByteView bytes);
Result<SequenceDescriptor> DecodeSequence(ByteView bytes);
Result<RoleDescriptor> DecodeRole(ByteView bytes);
Result<DatabaseDescriptor> DecodeDatabase(ByteView bytes);
Result<SchemaDescriptor> DecodeSchema(ByteView bytes);

// A name's row: what it names.
struct NameRow {
  char kind = 'r';  // r table, i index, S sequence
  TableId table;    // or the sequence's id
  IndexId index;    // of an index
};
Bytes Encode(const NameRow& row);
Result<NameRow> DecodeName(ByteView bytes);

struct SequenceState {
  uint64_t epoch = 1;
  int64_t last_value = 1;
  bool is_called = false;
};
Bytes Encode(const SequenceState& state);
Result<SequenceState> DecodeSequenceState(ByteView bytes);

Bytes EncodeCounter(uint64_t next);
Result<uint64_t> DecodeCounter(ByteView bytes);

}  // namespace borealis::catalog
