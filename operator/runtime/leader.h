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
  env::Duration lease{10'000'000};  // others take over when nothing changed for so long
  env::Duration renew{7'000'000};   // the holder stops writing when no renewal worked for so long
};

// The holder counts from the moment before it sent its last good renewal; others count, on their own
// clocks, from when they saw the Lease change. So the holder has stopped (7 s) before another starts
// (10 s), if the clocks' rates differ by less than that: no clock is compared with another's. And
// nothing but liveness hangs on it: the log decides who may write data.
class LeaderElector {
 public:
  LeaderElector(kube::Api& api, LeaderOptions options, const env::Clock& clock);

  // One attempt to get or renew; call about every 2 s, from one thread.
  void Step();
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
  bool held_ = false;              // guarded by mu_
  env::MonotonicTime renewed_;     // guarded by mu_: before the last good renewal was sent
  std::string holder_;             // guarded by mu_
  std::string seen_version_;       // Step()'s thread only
  env::MonotonicTime seen_at_;     // Step()'s thread only
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
               const std::string& version,
               const std::function<void(kube::WatchEvent)>& on_event,
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
