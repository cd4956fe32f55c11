// What functions need of the session, the catalog and the node they run on. The writer's session
// implements it; the defaults answer for a place that has none (storage nodes, constant folding,
// tests).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/error.h"
#include "common/sql/types.h"

namespace borealis::sql {

class SessionContext {
 public:
  virtual ~SessionContext() = default;

  // ---- identity
  virtual std::string CurrentUser() { return "postgres"; }
  virtual std::string SessionUser() { return CurrentUser(); }
  virtual std::string CurrentDatabase() { return "postgres"; }
  // search_path, existing schemas only; with_implicit adds pg_catalog in front.
  virtual std::vector<std::string> SearchPath(bool with_implicit) { return {"public"}; }
  virtual std::string WriterName() { return ""; }
  virtual int32_t BackendPid() { return 0; }
  virtual std::string ServerVersion() { return "15.0"; }                      // server_version
  virtual std::string VersionText() { return "PostgreSQL 15.0 (Borealis)"; }  // version()

  // ---- time (microseconds since 2000-01-01 UTC) and chance
  virtual int64_t TransactionTimestamp() { return 0; }
  virtual int64_t StatementTimestamp() { return TransactionTimestamp(); }
  virtual int64_t ClockTimestamp() { return TransactionTimestamp(); }
  virtual uint64_t RandomBits() { return 0; }
  virtual void SetSeed(double seed) {}
  virtual SqlStatus Sleep(double seconds) { return FeatureNotSupported("pg_sleep here"); }
  // 57014 once the statement was cancelled; asked for between batches.
  virtual SqlStatus CheckCancel() { return {}; }

  // ---- other sessions of this writer
  // pg_cancel_backend, pg_terminate_backend; false when there is no such session. A termination
  // with a timeout waits that long for the session's end, and answers false when it has not come.
  // 42501.
  virtual SqlResult<bool> SignalBackend(int32_t pid, bool terminate, int64_t timeout_ms) {
    return FeatureNotSupported("signalling a session here");
  }

  // ---- settings
  // None: unknown and missing_ok. 42704 otherwise.
  virtual SqlResult<std::optional<std::string>> GetSetting(std::string_view name, bool missing_ok) {
    return FeatureNotSupported("current_setting here");
  }
  // Answers the new value.
  virtual SqlResult<std::string> SetSetting(std::string_view name, std::string_view value,
                                            bool is_local) {
    return FeatureNotSupported("set_config here");
  }

  // ---- sequences, by OID of the relation
  virtual SqlResult<int64_t> NextVal(uint32_t sequence) {
    return FeatureNotSupported("nextval here");
  }
  virtual SqlResult<int64_t> CurrVal(uint32_t sequence) {
    return FeatureNotSupported("currval here");
  }
  virtual SqlResult<int64_t> LastVal() { return FeatureNotSupported("lastval here"); }
  virtual SqlStatus SetVal(uint32_t sequence, int64_t value, bool is_called) {
    return FeatureNotSupported("setval here");
  }
  // Raw name of a sequence owned by a column, for pg_get_serial_sequence; none if there is none.
  virtual SqlResult<std::optional<std::string>> SerialSequence(std::string_view table,
                                                               std::string_view column) {
    return FeatureNotSupported("pg_get_serial_sequence here");
  }

  // ---- transactions
  // The transaction's id; assigns one if asked to. None: no id and assign is false.
  virtual SqlResult<std::optional<int64_t>> CurrentXactId(bool assign) {
    return FeatureNotSupported("transaction ids here");
  }
  // "committed", "aborted", "in progress"; none when it is too old to be known.
  virtual SqlResult<std::optional<std::string>> XactStatus(int64_t xact_id) {
    return FeatureNotSupported("pg_xact_status here");
  }

  // ---- catalog look-ups by OID; none when there is no such object
  virtual std::optional<std::string> RoleName(uint32_t oid) { return std::nullopt; }
  virtual std::optional<uint32_t> FindRole(std::string_view name) { return std::nullopt; }
  virtual std::optional<std::string> SchemaName(uint32_t oid) { return std::nullopt; }
  virtual std::optional<uint32_t> FindSchema(std::string_view name) { return std::nullopt; }
  virtual std::optional<std::string> DatabaseName(uint32_t oid) { return std::nullopt; }
  struct RelationName {
    std::string schema;
    std::string name;
    bool visible = true;  // found by its bare name on the search path
  };
  virtual std::optional<RelationName> FindRelationName(uint32_t oid) { return std::nullopt; }
  // Parts already split and folded: {"t"} or {"s", "t"}.
  virtual std::optional<uint32_t> FindRelation(const std::vector<std::string>& name) {
    return std::nullopt;
  }
  // pg_get_indexdef; column 0 = all of it, else that column's name.
  virtual std::optional<std::string> IndexDefinition(uint32_t index_oid, int column) {
    return std::nullopt;
  }
  virtual std::optional<std::string> ConstraintDefinition(uint32_t constraint_oid, bool pretty) {
    return std::nullopt;
  }
  virtual std::optional<std::string> ViewDefinition(uint32_t oid) { return std::nullopt; }
  // Bytes of a table with its indexes, as far as known; pg_table_size, pg_total_relation_size.
  virtual int64_t RelationSize(uint32_t oid) { return 0; }
};

}  // namespace borealis::sql
