// The extended protocol: Parse, Bind, Describe, Execute, Close, Sync, Flush.
//
// Everything up to Sync is one implicit transaction, unless a block is open. To commit at Sync
// would mean to answer an Execute before it is known whether it stands. So Execute, when nothing
// ran before it in that transaction, first looks at the type of the next message (a client that
// wants an answer must send Sync or Flush next): if that is Sync, the statement is an auto-commit
// one, is answered after its commit, and may be run again when it lost.
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

constexpr size_t kPreparedMax = 10000;
constexpr size_t kPortalsMax = 1000;

}  // namespace

void Session::HandleExtended(const pgwire::Message& message) {
  using pgwire::FrontendType;
  in_extended_ = true;
  BeginStatement();
  SqlStatus status;
  switch (message.type) {
    case FrontendType::kParse:
      status = HandleParse(message.body);
      break;
    case FrontendType::kBind:
      status = HandleBind(message.body);
      break;
    case FrontendType::kDescribe:
      status = HandleDescribe(message.body);
      break;
    case FrontendType::kExecute:
      status = HandleExecute(message.body);
      break;
    case FrontendType::kClose:
      status = HandleClose(message.body);
      break;
    default:
      break;
  }
  status = Explain(std::move(status));
  EndStatement();
  if (message.type == FrontendType::kFlush && !connection_.Flush().ok()) closed_ = true;
  if (status.ok() || closed_) return;
  if (protocol_broken_) return ProtocolError(status.message());
  DropTransactionPortals();
  block_.Fail();
  ReportError(status);
  skip_until_sync_ = true;
  // The client may have sent Flush behind it and wait for the answer before it sends Sync; that
  // Flush is skipped.
  if (!connection_.Flush().ok()) closed_ = true;
}

// What follows a message that cannot be read cannot be trusted: the connection ends. Counts that do
// not fit the statement are 08P01 too, but an ordinary error, as in PostgreSQL.
sql::SqlStatus Session::Malformed(const Status& status) {
  protocol_broken_ = true;
  return {"08P01", status.message()};
}

sql::SqlStatus Session::HandleParse(ByteView body) {
  Result<pgwire::ParseMessage> message = pgwire::DecodeParse(body);
  if (!message.ok()) return Malformed(message.status());
  const std::string name(message->name);
  if (!pgwire::ValidUtf8(message->query) || !pgwire::ValidUtf8(name)) {
    return {"22021", "invalid byte sequence for encoding \"UTF8\""};
  }
  if (!name.empty() && prepared_.contains(name)) {
    return {"42P05", "prepared statement \"" + name + "\" already exists"};
  }
  if (prepared_.size() >= kPreparedMax) return {"53000", "too many prepared statements"};
  if (name.empty()) prepared_.erase("");
  SQL_ASSIGN_OR_RETURN(QueryPtr query, manager_->plans().Parse(message->query, message->types,
                                                               settings_.search_path()));
  const parser::Statement* statement = query->statement.get();
  const bool ends = statement != nullptr && statement->kind == parser::StatementKind::kTransaction;
  if (statement != nullptr && !ends) SQL_RETURN_IF_ERROR(block_.CheckUsable());
  Prepared prepared{query, false, std::nullopt};
  if (statement != nullptr && IsPlanned(*statement)) {
    SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(query.get()));
    prepared.result_types = ResultTypes(*plan);
  }
  prepared_[name] = std::move(prepared);
  connection_.out().ParseComplete();
  return {};
}

sql::SqlResult<Prepared> Session::FindPrepared(std::string_view name) {
  auto it = prepared_.find(name);
  if (it != prepared_.end()) return it->second;
  if (name.empty()) return SqlStatus("26000", "unnamed prepared statement does not exist");
  return SqlStatus("26000", "prepared statement \"" + std::string(name) + "\" does not exist");
}

