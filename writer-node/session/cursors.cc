// DECLARE, FETCH, MOVE, CLOSE: cursors are portals that are named in SQL. Forward only, within a
// transaction.
#include "writer-node/session/session.h"

namespace borealis::session {

sql::SqlStatus Session::RunDeclare(const parser::DeclareCursorStmt& stmt, const Query& query,
                                   Outcome* outcome) {
  outcome->tag = "DECLARE CURSOR";
  if (stmt.hold) return sql::FeatureNotSupported("DECLARE CURSOR ... WITH HOLD");
  if (stmt.scroll) return sql::FeatureNotSupported("DECLARE ... SCROLL CURSOR");
  if (block_.state() != TransactionBlock::State::kBlock) {
    return {"25P01", "DECLARE CURSOR can only be used in transaction blocks"};
  }
  if (portals_.contains(stmt.name)) {
    return {"42P03", "cursor \"" + stmt.name + "\" already exists"};
  }
  Portal cursor;
  cursor.cursor = true;
  cursor.query = std::make_shared<Query>();
  cursor.query->text = query.text;
  cursor.query->statement = stmt.select;
  if (stmt.binary) cursor.formats = {pgwire::Format::kBinary};
  // The address that the execution borrows the parameters from must not change any more.
  Portal& placed = portals_[stmt.name] = std::move(cursor);
  SqlStatus status = StartPlanned(&placed, false);
  if (!status.ok()) portals_.erase(stmt.name);
  return status;
}

sql::SqlResult<Portal*> Session::FindCursor(const std::string& name) {
  auto it = portals_.find(name);
  if (it == portals_.end() || it->second.plan == nullptr) {
    return SqlStatus("34000", "cursor \"" + name + "\" does not exist");
  }
  return &it->second;
}

sql::SqlStatus Session::RunFetch(const parser::FetchStmt& stmt, Portal* portal, Outcome* outcome) {
  SQL_ASSIGN_OR_RETURN(Portal * cursor, FindCursor(stmt.cursor));
  if (stmt.direction != parser::FetchDirection::kForward || stmt.count < 0) {
    return sql::SqlStatus("55000", "cursor can only scan forward")
        .WithHint("Declare it with SCROLL option to enable backward scan.");
  }
  // Bind of an extended FETCH says the formats; else those of the cursor count.
  if (!portal->formats.empty()) cursor->formats = portal->formats;
  int64_t count = 0;
  sql::Row row;
  while (count < stmt.count && !cursor->done) {
    SQL_ASSIGN_OR_RETURN(bool more, NextRow(cursor, &row));
    if (!more) {
      cursor->done = true;
      break;
    }
    ++count;
    if (!stmt.move) SQL_RETURN_IF_ERROR(SendRow(*cursor, row));
  }
  outcome->tag = (stmt.move ? "MOVE " : "FETCH ") + std::to_string(count);
  return {};
}

sql::SqlStatus Session::RunCloseCursor(const parser::CloseCursorStmt& stmt, Outcome* outcome) {
  outcome->tag = "CLOSE CURSOR";
  if (stmt.name.empty()) {
    outcome->tag = "CLOSE CURSOR ALL";
    std::erase_if(portals_, [](const auto& entry) { return entry.second.cursor; });
    return {};
  }
  SQL_RETURN_IF_ERROR(FindCursor(stmt.name).status());
  portals_.erase(stmt.name);
  return {};
}

}  // namespace borealis::session
