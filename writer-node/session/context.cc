// What SQL functions ask of the session (sql::SessionContext).
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "writer-node/catalog/virtual_tables.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

int64_t SqlMicros(env::WallTime time) {
  return time.time_since_epoch().count() - sql::kPostgresEpochMicros;
}

}  // namespace

catalog::SnapshotPtr Session::StatementCatalog() {
  return statement_catalog_ != nullptr ? statement_catalog_ : services_.catalog->Latest();
}

std::vector<std::string> Session::SearchPath(bool with_implicit) {
  std::vector<std::string> path;
  catalog::SnapshotPtr catalog = StatementCatalog();
  if (with_implicit) path.emplace_back("pg_catalog");
  for (const std::string& schema : settings_.search_path()) {
    if (catalog->FindSchema(schema) == nullptr) continue;
    if (std::find(path.begin(), path.end(), schema) == path.end()) path.push_back(schema);
  }
  return path;
}

std::string Session::WriterName() {
  return manager_->options().writer_name;
}

// Drivers read the number up to the first character that is no digit or point, and switch features
// by it.
std::string Session::ServerVersion() {
  return "15.0 (Borealis " + manager_->options().software_version + ")";
}

std::string Session::VersionText() {
  return "PostgreSQL 15.0 (Borealis " + manager_->options().software_version +
         ") on x86_64-linux, compiled by gcc, 64-bit";
}

int64_t Session::TransactionTimestamp() {
  return SqlMicros(block_.state() == IdleState() ? statement_started_ : block_.started());
}

int64_t Session::StatementTimestamp() {
  return SqlMicros(statement_started_);
}

int64_t Session::ClockTimestamp() {
  return SqlMicros(services_.loop->clock().Wall());
}

uint64_t Session::RandomBits() {
  return seeded_random_ != nullptr ? seeded_random_->U64() : services_.random->U64();
}

void Session::SetSeed(double seed) {
  uint64_t bits;
  std::memcpy(&bits, &seed, sizeof bits);
  seeded_random_ = std::make_unique<env::SeededRandom>(bits);
}

sql::SqlStatus Session::Sleep(double seconds) {
  if (std::isnan(seconds) || seconds <= 0) return {};
  const auto micros = static_cast<int64_t>(std::min(seconds, 1e9) * 1e6);
  const env::MonotonicTime end = services_.loop->clock().Monotonic() + env::Duration(micros);
  while (true) {
    SQL_RETURN_IF_ERROR(CheckCancel());
    const env::Duration left = end - services_.loop->clock().Monotonic();
    if (left.count() <= 0) return {};
    (void)cancel_event_.WaitFor(left).ok();
    if (env::FiberCancelled())
      return {"57P01", "terminating connection due to administrator command"};
  }
}

// -------------------------------------------------------------------------------- other sessions

sql::SqlResult<bool> Session::SignalBackend(int32_t pid, bool terminate, int64_t timeout_ms) {
  Session* target = manager_->Find(pid);
  if (target == nullptr || !target->logged_in()) {
    Warn("01000", "PID " + std::to_string(pid) + " is not a PostgreSQL backend process");
    return false;
  }
  if (!superuser_ && target->superuser_) {
    return SqlStatus("42501", terminate ? "must be a superuser to terminate superuser process"
                                        : "must be a superuser to cancel superuser query");
  }
  if (!superuser_ && target->user_ != user_) {
    return SqlStatus("42501", terminate
                                  ? "must be a member of the role whose process is being terminated"
                                  : "must be a member of the role whose query is being canceled");
  }
  if (!terminate) {
    target->CancelStatement();
    return true;
  }
  target->Terminate();
  if (timeout_ms == 0 || target == this) return true;
  const env::MonotonicTime began = services_.loop->clock().Monotonic();
  const auto limit = std::chrono::milliseconds(std::min<int64_t>(timeout_ms, INT32_MAX));
  // The pid alone could be a later session's by then; the object is only compared.
  while (manager_->Find(pid) == target) {
    if (services_.loop->clock().Monotonic() - began >= limit) {
      Warn("01000", "backend with PID " + std::to_string(pid) + " did not terminate within " +
                        std::to_string(timeout_ms) + " milliseconds");
      return false;
    }
    SQL_RETURN_IF_ERROR(Sleep(0.005));
  }
  return true;
}

