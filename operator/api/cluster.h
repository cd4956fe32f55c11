// The typed resources of borealisdb.io/v1alpha1: the only place that knows the CRDs' fields.
// Defaults and checks here repeat those of crds/*.yaml, so that an object which came past an older
// schema is refused as well.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace borealis::api {

using Json = nlohmann::json;

constexpr char kGroup[] = "borealisdb.io";
constexpr char kApiVersion[] = "borealisdb.io/v1alpha1";

enum class DeletionPolicy { kRetain, kDelete };

struct Cluster {
  std::string name, ns, uid;
  int64_t generation = 0;
  bool being_deleted = false;

  std::string version = "0.1";
  bool paused = false;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
  int writers = 3;
  int drain_seconds = 60;
  Json writer_resources = Json::object();  // corev1 ResourceRequirements
  int members = 6;
  std::vector<std::string> zones;  // empty: the nodes' labels decide
  std::string size = "20Gi";
  std::string storage_class;  // empty: the default class
  Json storage_resources = Json::object();
  bool chaos_enabled = false;
};

// Reads, defaults and checks. kInvalidArgument with a sentence that names the field.
Result<Cluster> ParseCluster(const Json& object);
// The spec with all defaults, as ParseCluster reads it.
Json ClusterSpecJson(const Cluster& cluster);

enum class FaultType { kKillPod, kPause };
enum class TargetRole { kWriter, kStorage, kLeader };

struct Fault {
  std::string name;  // "0-killpod-writer"
  double at_seconds = 0;
  FaultType type = FaultType::kKillPod;
  TargetRole role = TargetRole::kWriter;
  int count = 1;
  int duration_seconds = 10;  // Pause
};

struct ChaosTest {
  std::string name, ns, uid, cluster;
  int64_t generation = 0;
  int clients = 16;
  int duration_seconds = 60;
  int accounts = 1000;
  std::vector<Fault> faults;
  int64_t lost_writes = 0, anomalies = 0;
  int64_t write_gap_p99_ms = 5000, write_gap_max_ms = 5000;
};

Result<ChaosTest> ParseChaosTest(const Json& object);

// "20Gi", "500M", "1e3" in bytes; kInvalidArgument for anything else, zero and below.
Result<double> ParseQuantity(const std::string& text);
// "20s", "1m30s", "500ms" in seconds.
Result<double> ParseDuration(const std::string& text);

}  // namespace borealis::api
