// Rows of pg_catalog.
#include "common/sql/types.h"
#include "writer-node/catalog/virtual_schema.h"

namespace borealis::catalog {
namespace {

using sql::Datum;
using Rows = VirtualRowBuilder;

constexpr Oid kHeapAm = 2;
constexpr Oid kBtreeAm = 403;
constexpr Oid kClassOid = 1259;

// What is in pg_class: visits stored tables, their indexes, sequences and the virtual tables.
bool HasForeignKeys(const CatalogSnapshot& catalog, const TableDescriptor& table) {
  for (const ConstraintDescriptor& c : table.constraints) {
    if (c.type == ConstraintType::kForeignKey) return true;
  }
  return !catalog.ForeignKeysTo(table.id).empty();
}

std::vector<const IndexDescriptor*> VisibleIndexes(const TableDescriptor& table) {
  std::vector<const IndexDescriptor*> out;
  if (table.has_primary_key()) out.push_back(&table.primary);
  for (const IndexDescriptor& index : table.secondary) out.push_back(&index);
  return out;
}

void ClassRow(Rows* rows, Oid oid, std::string_view name, Oid schema, Oid owner, char kind, Oid am,
              size_t columns) {
  rows->Row()
      .Int("oid", oid)
      .Str("relname", name)
      .Int("relnamespace", schema)
      .Int("relowner", owner);
  rows->Int("relam", am).Int("relfilenode", oid).Char("relkind", kind).Char("relpersistence", 'p');
  rows->Int("relnatts", static_cast<int64_t>(columns)).Set("reltuples", Datum::Double(-1));
  rows->Bool("relispopulated", true).Char("relreplident", kind == 'r' ? 'd' : 'n');
}

void PgClass(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, t] : context.catalog->tables()) {
    ClassRow(rows, t->oid, t->name, t->schema_oid, t->owner, 'r', kHeapAm, t->visible_columns());
    int64_t checks = 0;
    for (const ConstraintDescriptor& c : t->constraints) checks += c.type == ConstraintType::kCheck;
    rows->Int("relchecks", checks).Bool("relhasindex", !VisibleIndexes(*t).empty());
    rows->Bool("relhastriggers", HasForeignKeys(*context.catalog, *t));
    for (const IndexDescriptor* index : VisibleIndexes(*t)) {
      ClassRow(rows, index->oid, index->name, t->schema_oid, t->owner, 'i', kBtreeAm,
               index->columns.size());
    }
  }
  for (const auto& [id, s] : context.catalog->sequences()) {
    ClassRow(rows, s->oid, s->name, s->schema_oid, s->owner, 'S', 0, 3);
  }
  for (const TablePtr& t : VirtualTables()) {
    ClassRow(rows, t->oid, t->name, t->schema_oid, t->owner, IsView(*t) ? 'v' : 'r',
             IsView(*t) ? 0 : kHeapAm, t->columns.size());
  }
}

void AttributeRow(Rows* rows, Oid relation, const ColumnDescriptor& c, int64_t number) {
  const sql::TypeInfo* type = sql::FindType(c.type_oid);
  rows->Row().Int("attrelid", relation).Str("attname", c.name).Int("atttypid", c.type_oid);
  rows->Int("attstattarget", -1).Int("attnum", number).Int("attcacheoff", -1);
  rows->Int("atttypmod", c.typmod).Bool("attnotnull", c.not_null).Bool("attislocal", true);
  rows->Bool("atthasdef", !c.default_sql.empty()).Char("attidentity", c.identity);
  rows->Int("attcollation", CollationOf(c.type_oid));
  if (type == nullptr) return;
  rows->Int("attlen", type->length).Bool("attbyval", type->by_value).Char("attalign", type->align);
  rows->Char("attstorage", type->length == -1 ? 'x' : 'p')
      .Int("attndims", type->element != 0 ? 1 : 0);
}

