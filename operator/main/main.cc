// borealis-operator: flags, wiring, shutdown. Exit codes: 0 stopped by a signal, 2 wrong flags or
// configuration, 1 it could not run.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "common/config/config.h"
#include "common/env/loop.h"
#include "common/env/net.h"
#include "common/env/signals.h"
#include "common/obs/http.h"
#include "operator/kube/client.h"
#include "operator/reconcile/chaostest/reconciler.h"
#include "operator/reconcile/cluster/reconciler.h"
#include "operator/runtime/leader.h"
#include "operator/runtime/workqueue.h"

namespace borealis::operator_main {
namespace {

constexpr std::chrono::milliseconds kElectEvery{2000};
constexpr std::chrono::milliseconds kElectAgain{300};  // after a failure
constexpr std::chrono::seconds kElectCallMax{2};
// Runs of different clusters; one that waits for a node or the API server holds up no other.
constexpr int kWorkers = 3;

struct Flags {
  config::Param<std::string> ns, kubeconfig, http_listen, storage, writer, chaos, pull_policy,
      level, identity;
  config::Param<bool> leader_election;
};

Flags Register(config::Registry& r) {
  return Flags{
      .ns = r.String({.name = "namespace", .description = "watch this one only; empty: all"}, ""),
      .kubeconfig = r.String({.name = "kubeconfig", .description = "empty: the pod's account"}, ""),
      .http_listen = r.String(
          {.name = "http-listen", .description = "address of /metrics, /healthz and /readyz"},
          ":8080"),
      .storage = r.String({.name = "storage-image", .description = "image of members"},
                          "localhost/borealis-storage:dev"),
      .writer = r.String({.name = "writer-image", .description = "image of writers"},
                         "localhost/borealis-writer:dev"),
      .chaos = r.String({.name = "chaos-image", .description = "image of ChaosTest's Jobs"},
                        "localhost/borealis-chaos:dev"),
      .pull_policy = r.Enum({.name = "image-pull-policy", .description = "of all these images"},
                            "IfNotPresent", {"IfNotPresent", "Always", "Never"}),
      .level = r.Enum({.name = "log-level", .description = "least level that is logged"}, "info",
                      {"debug", "info", "warning", "error"}),
      .identity = r.String(
          {.name = "identity", .description = "name in the Lease; empty: the host's name"}, ""),
      .leader_election = r.Bool(
          {.name = "leader-election", .description = "work only while holding the Lease"}, true)};
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "borealis-operator";
}

// The cluster (and test) that an object belongs to, as work-queue keys.
void Enqueue(runtime::WorkQueue& queue, const runtime::Caches& caches,
             const kube::Resource& resource, const kube::Json& object) {
  const std::string at = kube::Namespace(object) + "/";
  if (resource == kube::Nodes() || resource == kube::StorageClasses()) {
    for (const auto& cluster : caches.List(kube::MultiMasterClusters(), "")) {
      queue.Add("c/" + kube::Namespace(cluster) + "/" + kube::Name(cluster));
    }
    return;
  }
  if (resource == kube::MultiMasterClusters()) return queue.Add("c/" + at + kube::Name(object));
  if (resource == kube::ChaosTests()) return queue.Add("t/" + at + kube::Name(object));
  const std::string test = kube::Label(object, "borealisdb.io/chaos-test");
  if (!test.empty()) return queue.Add("t/" + at + test);
  const std::string cluster = kube::Label(object, specs::kClusterLabel);
  if (!cluster.empty()) queue.Add("c/" + at + cluster);
}

class Operator {
 public:
  // `lease_api` has a shorter timeout. Both outlive this object.
  Operator(const Flags& flags, kube::Api& api, kube::Api& lease_api, const std::string& lease_ns,
           obs::LogSink& sink, obs::Registry& metrics)
      : logger_(&sink, "operator"),
        elector_(lease_api,
                 {.ns = lease_ns,
                  .name = "borealis-operator",
                  .identity = flags.identity.get().empty() ? HostName() : *flags.identity},
                 env::SystemClock()),
        gated_(api, *flags.leader_election ? &elector_ : nullptr),
        elects_(*flags.leader_election),
        caches_(api, *flags.ns, logger_, metrics),
        queue_(env::SystemClock()),
        events_(gated_, "borealis-operator", env::SystemClock()),
        nodes_(nodes::MakeNodes([this](const std::string& group) { queue_.Add("c/" + group); })),
        context_{gated_,
                 caches_,
                 *nodes_,
                 events_,
                 env::SystemClock(),
                 env::SystemRandom(),
                 {*flags.storage, *flags.writer, *flags.chaos, *flags.pull_policy},
                 logger_.Component("reconcile")},
        clusters_(context_),
        tests_(context_),
        runs_(metrics.AddHistogram("borealis_operator_reconcile_seconds", "Of one run.", 1e-6)),
        errors_(metrics.AddCounter("borealis_operator_reconcile_errors_total", "Failed runs.")) {
    const std::string ours = specs::kManagedSelector;
    caches_.Add(kube::MultiMasterClusters(), "");
    caches_.Add(kube::ChaosTests(), "");
    caches_.Add(kube::Nodes(), "");
    caches_.Add(kube::StorageClasses(), "");
    for (const kube::Resource* resource :
         {&kube::Pods(), &kube::PersistentVolumeClaims(), &kube::Services(), &kube::ConfigMaps(),
          &kube::PodDisruptionBudgets(), &kube::Jobs()}) {
      caches_.Add(*resource, ours);
    }
    events_.Start(metrics);
    metrics.AddCallback("borealis_operator_leader", "1 while this one leads.", {},
                        [this] { return Leads() ? 1.0 : 0.0; });
    metrics.AddCallback("borealis_operator_queue_depth", "Keys that wait.", {},
                        [this] { return static_cast<double>(queue_.size()); });
  }

