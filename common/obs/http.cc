#include "common/obs/http.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <string_view>

#include "common/base/check.h"

namespace borealis::obs {
namespace {

constexpr size_t kHeadMax = 8 << 10;
constexpr size_t kConnectionsMax = 64;
constexpr env::Duration kRequestTimeout = std::chrono::seconds(5);
constexpr env::Duration kFlushAtClose = std::chrono::seconds(5);

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

std::string Render(const HttpResponse& response, bool with_body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
      response.status, ReasonPhrase(response.status), response.content_type, response.body.size(),
      response.status == 405 ? "Allow: GET, HEAD\r\n" : "", with_body ? response.body : "");
}

struct RequestLine {
  std::string method;
  std::string path;  // without the query
};

// "GET /path?query HTTP/1.1"; kInvalidArgument for anything else. The headers are not looked at.
Result<RequestLine> ParseHead(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || first == 0) {
    return InvalidArgument("malformed request line");
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!version.starts_with("HTTP/1.") || !target.starts_with('/') ||
      target.find(' ') != std::string_view::npos) {
    return InvalidArgument("malformed request line");
  }
  return RequestLine{std::string(line.substr(0, first)),
                     std::string(target.substr(0, target.find('?')))};
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  struct Connection {
    std::unique_ptr<env::Stream> stream;
    std::array<char, kHeadMax> head;
    size_t head_bytes = 0;
    env::TimerId timer = env::TimerId::kNone;
  };

  explicit Impl(env::Network& n) : network(n) {}

  void Accept(std::unique_ptr<env::Stream> stream);
  void ReadMore(uint64_t id);
  void OnRead(uint64_t id, Result<size_t> got);
  HttpResponse Answer(const RequestLine& request) const;
  // Sends, and forgets the connection.
  void Finish(uint64_t id, const HttpResponse& response, bool with_body = true);
  void Drop(uint64_t id);

  env::Network& network;
  std::map<std::string, Handler> handlers;
  std::unique_ptr<env::Listener> listener;
  std::map<uint64_t, std::unique_ptr<Connection>> connections;
  uint64_t next_id = 1;
};

HttpServer::HttpServer(env::Network& network) : impl_(std::make_shared<Impl>(network)) {}

HttpServer::~HttpServer() {
  impl_->listener.reset();
  while (!impl_->connections.empty()) impl_->Drop(impl_->connections.begin()->first);
}

void HttpServer::Handle(const std::string& path, Handler handler) {
  impl_->handlers[path] = std::move(handler);
}

Status HttpServer::Start(const std::string& address) {
  auto accept = [weak = std::weak_ptr<Impl>(impl_)](std::unique_ptr<env::Stream> stream) {
    if (auto impl = weak.lock()) impl->Accept(std::move(stream));
  };
  ASSIGN_OR_RETURN(impl_->listener, impl_->network.Listen(address, std::move(accept)));
  return Status::Ok();
}

uint16_t HttpServer::port() const {
  BOREALIS_CHECK(impl_->listener != nullptr);
  return impl_->listener->port();
}

void HttpServer::Impl::Accept(std::unique_ptr<env::Stream> stream) {
  const uint64_t id = next_id++;
  auto connection = std::make_unique<Connection>();
  connection->stream = std::move(stream);
  const bool full = connections.size() >= kConnectionsMax;
  connections[id] = std::move(connection);
  if (full) return Finish(id, {.status = 503, .body = "too many connections\n"});
  connections[id]->timer = network.loop().RunAfter(kRequestTimeout, [weak = weak_from_this(), id] {
    auto impl = weak.lock();
    if (!impl) return;
    impl->connections[id]->timer = env::TimerId::kNone;
    impl->Finish(id, {.status = 408, .body = "request not complete in time\n"});
  });
  ReadMore(id);
}

void HttpServer::Impl::ReadMore(uint64_t id) {
  Connection& c = *connections[id];
  c.stream->Read(c.head.data() + c.head_bytes, c.head.size() - c.head_bytes,
                 [weak = weak_from_this(), id](Result<size_t> got) {
                   auto impl = weak.lock();
                   if (impl && impl->connections.contains(id)) impl->OnRead(id, std::move(got));
                 });
}

void HttpServer::Impl::OnRead(uint64_t id, Result<size_t> got) {
  if (!got.ok() || *got == 0) return Drop(id);
  Connection& c = *connections[id];
  c.head_bytes += *got;
  const std::string_view head(c.head.data(), c.head_bytes);
  const size_t end = head.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (c.head_bytes < c.head.size()) return ReadMore(id);
    return Finish(id, {.status = 431, .body = "request head above 8 KiB\n"});
  }
  Result<RequestLine> request = ParseHead(head.substr(0, end));
  if (!request.ok()) {
    return Finish(id, {.status = 400, .body = request.status().message() + "\n"});
  }
  if (request->method != "GET" && request->method != "HEAD") {
    return Finish(id, {.status = 405, .body = "only GET and HEAD\n"});
  }
  Finish(id, Answer(*request), request->method == "GET");
}

HttpResponse HttpServer::Impl::Answer(const RequestLine& request) const {
  auto it = handlers.find(request.path);
  if (it == handlers.end()) return {.status = 404, .body = "no such page\n"};
  return it->second(request.path);
}

void HttpServer::Impl::Finish(uint64_t id, const HttpResponse& response, bool with_body) {
  Connection& c = *connections[id];
  c.stream->Write(Render(response, with_body));
  c.stream->CloseAfterFlush(kFlushAtClose);
  Drop(id);
}

void HttpServer::Impl::Drop(uint64_t id) {
  auto node = connections.extract(id);
  if (node.empty()) return;
  if (node.mapped()->timer != env::TimerId::kNone) network.loop().Cancel(node.mapped()->timer);
}

void ServeMetrics(HttpServer& server, const Registry& registry) {
  server.Handle("/metrics", [&registry](const std::string&) {
    return HttpResponse{.status = 200,
                        .body = registry.Expose(),
                        .content_type = "text/plain; version=0.0.4; charset=utf-8"};
  });
}

void ServeHealth(HttpServer& server, const std::string& path, std::function<Status()> check) {
  server.Handle(path, [check = std::move(check)](const std::string&) {
    Status status = check();
    if (status.ok()) return HttpResponse{.status = 200, .body = "ok\n"};
    return HttpResponse{.status = 503, .body = status.message() + "\n"};
  });
}

}  // namespace borealis::obs
