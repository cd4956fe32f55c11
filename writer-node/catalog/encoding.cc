#include "writer-node/catalog/encoding.h"

#include <limits>

namespace borealis::catalog {
namespace {

constexpr uint8_t kFormat = 1;

Bytes Key32(TableId table, uint32_t id) {
  Bytes key = SystemPrefix(table);
  PutU32BE(&key, id);
  return key;
}

void PutI64(Bytes* out, int64_t v) {
  PutU64(out, static_cast<uint64_t>(v));
}
void PutI32(Bytes* out, int32_t v) {
  PutU32(out, static_cast<uint32_t>(v));
}

Status CheckFormat(ByteReader* r, const char* what) {
  const uint8_t format = r->U8();
  if (r->ok() && format > kFormat) {
    return Unsupported(std::string("catalog row of a ") + what + ": format " +
                       std::to_string(format) + " is newer than " + std::to_string(kFormat));
  }
  if (format != kFormat) r->Fail();
  return Status::Ok();
}

Status Finish(const ByteReader& r, const char* what) {
  if (r.done()) return Status::Ok();
  return Corruption(std::string("catalog row of a ") + what + " is malformed");
}

bool ReadBool(ByteReader* r) {
  const uint8_t v = r->U8();
  if (v > 1) r->Fail();
  return v == 1;
}

// A count of things that take at least one byte each.
size_t ReadCount(ByteReader* r) {
  const uint64_t count = r->Varint();
  if (count > r->left()) r->Fail();
  return r->ok() ? static_cast<size_t>(count) : 0;
}

template <typename Id>
Id ReadId(ByteReader* r) {
  const uint64_t v = r->Varint();
  if (v > std::numeric_limits<uint32_t>::max()) r->Fail();
  return Id(static_cast<uint32_t>(v));
}

uint32_t ReadU32V(ByteReader* r) {
  return ReadId<TableId>(r).value();
}

void PutColumns(Bytes* out, const std::vector<ColumnId>& columns) {
  PutVarint(out, columns.size());
  for (ColumnId id : columns) PutVarint(out, id.value());
}

std::vector<ColumnId> ReadColumns(ByteReader* r) {
  std::vector<ColumnId> out(ReadCount(r));
  for (ColumnId& id : out) id = ReadId<ColumnId>(r);
  return out;
}

void PutColumn(Bytes* out, const ColumnDescriptor& c) {
  PutVarint(out, c.id.value());
  PutString(out, c.name);
  PutVarint(out, c.type_oid);
  PutI32(out, c.typmod);
  PutU8(out, static_cast<uint8_t>((c.not_null ? 1 : 0) | (c.hidden ? 2 : 0)));
  PutString(out, c.default_sql);
  PutU8(out, static_cast<uint8_t>(c.identity));
  PutVarint(out, c.sequence.value());
}

ColumnDescriptor ReadColumn(ByteReader* r) {
  ColumnDescriptor c;
  c.id = ReadId<ColumnId>(r);
  c.name = r->String();
  c.type_oid = ReadU32V(r);
  c.typmod = static_cast<int32_t>(r->U32());
  const uint8_t flags = r->U8();
  if (flags > 3) r->Fail();
  c.not_null = (flags & 1) != 0;
  c.hidden = (flags & 2) != 0;
  c.default_sql = r->String();
  c.identity = static_cast<char>(r->U8());
  c.sequence = ReadId<TableId>(r);
  return c;
}

void PutIndex(Bytes* out, const IndexDescriptor& index) {
  PutVarint(out, index.id.value());
  PutVarint(out, index.oid);
  PutString(out, index.name);
  PutU8(out, static_cast<uint8_t>((index.unique ? 1 : 0) | (index.primary ? 2 : 0)));
  PutU8(out, static_cast<uint8_t>(index.state));
  PutVarint(out, index.columns.size());
  for (const IndexColumn& c : index.columns) {
    PutVarint(out, c.column.value());
    PutU8(out, static_cast<uint8_t>((c.descending ? 1 : 0) | (c.nulls_first ? 2 : 0)));
  }
}

IndexDescriptor ReadIndex(ByteReader* r) {
  IndexDescriptor index;
  index.id = ReadId<IndexId>(r);
  index.oid = ReadU32V(r);
  index.name = r->String();
  const uint8_t flags = r->U8();
  const uint8_t state = r->U8();
  if (flags > 3 || state < 1 || state > 2) r->Fail();
  index.unique = (flags & 1) != 0;
  index.primary = (flags & 2) != 0;
  index.state = static_cast<IndexState>(state);
  index.columns.resize(ReadCount(r));
  for (IndexColumn& c : index.columns) {
    c.column = ReadId<ColumnId>(r);
    const uint8_t order = r->U8();
    if (order > 3) r->Fail();
    c.descending = (order & 1) != 0;
    c.nulls_first = (order & 2) != 0;
  }
  return index;
}

void PutConstraint(Bytes* out, const ConstraintDescriptor& c) {
  PutVarint(out, c.oid);
  PutString(out, c.name);
  PutU8(out, static_cast<uint8_t>(c.type));
  PutColumns(out, c.columns);
  PutVarint(out, c.index.value());
  PutVarint(out, c.ref_table.value());
  PutColumns(out, c.ref_columns);
  PutU8(out, static_cast<uint8_t>(c.on_delete));
  PutU8(out, static_cast<uint8_t>(c.on_update));
  PutString(out, c.check_sql);
}

ConstraintDescriptor ReadConstraint(ByteReader* r) {
  ConstraintDescriptor c;
  c.oid = ReadU32V(r);
  c.name = r->String();
  c.type = static_cast<ConstraintType>(r->U8());
  c.columns = ReadColumns(r);
  c.index = ReadId<IndexId>(r);
  c.ref_table = ReadId<TableId>(r);
  c.ref_columns = ReadColumns(r);
  c.on_delete = static_cast<ForeignKeyAction>(r->U8());
  c.on_update = static_cast<ForeignKeyAction>(r->U8());
  c.check_sql = r->String();
  if (std::string_view("pufc").find(static_cast<char>(c.type)) == std::string_view::npos) r->Fail();
  return c;
}

}  // namespace

Bytes SystemPrefix(TableId table) {
  return wire::MakeKeyPrefix(wire::Keyspace::kSystem, table, IndexId(1));
}
Bytes BootstrapKey() {
  return SystemPrefix(kMetaTable) + "bootstrap";
}
Bytes TableKey(TableId id) {
  return Key32(kTablesTable, id.value());
}
Bytes NameKey(Oid schema, std::string_view name) {
  return Key32(kNamesTable, schema).append(name);
}
Bytes CounterKey(std::string_view name) {
  return SystemPrefix(kCountersTable).append(name);
}
Bytes SequenceKey(TableId id) {
  return Key32(kSequencesTable, id.value());
}
Bytes SequenceStateKey(TableId id) {
  return Key32(kSequenceStatesTable, id.value());
}
Bytes RoleKey(Oid oid) {
  return Key32(kRolesTable, oid);
}
Bytes RoleNameKey(std::string_view name) {
  return SystemPrefix(kRoleNamesTable).append(name);
}
Bytes DatabaseKey(Oid oid) {
  return Key32(kDatabasesTable, oid);
}
Bytes SchemaKey(Oid oid) {
  return Key32(kSchemasTable, oid);
}

Bytes Encode(const TableDescriptor& t) {
  Bytes out;
  PutU8(&out, kFormat);
  PutVarint(&out, t.id.value());
  PutVarint(&out, t.oid);
  PutVarint(&out, t.schema_oid);
  PutString(&out, t.schema);
  PutString(&out, t.name);
  PutVarint(&out, t.owner);
  PutVarint(&out, t.schema_version);
  PutVarint(&out, t.next_column.value());
  PutVarint(&out, t.next_index.value());
  PutVarint(&out, t.columns.size());
  for (const ColumnDescriptor& c : t.columns) PutColumn(&out, c);
  PutIndex(&out, t.primary);
  PutVarint(&out, t.secondary.size());
  for (const IndexDescriptor& index : t.secondary) PutIndex(&out, index);
  PutVarint(&out, t.constraints.size());
  for (const ConstraintDescriptor& c : t.constraints) PutConstraint(&out, c);
  return out;
}

// Beyond the bytes: every index column must be a column of the table, as codecs rely on it.
Status CheckTable(const TableDescriptor& t) {
  auto check = [&](const IndexDescriptor& index) {
    for (const IndexColumn& c : index.columns) {
      if (t.ColumnPosition(c.column) < 0) return false;
    }
    return !index.columns.empty();
  };
  bool ok = check(t.primary);
  for (const IndexDescriptor& index : t.secondary) ok = ok && check(index);
  return ok ? Status::Ok()
            : Corruption("catalog row of table " + t.name + ": an index without column");
}

Result<TableDescriptor> DecodeTable(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "table"));
  TableDescriptor t;
  t.id = ReadId<TableId>(&r);
  t.oid = ReadU32V(&r);
  t.schema_oid = ReadU32V(&r);
  t.schema = r.String();
  t.name = r.String();
  t.owner = ReadU32V(&r);
  t.schema_version = ReadU32V(&r);
  t.next_column = ReadId<ColumnId>(&r);
  t.next_index = ReadId<IndexId>(&r);
  t.columns.resize(ReadCount(&r));
  for (ColumnDescriptor& c : t.columns) c = ReadColumn(&r);
  t.primary = ReadIndex(&r);
  t.secondary.resize(ReadCount(&r));
  for (IndexDescriptor& index : t.secondary) index = ReadIndex(&r);
  t.constraints.resize(ReadCount(&r));
  for (ConstraintDescriptor& c : t.constraints) c = ReadConstraint(&r);
  RETURN_IF_ERROR(Finish(r, "table"));
  RETURN_IF_ERROR(CheckTable(t));
  return t;
}

