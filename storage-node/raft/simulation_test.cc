// Many short random histories, and histories with planted bugs that the checks must notice.
// BOREALIS_RAFT_SEEDS=n runs n seeds for each case instead; BOREALIS_RAFT_SEED=s only that one.
#include "storage-node/raft/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace borealis::raft::test {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

void RunSeeds(int members, int steps, uint64_t seeds) {
  uint64_t only = FromEnvironment("BOREALIS_RAFT_SEED", 0);
  seeds = FromEnvironment("BOREALIS_RAFT_SEEDS", seeds);
  uint64_t committed = 0;
  uint64_t reads = 0;
  for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++) {
    SimulationOptions options;
    options.seed = seed;
    options.members = members;
    options.steps = steps;
    Simulation simulation(options);
    auto failure = simulation.Run();
    ASSERT_FALSE(failure.has_value()) << *failure;
    committed += simulation.committed();
    reads += simulation.reads_answered();
  }
  ::testing::Test::RecordProperty("committed", std::to_string(committed));
  ::testing::Test::RecordProperty("reads", std::to_string(reads));
  // A simulation in which nothing happens proves nothing.
  if (only == 0) {
    EXPECT_GT(committed, seeds * 5);
    EXPECT_GT(reads, seeds);
  }
}

TEST(RaftSimulation, ThreeMembersStaySafeAndRecover) {
  RunSeeds(3, 1500, 4000);
}
TEST(RaftSimulation, SixMembersStaySafeAndRecover) {
  RunSeeds(6, 3000, 2000);
}
TEST(RaftSimulation, OneMember) {
  RunSeeds(1, 200, 200);
}
TEST(RaftSimulation, LongHistories) {
  RunSeeds(6, 100000, 10);
}

// How many seeds until the bug is noticed; 0 for never.
uint64_t SeedsUntilNoticed(SimulationOptions options, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    options.seed = seed;
    if (Simulation(options).Run()) return seed;
  }
  return 0;
}

TEST(RaftSimulationNotices, AcknowledgementsSentBeforeTheyAreDurable) {
  SimulationOptions options;
  options.plants.send_before_persist = true;
  EXPECT_NE(SeedsUntilNoticed(options, 200), 0u);
}

TEST(RaftSimulationNotices, OwnWriteCountedBeforeItIsDurable) {
  SimulationOptions options;
  options.plants.report_before_persist = true;
  EXPECT_NE(SeedsUntilNoticed(options, 200), 0u);
}

TEST(RaftSimulationNotices, VotesForgottenInACrash) {
  SimulationOptions options;
  options.plants.forget_hard_state = true;
  // The core itself refuses to start with a log of a later term than its hard state.
  EXPECT_DEATH(SeedsUntilNoticed(options, 200), "check failed");
}

TEST(RaftSimulationNotices, ThreeOfSixCountedAsAMajority) {
  SimulationOptions options;
  options.members = 6;
  options.half_is_a_majority = true;
  EXPECT_NE(SeedsUntilNoticed(options, 500), 0u);
}

TEST(RaftSimulationNotices, ReadsAnsweredWithoutAQuorum) {
  SimulationOptions options;
  options.plants.answer_reads_alone = true;
  options.steps = 2000;
  EXPECT_NE(SeedsUntilNoticed(options, 500), 0u);
}

}  // namespace
}  // namespace borealis::raft::test
