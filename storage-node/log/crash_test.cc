// Every call of the file system, in a run that writes, replaces, rolls over, trims and reopens,
// fails once or is the last before a power cut. What Open then finds is compared with a model:
// everything acknowledged is there, at most the one write in flight beside it, nothing else.
#include <gtest/gtest.h>

#include "common/env/random.h"
#include "common/testing/sim_file.h"
#include "storage-node/log/log_test_util.h"

namespace borealis::log::test {
namespace {

using testing::CrashOptions;
using testing::FileOp;
using testing::SimFileSystem;

// What a log holds after some number of batches.
struct State {
  std::vector<raft::Entry> entries;  // from index 1
  raft::HardState hard_state;

  void Apply(const Batch& batch) {
    if (batch.hard_state) hard_state = *batch.hard_state;
    if (batch.entries.empty()) return;
    entries.resize(batch.entries.front().index.value() - 1);
    entries.insert(entries.end(), batch.entries.begin(), batch.entries.end());
  }
};

class CrashRun {
 public:
  explicit CrashRun(uint64_t seed) : random_(seed) { states_.emplace_back(); }

  // Writes until `batches` are acknowledged or the first error. Some batches replace a suffix, as
  // after a change of leader; some only state a vote; some trim.
  void Write(Log* log, int batches) {
    for (int i = 0; i < batches; i++) {
      Batch batch = NextBatch();
      Attempt(batch);
      if (!log->WriteBatch(batch).ok()) return;
      acked_++;
      log->PrepareSpare(4096);
      if (random_.Uniform(4) != 0) continue;
      // As raft does it: only what is committed for sure is trimmed.
      uint64_t keep = std::min<uint64_t>(states_[acked_].entries.size(), replaceable_from_ - 1);
      if (!log->TrimPrefix(LogIndex(keep)).ok()) return;
    }
  }

