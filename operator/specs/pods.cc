#include <algorithm>

#include "operator/specs/internal.h"

namespace borealis::specs {
namespace {

std::string Listen(int port) {
  return "0.0.0.0:" + std::to_string(port);
}

Json HttpProbe(const char* path, int initial, int period, int failures) {
  return {{"httpGet", {{"path", path}, {"port", kHttpPort}}},
          {"initialDelaySeconds", initial},
          {"periodSeconds", period},
          {"timeoutSeconds", 2},
          {"failureThreshold", failures}};
}

// What "restricted" Pod Security asks for, and a root file system that cannot be written.
Json ContainerSecurity() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"runAsNonRoot", true},
          {"capabilities", {{"drop", {"ALL"}}}}};
}

Json PodSecurity() {
  return {{"runAsNonRoot", true},
          {"runAsUser", 65532},
          {"runAsGroup", 65532},
          {"fsGroup", 65532},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json InZone(const std::string& zone) {
  return {{"matchExpressions",
           Json::array({{{"key", kZoneNodeLabel}, {"operator", "In"}, {"values", {zone}}}})}};
}

// Pods of the same cluster and role rather stand on different nodes.
Json Apart(const api::Cluster& cluster, const char* role) {
  return {{"preferredDuringSchedulingIgnoredDuringExecution",
           Json::array(
               {{{"weight", 50},
                 {"podAffinityTerm",
                  {{"topologyKey", "kubernetes.io/hostname"},
                   {"labelSelector",
                    {{"matchLabels", {{kClusterLabel, cluster.name}, {kRoleLabel, role}}}}}}}}})}};
}

Json EmptyPodSpec() {
  return {{"securityContext", PodSecurity()},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"restartPolicy", "Always"}};
}

// The hash covers the whole spec: a pod whose annotation differs from the wanted one is outdated.
Json Finish(Json metadata, Json spec) {
  metadata["annotations"][kHashAnnotation] = HashOf(spec.dump());
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

std::string MemberHost(const api::Cluster& cluster, const Member& member) {
  return member.pod + "." + HeadlessName(cluster) + ":" + std::to_string(kFramesPort);
}

}  // namespace

Json MemberPod(const api::Cluster& cluster, const Identity& identity, const Member& member,
               const Images& images) {
  std::vector<std::string> command = {"/usr/bin/borealis-storage",
                                      "--member-id=" + std::to_string(member.id),
                                      "--cluster-id=" + identity.cluster_id,
                                      "--zone=" + member.zone,
                                      "--data-dir=/data/borealis",
                                      "--listen=" + Listen(kFramesPort),
                                      "--admin-listen=" + Listen(kAdminPort),
                                      "--http-listen=" + Listen(kHttpPort)};
  for (const Member& peer : identity.members) {
    command.push_back("--peer=" + std::to_string(peer.id) + "=" + MemberHost(cluster, peer));
  }
  if (cluster.chaos_enabled) command.push_back("--chaos-enabled");

  Json container = {{"name", "storage"},
                    {"image", images.storage},
                    {"imagePullPolicy", images.pull_policy},
                    {"command", command},
                    {"securityContext", ContainerSecurity()},
                    {"ports", Json::array({{{"name", "frames"}, {"containerPort", kFramesPort}},
                                           {{"name", "admin"}, {"containerPort", kAdminPort}},
                                           {{"name", "http"}, {"containerPort", kHttpPort}}})},
                    {"readinessProbe", HttpProbe("/readyz", 0, 2, 2)},
                    {"livenessProbe", HttpProbe("/healthz", 30, 10, 12)},
                    {"volumeMounts", Json::array({{{"name", "data"}, {"mountPath", "/data"}},
                                                  {{"name", "tmp"}, {"mountPath", "/tmp"}}})}};
  if (!cluster.storage_resources.empty()) container["resources"] = cluster.storage_resources;
  Json spec = EmptyPodSpec();
  spec["hostname"] = member.pod;
  spec["subdomain"] = HeadlessName(cluster);
  spec["terminationGracePeriodSeconds"] = 30;
  spec["containers"] = Json::array({std::move(container)});
  spec["volumes"] =
      Json::array({{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", DiskName(member)}}}},
                   {{"name", "tmp"}, {"emptyDir", Json::object()}}});
  spec["affinity"] = {{"nodeAffinity",
                       {{"requiredDuringSchedulingIgnoredDuringExecution",
                         {{"nodeSelectorTerms", Json::array({InZone(member.zone)})}}}}},
                      {"podAntiAffinity", Apart(cluster, "storage")}};
  Json metadata = Metadata(cluster, member.pod, "storage", true);
  metadata["labels"][kMemberLabel] = std::to_string(member.id);
  metadata["labels"][kZoneLabel] = member.zone;
  metadata["labels"][kInstanceLabel] = member.pod;
  return Finish(std::move(metadata), std::move(spec));
}

Json WriterPod(const api::Cluster& cluster, const Identity& identity, int ordinal,
               const Images& images) {
  const std::string name = WriterName(cluster, ordinal);
  // Writers go round the zones that hold members.
  std::vector<std::string> zones;
  for (const Member& m : identity.members) {
    if (std::find(zones.begin(), zones.end(), m.zone) == zones.end()) zones.push_back(m.zone);
  }
  const std::string zone = zones.empty() ? "" : zones[static_cast<size_t>(ordinal) % zones.size()];
  std::vector<std::string> command = {"/usr/bin/borealis-writer", "--name=" + name,
                                      "--cluster-id=" + identity.cluster_id, "--zone=" + zone};
  for (const Member& m : identity.members) {
    command.push_back("--member=" + std::to_string(m.id) + "=" + MemberHost(cluster, m) + "@" +
                      m.zone);
  }
  command.insert(command.end(),
                 {"--listen=" + Listen(kSqlPort), "--admin-listen=" + Listen(kAdminPort),
                  "--http-listen=" + Listen(kHttpPort), "--superuser=postgres",
                  "--superuser-password-file=/etc/borealis/superuser/password"});
  if (cluster.chaos_enabled) command.push_back("--chaos-enabled");

  Json container = {
      {"name", "writer"},
      {"image", images.writer},
      {"imagePullPolicy", images.pull_policy},
      {"command", command},
      {"securityContext", ContainerSecurity()},
      {"ports", Json::array({{{"name", "postgresql"}, {"containerPort", kSqlPort}},
                             {{"name", "admin"}, {"containerPort", kAdminPort}},
                             {{"name", "http"}, {"containerPort", kHttpPort}}})},
      {"readinessProbe", HttpProbe("/readyz", 0, 1, 2)},
      {"livenessProbe", HttpProbe("/healthz", 30, 10, 12)},
      {"volumeMounts",
       Json::array(
           {{{"name", "superuser"}, {"mountPath", "/etc/borealis/superuser"}, {"readOnly", true}},
            {{"name", "tmp"}, {"mountPath", "/tmp"}}})}};
  if (!cluster.writer_resources.empty()) container["resources"] = cluster.writer_resources;
  Json spec = EmptyPodSpec();
  spec["hostname"] = name;
  spec["terminationGracePeriodSeconds"] = 30;
  spec["containers"] = Json::array({std::move(container)});
  spec["volumes"] =
      Json::array({{{"name", "superuser"},
                    {"secret",
                     {{"secretName", SecretName(cluster)},
                      {"items", Json::array({{{"key", "password"}, {"path", "password"}}})}}}},
                   {{"name", "tmp"}, {"emptyDir", Json::object()}}});
  // Preferred, not required: with its zone gone a writer runs elsewhere.
  spec["affinity"] = {{"podAntiAffinity", Apart(cluster, "writer")}};
  if (!zone.empty()) {
    spec["affinity"]["nodeAffinity"] = {
        {"preferredDuringSchedulingIgnoredDuringExecution",
         Json::array({{{"weight", 100}, {"preference", InZone(zone)}}})}};
  }
  // A writer holds no data: it moves off a lost node soon.
  spec["tolerations"] = Json::array({{{"key", "node.kubernetes.io/not-ready"},
                                      {"operator", "Exists"},
                                      {"effect", "NoExecute"},
                                      {"tolerationSeconds", 15}},
                                     {{"key", "node.kubernetes.io/unreachable"},
                                      {"operator", "Exists"},
                                      {"effect", "NoExecute"},
                                      {"tolerationSeconds", 15}}});
  Json metadata = Metadata(cluster, name, "writer", true);
  metadata["labels"][kZoneLabel] = zone;
  metadata["labels"][kInstanceLabel] = name;
  return Finish(std::move(metadata), std::move(spec));
}

std::string ChaosJobName(const api::ChaosTest& test) {
  return test.name + "-chaos";
}

Json ChaosJob(const api::ChaosTest& test, const api::Cluster& cluster, const ChaosPlan& plan,
              const Images& images) {
  std::string writers, faults;
  for (const std::string& writer : plan.writers) {
    writers +=
        (writers.empty() ? "" : ",") + writer + "=" + writer + ":" + std::to_string(kSqlPort);
  }
  for (const api::Fault& fault : test.faults) {
    faults += (faults.empty() ? "" : ",") + std::to_string(fault.at_seconds) + "s:" + fault.name;
  }
  // Tables of an earlier test stay untouched.
  const std::string prefix = "chaos_" + HashOf(test.uid).substr(0, 8);
  std::vector<std::string> command = {"/usr/bin/borealis-chaos",
                                      "--writers=" + writers,
                                      "--password-file=/etc/borealis/superuser/password",
                                      "--workload=Bank",
                                      "--clients=" + std::to_string(test.clients),
                                      "--accounts=" + std::to_string(test.accounts),
                                      "--duration=" + std::to_string(test.duration_seconds) + "s",
                                      "--table-prefix=" + prefix,
                                      "--http-listen=" + Listen(kHttpPort),
                                      "--result-file=/dev/termination-log"};
  if (!faults.empty()) command.push_back("--faults=" + faults);
  Json probe = HttpProbe("/readyz", 0, 1, 1);
  Json container = {{"name", "chaos"},
                    {"image", images.chaos},
                    {"imagePullPolicy", images.pull_policy},
                    {"command", command},
                    {"securityContext", ContainerSecurity()},
                    {"readinessProbe", std::move(probe)},
                    {"terminationMessagePolicy", "FallbackToLogsOnError"},
                    {"volumeMounts", Json::array({{{"name", "superuser"},
                                                   {"mountPath", "/etc/borealis/superuser"},
                                                   {"readOnly", true}}})}};
  Json pod = EmptyPodSpec();
  pod["restartPolicy"] = "Never";
  pod["terminationGracePeriodSeconds"] = 2;
  pod["containers"] = Json::array({std::move(container)});
  pod["volumes"] =
      Json::array({{{"name", "superuser"},
                    {"secret",
                     {{"secretName", SecretName(cluster)},
                      {"items", Json::array({{{"key", "password"}, {"path", "password"}}})}}}}});
  Json metadata = Metadata(cluster, ChaosJobName(test), "chaos", false);
  metadata["labels"]["borealisdb.io/chaos-test"] = test.name;
  metadata["ownerReferences"] = OwnerReferences("ChaosTest", test.name, test.uid);
  const Json labels = metadata["labels"];
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata", std::move(metadata)},
          {"spec",
           {{"backoffLimit", 0},
            {"activeDeadlineSeconds", test.duration_seconds + 300},
            {"template", {{"metadata", {{"labels", labels}}}, {"spec", std::move(pod)}}}}}};
}

}  // namespace borealis::specs
