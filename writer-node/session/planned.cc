// SELECT, INSERT, UPDATE, DELETE: planning against the right catalog, execution, rows.
//
// Which catalog. A plan must stand for the catalog at the transaction's snapshot, but taking a
// snapshot costs a round to the members, and a statement that waits for row locks should take its
// snapshot after them (design: "an auto-commit write takes its local row locks first and its
// snapshot second"). So a plan is made for the newest catalog at hand, the statement is started,
// and the plan is checked against the catalog at the snapshot that it took, before anything is
// answered, also before an error is. When it does not stand, what the statement did is undone and
// it starts again with that catalog. Statements that read system tables, and in repeatable read
// those that are not a single point write, take the snapshot first: they need it anyway.
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

constexpr int kCatalogTurnsMax = 10;
constexpr size_t kKeptBytesMax = 256u << 20;

std::string TagOf(const planner::Plan& plan, uint64_t rows) {
  switch (plan.command) {
    case planner::CommandKind::kSelect:
      return "SELECT " + std::to_string(rows);
    case planner::CommandKind::kInsert:
      return "INSERT 0 " + std::to_string(rows);
    case planner::CommandKind::kUpdate:
      return "UPDATE " + std::to_string(rows);
    case planner::CommandKind::kDelete:
      return "DELETE " + std::to_string(rows);
  }
  return "";
}

std::string_view CommandOf(const planner::Plan& plan) {
  switch (plan.command) {
    case planner::CommandKind::kSelect:
      return "SELECT FOR UPDATE";
    case planner::CommandKind::kInsert:
      return "INSERT";
    case planner::CommandKind::kUpdate:
      return "UPDATE";
    case planner::CommandKind::kDelete:
      return "DELETE";
  }
  return "";
}

}  // namespace

sql::IoContext Session::Io() {
  sql::IoContext io;
  io.session = this;
  io.now_micros = TransactionTimestamp();
  io.extra_float_digits = static_cast<int>(settings_.Int(SettingId::kExtraFloatDigits));
  return io;
}

catalog::SnapshotPtr Session::LatestCatalog() {
  return services_.catalog->Latest();
}

sql::SqlResult<catalog::SnapshotPtr> Session::ExactCatalog() {
  Result<catalog::SnapshotPtr> snapshot = services_.catalog->ForTxn(block_.txn());
  if (!snapshot.ok()) {
    return executor::FromTxn(snapshot.status(), *block_.txn(), statement_catalog_.get());
  }
  statement_catalog_ = *snapshot;
  return *snapshot;
}

sql::SqlResult<catalog::SnapshotPtr> Session::FreshCatalog() {
  if (block_.txn() != nullptr) return ExactCatalog();
  const std::chrono::milliseconds wait(settings_.Int(SettingId::kQuorumWait));
  SQL_ASSIGN_OR_RETURN_BASE(Version version, services_.txns->storage()->ReadIndex(wait));
  SQL_ASSIGN_OR_RETURN_BASE(catalog::SnapshotPtr snapshot, services_.catalog->At(version));
  return snapshot;
}

binder::BindOptions Session::BindOptionsFor(const catalog::SnapshotPtr& catalog,
                                            std::string_view text) {
  binder::BindOptions options;
  options.catalog = catalog;
  options.search_path = settings_.search_path();
  options.text = text;
  return options;
}

sql::SqlResult<planner::PlanRef> Session::PlanForDescribe(Query* query) {
  const catalog::SnapshotPtr latest = block_.has_ddl() ? nullptr : LatestCatalog();
  if (latest != nullptr) {
    auto plan = PlanFor(query, latest, settings_.search_path());
    if (plan.ok()) return plan;
  }
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr fresh, FreshCatalog());
  return PlanFor(query, fresh, settings_.search_path());
}

sql::SqlStatus Session::CheckReadOnly(const planner::Plan& plan) const {
  if (plan.read_only || !block_.read_only()) return {};
  return {"25006",
          "cannot execute " + std::string(CommandOf(plan)) + " in a read-only transaction"};
}

