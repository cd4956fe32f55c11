// Statements that are neither planned nor DDL: transactions, settings, prepared statements,
// EXPLAIN.
#include <strings.h>

#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

using parser::StatementKind;

planner::OutputColumn TextColumn(std::string name) {
  return {std::move(name), {sql::oid::kText, -1}};
}

sql::Row TextRow(std::initializer_list<std::string_view> values) {
  sql::Row row;
  for (std::string_view value : values) row.push_back(sql::Datum::String(value));
  return row;
}

// What a failed block still accepts.
bool EndsBlock(const parser::Statement& statement) {
  if (statement.kind != StatementKind::kTransaction) return false;
  switch (static_cast<const parser::TransactionStmt&>(statement).what) {
    case parser::TransactionKind::kCommit:
    case parser::TransactionKind::kRollback:
    case parser::TransactionKind::kRollbackTo:
      return true;
    default:
      return false;
  }
}

// Statements that write, in words for 25006; empty for the others.
std::string_view WritingCommand(const parser::Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kCreateTable:
      return "CREATE TABLE";
    case StatementKind::kDrop:
      return "DROP";
    case StatementKind::kAlterTable:
    case StatementKind::kRename:
      return "ALTER TABLE";
    case StatementKind::kCreateIndex:
      return "CREATE INDEX";
    case StatementKind::kCreateSequence:
      return "CREATE SEQUENCE";
    case StatementKind::kAlterSequence:
      return "ALTER SEQUENCE";
    case StatementKind::kTruncate:
      return "TRUNCATE TABLE";
    case StatementKind::kCreateRole:
      return "CREATE ROLE";
    case StatementKind::kAlterRole:
      return "ALTER ROLE";
    case StatementKind::kDropRole:
      return "DROP ROLE";
    case StatementKind::kCopy:
      return static_cast<const parser::CopyStmt&>(statement).from ? "COPY FROM" : "";
    default:
      return "";
  }
}

}  // namespace

sql::SqlStatus Session::RunUtility(Portal* portal, bool auto_commit, Outcome* outcome) {
  // Borrowed from the portal's query, which outlives the call.
  const QueryPtr query = portal->query;
  const parser::Statement& stmt = *query->statement;
  if (!EndsBlock(stmt)) SQL_RETURN_IF_ERROR(block_.CheckUsable());
  SQL_RETURN_IF_ERROR(CheckCancel());
  if (block_.read_only() && block_.state() != IdleState() && !WritingCommand(stmt).empty()) {
    return {"25006",
            "cannot execute " + std::string(WritingCommand(stmt)) + " in a read-only transaction"};
  }
  if (!WritingCommand(stmt).empty() || stmt.kind == StatementKind::kCopy) {
    SQL_RETURN_IF_ERROR(KeepStreamingPortals(portal));
  }
  switch (stmt.kind) {
    case StatementKind::kTransaction:
      return RunTransactionStmt(static_cast<const parser::TransactionStmt&>(stmt), outcome);
    case StatementKind::kSet:
      return RunSet(static_cast<const parser::SetStmt&>(stmt), outcome);
    case StatementKind::kShow:
      return RunShow(static_cast<const parser::ShowStmt&>(stmt), portal, outcome);
    case StatementKind::kPrepare:
      return RunPrepare(static_cast<const parser::PrepareStmt&>(stmt), *query, outcome);
    case StatementKind::kExecute:
      return RunExecute(static_cast<const parser::ExecuteStmt&>(stmt), portal, auto_commit,
                        outcome);
    case StatementKind::kDeallocate:
      return RunDeallocate(static_cast<const parser::DeallocateStmt&>(stmt), outcome);
    case StatementKind::kDiscard:
      return RunDiscard(static_cast<const parser::DiscardStmt&>(stmt), outcome);
    case StatementKind::kExplain:
      return RunExplain(static_cast<const parser::ExplainStmt&>(stmt), portal, auto_commit,
                        outcome);
    case StatementKind::kVacuum:
      return RunVacuum(static_cast<const parser::VacuumStmt&>(stmt), outcome);
    case StatementKind::kCheckpoint:
      // Commits are on a majority's disks before they are answered: there is nothing to do.
      outcome->tag = "CHECKPOINT";
      return {};
    case StatementKind::kDeclareCursor:
      return RunDeclare(static_cast<const parser::DeclareCursorStmt&>(stmt), *query, outcome);
    case StatementKind::kFetch:
      return RunFetch(static_cast<const parser::FetchStmt&>(stmt), portal, outcome);
    case StatementKind::kCloseCursor:
      return RunCloseCursor(static_cast<const parser::CloseCursorStmt&>(stmt), outcome);
    case StatementKind::kCopy:
      return RunCopy(static_cast<const parser::CopyStmt&>(stmt), *query, outcome);
    case StatementKind::kCreateRole:
    case StatementKind::kAlterRole:
    case StatementKind::kDropRole:
      return RunRole(stmt, outcome);
    default:
      return RunDdl(*query, outcome);
  }
}

