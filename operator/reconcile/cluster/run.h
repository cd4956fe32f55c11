// One reconciliation of one cluster: what was read, and the tasks over it.
#pragma once

#include <optional>

#include "operator/reconcile/cluster/reconciler.h"

namespace borealis::reconcile {

struct Waiting {
  std::string what, resolve;
};

struct Run {
  Context& context;
  ClusterReconciler::Memory& memory;
  std::string key;  // "namespace/name"
  Json object;
  api::Cluster cluster = {};
  Status invalid = {};
  specs::Identity identity = {};
  Json identity_object = {};
  std::map<std::string, Json> pods = {}, disks = {}, services = {}, budgets = {};  // by name
  std::vector<Waiting> waiting = {};
  bool changed = false;  // something was written: look again soon
  env::Duration again{30'000'000};

  void Again(env::Duration time) { again = std::min(again, time); }
  void WaitFor(std::string what, std::string resolve) {
    waiting.push_back({std::move(what), std::move(resolve)});
    Again(env::Duration(5'000'000));
  }
  void Event(const char* type, const char* reason, const std::string& message) {
    context.events.Record(object, type, reason, message);
  }
  nodes::Beat Beat(const std::string& pod) const { return context.nodes.Get(key, pod); }
  // With its uid as precondition. Not found and conflict count as done.
  Status DeletePod(const Json& pod, int grace_seconds = -1);
};

// In the order of the list in reconciler.cc.
Outcome EnsureIdentity(Run& run);
Outcome EnsureOwnership(Run& run);
Outcome EnsureSecret(Run& run);
Outcome EnsureServices(Run& run);
Outcome EnsureMembers(Run& run);
Outcome EnsureWriters(Run& run);
Outcome WatchNodes(Run& run);
Outcome Heal(Run& run);
Outcome LabelServing(Run& run);
Outcome ScaleDown(Run& run);
Outcome Rollout(Run& run);

bool MemberIsReady(const Run& run, const std::string& pod);
bool WriterIsServing(const Run& run, const std::string& pod);
// Members that may be lost before writes stop; negative when they have.
int QuorumMargin(const Run& run);

Status WriteStatus(Run& run, const Outcome& outcome);

}  // namespace borealis::reconcile
