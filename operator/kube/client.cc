#include "operator/kube/client.h"

#include <cpprest/filestream.h>
#include <cpprest/http_client.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "common/env/clock.h"

namespace borealis::kube {
namespace {

namespace http = web::http;
using web::http::client::http_client;
using web::http::client::http_client_config;

constexpr int kPageItems = 500;
constexpr size_t kEventBytesMax = 8 << 20;
constexpr int kPagesMax = 1000;
constexpr env::Duration kTokenLife{60'000'000};
constexpr size_t kTokenBytesMax = 64 << 10;

std::string Encode(const std::string& text) {
  return web::uri::encode_data_string(text);
}

bool UsePem(boost::asio::ssl::context& context, const Config& config) {
  SSL_CTX* ssl = context.native_handle();
  if (!config.ca_pem.empty()) {
    context.add_certificate_authority(
        boost::asio::buffer(config.ca_pem.data(), config.ca_pem.size()));
  }
  if (config.client_cert_pem.empty()) return true;
  context.use_certificate_chain(
      boost::asio::buffer(config.client_cert_pem.data(), config.client_cert_pem.size()));
  context.use_private_key(
      boost::asio::buffer(config.client_key_pem.data(), config.client_key_pem.size()),
      boost::asio::ssl::context::pem);
  return SSL_CTX_check_private_key(ssl) == 1;
}

// A Kubernetes Status object, or plain text, of a refused call.
Status StatusOf(int code, const std::string& body) {
  std::string reason, message = body.substr(0, 400);
  const Json parsed = Json::parse(body, nullptr, false);
  if (parsed.is_object()) {
    reason = TextAt(parsed, {"reason"});
    message = TextAt(parsed, {"message"});
  }
  const std::string text =
      "HTTP " + std::to_string(code) + (reason.empty() ? "" : " " + reason) + ": " + message;
  switch (code) {
    case 404:
      return NotFound(text);
    case 409:
      return Status(reason == "AlreadyExists" ? Code::kAlreadyExists : Code::kConflict, text);
    case 410:
      return Status(Code::kBelowHorizon, text);
    case 400:
    case 422:
      return InvalidArgument(text);
    case 401:
    case 403:
      return Status(Code::kUnauthenticated, text);
    case 429:
      return ResourceExhausted(text);
    default:
      return code >= 500 ? Unavailable(text) : Internal(text);
  }
}

class Client final : public Api {
 public:
  Client(Config config, ClientOptions options)
      : config_(std::move(config)),
        options_(std::move(options)),
        calls_(config_.server, Settings(options_.call_timeout)) {}

  Result<Json> Get(const Resource& r, const std::string& ns, const std::string& name) override {
    return Call(http::methods::GET, Path(r, ns, name), "", "", r.metadata_only ? Partial() : "");
  }

  Result<ListResult> List(const Resource& r, const std::string& ns,
                          const std::string& selector) override {
    ListResult all;
    std::string next;
    for (int page = 0; page < kPagesMax; ++page) {
      std::string path = Path(r, ns, "") + "?limit=" + std::to_string(kPageItems);
      if (!selector.empty()) path += "&labelSelector=" + Encode(selector);
      if (!next.empty()) path += "&continue=" + Encode(next);
      ASSIGN_OR_RETURN(
          Json body, Call(http::methods::GET, path, "", "", r.metadata_only ? PartialList() : ""));
      Json& items = body["items"];
      if (!items.is_array() && !items.is_null()) return Corruption("a list without items");
      for (Json& item : items) {
        item["apiVersion"] = r.api_version();
        item["kind"] = r.kind;
        all.items.push_back(std::move(item));
      }
      all.resource_version = TextAt(body, {"metadata", "resourceVersion"});
      next = TextAt(body, {"metadata", "continue"});
      if (next.empty()) return all;
    }
    return ResourceExhausted("a list of more than " + std::to_string(kPagesMax) + " pages");
  }

  Result<Json> Create(const Resource& r, const Json& object) override {
    return Call(http::methods::POST, Path(r, Namespace(object), "") + "?" + Limit(), object.dump(),
                "application/json", "");
  }

  Result<Json> Replace(const Resource& r, const Json& object, const std::string& sub) override {
    return Call(http::methods::PUT, Path(r, Namespace(object), Name(object), sub) + "?" + Limit(),
                object.dump(), "application/json", "");
  }

  Result<Json> Patch(const Resource& r, const std::string& ns, const std::string& name,
                     const Json& patch, const PatchOptions& options) override {
    std::string path = Path(r, ns, name, options.subresource) + "?" + Limit();
    if (options.type == PatchType::kApply) {
      path += "&force=true&fieldManager=" + Encode(options.field_manager);
    }
    return Call(http::methods::PATCH, path, patch.dump(),
                options.type == PatchType::kApply ? "application/apply-patch+yaml"
                                                  : "application/merge-patch+json",
                "");
  }