sql::SqlStatus Session::RunTransactionStmt(const parser::TransactionStmt& stmt, Outcome* outcome) {
  using parser::TransactionKind;
  // The work's own implicit transaction must not hide that there was none. RunInTransaction started
  // one if the session was idle; to these statements it is the same as none.
  switch (stmt.what) {
    case TransactionKind::kBegin:
      outcome->tag = stmt.start ? "START TRANSACTION" : "BEGIN";
      return block_.Begin(stmt.modes);
    case TransactionKind::kCommit: {
      catalog::SnapshotPtr names = statement_catalog_ ? statement_catalog_ : LatestCatalog();
      StopRuns();
      SqlStatus status = block_.Commit(stmt.chain, names.get(), &outcome->tag);
      if (status.ok() && outcome->tag == "COMMIT") manager_->metrics().commits.Add();
      return status;
    }
    case TransactionKind::kRollback:
      outcome->tag = "ROLLBACK";
      StopRuns();
      return block_.Rollback(stmt.chain);
    case TransactionKind::kSavepoint:
      outcome->tag = "SAVEPOINT";
      return block_.SetSavepoint(stmt.savepoint);
    case TransactionKind::kRelease:
      outcome->tag = "RELEASE";
      return block_.Release(stmt.savepoint);
    case TransactionKind::kRollbackTo:
      outcome->tag = "ROLLBACK";
      return block_.RollbackTo(stmt.savepoint);
  }
  return sql::InternalError("unknown transaction statement");
}

// -------------------------------------------------------------------------------------- settings

sql::SqlStatus Session::RunSet(const parser::SetStmt& stmt, Outcome* outcome) {
  outcome->tag = stmt.what == parser::SetKind::kReset || stmt.what == parser::SetKind::kResetAll
                     ? "RESET"
                     : "SET";
  const bool in_block = block_.state() == TransactionBlock::State::kBlock;
  switch (stmt.what) {
    case parser::SetKind::kValue:
    case parser::SetKind::kDefault:
    case parser::SetKind::kReset:
      if (stmt.local && !in_block) {
        Warn("25P01", "SET LOCAL can only be used in transaction blocks");
      }
      return RunSetValue(stmt);
    case parser::SetKind::kResetAll:
      settings_.ResetAll();
      return {};
    case parser::SetKind::kTransaction:
      if (!in_block) {
        Warn("25P01", "SET TRANSACTION can only be used in transaction blocks");
        return {};
      }
      return block_.SetModes(stmt.modes);
    case parser::SetKind::kSessionDefaults: {
      const parser::TransactionModes& modes = stmt.modes;
      if (modes.isolation) {
        SQL_RETURN_IF_ERROR(settings_.Set("default_transaction_isolation",
                                          {std::string(IsolationText(*modes.isolation))}, false));
      }
      if (modes.read_only) {
        SQL_RETURN_IF_ERROR(settings_.Set("default_transaction_read_only",
                                          {*modes.read_only ? "on" : "off"}, false));
      }
      return {};
    }
  }
  return sql::InternalError("unknown SET statement");
}

// The settings of the running transaction are the transaction's own.
sql::SqlStatus Session::RunSetValue(const parser::SetStmt& stmt) {
  const bool reset = stmt.what != parser::SetKind::kValue;
  if (stmt.name == "transaction_isolation" || stmt.name == "transaction_read_only") {
    const std::string value = reset ? settings_.Text(stmt.name == "transaction_isolation"
                                                         ? SettingId::kDefaultTransactionIsolation
                                                         : SettingId::kDefaultTransactionReadOnly)
                                    : (stmt.values.empty() ? "" : stmt.values[0]);
    // Checks the value and puts it into canonical form.
    const Settings::Mark mark = settings_.SetMark();
    SQL_RETURN_IF_ERROR(settings_.Set(stmt.name, {value}, true));
    SQL_ASSIGN_OR_RETURN(std::string canonical, settings_.Show(stmt.name));
    settings_.RollbackTo(mark);
    parser::TransactionModes modes;
    if (stmt.name == "transaction_read_only") {
      modes.read_only = canonical == "on";
    } else {
      for (auto isolation :
           {parser::Isolation::kReadUncommitted, parser::Isolation::kReadCommitted,
            parser::Isolation::kRepeatableRead, parser::Isolation::kSerializable}) {
        if (IsolationText(isolation) == canonical) modes.isolation = isolation;
      }
    }
    return block_.SetModes(modes);
  }
  if (reset) return settings_.Reset(stmt.name, stmt.local);
  return settings_.Set(stmt.name, stmt.values, stmt.local);
}

