#include "common/env/fiber.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace borealis::env {
namespace {

// Runs the body in a fiber of a fresh loop and waits for its end.
class FiberTest : public ::testing::Test {
 protected:
  FiberTest() { loop_.Start(); }
  void RunFiber(Task body) {
    std::mutex mu;
    std::condition_variable changed;
    bool done = false;
    loop_.Post([&] {
      Spawn(loop_, "test", [&, body = std::move(body)]() mutable {
        body();
        std::lock_guard lock(mu);
        done = true;
        changed.notify_all();
      });
    });
    std::unique_lock lock(mu);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return done; }));
  }
  AsioLoop loop_{"fibers"};
};

TEST_F(FiberTest, NotifyIsKeptOnceAndWakesInOrder) {
  RunFiber([&] {
    FiberEvent event(loop_);
    event.Notify();
    event.Notify();
    EXPECT_TRUE(event.Wait().ok());
    EXPECT_EQ(event.WaitFor(Duration(1000)).code(), Code::kDeadlineExceeded);
    std::vector<int> order;
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < 3; ++i) {
      fibers.push_back(Spawn(loop_, "waiter", [&, i] {
        EXPECT_TRUE(event.Wait().ok());
        order.push_back(i);
      }));
    }
    while (order.empty() && !event.has_waiters()) FiberYield();
    FiberYield();
    event.Notify();
    event.Notify();
    event.Notify();
    for (FiberHandle& fiber : fibers) fiber.Join();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  });
}

TEST_F(FiberTest, NotifyAllWakesThePresentAndKeepsNothing) {
  RunFiber([&] {
    FiberEvent event(loop_);
    int woken = 0;
    FiberHandle a = Spawn(loop_, "a", [&] { woken += event.Wait().ok(); });
    FiberHandle b = Spawn(loop_, "b", [&] { woken += event.Wait().ok(); });
    FiberYield();
    event.NotifyAll();
    a.Join();
    b.Join();
    EXPECT_EQ(woken, 2);
    event.NotifyAll();
    EXPECT_EQ(event.WaitFor(Duration(500)).code(), Code::kDeadlineExceeded);
  });
}

TEST_F(FiberTest, CancelEndsTheCurrentAndEveryLaterWait) {
  RunFiber([&] {
    FiberEvent event(loop_);
    std::vector<Code> codes;
    FiberHandle fiber = Spawn(loop_, "victim", [&] {
      codes.push_back(event.Wait().code());
      codes.push_back(FiberSleep(std::chrono::seconds(100)).code());
      {
        FiberCancelShield shield;
        codes.push_back(FiberSleep(Duration(100)).code());
      }
      codes.push_back(event.WaitFor(std::chrono::seconds(100)).code());
    });
    FiberYield();
    fiber.Cancel();
    fiber.Cancel();
    fiber.Join();
    EXPECT_TRUE(fiber.done());
    EXPECT_EQ(codes,
              (std::vector<Code>{Code::kCancelled, Code::kCancelled, Code::kOk, Code::kCancelled}));
    EXPECT_FALSE(event.has_waiters());
  });
}

TEST_F(FiberTest, ACancelledWaiterDoesNotSwallowANotify) {
  RunFiber([&] {
    FiberEvent event(loop_);
    FiberHandle a = Spawn(loop_, "a", [&] { EXPECT_EQ(event.Wait().code(), Code::kCancelled); });
    bool b_woken = false;
    FiberHandle b = Spawn(loop_, "b", [&] { b_woken = event.Wait().ok(); });
    FiberYield();
    a.Cancel();
    event.Notify();
    a.Join();
    b.Join();
    EXPECT_TRUE(b_woken);
  });
}

TEST_F(FiberTest, MutexIsFairAndExcludes) {
  RunFiber([&] {
    FiberMutex mutex(loop_);
    int inside = 0;
    std::vector<int> order;
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < 8; ++i) {
      fibers.push_back(Spawn(loop_, "locker", [&, i] {
        FiberMutexLock lock(mutex);
        EXPECT_EQ(++inside, 1);
        FiberYield();
        FiberYield();
        --inside;
        order.push_back(i);
      }));
    }
    for (FiberHandle& fiber : fibers) fiber.Join();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_FALSE(mutex.held());
  });
}