sql::SqlResult<std::vector<sql::Datum>> Session::BindParameters(
    const Query& query, const pgwire::BindMessage& message) {
  std::vector<sql::Datum> values;
  const size_t wanted = query.plan == nullptr ? 0 : query.plan->param_types.size();
  if (message.params.size() != wanted) {
    return SqlStatus("08P01", "bind message supplies " + std::to_string(message.params.size()) +
                                  " parameters, but prepared statement requires " +
                                  std::to_string(wanted));
  }
  const sql::IoContext io = Io();
  for (size_t i = 0; i < wanted; ++i) {
    if (!message.params[i]) {
      values.push_back(sql::Datum::Null());
      continue;
    }
    const ByteView bytes = *message.params[i];
    const sql::Type type = query.plan->param_types[i];
    const bool text =
        pgwire::BindMessage::FormatOf(message.param_formats, i) == pgwire::Format::kText;
    if (text && !pgwire::ValidUtf8(bytes)) {
      return SqlStatus("22021", "invalid byte sequence for encoding \"UTF8\"");
    }
    auto value = text ? sql::TextInput(type, bytes, io) : sql::BinaryInput(type, bytes, io);
    if (!value.ok()) {
      SqlStatus status = value.status();
      status.mutable_error().context =
          "portal \"" + std::string(message.portal) + "\" parameter $" + std::to_string(i + 1);
      return status;
    }
    values.push_back(*std::move(value));
  }
  return values;
}

sql::SqlStatus Session::HandleBind(ByteView body) {
  Result<pgwire::BindMessage> message = pgwire::DecodeBind(body);
  if (!message.ok()) return Malformed(message.status());
  SQL_ASSIGN_OR_RETURN(Prepared prepared, FindPrepared(message->statement));
  const QueryPtr query = prepared.query;
  const parser::Statement* statement = query->statement.get();
  const bool ends = statement != nullptr && statement->kind == parser::StatementKind::kTransaction;
  if (statement != nullptr && !ends) SQL_RETURN_IF_ERROR(block_.CheckUsable());
  const std::string name(message->portal);
  if (!name.empty() && portals_.contains(name)) {
    return {"42P03", "portal \"" + name + "\" already exists"};
  }
  if (portals_.size() >= kPortalsMax) return {"53000", "too many portals"};
  Portal portal;
  portal.query = query;
  portal.result_types = std::move(prepared.result_types);
  size_t columns = 0;
  if (statement != nullptr && IsPlanned(*statement)) {
    SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(query.get()));
    columns = plan->visible;
  } else if (statement != nullptr) {
    std::vector<planner::OutputColumn> described;
    SQL_ASSIGN_OR_RETURN(bool rows, UtilityColumns(*query, &described));
    if (rows) columns = described.size();
  }
  SQL_ASSIGN_OR_RETURN(portal.params, BindParameters(*query, *message));
  portal.formats = message->result_formats;
  if (portal.formats.size() > 1 && portal.formats.size() != columns) {
    return {"08P01", "bind message has " + std::to_string(portal.formats.size()) +
                         " result formats but query has " + std::to_string(columns) + " columns"};
  }
  portals_.insert_or_assign(name, std::move(portal));
  connection_.out().BindComplete();
  return {};
}

sql::SqlStatus Session::DescribeQuery(const QueryPtr& query,
                                      std::vector<planner::OutputColumn>* columns, bool* has_rows) {
  *has_rows = false;
  if (query->statement == nullptr) return {};
  if (!IsPlanned(*query->statement)) {
    SQL_ASSIGN_OR_RETURN(*has_rows, UtilityColumns(*query, columns));
    return {};
  }
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, PlanForDescribe(query.get()));
  columns->assign(plan->columns.begin(),
                  plan->columns.begin() + static_cast<ptrdiff_t>(plan->visible));
  *has_rows = plan->command == planner::CommandKind::kSelect || plan->visible > 0;
  return {};
}

