#include "operator/api/cluster.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <set>

namespace borealis::api {
namespace {

// Reads fields of one object; the first error is kept. Absent and null mean the default.
class Fields {
 public:
  Fields(const Json& object, std::string path, Status* status)
      : object_(object), path_(std::move(path)), status_(status) {
    if (!object_.is_object() && !object_.is_null()) Refuse("", "must be an object");
  }

  Json Get(const std::string& key) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? Json() : *found;
  }
  Fields Child(const std::string& key) {
    children_.push_back(std::make_unique<Json>(Get(key)));
    return Fields(*children_.back(), path_ + "." + key, status_);
  }
  void Int(const std::string& key, int64_t min, int64_t max, int64_t* out) {
    const Json value = Get(key);
    if (value.is_null()) return;
    if (!value.is_number_integer() || value < min || value > max) {
      return Refuse(key,
                    "must be a number from " + std::to_string(min) + " to " + std::to_string(max));
    }
    *out = value.get<int64_t>();
  }
  void Int(const std::string& key, int64_t min, int64_t max, int* out) {
    int64_t wide = *out;
    Int(key, min, max, &wide);
    *out = static_cast<int>(wide);
  }
  void Bool(const std::string& key, bool* out) {
    const Json value = Get(key);
    if (value.is_null()) return;
    if (!value.is_boolean()) return Refuse(key, "must be true or false");
    *out = value.get<bool>();
  }
  void Text(const std::string& key, std::string* out) {
    const Json value = Get(key);
    if (value.is_null()) return;
    if (!value.is_string()) return Refuse(key, "must be a string");
    *out = value.get<std::string>();
  }
  void Object(const std::string& key, Json* out) {
    const Json value = Get(key);
    if (value.is_null()) return;
    if (!value.is_object()) return Refuse(key, "must be an object");
    *out = value;
  }
  void Refuse(const std::string& key, const std::string& why) {
    if (status_->ok()) {
      *status_ = InvalidArgument(path_ + (key.empty() ? "" : "." + key) + " " + why);
    }
  }

