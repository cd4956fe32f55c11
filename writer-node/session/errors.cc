#include "writer-node/session/errors.h"

namespace borealis::session {

pgwire::ErrorFields ToFields(const sql::SqlStatus& status, pgwire::Severity severity) {
  const sql::SqlError& e = status.error();
  pgwire::ErrorFields f;
  f.severity = severity;
  f.sqlstate = e.sqlstate;
  f.message = e.message;
  f.detail = e.detail;
  f.hint = e.hint;
  f.where = e.context;
  f.position = e.position;
  f.schema = e.schema_name;
  f.table = e.table_name;
  f.column = e.column_name;
  f.constraint = e.constraint_name;
  return f;
}

pgwire::ErrorFields ToFields(pgwire::Severity severity, std::string sqlstate, std::string message) {
  pgwire::ErrorFields f;
  f.severity = severity;
  f.sqlstate = std::move(sqlstate);
  f.message = std::move(message);
  return f;
}

bool IsRetryable(const sql::SqlStatus& status) {
  return status.sqlstate() == "40001" || status.sqlstate() == "40P01";
}

}  // namespace borealis::session