TEST_F(FiberTest, PromiseCarriesAResultFromAnotherThread) {
  WorkerPool pool("pool", 1, 4);
  RunFiber([&] {
    FiberPromise<std::string> promise(loop_);
    FiberFuture<std::string> future = promise.future();
    EXPECT_EQ(future.GetFor(Duration(500)).code(), Code::kDeadlineExceeded);
    EXPECT_TRUE(pool.Submit([p = std::move(promise)] { p.Set(std::string("hello")); }).ok());
    Result<std::string> got = future.Get();
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(*got, "hello");
  });
}

TEST_F(FiberTest, ADroppedPromiseAnswersCancelled) {
  WorkerPool pool("pool", 1, 4);
  RunFiber([&] {
    std::optional<FiberPromise<int>> promise(loop_);
    FiberFuture<int> future = promise->future();
    promise.reset();
    EXPECT_EQ(future.Get().code(), Code::kCancelled);
    promise.emplace(loop_);
    future = promise->future();
    EXPECT_TRUE(pool.Submit([p = std::move(*promise)]() {}).ok());
    promise.reset();
    EXPECT_EQ(future.Get().code(), Code::kCancelled);
  });
}

TEST_F(FiberTest, RunInPoolUsesTheFibersLocals) {
  WorkerPool pool("pool", 2, 4);
  RunFiber([&] {
    int local = 0;
    EXPECT_TRUE(RunInPool(pool, [&] { local = 42; }).ok());
    EXPECT_EQ(local, 42);
    pool.Stop();
    EXPECT_EQ(RunInPool(pool, [&] { local = 1; }).code(), Code::kCancelled);
    EXPECT_EQ(local, 42);
  });
}

TEST_F(FiberTest, ExceptionsStayWithTheirFiber) {
  RunFiber([&] {
    auto body = [](const char* text) {
      try {
        throw std::runtime_error(text);
      } catch (const std::runtime_error&) {
        // Both fibers now hold a caught exception; rethrowing must find the own one.
        FiberYield();
        try {
          throw;
        } catch (const std::runtime_error& e) {
          FiberYield();
          EXPECT_STREQ(e.what(), text);
        }
      }
    };
    FiberHandle a = Spawn(loop_, "a", [&] { body("from a"); });
    FiberHandle b = Spawn(loop_, "b", [&] { body("from b"); });
    a.Join();
    b.Join();
  });
}

TEST_F(FiberTest, ManyFibersUseDeepStacksThatArePooled) {
  std::atomic<uint64_t> total = 0;
  RunFiber([&] {
    struct Deep {
      static uint64_t Sum(int n) {
        volatile char frame[512];
        frame[0] = static_cast<char>(n);
        return n == 0 ? 0 : static_cast<uint64_t>(frame[0] != 0 || n > 0) + Sum(n - 1);
      }
    };
    for (int round = 0; round < 5; ++round) {
      std::vector<FiberHandle> fibers;
      for (int i = 0; i < 200; ++i) {
        fibers.push_back(Spawn(loop_, "deep", [&] {
          uint64_t sum = Deep::Sum(100);
          FiberYield();
          total += sum;
        }));
      }
      for (FiberHandle& fiber : fibers) fiber.Join();
    }
  });
  EXPECT_EQ(total, 5u * 200 * 100);
}

TEST_F(FiberTest, AGroupEndsWithNoneLeft) {
  std::optional<FiberGroup> group;
  int ended = 0;
  RunOnLoop(loop_, [&] {
    group.emplace(loop_);
    for (int i = 0; i < 10; ++i) {
      group->Spawn("member", [&] {
        EXPECT_EQ(FiberSleep(std::chrono::seconds(100)).code(), Code::kCancelled);
        ++ended;
      });
    }
  });
  group->StopFromOutside();
  RunOnLoop(loop_, [&] {
    EXPECT_EQ(ended, 10);
    EXPECT_TRUE(group->empty());
    group->Spawn("late", [&] { ended += FiberCancelled(); });
  });
  RunFiber([&] {
    group->Wait();
    EXPECT_EQ(ended, 11);
    group.reset();
  });
}

TEST(FiberDeath, AnEscapedExceptionEndsTheProcessWithItsName) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        AsioLoop loop("x");
        loop.Start();
        loop.Post([&] { Spawn(loop, "doomed", [] { throw std::runtime_error("oops"); }); });
        BlockThreadFor(std::chrono::seconds(10));
      },
      "exception left fiber doomed: oops");
}

}  // namespace
}  // namespace borealis::env
