// The status: what is, computed anew each time and written only when it differs.
#include "operator/reconcile/cluster/run.h"

namespace borealis::reconcile {
namespace {

class Conditions {
 public:
  Conditions(const Run& run, int64_t now) : run_(run), now_(now) {}
  void Set(const char* type, bool value, const std::string& reason, const std::string& message) {
    Json condition = {{"type", type},
                      {"status", value ? "True" : "False"},
                      {"reason", reason},
                      {"message", message},
                      {"observedGeneration", run_.cluster.generation},
                      {"lastTransitionTime", kube::FormatTime(now_)}};
    for (const Json& old : kube::At(run_.object, {"status", "conditions"})) {
      if (old.value("type", "") == type && old.value("status", "") == condition["status"]) {
        condition["lastTransitionTime"] = kube::TextAt(old, {"lastTransitionTime"});
      }
    }
    all_.push_back(std::move(condition));
  }
  Json Take() { return std::move(all_); }

 private:
  const Run& run_;
  const int64_t now_;
  Json all_ = Json::array();
};

Json WaitingJson(const Run& run, int64_t now) {
  Json list = Json::array();
  for (const Waiting& waiting : run.waiting) {
    std::string since = kube::FormatTime(now);
    for (const Json& old : kube::At(run.object, {"status", "waitingFor"})) {
      if (kube::TextAt(old, {"what"}) == waiting.what) since = kube::TextAt(old, {"since"});
    }
    list.push_back({{"what", waiting.what}, {"since", since}, {"resolve", waiting.resolve}});
  }
  return list;
}

struct Figures {
  Json members = Json::array(), by_zone = Json::object(), instances = Json::array();
  std::string leader;
  int storage_ready = 0, writers_ready = 0, writers_updated = 0, writer_pods = 0, serving = 0;
};

void CountMembers(const Run& run, Figures* f) {
  uint64_t leader_term = 0;
  for (const specs::Member& member : run.identity.members) {
    const auto pod = run.pods.find(member.pod);
    const nodes::Beat beat = run.Beat(member.pod);
    const bool ready = MemberIsReady(run, member.pod);
    f->storage_ready += ready;
    f->by_zone[member.zone] = f->by_zone.value(member.zone, 0) + (ready ? 1 : 0);
    if (ready && beat.member_role == "leader" && beat.term >= leader_term) {
      leader_term = beat.term;
      f->leader = member.pod;
    }
    f->members.push_back(
        {{"name", member.pod},
         {"id", member.id},
         {"role", !ready ? "unknown" : beat.member_role},
         {"zone", member.zone},
         {"node", pod == run.pods.end() ? "" : kube::TextAt(pod->second, {"spec", "nodeName"})},
         {"ready", ready},
         {"term", beat.term}});
  }
}

void CountWriters(const Run& run, Figures* f) {
  for (int n = 0; n < run.cluster.writers; ++n) {
    const std::string name = specs::WriterName(run.cluster, n);
    f->instances.push_back(name + "." + run.cluster.ns + ".svc:" + std::to_string(specs::kSqlPort));
    f->writers_ready += WriterIsServing(run, name);
    const auto pod = run.pods.find(name);
    if (pod == run.pods.end() || kube::BeingDeleted(pod->second)) continue;
    const Json wanted = specs::WriterPod(run.cluster, run.identity, n, run.context.images);
    f->writers_updated += kube::Annotation(pod->second, specs::kHashAnnotation) ==
                          kube::Annotation(wanted, specs::kHashAnnotation);
  }
  for (const auto& [name, pod] : run.pods) {
    f->writer_pods += kube::Label(pod, specs::kRoleLabel) == "writer";
    f->serving += WriterIsServing(run, name) && kube::Label(pod, specs::kRoleLabel) == "writer";
  }
}

std::string Of(int ready, int desired) {
  return std::to_string(ready) + "/" + std::to_string(desired);
}

std::string Summary(const Run& run, const Outcome& outcome, const Figures& f, bool ready) {
  if (!run.waiting.empty()) return "waiting for " + run.waiting.front().what;
  if (outcome.kind == Outcome::Kind::kRetry) return "trying again: " + outcome.status.message();
  if (ready) return "ready";
  if (f.storage_ready < run.cluster.members) {
    return "storage: " + Of(f.storage_ready, run.cluster.members) + " members ready";
  }
  if (f.writer_pods > run.cluster.writers) {
    return "draining " + std::to_string(f.writer_pods - run.cluster.writers) + " writers";
  }
  if (f.writers_ready < run.cluster.writers) {
    return "writers: " + Of(f.writers_ready, run.cluster.writers) + " ready";
  }
  return "rolling out";
}

Json ComputeStatus(const Run& run, const Outcome& outcome) {
  Figures f;
  CountMembers(run, &f);
  CountWriters(run, &f);
  const int desired = run.cluster.writers, members = run.cluster.members;
  const bool complete = outcome.kind == Outcome::Kind::kComplete;
  const int margin = QuorumMargin(run);
  const bool quorum = !run.identity.members.empty() && margin >= 0;
  const bool all_up = !run.identity.members.empty() && f.storage_ready == members &&
                      f.writers_ready == desired && f.writer_pods == desired;
  const bool ready = complete && all_up && !f.leader.empty() && run.waiting.empty();
  const std::string summary = Summary(run, outcome, f, ready);
  const int64_t now = run.context.now();

  Conditions conditions(run, now);
  conditions.Set("Ready", ready, ready ? "AllReady" : "NotReady", summary);
  conditions.Set("Available", quorum && f.serving > 0,
                 quorum && f.serving > 0 ? "WritersServe" : "NoService",
                 std::to_string(f.serving) + " writers serve");
  conditions.Set("QuorumHealthy", quorum, quorum ? "Quorum" : "NoQuorum",
                 Of(f.storage_ready, members) + " members ready");
  conditions.Set("Reconciled", complete, complete ? "Done" : "NotDone",
                 outcome.status.ok() ? summary : outcome.status.message());
  conditions.Set("Progressing", !ready && run.waiting.empty(), ready ? "Done" : "Working", summary);
  conditions.Set(
      "Degraded", !all_up, all_up ? "AllUp" : "NotAllUp",
      Of(f.storage_ready, members) + " members, " + Of(f.writers_ready, desired) + " writers");
  conditions.Set("Encrypted", false, "TlsDisabled",
                 "tls.mode is Disabled: connections are not encrypted");
  return {{"observedGeneration", run.cluster.generation},
          {"conditions", conditions.Take()},
          {"summary", summary},
          {"leader", f.leader},
          {"selector", std::string(specs::kClusterLabel) + "=" + run.cluster.name + "," +
                           specs::kRoleLabel + "=writer"},
          {"writers",
           {{"desired", desired},
            {"ready", f.writers_ready},
            {"updated", f.writers_updated},
            {"summary", Of(f.writers_ready, desired)}}},
          {"storage",
           {{"desired", members},
            {"ready", f.storage_ready},
            {"writeQuorumMargin", margin},
            {"summary", Of(f.storage_ready, members)},
            {"byZone", f.by_zone}}},
          {"members", f.members},
          {"endpoints",
           {{"cluster",
             run.cluster.name + "." + run.cluster.ns + ".svc:" + std::to_string(specs::kSqlPort)},
            {"instances", f.instances}}},
          {"waitingFor", WaitingJson(run, now)}};
}

// For a resource that cannot be read: nothing is known but that.
Json InvalidStatus(const Run& run) {
  Conditions conditions(run, run.context.now());
  for (const char* type : {"Ready", "Reconciled"}) {
    conditions.Set(type, false, "Invalid", run.invalid.message());
  }
  return {{"observedGeneration", kube::IntAt(run.object, {"metadata", "generation"})},
          {"conditions", conditions.Take()},
          {"summary", "invalid: " + run.invalid.message()},
          {"waitingFor", WaitingJson(run, run.context.now())}};
}

}  // namespace

Status WriteStatus(Run& run, const Outcome& outcome) {
  const Json status = run.invalid.ok() ? ComputeStatus(run, outcome) : InvalidStatus(run);
  if (kube::Covers(kube::At(run.object, {"status"}), status)) return Status::Ok();
  const bool was_ready = kube::TextAt(run.object, {"status", "summary"}) == "ready";
  const bool is_ready = status["summary"] == "ready";
  const auto written =
      run.context.api.Patch(kube::MultiMasterClusters(), run.cluster.ns, run.cluster.name,
                            {{"status", status}}, {.subresource = "status"});
  if (written.ok() && is_ready != was_ready) {
    run.Event(
        is_ready ? "Normal" : "Warning", is_ready ? "Ready" : "NotReady",
        is_ready ? "all members and writers are ready" : status["summary"].get<std::string>());
  }
  return written.status();
}

}  // namespace borealis::reconcile
