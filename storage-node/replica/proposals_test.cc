#include "storage-node/replica/proposals.h"

#include <gtest/gtest.h>

namespace borealis::replica {
namespace {

Bytes Body(const std::vector<uint64_t>& sequences) {
  wire::CommitBodyBuilder body;
  for (const uint64_t sequence : sequences) {
    body.Add(wire::RequestBuilder().Finish({Incarnation(1), sequence}, 0));
  }
  return body.Take();
}

// Collects what each caller was told: "1=accepted@7 2=unknown".
class ProposalsTest : public ::testing::Test {
 protected:
  void Queue(const std::vector<uint64_t>& sequences) {
    proposals_.QueueCommit(Body(sequences), sequences.size(),
                           [this](const std::vector<wire::Verdict>& verdicts) {
                             for (const wire::Verdict& v : verdicts) {
                               told_ += std::to_string(v.txn.sequence) + "=" +
                                        std::to_string(static_cast<int>(v.kind)) + " ";
                             }
                           });
  }
  void QueueOther() {
    proposals_.QueueOther(wire::EncodeNoop(), [this](const Result<apply::Decided>& decided) {
      told_ += decided.ok() ? "other=ok " : "other=" + std::string(CodeName(decided.code())) + " ";
    });
  }
  static apply::Decided Decided(const std::vector<uint64_t>& sequences) {
    apply::Decided decided;
    for (const uint64_t sequence : sequences) {
      wire::Verdict v;
      v.txn = {Incarnation(1), sequence};
      v.kind = wire::VerdictKind::kAccepted;
      decided.verdicts.push_back(v);
    }
    return decided;
  }
  std::string Told() { return std::exchange(told_, ""); }

  Proposals proposals_;
  std::string told_;
};

TEST_F(ProposalsTest, NeighboursShareAnEntryAndEachGetsItsOwnVerdicts) {
  Queue({1, 2});
  Queue({3});
  QueueOther();
  Queue({4});
  const auto entries = proposals_.TakeEntries(1 << 20);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_TRUE(proposals_.empty());
  const auto entry = wire::ParseEntry(entries[0].payload.view());
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(wire::ParseCommitBody(entry->body)->size(), 3u);
  proposals_.Appended({Term(2), LogIndex(10)});
  proposals_.OnDecided(Term(1), LogIndex(9), Decided({}), MemberId());
  EXPECT_EQ(Told(), "");
  proposals_.OnDecided(Term(2), LogIndex(10), Decided({1, 2, 3}), MemberId());
  EXPECT_EQ(Told(), "1=1 2=1 3=1 ");
  proposals_.OnDecided(Term(2), LogIndex(11), Decided({}), MemberId());
  EXPECT_EQ(Told(), "other=ok ");
  proposals_.OnDecided(Term(2), LogIndex(12), Decided({4}), MemberId());
  EXPECT_EQ(Told(), "4=1 ");
}

TEST_F(ProposalsTest, LargeBatchesGetEntriesOfTheirOwn) {
  Queue({1});
  Queue({2});
  Queue({3});
  EXPECT_EQ(proposals_.TakeEntries(1).size(), 3u);
}

TEST_F(ProposalsTest, WhatWasNotAppendedMayBeSentElsewhere) {
  Queue({1});
  QueueOther();
  (void)proposals_.TakeEntries(1 << 20);
  proposals_.Refused(MemberId(3));
  EXPECT_EQ(Told(), "1=6 other=not_leader ");
  Queue({2});
  proposals_.FailQueued(MemberId(3));
  EXPECT_EQ(Told(), "2=6 ");
}

TEST_F(ProposalsTest, WhatWasAppendedIsUnknownWhenTheLeadershipIsLost) {
  Queue({1});
  QueueOther();
  (void)proposals_.TakeEntries(1 << 20);
  proposals_.Appended({Term(2), LogIndex(10)});
  Queue({2});
  proposals_.FailAppended(MemberId(3));
  EXPECT_EQ(Told(), "1=8 other=outcome_unknown ");
  proposals_.OnDecided(Term(2), LogIndex(10), Decided({1}), MemberId());
  EXPECT_EQ(Told(), "") << "each is told once";
}

TEST_F(ProposalsTest, AnEntryOfAnotherTermMeansThatOursAreLost) {
  Queue({1});
  (void)proposals_.TakeEntries(1 << 20);
  proposals_.Appended({Term(2), LogIndex(10)});
  proposals_.OnDecided(Term(3), LogIndex(10), Decided({9}), MemberId());
  EXPECT_EQ(Told(), "1=6 ");
}

}  // namespace
}  // namespace borealis::replica
