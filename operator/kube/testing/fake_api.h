// An API server in memory for reconcilers' tests: keeps objects, gives uids and resource versions,
// checks preconditions, serves watches from its history. It runs no controllers: a test plays
// kubelet and scheduler.
#pragma once

#include <map>
#include <mutex>

#include "operator/kube/api.h"

namespace borealis::kube::testing {

// Thread-safe.
class FakeApi final : public Api {
 public:
  Result<Json> Get(const Resource&, const std::string& ns, const std::string& name) override;
  Result<ListResult> List(const Resource&, const std::string& ns,
                          const std::string& selector) override;
  Result<Json> Create(const Resource&, const Json& object) override;
  Result<Json> Replace(const Resource&, const Json& object, const std::string& sub) override;
  Result<Json> Patch(const Resource&, const std::string& ns, const std::string& name,
                     const Json& patch, const PatchOptions& options) override;
  Status Delete(const Resource&, const std::string& ns, const std::string& name,
                const DeleteOptions& options) override;
  Status Watch(const Resource&, const std::string& ns, const std::string& selector,
               const std::string& version, const std::function<void(WatchEvent)>& on_event,
               Stopper& stopper) override;

  // The next write fails with it, once.
  void FailNextWrite(Status status);
  // Watches from before now answer 410.
  void ForgetHistory();
  // Ends running watches.
  void BreakWatches();
  uint64_t writes() const;
  // Objects of the kind, by name.
  std::vector<std::string> Names(const Resource&) const;

 private:
  struct Change {
    uint64_t version;
    Resource resource;
    WatchEvent event;
  };
  using Key = std::pair<std::string, std::string>;
  Status TakeFailure();
  Json& Store(const Resource& resource, const Key& key, Json object, WatchEvent::Type type);

  mutable std::mutex mu_;
  std::condition_variable changed_;
  uint64_t version_ = 1;
  uint64_t writes_ = 0;
  uint64_t forgotten_ = 0;
  uint64_t breaks_ = 0;
  Status failure_;
  std::map<Resource, std::map<Key, Json>> objects_;
  std::vector<Change> history_;
};

}  // namespace borealis::kube::testing