Bytes Encode(const SequenceDescriptor& s) {
  Bytes out;
  PutU8(&out, kFormat);
  PutVarint(&out, s.id.value());
  PutVarint(&out, s.oid);
  PutVarint(&out, s.schema_oid);
  PutString(&out, s.schema);
  PutString(&out, s.name);
  PutVarint(&out, s.owner);
  PutVarint(&out, s.type_oid);
  PutI64(&out, s.start);
  PutI64(&out, s.increment);
  PutI64(&out, s.min_value);
  PutI64(&out, s.max_value);
  PutU8(&out, s.cycle ? 1 : 0);
  PutVarint(&out, s.epoch);
  PutVarint(&out, s.owned_by_table.value());
  PutVarint(&out, s.owned_by_column.value());
  return out;
}

Result<SequenceDescriptor> DecodeSequence(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "sequence"));
  SequenceDescriptor s;
  s.id = ReadId<TableId>(&r);
  s.oid = ReadU32V(&r);
  s.schema_oid = ReadU32V(&r);
  s.schema = r.String();
  s.name = r.String();
  s.owner = ReadU32V(&r);
  s.type_oid = ReadU32V(&r);
  s.start = static_cast<int64_t>(r.U64());
  s.increment = static_cast<int64_t>(r.U64());
  s.min_value = static_cast<int64_t>(r.U64());
  s.max_value = static_cast<int64_t>(r.U64());
  s.cycle = ReadBool(&r);
  s.epoch = r.Varint();
  s.owned_by_table = ReadId<TableId>(&r);
  s.owned_by_column = ReadId<ColumnId>(&r);
  if (s.increment == 0 || s.min_value > s.max_value) r.Fail();
  RETURN_IF_ERROR(Finish(r, "sequence"));
  return s;
}

