#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "operator/specs/internal.h"

namespace borealis::specs {
namespace {

// A zone's name as part of a DNS label.
std::string ZonePart(const std::string& zone) {
  std::string part;
  for (const char c : zone) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    part += plain ? c : (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : '-';
  }
  if (part == zone && part.size() <= 20) return part;
  part = part.substr(0, 11);
  while (!part.empty() && part.back() == '-') part.pop_back();
  return part + "-" + HashOf(zone).substr(0, 8);
}

Json Port(const char* name, int port) {
  return {{"name", name}, {"port", port}, {"targetPort", port}, {"protocol", "TCP"}};
}

std::string Host(const api::Cluster& cluster, const std::string& service) {
  return service + "." + cluster.ns + ".svc";
}

Json Service(const api::Cluster& cluster, const std::string& name, const char* role, Json selector,
             Json ports, bool headless) {
  Json service = {
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata", Metadata(cluster, name, role, true)},
      {"spec",
       {{"type", "ClusterIP"}, {"selector", std::move(selector)}, {"ports", std::move(ports)}}}};
  if (headless) {
    service["spec"]["clusterIP"] = "None";
    service["spec"]["publishNotReadyAddresses"] = true;
  }
  return service;
}

}  // namespace

std::string HashOf(const std::string& text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

Json OwnerReferences(const std::string& kind, const std::string& name, const std::string& uid) {
  return Json::array({{{"apiVersion", api::kApiVersion},
                       {"kind", kind},
                       {"name", name},
                       {"uid", uid},
                       {"controller", true},
                       {"blockOwnerDeletion", false}}});
}

Json Metadata(const api::Cluster& cluster, const std::string& name, const std::string& role,
              bool owned) {
  Json labels = {{"app.kubernetes.io/name", "borealis"},
                 {"app.kubernetes.io/instance", cluster.name},
                 {"app.kubernetes.io/managed-by", kManagedBy},
                 {kClusterLabel, cluster.name}};
  if (!role.empty()) labels[kRoleLabel] = role;
  Json metadata = {{"name", name}, {"namespace", cluster.ns}, {"labels", std::move(labels)}};
  if (owned) {
    metadata["ownerReferences"] = OwnerReferences("MultiMasterCluster", cluster.name, cluster.uid);
  }
  return metadata;
}

// What must outlive the resource when its deletionPolicy is Retain has no owner then; with Delete
// it has, and Kubernetes' garbage collector removes it. So no finalizer is needed.
bool DataIsOwned(const api::Cluster& cluster) {
  return cluster.deletion_policy == api::DeletionPolicy::kDelete;
}

std::string IdentityName(const api::Cluster& c) {
  return c.name + "-identity";
}
std::string SecretName(const api::Cluster& c) {
  return c.name + "-superuser";
}
std::string HeadlessName(const api::Cluster& c) {
  return c.name + "-storage";
}
std::string WriterName(const api::Cluster& c, int n) {
  return c.name + "-w-" + std::to_string(n);
}
std::string DiskName(const Member& member) {
  return "data-" + member.pod;
}

int WriterOrdinal(const api::Cluster& cluster, const std::string& pod) {
  const std::string prefix = cluster.name + "-w-";
  if (pod.compare(0, prefix.size(), prefix) != 0) return -1;
  const std::string rest = pod.substr(prefix.size());
  if (rest.empty() || rest.size() > 4 || rest.find_first_not_of("0123456789") != rest.npos) {
    return -1;
  }
  return std::atoi(rest.c_str());
}

std::vector<Member> PlanMembers(const api::Cluster& cluster,
                                const std::vector<std::string>& zones) {
  std::vector<Member> members;
  const int in_zone = cluster.members / static_cast<int>(zones.size());
  for (int n = 0; n < in_zone; ++n) {
    for (const std::string& zone : zones) {
      Member member;
      member.id = members.size() + 1;
      member.pod = cluster.name + "-storage-" + ZonePart(zone) + "-" + std::to_string(n);
      member.zone = zone;
      members.push_back(std::move(member));
    }
  }
  return members;
}

Json IdentityConfigMap(const api::Cluster& cluster, const Identity& identity) {
  Json members = Json::array();
  for (const Member& m : identity.members) {
    members.push_back({{"id", m.id}, {"pod", m.pod}, {"zone", m.zone}, {"diskUid", m.disk_uid}});
  }
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", Metadata(cluster, IdentityName(cluster), "", DataIsOwned(cluster))},
          {"data", {{"clusterId", identity.cluster_id}, {"members", members.dump()}}}};
}

Result<Identity> ParseIdentity(const Json& config_map) {
  try {
    Identity identity;
    const Json& data = config_map.at("data");
    identity.cluster_id = data.at("clusterId").get<std::string>();
    const Json members = Json::parse(data.at("members").get<std::string>());
    for (const Json& m : members) {
      identity.members.push_back({m.at("id").get<uint64_t>(), m.at("pod").get<std::string>(),
                                  m.at("zone").get<std::string>(),
                                  m.at("diskUid").get<std::string>()});
    }
    std::set<uint64_t> ids;
    std::set<std::string> pods;
    for (const Member& m : identity.members) {
      if (m.id == 0 || m.pod.empty() || !ids.insert(m.id).second || !pods.insert(m.pod).second) {
        return Corruption("two members with one id or pod, or one without");
      }
    }
    if (identity.cluster_id.size() != 36) return Corruption("its clusterId is no UUID");
    return identity;
  } catch (const Json::exception& e) {
    return Corruption(e.what());
  }
}

Json SuperuserSecret(const api::Cluster& cluster, const std::string& password) {
  const std::string port = std::to_string(kSqlPort);
  std::string hosts;
  for (int n = 0; n < cluster.writers; ++n) {
    hosts += (n > 0 ? "," : "") + Host(cluster, WriterName(cluster, n)) + ":" + port;
  }
  Json metadata = Metadata(cluster, SecretName(cluster), "", DataIsOwned(cluster));
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", std::move(metadata)},
          {"type", "Opaque"},
          {"stringData",
           {{"user", "postgres"},
            {"password", password},
            {"host", Host(cluster, cluster.name)},
            {"port", port},
            {"dbname", "postgres"},
            {"uri", "postgresql://postgres:" + password + "@" + hosts + "/postgres"},
            {"jdbc-uri",
             "jdbc:postgresql://" + hosts + "/postgres?user=postgres&password=" + password}}}};
}

