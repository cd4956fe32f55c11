#include "operator/reconcile/cluster/reconciler.h"

#include <gtest/gtest.h>

#include "common/testing/sim_loop.h"
#include "operator/kube/testing/fake_api.h"

namespace borealis::reconcile {
namespace {

using kube::testing::FakeApi;

// A cache that is never behind.
class LiveReader final : public runtime::Reader {
 public:
  explicit LiveReader(FakeApi& api) : api_(api) {}
  std::vector<Json> List(const kube::Resource& r, const std::string& ns) const override {
    return api_.List(r, ns, "")->items;
  }
  Json Get(const kube::Resource& r, const std::string& ns, const std::string& name) const override {
    auto object = api_.Get(r, ns, name);
    return object.ok() ? *object : Json();
  }

 private:
  FakeApi& api_;
};

class FakeNodes final : public nodes::Nodes {
 public:
  void SetTargets(const std::string&, std::map<std::string, nodes::Target>) override {}
  nodes::Beat Get(const std::string&, const std::string& name) const override {
    const auto found = beats.find(name);
    return found == beats.end() ? nodes::Beat() : found->second;
  }
  Result<uint32_t> Drain(const std::string& address, uint32_t) override {
    drained.push_back(address);
    return sessions_left;
  }
  Status Pause(nodes::Role, const std::string&, uint32_t) override { return Status::Ok(); }
  Status Crash(nodes::Role, const std::string&) override { return Status::Ok(); }
  std::map<std::string, nodes::Beat> beats;
  std::vector<std::string> drained;
  uint32_t sessions_left = 0;
};

class ClusterTest : public ::testing::Test {
 protected:
  ClusterTest() {
    // Events are written to an API of their own, so that they are not among the counted writes.
    Cluster({{"writers", {{"replicas", 3}}}, {"storage", {{"members", 6}, {"size", "1Gi"}}}});
  }

