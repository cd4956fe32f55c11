// Leader election by a Lease, and the gate that keeps a loser from writing.
#pragma once

#include <mutex>
#include <string>

#include "common/env/clock.h"
#include "operator/kube/api.h"

namespace borealis::runtime {

using kube::Json;

struct LeaderOptions {
  std::string ns, name, identity;
  env::Duration lease{12'000'000};  // others take over when nothing changed for so long
  env::Duration renew{7'000'000};   // no call begins when no renewal worked for so long
};

// The most that a call which passed the gate may take; clients behind a gate are made with it.
constexpr std::chrono::seconds kGatedCallMax{4};

// Why a loser has stopped writing before another starts. Let t be the moment before the holder sent
// its last renewal that worked.
//  - The holder's gate lets calls begin until t + renew, and each ends, one way or the other,
//  within
//    kGatedCallMax: all are over at t + renew + kGatedCallMax = t + 11 s.
//  - Another sees the Lease change after t (the server stored it after t), counts `lease` on its
//  own
//    clock from then, and so takes the Lease at t + 12 s or later.
// No clock is compared with another's: their rates may differ by 9 %. What no client can bound is a
// packet that the network keeps after its connection was closed; the API server drops a call after
// its `timeout` parameter, deletions name a uid and replacements a version, so that one which comes
// late hits nothing new. And nothing but liveness hangs on it: the log decides who may write data.
constexpr bool GateIsSafe(const LeaderOptions& options) {
  return options.renew + kGatedCallMax < options.lease;
}

class LeaderElector {
 public:
  LeaderElector(kube::Api& api, LeaderOptions options, const env::Clock& clock);

  // One attempt to get or renew, from one thread: about every 2 s, sooner after one that failed
  // (not OK). Losing to another is no failure.
  Status Step();
  // Gives the Lease up, so that another may have it at once.
  void Release();
  // Whether writes are allowed now. Any thread.
  bool IsLeader() const;
  std::string holder() const;

 private:
  Status Write(Json lease, bool create, bool take);

  kube::Api& api_;
  const LeaderOptions options_;
  const env::Clock& clock_;
  mutable std::mutex mu_;
  bool held_ = false;           // guarded by mu_
  env::MonotonicTime renewed_;  // guarded by mu_: before the last good renewal was sent
  std::string holder_;          // guarded by mu_
  std::string seen_version_;    // Step()'s thread only
  env::MonotonicTime seen_at_;  // Step()'s thread only
};

// Passes reads on and refuses writes (kFenced) while `elector` does not lead. Null: all pass.
class GatedApi final : public kube::Api {
 public:
  GatedApi(kube::Api& api, const LeaderElector* elector) : api_(api), elector_(elector) {}
  Result<Json> Get(const kube::Resource& r, const std::string& ns,
                   const std::string& name) override {
    return api_.Get(r, ns, name);
  }
  Result<kube::ListResult> List(const kube::Resource& r, const std::string& ns,
                                const std::string& selector) override {
    return api_.List(r, ns, selector);
  }
  Result<Json> Create(const kube::Resource& r, const Json& object) override {
    RETURN_IF_ERROR(Gate());
    return api_.Create(r, object);
  }
  Result<Json> Replace(const kube::Resource& r, const Json& object,
                       const std::string& sub) override {
    RETURN_IF_ERROR(Gate());
    return api_.Replace(r, object, sub);
  }
  Result<Json> Patch(const kube::Resource& r, const std::string& ns, const std::string& name,
                     const Json& patch, const kube::PatchOptions& options) override {
    RETURN_IF_ERROR(Gate());
    return api_.Patch(r, ns, name, patch, options);
  }
  Status Delete(const kube::Resource& r, const std::string& ns, const std::string& name,
                const kube::DeleteOptions& options) override {
    RETURN_IF_ERROR(Gate());
    return api_.Delete(r, ns, name, options);
  }
  Status Watch(const kube::Resource& r, const std::string& ns, const std::string& selector,
               const std::string& version, const std::function<void(kube::WatchEvent)>& on_event,
               kube::Stopper& stopper) override {
    return api_.Watch(r, ns, selector, version, on_event, stopper);
  }

 private:
  Status Gate() const {
    if (elector_ == nullptr || elector_->IsLeader()) return Status::Ok();
    return Status(Code::kFenced, "another operator leads");
  }
  kube::Api& api_;
  const LeaderElector* elector_;
};

}  // namespace borealis::runtime
