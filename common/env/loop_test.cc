#include "common/env/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <vector>

#include "common/env/fiber.h"
#include "common/env/random.h"
#include "common/env/signals.h"
#include "common/env/thread.h"

namespace borealis::env {
namespace {

TEST(Function, HoldsSmallAndLargeMoveOnlyCallables) {
  auto small = std::make_unique<int>(1);
  UniqueFunction<int(int)> f = [p = std::move(small)](int x) { return *p + x; };
  std::array<uint64_t, 32> big{};
  big[31] = 7;
  UniqueFunction<int(int)> g = [p = std::make_unique<int>(2), big](int x) {
    return *p + x + static_cast<int>(big[31]);
  };
  EXPECT_EQ(f(10), 11);
  EXPECT_EQ(g(10), 19);
  f = std::move(g);
  EXPECT_EQ(f(0), 9);
  EXPECT_FALSE(static_cast<bool>(g));
}

TEST(Function, DestroysItsCallableOnce) {
  auto counted = std::make_shared<int>(0);
  {
    Task a = [counted] {};
    Task b = std::move(a);
    a = std::move(b);
    EXPECT_EQ(counted.use_count(), 2);
    a = nullptr;
    EXPECT_EQ(counted.use_count(), 1);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(Loop, PostKeepsOrderAndTurnEndComesLast) {
  AsioLoop loop("loop");
  loop.Start();
  std::vector<int> order;
  RunOnLoop(loop, [&] {
    loop.PostAtTurnEnd([&] { order.push_back(9); });
    loop.Post([&] {
      order.push_back(1);
      loop.Post([&] { order.push_back(3); });
    });
    loop.Post([&] { order.push_back(2); });
  });
  RunOnLoop(loop, [] {});
  loop.Stop();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 9}));
}

TEST(Loop, PostsFromManyThreadsAllRun) {
  AsioLoop loop("loop");
  loop.Start();
  uint64_t ran = 0;  // loop thread only
  std::vector<Thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back("poster", [&] {
      for (int i = 0; i < 5000; ++i) loop.Post([&] { ++ran; });
    });
  }
  for (Thread& thread : threads) thread.Join();
  loop.Stop();
  EXPECT_EQ(ran, 20000u);
}

TEST(Loop, TimersFireInOrderAndNotEarly) {
  AsioLoop loop("loop");
  loop.Start();
  std::vector<int> order;
  std::atomic<bool> done = false;
  bool late_enough = false;
  loop.Post([&] {
    MonotonicTime start = loop.clock().Monotonic();
    loop.RunAfter(Duration(3000), [&, start] {
      order.push_back(3);
      late_enough = loop.clock().Monotonic() - start >= Duration(3000);
      done = true;
    });
    loop.RunAfter(Duration(1000), [&] { order.push_back(1); });
    loop.RunAfter(Duration(0), [&] { order.push_back(0); });
    TimerId dropped = loop.RunAfter(Duration(2000), [&] { order.push_back(2); });
    EXPECT_TRUE(loop.Cancel(dropped));
    EXPECT_FALSE(loop.Cancel(dropped));
    EXPECT_FALSE(loop.Cancel(TimerId::kNone));
  });
  for (int i = 0; i < 5000 && !done; ++i) BlockThreadFor(Duration(1000));
  loop.Stop();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 3}));
  EXPECT_TRUE(late_enough);
}

TEST(Loop, StopRunsWhatWasPostedAndDropsTheRest) {
  AsioLoop loop("loop");
  loop.Start();
  auto witness = std::make_shared<int>(0);
  bool ran = false;
  loop.Post([&] { ran = true; });
  loop.Post([&, witness] { loop.RunAfter(std::chrono::hours(1), [witness] {}); });
  loop.Stop();
  EXPECT_TRUE(ran);
  EXPECT_EQ(witness.use_count(), 1);
  loop.Post([&, witness] { ADD_FAILURE(); });
  EXPECT_EQ(witness.use_count(), 1);
  loop.Stop();
}

TEST(Loop, StopEndsALoopThatNeverRestsAndRunOnLoopTellsOfIt) {
  AsioLoop loop("loop");
  loop.Start();
  std::function<void()> again = [&] { loop.Post(again); };
  loop.Post(again);
  loop.Stop();
  EXPECT_TRUE(RunOnLoop(loop, [] {}));  // nobody's loop any more: it just calls
}

TEST(Loop, SignalsArriveAsCallbacks) {
  AsioLoop loop("loop");
  std::atomic<int> got = 0;
  loop.Start();
  ShutdownSignals* signals = nullptr;
  RunOnLoop(loop, [&] { signals = new ShutdownSignals(loop, [&](int s) { got = s; }); });
  RunOnLoop(loop, [] {});
  raise(SIGTERM);
  for (int i = 0; i < 5000 && got == 0; ++i) BlockThreadFor(Duration(1000));
  EXPECT_EQ(got, SIGTERM);
  RunOnLoop(loop, [&] { delete signals; });
  loop.Stop();
}

TEST(WorkerPool, RefusesBeyondItsQueueAndRunsTheAccepted) {
  std::mutex gate;
  gate.lock();
  std::atomic<int> ran = 0;
  WorkerPool pool("pool", 1, 2);
  std::atomic<bool> started = false;
  EXPECT_TRUE(pool.Submit([&] {
                    started = true;
                    std::lock_guard lock(gate);
                    ++ran;
                  })
                  .ok());
  while (!started) std::this_thread::yield();
  EXPECT_TRUE(pool.Submit([&] { ++ran; }).ok());
  EXPECT_TRUE(pool.Submit([&] { ++ran; }).ok());
  EXPECT_EQ(pool.Submit([&] { ++ran; }).code(), Code::kResourceExhausted);
  gate.unlock();
  pool.Stop();
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(pool.Submit([&] { ++ran; }).code(), Code::kCancelled);
}

TEST(Random, SeededSequenceIsStable) {
  SeededRandom a(42), b(42), c(43);
  uint64_t first = a.U64();
  EXPECT_EQ(first, b.U64());
  EXPECT_NE(first, c.U64());
  EXPECT_EQ(first, 1546998764402558742ull);  // simulations print seeds: must never change
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.Uniform(7), 7u);
  EXPECT_EQ(SystemRandom().FillBytes(13).size(), 13u);
  EXPECT_NE(SystemRandom().U64(), SystemRandom().U64());
}

TEST(Clock, FormatsWallTime) {
  EXPECT_EQ(FormatWallTime(WallTime(Duration(0))), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatWallTime(WallTime(Duration(1767225600123456))), "2026-01-01T00:00:00.123456Z");
  EXPECT_EQ(FormatWallTime(WallTime(Duration(-1))), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace borealis::env
