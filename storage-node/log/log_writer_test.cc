#include "storage-node/log/log_writer.h"

#include <condition_variable>
#include <mutex>

#include "common/env/thread.h"
#include "common/testing/sim_file.h"
#include "storage-node/log/log_test_util.h"

namespace borealis::log::test {
namespace {

using testing::FileOp;
using testing::SimFileSystem;

// Holds calls of Sync until it is opened.
class Gate {
 public:
  void Wait() {
    std::unique_lock lock(mu_);
    waiting_++;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitWaiter() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void Open() {
    std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST(LogWriter, BatchesThatWaitShareOneSync) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  Gate gate;
  fs.SetFaultHook([&](FileOp op, const std::string&) {
    if (op == FileOp::kSync) gate.Wait();
    return Status::Ok();
  });
  std::vector<uint64_t> done;
  {
    LogWriter writer(log.get(), /*threaded=*/true);
    uint64_t syncs = log->counters().syncs.load();
    for (uint64_t i = 1; i <= 10; i++) {
      writer.Append(MakeBatch(1, i, 1), [&done, i](const Status& status) {
        EXPECT_TRUE(status.ok());
        done.push_back(i);
      });
      if (i == 1) gate.AwaitWaiter();
    }
    EXPECT_FALSE(writer.Idle());
    EXPECT_TRUE(done.empty());
    gate.Open();
    writer.Stop();
    EXPECT_EQ(log->counters().syncs.load() - syncs, 2u);
  }
  EXPECT_EQ(done, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(log->LastIndex(), LogIndex(10));
  EXPECT_EQ(log->counters().batches.load(), 2u);
}

TEST(LogWriter, InlineAndQueuedWritesKeepTheirOrder) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  {
    LogWriter writer(log.get(), /*threaded=*/true);
    uint64_t finished = 0;
    for (uint64_t i = 1; i <= 300; i++) {
      if (i % 3 == 0) {
        ASSERT_TRUE(writer.AppendSync(MakeBatch(1, i, 1)).ok());
        EXPECT_EQ(log->LastIndex(), LogIndex(i));
      } else {
        writer.Append(MakeBatch(1, i, 1), [&finished, i](const Status& status) {
          EXPECT_TRUE(status.ok());
          EXPECT_LT(finished, i);
          finished = i;
        });
      }
      if (i % 50 == 0) {
        ASSERT_TRUE(writer.TrimPrefix(LogIndex(i / 2)).ok());
      }
    }
  }
  fs.Crash();
  EXPECT_EQ(MustOpen(&fs)->LastIndex(), LogIndex(300));
}

TEST(LogWriter, SeveralThreadsMayAppendSync) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  LogWriter writer(log.get(), /*threaded=*/false);
  std::vector<env::Thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back("test", [&writer] {
      for (uint64_t i = 1; i <= 50; i++) {
        Batch vote;
        vote.hard_state = raft::HardState{Term(i), MemberId(1), LogIndex(0)};
        EXPECT_TRUE(writer.AppendSync(vote).ok());
        writer.Append(vote, [](const Status& status) { EXPECT_TRUE(status.ok()); });
      }
    });
  }
  for (env::Thread& thread : threads) thread.Join();
  EXPECT_TRUE(writer.Idle());
  EXPECT_GE(log->counters().batches.load(), 1u);
}

TEST(LogWriter, AnErrorIsToldToAllAndNothingIsRetried) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  LogWriter writer(log.get(), /*threaded=*/true);
  ASSERT_TRUE(writer.AppendSync(MakeBatch(1, 1, 1)).ok());
  fs.FailNth(FileOp::kSync, 1, IoError("injected"));
  int told = 0;
  for (uint64_t i = 2; i <= 6; i++) {
    writer.Append(MakeBatch(1, i, 1), [&told](const Status& status) {
      EXPECT_EQ(status.code(), Code::kIoError);
      told++;
    });
  }
  // An empty batch depends on those before it.
  writer.Append(Batch(), [&told](const Status& status) {
    EXPECT_EQ(status.code(), Code::kIoError);
    told++;
  });
  EXPECT_EQ(writer.AppendSync(MakeBatch(1, 2, 1)).code(), Code::kIoError);
  writer.Stop();
  EXPECT_EQ(told, 6);
  writer.Append(Batch(), [&told](const Status& status) {
    EXPECT_EQ(status.code(), Code::kCancelled);
    told++;
  });
  EXPECT_EQ(told, 7);
  EXPECT_EQ(writer.AppendSync(Batch()).code(), Code::kCancelled);
}

TEST(LogWriter, WithoutAThreadAppendsAreDoneWhenItReturns) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  LogWriter writer(log.get(), /*threaded=*/false);
  bool done = false;
  writer.Append(MakeBatch(1, 1, 3), [&done](const Status& status) { done = status.ok(); });
  EXPECT_TRUE(done);
  EXPECT_EQ(log->LastIndex(), LogIndex(3));
}

}  // namespace
}  // namespace borealis::log::test
