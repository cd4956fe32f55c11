#include "common/rpc/admin_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "common/env/clock.h"
#include "common/rpc/admin_server.h"
#include "common/rpc/grpc_status.h"

namespace borealis::rpc {
namespace {

constexpr env::Duration kUnusedConnectionFor = std::chrono::minutes(5);
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1000;

gpr_timespec Deadline(env::Duration from_now) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_micros(from_now.count(), GPR_TIMESPAN));
}

Status FromGrpc(const std::string& target, const std::string& method,
                const grpc::ClientContext& context, const grpc::Status& status) {
  const auto& metadata = context.GetServerTrailingMetadata();
  auto it = metadata.find(kCodeMetadata);
  if (it != metadata.end()) {  // the handler's own answer
    return Status(CodeFromName(std::string_view(it->second.data(), it->second.size())),
                  status.error_message());
  }
  return Status(FromGrpcCode(status.error_code()),
                target + " " + method + ": " + status.error_message());
}

}  // namespace

struct AdminClient::Impl {
  struct Connection {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<grpc::GenericStub> stub;
    env::MonotonicTime used;
  };
  struct Call {
    std::shared_ptr<Connection> connection;
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };

  // Requires mu.
  std::shared_ptr<Connection> Connect(const std::string& target);

  std::mutex mu;
  std::condition_variable changed;
  bool stopping = false;                                           // guarded by mu
  std::map<std::string, std::shared_ptr<Connection>> connections;  // guarded by mu
  std::set<std::shared_ptr<Call>> running;                         // guarded by mu
};

std::shared_ptr<AdminClient::Impl::Connection> AdminClient::Impl::Connect(
    const std::string& target) {
  const env::MonotonicTime now = env::SystemClock().Monotonic();
  std::erase_if(connections,
                [&](const auto& entry) { return now - entry.second->used > kUnusedConnectionFor; });
  std::shared_ptr<Connection>& connection = connections[target];
  if (connection == nullptr) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMinMs);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
    args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetMaxReceiveMessageSize(kAdminMessageMax);
    args.SetMaxSendMessageSize(kAdminMessageMax);
    connection = std::make_shared<Connection>();
    connection->channel =
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
    connection->stub = std::make_unique<grpc::GenericStub>(connection->channel);
  }
  connection->used = now;
  return connection;
}

AdminClient::AdminClient() : impl_(std::make_unique<Impl>()) {}

AdminClient::~AdminClient() {
  std::unique_lock lock(impl_->mu);
  impl_->stopping = true;
  for (const auto& call : impl_->running) call->context.TryCancel();
  impl_->changed.wait(lock, [this] { return impl_->running.empty(); });
}

void AdminClient::CallRawAsync(const std::string& target, const std::string& method,
                               std::string request, env::Duration timeout,
                               std::function<void(Result<std::string>)> done) {
  auto call = std::make_shared<Impl::Call>();
  {
    std::lock_guard lock(impl_->mu);
    if (!impl_->stopping) {
      call->connection = impl_->Connect(target);
      impl_->running.insert(call);
    }
  }
  if (call->connection == nullptr) return done(Cancelled("client stopped"));
  call->context.set_deadline(Deadline(timeout));
  grpc::Slice slice(request);
  call->request = grpc::ByteBuffer(&slice, 1);
  call->connection->stub->UnaryCall(
      &call->context, method, grpc::StubOptions(), &call->request, &call->response,
      [impl = impl_.get(), call, target, method, done = std::move(done)](grpc::Status status) {
        Result<std::string> result = std::string();
        std::vector<grpc::Slice> slices;
        if (!status.ok()) {
          result = FromGrpc(target, method, call->context, status);
        } else if (!call->response.Dump(&slices).ok()) {
          result = Corruption("unreadable answer from " + target);
        }
        for (const grpc::Slice& part : slices) {
          result->append(reinterpret_cast<const char*>(part.begin()), part.size());
        }
        done(std::move(result));
        std::lock_guard lock(impl->mu);
        impl->running.erase(call);
        impl->changed.notify_all();
      });
}

Result<std::string> AdminClient::CallRaw(const std::string& target, const std::string& method,
                                         std::string request, env::Duration timeout) {
  std::mutex mu;
  std::condition_variable changed;
  std::optional<Result<std::string>> answer;
  CallRawAsync(target, method, std::move(request), timeout, [&](Result<std::string> result) {
    std::lock_guard lock(mu);
    answer.emplace(std::move(result));
    changed.notify_all();
  });
  std::unique_lock lock(mu);
  changed.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

}  // namespace borealis::rpc