sql::SqlStatus Session::RunShow(const parser::ShowStmt& stmt, Portal* portal, Outcome* outcome) {
  outcome->tag = "SHOW";
  SQL_RETURN_IF_ERROR(UtilityColumns(*portal->query, &portal->columns).status());
  if (stmt.name == "all") {
    for (const Settings::Row& s : settings_.ShowAll()) {
      portal->kept.push_back(TextRow({s.name, s.value, s.description}));
    }
    return {};
  }
  SQL_ASSIGN_OR_RETURN(std::string value, settings_.Show(stmt.name));
  portal->kept.push_back(TextRow({value}));
  return {};
}

// --------------------------------------------------------------------------- prepared statements

sql::SqlStatus Session::RunPrepare(const parser::PrepareStmt& stmt, const Query& query,
                                   Outcome* outcome) {
  outcome->tag = "PREPARE";
  if (prepared_.contains(stmt.name)) {
    return {"42P05", "prepared statement \"" + stmt.name + "\" already exists"};
  }
  Prepared prepared;
  prepared.from_sql = true;
  prepared.query = std::make_shared<Query>();
  prepared.query->text = query.text;
  prepared.query->statement = stmt.statement;
  SQL_ASSIGN_OR_RETURN(
      prepared.query->given_types,
      binder::BindTypeNames(stmt.types, BindOptionsFor(LatestCatalog(), query.text)));
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(prepared.query.get()));
  prepared.result_types = ResultTypes(*plan);
  prepared_[stmt.name] = std::move(prepared);
  return {};
}

sql::SqlResult<Portal> Session::PortalForExecute(const parser::ExecuteStmt& stmt,
                                                 std::string_view text) {
  SQL_ASSIGN_OR_RETURN(Prepared prepared, FindPrepared(stmt.name));
  Portal inner;
  inner.query = prepared.query;
  inner.result_types = prepared.result_types;
  if (inner.query->statement == nullptr || !IsPlanned(*inner.query->statement)) {
    return sql::FeatureNotSupported("EXECUTE of a utility statement");
  }
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(inner.query.get()));
  if (stmt.args.size() != plan->param_types.size()) {
    return SqlStatus("42601",
                     "wrong number of parameters for prepared statement \"" + stmt.name + "\"")
        .WithDetail("Expected " + std::to_string(plan->param_types.size()) +
                    " parameters but got " + std::to_string(stmt.args.size()) + ".");
  }
  sql::EvalContext eval;
  eval.session = this;
  eval.extra_float_digits = static_cast<int>(settings_.Int(SettingId::kExtraFloatDigits));
  const binder::BindOptions options = BindOptionsFor(LatestCatalog(), text);
  for (size_t i = 0; i < stmt.args.size(); ++i) {
    SQL_ASSIGN_OR_RETURN(auto expr,
                         binder::BindConstant(*stmt.args[i], plan->param_types[i], options));
    SQL_ASSIGN_OR_RETURN(sql::Datum value, sql::Eval(*expr, eval, nullptr));
    inner.params.push_back(std::move(value));
  }
  return inner;
}

sql::SqlStatus Session::RunExecute(const parser::ExecuteStmt& stmt, Portal* portal,
                                   bool auto_commit, Outcome* outcome, const RowSink& sink) {
  SQL_ASSIGN_OR_RETURN(Portal inner, PortalForExecute(stmt, portal->query->text));
  inner.formats = portal->formats;
  return RunPlanned(&inner, 0, auto_commit, outcome, sink);
}

sql::SqlStatus Session::RunDeallocate(const parser::DeallocateStmt& stmt, Outcome* outcome) {
  if (stmt.name.empty()) {
    outcome->tag = "DEALLOCATE ALL";
    prepared_.clear();
    return {};
  }
  outcome->tag = "DEALLOCATE";
  if (prepared_.erase(stmt.name) == 0) {
    return {"26000", "prepared statement \"" + stmt.name + "\" does not exist"};
  }
  return {};
}

sql::SqlStatus Session::RunDiscard(const parser::DiscardStmt& stmt, Outcome* outcome) {
  switch (stmt.what) {
    case parser::DiscardKind::kPlans:
      outcome->tag = "DISCARD PLANS";
      return {};
    case parser::DiscardKind::kSequences:
      outcome->tag = "DISCARD SEQUENCES";
      sequence_values_.clear();
      last_sequence_.reset();
      return {};
    case parser::DiscardKind::kTemporary:
      outcome->tag = "DISCARD TEMP";  // there are no temporary tables
      return {};
    case parser::DiscardKind::kAll:
      outcome->tag = "DISCARD ALL";
      if (block_.state() != TransactionBlock::State::kImplicit) {
        return {"25001", "DISCARD ALL cannot run inside a transaction block"};
      }
      prepared_.clear();
      settings_.ResetAll();
      sequence_values_.clear();
      last_sequence_.reset();
      return {};
  }
  return sql::InternalError("unknown DISCARD statement");
}

