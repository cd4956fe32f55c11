// DDL as functions over a transaction: each reads the catalog of the transaction, checks, and
// buffers new rows of the system keyspace; nothing is visible to others before the transaction
// commits, and then all of it is.
//
// Status codes: kAlreadyExists (42P07, 42710), kNotFound (42P01, 42704, 42703), kInvalidArgument
// (the message says what), kUnsupported (0A000), and for data that breaks a new constraint
// kInvalidArgument. Ddl::sqlstate() has the exact SQLSTATE of the last failure. Messages are
// PostgreSQL's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/sql/datum.h"
#include "writer-node/catalog/catalog.h"

namespace borealis::catalog {

struct NewColumn {
  std::string name = {};
  uint32_t type_oid = 0;
  int32_t typmod = -1;
  bool not_null = false;
  std::string default_sql = {};
  // serial, bigserial, GENERATED ... AS IDENTITY: makes a sequence owned by the column.
  bool serial = false;
  char identity = 0;
};

struct NewIndexColumn {
  std::string name = {};
  bool descending = false;
  bool nulls_first = false;
};

struct NewForeignKey {
  std::string name = {};  // empty: <table>_<columns>_fkey
  std::vector<std::string> columns = {};
  std::string ref_schema = {};
  std::string ref_table = {};
  std::vector<std::string> ref_columns = {};  // empty: the primary key
  ForeignKeyAction on_delete = ForeignKeyAction::kNoAction;
  ForeignKeyAction on_update = ForeignKeyAction::kNoAction;
};

struct NewUnique {
  std::string name = {};  // empty: <table>_<columns>_key
  std::vector<std::string> columns = {};
};

struct NewCheck {
  std::string name = {};    // empty: <table>_<column>_check, or <table>_check
  std::string column = {};  // the only one that it reads; only for the name
  std::string sql = {};
};

struct NewTable {
  std::string schema = "public";
  std::string name = {};
  Oid owner = kBootstrapRoleOid;
  bool if_not_exists = false;
  std::vector<NewColumn> columns = {};
  std::string primary_key_name = {};          // empty: <table>_pkey
  std::vector<std::string> primary_key = {};  // empty: none
  std::vector<NewUnique> uniques = {};
  std::vector<NewForeignKey> foreign_keys = {};
  std::vector<NewCheck> checks = {};
};

struct NewIndex {
  std::string schema = "public";
  std::string table = {};
  std::string name = {};  // empty: <table>_<columns>_idx
  bool unique = false;
  bool if_not_exists = false;
  std::vector<NewIndexColumn> columns = {};
};

struct NewSequence {
  std::string schema = "public";
  std::string name = {};
  Oid owner = kBootstrapRoleOid;
  bool if_not_exists = false;
  uint32_t type_oid = 20;
  int64_t increment = 1;
  // None: PostgreSQL's defaults for the type and the direction.
  std::optional<int64_t> start = {};
  std::optional<int64_t> min_value = {};
  std::optional<int64_t> max_value = {};
  bool cycle = false;
};

enum class DropBehavior { kRestrict, kCascade };

// One for each DDL statement. Borrows both.
class Ddl {
 public:
  Ddl(Catalog* catalog, txn::Txn* txn) : catalog_(catalog), txn_(txn) {}

  // False: existed already, or did not exist, and IF (NOT) EXISTS was given: the caller sends a
  // NOTICE.
  Result<bool> CreateTable(const NewTable& table);
  Result<bool> DropTable(const std::string& schema, const std::string& name, bool if_exists,
                         DropBehavior behavior);
  Result<bool> CreateIndex(const NewIndex& index);
  Result<bool> DropIndex(const std::string& schema, const std::string& name, bool if_exists);
  Result<bool> CreateSequence(const NewSequence& sequence);
  Result<bool> DropSequence(const std::string& schema, const std::string& name, bool if_exists,
                            DropBehavior behavior);

