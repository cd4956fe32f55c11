// The client of AdminServer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/env/clock.h"

namespace borealis::rpc {

// Thread-safe. Keeps a connection per target, and drops those unused for a while.
class AdminClient {
 public:
  AdminClient();
  ~AdminClient();  // cancels and awaits running calls

  // Blocks the calling thread: never on a loop or in a fiber. kUnavailable when the target cannot
  // be reached, kDeadlineExceeded, or the handler's status with its code and message.
  template <typename Request, typename Response>
  Result<Response> Call(const std::string& target, const std::string& method,
                        const Request& request, env::Duration timeout) {
    return Parse<Response>(target, CallRaw(target, method, request.SerializeAsString(), timeout));
  }

  // `done` runs once on one of gRPC's threads: it posts to where it belongs and returns.
  template <typename Request, typename Response>
  void CallAsync(const std::string& target, const std::string& method, const Request& request,
                 env::Duration timeout, std::function<void(Result<Response>)> done) {
    CallRawAsync(target, method, request.SerializeAsString(), timeout,
                 [target, done = std::move(done)](Result<std::string> raw) {
                   done(Parse<Response>(target, std::move(raw)));
                 });
  }

  Result<std::string> CallRaw(const std::string& target, const std::string& method,
                              std::string request, env::Duration timeout);
  void CallRawAsync(const std::string& target, const std::string& method, std::string request,
                    env::Duration timeout, std::function<void(Result<std::string>)> done);

 private:
  template <typename Response>
  static Result<Response> Parse(const std::string& target, Result<std::string> raw) {
    if (!raw.ok()) return raw.status();
    Response response;
    if (!response.ParseFromString(*raw)) {
      return Corruption("malformed answer from " + target);
    }
    return response;
  }

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::rpc