// ----------------------------------------------------------------------------- EXPLAIN and others

sql::SqlStatus Session::RunExplain(const parser::ExplainStmt& stmt, Portal* portal,
                                   bool auto_commit, Outcome* outcome) {
  outcome->tag = "EXPLAIN";
  if (!IsPlanned(*stmt.statement)) {
    return sql::FeatureNotSupported("EXPLAIN of a utility statement");
  }
  SQL_RETURN_IF_ERROR(UtilityColumns(*portal->query, &portal->columns).status());
  Portal inner;
  inner.query = std::make_shared<Query>();
  inner.query->text = portal->query->text;
  inner.query->statement = stmt.statement;
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(inner.query.get()));
  if (stmt.analyze) {
    const env::MonotonicTime began = services_.loop->clock().Monotonic();
    uint64_t rows = 0;
    Outcome ignored;
    SQL_RETURN_IF_ERROR(RunPlanned(&inner, 0, auto_commit, &ignored, [&rows](const sql::Row&) {
      ++rows;
      return SqlStatus();
    }));
    const auto micros = (services_.loop->clock().Monotonic() - began).count();
    for (const std::string& line : planner::ExplainPlan(*inner.plan, stmt.costs, stmt.verbose)) {
      portal->kept.push_back(TextRow({line}));
    }
    portal->kept.push_back(TextRow({"Actual rows: " + std::to_string(rows)}));
    char text[64];
    std::snprintf(text, sizeof text, "Execution Time: %.3f ms", static_cast<double>(micros) / 1000);
    portal->kept.push_back(TextRow({text}));
    return {};
  }
  for (const std::string& line : planner::ExplainPlan(*plan, stmt.costs, stmt.verbose)) {
    portal->kept.push_back(TextRow({line}));
  }
  return {};
}

// Old versions are removed by the members and the planner needs no statistics yet: accepted,
// checked for the tables' names, and without effect.
sql::SqlStatus Session::RunVacuum(const parser::VacuumStmt& stmt, Outcome* outcome) {
  outcome->tag = stmt.vacuum ? "VACUUM" : "ANALYZE";
  if (stmt.vacuum && block_.state() == TransactionBlock::State::kBlock) {
    return {"25001", "VACUUM cannot run inside a transaction block"};
  }
  if (stmt.tables.empty()) return {};
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr catalog, ExactCatalog());
  for (const parser::RelationName& table : stmt.tables) {
    bool found = false;
    if (!table.schema.empty()) {
      found = catalog->FindTable(table.schema, table.name) != nullptr;
    } else {
      for (const std::string& schema : SearchPath(true)) {
        found = found || catalog->FindTable(schema, table.name) != nullptr;
      }
    }
    if (!found) return {"42P01", "relation \"" + table.name + "\" does not exist"};
  }
  return {};
}

sql::SqlResult<bool> Session::UtilityColumns(const Query& query,
                                             std::vector<planner::OutputColumn>* columns) {
  const parser::Statement& stmt = *query.statement;
  switch (stmt.kind) {
    case StatementKind::kShow: {
      const auto& show = static_cast<const parser::ShowStmt&>(stmt);
      if (show.name == "all") {
        *columns = {TextColumn("name"), TextColumn("setting"), TextColumn("description")};
        return true;
      }
      SQL_RETURN_IF_ERROR(settings_.Show(show.name).status());
      std::string name = show.name;
      for (const SettingDefinition& d : SettingDefinitions()) {
        if (d.name.size() == name.size() &&
            strncasecmp(d.name.data(), name.data(), name.size()) == 0) {
          name = d.name;
        }
      }
      *columns = {TextColumn(name)};
      return true;
    }
    case StatementKind::kExplain:
      *columns = {TextColumn("QUERY PLAN")};
      return true;
    case StatementKind::kFetch: {
      const auto& fetch = static_cast<const parser::FetchStmt&>(stmt);
      if (fetch.move) return false;
      SQL_ASSIGN_OR_RETURN(Portal * cursor, FindCursor(fetch.cursor));
      columns->assign(
          cursor->plan->columns.begin(),
          cursor->plan->columns.begin() + static_cast<ptrdiff_t>(cursor->plan->visible));
      return true;
    }
    case StatementKind::kExecute: {
      const auto& execute = static_cast<const parser::ExecuteStmt&>(stmt);
      SQL_ASSIGN_OR_RETURN(Prepared prepared, FindPrepared(execute.name));
      bool has_rows = false;
      SQL_RETURN_IF_ERROR(DescribeQuery(prepared.query, columns, &has_rows));
      return has_rows;
    }
    default:
      return false;
  }
}

}  // namespace borealis::session