void Session::NoteQuery(std::string_view text) {
  constexpr size_t kBytesShown = 1023;  // track_activity_query_size less its end mark
  size_t size = std::min(text.size(), kBytesShown);
  while (size < text.size() && size > 0 &&
         (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
    --size;
  }
  last_query_.assign(text.substr(0, size));
}

catalog::ActivityRow Session::Activity() {
  catalog::ActivityRow row;
  row.pid = pid_;
  row.user = user_;
  row.application = settings_.Text(SettingId::kApplicationName);
  const std::string& peer = connection_.peer_address();
  const size_t colon = peer.rfind(':');
  if (colon != std::string::npos) {
    row.client_address = peer.substr(0, colon);
    if (row.client_address.starts_with('[')) {
      row.client_address = row.client_address.substr(1, row.client_address.size() - 2);
    }
    row.client_port = std::atoi(peer.c_str() + colon + 1);
  }
  row.started = SqlMicros(session_started_);
  row.state_changed = SqlMicros(state_changed_);
  if (!last_query_.empty()) row.query_started = SqlMicros(statement_started_);
  if (block_.state() != IdleState()) row.transaction_started = SqlMicros(block_.started());
  row.query = last_query_;
  if (running_) {
    row.state = "active";
  } else if (block_.state() == IdleState()) {
    row.state = "idle";
  } else {
    const bool failed = block_.state() == TransactionBlock::State::kFailed;
    row.state = failed ? "idle in transaction (aborted)" : "idle in transaction";
  }
  return row;
}

std::vector<catalog::ActivityRow> Session::VisibleActivity() const {
  std::vector<catalog::ActivityRow> rows = manager_->Activity();
  for (catalog::ActivityRow& row : rows) {
    if (superuser_ || row.user == user_) continue;
    catalog::ActivityRow hidden;
    hidden.pid = row.pid;
    hidden.user = row.user;
    hidden.application = row.application;
    hidden.query = "<insufficient privilege>";
    row = std::move(hidden);
  }
  return rows;
}

// -------------------------------------------------------------------------------------- settings

sql::SqlResult<std::optional<std::string>> Session::GetSetting(std::string_view name,
                                                               bool missing_ok) {
  auto value = settings_.Show(name);
  if (value.ok()) return std::optional<std::string>(*value);
  if (missing_ok) return std::optional<std::string>();
  return value.status();
}

sql::SqlResult<std::string> Session::SetSetting(std::string_view name, std::string_view value,
                                                bool is_local) {
  if (name == "search_path") {
    auto names = SplitNames(value);
    if (!names) {
      return SqlStatus(
          "22023", "invalid value for parameter \"search_path\": \"" + std::string(value) + "\"");
    }
    SQL_RETURN_IF_ERROR(settings_.Set(name, *names, is_local));
    return settings_.Show(name);
  }
  parser::SetStmt set;
  set.what = parser::SetKind::kValue;
  set.name = name;
  set.values = {std::string(value)};
  set.local = is_local;
  SQL_RETURN_IF_ERROR(RunSetValue(set));
  return settings_.Show(name);
}

// ------------------------------------------------------------------------------------- sequences

sql::SqlResult<catalog::SequencePtr> Session::SequenceByOid(uint32_t oid) {
  catalog::SequencePtr sequence = StatementCatalog()->FindSequenceByOid(oid);
  if (sequence != nullptr) return sequence;
  // Made by another writer since this statement was planned.
  if (block_.txn() != nullptr) {
    SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr exact, ExactCatalog());
    sequence = exact->FindSequenceByOid(oid);
    if (sequence != nullptr) return sequence;
    if (exact->FindTableByOid(oid) != nullptr) {
      return SqlStatus("42809", "\"" + exact->FindTableByOid(oid)->name + "\" is not a sequence");
    }
  }
  return SqlStatus("42P01", "relation with OID " + std::to_string(oid) + " does not exist");
}

sql::SqlResult<int64_t> Session::NextVal(uint32_t oid) {
  SQL_ASSIGN_OR_RETURN(catalog::SequencePtr sequence, SequenceByOid(oid));
  if (block_.read_only() && block_.state() != IdleState()) {
    return SqlStatus("25006", "cannot execute nextval() in a read-only transaction");
  }
  Result<int64_t> value = services_.catalog->NextVal(block_.txn(), *sequence);
  if (!value.ok()) {
    if (value.code() == Code::kResourceExhausted)
      return SqlStatus("2200H", value.status().message());
    return sql::FromStatus(value.status());
  }
  sequence_values_[oid] = *value;
  last_sequence_ = oid;
  return *value;
}