  void Cluster(const Json& spec) {
    ASSERT_TRUE(api_.Create(kube::MultiMasterClusters(),
                            {{"metadata", {{"name", "shop"}, {"namespace", "ns"}}}, {"spec", spec}})
                    .ok());
  }
  void Scale(int writers) {
    ASSERT_TRUE(api_.Patch(kube::MultiMasterClusters(), "ns", "shop",
                           {{"spec", {{"writers", {{"replicas", writers}}}}}}, {})
                    .ok());
  }
  void World() {
    for (const std::string zone : {"a", "b", "c"}) {
      ASSERT_TRUE(
          api_.Create(kube::Nodes(), {{"metadata",
                                       {{"name", "node-" + zone},
                                        {"labels", {{specs::kZoneNodeLabel, "zone-" + zone}}}}}})
              .ok());
    }
    ASSERT_TRUE(
        api_.Create(
                kube::StorageClasses(),
                {{"metadata",
                  {{"name", "standard"},
                   {"annotations", {{"storageclass.kubernetes.io/is-default-class", "true"}}}}}})
            .ok());
  }
  // Plays kubelet: all pods run and answer; the first member leads.
  void AllUp() {
    for (const std::string& name : api_.Names(kube::Pods())) Up(name);
  }
  void Up(const std::string& name) {
    ASSERT_TRUE(
        api_.Patch(kube::Pods(), "ns", name,
                   {{"status",
                     {{"phase", "Running"},
                      {"podIP", "10.0.0.1"},
                      {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}},
                   {})
            .ok());
    nodes::Beat beat;
    beat.answered = beat.ready = true;
    beat.member_role = name == "shop-storage-zone-a-0" ? "leader" : "follower";
    nodes_.beats[name] = beat;
  }
  void Settle(int runs = 4) {
    for (int i = 0; i < runs; ++i) last_ = reconciler_.Reconcile("ns", "shop");
  }
  Json Status() { return (*api_.Get(kube::MultiMasterClusters(), "ns", "shop"))["status"]; }
  std::string Waiting() {
    const Json list = kube::At(Status(), {"waitingFor"});
    return list.is_array() && !list.empty() ? list[0].value("what", "") : "";
  }
  bool HasPod(const std::string& name) { return api_.Get(kube::Pods(), "ns", name).ok(); }
  void Healthy() {
    World();
    Settle();
    AllUp();
    Settle();
    ASSERT_EQ(kube::TextAt(Status(), {"summary"}), "ready");
  }

  testing::SimWorld world_{1};
  FakeApi api_, events_api_;
  LiveReader reader_{api_};
  FakeNodes nodes_;
  runtime::EventRecorder events_{events_api_, "test", world_.clock()};
  env::SeededRandom random_{1};
  ClusterReconciler reconciler_{
      Context{api_, reader_, nodes_, events_, world_.clock(), random_, {"s", "w", "c"}, {}}};
  Next last_;
};

TEST_F(ClusterTest, WithoutZonesNothingIsMadeAndTheStatusSaysWhy) {
  Settle();
  EXPECT_TRUE(api_.Names(kube::Pods()).empty());
  EXPECT_TRUE(api_.Names(kube::PersistentVolumeClaims()).empty());
  EXPECT_NE(Waiting().find("nodes in 3 zones"), std::string::npos);
  EXPECT_LE(last_.again, env::Duration(10'000'000));
  World();
  Settle();
  EXPECT_EQ(api_.Names(kube::Pods()).size(), 9u);
}

TEST_F(ClusterTest, MembersStandTwoInAZoneAndAllBecomesReady) {
  Healthy();
  EXPECT_EQ(Status()["storage"]["byZone"], Json({{"zone-a", 2}, {"zone-b", 2}, {"zone-c", 2}}));
  EXPECT_EQ(Status()["leader"], "shop-storage-zone-a-0");
  EXPECT_EQ(api_.Names(kube::PersistentVolumeClaims()).size(), 6u);
}

TEST_F(ClusterTest, NothingIsWrittenWhenNothingChanged) {
  Healthy();
  const uint64_t before = api_.writes();
  Settle(10);
  EXPECT_EQ(api_.writes(), before);
}

TEST_F(ClusterTest, ALostPodIsMadeAgainOverTheSameVolume) {
  Healthy();
  ASSERT_TRUE(api_.Delete(kube::Pods(), "ns", "shop-storage-zone-b-1", {}).ok());
  nodes_.beats.erase("shop-storage-zone-b-1");
  Settle();
  EXPECT_TRUE(HasPod("shop-storage-zone-b-1"));
  EXPECT_EQ(api_.Names(kube::PersistentVolumeClaims()).size(), 6u);
}

TEST_F(ClusterTest, AMemberIsNeverStartedOverAnEmptyDisk) {
  Healthy();
  const std::string pod = "shop-storage-zone-b-1", disk = "data-" + pod;
  ASSERT_TRUE(api_.Delete(kube::Pods(), "ns", pod, {}).ok());
  ASSERT_TRUE(api_.Delete(kube::PersistentVolumeClaims(), "ns", disk, {}).ok());
  Settle();
  EXPECT_FALSE(HasPod(pod));
  EXPECT_NE(Waiting().find(disk), std::string::npos) << Waiting();
  // Somebody else's volume of that name is no substitute.
  ASSERT_TRUE(api_.Create(kube::PersistentVolumeClaims(),
                          {{"metadata", {{"name", disk}, {"namespace", "ns"}}}})
                  .ok());
  Settle();
  EXPECT_FALSE(HasPod(pod));
}

TEST_F(ClusterTest, ALostIdentityIsNotReplacedByANewOne) {
  Healthy();
  ASSERT_TRUE(api_.Delete(kube::ConfigMaps(), "ns", "shop-identity", {}).ok());
  Settle();
  EXPECT_TRUE(api_.Names(kube::ConfigMaps()).empty());
  EXPECT_NE(Waiting().find("shop-identity"), std::string::npos);
}

TEST_F(ClusterTest, ASilentWriterLeavesTheEndpointsAndComesBack) {
  Healthy();
  const auto label = [this] {
    return kube::Label(*api_.Get(kube::Pods(), "ns", "shop-w-1"), specs::kServingLabel);
  };
  ASSERT_EQ(label(), "true");
  nodes_.beats["shop-w-1"].silence = env::Duration(2'000'000);
  Settle(1);
  EXPECT_EQ(label(), "false");
  EXPECT_TRUE(HasPod("shop-w-1"));
  nodes_.beats["shop-w-1"].silence = env::Duration(0);
  Settle(1);
  EXPECT_EQ(label(), "true");
}

TEST_F(ClusterTest, WhenNobodyAnswersTheLabelsStay) {
  Healthy();
  for (auto& [name, beat] : nodes_.beats) beat.silence = env::Duration(90'000'000);
  Settle();
  EXPECT_EQ(kube::Label(*api_.Get(kube::Pods(), "ns", "shop-w-1"), specs::kServingLabel), "true");
  EXPECT_EQ(api_.Names(kube::Pods()).size(), 9u);
}

TEST_F(ClusterTest, ACrashLoopIsMadeAgainUnlessItsDiskFails) {
  Healthy();
  const auto crash = [this](const std::string& pod, int code) {
    const Json container = {{"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
                            {"lastState", {{"terminated", {{"exitCode", code}}}}}};
    ASSERT_TRUE(api_.Patch(kube::Pods(), "ns", pod,
                           {{"status", {{"containerStatuses", Json::array({container})}}}}, {})
                    .ok());
  };
  const std::string good = kube::Uid(*api_.Get(kube::Pods(), "ns", "shop-storage-zone-a-1"));
  const std::string bad = kube::Uid(*api_.Get(kube::Pods(), "ns", "shop-storage-zone-b-1"));
  crash("shop-storage-zone-a-1", 139);
  crash("shop-storage-zone-b-1", 74);
  Settle();
  EXPECT_NE(kube::Uid(*api_.Get(kube::Pods(), "ns", "shop-storage-zone-a-1")), good);
  EXPECT_EQ(kube::Uid(*api_.Get(kube::Pods(), "ns", "shop-storage-zone-b-1")), bad);
  EXPECT_NE(Waiting().find("exit code 74"), std::string::npos) << Waiting();
}

TEST_F(ClusterTest, ScalingDownDrainsTheHighestFirst) {
  Healthy();
  Scale(1);
  nodes_.sessions_left = 3;
  Settle(1);
  EXPECT_TRUE(nodes_.drained.empty());  // the endpoints first
  world_.RunFor(std::chrono::seconds(3));
  Settle(1);
  EXPECT_EQ(nodes_.drained.size(), 1u);
  EXPECT_TRUE(HasPod("shop-w-2"));
  nodes_.sessions_left = 0;
  Settle(1);
  EXPECT_FALSE(HasPod("shop-w-2"));
  EXPECT_TRUE(HasPod("shop-w-1"));
}

TEST_F(ClusterTest, AnotherOperatorVersionRestartsNothingAndAnotherImageOneAtATime) {
  Healthy();
  ClusterReconciler other(
      Context{api_, reader_, nodes_, events_, world_.clock(), random_, {"s2", "w", "c"}, {}});
  const auto before = api_.Names(kube::Pods());
  other.Reconcile("ns", "shop");
  EXPECT_EQ(api_.Names(kube::Pods()).size(), before.size() - 1);
  EXPECT_TRUE(HasPod("shop-storage-zone-a-0"));  // the leader is the last of the members
}

TEST_F(ClusterTest, AWrongResourceIsRefusedInItsStatus) {
  World();
  ASSERT_TRUE(api_.Patch(kube::MultiMasterClusters(), "ns", "shop",
                         {{"spec", {{"tls", {{"mode", "Required"}}}}}}, {})
                  .ok());
  Settle();
  EXPECT_NE(kube::TextAt(Status(), {"summary"}).find("tls.mode must be Disabled"),
            std::string::npos);
  EXPECT_TRUE(api_.Names(kube::Pods()).empty());
}

TEST_F(ClusterTest, AConflictIsTriedAgain) {
  World();
  api_.FailNextWrite(borealis::Status(Code::kConflict, "HTTP 409 Conflict"));
  EXPECT_FALSE(reconciler_.Reconcile("ns", "shop").status.ok());
  Settle();
  EXPECT_EQ(api_.Names(kube::Pods()).size(), 9u);
}

}  // namespace
}  // namespace borealis::reconcile