sql::SqlStatus Session::HandleDescribe(ByteView body) {
  Result<pgwire::NamedObject> message = pgwire::DecodeNamed(body);
  if (!message.ok()) return Malformed(message.status());
  QueryPtr query;
  std::vector<pgwire::Format> formats;
  if (message->portal) {
    auto it = portals_.find(message->name);
    if (it == portals_.end()) {
      return {"34000", "portal \"" + std::string(message->name) + "\" does not exist"};
    }
    query = it->second.query;
    formats = it->second.formats;
  } else {
    SQL_ASSIGN_OR_RETURN(Prepared prepared, FindPrepared(message->name));
    query = prepared.query;
  }
  std::vector<planner::OutputColumn> columns;
  bool has_rows = false;
  SQL_RETURN_IF_ERROR(DescribeQuery(query, &columns, &has_rows));
  if (!message->portal) {
    std::vector<uint32_t> types;
    if (query->plan != nullptr) {
      for (const sql::Type& type : query->plan->param_types) types.push_back(type.oid);
    }
    connection_.out().ParameterDescription(types);
  }
  if (has_rows) {
    SendRowDescription(columns, columns.size(), formats);
  } else {
    connection_.out().NoData();
  }
  return {};
}

sql::SqlStatus Session::HandleExecute(ByteView body) {
  Result<pgwire::ExecuteMessage> decoded = pgwire::DecodeExecute(body);
  if (!decoded.ok()) return Malformed(decoded.status());
  const std::string name(decoded->portal);
  const int64_t limit = decoded->rows_max;
  auto it = portals_.find(name);
  if (it == portals_.end()) return {"34000", "portal \"" + name + "\" does not exist"};
  Portal& portal = it->second;
  NoteQuery(portal.query->text);
  const parser::Statement* statement = portal.query->statement.get();
  bool auto_commit = false;
  if (block_.state() == IdleState() && statement != nullptr &&
      statement->kind != parser::StatementKind::kTransaction) {
    Result<pgwire::FrontendType> next = connection_.PeekType();
    if (!next.ok()) {
      if (next.code() == Code::kCorruption) return Malformed(next.status());
      closed_ = true;  // gone, or told to go, before it said that this is to be done
      return {};
    }
    auto_commit = *next == pgwire::FrontendType::kSync;
  }
  Outcome outcome;
  SqlStatus status = RunInTransaction(
      [&](Outcome* o) {
        if (auto_commit) {
          portal.run.reset();
          portal.kept.clear();
          portal.started = portal.done = false;
        }
        return RunPortal(&portal, limit, auto_commit, o);
      },
      auto_commit, &outcome);
  SQL_RETURN_IF_ERROR(status);
  if (outcome.empty) {
    connection_.out().EmptyQueryResponse();
  } else if (outcome.suspended) {
    connection_.out().PortalSuspended();
  } else {
    connection_.out().CommandComplete(outcome.tag);
  }
  if (block_.state() == IdleState()) DropTransactionPortals();
  return {};
}

sql::SqlStatus Session::HandleClose(ByteView body) {
  Result<pgwire::NamedObject> message = pgwire::DecodeNamed(body);
  if (!message.ok()) return Malformed(message.status());
  const std::string name(message->name);
  if (message->portal) {
    portals_.erase(name);
  } else {
    prepared_.erase(name);
  }
  connection_.out().CloseComplete();
  return {};
}

void Session::HandleSync() {
  in_extended_ = false;
  skip_until_sync_ = false;
  if (block_.state() == TransactionBlock::State::kImplicit) {
    BeginStatement();
    portals_.clear();
    SqlStatus status = Explain(block_.CommitImplicit(nullptr));
    if (status.ok()) manager_->metrics().commits.Add();
    EndStatement();
    if (!status.ok()) ReportError(status);
  }
  if (block_.state() == IdleState()) portals_.clear();
  ready_wanted_ = true;
}

}  // namespace borealis::session