  void Start() {
    caches_.Start([this](const kube::Resource& resource, const kube::Json& object) {
      Enqueue(queue_, caches_, resource, object);
    });
    elect_thread_ = env::Thread("election", [this] { Elect(); });
    for (env::Thread& thread : work_threads_) {
      thread = env::Thread("reconcile", [this] { Work(); });
    }
  }

  void Stop() {
    stopper_.Stop();
    for (env::Thread& thread : work_threads_) thread.Join();
    elect_thread_.Join();
    events_.Stop();
    if (elects_) elector_.Release();
    caches_.Stop();
    nodes_.reset();
  }

  Status Ready() const {
    return caches_.synced() ? Status::Ok() : Unavailable("the caches are not filled yet");
  }

 private:
  bool Leads() const { return !elects_ || elector_.IsLeader(); }

  void Elect() {
    bool led = !elects_;
    while (elects_ && !stopper_.stopped()) {
      const Status step = elector_.Step();
      const bool leads = elector_.IsLeader();
      if (leads != led)
        logger_.Info(leads ? "leading" : "not leading", {{"holder", elector_.holder()}});
      if (leads && !led) EnqueueAll();
      led = leads;
      if (!step.ok()) logger_.Warning("the Lease", {{"why", step}});
      stopper_.WaitFor(step.ok() ? kElectEvery : kElectAgain);
    }
  }

  void EnqueueAll() {
    for (const auto& c : caches_.List(kube::MultiMasterClusters(), "")) {
      queue_.Add("c/" + kube::Namespace(c) + "/" + kube::Name(c));
    }
    for (const auto& t : caches_.List(kube::ChaosTests(), "")) {
      queue_.Add("t/" + kube::Namespace(t) + "/" + kube::Name(t));
    }
  }

  void Work() {
    while (!stopper_.stopped()) {
      if (!Leads() || !caches_.synced()) {
        stopper_.WaitFor(std::chrono::milliseconds(100));
        continue;
      }
      const auto key = queue_.Take(std::chrono::milliseconds(200));
      if (!key) continue;
      const auto began = env::SystemClock().Monotonic();
      const reconcile::Next next = Guarded(*key);
      runs_.Record(static_cast<uint64_t>((env::SystemClock().Monotonic() - began).count()));
      if (next.status.ok()) {
        queue_.Forget(*key);
        if (StillThere(*key)) queue_.AddAfter(*key, next.again);
      } else {
        errors_.Add();
        logger_.Warning("a run failed", {{"key", *key}, {"why", next.status}});
        queue_.AddRateLimited(*key);
      }
      queue_.Done(*key);
    }
  }

