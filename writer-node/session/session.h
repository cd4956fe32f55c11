// One client's session: a fiber that reads messages, runs statements and answers.
// docs/design/sessions.md.
//
// Its parts stand in several files: session.cc (the loop), login.cc, simple_query.cc,
// extended_query.cc, statements.cc (running one statement, retries), planned.cc (queries and DML),
// utility.cc, ddl.cc, copy.cc, cursors.cc and context.cc (what SQL functions ask of the session).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sql/io.h"
#include "common/sql/session_context.h"
#include "writer-node/binder/binder.h"
#include "writer-node/executor/executor.h"
#include "writer-node/pgwire/connection.h"
#include "writer-node/session/plan_cache.h"
#include "writer-node/session/session_manager.h"
#include "writer-node/session/settings.h"
#include "writer-node/session/transaction.h"

namespace borealis::session {

// A prepared statement: of Parse, or of PREPARE.
struct Prepared {
  QueryPtr query;
  bool from_sql = false;
  // Of its first plan: clients rely on them, so another answer later is 0A000.
  std::optional<std::vector<uint32_t>> result_types;
};

// A bound statement and how far it has run. The client's portals, and cursors.
struct Portal {
  QueryPtr query;
  std::vector<sql::Datum> params;
  std::vector<pgwire::Format> formats;                // none, one, or one a column
  std::optional<std::vector<uint32_t>> result_types;  // of its prepared statement

  planner::PlanRef plan;                     // once it has started
  std::unique_ptr<executor::Execution> run;  // null before the start and after the end
  std::deque<sql::Row> kept;  // rows pulled ahead, because another statement had to run
  // What a utility statement answers: columns and all rows.
  std::vector<planner::OutputColumn> columns;
  bool started = false;
  bool done = false;
  bool cursor = false;  // DECLARE
  std::string tag;      // of a utility statement that has run
};

class Session final : private sql::SessionContext {
 public:
  Session(SessionManager* manager, std::unique_ptr<env::Stream> stream, int32_t pid,
          int32_t secret);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The whole life, in the session's fiber; returns when the connection is closed.
  void Run();

  // ---- from other fibers of the loop
  void CancelStatement();  // 57014
  void Drain();            // end with 57P01 as soon as no transaction is open
  void Terminate();        // end with 57P01 now
  int32_t secret() const { return secret_; }
  bool logged_in() const { return slot_taken_; }
  catalog::ActivityRow Activity();  // requires logged_in()

 private:
  using SqlStatus = sql::SqlStatus;
  template <typename T>
  using SqlResult = sql::SqlResult<T>;

  enum class CancelReason : uint8_t { kNone, kUser, kTimeout, kTerminate };
  // What became of one statement.
  struct Outcome {
    std::string tag;         // for CommandComplete
    bool suspended = false;  // the row limit was reached
    bool empty = false;      // an empty query
  };
  using Work = std::function<SqlStatus(Outcome*)>;
  // Where the rows of a portal go; the default is the client.
  using RowSink = std::function<SqlStatus(const sql::Row&)>;

  // ---- login.cc: false when the session is over
  bool Login();
  bool ReadStartup(pgwire::StartupPacket* packet);
  bool Authenticate(const std::string& user, catalog::RolePtr* role);
  bool ApplyStartupParameters(const pgwire::StartupPacket& packet);
  catalog::SnapshotPtr CatalogForLogin();
  Result<ByteView> ReadSasl();
  bool Refuse(std::string sqlstate, std::string message);
  void Greet();

  // ---- session.cc
  void Serve();
  // False: the session is over.
  bool HandleMessage(const pgwire::Message& message);
  bool BeforeRead();
  bool OnReadFailure(const Status& status);
  void ReadyForQuery();
  void ReportSettings();
  void ReportError(const SqlStatus& status);
  void Warn(std::string sqlstate, std::string message);
  void Notice(std::string sqlstate, std::string message);
  void SendNotice(pgwire::Severity severity, std::string sqlstate, std::string message);
  void SendFatal(std::string sqlstate, std::string message);
  void ProtocolError(const std::string& message);
  bool Ending() const { return terminate_ || (drain_ && block_.state() == IdleState()); }
  static TransactionBlock::State IdleState() { return TransactionBlock::State::kIdle; }

  // ---- simple_query.cc
  void SimpleQuery(std::string_view text);

  // ---- extended_query.cc
  void HandleExtended(const pgwire::Message& message);
  SqlStatus Malformed(const Status& status);
  SqlStatus HandleParse(ByteView body);
  SqlStatus HandleBind(ByteView body);
  SqlStatus HandleDescribe(ByteView body);
  SqlStatus HandleExecute(ByteView body);
  SqlStatus HandleClose(ByteView body);
  void HandleSync();
  SqlResult<std::vector<sql::Datum>> BindParameters(const Query& query,
                                                    const pgwire::BindMessage& message);
  SqlResult<Prepared> FindPrepared(std::string_view name);
  SqlStatus DescribePortal(const Portal& portal);
  SqlStatus DescribeQuery(const QueryPtr& query, std::vector<planner::OutputColumn>* columns,
                          bool* has_rows);

