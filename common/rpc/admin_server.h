// Admin calls: gRPC for everything that is not per commit, without gRPC in sight. Methods are those
// of the services in proto/admin.proto.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/env/clock.h"

namespace borealis::rpc {

inline constexpr size_t kAdminMessageMax = 16u << 20;

// Handlers run on gRPC's threads, several at once: a handler posts to its loop and waits
// (RunOnLoop), and must not take longer than the caller's deadline. Unknown methods answer
// kUnsupported, malformed messages kInvalidArgument.
class AdminServer {
 public:
  AdminServer();
  ~AdminServer();  // stops

  // Before Start(). Method "/borealis.v1.StorageAdmin/Status".
  template <typename Request, typename Response>
  void Handle(const std::string& method, std::function<Result<Response>(const Request&)> handler) {
    HandleRaw(method, [handler = std::move(handler)](const std::string& in) -> Result<std::string> {
      Request request;
      if (!request.ParseFromString(in)) return InvalidArgument("malformed request message");
      Result<Response> response = handler(request);
      if (!response.ok()) return response.status();
      return response->SerializeAsString();
    });
  }
  using RawHandler = std::function<Result<std::string>(const std::string&)>;
  void HandleRaw(const std::string& method, RawHandler handler);

  // "host:port"; the error names it. Port 0: see port().
  Status Start(const std::string& address);
  // Refuses new calls, waits for running ones (at most a second, then cancels them). Idempotent.
  void Stop();
  uint16_t port() const;

  // Fault hook: calls that arrive in this time are answered only after it. Any thread.
  void PauseFor(env::Duration duration);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::rpc
