#include "operator/runtime/workqueue.h"

#include <gtest/gtest.h>

#include "common/env/thread.h"
#include "common/testing/sim_loop.h"
#include "operator/kube/testing/fake_api.h"
#include "operator/runtime/events.h"

namespace borealis::runtime {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(WorkQueue, AKeyWaitsOnceAndIsNeverTakenByTwo) {
  testing::ManualClock clock;
  WorkQueue queue(clock);
  queue.Add("a");
  queue.Add("a");
  queue.Add("b");
  EXPECT_EQ(queue.size(), 2u);
  const auto first = queue.TryTake(), second = queue.TryTake();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(queue.TryTake());
  queue.Add("a");  // while it is worked on
  EXPECT_FALSE(queue.TryTake());
  queue.Done("a");
  EXPECT_EQ(queue.TryTake(), "a");
  queue.Done("a");
  queue.Done("b");
  EXPECT_FALSE(queue.TryTake());
}

TEST(WorkQueue, TheEarliestMomentWins) {
  testing::ManualClock clock;
  WorkQueue queue(clock);
  queue.AddAfter("a", 10s);
  queue.AddAfter("a", 2s);
  queue.AddAfter("a", 30s);
  clock.Advance(1999ms);
  EXPECT_FALSE(queue.TryTake());
  clock.Advance(1ms);
  EXPECT_EQ(queue.TryTake(), "a");
  queue.Done("a");
  clock.Advance(60s);
  EXPECT_FALSE(queue.TryTake());
}

TEST(WorkQueue, FailuresBackOffUntilForgotten) {
  testing::ManualClock clock;
  WorkQueue queue(clock);
  env::Duration expected = 100ms;
  for (int i = 0; i < 14; ++i) {
    queue.AddRateLimited("a");
    clock.Advance(std::min<env::Duration>(expected, 30s) - 1ms);
    EXPECT_FALSE(queue.TryTake()) << i;
    clock.Advance(1ms);
    EXPECT_EQ(queue.TryTake(), "a") << i;
    queue.Done("a");
    expected *= 2;
  }
  queue.Forget("a");
  queue.AddRateLimited("a");
  clock.Advance(100ms);
  EXPECT_EQ(queue.TryTake(), "a");
}

TEST(WorkQueue, AWaitingTakeIsWokenByAdd) {
  WorkQueue queue(env::SystemClock());
  std::optional<std::string> got;
  env::Thread taker("taker", [&] { got = queue.Take(20s); });
  const auto began = env::SystemClock().Monotonic();
  queue.Add("a");
  taker.Join();
  EXPECT_EQ(got, "a");
  EXPECT_LT(env::SystemClock().Monotonic() - began, 10s);
}

kube::Json Pod(const std::string& name) {
  return {{"kind", "Pod"}, {"metadata", {{"name", name}, {"namespace", "ns"}, {"uid", name}}}};
}

TEST(Events, TheSameIsCounted) {
  kube::testing::FakeApi api;
  testing::ManualClock clock;
  EventRecorder events(api, "test", clock);
  const auto count = [&](size_t n) {
    return kube::IntAt(api.List(kube::Events(), "ns", "")->items.at(n), {"count"});
  };
  for (int i = 0; i < 3; ++i) {
    events.Record(Pod("p"), "Normal", "Why", "what");
    clock.Advance(60s);
  }
  ASSERT_EQ(api.Names(kube::Events()).size(), 1u);
  EXPECT_EQ(count(0), 3);
  events.Record(Pod("p"), "Normal", "Why", "something else");
  events.Record(Pod("q"), "Normal", "Why", "what");
  EXPECT_EQ(api.Names(kube::Events()).size(), 3u);
  clock.Advance(601s);
  events.Record(Pod("p"), "Normal", "Why", "what");
  EXPECT_EQ(api.Names(kube::Events()).size(), 4u);
  // One that the server has thrown away is written anew.
  for (const std::string& name : api.Names(kube::Events())) {
    ASSERT_TRUE(api.Delete(kube::Events(), "ns", name, {}).ok());
  }
  events.Record(Pod("p"), "Normal", "Why", "what");
  ASSERT_EQ(api.Names(kube::Events()).size(), 1u);
  EXPECT_EQ(count(0), 2);
}

// An API server that answers nothing until it is told to.
class StuckApi final : public kube::Api {
 public:
  Result<kube::Json> Get(const kube::Resource&, const std::string&, const std::string&) override {
    return Internal("not used");
  }
  Result<kube::ListResult> List(const kube::Resource&, const std::string&,
                                const std::string&) override {
    return Internal("not used");
  }
  Result<kube::Json> Create(const kube::Resource&, const kube::Json& object) override {
    std::unique_lock lock(mu);
    ++created;
    changed.wait(lock, [this] { return open; });
    return object;
  }
  Result<kube::Json> Replace(const kube::Resource&, const kube::Json&,
                             const std::string&) override {
    return Internal("not used");
  }
  Result<kube::Json> Patch(const kube::Resource&, const std::string&, const std::string&,
                           const kube::Json&, const kube::PatchOptions&) override {
    return Internal("not used");
  }
  Status Delete(const kube::Resource&, const std::string&, const std::string&,
                const kube::DeleteOptions&) override {
    return Internal("not used");
  }
  Status Watch(const kube::Resource&, const std::string&, const std::string&, const std::string&,
               const std::function<void(kube::WatchEvent)>&, kube::Stopper&) override {
    return Internal("not used");
  }
  std::mutex mu;
  std::condition_variable changed;
  bool open = false;
  size_t created = 0;
};

TEST(Events, NobodyWaitsForAServerThatHangs) {
  StuckApi api;
  obs::Registry metrics;
  EventRecorder events(api, "test", env::SystemClock());
  events.Start(metrics);
  for (int i = 0; i < 1000; ++i) {
    events.Record(Pod("p"), "Normal", "Why", std::to_string(i));  // would hang here
  }
  EXPECT_GE(events.dropped(), 1000u - 256 - 1);
  EXPECT_LT(events.dropped(), 1000u);
  {
    std::lock_guard lock(api.mu);
    api.open = true;
  }
  api.changed.notify_all();
  events.Stop();
  EXPECT_EQ(api.created, 1000u - events.dropped());
}

}  // namespace
}  // namespace borealis::runtime
