// COPY FROM STDIN and COPY TO STDOUT: the protocol's side; rows are the executor's.
#include "writer-node/executor/copy.h"

#include "writer-node/planner/planner.h"
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

sql::SqlResult<executor::CopyOptions> OptionsOf(const binder::BoundCopy& bound) {
  const binder::CopyOptions& in = bound.options;
  if (in.header_match) return sql::FeatureNotSupported("COPY HEADER MATCH");
  if (!in.force_not_null.empty()) return sql::FeatureNotSupported("COPY FORCE_NOT_NULL");
  if (!in.force_null.empty()) return sql::FeatureNotSupported("COPY FORCE_NULL");
  executor::CopyOptions out;
  out.format = in.format == binder::CopyFormat::kCsv ? executor::CopyFormat::kCsv
                                                     : executor::CopyFormat::kText;
  out.delimiter = in.delimiter;
  out.null_text = in.null_text;
  out.header = in.header;
  out.quote = in.quote;
  out.escape = in.escape;
  if (!in.force_quote.empty()) {
    const bool all = in.force_quote[0] == "*";
    for (const std::string& column : bound.columns) {
      out.force_quote.push_back(all || std::find(in.force_quote.begin(), in.force_quote.end(),
                                                 column) != in.force_quote.end());
    }
  }
  return out;
}

}  // namespace

sql::SqlStatus Session::RunCopy(const parser::CopyStmt& stmt, const Query& query,
                                Outcome* outcome) {
  block_.txn()->BeginStatement();
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr catalog, ExactCatalog());
  SQL_ASSIGN_OR_RETURN(binder::BoundCopy bound,
                       binder::BindCopy(stmt, BindOptionsFor(catalog, query.text)));
  return stmt.from ? CopyFrom(std::move(bound), outcome) : CopyTo(std::move(bound), outcome);
}

sql::SqlStatus Session::CopyFrom(binder::BoundCopy bound, Outcome* outcome) {
  SQL_ASSIGN_OR_RETURN(executor::CopyOptions options, OptionsOf(bound));
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, planner::MakePlan(std::move(bound.statement)));
  const size_t columns = bound.columns.size();
  SQL_ASSIGN_OR_RETURN(
      auto copy, executor::CopyIn::Start(plan, bound.column_types, bound.columns, options,
                                         MakeExecContext(statement_catalog_, nullptr, false)));
  connection_.out().CopyInResponse(pgwire::Format::kText, columns);
  if (!connection_.Flush().ok()) {
    closed_ = true;
    return {"08006", "connection to client lost"};
  }
  SQL_RETURN_IF_ERROR(ReceiveCopy([&copy](ByteView data) { return copy->Data(data); }));
  SQL_ASSIGN_OR_RETURN(uint64_t rows, copy->Finish());
  outcome->tag = "COPY " + std::to_string(rows);
  return {};
}

// Until CopyDone. What still comes after an error of ours is passed over by HandleMessage.
sql::SqlStatus Session::ReceiveCopy(const std::function<SqlStatus(ByteView)>& data) {
  while (true) {
    SQL_RETURN_IF_ERROR(CheckCancel());
    Result<pgwire::Message> message = connection_.ReadMessage();
    if (!message.ok()) {
      SQL_RETURN_IF_ERROR(CheckCancel());
      closed_ = true;
      if (message.code() == Code::kCorruption) return {"08P01", message.status().message()};
      return {"08006", "unexpected EOF on client connection with an open transaction"};
    }
    switch (message->type) {
      case pgwire::FrontendType::kCopyData:
        SQL_RETURN_IF_ERROR(data(message->body));
        break;
      case pgwire::FrontendType::kCopyDone:
        return {};
      case pgwire::FrontendType::kCopyFail: {
        Result<std::string_view> reason = pgwire::DecodeCopyFail(message->body);
        return {"57014", "COPY from stdin failed: " + std::string(reason.ok() ? *reason : "")};
      }
      case pgwire::FrontendType::kFlush:
      case pgwire::FrontendType::kSync:
        break;  // an extended query's client sends them ahead; the Sync that counts comes after
                // CopyDone
      default:
        closed_ = true;
        return {"08P01", "unexpected message type 0x" +
                             ToHex(ByteView(reinterpret_cast<const char*>(&message->type), 1)) +
                             " during COPY from stdin"};
    }
  }
}

sql::SqlStatus Session::CopyTo(binder::BoundCopy bound, Outcome* outcome) {
  SQL_ASSIGN_OR_RETURN(executor::CopyOptions options, OptionsOf(bound));
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, planner::MakePlan(std::move(bound.statement)));
  SQL_RETURN_IF_ERROR(CheckReadOnly(*plan));
  SQL_ASSIGN_OR_RETURN(auto run, executor::Execution::Start(
                                     plan, MakeExecContext(statement_catalog_, nullptr, false)));
  // In read committed the execution took a newer snapshot than the plan's catalog; nothing was sent
  // yet, so outside a block the session runs it again.
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr now, ExactCatalog());
  if (!PlanStands(*plan, *now)) {
    return {"40001", "could not serialize access: a table of the COPY was changed"};
  }
  const size_t visible = plan->visible;
  std::vector<planner::OutputColumn> columns(
      plan->columns.begin(), plan->columns.begin() + static_cast<ptrdiff_t>(visible));
  executor::CopyOut encoder(std::move(columns), options);
  pgwire::Encoder& out = connection_.out();
  out.CopyOutResponse(pgwire::Format::kText, visible);
  SQL_ASSIGN_OR_RETURN(Bytes header, encoder.Begin());
  if (!header.empty()) out.CopyData(header);
  uint64_t count = 0;
  sql::Row row;
  while (true) {
    SQL_ASSIGN_OR_RETURN(bool more, run->Next(&row));
    if (!more) break;
    row.resize(visible);
    SQL_ASSIGN_OR_RETURN(Bytes line, encoder.EncodeRow(row));
    out.CopyData(line);
    ++count;
    if (!connection_.FlushIfLarge().ok()) {
      closed_ = true;
      return {"08006", "connection to client lost"};
    }
  }
  if (Bytes end = encoder.End(); !end.empty()) out.CopyData(end);
  out.CopyDone();
  outcome->tag = "COPY " + std::to_string(count);
  return {};
}

}  // namespace borealis::session
