// The tasks that make what is missing.
#include <algorithm>
#include <array>
#include <set>

#include "common/base/ids.h"
#include "operator/kube/client.h"
#include "operator/reconcile/cluster/run.h"

namespace borealis::reconcile {
namespace {

std::string NewUuid(env::Random& random) {
  std::array<uint8_t, 16> bytes;
  random.Fill(reinterpret_cast<char*>(bytes.data()), bytes.size());
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  return ClusterId(bytes).ToString();
}

std::string NewPassword(env::Random& random) {
  static constexpr char kLetters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  std::string password;
  for (int i = 0; i < 24; ++i) password += kLetters[random.Uniform(sizeof kLetters - 1)];
  return password;
}

// Whether the scheduler may put a member onto the node: members tolerate no taints.
bool Schedulable(const Json& node) {
  if (kube::BeingDeleted(node) || kube::BoolAt(node, {"spec", "unschedulable"})) return false;
  for (const Json& taint : kube::At(node, {"spec", "taints"})) {
    if (kube::TextAt(taint, {"effect"}) != "PreferNoSchedule") return false;
  }
  for (const Json& condition : kube::At(node, {"status", "conditions"})) {
    if (kube::TextAt(condition, {"type"}) == "Ready") {
      return kube::TextAt(condition, {"status"}) == "True";
    }
  }
  return true;  // no kubelet has said anything yet
}

// The zones of a new cluster, or empty with what is missing in run.waiting. Asks the API server:
// the cache holds the nodes' metadata alone, and this is done once in a cluster's life.
Result<std::vector<std::string>> ChooseZones(Run& run) {
  ASSIGN_OR_RETURN(const kube::ListResult nodes, run.context.api.List(kube::WholeNodes(), "", ""));
  std::set<std::string> labelled;
  size_t useless = 0;
  for (const Json& node : nodes.items) {
    if (!Schedulable(node)) {
      ++useless;
      continue;
    }
    const std::string zone = kube::Label(node, specs::kZoneNodeLabel);
    if (!zone.empty()) labelled.insert(zone);
  }
  const std::string not_counted =
      useless == 0 ? ""
                   : ", " + std::to_string(useless) +
                         " more are not ready, unschedulable or tainted and do not count";
  for (const std::string& zone : run.cluster.zones) {
    if (labelled.count(zone) > 0) continue;
    run.WaitFor("a node in zone " + zone + not_counted,
                "label a node with " + std::string(specs::kZoneNodeLabel) + "=" + zone +
                    ", or make the cluster with other spec.storage.zones");
  }
  if (!run.cluster.zones.empty()) {
    return run.waiting.empty() ? run.cluster.zones : std::vector<std::string>();
  }
  const size_t needed = run.cluster.members == 1 ? 1 : 3;
  if (labelled.size() < needed) {
    run.WaitFor("nodes in " + std::to_string(needed) + " zones: " +
                    std::to_string(nodes.items.size() - useless) + " nodes are labelled with " +
                    std::to_string(labelled.size()) + " zones" + not_counted,
                "label nodes with " + std::string(specs::kZoneNodeLabel) +
                    ", add nodes in other "
                    "zones, or ask for fewer spec.storage.members");
    return std::vector<std::string>();
  }
  std::vector<std::string> zones(labelled.begin(), labelled.end());
  zones.resize(needed);
  return zones;
}

void CheckStorageClass(Run& run) {
  bool found = false;
  for (const Json& sc : run.context.reader.List(kube::StorageClasses(), "")) {
    found |= run.cluster.storage_class.empty()
                 ? kube::Annotation(sc, "storageclass.kubernetes.io/is-default-class") == "true"
                 : kube::Name(sc) == run.cluster.storage_class;
  }
  if (found) return;
  if (run.cluster.storage_class.empty()) {
    run.WaitFor("a default storage class",
                "mark a StorageClass as default, or name one in spec.storage.storageClassName");
  } else {
    run.WaitFor("the storage class " + run.cluster.storage_class, "make that StorageClass");
  }
}

Outcome NewIdentity(Run& run) {
  const auto live =
      run.context.api.Get(kube::ConfigMaps(), run.cluster.ns, specs::IdentityName(run.cluster));
  if (live.ok()) {  // the cache is behind
    run.Again(env::Duration(500'000));
    return Outcome::Wait();
  }
  if (live.code() != Code::kNotFound) return Outcome::Retry(live.status());
  if (!kube::TextAt(run.object, {"status", "clusterId"}).empty() || !run.disks.empty()) {
    run.WaitFor("the ConfigMap " + specs::IdentityName(run.cluster) +
                    ", which says which volume is whose: it is gone, the volumes may not be",
                "restore the ConfigMap; nothing is started over data without it");
    return Outcome::Wait();
  }
  const auto zones = ChooseZones(run);
  if (!zones.ok()) return Outcome::Retry(zones.status());
  CheckStorageClass(run);
  if (!run.waiting.empty()) return Outcome::Wait();
  specs::Identity identity;
  identity.cluster_id = NewUuid(run.context.random);
  identity.members = specs::PlanMembers(run.cluster, *zones);
  auto made =
      run.context.api.Create(kube::ConfigMaps(), specs::IdentityConfigMap(run.cluster, identity));
  if (!made.ok()) return Outcome::Retry(made.status());
  run.identity_object = *made;
  run.identity = std::move(identity);
  run.Event("Normal", "ClusterCreated", "cluster id " + run.identity.cluster_id);
  return Outcome::Complete();
}

}  // namespace

Outcome EnsureIdentity(Run& run) {
  const std::string name = specs::IdentityName(run.cluster);
  run.identity_object = run.context.reader.Get(kube::ConfigMaps(), run.cluster.ns, name);
  if (run.identity_object.is_null()) {
    const Outcome made = NewIdentity(run);
    if (made.kind != Outcome::Kind::kComplete) return made;
  } else {
    const auto identity = specs::ParseIdentity(run.identity_object);
    if (!identity.ok()) {
      run.WaitFor("the ConfigMap " + name + " cannot be read: " + identity.status().message(),
                  "restore it from a backup");
      return Outcome::Wait();
    }
    run.identity = *identity;
  }
  const std::string in_status = kube::TextAt(run.object, {"status", "clusterId"});
  if (in_status.empty()) {
    const auto written = run.context.api.Patch(
        kube::MultiMasterClusters(), run.cluster.ns, run.cluster.name,
        {{"status", {{"clusterId", run.identity.cluster_id}}}}, {.subresource = "status"});
    if (!written.ok()) return Outcome::Retry(written.status());
  } else if (in_status != run.identity.cluster_id) {
    run.WaitFor("status.clusterId and the ConfigMap " + name + " name different clusters",
                "restore the ConfigMap with cluster id " + in_status);
    return Outcome::Wait();
  }
  if (static_cast<int>(run.identity.members.size()) != run.cluster.members) {
    run.WaitFor("spec.storage.members is " + std::to_string(run.cluster.members) +
                    ", the volumes are of " + std::to_string(run.identity.members.size()),
                "the number of members cannot be changed yet: set it back");
    return Outcome::Wait();
  }
  return Outcome::Complete();
}

namespace {

// What deletes the object: null for nothing, which is Retain.
Status Own(Run& run, const kube::Resource& resource, const Json& object, const Json& wanted) {
  const Json& owners = kube::At(wanted, {"metadata", "ownerReferences"});
  if (kube::BeingDeleted(object)) return Status::Ok();
  if (kube::At(object, {"metadata", "ownerReferences"}) == owners) return Status::Ok();
  const auto patched = run.context.api.Patch(
      resource, run.cluster.ns, kube::Name(object),
      {{"metadata", {{"uid", kube::Uid(object)}, {"ownerReferences", owners}}}}, {});
  if (patched.ok()) run.changed = true;
  return patched.code() == Code::kNotFound ? Status::Ok() : patched.status();
}

}  // namespace

// Follows spec.deletionPolicy when it is changed later: a cluster that was made with Delete and now
// says Retain keeps its volumes. (The Secret follows in EnsureSecret.)
Outcome EnsureOwnership(Run& run) {
  Status status = Own(run, kube::ConfigMaps(), run.identity_object,
                      specs::IdentityConfigMap(run.cluster, run.identity));
  for (const specs::Member& member : run.identity.members) {
    const auto disk = run.disks.find(specs::DiskName(member));
    if (!status.ok() || disk == run.disks.end() || member.disk_uid != kube::Uid(disk->second)) {
      continue;
    }
    status = Own(run, kube::PersistentVolumeClaims(), disk->second,
                 specs::Disk(run.cluster, run.identity, member));
  }
  return status.ok() ? Outcome::Complete() : Outcome::Retry(status);
}

namespace {

constexpr int64_t kSecretAgeSeconds = 300;
constexpr int64_t kSecretAgeTroubledSeconds = 5;

// Makes the Secret, or what differs in it.
Status MakeSecret(Run& run, const Result<Json>& found) {
  kube::Api& api = run.context.api;
  std::string& password = run.memory.password;
  if (found.code() == Code::kNotFound) {
    const bool again = !run.memory.secret_checked.empty();
    if (password.empty()) password = NewPassword(run.context.random);
    RETURN_IF_ERROR(
        api.Create(kube::Secrets(), specs::SuperuserSecret(run.cluster, password)).status());
    if (again) {
      run.Event("Warning", "SecretRecreated",
                "the Secret " + specs::SecretName(run.cluster) + " was gone");
    }
    return Status::Ok();
  }
  if (!found.ok()) return found.status();
  const auto kept = kube::DecodeBase64(kube::TextAt(*found, {"data", "password"}));
  if (!kept.ok() || kept->empty()) {
    run.WaitFor("a password in the Secret " + kube::Name(*found),
                "put the superuser's password into it");
    return Status::Ok();
  }
  password = *kept;
  const Json wanted = specs::SuperuserSecret(run.cluster, password);
  bool same = true;
  for (const auto& [key, value] : wanted["stringData"].items()) {
    const auto has = kube::DecodeBase64(kube::TextAt(*found, {"data", key.c_str()}));
    same &= has.ok() && value == *has;
  }
  if (!same) {
    RETURN_IF_ERROR(api.Patch(kube::Secrets(), run.cluster.ns, kube::Name(*found),
                              {{"stringData", wanted["stringData"]}}, {})
                        .status());
  }
  return Own(run, kube::Secrets(), *found, wanted);
}

}  // namespace

// Secrets are neither listed nor watched (the operator has no right to): this one is read when what
// it depends on changes, now and then, and often while a writer does not come up, as it does not
// without its Secret.
Outcome EnsureSecret(Run& run) {
  const std::string made_for = run.cluster.uid + "/" + std::to_string(run.cluster.writers) + "/" +
                               std::to_string(static_cast<int>(run.cluster.deletion_policy));
  bool troubled = false;
  for (int n = 0; n < run.cluster.writers; ++n) {
    const auto pod = run.pods.find(specs::WriterName(run.cluster, n));
    troubled |= pod == run.pods.end() || !PodReady(pod->second);
  }
  const int64_t age = run.context.now() - run.memory.secret_checked_at;
  if (run.memory.secret_checked == made_for &&
      age < (troubled ? kSecretAgeTroubledSeconds : kSecretAgeSeconds)) {
    return Outcome::Complete();
  }
  const size_t waiting = run.waiting.size();
  const auto found =
      run.context.api.Get(kube::Secrets(), run.cluster.ns, specs::SecretName(run.cluster));
  const Status status = MakeSecret(run, found);
  if (!status.ok()) return Outcome::Retry(status);
  if (run.waiting.size() > waiting) return Outcome::Complete();  // looked at again in the next run
  run.memory.secret_checked = made_for;
  run.memory.secret_checked_at = run.context.now();
  return Outcome::Complete();
}

namespace {

Status Ensure(Run& run, const kube::Resource& resource, const std::map<std::string, Json>& wanted,
              const std::map<std::string, Json>& actual) {
  for (const auto& [name, object] : wanted) {
    const auto found = actual.find(name);
    if (found == actual.end()) {
      const Status made = run.context.api.Create(resource, object).status();
      if (made.code() == Code::kAlreadyExists) {
        // Either the cache is behind, or it is somebody else's: then it is not touched.
        const auto there = run.context.api.Get(resource, run.cluster.ns, name);
        if (there.ok() && kube::Label(*there, specs::kClusterLabel) != run.cluster.name) {
          run.WaitFor("the name of the " + resource.kind + " " + name + ": another owns it",
                      "delete or rename that object");
        }
        continue;
      }
      RETURN_IF_ERROR(made);
      run.changed = true;
    } else if (!kube::BeingDeleted(found->second) && !kube::Covers(found->second, object)) {
      const auto applied = run.context.api.Patch(
          resource, run.cluster.ns, name, object,
          {.type = kube::PatchType::kApply, .subresource = {}, .field_manager = specs::kManagedBy});
      if (!applied.ok()) return applied.status();
      run.changed = true;
    }
  }
  return Status::Ok();
}

}  // namespace

Outcome EnsureServices(Run& run) {
  const auto wanted = specs::Services(run.cluster);
  Status status = Ensure(run, kube::Services(), wanted, run.services);
  const auto budgets = specs::DisruptionBudgets(run.cluster);
  if (status.ok()) status = Ensure(run, kube::PodDisruptionBudgets(), budgets, run.budgets);
  for (const auto& [name, budget] : run.budgets) {
    if (!status.ok() || budgets.count(name) > 0 || kube::BeingDeleted(budget)) continue;
    status = run.context.api.Delete(kube::PodDisruptionBudgets(), run.cluster.ns, name,
                                    {kube::Uid(budget)});
    if (status.code() == Code::kNotFound) status = Status::Ok();
  }
  for (const auto& [name, service] : run.services) {
    // The instance endpoint of a writer that was scaled away goes after its pod.
    if (!status.ok() || wanted.count(name) > 0 || run.pods.count(name) > 0) continue;
    status = run.context.api.Delete(kube::Services(), run.cluster.ns, name, {kube::Uid(service)});
    if (status.code() == Code::kNotFound) status = Status::Ok();
  }
  return status.ok() ? Outcome::Complete() : Outcome::Retry(status);
}

namespace {

enum class DiskState { kReady, kWait };

// Header of reconciler.h: why no pod ever starts on an empty disk where data should be.
Result<DiskState> EnsureDisk(Run& run, specs::Member& member) {
  const std::string name = specs::DiskName(member);
  const auto found = run.disks.find(name);
  Json disk = found == run.disks.end() ? Json() : found->second;
  if (disk.is_null()) {  // the cache may be behind: ask before calling it gone
    auto live = run.context.api.Get(kube::PersistentVolumeClaims(), run.cluster.ns, name);
    if (!live.ok() && live.code() != Code::kNotFound) return live.status();
    if (live.ok()) disk = std::move(*live);
  }
  if (disk.is_null() && !member.disk_uid.empty()) {
    run.WaitFor("the volume " + name + " of member " + std::to_string(member.id) +
                    ": it is gone, and with it the member's log",
                "restore the PersistentVolumeClaim; a member without its log is never started");
    return DiskState::kWait;
  }
  if (disk.is_null()) {
    // The identity in the cache may be older than the volume's entry: then this is not a new
    // member.
    ASSIGN_OR_RETURN(const Json live, run.context.api.Get(kube::ConfigMaps(), run.cluster.ns,
                                                          specs::IdentityName(run.cluster)));
    if (kube::At(live, {"data"}) != kube::At(run.identity_object, {"data"})) {
      return Status(Code::kConflict, "the identity has changed meanwhile");
    }
    auto made = run.context.api.Create(kube::PersistentVolumeClaims(),
                                       specs::Disk(run.cluster, run.identity, member));
    if (!made.ok()) return made.status();
    disk = std::move(*made);
    run.changed = true;
  }
  if (kube::BeingDeleted(disk)) {
    run.WaitFor("the volume " + name + " is being deleted", "its pod keeps it until it stops");
    return DiskState::kWait;
  }
  if (kube::Label(disk, specs::kClusterIdLabel) != run.identity.cluster_id ||
      (!member.disk_uid.empty() && member.disk_uid != kube::Uid(disk))) {
    run.WaitFor("the volume " + name + " is not the one of member " + std::to_string(member.id),
                "restore the member's own PersistentVolumeClaim");
    return DiskState::kWait;
  }
  if (member.disk_uid.empty()) member.disk_uid = kube::Uid(disk);
  const auto has =
      api::ParseQuantity(kube::TextAt(disk, {"spec", "resources", "requests", "storage"}));
  const auto wants = api::ParseQuantity(run.cluster.size);
  if (has.ok() && wants.ok() && *has < *wants) {
    const auto grown = run.context.api.Patch(
        kube::PersistentVolumeClaims(), run.cluster.ns, name,
        {{"spec", {{"resources", {{"requests", {{"storage", run.cluster.size}}}}}}}}, {});
    if (!grown.ok()) {
      run.WaitFor("the volume " + name + " to grow: " + grown.status().message(),
                  "use a storage class with allowVolumeExpansion, or set the size back");
    }
  }
  return DiskState::kReady;
}

Status CreatePod(Run& run, const Json& pod) {
  const Status made = run.context.api.Create(kube::Pods(), pod).status();
  if (made.code() == Code::kAlreadyExists) {  // the cache is behind
    run.Again(env::Duration(1'000'000));
    return Status::Ok();
  }
  RETURN_IF_ERROR(made);
  run.changed = true;
  run.Event("Normal", "PodCreated", "pod " + kube::Name(pod));
  return Status::Ok();
}

}  // namespace

Outcome EnsureMembers(Run& run) {
  std::set<uint64_t> startable;
  bool recorded_new = false;
  for (specs::Member& member : run.identity.members) {
    const bool was_recorded = !member.disk_uid.empty();
    const auto disk = EnsureDisk(run, member);
    if (!disk.ok()) return Outcome::Retry(disk.status());
    recorded_new |= !was_recorded && !member.disk_uid.empty();
    if (*disk == DiskState::kReady) startable.insert(member.id);
  }
  if (recorded_new) {
    Json fresh = specs::IdentityConfigMap(run.cluster, run.identity);
    fresh["metadata"]["resourceVersion"] =
        kube::TextAt(run.identity_object, {"metadata", "resourceVersion"});
    auto written = run.context.api.Replace(kube::ConfigMaps(), fresh, "");
    if (!written.ok()) return Outcome::Retry(written.status());
    run.identity_object = std::move(*written);
  }
  for (const specs::Member& member : run.identity.members) {
    if (run.pods.count(member.pod) > 0 || startable.count(member.id) == 0) continue;
    const Status made =
        CreatePod(run, specs::MemberPod(run.cluster, run.identity, member, run.context.images));
    if (!made.ok()) return Outcome::Retry(made);
  }
  return Outcome::Complete();
}

Outcome EnsureWriters(Run& run) {
  for (int n = 0; n < run.cluster.writers; ++n) {
    if (run.pods.count(specs::WriterName(run.cluster, n)) > 0) continue;
    const Status made =
        CreatePod(run, specs::WriterPod(run.cluster, run.identity, n, run.context.images));
    if (!made.ok()) return Outcome::Retry(made);
  }
  return Outcome::Complete();
}

}  // namespace borealis::reconcile