void PgAttribute(const VirtualContext& context, Rows* rows) {
  auto table_rows = [&](const TableDescriptor& t) {
    int64_t number = 0;
    for (const ColumnDescriptor& c : t.columns) {
      if (!c.hidden) AttributeRow(rows, t.oid, c, ++number);
    }
    for (const IndexDescriptor* index : VisibleIndexes(t)) {
      number = 0;
      for (const IndexColumn& ic : index->columns) {
        ColumnDescriptor c = *t.FindColumn(ic.column);
        c.not_null = false;
        c.default_sql.clear();
        c.identity = 0;
        AttributeRow(rows, index->oid, c, ++number);
      }
    }
  };
  for (const auto& [id, t] : context.catalog->tables()) table_rows(*t);
  for (const TablePtr& t : VirtualTables()) table_rows(*t);
  for (const auto& [id, s] : context.catalog->sequences()) {
    ColumnDescriptor c;
    c.not_null = true;
    int64_t number = 0;
    for (const auto& [name, type] :
         {std::pair("last_value", sql::oid::kInt8), std::pair("log_cnt", sql::oid::kInt8),
          std::pair("is_called", sql::oid::kBool)}) {
      c.name = name;
      c.type_oid = type;
      AttributeRow(rows, s->oid, c, ++number);
    }
  }
}

void PgNamespace(const VirtualContext& context, Rows* rows) {
  for (const auto& [oid, s] : context.catalog->schemas()) {
    rows->Row().Int("oid", oid).Str("nspname", s.name).Int("nspowner", s.owner);
  }
}

void PgType(const VirtualContext& context, Rows* rows) {
  for (const sql::TypeInfo& t : sql::AllTypes()) {
    rows->Row().Int("oid", t.oid).Str("typname", t.name).Int("typnamespace", kPgCatalogSchemaOid);
    rows->Int("typowner", kBootstrapRoleOid).Int("typlen", t.length).Bool("typbyval", t.by_value);
    rows->Char("typtype", t.type_type).Char("typcategory", static_cast<char>(t.category));
    rows->Bool("typispreferred", t.preferred).Bool("typisdefined", true).Str("typdelim", ",");
    rows->Int("typelem", t.element).Int("typarray", t.array).Char("typalign", t.align);
    rows->Char("typstorage", t.length == -1 ? 'x' : 'p').Int("typtypmod", -1);
    rows->Int("typcollation", CollationOf(t.oid));
  }
}

void PgIndex(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const IndexDescriptor* index : VisibleIndexes(*t)) {
      std::vector<int64_t> keys, options, collations, classes;
      for (const IndexColumn& c : index->columns) {
        keys.push_back(t->AttNum(c.column));
        options.push_back((c.descending ? 1 : 0) | (c.nulls_first ? 2 : 0));
        collations.push_back(CollationOf(t->FindColumn(c.column)->type_oid));
        classes.push_back(0);
      }
      const auto count = static_cast<int64_t>(keys.size());
      const bool valid = index->state == IndexState::kPublic;
      rows->Row().Int("indexrelid", index->oid).Int("indrelid", t->oid).Int("indnatts", count);
      rows->Int("indnkeyatts", count).Bool("indisunique", index->unique);
      rows->Bool("indisprimary", index->primary)
          .Bool("indimmediate", true)
          .Bool("indisvalid", valid);
      rows->Bool("indisready", true).Bool("indislive", true).Set("indkey", Int2s(keys));
      rows->Set("indcollation", Oids(collations)).Set("indclass", Oids(classes));
      rows->Set("indoption", Int2s(options));
    }
  }
}

void PgConstraint(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const ConstraintDescriptor& c : t->constraints) {
      std::vector<int64_t> keys;
      for (ColumnId column : c.columns) keys.push_back(t->AttNum(column));
      rows->Row().Int("oid", c.oid).Str("conname", c.name).Int("connamespace", t->schema_oid);
      rows->Char("contype", static_cast<char>(c.type))
          .Bool("convalidated", true)
          .Int("conrelid", t->oid);
      rows->Bool("conislocal", true).Bool("connoinherit", c.type != ConstraintType::kCheck);
      if (!keys.empty()) rows->Set("conkey", Int2s(keys));
      rows->Char("confupdtype", ' ').Char("confdeltype", ' ').Char("confmatchtype", ' ');
      if (c.type == ConstraintType::kCheck) rows->Str("conbin", c.check_sql);
      const TablePtr owner =
          c.type == ConstraintType::kForeignKey ? context.catalog->FindTable(c.ref_table) : t;
      if (owner == nullptr) continue;
      if (const IndexDescriptor* index = owner->FindIndex(c.index))
        rows->Int("conindid", index->oid);
      if (c.type != ConstraintType::kForeignKey) continue;
      std::vector<int64_t> referenced;
      for (ColumnId column : c.ref_columns) referenced.push_back(owner->AttNum(column));
      rows->Int("confrelid", owner->oid)
          .Set("confkey", Int2s(referenced))
          .Char("confmatchtype", 's');
      rows->Char("confupdtype", static_cast<char>(c.on_update));
      rows->Char("confdeltype", static_cast<char>(c.on_delete));
    }
  }
}