 private:
  const Json& object_;
  std::string path_;
  Status* status_;
  std::vector<std::unique_ptr<Json>> children_;
};

std::string TextOf(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

struct Meta {
  std::string name, ns, uid;
  int64_t generation = 0;
  bool being_deleted = false;
};

Result<Meta> ReadMeta(const Json& object) {
  const Json metadata =
      object.is_object() && object.contains("metadata") ? object["metadata"] : Json();
  Meta meta;
  meta.name = TextOf(metadata, "name");
  meta.ns = TextOf(metadata, "namespace");
  meta.uid = TextOf(metadata, "uid");
  if (meta.name.empty() || meta.ns.empty()) return InvalidArgument("metadata.name is missing");
  if (metadata.contains("generation") && metadata["generation"].is_number_integer()) {
    meta.generation = metadata["generation"].get<int64_t>();
  }
  meta.being_deleted = !TextOf(metadata, "deletionTimestamp").empty();
  return meta;
}

void ReadZones(Fields& storage, Cluster* cluster) {
  const Json zones = storage.Get("zones");
  if (zones.is_null()) return;
  if (!zones.is_array()) return storage.Refuse("zones", "must be a list");
  for (const Json& zone : zones) {
    if (!zone.is_string()) return storage.Refuse("zones", "must be a list of strings");
    cluster->zones.push_back(zone.get<std::string>());
  }
  if (std::set(cluster->zones.begin(), cluster->zones.end()).size() != cluster->zones.size()) {
    storage.Refuse("zones", "must not name a zone twice");
  }
  const size_t needed = cluster->members == 1 ? 1 : 3;
  if (!cluster->zones.empty() && cluster->zones.size() != needed) {
    storage.Refuse("zones", "must name exactly " + std::to_string(needed) + " for " +
                                std::to_string(cluster->members) + " members, or none");
  }
}

void ReadStorage(Fields storage, Cluster* cluster) {
  storage.Int("members", 1, 6, &cluster->members);
  if (cluster->members != 1 && cluster->members != 3 && cluster->members != 6) {
    storage.Refuse("members", "must be 1, 3 or 6");
  }
  ReadZones(storage, cluster);
  storage.Text("size", &cluster->size);
  const auto bytes = ParseQuantity(cluster->size);
  if (!bytes.ok()) storage.Refuse("size", bytes.status().message());
  storage.Text("storageClassName", &cluster->storage_class);
  storage.Object("resources", &cluster->storage_resources);
}

}  // namespace

Result<Cluster> ParseCluster(const Json& object) {
  ASSIGN_OR_RETURN(const Meta meta, ReadMeta(object));
  Cluster cluster;
  cluster.name = meta.name;
  cluster.ns = meta.ns;
  cluster.uid = meta.uid;
  cluster.generation = meta.generation;
  cluster.being_deleted = meta.being_deleted;
  if (cluster.name.size() > 40) return InvalidArgument("metadata.name has more than 40 characters");

  Status status;
  const Json spec_json = object.contains("spec") ? object["spec"] : Json();
  Fields spec(spec_json, "spec", &status);
  spec.Text("version", &cluster.version);
  if (cluster.version != "0.1") spec.Refuse("version", "must be 0.1, the only version there is");
  spec.Bool("paused", &cluster.paused);
  std::string policy = "Retain";
  spec.Text("deletionPolicy", &policy);
  if (policy != "Retain" && policy != "Delete") {
    spec.Refuse("deletionPolicy", "must be Retain or Delete (Snapshot does not exist yet)");
  }
  cluster.deletion_policy = policy == "Delete" ? DeletionPolicy::kDelete : DeletionPolicy::kRetain;
  Fields writers = spec.Child("writers");
  writers.Int("replicas", 1, 9, &cluster.writers);
  writers.Int("drainSeconds", 0, 3600, &cluster.drain_seconds);
  writers.Object("resources", &cluster.writer_resources);
  ReadStorage(spec.Child("storage"), &cluster);
  std::string tls = "Disabled";
  spec.Child("tls").Text("mode", &tls);
  if (tls != "Disabled") spec.Refuse("tls.mode", "must be Disabled: TLS does not exist yet");
  spec.Child("chaos").Bool("enabled", &cluster.chaos_enabled);
  if (!status.ok()) return status;
  return cluster;
}

Json ClusterSpecJson(const Cluster& c) {
  Json spec = {
      {"version", c.version},
      {"paused", c.paused},
      {"deletionPolicy", c.deletion_policy == DeletionPolicy::kDelete ? "Delete" : "Retain"},
      {"writers", {{"replicas", c.writers}, {"drainSeconds", c.drain_seconds}}},
      {"storage", {{"members", c.members}, {"size", c.size}}},
      {"tls", {{"mode", "Disabled"}}},
      {"chaos", {{"enabled", c.chaos_enabled}}}};
  if (!c.writer_resources.empty()) spec["writers"]["resources"] = c.writer_resources;
  if (!c.zones.empty()) spec["storage"]["zones"] = c.zones;
  if (!c.storage_class.empty()) spec["storage"]["storageClassName"] = c.storage_class;
  if (!c.storage_resources.empty()) spec["storage"]["resources"] = c.storage_resources;
  return spec;
}

Result<double> ParseQuantity(const std::string& text) {
  static const std::vector<std::pair<std::string, double>> kSuffixes = {{"Ki", 1024.0},
                                                                        {"Mi", 1048576.0},
                                                                        {"Gi", 1073741824.0},
                                                                        {"Ti", 1099511627776.0},
                                                                        {"Pi", 1125899906842624.0},
                                                                        {"k", 1e3},
                                                                        {"M", 1e6},
                                                                        {"G", 1e9},
                                                                        {"T", 1e12},
                                                                        {"P", 1e15},
                                                                        {"", 1}};
  char* end = nullptr;
  if (text.empty() || text[0] < '0' || text[0] > '9') {
    return InvalidArgument("\"" + text + "\" is not a size such as 20Gi");
  }
  const double number = std::strtod(text.c_str(), &end);
  for (const auto& [suffix, factor] : kSuffixes) {
    if (suffix == end && number > 0 && number * factor < 1e18) return number * factor;
  }
  return InvalidArgument("\"" + text + "\" is not a size such as 20Gi");
}

Result<double> ParseDuration(const std::string& text) {
  static const std::vector<std::pair<std::string, double>> kUnits = {
      {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
  double total = 0;
  const char* at = text.c_str();
  while (*at != '\0') {
    if (*at < '0' || *at > '9') break;
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    bool known = false;
    for (const auto& [unit, factor] : kUnits) {
      if (std::string(end).compare(0, unit.size(), unit) != 0) continue;
      total += number * factor;
      end += unit.size();
      known = true;
      break;
    }
    if (!known) break;
    at = end;
  }
  if (text.empty() || *at != '\0' || total > 86400) {
    return InvalidArgument("\"" + text + "\" is not a duration such as 20s");
  }
  return total;
}

namespace {

Result<Fault> ParseFault(const Json& json, size_t index, double run_seconds) {
  Status status;
  Fault fault;
  Fields fields(json, "spec.faults[" + std::to_string(index) + "]", &status);
  std::string at = "0s", type, role;
  fields.Text("at", &at);
  const auto seconds = ParseDuration(at);
  if (!seconds.ok())
    fields.Refuse("at", seconds.status().message());
  else
    fault.at_seconds = *seconds;
  if (fault.at_seconds >= run_seconds) fields.Refuse("at", "is after the workload's end");
  fields.Text("type", &type);
  if (type == "KillPod")
    fault.type = FaultType::kKillPod;
  else if (type == "Pause")
    fault.type = FaultType::kPause;
  else
    fields.Refuse("type", "must be KillPod or Pause: other faults do not exist yet");
  Fields target = fields.Child("target");
  target.Text("role", &role);
  if (role == "Writer")
    fault.role = TargetRole::kWriter;
  else if (role == "Storage")
    fault.role = TargetRole::kStorage;
  else if (role == "Leader")
    fault.role = TargetRole::kLeader;
  else
    target.Refuse("role", "must be Writer, Storage or Leader");
  target.Int("count", 1, 9, &fault.count);
  if (fault.role == TargetRole::kLeader && fault.count != 1) {
    target.Refuse("count", "must be 1: there is one leader");
  }
  fields.Int("durationSeconds", 1, 600, &fault.duration_seconds);
  if (!status.ok()) return status;
  std::string lower = type + "-" + role;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  fault.name = std::to_string(index) + "-" + lower;
  return fault;
}

}  // namespace

Result<ChaosTest> ParseChaosTest(const Json& object) {
  ASSIGN_OR_RETURN(const Meta meta, ReadMeta(object));
  ChaosTest test;
  test.name = meta.name;
  test.ns = meta.ns;
  test.uid = meta.uid;
  test.generation = meta.generation;
  if (test.name.size() > 40) return InvalidArgument("metadata.name has more than 40 characters");
  Status status;
  const Json spec_json = object.contains("spec") ? object["spec"] : Json();
  Fields spec(spec_json, "spec", &status);
  spec.Child("clusterRef").Text("name", &test.cluster);
  if (test.cluster.empty()) spec.Refuse("clusterRef.name", "is missing");
  std::string type = "Bank";
  Fields workload = spec.Child("workload");
  workload.Text("type", &type);
  if (type != "Bank") workload.Refuse("type", "must be Bank: others do not exist yet");
  workload.Int("clients", 1, 256, &test.clients);
  workload.Int("durationSeconds", 1, 86400, &test.duration_seconds);
  workload.Int("accounts", 2, 1000000, &test.accounts);
  Fields criteria = spec.Child("passCriteria");
  criteria.Int("lostWrites", 0, 1 << 30, &test.lost_writes);
  criteria.Int("anomalies", 0, 1 << 30, &test.anomalies);
  criteria.Int("writeGapP99Ms", 1, 3600000, &test.write_gap_p99_ms);
  criteria.Int("writeGapMaxMs", 1, 3600000, &test.write_gap_max_ms);
  const Json faults = spec.Get("faults");
  if (!faults.is_null() && (!faults.is_array() || faults.size() > 100)) {
    spec.Refuse("faults", "must be a list of at most 100");
  }
  if (!status.ok()) return status;
  for (size_t i = 0; i < faults.size(); ++i) {
    ASSIGN_OR_RETURN(Fault fault, ParseFault(faults[i], i, test.duration_seconds));
    test.faults.push_back(std::move(fault));
  }
  return test;
}

}  // namespace borealis::api