executor::ExecContext Session::MakeExecContext(const catalog::SnapshotPtr& snapshot,
                                               const std::vector<sql::Datum>* params,
                                               bool auto_commit) {
  executor::ExecContext context;
  context.txn = block_.txn();
  context.catalog = services_.catalog;
  context.snapshot = snapshot;
  context.session = this;
  context.params = params;
  context.virtual_tables = &virtual_tables_;
  context.auto_commit = auto_commit;
  context.extra_float_digits = static_cast<int>(settings_.Int(SettingId::kExtraFloatDigits));
  return context;
}

sql::SqlStatus Session::StartPlanned(Portal* portal, bool auto_commit) {
  if (portal->started) return {};
  SQL_RETURN_IF_ERROR(block_.CheckUsable());
  SQL_RETURN_IF_ERROR(CheckCancel());
  SQL_RETURN_IF_ERROR(KeepStreamingPortals(portal));
  txn::Txn* txn = block_.txn();
  txn->set_lock_timeout(std::chrono::milliseconds(settings_.Int(SettingId::kLockTimeout)));
  // In read committed the statement before has left its snapshot behind.
  txn->BeginStatement();
  const bool repeatable = block_.isolation() == txn::Isolation::kRepeatableRead;
  catalog::SnapshotPtr snapshot = LatestCatalog();
  bool exact = false;
  auto take_exact = [&]() -> SqlStatus {
    SQL_ASSIGN_OR_RETURN(snapshot, ExactCatalog());
    exact = true;
    return {};
  };
  if (block_.has_ddl()) SQL_RETURN_IF_ERROR(take_exact());
  for (int turn = 0; turn < kCatalogTurnsMax; ++turn) {
    auto plan = PlanFor(portal->query.get(), snapshot, settings_.search_path());
    if (!plan.ok() && exact) return plan.status();
    if (!plan.ok()) {
      SQL_RETURN_IF_ERROR(take_exact());
      continue;
    }
    const bool fast = auto_commit && (*plan)->point_access_only && !(*plan)->read_only;
    const bool reads = !(*plan)->dependencies.empty();
    if (!exact && (portal->query->uses_virtual || (repeatable && reads && !fast))) {
      SQL_RETURN_IF_ERROR(take_exact());
      continue;
    }
    SQL_RETURN_IF_ERROR(CheckReadOnly(**plan));
    if (portal->result_types && *portal->result_types != ResultTypes(**plan)) {
      return {"0A000", "cached plan must not change result type"};
    }
    statement_catalog_ = snapshot;
    const txn::Savepoint savepoint = txn->SetSavepoint();
    auto run =
        executor::Execution::Start(*plan, MakeExecContext(snapshot, &portal->params, auto_commit));
    // No quorum: asking for the catalog would only wait once more.
    const bool no_quorum = !run.ok() && run.sqlstate() == "57P03";
    if (reads && !no_quorum && (!exact || !repeatable)) {
      auto now = ExactCatalog();
      if (now.ok() && *now != snapshot && !PlanStands(**plan, **now)) {
        if (run.ok()) run->reset();
        txn->RollbackTo(savepoint);
        snapshot = *now;
        exact = repeatable;
        continue;
      }
      if (!now.ok() && run.ok()) return now.status();
    }
    if (!run.ok()) return run.status();
    portal->plan = *plan;
    portal->run = *std::move(run);
    portal->started = true;
    return {};
  }
  return {"40001", "could not serialize access: the tables of the statement keep changing"};
}

sql::SqlResult<bool> Session::NextRow(Portal* portal, sql::Row* row) {
  if (!portal->kept.empty()) {
    *row = std::move(portal->kept.front());
    portal->kept.pop_front();
    return true;
  }
  if (portal->run == nullptr) return false;
  SQL_ASSIGN_OR_RETURN(bool more, portal->run->Next(row));
  return more;
}

