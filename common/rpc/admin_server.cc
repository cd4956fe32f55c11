#include "common/rpc/admin_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "common/base/check.h"
#include "common/env/thread.h"
#include "common/rpc/grpc_status.h"

namespace borealis::rpc {
namespace {

// Handlers block (on a loop, or in a pause), so they do not run on gRPC's own two or so threads.
constexpr size_t kHandlerThreads = 4;
constexpr size_t kCallsWaitingMax = 256;
constexpr env::Duration kStopGrace = std::chrono::seconds(1);

gpr_timespec Deadline(env::Duration from_now) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_micros(from_now.count(), GPR_TIMESPAN));
}

bool ReadBuffer(grpc::ByteBuffer& buffer, std::string* out) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  for (const grpc::Slice& slice : slices) {
    out->append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return true;
}

}  // namespace

struct AdminServer::Impl : public grpc::CallbackGenericService {
  class Call;

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  // Blocks while the server is paused.
  void WaitWhilePaused();
  Result<std::string> Run(const std::string& method, const std::string& request);

  std::map<std::string, RawHandler> handlers;  // constant after Start()
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<env::WorkerPool> pool;
  std::atomic<uint16_t> port{0};

  std::mutex mu;
  std::condition_variable changed;
  bool stopping = false;              // guarded by mu
  env::MonotonicTime paused_until{};  // guarded by mu
};

// One unary call, which the generic service shows as a stream of one message each way. Deletes
// itself when gRPC is done with it; every path ends in exactly one Finish.
class AdminServer::Impl::Call : public grpc::ServerGenericBidiReactor {
 public:
  Call(Impl* impl, grpc::GenericCallbackServerContext* context) : impl_(impl), context_(context) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Fail(InvalidArgument("no request message"));
    Status queued = impl_->pool->Submit([this] { Run(); });
    if (!queued.ok()) Fail(queued);
  }
  void OnDone() override { delete this; }

 private:
  void Run() {
    impl_->WaitWhilePaused();
    std::string request;
    if (!ReadBuffer(request_, &request)) return Fail(InvalidArgument("unreadable request message"));
    Result<std::string> response = impl_->Run(context_->method(), request);
    if (!response.ok()) return Fail(response.status());
    grpc::Slice slice(*response);
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void Fail(const Status& status) {
    context_->AddTrailingMetadata(kCodeMetadata, std::string(CodeName(status.code())));
    Finish(grpc::Status(ToGrpcCode(status.code()), status.message()));
  }

  Impl* const impl_;
  grpc::GenericCallbackServerContext* const context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

grpc::ServerGenericBidiReactor* AdminServer::Impl::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  return new Call(this, context);
}

void AdminServer::Impl::WaitWhilePaused() {
  std::unique_lock lock(mu);
  for (;;) {
    const env::Duration left = paused_until - env::SystemClock().Monotonic();
    if (stopping || left <= env::Duration(0)) return;
    changed.wait_for(lock, left);
  }
}

Result<std::string> AdminServer::Impl::Run(const std::string& method, const std::string& request) {
  auto it = handlers.find(method);
  if (it == handlers.end()) return Unsupported("unknown method " + method);
  return it->second(request);
}

AdminServer::AdminServer() : impl_(std::make_unique<Impl>()) {}
AdminServer::~AdminServer() {
  Stop();
}

void AdminServer::HandleRaw(const std::string& method, RawHandler handler) {
  BOREALIS_CHECK(impl_->server == nullptr && !impl_->handlers.contains(method));
  impl_->handlers[method] = std::move(handler);
}

Status AdminServer::Start(const std::string& address) {
  BOREALIS_CHECK(impl_->server == nullptr);
  impl_->pool = std::make_unique<env::WorkerPool>("admin", kHandlerThreads, kCallsWaitingMax);
  grpc::ServerBuilder builder;
  int port = 0;
  const std::string listen = address.starts_with(':') ? "[::]" + address : address;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  // Without this two servers could share a port and each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kAdminMessageMax);
  builder.SetMaxSendMessageSize(kAdminMessageMax);
  builder.RegisterCallbackGenericService(impl_.get());
  impl_->server = builder.BuildAndStart();
  if (impl_->server == nullptr || port == 0) {
    impl_->server.reset();
    return Unavailable("cannot listen on " + address);
  }
  impl_->port = static_cast<uint16_t>(port);
  return Status::Ok();
}

void AdminServer::Stop() {
  {
    std::lock_guard lock(impl_->mu);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->server != nullptr) {
    impl_->server->Shutdown(Deadline(kStopGrace));
    impl_->server.reset();
  }
  if (impl_->pool != nullptr) impl_->pool->Stop();
}

uint16_t AdminServer::port() const {
  return impl_->port;
}

void AdminServer::PauseFor(env::Duration duration) {
  {
    std::lock_guard lock(impl_->mu);
    impl_->paused_until = env::SystemClock().Monotonic() + duration;
  }
  impl_->changed.notify_all();
}

}  // namespace borealis::rpc
