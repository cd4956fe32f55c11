// The simple protocol: a string of statements. Several of them are one transaction unless they say
// otherwise, as in PostgreSQL: the first error ends the string and takes back what it did.
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

bool IsTransactionControl(const parser::Statement& statement) {
  return statement.kind == parser::StatementKind::kTransaction;
}

}  // namespace

void Session::SimpleQuery(std::string_view borrowed) {
  // COPY reads on, which ends the life of the message that the view points into.
  const std::string text(borrowed);
  NoteQuery(text);
  prepared_.erase("");
  portals_.erase("");
  if (!pgwire::ValidUtf8(text)) {
    block_.Fail();
    ReportError({"22021", "invalid byte sequence for encoding \"UTF8\""});
    return;
  }
  auto statements = parser::Parse(text);
  if (!statements.ok()) {
    DropTransactionPortals();
    block_.Fail();
    ReportError(statements.status());
    return;
  }
  if (statements->empty()) {
    connection_.out().EmptyQueryResponse();
    return;
  }
  const bool single = statements->size() == 1;
  for (size_t i = 0; i < statements->size() && !closed_; ++i) {
    Portal portal;
    portal.query = std::make_shared<Query>();
    portal.query->text = text;
    portal.query->statement = std::move((*statements)[i].statement);
    const bool last = i + 1 == statements->size();
    const bool auto_commit =
        single && block_.state() == IdleState() && !IsTransactionControl(*portal.query->statement);
    BeginStatement();
    Outcome outcome;
    SqlStatus status = RunInTransaction(
        [&](Outcome* o) {
          // A turn after a lost one starts from nothing.
          portal.run.reset();
          portal.kept.clear();
          portal.started = portal.done = false;
          if (IsPlanned(*portal.query->statement)) {
            SQL_RETURN_IF_ERROR(StartPlanned(&portal, auto_commit));
            if (portal.plan->visible > 0) {
              SendRowDescription(portal.plan->columns, portal.plan->visible, {});
            }
          } else {
            std::vector<planner::OutputColumn> columns;
            SQL_ASSIGN_OR_RETURN(bool rows, UtilityColumns(*portal.query, &columns));
            if (rows) SendRowDescription(columns, columns.size(), {});
          }
          return RunPortal(&portal, 0, auto_commit, o);
        },
        auto_commit, &outcome);
    // The last statement is answered only once its transaction is decided.
    if (status.ok() && last && !auto_commit)
      status = block_.CommitImplicit(statement_catalog_.get());
    status = Explain(std::move(status));
    EndStatement();
    if (!status.ok()) {
      portal = {};
      DropTransactionPortals();
      block_.Fail();
      ReportError(status);
      return;
    }
    connection_.out().CommandComplete(outcome.tag);
    if (block_.state() == IdleState()) DropTransactionPortals();
  }
}

}  // namespace borealis::session