sql::SqlStatus Session::RunPlanned(Portal* portal, int64_t limit, bool auto_commit,
                                   Outcome* outcome, const RowSink& sink) {
  if (!portal->done) SQL_RETURN_IF_ERROR(StartPlanned(portal, auto_commit));
  uint64_t count = 0;
  sql::Row row;
  while (!portal->done) {
    if (limit > 0 && count == static_cast<uint64_t>(limit)) {
      outcome->suspended = true;
      return {};
    }
    SQL_ASSIGN_OR_RETURN(bool more, NextRow(portal, &row));
    if (!more) {
      portal->done = true;
      break;
    }
    SQL_RETURN_IF_ERROR(sink != nullptr ? sink(row) : SendRow(*portal, row));
    ++count;
  }
  const bool select = portal->plan->command == planner::CommandKind::kSelect;
  if (!select && portal->run != nullptr) count = portal->run->rows_affected();
  outcome->tag = TagOf(*portal->plan, count);
  if (!portal->cursor) portal->run.reset();
  return {};
}

sql::SqlStatus Session::KeepStreamingPortals(const Portal* except) {
  size_t bytes = 0;
  for (auto& [name, portal] : portals_) {
    if (&portal == except || portal.run == nullptr || portal.done) continue;
    sql::Row row;
    while (true) {
      SQL_ASSIGN_OR_RETURN(bool more, portal.run->Next(&row));
      if (!more) break;
      for (const sql::Datum& value : row) bytes += value.memory_bytes();
      if (bytes > kKeptBytesMax) {
        return {"53200",
                "out of memory: the rest of a portal's rows must be kept while another "
                "statement runs"};
      }
      portal.kept.push_back(std::move(row));
      row = {};
    }
    portal.run.reset();
  }
  return {};
}

sql::SqlStatus Session::SendRow(const Portal& portal, const sql::Row& row) {
  const std::vector<planner::OutputColumn>& columns =
      portal.plan != nullptr ? portal.plan->columns : portal.columns;
  const size_t visible = portal.plan != nullptr ? portal.plan->visible : portal.columns.size();
  if (visible == 0) {
    // DML without RETURNING has no rows for the client; a SELECT without columns has empty ones.
    if (portal.plan != nullptr && portal.plan->command != planner::CommandKind::kSelect) return {};
  }
  const sql::IoContext io = Io();
  pgwire::Encoder& out = connection_.out();
  out.BeginRow(visible);
  for (size_t i = 0; i < visible; ++i) {
    if (row[i].is_null()) {
      out.NullColumn();
      continue;
    }
    Bytes* buffer = out.BeginColumn();
    if (pgwire::BindMessage::FormatOf(portal.formats, i) == pgwire::Format::kText) {
      sql::TextOutput(columns[i].type, row[i], buffer, io);
    } else if (SqlStatus s = sql::BinaryOutput(columns[i].type, row[i], buffer, io); !s.ok()) {
      out.AbortRow();
      return s;
    }
    out.EndColumn();
  }
  out.EndRow();
  Status flushed = connection_.FlushIfLarge();
  if (flushed.ok()) return {};
  closed_ = true;
  return {"08006", flushed.message()};
}

void Session::SendRowDescription(const std::vector<planner::OutputColumn>& columns, size_t visible,
                                 const std::vector<pgwire::Format>& formats) {
  std::vector<pgwire::FieldDescription> fields;
  fields.reserve(visible);
  for (size_t i = 0; i < visible; ++i) {
    pgwire::FieldDescription f;
    f.name = columns[i].name;
    f.table_oid = columns[i].origin.table_oid;
    f.column_number = columns[i].origin.attnum;
    // As PostgreSQL does, a literal of no type is described as text.
    f.type_oid = columns[i].type.oid == sql::oid::kUnknown ? sql::oid::kText : columns[i].type.oid;
    f.type_modifier = columns[i].type.typmod;
    const sql::TypeInfo* info = sql::FindType(f.type_oid);
    f.type_size = info == nullptr ? -1 : info->length;
    f.format = pgwire::BindMessage::FormatOf(formats, i);
    fields.push_back(std::move(f));
  }
  connection_.out().RowDescription(fields);
}

}  // namespace borealis::session
