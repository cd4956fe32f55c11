// ChaosTests on an API server in memory; the test plays the Job and the nodes.
#include "operator/reconcile/chaostest/reconciler.h"

#include <gtest/gtest.h>

#include "common/testing/sim_loop.h"
#include "operator/kube/testing/fake_api.h"

namespace borealis::reconcile {
namespace {

using kube::testing::FakeApi;

// Reads the API itself, or what it held at the last Freeze(), as a cache that lags behind does.
class LaggingReader final : public runtime::Reader {
 public:
  explicit LaggingReader(FakeApi& api) : api_(api) {}
  std::vector<Json> List(const kube::Resource& r, const std::string& ns) const override {
    return api_.List(r, ns, "")->items;
  }
  Json Get(const kube::Resource& r, const std::string& ns, const std::string& name) const override {
    if (!frozen_.is_null() && r == kube::ChaosTests()) return frozen_;
    auto object = api_.Get(r, ns, name);
    return object.ok() ? *object : Json();
  }
  void Freeze(Json test) { frozen_ = std::move(test); }

 private:
  FakeApi& api_;
  Json frozen_;
};

// Records what was asked for, in order, and the pods that were there at that moment.
class RecordingNodes final : public nodes::Nodes {
 public:
  void SetTargets(const std::string&, std::map<std::string, nodes::Target>) override {}
  nodes::Beat Get(const std::string&, const std::string& name) const override {
    nodes::Beat beat;
    beat.member_role = name == "shop-m-1" ? "leader" : "follower";
    return beat;
  }
  Result<uint32_t> Drain(const std::string&, uint32_t) override { return 0u; }
  Status Pause(nodes::Role, const std::string& address, uint32_t ms) override {
    calls.push_back("pause " + address + " " + std::to_string(ms));
    return answer;
  }
  Status Crash(nodes::Role role, const std::string& address) override {
    calls.push_back(std::string(role == nodes::Role::kWriter ? "crash writer " : "crash member ") +
                    address);
    pods_then.push_back(api.Names(kube::Pods()).size());
    return answer;
  }
  explicit RecordingNodes(FakeApi& a) : api(a) {}
  FakeApi& api;
  Status answer;
  std::vector<std::string> calls;
  std::vector<size_t> pods_then;
};

class ChaosTestTest : public ::testing::Test {
 protected:
  void Cluster(bool chaos) {
    ASSERT_TRUE(api_.Create(kube::MultiMasterClusters(),
                            {{"metadata", {{"name", "shop"}, {"namespace", "ns"}}},
                             {"spec",
                              {{"chaos", {{"enabled", chaos}}},
                               {"storage", {{"members", 3}, {"size", "1Gi"}}}}},
                             {"status", {{"summary", "ready"}}}})
                    .ok());
    for (int n = 1; n <= 3; ++n) Pod("shop-m-" + std::to_string(n), "storage", n);
    Pod("shop-w-0", "writer", 4);
  }
  void Pod(const std::string& name, const std::string& role, int address) {
    ASSERT_TRUE(
        api_.Create(kube::Pods(),
                    {{"metadata",
                      {{"name", name},
                       {"namespace", "ns"},
                       {"labels", {{specs::kClusterLabel, "shop"}, {specs::kRoleLabel, role}}}}},
                     {"status",
                      {{"podIP", "10.0.0." + std::to_string(address)},
                       {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}})
            .ok());
  }
  void Test(const std::string& role, int count = 1) {
    ASSERT_TRUE(
        api_.Create(
                kube::ChaosTests(),
                {{"metadata", {{"name", "t"}, {"namespace", "ns"}}},
                 {"spec",
                  {{"clusterRef", {{"name", "shop"}}},
                   {"faults", Json::array({{{"at", "0s"},
                                            {"type", "KillPod"},
                                            {"target", {{"role", role}, {"count", count}}}}})}}}})
            .ok());
  }
  // The Job is made, its pod runs.
  void Begin() {
    Run();
    ASSERT_EQ(Text("phase"), "Running");
    ASSERT_TRUE(
        api_.Create(kube::Pods(),
                    {{"metadata",
                      {{"name", "t-chaos-x"},
                       {"namespace", "ns"},
                       {"labels", {{"borealisdb.io/chaos-test", "t"}}}}},
                     {"status",
                      {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}})
            .ok());
  }
  void EndJob() {
    const std::string report = R"({"acknowledged": 7, "lost": 0, "duplicated": 0, "anomalies": 0,
        "writeGapP99Ms": 1, "writeGapMaxMs": 1})";
    const Json terminated = {{"exitCode", 0}, {"message", report}};
    ASSERT_TRUE(api_.Patch(kube::Pods(), "ns", "t-chaos-x",
                           {{"status",
                             {{"containerStatuses",
                               Json::array({{{"state", {{"terminated", terminated}}}}})}}}},
                           {})
                    .ok());
    Run();
  }
  Next Run() { return reconciler_.Reconcile("ns", "t"); }
  Json Object() { return *api_.Get(kube::ChaosTests(), "ns", "t"); }
  Json Status() { return Object()["status"]; }
  std::string Text(const char* key) { return kube::TextAt(Status(), {key}); }
  size_t PodsLeft() { return api_.Names(kube::Pods()).size(); }

  testing::SimWorld world_{1};
  FakeApi api_, events_api_;
  LaggingReader reader_{api_};
  RecordingNodes nodes_{api_};
  runtime::EventRecorder events_{events_api_, "test", world_.clock()};
  env::SeededRandom random_{1};
  ChaosTestReconciler reconciler_{
      Context{api_, reader_, nodes_, events_, world_.clock(), random_, {"s", "w", "c"}, {}}};
};

TEST_F(ChaosTestTest, FaultsNeedAClusterThatAllowsThem) {
  Cluster(false);
  Test("Leader");
  Run();
  EXPECT_EQ(Text("phase"), "Error");
  EXPECT_NE(Text("message").find("spec.chaos.enabled"), std::string::npos);
  EXPECT_TRUE(api_.Names(kube::Jobs()).empty());
  EXPECT_EQ(PodsLeft(), 4u);
}

TEST_F(ChaosTestTest, KillPodEndsTheProcessAndThenRemovesThePod) {
  Cluster(true);
  Test("Leader");
  Begin();
  EXPECT_TRUE(Run().status.ok());
  EXPECT_EQ(nodes_.calls, std::vector<std::string>{"crash member 10.0.0.1:7001"});
  EXPECT_FALSE(api_.Get(kube::Pods(), "ns", "shop-m-1").ok());
  ASSERT_EQ(Status()["faults"].size(), 1u);
  const Json fault = Status()["faults"][0];
  EXPECT_EQ(fault["name"], "0-killpod-leader");
  EXPECT_EQ(fault["target"], "shop-m-1");
  EXPECT_FALSE(fault["injectedAt"].get<std::string>().empty());
  EXPECT_FALSE(fault.contains("error")) << fault;
  EXPECT_TRUE(Run().status.ok());
  EXPECT_EQ(nodes_.calls.size(), 1u) << "made once";
  EndJob();
  EXPECT_EQ(Text("phase"), "Passed") << Text("message");
}

TEST_F(ChaosTestTest, AllProcessesDieBeforeTheFirstPodIsRemoved) {
  Cluster(true);
  Test("Storage", 2);
  Begin();
  EXPECT_TRUE(Run().status.ok());
  EXPECT_EQ(nodes_.pods_then, (std::vector<size_t>{5, 5}));
  EXPECT_EQ(PodsLeft(), 3u);
}

TEST_F(ChaosTestTest, AFaultThatCouldNotBeMadeIsNotAPassedTest) {
  Cluster(true);
  Test("Writer");
  Begin();
  nodes_.answer = Unsupported("crash needs --chaos-enabled");
  EXPECT_TRUE(Run().status.ok());
  EXPECT_EQ(nodes_.calls, std::vector<std::string>{"crash writer 10.0.0.4:7001"});
  EXPECT_TRUE(api_.Get(kube::Pods(), "ns", "shop-w-0").ok()) << "it still runs";
  EXPECT_NE(kube::TextAt(Status()["faults"][0], {"error"}).find("--chaos-enabled"),
            std::string::npos);
  EndJob();
  EXPECT_EQ(Text("phase"), "Error");
}

TEST_F(ChaosTestTest, AnOldReadingDoesNotRepeatAFault) {
  Cluster(true);
  Test("Leader");
  Begin();
  ASSERT_TRUE(
      api_.Patch(
              kube::ChaosTests(), "ns", "t",
              {{"status",
                {{"startedAt", kube::FormatTime(world_.clock().Wall().time_since_epoch().count() /
                                                1'000'000)}}}},
              {})
          .ok());
  const Json before = Object();
  EXPECT_TRUE(Run().status.ok());
  reader_.Freeze(before);
  Pod("shop-m-1", "storage", 9);  // its successor, and leader again
  EXPECT_EQ(Run().status.code(), Code::kConflict);
  EXPECT_EQ(nodes_.calls.size(), 1u);
  EXPECT_TRUE(api_.Get(kube::Pods(), "ns", "shop-m-1").ok());
}

// The operator died between the record and the kill, or at any time before the second record.
TEST_F(ChaosTestTest, AFaultOfUnknownFateIsNotAPassedTest) {
  Cluster(true);
  Test("Leader");
  Begin();
  EXPECT_TRUE(Run().status.ok());
  Json faults = Status()["faults"];
  faults[0]["error"] = "it is not known to be made";
  ASSERT_TRUE(
      api_.Patch(kube::ChaosTests(), "ns", "t", {{"status", {{"faults", faults}}}}, {}).ok());
  EXPECT_TRUE(Run().status.ok());
  EXPECT_EQ(nodes_.calls.size(), 1u) << "not made again";
  EndJob();
  EXPECT_EQ(Text("phase"), "Error");
}

}  // namespace
}  // namespace borealis::reconcile