  // The log agrees with the state after the acknowledged batches, or after one more; that becomes
  // the state to go on from.
  ::testing::AssertionResult Check(Log* log) {
    for (size_t i = acked_; i < states_.size(); i++) {
      if (!Matches(*log, states_[i])) continue;
      State found = states_[i];
      states_.assign(1, found);
      acked_ = 0;
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure()
           << "the log ends at " << log->LastIndex() << ", acknowledged were "
           << states_[acked_].entries.size() << " entries";
  }

  // A batch that was written but not acknowledged.
  void Attempt(const Batch& batch) {
    states_.resize(acked_ + 1);
    states_.push_back(states_[acked_]);
    states_.back().Apply(batch);
  }

  size_t entries() const { return states_[acked_].entries.size(); }

 private:
  Batch NextBatch() {
    const State& now = states_[acked_];
    Batch batch;
    uint64_t dice = random_.Uniform(10);
    if (dice < 2) {
      term_++;
      batch.hard_state = raft::HardState{Term(term_), MemberId(random_.Uniform(3)), LogIndex(0)};
      if (dice == 0) return batch;
    }
    uint64_t next = now.entries.size() + 1;
    replaceable_from_ = std::max(replaceable_from_, next > 20 ? next - 20 : 1);
    if (dice < 3 && next > replaceable_from_) {
      term_++;
      next -= random_.Uniform(next - replaceable_from_);
    }
    uint64_t count = 1 + random_.Uniform(4);
    for (uint64_t i = 0; i < count; i++) {
      batch.entries.push_back(MakeEntry(term_, next + i, 10 + random_.Uniform(3000)));
    }
    return batch;
  }

  static bool Matches(const Log& log, const State& state) {
    if (log.LastIndex().value() != state.entries.size()) return false;
    if (log.recovered().hard_state != state.hard_state) return false;
    LogIndex at = log.FirstIndex();
    if (at > LogIndex(1)) {
      auto before = log.TermOf(at.Prev());
      if (!before.ok() || *before != state.entries[at.value() - 2].term) return false;
    }
    while (at <= log.LastIndex()) {
      auto entries = log.Entries(at, log.LastIndex().Next(), 1 << 20);
      if (!entries.ok()) return false;
      for (const raft::Entry& entry : *entries) {
        if (entry != state.entries[at.value() - 1]) return false;
        at = at.Next();
      }
    }
    return true;
  }

  env::SeededRandom random_;
  uint64_t term_ = 1;
  uint64_t replaceable_from_ = 1;
  size_t acked_ = 0;  // states_[acked_] is acknowledged, a later one was attempted
  std::vector<State> states_;
};

constexpr int kBatches = 90;

enum class Fault { kOneCallFails, kPowerCut };

// Faults at the nth call of any kind, counted over the whole life of the log. False when the run
// has no nth call any more.
bool RunWithFault(Fault fault, uint64_t nth, std::optional<uint64_t> keep_seed) {
  SimFileSystem fs;
  CrashRun run(nth % 5 + 1);
  uint64_t calls = 0;
  bool reached = false;
  bool checking = false;  // the test's own reads are not what is tested
  fs.SetFaultHook([&](FileOp, const std::string&) {
    if (checking) return Status::Ok();
    calls++;
    reached = reached || calls == nth;
    bool fails = fault == Fault::kPowerCut ? calls >= nth : calls == nth;
    return fails ? IoError("injected") : Status::Ok();
  });
  for (int life = 0; life < 2; life++) {
    auto log = OpenLog(&fs);
    if (!log.ok()) break;
    checking = true;
    EXPECT_TRUE(run.Check(log->get())) << "call " << nth;
    checking = false;
    // The second life is short, lest trimming hides what the first left behind.
    run.Write(log->get(), life == 0 ? kBatches : static_cast<int>(nth % 4));
  }
  fs.SetFaultHook(nullptr);
  CrashOptions crash;
  crash.keep_unsynced_seed = keep_seed;
  fs.Crash(crash);
  // The process starts again, writes on, and is cut off once more.
  for (int life = 0; life < 2; life++) {
    auto log = OpenLog(&fs);
    EXPECT_TRUE(log.ok()) << "call " << nth << ": " << log.status().ToString();
    if (!log.ok()) return reached;
    EXPECT_TRUE(run.Check(log->get())) << "call " << nth << " life " << life;
    run.Write(log->get(), 10);
    log = Status(Code::kInternal, "closed");
    fs.Crash(crash);
  }
  EXPECT_GT(run.entries(), 0u);
  return reached;
}

uint64_t RunAllFaults(Fault fault, bool torn) {
  for (uint64_t nth = 1; nth < 10000; nth++) {
    std::optional<uint64_t> keep_seed;
    if (torn) keep_seed = nth * 7919;
    if (!RunWithFault(fault, nth, keep_seed)) return nth;
    if (::testing::Test::HasFailure()) return 0;
  }
  return 0;
}

TEST(LogCrash, EachCallFailsOnce) {
  EXPECT_GT(RunAllFaults(Fault::kOneCallFails, false), 200u);
}

TEST(LogCrash, EachCallFailsOnceAndUnsyncedWritesPartlySurvive) {
  EXPECT_GT(RunAllFaults(Fault::kOneCallFails, true), 200u);
}

TEST(LogCrash, PowerCutAtEachCall) {
  EXPECT_GT(RunAllFaults(Fault::kPowerCut, false), 200u);
}

TEST(LogCrash, PowerCutAtEachCallAndUnsyncedWritesPartlySurvive) {
  EXPECT_GT(RunAllFaults(Fault::kPowerCut, true), 200u);
}

// A write torn at every sector: each part of it alone on disk.
TEST(LogCrash, TornWritesAreCut) {
  uint64_t cut = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    SimFileSystem fs;
    CrashRun run(seed);
    {
      auto log = MustOpen(&fs);
      run.Write(log.get(), static_cast<int>(seed % 7));
      // The power goes between write and sync.
      Batch torn = MakeBatch(99, run.entries() + 1, 4, 2000);
      torn.must_sync = false;
      ASSERT_TRUE(log->WriteBatch(torn).ok());
      run.Attempt(torn);
    }
    CrashOptions crash;
    crash.keep_unsynced_seed = seed;
    fs.Crash(crash);
    auto log = MustOpen(&fs);
    ASSERT_NE(log, nullptr);
    EXPECT_TRUE(run.Check(log.get())) << seed;
    cut += log->recovered().torn_bytes_cut > 0;
  }
  EXPECT_GT(cut, 50u);
}

// After a failed fdatasync Linux takes the pages for clean: a new process reads them, syncs without
// an error, and they are gone after a power cut. So Open writes anew what nothing proves to be
// durable.
TEST(LogCrash, WhatAFailedSyncLeftInThePageCacheIsWrittenAgain) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 1, 3)).ok());
    fs.FailNth(FileOp::kSync, 1, IoError("injected"));
    EXPECT_FALSE(log->WriteBatch(MakeBatch(1, 4, 2)).ok());
  }
  uint64_t found = 0;
  {
    auto log = MustOpen(&fs);
    found = log->LastIndex().value();
    EXPECT_EQ(found, 5u);
  }
  fs.Crash();
  EXPECT_EQ(MustOpen(&fs)->LastIndex(), LogIndex(found));
}

// The checker is checked: a disk that loses a synced write must be noticed.
TEST(LogCrash, TheCheckNoticesALostWrite) {
  SimFileSystem fs;
  CrashRun run(1);
  {
    auto log = MustOpen(&fs);
    EXPECT_TRUE(run.Check(log.get()));
    run.Write(log.get(), 5);
  }
  fs.Crash();
  ASSERT_TRUE(fs.RemoveTree("/log").ok());
  auto log = MustOpen(&fs);
  EXPECT_FALSE(run.Check(log.get()));
}

}  // namespace
}  // namespace borealis::log::test