  // Rewrites the table under a new primary index.
  Status AddPrimaryKey(const std::string& schema, const std::string& table, const std::string& name,
                       const std::vector<std::string>& columns);
  Status AddUnique(const std::string& schema, const std::string& table, const NewUnique& unique);
  Status AddForeignKey(const std::string& schema, const std::string& table,
                       const NewForeignKey& key);
  Status DropConstraint(const std::string& schema, const std::string& table,
                        const std::string& name, bool if_exists, DropBehavior behavior);
  // Existing rows read NULL for it: kUnsupported for NOT NULL or DEFAULT on a table that has rows.
  Status AddColumn(const std::string& schema, const std::string& table, const NewColumn& column);
  Status SetNotNull(const std::string& schema, const std::string& table, const std::string& column,
                    bool not_null);
  Status SetDefault(const std::string& schema, const std::string& table, const std::string& column,
                    const std::string& default_sql);
  Status RenameTable(const std::string& schema, const std::string& table, const std::string& name);
  Status RenameColumn(const std::string& schema, const std::string& table,
                      const std::string& column, const std::string& name);
  // TRUNCATE: each table gets new, empty indexes. `names` are (schema, table).
  Status Truncate(const std::vector<std::pair<std::string, std::string>>& names,
                  DropBehavior behavior, bool restart_identity);
  // CREATE ROLE / ALTER ROLE ... PASSWORD: inserts or replaces.
  Status PutRole(const RoleDescriptor& role);

  // Five characters; "00000" before the first failure and when the transaction itself failed (a
  // conflict, no quorum): then Txn::failure() and the status tell.
  const std::string& sqlstate() const { return sqlstate_; }
  const std::string& detail() const { return detail_; }
  const std::string& hint() const { return hint_; }

 private:
  Status Fail(std::string sqlstate, Code code, std::string message, std::string detail = "",
              std::string hint = "");
  // The catalog with everything this transaction did so far.
  Status Begin();
  // Begin, find, and take UPDATE on the descriptor: DML under way that used it will not commit.
  Result<TableDescriptor> OpenTable(const std::string& schema, const std::string& name);
  Status PutTable(TableDescriptor* table, bool is_new);
  Status TakeName(const TableDescriptor& table, const std::string& name, char kind, TableId id,
                  IndexId index);
  Status PutName(Oid schema_oid, const std::string& schema, const std::string& name, char kind,
                 TableId id, IndexId index);
  Status DropName(Oid schema_oid, const std::string& name);
  // base, base1, base2, ...: the first that no relation has.
  std::string FreeName(const std::string& schema, const std::string& base) const;
  Result<Oid> SchemaOid(const std::string& schema);
  Status ResolveKey(const TableDescriptor& table, const std::vector<std::string>& names,
                    std::vector<ColumnId>* ids);
  Status CheckConstraintName(const TableDescriptor& table, const std::string& name);

  Status AddColumnTo(TableDescriptor* table, const NewColumn& column);
  Status MakeSequenceFor(const TableDescriptor& table, const NewColumn& column,
                         ColumnDescriptor* made);
  Status PutSequence(const SequenceDescriptor& sequence, bool is_new);
  Result<SequenceDescriptor> MakeSequence(const NewSequence& sequence);
  Status DropSequenceRows(const SequenceDescriptor& sequence);
  Status AddKeyTo(TableDescriptor* table, const std::string& name,
                  const std::vector<std::string>& columns);
  void AddRowIdTo(TableDescriptor* table);
  Status AddUniqueTo(TableDescriptor* table, const NewUnique& unique, bool fill);
  Status AddForeignKeyTo(TableDescriptor* table, const NewForeignKey& key, bool check_rows);
  Status FindReferenced(const TableDescriptor& parent, const NewForeignKey& key,
                        ConstraintDescriptor* made);
  Status AddChecksTo(TableDescriptor* table, const std::vector<NewCheck>& checks);
  Status DropTableRows(const TableDescriptor& table, DropBehavior behavior);
  // Drops foreign keys of other tables that need `index` of `table` (none: any index).
  Status DropInbound(const TableDescriptor& table, IndexId index, DropBehavior behavior,
                     const std::string& what);
  Status RewriteIndexes(const TableDescriptor& old, TableDescriptor* table);

  // Calls `visit` for each row of the table, decoded, and records a READ of the whole primary
  // index: a row that another transaction commits meanwhile aborts this one.
  using RowFunction = std::function<Status(ByteView key, ByteView row, const sql::Datum* values)>;
  Status ForEachRow(const TableDescriptor& table, const RowFunction& visit);
  Status FillIndex(const TableDescriptor& table, const IndexDescriptor& index);
  Status CheckForeignKeyRows(const TableDescriptor& child, const ConstraintDescriptor& key,
                             const TableDescriptor& parent);
  Result<bool> HasRows(const TableDescriptor& table);

  Catalog* const catalog_;
  txn::Txn* const txn_;
  SnapshotPtr snapshot_;
  std::string sqlstate_ = "00000";
  std::string detail_;
  std::string hint_;
};

}  // namespace borealis::catalog
