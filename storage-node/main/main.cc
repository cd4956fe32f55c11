// borealis-storage: one member. Wires loop, replica, service, administration and health; stops on
// SIGTERM.
//
// Exit codes: 0 stopped cleanly; 2 wrong flag or file; 70 a defect of Borealis; 73 disk full; 74
// the disk failed (a sync is never retried); 75 try again (an address or the data is in use); 78
// data that must not be used: corruption, another cluster's folder, or an entry that this program
// does not know.
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "common/env/signals.h"
#include "common/env/thread.h"
#include "common/obs/http.h"
#include "common/rpc/admin_server.h"
#include "storage-node/main/flags.h"
#include "storage-node/service/admin.h"
#include "storage-node/service/service.h"

namespace borealis::storage_main {
namespace {

constexpr char kSoftwareVersion[] = "0.1.0";
constexpr env::Duration kTransferWait = std::chrono::seconds(2);
constexpr env::Duration kTransferPoll = std::chrono::milliseconds(10);

int ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return 0;
    case Code::kResourceExhausted:
      return 73;
    case Code::kIoError:
      return 74;
    case Code::kUnavailable:
      return 75;
    case Code::kCorruption:
    case Code::kInvalidArgument:
    case Code::kUnsupported:
      return 78;
    default:
      return 70;
  }
}

// An address that cannot be listened on may be free at the next start (exit code 75).
Status TryAgain(const Status& status) {
  return status.ok() ? status : Unavailable(status.message());
}

// Set by the signal's handler on the loop, awaited by main.
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

// Hands leadership over, if there is any and somebody to take it, for a bounded time.
class Retirement {
 public:
  Retirement(env::Loop& loop, replica::Replica& replica, const obs::Logger& logger, StopFlag& stop)
      : loop_(loop), replica_(replica), logger_(logger), stop_(stop) {}

  void Begin() {
    if (std::exchange(begun_, true)) return stop_.Set();  // a second signal does not wait
    const Status status = replica_.TransferLeadership(MemberId());
    if (!status.ok()) return stop_.Set();
    logger_.Info("handing over leadership");
    deadline_ = loop_.clock().Monotonic() + kTransferWait;
    Poll();
  }

 private:
  void Poll() {
    if (!replica_.is_leader() || loop_.clock().Monotonic() >= deadline_) return stop_.Set();
    loop_.RunAfter(kTransferPoll, [this] { Poll(); });
  }

  env::Loop& loop_;
  replica::Replica& replica_;
  const obs::Logger& logger_;
  StopFlag& stop_;
  bool begun_ = false;
  env::MonotonicTime deadline_;
};

Result<std::unique_ptr<rpc::ChannelServer>> Listen(env::Network& network, const Flags& flags,
                                                   service::Service& service) {
  const auto hello = [cluster = flags.replica.cluster, id = flags.replica.id] {
    rpc::Hello hello;
    hello.cluster = cluster;
    hello.role = rpc::Role::kMember;
    hello.id = id.value();
    hello.name = "member-" + std::to_string(id.value());
    return hello;
  };
  return rpc::ChannelServer::Start(
      network, flags.listen, hello,
      [&service](std::unique_ptr<rpc::Channel> channel) { service.OnChannel(std::move(channel)); });
}

Status Run(const Flags& flags, obs::LogSink& sink) {
  const obs::Logger logger(&sink, "storage");
  obs::Registry metrics;
  env::AsioLoop loop("storage");
  const auto network = env::MakeAsioNetwork(loop);

  replica::Environment environment;
  environment.loop = &loop;
  environment.network = network.get();
  environment.files = &env::PosixFileSystem();
  environment.clock = &env::SystemClock();
  environment.random = &env::SystemRandom();
  environment.metrics = &metrics;
  environment.logger = logger.Component("replica");
  environment.on_fatal = [&sink, logger](const Status& status) {
    // At once: no destructor, no buffer and no other thread may acknowledge anything after this.
    logger.Error("stopping at once", {{"why", status}, {"exit_code", ExitCodeOf(status)}});
    sink.FlushFolded(true);
    _exit(ExitCodeOf(status));
  };
  ASSIGN_OR_RETURN(const auto replica,
                   replica::Replica::Open(flags.replica, std::move(environment)));
  env::WorkerPool readers("reader", static_cast<size_t>(flags.reader_threads), 16384);
  service::Service service(loop, *replica, readers, metrics, logger.Component("service"));
  auto listening = Listen(*network, flags, service);
  if (!listening.ok()) return TryAgain(listening.status());
  const auto server = std::move(*listening);
  obs::HttpServer http(*network);
  service::RegisterHealth(http, metrics, *replica);
  RETURN_IF_ERROR(TryAgain(http.Start(flags.http_listen)));
  rpc::AdminServer admin;
  service::RegisterAdmin(
      admin, loop, *replica,
      {flags.replica.cluster, flags.replica.id, flags.zone, kSoftwareVersion, flags.chaos_enabled});
  StopFlag stop;
  Retirement retirement(loop, *replica, logger, stop);
  auto signals =
      std::make_unique<env::ShutdownSignals>(loop, [&retirement](int) { retirement.Begin(); });
  replica->Start();
  loop.Start();
  const Status status = TryAgain(admin.Start(flags.admin_listen));
  if (status.ok()) {
    logger.Info("member started", {{"member", flags.replica.id},
                                   {"cluster", flags.replica.cluster.ToString()},
                                   {"zone", flags.zone},
                                   {"listen", server->address()},
                                   {"http_port", http.port()},
                                   {"admin_port", admin.port()},
                                   {"version", replica->certified_version()}});
    stop.Wait();
    logger.Info("stopping");
  }
  admin.Stop();
  loop.Stop();
  const Status stopped = replica->Stop();
  readers.Stop();
  signals.reset();
  return status.ok() ? stopped : status;
}

}  // namespace
}  // namespace borealis::storage_main

int main(int argc, char** argv) {
  using namespace borealis;
  env::IgnoreSigPipe();
  const storage_main::Flags flags = storage_main::ParseFlagsOrExit(argc, argv);
  obs::LogSink sink;
  sink.SetLevel(*obs::ParseLevel(flags.log_level));
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  obs::Logger(&sink, "storage").Warning("built with a planted bug: ack_before_quorum");
#endif
  const Status status = storage_main::Run(flags, sink);
  if (!status.ok()) {
    obs::Logger(&sink, "storage")
        .Error("the member cannot run",
               {{"why", status}, {"exit_code", storage_main::ExitCodeOf(status)}});
  }
  sink.FlushFolded(true);
  return storage_main::ExitCodeOf(status);
}