  // ---- statements.cc
  // Runs the work in the transaction that the session's state asks for. With auto_commit the
  // transaction is this statement alone: it is committed, and run again when it lost against
  // another one.
  SqlStatus RunInTransaction(const Work& work, bool auto_commit, Outcome* outcome);
  SqlStatus RunAutoCommit(const Work& work, Outcome* outcome);
  bool BackOff(int attempt, env::MonotonicTime began);
  SqlStatus CatchUp();
  // Runs the portal's statement (any kind), sending up to `limit` rows (0: all).
  SqlStatus RunPortal(Portal* portal, int64_t limit, bool auto_commit, Outcome* outcome);
  // Of the session's client; pg_stat_activity shows it.
  void NoteQuery(std::string_view text);
  void BeginStatement();
  void EndStatement();
  // The statement's own error, or 57014 / 57P01 when it failed because it was cancelled.
  SqlStatus Explain(SqlStatus status) const;
  void DropTransactionPortals();
  // Executions read through the transaction that is about to end. The portals themselves go later:
  // one of them may be the one that is running.
  void StopRuns();

  // ---- planned.cc
  SqlStatus RunPlanned(Portal* portal, int64_t limit, bool auto_commit, Outcome* outcome,
                       const RowSink& sink = nullptr);
  SqlStatus StartPlanned(Portal* portal, bool auto_commit);
  SqlStatus CheckReadOnly(const planner::Plan& plan) const;
  executor::ExecContext MakeExecContext(const catalog::SnapshotPtr& snapshot,
                                        const std::vector<sql::Datum>* params, bool auto_commit);
  SqlResult<bool> NextRow(Portal* portal, sql::Row* row);
  // Another statement is about to run: portals that are still streaming take the rest of their rows
  // now, as they must not see it.
  SqlStatus KeepStreamingPortals(const Portal* except);
  SqlStatus SendRow(const Portal& portal, const sql::Row& row);
  void SendRowDescription(const std::vector<planner::OutputColumn>& columns, size_t visible,
                          const std::vector<pgwire::Format>& formats);
  sql::IoContext Io();

  // ---- the catalog as a statement may see it
  // The newest this writer has: good for a plan that is checked once the snapshot is there.
  catalog::SnapshotPtr LatestCatalog();
  // At the transaction's snapshot.
  SqlResult<catalog::SnapshotPtr> ExactCatalog();
  // For planning outside of any transaction: newer than everything acknowledged before.
  SqlResult<catalog::SnapshotPtr> FreshCatalog();
  // Plans with the newest catalog, and again with a fresh one before an error is believed.
  SqlResult<planner::PlanRef> PlanForDescribe(Query* query);
  binder::BindOptions BindOptionsFor(const catalog::SnapshotPtr& catalog, std::string_view text);

  // ---- utility.cc, ddl.cc, copy.cc, cursors.cc
  SqlStatus RunUtility(Portal* portal, bool auto_commit, Outcome* outcome);
  SqlStatus RunTransactionStmt(const parser::TransactionStmt& stmt, Outcome* outcome);
  SqlStatus RunSet(const parser::SetStmt& stmt, Outcome* outcome);
  SqlStatus RunSetValue(const parser::SetStmt& stmt);
  SqlStatus RunShow(const parser::ShowStmt& stmt, Portal* portal, Outcome* outcome);
  SqlStatus RunPrepare(const parser::PrepareStmt& stmt, const Query& query, Outcome* outcome);
  SqlStatus RunExecute(const parser::ExecuteStmt& stmt, Portal* portal, bool auto_commit,
                       Outcome* outcome, const RowSink& sink = nullptr);
  SqlResult<Portal> PortalForExecute(const parser::ExecuteStmt& stmt, std::string_view text);
  SqlStatus RunDeallocate(const parser::DeallocateStmt& stmt, Outcome* outcome);
  SqlStatus RunDiscard(const parser::DiscardStmt& stmt, Outcome* outcome);
  SqlStatus RunExplain(const parser::ExplainStmt& stmt, Portal* portal, bool auto_commit,
                       Outcome* outcome);
  SqlStatus RunVacuum(const parser::VacuumStmt& stmt, Outcome* outcome);
  SqlStatus RunDeclare(const parser::DeclareCursorStmt& stmt, const Query& query, Outcome* outcome);
  SqlStatus RunFetch(const parser::FetchStmt& stmt, Portal* portal, Outcome* outcome);
  SqlStatus RunCloseCursor(const parser::CloseCursorStmt& stmt, Outcome* outcome);
  SqlResult<Portal*> FindCursor(const std::string& name);
  SqlStatus RunDdl(const Query& query, Outcome* outcome);
  SqlStatus ApplyDdl(const binder::BoundDdl& bound);
  SqlStatus ApplyDrop(const binder::BoundDrop& drop, catalog::Ddl* ddl);
  SqlStatus ApplyAlter(const binder::BoundAlterTable& alter, catalog::Ddl* ddl);
  SqlStatus RunRole(const parser::Statement& stmt, Outcome* outcome);
  SqlStatus SetRoleOptions(const parser::RoleOptions& options, catalog::RoleDescriptor* role);
  SqlStatus RunCopy(const parser::CopyStmt& stmt, const Query& query, Outcome* outcome);
  SqlStatus CopyFrom(binder::BoundCopy bound, Outcome* outcome);
  SqlStatus CopyTo(binder::BoundCopy bound, Outcome* outcome);
  SqlStatus ReceiveCopy(const std::function<SqlStatus(ByteView)>& data);
  // Columns of a utility statement that answers rows.
  SqlResult<bool> UtilityColumns(const Query& query, std::vector<planner::OutputColumn>* columns);