  Status Delete(const Resource& r, const std::string& ns, const std::string& name,
                const DeleteOptions& options) override {
    Json body = {
        {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
    if (!options.uid.empty()) body["preconditions"] = {{"uid", options.uid}};
    if (options.grace_seconds >= 0) body["gracePeriodSeconds"] = options.grace_seconds;
    return Call(http::methods::DEL, Path(r, ns, name) + "?" + Limit(), body.dump(),
                "application/json", "")
        .status();
  }

  Status Watch(const Resource& r, const std::string& ns, const std::string& selector,
               const std::string& version, const std::function<void(WatchEvent)>& on_event,
               Stopper& stopper) override {
    std::string path = Path(r, ns, "") +
                       "?watch=1&allowWatchBookmarks=true&resourceVersion=" + Encode(version) +
                       "&timeoutSeconds=" + std::to_string(options_.watch_seconds);
    if (!selector.empty()) path += "&labelSelector=" + Encode(selector);
    pplx::cancellation_token_source cancel;
    const uint64_t hook = stopper.OnStop([cancel] { cancel.cancel(); });
    Status status;
    try {
      status = Stream(r, path, on_event, cancel.get_token());
    } catch (const std::exception& e) {
      const std::string what = e.what();
      status = what.find("chunk header") != std::string::npos
                   ? DeadlineExceeded("watch " + r.plural + ": the connection was silent")
                   : Unavailable("watch " + r.plural + ": " + what);
    }
    stopper.Remove(hook);
    return stopper.stopped() ? Cancelled("stopped") : status;
  }

 private:
  // The server gives the call up after it (and takes it for nothing but a bound of its own work).
  std::string Limit() const {
    return "timeout=" + std::to_string(options_.call_timeout.count()) + "s";
  }
  static std::string Partial() {
    return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
  }
  static std::string PartialList() {
    return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
  }

  http_client_config Settings(std::chrono::seconds timeout) {
    http_client_config settings;
    settings.set_timeout(timeout);
    settings.set_validate_certificates(!config_.insecure_skip_verify);
    settings.set_ssl_context_callback(
        [this](boost::asio::ssl::context& context) { UsePem(context, config_); });
    return settings;
  }

  static std::string Path(const Resource& r, const std::string& ns, const std::string& name,
                          const std::string& sub = "") {
    std::string path = r.group.empty() ? "/api/" + r.version : "/apis/" + r.group + "/" + r.version;
    if (r.namespaced && !ns.empty()) path += "/namespaces/" + Encode(ns);
    path += "/" + r.plural;
    if (!name.empty()) path += "/" + Encode(name);
    if (!sub.empty()) path += "/" + sub;
    return path;
  }

  std::string Token() {
    std::lock_guard lock(token_mu_);
    const env::MonotonicTime now = env::SystemClock().Monotonic();
    if (!config_.token_file.empty() && (token_.empty() || now - token_read_ > kTokenLife)) {
      const auto file = env::PosixFileSystem().ReadFile(config_.token_file, kTokenBytesMax);
      std::string text = file.ok() ? std::string(file->begin(), file->end()) : "";
      while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) {
        text.pop_back();
      }
      if (!text.empty()) token_ = text;
      token_read_ = now;
    }
    return token_.empty() ? config_.token : token_;
  }

  http::http_request Request(const http::method& method, const std::string& path,
                             const std::string& body, const std::string& content_type,
                             const std::string& accept) {
    http::http_request request(method);
    request.set_request_uri(web::uri(path));
    request.headers().add("Accept", accept.empty() ? "application/json" : accept);
    request.headers().add("User-Agent", options_.user_agent);
    const std::string token = Token();
    if (!token.empty()) request.headers().add("Authorization", "Bearer " + token);
    if (!body.empty()) request.set_body(body, content_type);
    return request;
  }

  // An answer, or what went wrong; filled by one of the library's threads.
  struct Exchange {
    std::mutex mu;
    std::condition_variable changed;
    bool done = false;  // all guarded by mu
    int code = 0;
    int retry_after = 1;
    std::string body, error;
  };

  static int RetryAfter(const http::http_headers& headers) {
    const auto found = headers.find("Retry-After");
    return found == headers.end() ? 1 : std::clamp(std::atoi(found->second.c_str()), 1, 3600);
  }

  // One request and its answer, within `time`; then the connection is closed. (The library's own
  // timeout is one of silence: a server that sends a byte now and then would never reach it.)
  Status Ask(const http::http_request& request, env::Duration time, Exchange* out) {
    auto exchange = std::make_shared<Exchange>();
    pplx::cancellation_token_source cancel;
    calls_.request(request, cancel.get_token())
        .then([exchange](const http::http_response& response) {
          {
            std::lock_guard lock(exchange->mu);
            exchange->code = response.status_code();
            exchange->retry_after = RetryAfter(response.headers());
          }
          return response.extract_utf8string(true);
        })
        .then([exchange](const pplx::task<std::string>& body) {
          std::string text, error;
          try {
            text = body.get();
          } catch (const std::exception& e) {
            error = std::string("API server: ") + e.what();
          }
          std::lock_guard lock(exchange->mu);
          exchange->body = std::move(text);
          exchange->error = std::move(error);
          exchange->done = true;
          exchange->changed.notify_all();
        });
    std::unique_lock lock(exchange->mu);
    if (!exchange->changed.wait_for(lock, time, [&exchange] { return exchange->done; })) {
      lock.unlock();
      cancel.cancel();
      return Unavailable("API server: no answer in time");
    }
    if (!exchange->error.empty()) return Unavailable(exchange->error);
    out->code = exchange->code;
    out->retry_after = exchange->retry_after;
    out->body = std::move(exchange->body);
    return Status::Ok();
  }

  // 429 is waited out here, as Retry-After says, while it fits into the call's time.
  Result<Json> Call(const http::method& method, const std::string& path, const std::string& body,
                    const std::string& content_type, const std::string& accept) {
    const env::MonotonicTime end = env::SystemClock().Monotonic() + options_.call_timeout;
    Status last;
    for (int attempt = 0; attempt < options_.throttled_tries; ++attempt) {
      Exchange answer;
      try {
        RETURN_IF_ERROR(Ask(Request(method, path, body, content_type, accept),
                            end - env::SystemClock().Monotonic(), &answer));
      } catch (const std::exception& e) {
        return Unavailable("API server: " + std::string(e.what()));
      }
      if (answer.code != 429) {
        if (answer.code >= 300) return StatusOf(answer.code, answer.body);
        Json parsed = Json::parse(answer.body, nullptr, false);
        if (parsed.is_discarded()) return Unavailable("the API server's answer is not JSON");
        return parsed;
      }
      last = StatusOf(answer.code, answer.body);
      const std::chrono::seconds wait(answer.retry_after);
      if (env::SystemClock().Monotonic() + wait >= end) return last;
      Stopper never;
      never.WaitFor(wait);
    }
    return last;
  }

  Status Stream(const Resource& r, const std::string& path,
                const std::function<void(WatchEvent)>& on_event, pplx::cancellation_token token) {
    http_client client(config_.server, Settings(options_.silence_timeout));
    const std::string accept = r.metadata_only ? Partial() : "";
    auto response = client.request(Request(http::methods::GET, path, "", "", accept), token).get();
    if (response.status_code() >= 300) {
      return StatusOf(response.status_code(), response.extract_utf8string(true).get());
    }
    auto body = response.body();
    for (;;) {
      concurrency::streams::container_buffer<std::string> line;
      const size_t got = body.read_to_delim(line, '\n').get();
      const std::string& text = line.collection();
      if (got == 0 && text.empty()) {
        if (body.is_eof()) return Status::Ok();
        continue;  // an empty line
      }
      if (text.size() > kEventBytesMax) return Corruption("an event of more than 8 MiB");
      // The end of the stream in the middle of an event: nothing of it is used.
      Json event = Json::parse(text, nullptr, false);
      if (!event.is_object()) return Unavailable("watch " + r.plural + ": a torn event");
      const Status status = Deliver(r, std::move(event), on_event);
      if (!status.ok()) return status;
    }
  }

  static Status Deliver(const Resource& r, Json event,
                        const std::function<void(WatchEvent)>& on_event) {
    const std::string type = TextAt(event, {"type"});
    WatchEvent out;
    if (type == "ADDED")
      out.type = WatchEvent::Type::kAdded;
    else if (type == "MODIFIED")
      out.type = WatchEvent::Type::kModified;
    else if (type == "DELETED")
      out.type = WatchEvent::Type::kDeleted;
    else if (type == "BOOKMARK")
      out.type = WatchEvent::Type::kBookmark;
    else if (type == "ERROR") {
      return StatusOf(static_cast<int>(IntAt(event, {"object", "code"}, 500)),
                      event["object"].dump());
    } else {
      return Corruption("watch " + r.plural + ": an event of type \"" + type + "\"");
    }
    out.object = std::move(event["object"]);
    if (!out.object.is_object()) return Corruption("watch " + r.plural + ": no object");
    out.object["apiVersion"] = r.api_version();
    out.object["kind"] = r.kind;
    on_event(std::move(out));
    return Status::Ok();
  }

  const Config config_;
  const ClientOptions options_;
  http_client calls_;
  std::mutex token_mu_;
  std::string token_;              // guarded by token_mu_
  env::MonotonicTime token_read_;  // guarded by token_mu_
};

}  // namespace

Result<std::unique_ptr<Api>> MakeClient(Config config, ClientOptions options) {
  try {
    return std::unique_ptr<Api>(std::make_unique<Client>(std::move(config), std::move(options)));
  } catch (const std::exception& e) {
    return InvalidArgument("API server: " + std::string(e.what()));
  }
}

}  // namespace borealis::kube
