// One SQL session over libpq, with a deadline on every step: a paused or cut-off writer must look
// like a failure to the client, not like a long wait. The only module that includes libpq.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/env/clock.h"

namespace borealis::chaos {

// Where a writer listens, under the name that reports use.
struct Target {
  std::string name;
  std::string host;
  std::string port;
};

struct Credentials {
  std::string user;
  std::string password;
  std::string database = "postgres";
};

// What came of one statement.
struct Answer {
  bool ok = false;
  // The session is gone (closed, or no answer in time): whether the statement took effect is not
  // known.
  bool lost = false;
  std::string sqlstate;  // of the error, empty when ok or when the connection just broke
  std::string message;   // for people
  std::string detail;
  std::vector<std::vector<std::string>> rows;  // text format; NULL as ""
};

// Not thread-safe; one thread uses it.
class Connection {
 public:
  // kUnavailable or kDeadlineExceeded, naming the target; kUnauthenticated for a wrong password.
  static Result<std::unique_ptr<Connection>> Open(const Target& target, const Credentials& who,
                                                  env::Duration timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs one statement with text parameters ($1, ...). After an answer with `lost` the connection
  // is of no more use.
  Answer Execute(const std::string& sql, const std::vector<std::string>& parameters,
                 env::Duration timeout);
  bool usable() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::chaos