  // ---- context.cc: sql::SessionContext
  std::string CurrentUser() override { return user_; }
  std::string CurrentDatabase() override { return database_; }
  std::vector<std::string> SearchPath(bool with_implicit) override;
  std::string WriterName() override;
  int32_t BackendPid() override { return pid_; }
  std::string ServerVersion() override;
  std::string VersionText() override;
  int64_t TransactionTimestamp() override;
  int64_t StatementTimestamp() override;
  int64_t ClockTimestamp() override;
  uint64_t RandomBits() override;
  void SetSeed(double seed) override;
  SqlStatus Sleep(double seconds) override;
  SqlStatus CheckCancel() override;
  SqlResult<bool> SignalBackend(int32_t pid, bool terminate, int64_t timeout_ms) override;
  SqlResult<std::optional<std::string>> GetSetting(std::string_view name, bool missing_ok) override;
  SqlResult<std::string> SetSetting(std::string_view name, std::string_view value,
                                    bool is_local) override;
  SqlResult<int64_t> NextVal(uint32_t sequence) override;
  SqlResult<int64_t> CurrVal(uint32_t sequence) override;
  SqlResult<int64_t> LastVal() override;
  SqlStatus SetVal(uint32_t sequence, int64_t value, bool is_called) override;
  SqlResult<std::optional<std::string>> SerialSequence(std::string_view table,
                                                       std::string_view column) override;
  SqlResult<std::optional<int64_t>> CurrentXactId(bool assign) override;
  SqlResult<std::optional<std::string>> XactStatus(int64_t xact_id) override;
  std::optional<std::string> RoleName(uint32_t oid) override;
  std::optional<uint32_t> FindRole(std::string_view name) override;
  std::optional<std::string> SchemaName(uint32_t oid) override;
  std::optional<uint32_t> FindSchema(std::string_view name) override;
  std::optional<std::string> DatabaseName(uint32_t oid) override;
  std::optional<RelationName> FindRelationName(uint32_t oid) override;
  std::optional<uint32_t> FindRelation(const std::vector<std::string>& name) override;
  std::optional<std::string> IndexDefinition(uint32_t index_oid, int column) override;
  std::optional<std::string> ConstraintDefinition(uint32_t constraint_oid, bool pretty) override;
  SqlResult<catalog::SequencePtr> SequenceByOid(uint32_t oid);
  // Roles that are no superusers see of others' sessions only that they are there.
  std::vector<catalog::ActivityRow> VisibleActivity() const;
  // What look-ups by OID use: the catalog of the running statement.
  catalog::SnapshotPtr StatementCatalog();

  SessionManager* const manager_;
  const Services& services_;
  pgwire::Connection connection_;
  const int32_t pid_;
  const int32_t secret_;

  // Constant after login.
  std::string user_;
  std::string database_;
  uint32_t role_oid_ = 0;
  bool superuser_ = false;
  bool slot_taken_ = false;

  Settings settings_;
  TransactionBlock block_;
  std::map<std::string, Prepared, std::less<>> prepared_;
  std::map<std::string, Portal, std::less<>> portals_;
  std::map<uint32_t, int64_t> sequence_values_;  // currval
  std::optional<uint32_t> last_sequence_;

  // The protocol's state.
  bool ready_wanted_ = false;     // ReadyForQuery is due before the next read
  bool skip_until_sync_ = false;  // an extended message failed
  bool protocol_broken_ = false;  // an extended message could not be read
  bool in_extended_ = false;      // between an extended message and its Sync

  // pg_settings and pg_stat_activity as this session may see them.
  catalog::VirtualContext virtual_tables_;
  env::WallTime session_started_;
  env::WallTime state_changed_;
  std::string last_query_;

  // The running statement.
  bool running_ = false;
  CancelReason cancel_ = CancelReason::kNone;
  env::FiberEvent cancel_event_;
  env::TimerId timeout_timer_ = env::TimerId::kNone;
  env::WallTime statement_started_;
  env::MonotonicTime statement_began_;
  catalog::SnapshotPtr statement_catalog_;
  std::unique_ptr<env::Random> seeded_random_;

  bool waiting_ = false;  // for a message of the client
  bool drain_ = false;
  bool terminate_ = false;
  bool closed_ = false;
};

}  // namespace borealis::session