std::map<std::string, Json> Services(const api::Cluster& cluster) {
  std::map<std::string, Json> all;
  const Json sql = Json::array({Port("postgresql", kSqlPort)});
  const Json serving = {
      {kClusterLabel, cluster.name}, {kRoleLabel, "writer"}, {kServingLabel, "true"}};
  all[cluster.name] = Service(cluster, cluster.name, "writer", serving, sql, false);
  for (int n = 0; n < cluster.writers; ++n) {
    const std::string name = WriterName(cluster, n);
    Json selector = serving;
    selector[kInstanceLabel] = name;
    all[name] = Service(cluster, name, "writer", std::move(selector), sql, false);
  }
  all[HeadlessName(cluster)] =
      Service(cluster, HeadlessName(cluster), "storage",
              {{kClusterLabel, cluster.name}, {kRoleLabel, "storage"}},
              Json::array({Port("frames", kFramesPort), Port("admin", kAdminPort),
                           Port("http", kHttpPort)}),
              true);
  return all;
}

std::map<std::string, Json> DisruptionBudgets(const api::Cluster& cluster) {
  std::map<std::string, Json> all;
  for (const char* role : {"storage", "writer"}) {
    // A budget for a single pod could never be met: a drain would wait for ever.
    if ((std::string(role) == "writer" ? cluster.writers : cluster.members) < 2) continue;
    const std::string name = cluster.name + "-" + role;
    all[name] = {
        {"apiVersion", "policy/v1"},
        {"kind", "PodDisruptionBudget"},
        {"metadata", Metadata(cluster, name, role, true)},
        {"spec",
         {{"maxUnavailable", 1},
          {"selector", {{"matchLabels", {{kClusterLabel, cluster.name}, {kRoleLabel, role}}}}}}}};
  }
  return all;
}

Json Disk(const api::Cluster& cluster, const Identity& identity, const Member& member) {
  Json metadata = Metadata(cluster, DiskName(member), "storage", DataIsOwned(cluster));
  metadata["labels"][kMemberLabel] = std::to_string(member.id);
  metadata["labels"][kClusterIdLabel] = identity.cluster_id;
  Json disk = {{"apiVersion", "v1"},
               {"kind", "PersistentVolumeClaim"},
               {"metadata", std::move(metadata)},
               {"spec",
                {{"accessModes", {"ReadWriteOnce"}},
                 {"resources", {{"requests", {{"storage", cluster.size}}}}}}}};
  if (!cluster.storage_class.empty()) disk["spec"]["storageClassName"] = cluster.storage_class;
  return disk;
}

}  // namespace borealis::specs
