// From the writer's errors to what the protocol sends.
#pragma once

#include <string>

#include "common/sql/error.h"
#include "writer-node/pgwire/messages.h"

namespace borealis::session {

pgwire::ErrorFields ToFields(const sql::SqlStatus& status,
                             pgwire::Severity severity = pgwire::Severity::kError);
pgwire::ErrorFields ToFields(pgwire::Severity severity, std::string sqlstate, std::string message);

// Lost to another transaction, and a single-statement transaction may simply run again: 40001 and
// 40P01.
bool IsRetryable(const sql::SqlStatus& status);

}  // namespace borealis::session