void PgAttrdef(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const ColumnDescriptor& c : t->columns) {
      if (c.default_sql.empty()) continue;
      // Defaults have no OID of their own in the catalog: one is made of table and column, above
      // all others.
      const int64_t oid =
          (int64_t{1} << 31) + static_cast<int64_t>(t->id.value()) * 2048 + c.id.value();
      rows->Row().Int("oid", oid & 0xffffffff).Int("adrelid", t->oid).Int("adnum", t->AttNum(c.id));
      rows->Str("adbin", c.default_sql);
    }
  }
}

void PgAm(const VirtualContext& context, Rows* rows) {
  rows->Row().Int("oid", kHeapAm).Str("amname", "heap").Char("amtype", 't');
  rows->Row().Int("oid", kBtreeAm).Str("amname", "btree").Char("amtype", 'i');
}

void PgRoles(const VirtualContext& context, Rows* rows) {
  for (const auto& [oid, r] : context.catalog->roles()) {
    rows->Row().Int("oid", oid).Str("rolname", r->name).Bool("rolsuper", r->superuser);
    rows->Bool("rolinherit", true).Bool("rolcreaterole", r->create_role);
    rows->Bool("rolcreatedb", r->create_db).Bool("rolcanlogin", r->can_login);
    rows->Int("rolconnlimit", r->connection_limit).Bool("rolbypassrls", r->superuser);
    rows->Bool("rolreplication", r->superuser).Str("rolpassword", "********");
  }
}

void PgUser(const VirtualContext& context, Rows* rows) {
  for (const auto& [oid, r] : context.catalog->roles()) {
    if (!r->can_login) continue;
    rows->Row().Str("usename", r->name).Int("usesysid", oid).Bool("usecreatedb", r->create_db);
    rows->Bool("usesuper", r->superuser).Str("passwd", "********");
  }
}

void PgDatabase(const VirtualContext& context, Rows* rows) {
  const DatabaseDescriptor& d = context.catalog->database();
  rows->Row().Int("oid", d.oid).Str("datname", d.name).Int("datdba", d.owner).Int("encoding", 6);
  rows->Char("datlocprovider", 'c').Bool("datallowconn", true).Int("datconnlimit", -1);
  rows->Str("datcollate", "C").Str("datctype", "C").Int("dattablespace", 1663);
}

void PgCollation(const VirtualContext& context, Rows* rows) {
  for (const auto& [oid, name] :
       {std::pair(100, "default"), std::pair(950, "C"), std::pair(951, "POSIX")}) {
    rows->Row().Int("oid", oid).Str("collname", name).Int("collnamespace", kPgCatalogSchemaOid);
    rows->Int("collowner", kBootstrapRoleOid).Char("collprovider", oid == 100 ? 'd' : 'c');
    rows->Bool("collisdeterministic", true).Int("collencoding", -1);
  }
}

void PgTablespace(const VirtualContext& context, Rows* rows) {
  rows->Row().Int("oid", 1663).Str("spcname", "pg_default").Int("spcowner", kBootstrapRoleOid);
  rows->Row().Int("oid", 1664).Str("spcname", "pg_global").Int("spcowner", kBootstrapRoleOid);
}