Bytes Encode(const RoleDescriptor& role) {
  Bytes out;
  PutU8(&out, kFormat);
  PutVarint(&out, role.oid);
  PutString(&out, role.name);
  PutU8(&out, static_cast<uint8_t>((role.superuser ? 1 : 0) | (role.can_login ? 2 : 0) |
                                   (role.create_db ? 4 : 0) | (role.create_role ? 8 : 0)));
  PutI32(&out, role.connection_limit);
  PutString(&out, role.scram_verifier);
  return out;
}

Result<RoleDescriptor> DecodeRole(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "role"));
  RoleDescriptor role;
  role.oid = ReadU32V(&r);
  role.name = r.String();
  const uint8_t flags = r.U8();
  if (flags > 15) r.Fail();
  role.superuser = (flags & 1) != 0;
  role.can_login = (flags & 2) != 0;
  role.create_db = (flags & 4) != 0;
  role.create_role = (flags & 8) != 0;
  role.connection_limit = static_cast<int32_t>(r.U32());
  role.scram_verifier = r.String();
  RETURN_IF_ERROR(Finish(r, "role"));
  return role;
}

Bytes Encode(const DatabaseDescriptor& database) {
  Bytes out;
  PutU8(&out, kFormat);
  PutVarint(&out, database.oid);
  PutString(&out, database.name);
  PutVarint(&out, database.owner);
  return out;
}

