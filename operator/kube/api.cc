#include "operator/kube/api.h"

#include <cstdio>
#include <ctime>

namespace borealis::kube {
namespace {

const Json& Null() {
  static const Json null;
  return null;
}

}  // namespace

#define BOREALIS_RESOURCE(function, ...)            \
  const Resource& function() {                      \
    static const Resource resource = {__VA_ARGS__}; \
    return resource;                                \
  }
BOREALIS_RESOURCE(Pods, "", "v1", "pods", "Pod")
BOREALIS_RESOURCE(PersistentVolumeClaims, "", "v1", "persistentvolumeclaims",
                  "PersistentVolumeClaim")
BOREALIS_RESOURCE(Services, "", "v1", "services", "Service")
BOREALIS_RESOURCE(Secrets, "", "v1", "secrets", "Secret")
BOREALIS_RESOURCE(ConfigMaps, "", "v1", "configmaps", "ConfigMap")
BOREALIS_RESOURCE(Events, "", "v1", "events", "Event")
BOREALIS_RESOURCE(Nodes, "", "v1", "nodes", "Node", false, true)
BOREALIS_RESOURCE(WholeNodes, "", "v1", "nodes", "Node", false)
BOREALIS_RESOURCE(StorageClasses, "storage.k8s.io", "v1", "storageclasses", "StorageClass", false,
                  true)
BOREALIS_RESOURCE(PodDisruptionBudgets, "policy", "v1", "poddisruptionbudgets",
                  "PodDisruptionBudget")
BOREALIS_RESOURCE(Jobs, "batch", "v1", "jobs", "Job")
BOREALIS_RESOURCE(Leases, "coordination.k8s.io", "v1", "leases", "Lease")
BOREALIS_RESOURCE(MultiMasterClusters, "borealisdb.io", "v1alpha1", "multimasterclusters",
                  "MultiMasterCluster")
BOREALIS_RESOURCE(ChaosTests, "borealisdb.io", "v1alpha1", "chaostests", "ChaosTest")
#undef BOREALIS_RESOURCE

void Stopper::Stop() {
  std::lock_guard lock(mu_);
  if (stopped_.exchange(true)) return;
  for (auto& [id, hook] : hooks_) hook();
  changed_.notify_all();
}

uint64_t Stopper::OnStop(std::function<void()> function) {
  std::lock_guard lock(mu_);
  if (stopped_) {
    function();
    return 0;
  }
  hooks_[next_] = std::move(function);
  return next_++;
}

void Stopper::Remove(uint64_t id) {
  std::lock_guard lock(mu_);
  hooks_.erase(id);
}

bool Stopper::WaitFor(std::chrono::milliseconds time) {
  std::unique_lock lock(mu_);
  return changed_.wait_for(lock, time, [this] { return stopped_.load(); });
}

const Json& At(const Json& object, std::initializer_list<const char*> path) {
  const Json* at = &object;
  for (const char* key : path) {
    if (!at->is_object()) return Null();
    const auto found = at->find(key);
    if (found == at->end()) return Null();
    at = &*found;
  }
  return *at;
}

std::string TextAt(const Json& object, std::initializer_list<const char*> path) {
  const Json& at = At(object, path);
  return at.is_string() ? at.get<std::string>() : "";
}
int64_t IntAt(const Json& object, std::initializer_list<const char*> path, int64_t otherwise) {
  const Json& at = At(object, path);
  return at.is_number_integer() ? at.get<int64_t>() : otherwise;
}
bool BoolAt(const Json& object, std::initializer_list<const char*> path, bool otherwise) {
  const Json& at = At(object, path);
  return at.is_boolean() ? at.get<bool>() : otherwise;
}
std::string Name(const Json& object) {
  return TextAt(object, {"metadata", "name"});
}
std::string Namespace(const Json& object) {
  return TextAt(object, {"metadata", "namespace"});
}
std::string Uid(const Json& object) {
  return TextAt(object, {"metadata", "uid"});
}
std::string Label(const Json& object, const std::string& key) {
  return TextAt(object, {"metadata", "labels", key.c_str()});
}
std::string Annotation(const Json& object, const std::string& key) {
  return TextAt(object, {"metadata", "annotations", key.c_str()});
}
bool BeingDeleted(const Json& object) {
  return !TextAt(object, {"metadata", "deletionTimestamp"}).empty();
}

bool Covers(const Json& actual, const Json& wanted) {
  if (wanted.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      if (!Covers(At(actual, {key.c_str()}), value)) return false;
    }
    return wanted.empty() || actual.is_object();
  }
  if (!wanted.is_array()) return actual == wanted;
  if (!actual.is_array()) return wanted.empty() && actual.is_null();
  if (actual.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!Covers(actual[i], wanted[i])) return false;
  }
  return true;
}

int64_t ParseTime(const std::string& text) {
  std::tm tm{};
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                  &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6) {
    return 0;
  }
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  return timegm(&tm);
}

std::string FormatTime(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm tm{};
  gmtime_r(&time, &tm);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
  return text;
}

}  // namespace borealis::kube
