#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "storage-node/raft/message_codec.h"
#include "storage-node/raft/quorum.h"

namespace borealis::raft {
namespace {

Message FullMessage() {
  Message m;
  m.type = MessageType::kAppend;
  m.from = MemberId(1);
  m.to = MemberId(2);
  m.term = Term(3);
  m.boot_number = 4;
  m.durable_index = LogIndex(5);
  m.committed_durable = LogIndex(6);
  m.index = LogIndex(7);
  m.log_term = Term(2);
  m.commit = LogIndex(8);
  m.reject = true;
  m.transfer = true;
  m.hint_index = LogIndex(9);
  m.hint_term = Term(10);
  m.read_round = 11;
  m.context = 12;
  m.context_boot = 13;
  m.state_hash_index = LogIndex(14);
  m.state_hash = 15;
  m.entries = {{Term(2), LogIndex(8), EntryType::kNoop, Payload()},
               {Term(3), LogIndex(9), EntryType::kData, Payload("hello")},
               {Term(3), LogIndex(10), EntryType::kConfig, Payload("x")}};
  return m;
}

TEST(MessageCodec, RoundTrip) {
  Message m = FullMessage();
  Bytes bytes;
  EncodeMessage(m, &bytes);
  EXPECT_EQ(*DecodeMessage(bytes), m);
  Message empty;
  empty.type = MessageType::kCommit;
  Bytes other;
  EncodeMessage(empty, &other);
  EXPECT_EQ(*DecodeMessage(other), empty);
}

TEST(MessageCodec, HeadAndPayloadsMakeTheWhole) {
  Message m = FullMessage();
  Bytes whole;
  EncodeMessage(m, &whole);
  Bytes head;
  EncodeMessageHead(m, &head);
  EXPECT_EQ(head + "hello" + "x", whole);
}

TEST(MessageCodec, PayloadsAreSlicesOfTheBuffer) {
  Bytes bytes;
  EncodeMessage(FullMessage(), &bytes);
  auto owner = std::make_shared<const Bytes>(bytes);
  Message m = DecodeMessage(owner, *owner).value();
  const char* payload = m.entries[1].payload.view().data();
  EXPECT_TRUE(payload >= owner->data() && payload < owner->data() + owner->size());
  Payload kept = m.entries[1].payload;
  owner.reset();
  m = Message();
  EXPECT_EQ(kept.view(), "hello");
}

TEST(MessageCodec, EveryPrefixIsRefused) {
  Bytes bytes;
  EncodeMessage(FullMessage(), &bytes);
  for (size_t n = 0; n < bytes.size(); n++) {
    EXPECT_EQ(DecodeMessage(bytes.substr(0, n)).code(), Code::kCorruption) << n;
  }
  EXPECT_EQ(DecodeMessage(bytes + "x").code(), Code::kCorruption);
}

TEST(MessageCodec, UnknownVersionsAndTypesAreUnsupported) {
  Bytes bytes;
  EncodeMessage(FullMessage(), &bytes);
  Bytes version = bytes;
  version[0] = 2;
  EXPECT_EQ(DecodeMessage(version).code(), Code::kUnsupported);
  Bytes type = bytes;
  type[1] = 99;
  EXPECT_EQ(DecodeMessage(type).code(), Code::kUnsupported);
  // The first entry's type: after 4 + 16 * 8 + 4 bytes and the entry's term.
  Bytes entry = bytes;
  entry[4 + 16 * 8 + 4 + 8] = 77;
  EXPECT_EQ(DecodeMessage(entry).code(), Code::kUnsupported);
}

// Any bytes at all: an answer, never a crash or memory by a length that lies.
TEST(MessageCodec, DamagedBytesNeverCrash) {
  Bytes bytes;
  EncodeMessage(FullMessage(), &bytes);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; i++) {
    Bytes damaged = bytes;
    for (uint64_t n = random() % 4 + 1; n > 0; n--) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    auto decoded = DecodeMessage(damaged);
    if (!decoded.ok()) continue;
    Bytes again;
    EncodeMessage(*decoded, &again);
    EXPECT_EQ(again, damaged);
  }
}

TEST(ConfigCodec, RoundTripAndRefusals) {
  Config config;
  config.voters = {MemberId(1), MemberId(2)};
  config.outgoing = {MemberId(2), MemberId(3)};
  config.learners = {MemberId(4)};
  Bytes bytes;
  EncodeConfig(config, &bytes);
  EXPECT_EQ(*DecodeConfig(bytes), config);
  for (size_t n = 0; n < bytes.size(); n++) {
    EXPECT_EQ(DecodeConfig(bytes.substr(0, n)).code(), Code::kCorruption);
  }
  Bytes huge = bytes;
  huge[4] = '\x7f';
  EXPECT_EQ(DecodeConfig(huge).code(), Code::kCorruption);
  huge = bytes;
  huge[0] = 2;
  EXPECT_EQ(DecodeConfig(huge).code(), Code::kUnsupported);
}

Config MakeConfig(std::vector<uint64_t> voters, std::vector<uint64_t> outgoing = {},
                  std::vector<uint64_t> learners = {}) {
  Config config;
  for (uint64_t id : voters) config.voters.emplace_back(id);
  for (uint64_t id : outgoing) config.outgoing.emplace_back(id);
  for (uint64_t id : learners) config.learners.emplace_back(id);
  return config;
}

TEST(Quorum, MajorityOfSixIsFour) {
  EXPECT_EQ(MajoritySize(1), 1u);
  EXPECT_EQ(MajoritySize(3), 2u);
  EXPECT_EQ(MajoritySize(5), 3u);
  EXPECT_EQ(MajoritySize(6), 4u);
  EXPECT_EQ(MajoritySize(7), 4u);
}

// All ways in which 6 members can have voted and all small values, against a count by hand.
TEST(Quorum, ValuesAndVotesAgreeWithCounting) {
  Config config = MakeConfig({1, 2, 3, 4, 5, 6});
  for (int code = 0; code < 729; code++) {
    int digits[7];
    int rest = code;
    int at_least[3] = {0, 0, 0};
    for (int id = 1; id <= 6; id++, rest /= 3) {
      digits[id] = rest % 3;
      for (int v = 0; v <= digits[id]; v++) at_least[v]++;
    }
    uint64_t expected = at_least[2] >= 4 ? 2 : at_least[1] >= 4 ? 1 : 0;
    EXPECT_EQ(QuorumValue(config, [&](MemberId id) { return digits[id.value()]; }), expected);

    int yes = at_least[2];
    int no = 6 - at_least[1];
    VoteResult result = CountVotes(config, [&](MemberId id) {
      return digits[id.value()] == 2   ? Ballot::kYes
             : digits[id.value()] == 0 ? Ballot::kNo
                                       : Ballot::kMissing;
    });
    VoteResult by_hand = yes >= 4  ? VoteResult::kWon
                         : no >= 3 ? VoteResult::kLost
                                   : VoteResult::kPending;
    EXPECT_EQ(result, by_hand) << code;
  }
}

TEST(Quorum, AJointConfigurationNeedsBothMajorities) {
  Config joint = MakeConfig({1, 2, 3}, {3, 4, 5});
  auto votes = [&](std::vector<uint64_t> yes, std::vector<uint64_t> no) {
    return CountVotes(joint, [&](MemberId id) {
      if (std::count(yes.begin(), yes.end(), id.value()) > 0) return Ballot::kYes;
      if (std::count(no.begin(), no.end(), id.value()) > 0) return Ballot::kNo;
      return Ballot::kMissing;
    });
  };
  EXPECT_EQ(votes({1, 2}, {}), VoteResult::kPending);
  EXPECT_EQ(votes({1, 3, 4}, {}), VoteResult::kWon);
  EXPECT_EQ(votes({1, 2, 3}, {4, 5}), VoteResult::kLost);
  auto value = [](MemberId id) -> uint64_t { return id.value() * 10; };
  EXPECT_EQ(QuorumValue(joint, value), 20u);  // 20 of {1,2,3}, 40 of {3,4,5}
  EXPECT_EQ(QuorumValue(MakeConfig({3, 4, 5}), value), 40u);
}

TEST(Quorum, ConfigurationsAreChecked) {
  EXPECT_TRUE(ValidateConfig(MakeConfig({1, 2, 3}, {}, {4})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({0})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({2, 1})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({1, 1})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({1, 2}, {}, {2})).ok());
  EXPECT_FALSE(ValidateConfig(MakeConfig({1, 2}, {3}, {3})).ok());
  EXPECT_EQ(AllMembers(MakeConfig({1, 2}, {2, 3}, {9})).size(), 4u);
}

}  // namespace
}  // namespace borealis::raft
