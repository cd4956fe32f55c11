// The tasks that keep what runs healthy, and those that change it on purpose.
#include <algorithm>
#include <set>

#include "operator/reconcile/cluster/run.h"

namespace borealis::reconcile {
namespace {

constexpr int64_t kDeadSeconds = 60;         // without an answer, though its pod runs
constexpr int64_t kForceWriterSeconds = 30;  // over its grace period: its node is gone
constexpr int64_t kEndpointSeconds = 2;      // until all proxies have seen a label go
constexpr int64_t kCrashForgetSeconds = 600;
constexpr int kDiskExitCodes[] = {73, 74, 78};

bool IsMember(const Json& pod) {
  return kube::Label(pod, specs::kRoleLabel) == "storage";
}
bool IsWriter(const Json& pod) {
  return kube::Label(pod, specs::kRoleLabel) == "writer";
}

std::string AdminAddress(const Json& pod) {
  const std::string ip = kube::TextAt(pod, {"status", "podIP"});
  if (ip.empty()) return "";
  return (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" +
         std::to_string(specs::kAdminPort);
}

const Json& Container(const Json& pod) {
  static const Json none;
  const Json& all = kube::At(pod, {"status", "containerStatuses"});
  return all.is_array() && !all.empty() ? all[0] : none;
}

// True when some node answered lately: else it is the operator that is cut off, and it must not
// take the silence of all as the death of all.
bool HearsAnybody(const Run& run) {
  return std::any_of(run.pods.begin(), run.pods.end(), [&run](const auto& entry) {
    const nodes::Beat beat = run.Beat(entry.first);
    return beat.answered && beat.silence <= nodes::kSuspectAfter;
  });
}

Status Replace(Run& run, const Json& pod, const std::string& why) {
  run.context.logger.Info("replacing a pod",
                          {{"cluster", run.key}, {"pod", kube::Name(pod)}, {"why", why}});
  run.Event("Warning", "PodReplaced", "pod " + kube::Name(pod) + ": " + why);
  return run.DeletePod(pod);
}

Status HealCrashLoop(Run& run, const Json& pod) {
  const std::string name = kube::Name(pod);
  const int64_t exit_code =
      kube::IntAt(Container(pod), {"lastState", "terminated", "exitCode"}, -1);
  if (std::find(std::begin(kDiskExitCodes), std::end(kDiskExitCodes), exit_code) !=
      std::end(kDiskExitCodes)) {
    run.WaitFor("the pod " + name + ", which stops with exit code " + std::to_string(exit_code) +
                    ": its disk fails or is full",
                "look at its log, and at the disk of its volume");
    return Status::Ok();
  }
  // The label is there once the pod has been healthy; before, the fault is in what it was given.
  if (kube::Label(pod, specs::kServingLabel).empty()) {
    run.WaitFor(
        "the pod " + name + ", which never came up (exit code " + std::to_string(exit_code) + ")",
        "look at its log");
    return Status::Ok();
  }
  auto& backoff = run.memory.crashes[name];
  const int64_t now = run.context.now();
  if (now - backoff.last > kCrashForgetSeconds) backoff = {};
  const int64_t wait =
      backoff.count == 0 ? 0 : std::min<int64_t>(60, int64_t{1} << std::min(backoff.count, 6));
  if (now - backoff.last < wait) {
    run.Again(env::Duration((wait - (now - backoff.last)) * 1'000'000));
    return Status::Ok();
  }
  ++backoff.count;
  backoff.last = now;
  return Replace(run, pod,
                 "it crashes again and again (exit code " + std::to_string(exit_code) + ")");
}

Status HealPod(Run& run, const Json& pod, bool hears_anybody) {
  const std::string name = kube::Name(pod);
  const int64_t now = run.context.now();
  if (kube::BeingDeleted(pod)) {
    // Only a writer may be removed by force: if the old one still runs behind a cut, the log tells
    // the two apart by their incarnations. A member's pod waits for its node.
    const int64_t due = kube::ParseTime(kube::TextAt(pod, {"metadata", "deletionTimestamp"}));
    if (IsWriter(pod) && now > due + kForceWriterSeconds) return run.DeletePod(pod, 0);
    if (IsMember(pod) && now > due + kForceWriterSeconds) {
      run.WaitFor("the pod " + name + " to stop: its node does not answer",
                  "bring the node back, or delete the Node object if it is gone for good");
    }
    run.Again(env::Duration(5'000'000));
    return Status::Ok();
  }
  const std::string phase = kube::TextAt(pod, {"status", "phase"});
  if (phase == "Failed" || phase == "Succeeded") {
    const std::string reason = kube::TextAt(pod, {"status", "reason"});
    return Replace(run, pod, "it ended" + (reason.empty() ? "" : ": " + reason));
  }
  if (kube::TextAt(Container(pod), {"state", "waiting", "reason"}) == "CrashLoopBackOff") {
    return HealCrashLoop(run, pod);
  }
  const nodes::Beat beat = run.Beat(name);
  if (hears_anybody && beat.answered && phase == "Running" &&
      beat.silence > env::Duration(kDeadSeconds * 1'000'000)) {
    return Replace(run, pod, "it has not answered for " + std::to_string(kDeadSeconds) + " s");
  }
  return Status::Ok();
}

}  // namespace

bool MemberIsReady(const Run& run, const std::string& pod) {
  const auto found = run.pods.find(pod);
  if (found == run.pods.end() || kube::BeingDeleted(found->second)) return false;
  const nodes::Beat beat = run.Beat(pod);
  return beat.answered && beat.ready && beat.silence <= nodes::kSuspectAfter;
}

bool WriterIsServing(const Run& run, const std::string& pod) {
  const auto found = run.pods.find(pod);
  if (found == run.pods.end() || !PodReady(found->second)) return false;
  return kube::Label(found->second, specs::kServingLabel) == "true";
}

int QuorumMargin(const Run& run) {
  int ready = 0;
  for (const specs::Member& member : run.identity.members) ready += MemberIsReady(run, member.pod);
  return ready - (static_cast<int>(run.identity.members.size()) / 2 + 1);
}

// Tells the heartbeats whom to ask.
Outcome WatchNodes(Run& run) {
  std::map<std::string, nodes::Target> targets;
  for (const auto& [name, pod] : run.pods) {
    const std::string address = AdminAddress(pod);
    if (address.empty() || (!IsMember(pod) && !IsWriter(pod))) continue;
    targets[name] = {IsMember(pod) ? nodes::Role::kStorage : nodes::Role::kWriter, address,
                     kube::Uid(pod)};
  }
  run.context.nodes.SetTargets(run.key, std::move(targets));
  return Outcome::Complete();
}

Outcome LabelServing(Run& run) {
  const bool hears_anybody = HearsAnybody(run);
  Status failed;
  for (auto& [name, pod] : run.pods) {
    if (!IsMember(pod) && !IsWriter(pod)) continue;
    const nodes::Beat beat = run.Beat(name);
    const std::string label = kube::Label(pod, specs::kServingLabel);
    const bool draining = !kube::Annotation(pod, specs::kDrainAnnotation).empty();
    const bool healthy = beat.answered && beat.ready && beat.silence <= nodes::kSuspectAfter;
    const std::string wanted = healthy && !draining && !kube::BeingDeleted(pod) ? "true" : "false";
    if (label == wanted || (label.empty() && wanted == "false")) continue;
    // Nothing heard yet after a start of the operator, or nobody answers it: nothing is known.
    const bool known = beat.answered || beat.silence > nodes::kSuspectAfter;
    if (!draining && !kube::BeingDeleted(pod) && (!known || !hears_anybody)) {
      run.Again(env::Duration(500'000));
      continue;
    }
    const auto patched =
        run.context.api.Patch(kube::Pods(), run.cluster.ns, name,
                              {{"metadata", {{"labels", {{specs::kServingLabel, wanted}}}}}}, {});
    if (patched.code() == Code::kNotFound) continue;
    if (!patched.ok()) {  // the others' labels do not wait for it
      failed = patched.status();
      continue;
    }
    pod = *patched;
    run.changed = true;
  }
  return failed.ok() ? Outcome::Complete() : Outcome::Retry(failed);
}

Outcome Heal(Run& run) {
  const bool hears_anybody = HearsAnybody(run);
  for (const auto& [name, pod] : run.pods) {
    if (!IsMember(pod) && !IsWriter(pod)) continue;
    const Status status = HealPod(run, pod, hears_anybody);
    if (!status.ok()) return Outcome::Retry(status);
  }
  return Outcome::Complete();
}

namespace {

// One step of a drain: out of the endpoints, then Drain, then the pod goes. True when it is gone.
Status DrainStep(Run& run, const Json& pod) {
  const std::string name = kube::Name(pod);
  run.Again(env::Duration(500'000));
  if (kube::BeingDeleted(pod)) return Status::Ok();
  const int64_t now = run.context.now();
  const std::string started = kube::Annotation(pod, specs::kDrainAnnotation);
  if (started.empty()) {
    run.Event("Normal", "Draining", "pod " + name);
    return run.context.api
        .Patch(kube::Pods(), run.cluster.ns, name,
               {{"metadata",
                 {{"annotations", {{specs::kDrainAnnotation, kube::FormatTime(now)}}},
                  {"labels", {{specs::kServingLabel, "false"}}}}}},
               {})
        .status();
  }
  const int64_t elapsed = now - kube::ParseTime(started);
  if (elapsed < kEndpointSeconds) return Status::Ok();
  const std::string address = AdminAddress(pod);
  const bool over = elapsed > run.cluster.drain_seconds + kEndpointSeconds + 3;
  if (over || address.empty() || !PodReady(pod)) {
    // A drained writer is not ready: the difference is whether it still has sessions to finish.
    const nodes::Beat beat = run.Beat(name);
    const bool busy = beat.answered && beat.silence <= nodes::kSuspectAfter && beat.sessions > 0;
    if (over || !busy) return run.DeletePod(pod);
  }
  // One that hangs would only hold up this thread: it is asked when it answers again, or goes when
  // its time is over.
  if (run.Beat(name).silence > nodes::kSuspectAfter) return Status::Ok();
  const int64_t left = std::max<int64_t>(0, run.cluster.drain_seconds + kEndpointSeconds - elapsed);
  const auto sessions = run.context.nodes.Drain(address, static_cast<uint32_t>(left * 1000));
  if (sessions.ok() && *sessions == 0) return run.DeletePod(pod);
  return Status::Ok();
}

}  // namespace

// The highest ordinal first, one at a time.
Outcome ScaleDown(Run& run) {
  const Json* last = nullptr;
  int highest = -1;
  for (const auto& [name, pod] : run.pods) {
    const int ordinal = specs::WriterOrdinal(run.cluster, name);
    if (!IsWriter(pod) || ordinal < run.cluster.writers || ordinal <= highest) continue;
    highest = ordinal;
    last = &pod;
  }
  if (last == nullptr) return Outcome::Complete();
  const Status status = DrainStep(run, *last);
  return status.ok() ? Outcome::Wait() : Outcome::Retry(status);
}

namespace {

bool Outdated(const Json& pod, const Json& wanted) {
  return kube::Annotation(pod, specs::kHashAnnotation) !=
         kube::Annotation(wanted, specs::kHashAnnotation);
}

}  // namespace

// Pods that differ from the spec, one at a time: first those that do not work anyway (so that a bad
// spec can be reverted), then, while everything else is healthy, followers, the leader, writers.
Outcome Rollout(Run& run) {
  std::vector<const Json*> broken, followers, leader, writers;
  bool all_healthy = true;
  for (const specs::Member& member : run.identity.members) {
    const auto pod = run.pods.find(member.pod);
    const bool ready = MemberIsReady(run, member.pod);
    all_healthy &= ready;
    if (pod == run.pods.end() || kube::BeingDeleted(pod->second)) continue;
    if (!Outdated(pod->second,
                  specs::MemberPod(run.cluster, run.identity, member, run.context.images))) {
      continue;
    }
    const bool leads = run.Beat(member.pod).member_role == "leader";
    (!ready && !PodReady(pod->second) ? broken
     : leads                          ? leader
                                      : followers)
        .push_back(&pod->second);
  }
  for (int n = 0; n < run.cluster.writers; ++n) {
    const std::string name = specs::WriterName(run.cluster, n);
    const auto pod = run.pods.find(name);
    const bool draining =
        pod != run.pods.end() && !kube::Annotation(pod->second, specs::kDrainAnnotation).empty();
    all_healthy &= WriterIsServing(run, name) || draining;
    if (pod == run.pods.end() || kube::BeingDeleted(pod->second)) continue;
    if (draining) {
      const Status status = DrainStep(run, pod->second);
      return status.ok() ? Outcome::Wait() : Outcome::Retry(status);
    }
    if (Outdated(pod->second, specs::WriterPod(run.cluster, run.identity, n, run.context.images))) {
      (PodReady(pod->second) ? writers : broken).push_back(&pod->second);
    }
  }
  if (broken.empty() && followers.empty() && leader.empty() && writers.empty()) {
    return Outcome::Complete();
  }
  run.Again(env::Duration(1'000'000));
  Status status;
  if (!broken.empty()) {
    status = run.DeletePod(*broken.front());
  } else if (!all_healthy) {
    return Outcome::Wait();
  } else if (!followers.empty() || !leader.empty()) {
    status = run.DeletePod(*(followers.empty() ? leader : followers).front());
  } else {
    status = DrainStep(run, *writers.front());
  }
  return status.ok() ? Outcome::Wait() : Outcome::Retry(status);
}

}  // namespace borealis::reconcile