void PgSettings(const VirtualContext& context, Rows* rows) {
  if (!context.settings) return;
  for (const SettingRow& s : context.settings()) {
    rows->Row().Str("name", s.name).Str("setting", s.value).Str("category", s.category);
    rows->Str("short_desc", s.description).Str("context", s.context).Str("vartype", s.type);
    rows->Str("source", s.value == s.default_value ? "default" : "session");
    rows->Str("boot_val", s.default_value).Str("reset_val", s.reset_value);
    if (!s.unit.empty()) rows->Str("unit", s.unit);
    if (!s.min_value.empty()) rows->Str("min_val", s.min_value);
    if (!s.max_value.empty()) rows->Str("max_val", s.max_value);
    if (s.choices.empty()) continue;
    std::vector<sql::Datum> choices;
    for (const std::string& choice : s.choices) choices.push_back(sql::Datum::String(choice));
    rows->Set("enumvals", sql::Datum::Array(sql::oid::kText, std::move(choices)));
  }
}

void PgStatActivity(const VirtualContext& context, Rows* rows) {
  if (!context.activity) return;
  for (const ActivityRow& a : context.activity()) {
    const DatabaseDescriptor& d = context.catalog->database();
    rows->Row().Int("datid", d.oid).Str("datname", d.name).Int("pid", a.pid).Str("usename", a.user);
    if (const RolePtr role = context.catalog->FindRole(a.user)) rows->Int("usesysid", role->oid);
    rows->Str("application_name", a.application).Str("query", a.query);
    rows->Str("backend_type", "client backend");
    auto time = [rows](const char* column, const std::optional<int64_t>& at) {
      if (at) rows->Int(column, *at);
    };
    time("backend_start", a.started);
    time("xact_start", a.transaction_started);
    time("query_start", a.query_started);
    time("state_change", a.state_changed);
    if (!a.state.empty()) rows->Str("state", a.state);
    if (a.client_address.empty()) continue;
    rows->Str("client_addr", a.client_address).Int("client_port", a.client_port);
  }
}

void PgTables(const VirtualContext& context, Rows* rows) {
  auto row = [&](const TableDescriptor& t) {
    const RolePtr owner = context.catalog->FindRoleByOid(t.owner);
    rows->Row().Str("schemaname", t.schema).Str("tablename", t.name);
    rows->Str("tableowner", owner ? owner->name : "")
        .Bool("hasindexes", !VisibleIndexes(t).empty());
  };
  for (const auto& [id, t] : context.catalog->tables()) row(*t);
  for (const TablePtr& t : VirtualTables()) {
    if (!IsView(*t)) row(*t);
  }
}

void PgIndexes(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, t] : context.catalog->tables()) {
    for (const IndexDescriptor* index : VisibleIndexes(*t)) {
      rows->Row()
          .Str("schemaname", t->schema)
          .Str("tablename", t->name)
          .Str("indexname", index->name);
      rows->Str("indexdef", IndexDefinition(*t, *index));
    }
  }
}

void PgSequence(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, s] : context.catalog->sequences()) {
    rows->Row().Int("seqrelid", s->oid).Int("seqtypid", s->type_oid).Int("seqstart", s->start);
    rows->Int("seqincrement", s->increment).Int("seqmax", s->max_value).Int("seqmin", s->min_value);
    rows->Int("seqcache", 1).Bool("seqcycle", s->cycle);
  }
}

void PgSequences(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, s] : context.catalog->sequences()) {
    const RolePtr owner = context.catalog->FindRoleByOid(s->owner);
    rows->Row().Str("schemaname", s->schema).Str("sequencename", s->name);
    rows->Str("sequenceowner", owner ? owner->name : "").Int("data_type", s->type_oid);
    rows->Int("start_value", s->start)
        .Int("min_value", s->min_value)
        .Int("max_value", s->max_value);
    rows->Int("increment_by", s->increment).Bool("cycle", s->cycle).Int("cache_size", 1);
  }
}

// Only what tools follow: from an owned sequence to its column.
void PgDepend(const VirtualContext& context, Rows* rows) {
  for (const auto& [id, s] : context.catalog->sequences()) {
    const TablePtr table = context.catalog->FindTable(s->owned_by_table);
    if (!s->owned_by_table || table == nullptr) continue;
    const ColumnDescriptor* column = table->FindColumn(s->owned_by_column);
    if (column == nullptr) continue;
    rows->Row().Int("classid", kClassOid).Int("objid", s->oid).Int("refclassid", kClassOid);
    rows->Int("refobjid", table->oid).Int("refobjsubid", table->AttNum(column->id));
    rows->Char("deptype", column->identity != 0 ? 'i' : 'a');
  }
}

}  // namespace

