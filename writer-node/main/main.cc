// borealis-writer: wiring, signals, administration, health.
//
// Exit codes: 0 stopped cleanly; 2 wrong flag or file; 70 a defect of Borealis; 75 try again (an
// address is in use; or this incarnation was fenced, and the process starts again as a new one).
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "common/env/signals.h"
#include "common/env/thread.h"
#include "common/obs/http.h"
#include "common/rpc/admin_server.h"
#include "writer-node/main/writer.h"

namespace borealis::writer_main {
namespace {

constexpr char kPrefix[] = "/borealis.v1.WriterAdmin/";

int ExitCodeOf(const Status& status) {
  if (status.ok()) return 0;
  const bool again = status.code() == Code::kUnavailable || status.code() == Code::kFenced ||
                     status.code() == Code::kIoError || status.code() == Code::kAlreadyExists;
  return again ? 75 : 70;
}

// Set on the loop, awaited by main.
class StopFlag {
 public:
  void Set() {
    const std::lock_guard lock(mu_);
    set_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool set_ = false;
};

void RegisterAdmin(rpc::AdminServer& server, env::Loop& loop, Writer& writer, bool chaos_enabled) {
  server.Handle<v1::WriterStatusRequest, v1::WriterStatusResponse>(
      std::string(kPrefix) + "Status", [&loop, &writer](const v1::WriterStatusRequest&) {
        v1::WriterStatusResponse response;
        env::RunOnLoop(loop, [&] { response = writer.Describe(); });
        return Result<v1::WriterStatusResponse>(std::move(response));
      });
  server.Handle<v1::DrainRequest, v1::DrainResponse>(
      std::string(kPrefix) + "Drain", [&loop, &writer](const v1::DrainRequest& request) {
        v1::DrainResponse response;
        env::RunOnLoop(loop, [&] {
          response.set_sessions_left(
              static_cast<uint32_t>(writer.Drain(std::chrono::milliseconds(request.drain_ms()))));
        });
        return Result<v1::DrainResponse>(std::move(response));
      });
  server.Handle<v1::PauseRequest, v1::PauseResponse>(
      std::string(kPrefix) + "Pause",
      [&server, &loop,
       chaos_enabled](const v1::PauseRequest& request) -> Result<v1::PauseResponse> {
        if (!chaos_enabled) return Unsupported("pause needs --chaos-enabled");
        if (request.duration_ms() < 1 || request.duration_ms() > 600'000) {
          return InvalidArgument("duration_ms must be from 1 to 600000");
        }
        const env::Duration duration = std::chrono::milliseconds(request.duration_ms());
        server.PauseFor(duration);
        loop.Post([duration] { env::BlockThreadFor(duration); });
        return v1::PauseResponse();
      });
  server.Handle<v1::CrashRequest, v1::CrashResponse>(
      std::string(kPrefix) + "Crash",
      [chaos_enabled](const v1::CrashRequest&) -> Result<v1::CrashResponse> {
        if (!chaos_enabled) return Unsupported("crash needs --chaos-enabled");
        env::CrashProcess();
      });
}

Status Run(const Flags& flags, obs::LogSink& sink) {
  const obs::Logger logger(&sink, "writer");
  obs::Registry metrics;
  env::AsioLoop loop("writer");
  const auto network = env::MakeAsioNetwork(loop);
  StopFlag stop;
  Writer writer(
      flags, loop, *network, metrics, logger, [&stop] { stop.Set(); },
      [&sink, &logger](const Status& status) {
        // At once: nothing of this incarnation may be answered any more.
        logger.Error("stopping at once", {{"why", status}, {"exit_code", ExitCodeOf(status)}});
        sink.FlushFolded(true);
        _exit(ExitCodeOf(status));
      });
  obs::HttpServer http(*network);
  obs::ServeMetrics(http, metrics);
  obs::ServeHealth(http, "/healthz", [] { return Status::Ok(); });
  obs::ServeHealth(http, "/readyz", [&writer] { return writer.Ready(); });
  RETURN_IF_ERROR(http.Start(flags.http_listen));
  rpc::AdminServer admin;
  RegisterAdmin(admin, loop, writer, flags.chaos_enabled);
  auto signals =
      std::make_unique<env::ShutdownSignals>(loop, [&writer](int) { writer.Shutdown(); });
  Status started;
  loop.Start();
  env::RunOnLoop(loop, [&] { started = writer.Start(); });
  if (started.ok()) started = admin.Start(flags.admin_listen);
  if (!started.ok()) env::RunOnLoop(loop, [&] { writer.Shutdown(); });
  stop.Wait();
  admin.Stop();
  logger.Info("stopping");
  loop.Stop();
  signals.reset();
  return started;
}

}  // namespace
}  // namespace borealis::writer_main

int main(int argc, char** argv) {
  using namespace borealis;
  env::IgnoreSigPipe();
  const writer_main::Flags flags = writer_main::ParseFlagsOrExit(argc, argv);
  obs::LogSink sink;
  sink.SetLevel(*obs::ParseLevel(flags.log_level));
  const Status status = writer_main::Run(flags, sink);
  if (!status.ok()) {
    obs::Logger(&sink, "writer")
        .Error("the writer cannot run",
               {{"why", status}, {"exit_code", writer_main::ExitCodeOf(status)}});
  }
  sink.FlushFolded(true);
  return writer_main::ExitCodeOf(status);
}