Result<DatabaseDescriptor> DecodeDatabase(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "database"));
  DatabaseDescriptor database;
  database.oid = ReadU32V(&r);
  database.name = r.String();
  database.owner = ReadU32V(&r);
  RETURN_IF_ERROR(Finish(r, "database"));
  return database;
}

Bytes Encode(const SchemaDescriptor& schema) {
  Bytes out;
  PutU8(&out, kFormat);
  PutVarint(&out, schema.oid);
  PutString(&out, schema.name);
  PutVarint(&out, schema.owner);
  return out;
}

Result<SchemaDescriptor> DecodeSchema(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "schema"));
  SchemaDescriptor schema;
  schema.oid = ReadU32V(&r);
  schema.name = r.String();
  schema.owner = ReadU32V(&r);
  RETURN_IF_ERROR(Finish(r, "schema"));
  return schema;
}

Bytes Encode(const NameRow& row) {
  Bytes out;
  PutU8(&out, kFormat);
  PutU8(&out, static_cast<uint8_t>(row.kind));
  PutU32(&out, row.table.value());
  PutU32(&out, row.index.value());
  return out;
}

Result<NameRow> DecodeName(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "name"));
  NameRow row;
  row.kind = static_cast<char>(r.U8());
  row.table = TableId(r.U32());
  row.index = IndexId(r.U32());
  RETURN_IF_ERROR(Finish(r, "name"));
  return row;
}

Bytes Encode(const SequenceState& state) {
  Bytes out;
  PutU8(&out, kFormat);
  PutU64(&out, state.epoch);
  PutI64(&out, state.last_value);
  PutU8(&out, state.is_called ? 1 : 0);
  return out;
}

Result<SequenceState> DecodeSequenceState(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "sequence's state"));
  SequenceState state;
  state.epoch = r.U64();
  state.last_value = static_cast<int64_t>(r.U64());
  state.is_called = ReadBool(&r);
  RETURN_IF_ERROR(Finish(r, "sequence's state"));
  return state;
}

Bytes EncodeCounter(uint64_t next) {
  Bytes out;
  PutU8(&out, kFormat);
  PutU64(&out, next);
  return out;
}

Result<uint64_t> DecodeCounter(ByteView bytes) {
  ByteReader r(bytes);
  RETURN_IF_ERROR(CheckFormat(&r, "counter"));
  const uint64_t next = r.U64();
  RETURN_IF_ERROR(Finish(r, "counter"));
  return next;
}

}  // namespace borealis::catalog