std::vector<VirtualTableSpec> PgCatalogTables() {
  const char* const role_columns =
      "oid:oid rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool "
      "rolcanlogin:bool rolreplication:bool rolconnlimit:int4 rolpassword:text? "
      "rolvaliduntil:timestamptz? rolbypassrls:bool rolconfig:_text?";
  return {
      {1259, "pg_catalog", "pg_class",
       "oid:oid relname:name relnamespace:oid reltype:oid reloftype:oid relowner:oid relam:oid "
       "relfilenode:oid reltablespace:oid relpages:int4 reltuples:float4 relallvisible:int4 "
       "reltoastrelid:oid relhasindex:bool relisshared:bool relpersistence:char relkind:char "
       "relnatts:int2 relchecks:int2 relhasrules:bool relhastriggers:bool relhassubclass:bool "
       "relrowsecurity:bool relforcerowsecurity:bool relispopulated:bool relreplident:char "
       "relispartition:bool relrewrite:oid relfrozenxid:xid relminmxid:xid relacl:_aclitem? "
       "reloptions:_text? relpartbound:pg_node_tree?",
       PgClass},
      {1249, "pg_catalog", "pg_attribute",
       "attrelid:oid attname:name atttypid:oid attstattarget:int4 attlen:int2 attnum:int2 "
       "attndims:int4 attcacheoff:int4 atttypmod:int4 attbyval:bool attalign:char attstorage:char "
       "attcompression:char attnotnull:bool atthasdef:bool atthasmissing:bool attidentity:char "
       "attgenerated:char attisdropped:bool attislocal:bool attinhcount:int4 attcollation:oid "
       "attacl:_aclitem? attoptions:_text? attfdwoptions:_text?",
       PgAttribute},
      {2615, "pg_catalog", "pg_namespace", "oid:oid nspname:name nspowner:oid nspacl:_aclitem?",
       PgNamespace},
      {1247, "pg_catalog", "pg_type",
       "oid:oid typname:name typnamespace:oid typowner:oid typlen:int2 typbyval:bool typtype:char "
       "typcategory:char typispreferred:bool typisdefined:bool typdelim:char typrelid:oid "
       "typsubscript:regproc typelem:oid typarray:oid typinput:regproc typoutput:regproc "
       "typreceive:regproc typsend:regproc typmodin:regproc typmodout:regproc typanalyze:regproc "
       "typalign:char typstorage:char typnotnull:bool typbasetype:oid typtypmod:int4 typndims:int4 "
       "typcollation:oid typdefaultbin:pg_node_tree? typdefault:text? typacl:_aclitem?",
       PgType},
      {2610, "pg_catalog", "pg_index",
       "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool "
       "indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool "
       "indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool "
       "indisreplident:bool indkey:int2vector? indcollation:oidvector? indclass:oidvector? "
       "indoption:int2vector? indexprs:pg_node_tree? indpred:pg_node_tree?",
       PgIndex},
      {2606, "pg_catalog", "pg_constraint",
       "oid:oid conname:name connamespace:oid contype:char condeferrable:bool condeferred:bool "
       "convalidated:bool conrelid:oid contypid:oid conindid:oid conparentid:oid confrelid:oid "
       "confupdtype:char confdeltype:char confmatchtype:char conislocal:bool coninhcount:int4 "
       "connoinherit:bool conkey:_int2? confkey:_int2? conpfeqop:_oid? conppeqop:_oid? "
       "conffeqop:_oid? confdelsetcols:_int2? conexclop:_oid? conbin:pg_node_tree?",
       PgConstraint},
      {2604, "pg_catalog", "pg_attrdef", "oid:oid adrelid:oid adnum:int2 adbin:pg_node_tree?",
       PgAttrdef},
      {2601, "pg_catalog", "pg_am", "oid:oid amname:name amhandler:regproc amtype:char", PgAm},
      {1260, "pg_catalog", "pg_authid", role_columns, PgRoles},
      {12000, "pg_catalog", "pg_roles", role_columns, PgRoles, true},
      {12004, "pg_catalog", "pg_user",
       "usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool usebypassrls:bool "
       "passwd:text? valuntil:timestamptz? useconfig:_text?",
       PgUser, true},
      {1261, "pg_catalog", "pg_auth_members", "roleid:oid member:oid grantor:oid admin_option:bool",
       nullptr},
      {1262, "pg_catalog", "pg_database",
       "oid:oid datname:name datdba:oid encoding:int4 datlocprovider:char datistemplate:bool "
       "datallowconn:bool datconnlimit:int4 datfrozenxid:xid datminmxid:xid dattablespace:oid "
       "datcollate:text datctype:text daticulocale:text? datcollversion:text? datacl:_aclitem?",
       PgDatabase},
      {3456, "pg_catalog", "pg_collation",
       "oid:oid collname:name collnamespace:oid collowner:oid collprovider:char "
       "collisdeterministic:bool collencoding:int4 collcollate:text? collctype:text? "
       "colliculocale:text? collversion:text?",
       PgCollation},
      {2609, "pg_catalog", "pg_description",
       "objoid:oid classoid:oid objsubid:int4 description:text", nullptr},
      {2396, "pg_catalog", "pg_shdescription", "objoid:oid classoid:oid description:text", nullptr},
      {2611, "pg_catalog", "pg_inherits",
       "inhrelid:oid inhparent:oid inhseqno:int4 inhdetachpending:bool", nullptr},
      {3350, "pg_catalog", "pg_partitioned_table",
       "partrelid:oid partstrat:char partnatts:int2 partdefid:oid partattrs:int2vector? "
       "partclass:oidvector? partcollation:oidvector? partexprs:pg_node_tree?",
       nullptr},
      {2620, "pg_catalog", "pg_trigger",
       "oid:oid tgrelid:oid tgparentid:oid tgname:name tgfoid:oid tgtype:int2 tgenabled:char "
       "tgisinternal:bool tgconstrrelid:oid tgconstrindid:oid tgconstraint:oid tgdeferrable:bool "
       "tginitdeferred:bool tgnargs:int2 tgattr:int2vector? tgargs:bytea? tgqual:pg_node_tree? "
       "tgoldtable:name? tgnewtable:name?",
       nullptr},
      {3256, "pg_catalog", "pg_policy",
       "oid:oid polname:name polrelid:oid polcmd:char polpermissive:bool polroles:_oid? "
       "polqual:pg_node_tree? polwithcheck:pg_node_tree?",
       nullptr},
      {3381, "pg_catalog", "pg_statistic_ext",
       "oid:oid stxrelid:oid stxname:name stxnamespace:oid stxowner:oid stxstattarget:int4 "
       "stxkeys:int2vector? stxkind:_char? stxexprs:pg_node_tree?",
       nullptr},
      {6104, "pg_catalog", "pg_publication",
       "oid:oid pubname:name pubowner:oid puballtables:bool pubinsert:bool pubupdate:bool "
       "pubdelete:bool pubtruncate:bool pubviaroot:bool",
       nullptr},
      {6106, "pg_catalog", "pg_publication_rel",
       "oid:oid prpubid:oid prrelid:oid prqual:pg_node_tree? prattrs:int2vector?", nullptr},
      {6237, "pg_catalog", "pg_publication_namespace", "oid:oid pnpubid:oid pnnspid:oid", nullptr},
      {12130, "pg_catalog", "pg_settings",
       "name:text setting:text unit:text? category:text short_desc:text extra_desc:text? "
       "context:text "
       "vartype:text source:text min_val:text? max_val:text? enumvals:_text? boot_val:text "
       "reset_val:text sourcefile:text? sourceline:int4? pending_restart:bool",
       PgSettings, true},
      {12008, "pg_catalog", "pg_tables",
       "schemaname:name tablename:name tableowner:name tablespace:name? hasindexes:bool "
       "hasrules:bool "
       "hastriggers:bool rowsecurity:bool",
       PgTables, true},
      {12012, "pg_catalog", "pg_indexes",
       "schemaname:name tablename:name indexname:name tablespace:name? indexdef:text", PgIndexes,
       true},
      {12016, "pg_catalog", "pg_views",
       "schemaname:name viewname:name viewowner:name definition:text", nullptr, true},
      {12020, "pg_catalog", "pg_matviews",
       "schemaname:name matviewname:name matviewowner:name tablespace:name? hasindexes:bool "
       "ispopulated:bool definition:text",
       nullptr, true},
      {2224, "pg_catalog", "pg_sequence",
       "seqrelid:oid seqtypid:oid seqstart:int8 seqincrement:int8 seqmax:int8 seqmin:int8 "
       "seqcache:int8 "
       "seqcycle:bool",
       PgSequence},
      {12024, "pg_catalog", "pg_sequences",
       "schemaname:name sequencename:name sequenceowner:name data_type:regtype start_value:int8 "
       "min_value:int8 max_value:int8 increment_by:int8 cycle:bool cache_size:int8 "
       "last_value:int8?",
       PgSequences, true},
      {12200, "pg_catalog", "pg_stat_activity",
       "datid:oid datname:name pid:int4 leader_pid:int4? usesysid:oid? usename:name "
       "application_name:text client_addr:text? client_hostname:text? client_port:int4? "
       "backend_start:timestamptz? xact_start:timestamptz? query_start:timestamptz? "
       "state_change:timestamptz? wait_event_type:text? wait_event:text? state:text? "
       "backend_xid:xid? "
       "backend_xmin:xid? query_id:int8? query:text backend_type:text",
       PgStatActivity, true},
      {1213, "pg_catalog", "pg_tablespace",
       "oid:oid spcname:name spcowner:oid spcacl:_aclitem? spcoptions:_text?", PgTablespace},
      {2617, "pg_catalog", "pg_operator",
       "oid:oid oprname:name oprnamespace:oid oprowner:oid oprkind:char oprcanmerge:bool "
       "oprcanhash:bool oprleft:oid oprright:oid oprresult:oid oprcom:oid oprnegate:oid "
       "oprcode:regproc "
       "oprrest:regproc oprjoin:regproc",
       nullptr},
      {1255, "pg_catalog", "pg_proc",
       "oid:oid proname:name pronamespace:oid proowner:oid prolang:oid prokind:char "
       "proisstrict:bool "
       "proretset:bool provolatile:char pronargs:int2 prorettype:oid proargtypes:oidvector? "
       "proargnames:_text? prosrc:text proacl:_aclitem?",
       nullptr},
      {2616, "pg_catalog", "pg_opclass",
       "oid:oid opcmethod:oid opcname:name opcnamespace:oid opcowner:oid opcfamily:oid "
       "opcintype:oid "
       "opcdefault:bool opckeytype:oid",
       nullptr},
      {2608, "pg_catalog", "pg_depend",
       "classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid refobjsubid:int4 "
       "deptype:char",
       PgDepend},
      {2618, "pg_catalog", "pg_rewrite",
       "oid:oid rulename:name ev_class:oid ev_type:char ev_enabled:char is_instead:bool", nullptr},
      {3079, "pg_catalog", "pg_extension",
       "oid:oid extname:name extowner:oid extnamespace:oid extrelocatable:bool extversion:text",
       nullptr},
      {3501, "pg_catalog", "pg_enum", "oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name",
       nullptr},
      {3541, "pg_catalog", "pg_range",
       "rngtypid:oid rngsubtype:oid rngmultitypid:oid rngcollation:oid rngsubopc:oid "
       "rngcanonical:regproc rngsubdiff:regproc",
       nullptr},
      {1417, "pg_catalog", "pg_foreign_server",
       "oid:oid srvname:name srvowner:oid srvfdw:oid srvtype:text? srvversion:text? "
       "srvoptions:_text?",
       nullptr},
      {3118, "pg_catalog", "pg_foreign_table", "ftrelid:oid ftserver:oid ftoptions:_text?",
       nullptr},
  };
}

}  // namespace borealis::catalog
