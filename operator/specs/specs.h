// PURE: the objects that a cluster wants, as JSON. Names and labels are decided here and nowhere
// else. The operator's own version is not in any of them: upgrading it restarts no database.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/api/cluster.h"

namespace borealis::specs {

using api::Json;

constexpr char kManagedBy[] = "borealis-operator";
constexpr char kManagedSelector[] = "app.kubernetes.io/managed-by=borealis-operator";
constexpr char kClusterLabel[] = "borealisdb.io/cluster";
constexpr char kRoleLabel[] = "borealisdb.io/role";  // writer | storage | chaos
constexpr char kZoneLabel[] = "borealisdb.io/zone";
constexpr char kServingLabel[] = "borealisdb.io/serving";
constexpr char kInstanceLabel[] = "borealisdb.io/instance";
constexpr char kMemberLabel[] = "borealisdb.io/member-id";
constexpr char kClusterIdLabel[] = "borealisdb.io/cluster-id";
constexpr char kHashAnnotation[] = "borealisdb.io/pod-hash";
constexpr char kDrainAnnotation[] = "borealisdb.io/drain-started";
constexpr char kZoneNodeLabel[] = "topology.kubernetes.io/zone";
constexpr int kFramesPort = 7000, kAdminPort = 7001, kHttpPort = 7002, kSqlPort = 5432;

struct Images {
  std::string storage, writer, chaos;
  std::string pull_policy = "IfNotPresent";
};

// One storage member for its whole life: the id, the zone and the disk are never another's.
struct Member {
  uint64_t id = 0;
  std::string pod;  // "shop-storage-zone-a-0", also its PVC's suffix and its host name
  std::string zone;
  std::string disk_uid;  // the PVC that holds its log; "" before it was made
};

// What was decided once and must never be decided again; kept in the ConfigMap <cluster>-identity.
struct Identity {
  std::string cluster_id;  // UUID
  std::vector<Member> members;
};

std::string IdentityName(const api::Cluster& cluster);
std::string SecretName(const api::Cluster& cluster);
std::string HeadlessName(const api::Cluster& cluster);
std::string WriterName(const api::Cluster& cluster, int ordinal);
std::string DiskName(const Member& member);
// -1 when the name is none of the cluster's writers'.
int WriterOrdinal(const api::Cluster& cluster, const std::string& pod);

// The members of a new cluster: ids from 1, `members / zones` in each zone, in the zones' order.
std::vector<Member> PlanMembers(const api::Cluster& cluster, const std::vector<std::string>& zones);

Json IdentityConfigMap(const api::Cluster& cluster, const Identity& identity);
Result<Identity> ParseIdentity(const Json& config_map);

Json SuperuserSecret(const api::Cluster& cluster, const std::string& password);
// All Services, by name: cluster, headless, one for each writer.
std::map<std::string, Json> Services(const api::Cluster& cluster);
std::map<std::string, Json> DisruptionBudgets(const api::Cluster& cluster);
Json Disk(const api::Cluster& cluster, const Identity& identity, const Member& member);
Json MemberPod(const api::Cluster& cluster, const Identity& identity, const Member& member,
               const Images& images);
Json WriterPod(const api::Cluster& cluster, const Identity& identity, int ordinal,
               const Images& images);

struct ChaosPlan {
  std::vector<std::string> writers;  // pod names
};
Json ChaosJob(const api::ChaosTest& test, const api::Cluster& cluster, const ChaosPlan& plan,
              const Images& images);
std::string ChaosJobName(const api::ChaosTest& test);

// FNV-1a of the text, 16 hex digits.
std::string HashOf(const std::string& text);

}  // namespace borealis::specs
