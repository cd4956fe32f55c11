#include "operator/runtime/leader.h"

#include <gtest/gtest.h>

#include <optional>

#include "common/testing/sim_loop.h"
#include "operator/kube/testing/fake_api.h"

namespace borealis::runtime {
namespace {

using kube::testing::FakeApi;
using namespace std::chrono_literals;  // NOLINT

LeaderOptions As(const std::string& identity) {
  return {.ns = "ns", .name = "lease", .identity = identity};
}

// The server's answers take time.
class SlowApi final : public kube::Api {
 public:
  SlowApi(kube::Api& api, testing::ManualClock& clock) : api_(api), clock_(clock) {}
  Result<Json> Get(const kube::Resource& r, const std::string& ns,
                   const std::string& name) override {
    return api_.Get(r, ns, name);
  }
  Result<kube::ListResult> List(const kube::Resource& r, const std::string& ns,
                                const std::string& s) override {
    return api_.List(r, ns, s);
  }
  Result<Json> Create(const kube::Resource& r, const Json& object) override {
    auto result = api_.Create(r, object);
    clock_.Advance(delay);
    return result;
  }
  Result<Json> Replace(const kube::Resource& r, const Json& object,
                       const std::string& sub) override {
    auto result = api_.Replace(r, object, sub);
    clock_.Advance(delay);
    return result;
  }
  Result<Json> Patch(const kube::Resource& r, const std::string& ns, const std::string& name,
                     const Json& patch, const kube::PatchOptions& o) override {
    return api_.Patch(r, ns, name, patch, o);
  }
  Status Delete(const kube::Resource& r, const std::string& ns, const std::string& name,
                const kube::DeleteOptions& o) override {
    return api_.Delete(r, ns, name, o);
  }
  Status Watch(const kube::Resource&, const std::string&, const std::string&, const std::string&,
               const std::function<void(kube::WatchEvent)>&, kube::Stopper&) override {
    return Internal("not used");
  }
  env::Duration delay{0};

 private:
  kube::Api& api_;
  testing::ManualClock& clock_;
};

TEST(Leader, TheNumbersLeaveRoomForACallInFlight) {
  EXPECT_TRUE(GateIsSafe({}));
  LeaderOptions tight;
  tight.renew = tight.lease - kGatedCallMax;
  EXPECT_FALSE(GateIsSafe(tight));
}

// Whatever moment the holder is cut off at, its last call is over before another's first.
TEST(Leader, ALoserHasStoppedBeforeAnotherStarts) {
  for (env::Duration cut = 2s; cut < 8s; cut += 300ms) {
    FakeApi api;
    testing::ManualClock clock;
    LeaderElector a(api, As("a"), clock), b(api, As("b"), clock);
    ASSERT_TRUE(a.Step().ok());
    ASSERT_TRUE(a.IsLeader());
    const env::MonotonicTime began = clock.Monotonic();
    env::MonotonicTime a_last = began;
    std::optional<env::MonotonicTime> b_first;
    for (int tick = 0; tick < 400 && !b_first; ++tick) {
      clock.Advance(100ms);
      if (tick % 20 == 0 && clock.Monotonic() - began < cut) {
        ASSERT_TRUE(a.Step().ok());
      }
      if (tick % 20 == 7) {
        ASSERT_TRUE(b.Step().ok());
      }
      if (a.IsLeader()) a_last = clock.Monotonic();
      if (b.IsLeader()) b_first = clock.Monotonic();
    }
    ASSERT_TRUE(b_first.has_value());
    EXPECT_GT(*b_first, a_last + kGatedCallMax) << "cut at " << cut.count();
    EXPECT_LT(*b_first - began, cut + 15s);
    ASSERT_TRUE(a.Step().ok());
    EXPECT_FALSE(a.IsLeader());
    EXPECT_EQ(a.holder(), "b");
  }
}

TEST(Leader, TheLeaseCountsFromBeforeTheRenewalWasSent) {
  FakeApi api;
  testing::ManualClock clock;
  SlowApi slow(api, clock);
  LeaderElector a(slow, As("a"), clock);
  ASSERT_TRUE(a.Step().ok());
  slow.delay = 5s;
  ASSERT_TRUE(a.Step().ok());
  EXPECT_TRUE(a.IsLeader());
  clock.Advance(1900ms);
  EXPECT_TRUE(a.IsLeader());
  clock.Advance(200ms);
  EXPECT_FALSE(a.IsLeader());
  slow.delay = 8s;  // an answer that comes after its lease
  ASSERT_TRUE(a.Step().ok());
  EXPECT_FALSE(a.IsLeader());
}

TEST(Leader, OneOfTwoThatComeAtOnceGetsIt) {
  FakeApi api;
  testing::ManualClock clock;
  LeaderElector a(api, As("a"), clock), b(api, As("b"), clock);
  ASSERT_TRUE(a.Step().ok());
  ASSERT_TRUE(b.Step().ok());
  EXPECT_TRUE(a.IsLeader());
  EXPECT_FALSE(b.IsLeader());
  EXPECT_EQ(b.holder(), "a");
}

TEST(Leader, FailedRenewalsCloseTheGateAndAGoodOneOpensIt) {
  FakeApi api;
  testing::ManualClock clock;
  LeaderElector a(api, As("a"), clock);
  GatedApi gated(api, &a);
  const Json object = {{"metadata", {{"name", "x"}, {"namespace", "ns"}}}};
  EXPECT_EQ(gated.Create(kube::ConfigMaps(), object).code(), Code::kFenced);
  ASSERT_TRUE(a.Step().ok());
  EXPECT_TRUE(gated.Create(kube::ConfigMaps(), object).ok());
  for (int i = 0; i < 4; ++i) {
    clock.Advance(2s);
    api.FailNextWrite(Unavailable("no"));
    EXPECT_FALSE(a.Step().ok());
  }
  EXPECT_EQ(gated.Delete(kube::ConfigMaps(), "ns", "x", {}).code(), Code::kFenced);
  EXPECT_EQ(gated.Patch(kube::ConfigMaps(), "ns", "x", object, {}).code(), Code::kFenced);
  EXPECT_EQ(gated.Replace(kube::ConfigMaps(), object, "").code(), Code::kFenced);
  EXPECT_TRUE(gated.Get(kube::ConfigMaps(), "ns", "x").ok());
  ASSERT_TRUE(a.Step().ok());
  EXPECT_TRUE(gated.Delete(kube::ConfigMaps(), "ns", "x", {}).ok());
}

TEST(Leader, WhatIsReleasedIsTakenAtOnce) {
  FakeApi api;
  testing::ManualClock clock;
  LeaderElector a(api, As("a"), clock), b(api, As("b"), clock);
  ASSERT_TRUE(a.Step().ok());
  ASSERT_TRUE(b.Step().ok());
  a.Release();
  EXPECT_FALSE(a.IsLeader());
  ASSERT_TRUE(b.Step().ok());
  EXPECT_TRUE(b.IsLeader());
  a.Release();  // no longer its own
  EXPECT_EQ(kube::TextAt(*api.Get(kube::Leases(), "ns", "lease"), {"spec", "holderIdentity"}), "b");
}

}  // namespace
}  // namespace borealis::runtime
