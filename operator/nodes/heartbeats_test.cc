#include "operator/nodes/heartbeats.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "common/testing/sim_loop.h"

namespace borealis::nodes {
namespace {

using namespace std::chrono_literals;  // NOLINT

// Plays the network by the manual clock: answers after 5 ms, or, who hangs, nothing after the
// timeout.
class HeartbeatsTest : public ::testing::Test {
 protected:
  void Run(env::Duration time) {
    for (const env::MonotonicTime end = clock_.Monotonic() + time; clock_.Monotonic() < end;) {
      clock_.Advance(5ms);
      if (++step_ % (kTickEvery / 5ms) == 0) beats_.Tick();
      std::vector<Asked> later;
      std::vector<Asked> asked;
      std::swap(asked, asked_);
      for (Asked& a : asked) {
        const bool hangs = hangs_.count(a.target.address) > 0;
        if (clock_.Monotonic() < a.at + (hangs ? kBeatTimeout : 5ms)) {
          later.push_back(std::move(a));
        } else {
          a.answer(hangs ? std::nullopt : std::optional<Beat>(Answering(a.target.address)));
        }
      }
      asked_.insert(asked_.end(), std::make_move_iterator(later.begin()),
                    std::make_move_iterator(later.end()));
    }
  }
  Beat Answering(const std::string& address) const {
    Beat beat;
    beat.ready = not_ready_.count(address) == 0;
    return beat;
  }
  static std::map<std::string, Target> Pods(int count, const std::string& prefix) {
    std::map<std::string, Target> targets;
    for (int i = 0; i < count; ++i) {
      const std::string name = prefix + std::to_string(i);
      targets[name] = {Role::kWriter, name + ":7001", "uid-" + name};
    }
    return targets;
  }

  struct Asked {
    Target target;
    env::MonotonicTime at;
    Heartbeats::Answer answer;
  };
  testing::ManualClock clock_;
  int64_t step_ = 0;
  std::vector<Asked> asked_;
  std::map<std::string, int> questions_;  // by address
  std::set<std::string> hangs_, not_ready_;
  std::vector<std::string> changes_;
  Heartbeats beats_{clock_,
                    [this](const Target& target, Heartbeats::Answer answer) {
                      ++questions_[target.address];
                      asked_.push_back({target, clock_.Monotonic(), std::move(answer)});
                    },
                    [this](const std::string& group) { changes_.push_back(group); }};
};

TEST_F(HeartbeatsTest, AWriterThatHangsIsReportedInTimeAndComesBack) {
  for (env::Duration phase = 0ms; phase < kBeatEvery; phase += 50ms) {
    beats_.SetTargets("ns/shop", {});
    beats_.SetTargets("ns/shop", Pods(3, "w"));
    Run(3s + phase);
    EXPECT_LE(beats_.Get("ns/shop", "w1").silence, kBeatEvery + kTickEvery);
    changes_.clear();
    hangs_ = {"w1:7001"};
    const env::MonotonicTime hung = clock_.Monotonic();
    while (changes_.empty() && clock_.Monotonic() - hung < 5s) Run(5ms);
    EXPECT_EQ(changes_, std::vector<std::string>{"ns/shop"});
    EXPECT_LE(clock_.Monotonic() - hung, 1600ms);  // 0.4 s of the 2 s are the label's
    EXPECT_GT(beats_.Get("ns/shop", "w1").silence, kSuspectAfter);
    EXPECT_LT(beats_.Get("ns/shop", "w0").silence, kSuspectAfter);
    changes_.clear();
    hangs_.clear();
    Run(1s);
    EXPECT_EQ(changes_, std::vector<std::string>{"ns/shop"});
  }
}

TEST_F(HeartbeatsTest, OneLostAnswerIsNoSuspicion) {
  beats_.SetTargets("ns/shop", Pods(1, "w"));
  Run(3s);
  changes_.clear();
  for (int i = 0; i < 20; ++i) {
    while (!asked_.empty()) Run(5ms);  // else that one would be lost as well
    const int before = questions_["w0:7001"];
    hangs_ = {"w0:7001"};
    while (questions_["w0:7001"] == before) Run(5ms);
    Run(kBeatTimeout - 10ms);  // that question is lost, the next is answered
    while (questions_["w0:7001"] == before + 1) {
      Run(5ms);
    }
    hangs_.clear();
    Run(1s + i * 17ms);
  }
  EXPECT_TRUE(changes_.empty());
}

TEST_F(HeartbeatsTest, ManyThatHangDelayNobody) {
  beats_.SetTargets("ns/bad", Pods(50, "bad"));
  beats_.SetTargets("ns/good", Pods(3, "good"));
  for (const auto& [name, target] : Pods(50, "bad")) hangs_.insert(target.address);
  Run(20s);
  for (const auto& [name, target] : Pods(3, "good")) {
    EXPECT_GE(questions_[target.address], 38) << name;
    EXPECT_LT(beats_.Get("ns/good", name).silence, kBeatEvery + kTickEvery + 10ms);
  }
  EXPECT_FALSE(beats_.Get("ns/bad", "bad0").answered);
}

TEST_F(HeartbeatsTest, ReadinessIsReportedWhenItTurns) {
  beats_.SetTargets("ns/shop", Pods(1, "w"));
  Run(2s);
  changes_.clear();
  not_ready_ = {"w0:7001"};
  Run(3s);
  EXPECT_EQ(changes_, std::vector<std::string>{"ns/shop"});
  EXPECT_FALSE(beats_.Get("ns/shop", "w0").ready);
}

// A new pod that got the old one's address is not taken for it, nor an answer on its way.
TEST_F(HeartbeatsTest, AnotherPodAtTheSameAddressBeginsAnew) {
  beats_.SetTargets("ns/shop", {{"w0", {Role::kWriter, "x:7001", "old"}}});
  Run(2s);
  ASSERT_TRUE(beats_.Get("ns/shop", "w0").answered);
  while (asked_.empty()) Run(5ms);
  beats_.SetTargets("ns/shop", {{"w0", {Role::kWriter, "x:7001", "new"}}});
  EXPECT_FALSE(beats_.Get("ns/shop", "w0").answered);
  for (Asked& a : asked_) a.answer(Beat{});
  asked_.clear();
  EXPECT_FALSE(beats_.Get("ns/shop", "w0").answered);
  Run(1s);
  EXPECT_TRUE(beats_.Get("ns/shop", "w0").answered);
  beats_.SetTargets("ns/shop", {});
  EXPECT_FALSE(beats_.Get("ns/shop", "w0").answered);
}

}  // namespace
}  // namespace borealis::nodes
