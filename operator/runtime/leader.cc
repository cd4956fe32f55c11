#include "operator/runtime/leader.h"

#include <utility>

namespace borealis::runtime {

LeaderElector::LeaderElector(kube::Api& api, LeaderOptions options, const env::Clock& clock)
    : api_(api), options_(std::move(options)), clock_(clock) {}

bool LeaderElector::IsLeader() const {
  std::lock_guard lock(mu_);
  return held_ && clock_.Monotonic() - renewed_ < options_.renew;
}

std::string LeaderElector::holder() const {
  std::lock_guard lock(mu_);
  return holder_;
}

Status LeaderElector::Write(Json lease, bool create, bool take) {
  const env::MonotonicTime before = clock_.Monotonic();
  const std::string now = env::FormatWallTime(clock_.Wall());
  Json& spec = lease["spec"];
  if (take) {
    spec["acquireTime"] = now;
    spec["leaseTransitions"] = kube::IntAt(lease, {"spec", "leaseTransitions"}) + (create ? 0 : 1);
  }
  spec["holderIdentity"] = options_.identity;
  spec["leaseDurationSeconds"] = options_.lease.count() / 1'000'000;
  spec["renewTime"] = now;
  const auto written =
      create ? api_.Create(kube::Leases(), lease) : api_.Replace(kube::Leases(), lease, "");
  if (!written.ok()) return written.status();
  std::lock_guard lock(mu_);
  held_ = true;
  renewed_ = before;
  holder_ = options_.identity;
  return Status::Ok();
}

Status LeaderElector::Step() {
  auto lease = api_.Get(kube::Leases(), options_.ns, options_.name);
  if (lease.code() == Code::kNotFound) {
    Json fresh = {{"apiVersion", "coordination.k8s.io/v1"},
                  {"kind", "Lease"},
                  {"metadata", {{"name", options_.name}, {"namespace", options_.ns}}}};
    return Write(std::move(fresh), true, true);
  }
  if (!lease.ok()) return lease.status();  // IsLeader() ends by itself when this goes on
  const std::string holder = kube::TextAt(*lease, {"spec", "holderIdentity"});
  const std::string version = kube::TextAt(*lease, {"metadata", "resourceVersion"});
  if (version != seen_version_) {
    seen_version_ = version;
    seen_at_ = clock_.Monotonic();
  }
  const bool ours = holder == options_.identity;
  const bool expired = clock_.Monotonic() - seen_at_ >= options_.lease;
  if (ours || holder.empty() || expired) {
    return Write(std::move(*lease), false, !ours);
  }
  std::lock_guard lock(mu_);
  held_ = false;
  holder_ = holder;
  return Status::Ok();
}

void LeaderElector::Release() {
  {
    std::lock_guard lock(mu_);
    if (!std::exchange(held_, false)) return;
  }
  auto lease = api_.Get(kube::Leases(), options_.ns, options_.name);
  if (!lease.ok() || kube::TextAt(*lease, {"spec", "holderIdentity"}) != options_.identity) return;
  (*lease)["spec"]["holderIdentity"] = "";
  (void)api_.Replace(kube::Leases(), *lease, "");
}

}  // namespace borealis::runtime
