// The Kubernetes API as the operator sees it: objects are JSON, errors are Status. The real client
// is kube/client.h; kube/testing/fake_api.h keeps objects in memory for tests.
//
// How HTTP answers become codes (the message holds "HTTP <code> <reason>: <text>"):
//   404 kNotFound; 409 AlreadyExists kAlreadyExists; 409 otherwise kConflict (read again);
//   410 and an expired watch kBelowHorizon (list again); 400 and 422 kInvalidArgument;
//   401 and 403 kUnauthenticated; 429 kResourceExhausted (after the client's own tries);
//   5xx and a broken connection kUnavailable.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/status.h"

namespace borealis::kube {

using Json = nlohmann::json;

// A kind of object. Constant; see the list below.
struct Resource {
  std::string group;  // "" is core
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;
  bool metadata_only = false;  // lists and watches carry metadata alone

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  friend bool operator<(const Resource& a, const Resource& b) {
    return std::tie(a.group, a.plural) < std::tie(b.group, b.plural);
  }
  friend bool operator==(const Resource& a, const Resource& b) {
    return a.group == b.group && a.plural == b.plural;
  }
};

const Resource& Pods();
const Resource& PersistentVolumeClaims();
const Resource& Services();
const Resource& Secrets();
const Resource& ConfigMaps();
const Resource& Events();
const Resource& Nodes();           // metadata only
const Resource& WholeNodes();      // large: for the rare look at taints and conditions
const Resource& StorageClasses();  // metadata only
const Resource& PodDisruptionBudgets();
const Resource& Jobs();
const Resource& Leases();
const Resource& MultiMasterClusters();
const Resource& ChaosTests();

struct ListResult {
  std::vector<Json> items;  // each with apiVersion and kind
  std::string resource_version;
};

enum class PatchType { kMerge, kApply };

struct PatchOptions {
  PatchType type = PatchType::kMerge;
  std::string subresource = {};    // "" or "status"
  std::string field_manager = {};  // kApply: needed; conflicts are forced
};

struct DeleteOptions {
  std::string uid = {};    // precondition; "" for none
  int grace_seconds = -1;  // -1: the object's own
};

// One event of a watch. A bookmark carries nothing but the resource version.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark } type = Type::kBookmark;
  Json object;
};

// Asks blocking calls to end. Thread-safe.
class Stopper {
 public:
  void Stop();
  bool stopped() const { return stopped_.load(); }
  // Runs the function at Stop(), at once if that was before; it must not call this object.
  uint64_t OnStop(std::function<void()> function);
  void Remove(uint64_t id);
  // True when stopped before the time was over.
  bool WaitFor(std::chrono::milliseconds time);

 private:
  std::atomic<bool> stopped_{false};
  std::mutex mu_;
  std::condition_variable changed_;
  uint64_t next_ = 1;                                // guarded by mu_
  std::map<uint64_t, std::function<void()>> hooks_;  // guarded by mu_
};

// Thread-safe; calls block.
class Api {
 public:
  virtual ~Api() = default;
  virtual Result<Json> Get(const Resource& resource, const std::string& ns,
                           const std::string& name) = 0;
  // All of them, in pages of 500. An empty namespace means all.
  virtual Result<ListResult> List(const Resource& resource, const std::string& ns,
                                  const std::string& label_selector) = 0;
  virtual Result<Json> Create(const Resource& resource, const Json& object) = 0;
  // With the object's resourceVersion as precondition when it has one.
  virtual Result<Json> Replace(const Resource& resource, const Json& object,
                               const std::string& subresource) = 0;
  virtual Result<Json> Patch(const Resource& resource, const std::string& ns,
                             const std::string& name, const Json& patch,
                             const PatchOptions& options) = 0;
  virtual Status Delete(const Resource& resource, const std::string& ns, const std::string& name,
                        const DeleteOptions& options) = 0;
  // Runs until the server ends the watch (kOk: watch again from the last version), an error, or
  // the stopper (kCancelled). A silent connection ends with kDeadlineExceeded.
  virtual Status Watch(const Resource& resource, const std::string& ns,
                       const std::string& label_selector, const std::string& resource_version,
                       const std::function<void(WatchEvent)>& on_event, Stopper& stopper) = 0;
};

// Empty strings and nulls where the path has none: never throws.
const Json& At(const Json& object, std::initializer_list<const char*> path);
std::string TextAt(const Json& object, std::initializer_list<const char*> path);
int64_t IntAt(const Json& object, std::initializer_list<const char*> path, int64_t otherwise = 0);
bool BoolAt(const Json& object, std::initializer_list<const char*> path, bool otherwise = false);
std::string Name(const Json& object);
std::string Namespace(const Json& object);
std::string Uid(const Json& object);
std::string Label(const Json& object, const std::string& key);
std::string Annotation(const Json& object, const std::string& key);
bool BeingDeleted(const Json& object);
// Every leaf of `wanted` stands equal in `actual`; lists have equal length.
bool Covers(const Json& actual, const Json& wanted);
// "2026-05-01T12:30:00Z" (or with a fraction) to seconds since 1970; 0 for anything else.
int64_t ParseTime(const std::string& text);
std::string FormatTime(int64_t seconds);

}  // namespace borealis::kube
