#include "operator/reconcile/cluster/reconciler.h"

#include "operator/reconcile/cluster/run.h"

namespace borealis::reconcile {
namespace {

struct Task {
  const char* name;
  Outcome (*run)(Run&);
};

// The reconciler's table of contents.
constexpr Task kTasks[] = {
    {"identity", EnsureIdentity}, {"secret", EnsureSecret},   {"services", EnsureServices},
    {"members", EnsureMembers},   {"writers", EnsureWriters}, {"nodes", WatchNodes},
    {"serving", LabelServing},    {"heal", Heal},             {"scale down", ScaleDown},
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
  for (const Task& task : kTasks) {
    Outcome outcome = task.run(run);
    if (outcome.kind == Outcome::Kind::kComplete) continue;
    if (!outcome.status.ok()) outcome.status = outcome.status.WithContext(task.name);
    return outcome;
  }
  return Outcome::Complete();
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

Next ClusterReconciler::Reconcile(const std::string& ns, const std::string& name) {
  const std::string key = ns + "/" + name;
  Json object = context_.reader.Get(kube::MultiMasterClusters(), ns, name);
  if (object.is_null() || kube::BeingDeleted(object)) {
    // What belongs to the resource goes with it by its owner references; data stays with Retain.
    context_.nodes.SetTargets(key, {});
    memory_.erase(key);
    return {};
  }
  Run run{.context = context_, .memory = memory_[key], .key = key, .object = object};
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
