#include "operator/reconcile/cluster/reconciler.h"

#include "operator/reconcile/cluster/run.h"

namespace borealis::reconcile {
namespace {

struct Task {
  const char* name;
  Outcome (*run)(Run&);
  bool stops = true;  // the tasks behind it do not run unless it completes
};

// The reconciler's table of contents. First what must work whatever else is wrong: a writer that
// hangs leaves the endpoints also while the identity is gone or a quota refuses new pods.
constexpr Task kTasks[] = {
    {"nodes", WatchNodes, false},
    {"serving", LabelServing, false},
    {"identity", EnsureIdentity},
    {"ownership", EnsureOwnership, false},
    {"secret", EnsureSecret},
    {"services", EnsureServices},
    {"members", EnsureMembers},
    {"writers", EnsureWriters},
    {"heal", Heal},
    {"scale down", ScaleDown},
    {"rollout", Rollout},
};

std::map<std::string, Json> Mine(const Run& run, const kube::Resource& resource) {
  std::map<std::string, Json> mine;
  for (Json& object : run.context.reader.List(resource, run.cluster.ns)) {
    if (kube::Label(object, specs::kClusterLabel) != run.cluster.name) continue;
    // The name first: json's assignment takes its operand by value, before the left side.
    const std::string name = kube::Name(object);
    mine[name] = std::move(object);
  }
  return mine;
}

Outcome RunTasks(Run& run) {
  Outcome first;
  for (const Task& task : kTasks) {
    Outcome outcome = task.run(run);
    if (outcome.kind == Outcome::Kind::kComplete) continue;
    if (!outcome.status.ok()) outcome.status = outcome.status.WithContext(task.name);
    if (first.kind == Outcome::Kind::kComplete) first = std::move(outcome);
    if (task.stops) break;
  }
  return first;
}

}  // namespace

bool PodReady(const Json& pod) {
  for (const Json& condition : kube::At(pod, {"status", "conditions"})) {
    if (kube::TextAt(condition, {"type"}) == "Ready") {
      return kube::TextAt(condition, {"status"}) == "True" && !kube::BeingDeleted(pod);
    }
  }
  return false;
}

Status Run::DeletePod(const Json& pod, int grace_seconds) {
  const Status status = context.api.Delete(kube::Pods(), cluster.ns, kube::Name(pod),
                                           {kube::Uid(pod), grace_seconds});
  if (status.code() == Code::kNotFound || status.code() == Code::kConflict) return Status::Ok();
  changed = true;
  return status;
}

ClusterReconciler::Memory& ClusterReconciler::MemoryOf(const std::string& key) {
  std::lock_guard lock(mu_);
  return memory_[key];
}

Next ClusterReconciler::Reconcile(const std::string& ns, const std::string& name) {
  const std::string key = ns + "/" + name;
  Json object = context_.reader.Get(kube::MultiMasterClusters(), ns, name);
  if (object.is_null() || kube::BeingDeleted(object)) {
    // What belongs to the resource goes with it by its owner references; data stays with Retain.
    context_.nodes.SetTargets(key, {});
    std::lock_guard lock(mu_);
    memory_.erase(key);
    return {};
  }
  Run run{.context = context_, .memory = MemoryOf(key), .key = key, .object = object};
  Outcome outcome;
  auto parsed = api::ParseCluster(object);
  if (parsed.ok()) {
    run.cluster = *parsed;
    run.pods = Mine(run, kube::Pods());
    run.disks = Mine(run, kube::PersistentVolumeClaims());
    run.services = Mine(run, kube::Services());
    run.budgets = Mine(run, kube::PodDisruptionBudgets());
    if (run.cluster.paused) {
      run.WaitFor("spec.paused is true: nothing is changed", "set spec.paused to false");
      run.identity_object =
          context_.reader.Get(kube::ConfigMaps(), ns, specs::IdentityName(run.cluster));
      const auto identity = specs::ParseIdentity(run.identity_object);
      if (identity.ok()) run.identity = *identity;
      outcome = Outcome::Wait();
    } else {
      outcome = RunTasks(run);
    }
  } else {
    run.cluster.ns = ns;
    run.cluster.name = name;
    run.invalid = parsed.status();
    run.WaitFor("the resource is wrong: " + parsed.status().message(), "correct the resource");
    outcome = Outcome::Fail(parsed.status());
  }
  const Status written = WriteStatus(run, outcome);
  if (outcome.kind == Outcome::Kind::kRetry) return {outcome.status, run.again};
  if (!written.ok() && written.code() != Code::kNotFound) return {written, run.again};
  if (run.changed) run.Again(env::Duration(1'000'000));
  return {Status::Ok(), run.again};
}

}  // namespace borealis::reconcile