sql::SqlResult<int64_t> Session::CurrVal(uint32_t oid) {
  SQL_ASSIGN_OR_RETURN(catalog::SequencePtr sequence, SequenceByOid(oid));
  auto it = sequence_values_.find(oid);
  if (it == sequence_values_.end()) {
    return SqlStatus("55000", "currval of sequence \"" + sequence->name +
                                  "\" is not yet defined in this session");
  }
  return it->second;
}

sql::SqlResult<int64_t> Session::LastVal() {
  if (!last_sequence_) return SqlStatus("55000", "lastval is not yet defined in this session");
  return sequence_values_[*last_sequence_];
}

sql::SqlStatus Session::SetVal(uint32_t oid, int64_t value, bool is_called) {
  SQL_ASSIGN_OR_RETURN(catalog::SequencePtr sequence, SequenceByOid(oid));
  if (block_.read_only() && block_.state() != IdleState()) {
    return {"25006", "cannot execute setval() in a read-only transaction"};
  }
  Status status = services_.catalog->SetVal(block_.txn(), *sequence, value, is_called);
  if (status.code() == Code::kInvalidArgument) return {"22003", status.message()};
  if (!status.ok()) return sql::FromStatus(status);
  if (is_called) {
    sequence_values_[oid] = value;
    last_sequence_ = oid;
  }
  return {};
}

sql::SqlResult<std::optional<std::string>> Session::SerialSequence(std::string_view table,
                                                                   std::string_view column) {
  auto parts = std::vector<std::string>();
  // The first argument is parsed as an identifier, the second is taken as it is: PostgreSQL's rule.
  std::string word;
  bool quoted = false;
  for (char c : table) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == '.' && !quoted) {
      parts.push_back(std::exchange(word, {}));
    } else {
      word += quoted ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  parts.push_back(word);
  std::optional<uint32_t> oid = FindRelation(parts);
  catalog::SnapshotPtr catalog = StatementCatalog();
  catalog::TablePtr found = oid ? catalog->FindTableByOid(*oid) : nullptr;
  if (found == nullptr) {
    return SqlStatus("42P01", "relation \"" + std::string(table) + "\" does not exist");
  }
  const catalog::ColumnDescriptor* definition = found->FindColumn(column);
  if (definition == nullptr) {
    return SqlStatus("42703", "column \"" + std::string(column) + "\" of relation \"" +
                                  found->name + "\" does not exist");
  }
  catalog::SequencePtr sequence =
      definition->sequence ? catalog->FindSequence(definition->sequence) : nullptr;
  if (sequence == nullptr) return std::optional<std::string>();
  return std::optional<std::string>(sql::QuoteIdentifier(sequence->schema) + "." +
                                    sql::QuoteIdentifier(sequence->name));
}

// ---------------------------------------------------------------------------------- transactions

sql::SqlResult<std::optional<int64_t>> Session::CurrentXactId(bool assign) {
  txn::Txn* txn = block_.txn();
  if (txn == nullptr) return std::optional<int64_t>();
  const TxnId id = assign ? txn->id() : txn->id_if_assigned();
  if (!id) return std::optional<int64_t>();
  SQL_ASSIGN_OR_RETURN_BASE(int64_t packed, txn::PackXactId(id));
  return std::optional<int64_t>(packed);
}

sql::SqlResult<std::optional<std::string>> Session::XactStatus(int64_t xact_id) {
  Result<TxnId> id = txn::UnpackXactId(xact_id);
  if (!id.ok())
    return SqlStatus("22023", "transaction ID " + std::to_string(xact_id) + " is not valid");
  if (block_.txn() != nullptr && block_.txn()->id_if_assigned() == *id) {
    return std::optional<std::string>("in progress");
  }
  const std::chrono::milliseconds wait(settings_.Int(SettingId::kQuorumWait));
  SQL_ASSIGN_OR_RETURN_BASE(wire::Verdict verdict, services_.txns->storage()->Resolve(*id, wait));
  switch (verdict.kind) {
    case wire::VerdictKind::kAccepted:
      return std::optional<std::string>("committed");
    case wire::VerdictKind::kConflict:
    case wire::VerdictKind::kAborted:
    case wire::VerdictKind::kFenced:
    case wire::VerdictKind::kMalformed:
      return std::optional<std::string>("aborted");
    default:
      return std::optional<std::string>();  // too old to be known
  }
}

