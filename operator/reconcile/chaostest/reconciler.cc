#include "operator/reconcile/chaostest/reconciler.h"

#include <algorithm>
#include <cstdint>

namespace borealis::reconcile {
namespace {

struct Test {
  Context& context;
  Json object;
  api::ChaosTest test;
  std::string cluster_key;

  Status Patch(Json status) {
    status["observedGeneration"] = test.generation;
    if (kube::Covers(kube::At(object, {"status"}), status)) return Status::Ok();
    auto written = context.api.Patch(kube::ChaosTests(), test.ns, test.name,
                                     {{"status", std::move(status)}}, {.subresource = "status"});
    if (written.ok()) object = *written;
    return written.status();
  }
  // Replaces status.faults. Fails with kConflict if the object that was read is not the newest: a
  // fault that an older reading lacks must not be made a second time.
  Status RecordFaults(const Json& faults) {
    const Json patch = {
        {"metadata", {{"resourceVersion", kube::TextAt(object, {"metadata", "resourceVersion"})}}},
        {"status", {{"faults", faults}}}};
    auto written =
        context.api.Patch(kube::ChaosTests(), test.ns, test.name, patch, {.subresource = "status"});
    if (written.ok()) object = *written;
    return written.status();
  }
  Next Say(const char* phase, const std::string& message, int64_t again_seconds = 2) {
    Json status = {{"phase", phase}, {"message", message}};
    const bool final = std::string(phase) != "Pending" && std::string(phase) != "Running";
    if (final) status["finishedAt"] = kube::FormatTime(context.now());
    const Status written = Patch(std::move(status));
    if (final && written.ok()) context.events.Record(object, "Normal", phase, message);
    return {written, env::Duration(again_seconds * 1'000'000)};
  }
};

std::string AdminAddress(const Json& pod) {
  return kube::TextAt(pod, {"status", "podIP"}) + ":" + std::to_string(specs::kAdminPort);
}

// Pods of the fault's role that are up, by name; the leader alone for kLeader.
std::vector<Json> Candidates(const Test& t, const api::Fault& fault) {
  const std::string role = fault.role == api::TargetRole::kWriter ? "writer" : "storage";
  std::vector<Json> pods;
  for (Json& pod : t.context.reader.List(kube::Pods(), t.test.ns)) {
    if (kube::Label(pod, specs::kClusterLabel) != t.test.cluster) continue;
    if (kube::Label(pod, specs::kRoleLabel) != role || !PodReady(pod)) continue;
    const nodes::Beat beat = t.context.nodes.Get(t.cluster_key, kube::Name(pod));
    if (fault.role == api::TargetRole::kLeader && beat.member_role != "leader") continue;
    pods.push_back(std::move(pod));
  }
  return pods;
}

// KillPod: first all processes, so that they die as if at once and none has time for a farewell;
// then their pods. A forced deletion frees the name while a process may still run: here it does
// not, and should kubelet have started it again meanwhile, the lock on the member's folder keeps
// the next one out until it is gone.
Status Inject(Test& t, const api::Fault& fault, const std::vector<Json>& targets) {
  const bool kill = fault.type == api::FaultType::kKillPod;
  const nodes::Role role =
      fault.role == api::TargetRole::kWriter ? nodes::Role::kWriter : nodes::Role::kStorage;
  for (const Json& pod : targets) {
    const Status status =
        kill ? t.context.nodes.Crash(role, AdminAddress(pod))
             : t.context.nodes.Pause(role, AdminAddress(pod),
                                     static_cast<uint32_t>(fault.duration_seconds) * 1000);
    if (!status.ok()) return status.WithContext(kube::Name(pod));
  }
  if (!kill) return Status::Ok();
  for (const Json& pod : targets) {
    const Status status =
        t.context.api.Delete(kube::Pods(), t.test.ns, kube::Name(pod), {kube::Uid(pod), 0});
    const bool gone = status.code() == Code::kNotFound || status.code() == Code::kConflict;
    if (!status.ok() && !gone) return status.WithContext(kube::Name(pod));
  }
  return Status::Ok();
}

// Makes the faults that are due; each at most once: it is recorded before it is made, as not made,
// and again afterwards. So an operator that dies in between leaves a fault that was perhaps not
// made, which the verdict counts as an error, and its successor does not make it again.
Status MakeFaults(Test& t, env::Duration* again) {
  const int64_t started = kube::ParseTime(kube::TextAt(t.object, {"status", "startedAt"}));
  Json done = kube::At(t.object, {"status", "faults"});
  if (!done.is_array()) done = Json::array();
  for (size_t i = done.size(); i < t.test.faults.size(); ++i) {
    const api::Fault& fault = t.test.faults[i];
    const double wait =
        static_cast<double>(started) + fault.at_seconds - static_cast<double>(t.context.now());
    if (wait > 0) {
      *again = std::min(*again, env::Duration(static_cast<int64_t>(wait * 1e6)));
      return Status::Ok();
    }
    std::vector<Json> targets = Candidates(t, fault);
    if (static_cast<int>(targets.size()) < fault.count) {
      // An election may be under way: a little later there are enough.
      if (wait > -5) {
        *again = env::Duration(300'000);
        return Status::Ok();
      }
    }
    for (size_t n = targets.size(); n > 1; --n) {
      std::swap(targets[n - 1], targets[t.context.random.Uniform(n)]);
    }
    targets.resize(std::min<size_t>(targets.size(), static_cast<size_t>(fault.count)));
    std::string names;
    for (const Json& pod : targets) names += (names.empty() ? "" : ",") + kube::Name(pod);
    done.push_back({{"name", fault.name},
                    {"target", names},
                    {"injectedAt", kube::FormatTime(t.context.now())}});
    done.back()["error"] = targets.empty() ? "no such pod was up" : "it is not known to be made";
    RETURN_IF_ERROR(t.RecordFaults(done));
    if (targets.empty()) continue;
    const Status injected = Inject(t, fault, targets);
    t.context.events.Record(t.object, injected.ok() ? "Normal" : "Warning", "Fault",
                            fault.name + ": " + names);
    if (injected.ok())
      done.back().erase("error");
    else
      done.back()["error"] = injected.message();
    RETURN_IF_ERROR(t.RecordFaults(done));
  }
  return Status::Ok();
}

Next Finish(Test& t, const Json& terminated) {
  const std::string text = kube::TextAt(terminated, {"message"});
  if (kube::IntAt(terminated, {"exitCode"}, -1) != 0) {
    return t.Say("Error", "the workload could not run: " + text.substr(0, 500));
  }
  Json report = Json::parse(text, nullptr, false);
  const Verdict verdict = Judge(t.test, report, kube::At(t.object, {"status", "faults"}));
  if (report.is_object()) {
    const Status written = t.Patch({{"result", report}});
    if (!written.ok()) return {written};
  }
  return t.Say(verdict.phase.c_str(), verdict.message);
}

Next Watch(Test& t, const Json& job) {
  Json pod;
  for (Json& candidate : t.context.reader.List(kube::Pods(), t.test.ns)) {
    if (kube::Label(candidate, "borealisdb.io/chaos-test") == t.test.name)
      pod = std::move(candidate);
  }
  const Json& statuses = kube::At(pod, {"status", "containerStatuses"});
  if (statuses.is_array() && !statuses.empty()) {
    const Json& terminated = kube::At(statuses[0], {"state", "terminated"});
    if (terminated.is_object()) return Finish(t, terminated);
  }
  if (kube::IntAt(job, {"status", "failed"}) > 0) {
    return t.Say("Error", "the Job ended without a report");
  }
  if (kube::TextAt(t.object, {"status", "startedAt"}).empty()) {
    if (!PodReady(pod)) return t.Say("Running", "the workload is getting ready");
    const Status started = t.Patch({{"phase", "Running"},
                                    {"message", "the workload runs"},
                                    {"startedAt", kube::FormatTime(t.context.now())}});
    if (!started.ok()) return {started};
  }
  Next next;
  next.again = env::Duration(5'000'000);
  next.status = MakeFaults(t, &next.again);
  return next;
}

Next Begin(Test& t) {
  const Json cluster_json =
      t.context.reader.Get(kube::MultiMasterClusters(), t.test.ns, t.test.cluster);
  if (cluster_json.is_null()) {
    return t.Say("Pending", "waiting for the MultiMasterCluster " + t.test.cluster);
  }
  const auto cluster = api::ParseCluster(cluster_json);
  if (!cluster.ok()) return t.Say("Pending", "waiting for a valid " + t.test.cluster);
  if (!t.test.faults.empty() && !cluster->chaos_enabled) {
    return t.Say("Error", "faults need spec.chaos.enabled: true in the MultiMasterCluster " +
                              t.test.cluster);
  }
  if (kube::TextAt(cluster_json, {"status", "summary"}) != "ready") {
    return t.Say("Pending", "waiting until " + t.test.cluster + " is Ready", 1);
  }
  specs::ChaosPlan plan;
  for (int n = 0; n < cluster->writers; ++n) plan.writers.push_back(specs::WriterName(*cluster, n));
  const auto made =
      t.context.api.Create(kube::Jobs(), specs::ChaosJob(t.test, *cluster, plan, t.context.images));
  if (!made.ok() && made.code() != Code::kAlreadyExists) return {made.status()};
  return t.Say("Running", "the workload is getting ready");
}

}  // namespace

Verdict Judge(const api::ChaosTest& test, const Json& report, const Json& faults) {
  if (!report.is_object() || !report.contains("acknowledged")) {
    return {"Error", "the workload's report cannot be read"};
  }
  const auto figure = [&report](const char* key) { return kube::IntAt(report, {key}, INT64_MAX); };
  const std::pair<const char*, int64_t> limits[] = {{"lost", test.lost_writes},
                                                    {"duplicated", 0},
                                                    {"anomalies", test.anomalies},
                                                    {"writeGapP99Ms", test.write_gap_p99_ms},
                                                    {"writeGapMaxMs", test.write_gap_max_ms}};
  std::string failures;
  for (const auto& [key, limit] : limits) {
    if (figure(key) <= limit) continue;
    failures += (failures.empty() ? "" : ", ") + std::string(key) + " is " +
                std::to_string(figure(key)) + " (allowed: " + std::to_string(limit) + ")";
  }
  if (!failures.empty()) return {"Failed", failures};
  if (kube::IntAt(report, {"acknowledged"}) == 0) return {"Failed", "nothing was acknowledged"};
  if (!test.faults.empty() && (!faults.is_array() || faults.size() < test.faults.size())) {
    return {"Error", "not every fault was made: the test shows nothing"};
  }
  for (const Json& fault : faults) {
    if (fault.contains("error")) {
      return {"Error",
              "fault " + kube::TextAt(fault, {"name"}) + ": " + kube::TextAt(fault, {"error"})};
    }
  }
  return {"Passed",
          std::to_string(kube::IntAt(report, {"acknowledged"})) + " acknowledged, none lost"};
}

Next ChaosTestReconciler::Reconcile(const std::string& ns, const std::string& name) {
  const Json object = context_.reader.Get(kube::ChaosTests(), ns, name);
  if (object.is_null() || kube::BeingDeleted(object)) return {};
  const std::string phase = kube::TextAt(object, {"status", "phase"});
  if (phase == "Passed" || phase == "Failed" || phase == "Error") return {};
  Test t{context_, object, {}, ""};
  const auto parsed = api::ParseChaosTest(object);
  if (!parsed.ok()) {
    t.test.ns = ns;
    t.test.name = name;
    return t.Say("Error", parsed.status().message());
  }
  t.test = *parsed;
  t.cluster_key = ns + "/" + t.test.cluster;
  const Json job = context_.reader.Get(kube::Jobs(), ns, specs::ChaosJobName(t.test));
  return job.is_null() ? Begin(t) : Watch(t, job);
}

}  // namespace borealis::reconcile