  bool StillThere(const std::string& key) const {
    const size_t slash = key.find('/', 2);
    const auto& resource = key[0] == 'c' ? kube::MultiMasterClusters() : kube::ChaosTests();
    return !caches_.Get(resource, key.substr(2, slash - 2), key.substr(slash + 1)).is_null();
  }

  // An object that came past the schema must not end the operator, and with it all clusters' care.
  reconcile::Next Guarded(const std::string& key) {
    try {
      return Reconcile(key);
    } catch (const std::exception& e) {
      return {Internal(std::string("an object of unexpected form: ") + e.what())};
    }
  }

  reconcile::Next Reconcile(const std::string& key) {
    const size_t slash = key.find('/', 2);
    const std::string ns = key.substr(2, slash - 2), name = key.substr(slash + 1);
    return key[0] == 'c' ? clusters_.Reconcile(ns, name) : tests_.Reconcile(ns, name);
  }

  const obs::Logger logger_;

  runtime::LeaderElector elector_;
  runtime::GatedApi gated_;
  const bool elects_;
  runtime::Caches caches_;
  runtime::WorkQueue queue_;
  runtime::EventRecorder events_;
  std::unique_ptr<nodes::Nodes> nodes_;
  reconcile::Context context_;
  reconcile::ClusterReconciler clusters_;
  reconcile::ChaosTestReconciler tests_;
  obs::Histogram& runs_;
  obs::Counter& errors_;
  kube::Stopper stopper_;
  env::Thread elect_thread_;
  std::array<env::Thread, kWorkers> work_threads_;
};

int Run(const Flags& flags, const kube::Config& config, obs::LogSink& sink) {
  const obs::Logger logger(&sink, "operator");
  auto api = kube::MakeClient(config, {.call_timeout = runtime::kGatedCallMax});
  auto lease_api = kube::MakeClient(config, {.call_timeout = kElectCallMax});
  if (!api.ok() || !lease_api.ok()) {
    logger.Error("no API server", {{"why", api.ok() ? lease_api.status() : api.status()}});
    return 2;
  }
  obs::Registry metrics;
  Operator op(flags, **api, **lease_api, config.default_namespace, sink, metrics);
  env::AsioLoop loop("http");
  const auto network = env::MakeAsioNetwork(loop);
  obs::HttpServer http(*network);
  obs::ServeMetrics(http, metrics);
  obs::ServeHealth(http, "/healthz", [] { return Status::Ok(); });
  obs::ServeHealth(http, "/readyz", [&op] { return op.Ready(); });
  const Status listening = http.Start(*flags.http_listen);
  if (!listening.ok()) {
    logger.Error("cannot listen", {{"why", listening}});
    return 1;
  }
  kube::Stopper stop;
  auto signals = std::make_unique<env::ShutdownSignals>(loop, [&stop](int) { stop.Stop(); });
  op.Start();
  loop.Start();
  logger.Info("operator started", {{"server", config.server}});
  while (!stop.WaitFor(std::chrono::seconds(3600))) {
  }
  logger.Info("stopping");
  op.Stop();
  loop.Stop();
  signals.reset();
  return 0;
}

}  // namespace
}  // namespace borealis::operator_main

int main(int argc, char** argv) {
  using namespace borealis;  // NOLINT
  env::IgnoreSigPipe();
  config::Registry registry("borealis-operator", "runs Borealis clusters on Kubernetes");
  const operator_main::Flags flags = operator_main::Register(registry);
  config::ParseCommandLineOrExit(registry, argc, argv);
  const auto config = flags.kubeconfig.get().empty()
                          ? kube::InClusterConfig(env::PosixFileSystem())
                          : kube::LoadKubeconfig(*flags.kubeconfig, env::PosixFileSystem());
  if (!config.ok()) {
    std::fprintf(stderr, "borealis-operator: %s\n", config.status().message().c_str());
    return 2;
  }
  obs::LogSink sink;
  sink.SetLevel(*obs::ParseLevel(*flags.level));
  const int code = operator_main::Run(flags, *config, sink);
  sink.FlushFolded(true);
  return code;
}
