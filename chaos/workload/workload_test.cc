#include <gtest/gtest.h>

#include "chaos/workload/gaps.h"
#include "chaos/workload/verify.h"

namespace borealis::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

env::MonotonicTime At(int ms) {
  return env::MonotonicTime(milliseconds(ms));
}

TEST(GapMeter, AnOutageThatLastsToTheEndIsAGap) {
  GapMeter gaps(At(0));
  for (int ms = 0; ms <= 1000; ms += 10) gaps.Acknowledged(At(ms));
  EXPECT_EQ(gaps.Max(At(5000)), milliseconds(4000));
  EXPECT_EQ(gaps.Longest(At(5000), 1)[0].at, milliseconds(1000));
}

TEST(GapMeter, AttributesAGapToTheFaultItTouches) {
  GapMeter gaps(At(0));
  for (int ms = 0; ms <= 3000; ms += 10) gaps.Acknowledged(At(ms));
  for (int ms = 3700; ms <= 6000; ms += 10) gaps.Acknowledged(At(ms));
  EXPECT_EQ(gaps.MaxWithin(At(6000), seconds(3), seconds(5)), milliseconds(700));
  EXPECT_EQ(gaps.MaxWithin(At(6000), seconds(5), seconds(6)), milliseconds(10));
}

TEST(GapMeter, P99IsOverSecondsNotOverAcknowledgements) {
  GapMeter gaps(At(0));
  for (int ms = 0; ms <= 100'000; ms += 10) {
    if (ms <= 50'000 || ms >= 52'500) gaps.Acknowledged(At(ms));
  }
  EXPECT_EQ(gaps.P99OverSeconds(At(100'000)), milliseconds(2500));
}

TEST(GapMeter, ARunWithoutAcknowledgementsIsOneGap) {
  EXPECT_EQ(GapMeter(At(0)).Max(At(1500)), milliseconds(1500));
}

Answer Error(const char* sqlstate, bool lost = false) {
  Answer answer;
  answer.sqlstate = sqlstate;
  answer.lost = lost;
  return answer;
}

TEST(Judge, OnlyAPromiseThatNothingHappenedRefuses) {
  Answer ok;
  ok.ok = true;
  EXPECT_EQ(Judge(ok, true), Told::kAcknowledged);
  EXPECT_EQ(Judge(Error("40001"), true), Told::kRefused);
  EXPECT_EQ(Judge(Error("57P03"), true), Told::kRefused);
  EXPECT_EQ(Judge(Error("08007"), true), Told::kInDoubt);
  EXPECT_EQ(Judge(Error("57P01", true), true), Told::kInDoubt);
  EXPECT_EQ(Judge(Error("", true), true), Told::kInDoubt);
  EXPECT_EQ(Judge(Error("", true), false), Told::kRefused);
}

// Two accounts, transfers 1 (acknowledged), 2 (in doubt) and 3 (refused).
class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    options_.accounts = 2;
    run_.history.Record(1, Told::kAcknowledged);
    run_.history.Record(2, Told::kInDoubt);
    run_.history.Record(3, Told::kRefused);
  }
  FinalState State(std::vector<FinalState::Row> rows, int64_t first, int64_t second) {
    return {"w", {{0, first}, {1, second}}, std::move(rows)};
  }
  BankReport Check(std::vector<FinalState> states) {
    BankReport report;
    Verify(run_, states, &report);
    report.anomalies = run_.anomalies;
    return report;
  }
  BankOptions options_;
  BankRun run_{options_, {}, GapMeter(At(0)), {}, {}, {}, 0, 0};
};

TEST_F(VerifyTest, AcceptsARightEndWithOrWithoutWhatWasInDoubt) {
  BankReport without = Check({State({{1, 0, 1, 10}}, 990, 1010)});
  EXPECT_EQ(without.lost + without.duplicated + without.anomalies, 0u);
  EXPECT_EQ(without.in_doubt, 1u);
  BankReport with = Check({State({{1, 0, 1, 10}, {2, 1, 0, 5}}, 995, 1005)});
  EXPECT_EQ(with.lost + with.duplicated + with.anomalies, 0u);
  EXPECT_EQ(with.in_doubt_committed, 1u);
}

TEST_F(VerifyTest, FindsALostTransferOnAnyWriter) {
  BankReport report = Check({State({{1, 0, 1, 10}}, 990, 1010), State({}, 1000, 1000)});
  EXPECT_EQ(report.lost, 1u);
  EXPECT_GT(report.anomalies, 0u) << "the writers disagree";
}

TEST_F(VerifyTest, FindsATransferThatWasAppliedTwice) {
  EXPECT_GT(Check({State({{1, 0, 1, 10}}, 980, 1020)}).anomalies, 0u);
}

TEST_F(VerifyTest, FindsARefusedTransferThatIsThere) {
  EXPECT_GT(Check({State({{1, 0, 1, 10}, {3, 0, 1, 1}}, 989, 1011)}).anomalies, 0u);
}

TEST_F(VerifyTest, FindsAnIdThatStandsTwice) {
  EXPECT_EQ(Check({State({{1, 0, 1, 10}, {1, 0, 1, 10}}, 980, 1020)}).duplicated, 1u);
}

}  // namespace
}  // namespace borealis::chaos
