#include "chaos/sql/connection.h"

#include <libpq-fe.h>
#include <poll.h>

namespace borealis::chaos {

struct Connection::Impl {
  PGconn* conn = nullptr;
  std::string target;
  bool broken = false;
  ~Impl() {
    if (conn != nullptr) PQfinish(conn);
  }
};

namespace {

// True when the socket was ready for `events` before the deadline.
bool WaitFor(PGconn* conn, short events, env::MonotonicTime deadline) {
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - env::SystemClock().Monotonic());
    if (left.count() <= 0) return false;
    pollfd poll_fd{PQsocket(conn), events, 0};
    if (poll_fd.fd < 0) return false;
    int ready = poll(&poll_fd, 1, static_cast<int>(left.count()) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string FirstLine(const char* text) {
  std::string line(text == nullptr ? "" : text);
  size_t end = line.find('\n');
  return end == std::string::npos ? line : line.substr(0, end);
}

Answer Broken(PGconn* conn, const std::string& why) {
  Answer answer;
  answer.lost = true;
  std::string reason = FirstLine(PQerrorMessage(conn));
  answer.message = reason.empty() ? why : reason;
  return answer;
}

std::string Field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

// Adds what one PGresult says to the answer.
void Collect(const PGresult* result, Answer* answer) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      answer->ok = answer->sqlstate.empty();
      return;
    case PGRES_TUPLES_OK:
      answer->ok = answer->sqlstate.empty();
      for (int row = 0; row < PQntuples(result); row++) {
        std::vector<std::string> values;
        for (int column = 0; column < PQnfields(result); column++) {
          values.emplace_back(PQgetvalue(result, row, column));
        }
        answer->rows.push_back(std::move(values));
      }
      return;
    default:
      answer->ok = false;
      answer->sqlstate = Field(result, PG_DIAG_SQLSTATE);
      answer->message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
      answer->detail = Field(result, PG_DIAG_MESSAGE_DETAIL);
  }
}

}  // namespace

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

bool Connection::usable() const {
  return !impl_->broken && PQstatus(impl_->conn) == CONNECTION_OK;
}

Result<std::unique_ptr<Connection>> Connection::Open(const Target& target, const Credentials& who,
                                                     env::Duration timeout) {
  const char* keys[] = {
      "host",    "port", "user", "password", "dbname", "sslmode", "application_name",
      "options", nullptr};
  const char* values[] = {target.host.c_str(),
                          target.port.c_str(),
                          who.user.c_str(),
                          who.password.c_str(),
                          who.database.c_str(),
                          "prefer",
                          "borealis-chaos",
                          "",
                          nullptr};
  auto impl = std::make_unique<Impl>();
  impl->target = target.name;
  impl->conn = PQconnectStartParams(keys, values, 0);
  if (impl->conn == nullptr) return ResourceExhausted("libpq: out of memory");
  auto deadline = env::SystemClock().Monotonic() + timeout;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (PQstatus(impl->conn) == CONNECTION_BAD || status == PGRES_POLLING_FAILED) {
      std::string why = FirstLine(PQerrorMessage(impl->conn));
      bool refused = why.find("password authentication failed") != std::string::npos;
      return Status(refused ? Code::kUnauthenticated : Code::kUnavailable,
                    "writer " + target.name + ": " + why);
    }
    if (!WaitFor(impl->conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
      return DeadlineExceeded("writer " + target.name + ": no session in time");
    }
    status = PQconnectPoll(impl->conn);
  }
  PQsetnonblocking(impl->conn, 1);
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

Answer Connection::Execute(const std::string& sql, const std::vector<std::string>& parameters,
                           env::Duration timeout) {
  PGconn* conn = impl_->conn;
  auto deadline = env::SystemClock().Monotonic() + timeout;
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  impl_->broken = true;  // until a whole answer is there
  if (PQsendQueryParams(conn, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                        nullptr, nullptr, 0) == 0) {
    return Broken(conn, "the connection is closed");
  }
  for (int left = PQflush(conn); left != 0; left = PQflush(conn)) {
    if (left < 0) return Broken(conn, "the connection broke");
    if (!WaitFor(conn, POLLIN | POLLOUT, deadline)) return Broken(conn, "no answer in time");
    if (PQconsumeInput(conn) == 0) return Broken(conn, "the connection broke");
  }
  Answer answer;
  for (;;) {
    while (PQisBusy(conn) != 0) {
      if (!WaitFor(conn, POLLIN, deadline)) return Broken(conn, "no answer in time");
      if (PQconsumeInput(conn) == 0 && PQisBusy(conn) != 0) {
        return Broken(conn, "the connection broke");
      }
    }
    PGresult* result = PQgetResult(conn);
    if (result == nullptr) break;
    Collect(result, &answer);
    PQclear(result);
  }
  if (PQstatus(conn) != CONNECTION_OK) {
    // A FATAL error came with the end of the session (57P01, say): its code is worth keeping.
    answer.lost = true;
    answer.ok = false;
    return answer;
  }
  impl_->broken = false;
  return answer;
}

}  // namespace borealis::chaos
