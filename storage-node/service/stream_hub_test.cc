#include "storage-node/service/stream_hub.h"

#include <gtest/gtest.h>

#include "common/testing/sim_loop.h"

namespace borealis::service {
namespace {

// Records what is sent; "unsent" bytes are set by the test.
class FakeChannel : public rpc::Channel {
 public:
  explicit FakeChannel(env::Loop& loop) : loop_(loop) {}
  env::Loop& loop() override { return loop_; }
  void SetHandler(rpc::ChannelHandler*) override {}
  void Send(uint8_t type, uint64_t, Bytes payload) override {
    if (static_cast<wire::FrameType>(type) == wire::FrameType::kError) {
      sent += std::string(CodeName(wire::DecodeError(payload)->code)) + " ";
      return;
    }
    const auto batch = wire::DecodeStreamBatch(payload);
    for (const auto& request : batch->requests) {
      sent += std::to_string(request.version.value()) + (request.own ? "own " : " ");
    }
    sent += "| ";
  }
  size_t pending_bytes() const override { return pending; }
  void WhenPendingAtMost(size_t, env::UniqueFunction<void(Status)> done) override {
    waiting = std::move(done);
  }
  void Close() override {}
  bool closed() const override { return false; }
  const rpc::Hello& peer() const override { return hello_; }
  uint16_t version() const override { return 1; }
  const std::string& peer_address() const override { return hello_.name; }

  std::string sent;
  size_t pending = 0;
  env::UniqueFunction<void(Status)> waiting;

 private:
  env::Loop& loop_;
  rpc::Hello hello_;
};

class StreamHubTest : public ::testing::Test {
 protected:
  StreamHubTest()
      : hub_(loop_, Version(10),
             {.ring_bytes_max = 1000, .batch_bytes_max = 250, .pending_bytes_max = 50}) {}
  // An entry of 100 bytes with these versions, all by incarnation 1.
  void Entry(uint64_t first, uint64_t last) {
    auto entry = std::make_shared<apply::CertifiedEntry>();
    auto bytes = std::make_shared<std::vector<Bytes>>();
    for (uint64_t v = first; v <= last; ++v) {
      wire::RequestBuilder builder;
      builder.AddPoint(wire::AccessKind::kUpdate, wire::Op::kPut,
                       wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(1), IndexId(1)), "v",
                       Version(v - 1));
      bytes->push_back(builder.Finish({Incarnation(1), v}, 0));
    }
    for (uint64_t v = first; v <= last; ++v) {
      entry->accepted.push_back(
          {Version(v), *wire::RequestView::Parse((*bytes)[static_cast<size_t>(v - first)])});
    }
    entry->owner = bytes;
    entry->bytes = 100;
    entry->version = Version(last);
    hub_.OnEntry(entry);
  }
  std::string Sent(FakeChannel& channel) {
    loop_.RunUntilIdle();
    return std::exchange(channel.sent, "");
  }

  testing::SimLoop loop_;
  StreamHub hub_;
};

TEST_F(StreamHubTest, SendsFromTheNextVersionInBatches) {
  FakeChannel channel(loop_);
  Entry(11, 12);
  Entry(13, 13);
  Entry(14, 16);
  ASSERT_TRUE(hub_.Add(&channel, 1, {Version(11), Incarnation(2)}).ok());
  EXPECT_EQ(Sent(channel), "12 13 | 14 15 16 | ");
  Entry(17, 17);
  EXPECT_EQ(Sent(channel), "17 | ");
  EXPECT_EQ(Sent(channel), "");
}

TEST_F(StreamHubTest, OwnTransactionsAreMarked) {
  FakeChannel channel(loop_);
  ASSERT_TRUE(hub_.Add(&channel, 1, {Version(10), Incarnation(1)}).ok());
  Entry(11, 12);
  EXPECT_EQ(Sent(channel), "11own 12own | ");
}

TEST_F(StreamHubTest, WhatIsOlderThanTheRingIsRefused) {
  FakeChannel channel(loop_);
  EXPECT_EQ(hub_.Add(&channel, 1, {Version(9), Incarnation(2)}).code(), Code::kBelowHorizon);
  for (uint64_t v = 11; v <= 30; ++v) Entry(v, v);
  EXPECT_EQ(hub_.Add(&channel, 1, {Version(19), Incarnation(2)}).code(), Code::kBelowHorizon);
  EXPECT_TRUE(hub_.Add(&channel, 1, {Version(20), Incarnation(2)}).ok());
  EXPECT_EQ(Sent(channel).substr(0, 3), "21 ");
}

TEST_F(StreamHubTest, ASlowSubscriberWaitsAndIsCutOffWhenTheRingMovesOn) {
  FakeChannel slow(loop_);
  FakeChannel quick(loop_);
  ASSERT_TRUE(hub_.Add(&slow, 1, {Version(10), Incarnation(2)}).ok());
  ASSERT_TRUE(hub_.Add(&quick, 1, {Version(10), Incarnation(2)}).ok());
  slow.pending = 100;
  Entry(11, 11);
  EXPECT_EQ(Sent(slow), "");
  EXPECT_EQ(Sent(quick), "11 | ");
  slow.pending = 0;
  slow.waiting(Status::Ok());
  EXPECT_EQ(Sent(slow), "11 | ");
  slow.pending = 100;
  for (uint64_t v = 12; v <= 40; ++v) {
    Entry(v, v);
    EXPECT_EQ(Sent(quick), std::to_string(v) + " | ");
  }
  EXPECT_EQ(Sent(slow), "");
  slow.pending = 0;
  slow.waiting(Status::Ok());
  EXPECT_EQ(Sent(slow), "below_horizon ");
  EXPECT_EQ(hub_.subscribers(), 1u);
}

TEST_F(StreamHubTest, ASubscriberAheadOfThisMemberGetsWhatIsNewToIt) {
  FakeChannel channel(loop_);
  ASSERT_TRUE(hub_.Add(&channel, 1, {Version(12), Incarnation(2)}).ok());
  Entry(11, 11);
  Entry(12, 14);
  EXPECT_EQ(Sent(channel), "13 14 | ");
}

}  // namespace
}  // namespace borealis::service
