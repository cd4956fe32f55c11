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

// The zones of a new cluster, or empty with what is missing in run.waiting.
std::vector<std::string> ChooseZones(Run& run) {
  std::set<std::string> labelled;
  size_t nodes = 0;
  for (const Json& node : run.context.reader.List(kube::Nodes(), "")) {
    ++nodes;
    const std::string zone = kube::Label(node, specs::kZoneNodeLabel);
    if (!zone.empty()) labelled.insert(zone);
  }
  for (const std::string& zone : run.cluster.zones) {
    if (labelled.count(zone) > 0) continue;
    run.WaitFor("a node in zone " + zone,
                "label a node with " + std::string(specs::kZoneNodeLabel) + "=" + zone +
                    ", or make the cluster with other spec.storage.zones");
  }
  if (!run.cluster.zones.empty()) return run.waiting.empty() ? run.cluster.zones
                                                             : std::vector<std::string>();
  const size_t needed = run.cluster.members == 1 ? 1 : 3;
  if (labelled.size() < needed) {
    run.WaitFor("nodes in " + std::to_string(needed) + " zones: " + std::to_string(nodes) +
                    " nodes are labelled with " + std::to_string(labelled.size()) + " zones",
                "label nodes with " + std::string(specs::kZoneNodeLabel) + ", add nodes in other "
                "zones, or ask for fewer spec.storage.members");
    return {};
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
  if (!kube::TextAt(run.object, {"status", "clusterId"}).empty() || !run.disks.empty()) {
    run.WaitFor("the ConfigMap " + specs::IdentityName(run.cluster) +
                    ", which says which volume is whose: it is gone, the cluster's volumes may not be",
                "restore the ConfigMap; nothing is started over data without it");
    return Outcome::Wait();
  }
  const std::vector<std::string> zones = ChooseZones(run);
  CheckStorageClass(run);
  if (!run.waiting.empty()) return Outcome::Wait();
  specs::Identity identity;
  identity.cluster_id = NewUuid(run.context.random);
  identity.members = specs::PlanMembers(run.cluster, zones);
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

// Secrets are neither listed nor watched: only this one is read, when what it depends on changes.
Outcome EnsureSecret(Run& run) {
  const std::string made_for = run.cluster.uid + "/" + std::to_string(run.cluster.writers);
  if (run.memory.secret_checked == made_for) return Outcome::Complete();
  kube::Api& api = run.context.api;
  const std::string name = specs::SecretName(run.cluster);
  const auto found = api.Get(kube::Secrets(), run.cluster.ns, name);
  Status status;
  if (found.code() == Code::kNotFound) {
    const Json secret = specs::SuperuserSecret(run.cluster, NewPassword(run.context.random));
    status = api.Create(kube::Secrets(), secret).status();
  } else if (found.ok()) {
    const auto password = kube::DecodeBase64(kube::TextAt(*found, {"data", "password"}));
    if (!password.ok() || password->empty()) {
      run.WaitFor("a password in the Secret " + name, "put the superuser's password into it");
      return Outcome::Complete();
    }
    const Json wanted = specs::SuperuserSecret(run.cluster, *password);
    status = api.Patch(kube::Secrets(), run.cluster.ns, name,
                       {{"stringData", wanted["stringData"]}}, {})
                 .status();
  } else {
    status = found.status();
  }
  if (!status.ok()) return Outcome::Retry(status);
  run.memory.secret_checked = made_for;
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
  if (status.ok()) {
    status = Ensure(run, kube::PodDisruptionBudgets(), specs::DisruptionBudgets(run.cluster),
                    run.budgets);
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
  const auto has = api::ParseQuantity(
      kube::TextAt(disk, {"spec", "resources", "requests", "storage"}));
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
    const Status made = CreatePod(
        run, specs::MemberPod(run.cluster, run.identity, member, run.context.images));
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