// --------------------------------------------------------------------------------------- catalog

std::optional<std::string> Session::RoleName(uint32_t oid) {
  catalog::RolePtr role = StatementCatalog()->FindRoleByOid(oid);
  return role == nullptr ? std::nullopt : std::optional<std::string>(role->name);
}

std::optional<uint32_t> Session::FindRole(std::string_view name) {
  catalog::RolePtr role = StatementCatalog()->FindRole(name);
  return role == nullptr ? std::nullopt : std::optional<uint32_t>(role->oid);
}

std::optional<std::string> Session::SchemaName(uint32_t oid) {
  const catalog::SchemaDescriptor* schema = StatementCatalog()->FindSchemaByOid(oid);
  return schema == nullptr ? std::nullopt : std::optional<std::string>(schema->name);
}

std::optional<uint32_t> Session::FindSchema(std::string_view name) {
  const catalog::SchemaDescriptor* schema = StatementCatalog()->FindSchema(name);
  return schema == nullptr ? std::nullopt : std::optional<uint32_t>(schema->oid);
}

std::optional<std::string> Session::DatabaseName(uint32_t oid) {
  const catalog::DatabaseDescriptor& database = StatementCatalog()->database();
  return database.oid == oid ? std::optional<std::string>(database.name) : std::nullopt;
}

std::optional<sql::SessionContext::RelationName> Session::FindRelationName(uint32_t oid) {
  catalog::SnapshotPtr catalog = StatementCatalog();
  RelationName out;
  if (catalog::TablePtr table = catalog->FindTableByOid(oid)) {
    out.schema = table->schema;
    out.name = table->name;
  } else if (catalog::SequencePtr sequence = catalog->FindSequenceByOid(oid)) {
    out.schema = sequence->schema;
    out.name = sequence->name;
  } else if (auto index = catalog->FindIndexByOid(oid)) {
    out.schema = index->table->schema;
    out.name = index->table->FindIndex(index->index)->name;
  } else {
    return std::nullopt;
  }
  out.visible = FindRelation({out.name}) == std::optional<uint32_t>(oid);
  return out;
}

std::optional<uint32_t> Session::FindRelation(const std::vector<std::string>& name) {
  catalog::SnapshotPtr catalog = StatementCatalog();
  auto find = [&](std::string_view schema, std::string_view relation) -> std::optional<uint32_t> {
    if (catalog::TablePtr table = catalog->FindTable(schema, relation)) return table->oid;
    if (catalog::SequencePtr sequence = catalog->FindSequence(schema, relation))
      return sequence->oid;
    if (auto index = catalog->FindIndex(schema, relation)) {
      return index->table->FindIndex(index->index)->oid;
    }
    return std::nullopt;
  };
  if (name.size() == 2) return find(name[0], name[1]);
  if (name.size() == 3 && name[0] == database_) return find(name[1], name[2]);
  if (name.size() != 1) return std::nullopt;
  for (const std::string& schema : SearchPath(true)) {
    if (auto oid = find(schema, name[0])) return oid;
  }
  return std::nullopt;
}

std::optional<std::string> Session::IndexDefinition(uint32_t index_oid, int column) {
  auto index = StatementCatalog()->FindIndexByOid(index_oid);
  if (!index) return std::nullopt;
  return catalog::IndexDefinition(*index->table, *index->table->FindIndex(index->index), column);
}

std::optional<std::string> Session::ConstraintDefinition(uint32_t constraint_oid, bool pretty) {
  catalog::SnapshotPtr catalog = StatementCatalog();
  for (const auto& [id, table] : catalog->tables()) {
    for (const catalog::ConstraintDescriptor& constraint : table->constraints) {
      if (constraint.oid == constraint_oid) {
        return catalog::ConstraintDefinition(*catalog, *table, constraint, pretty);
      }
    }
  }
  return std::nullopt;
}

}  // namespace borealis::session
