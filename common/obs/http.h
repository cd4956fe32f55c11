// A small HTTP/1.1 server for GET and HEAD: /metrics, /healthz, /readyz. Bounded: 8 KiB of request
// head, 64 connections (more are answered 503 and closed), 5 s for a request, one request a
// connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/env/net.h"
#include "common/obs/metrics.h"

namespace borealis::obs {

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";
};

// Loop thread only.
class HttpServer {
 public:
  // Called on the loop's thread with the path (without the query).
  using Handler = std::function<HttpResponse(const std::string& path)>;

  explicit HttpServer(env::Network& network);
  ~HttpServer();  // closes all

  // An exact path, such as "/readyz".
  void Handle(const std::string& path, Handler handler);
  // The error names the address. Port 0: see port().
  Status Start(const std::string& address);
  uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Serves registry.Expose() at /metrics.
void ServeMetrics(HttpServer& server, const Registry& registry);
// 200 "ok" when the check answers kOk, else 503 with the status's message.
void ServeHealth(HttpServer& server, const std::string& path, std::function<Status()> check);

}  // namespace borealis::obs
