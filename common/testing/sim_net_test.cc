#include "common/testing/sim_net.h"

#include <gtest/gtest.h>

namespace borealis::testing {
namespace {

using env::Duration;
using env::FiberRead;

class SimNetTest : public ::testing::Test {
 protected:
  void Connect() {
    listener_.reset();
    listener_ = std::move(*b_->Listen(":70", [this](auto stream) { server_ = std::move(stream); }));
    a_->Connect("b:70", std::chrono::seconds(1), [this](auto stream) {
      ASSERT_TRUE(stream.ok()) << stream.status().ToString();
      client_ = std::move(*stream);
    });
    ASSERT_TRUE(world_.RunUntil([this] { return client_ && server_; }, std::chrono::seconds(1)));
    EXPECT_EQ(client_->peer_address(), "b:70");
    EXPECT_EQ(server_->peer_address(), client_->local_address());
  }
  // Reads all that comes to the stream into `got`.
  void Collect(env::Stream& stream, Bytes* got, bool* ended) {
    auto buffer = std::make_shared<std::array<char, 1000>>();
    stream.Read(buffer->data(), buffer->size(), [=, this, &stream](Result<size_t> n) {
      if (!n.ok() || *n == 0) {
        *ended = true;
        return;
      }
      got->append(buffer->data(), *n);
      Collect(stream, got, ended);
    });
  }

  SimWorld world_{1};
  SimLoop loop_a_{world_, "a"}, loop_b_{world_, "b"};
  SimFabric fabric_{world_, 1};
  std::unique_ptr<env::Network> a_ = fabric_.MakeNetwork(loop_a_, "a");
  std::unique_ptr<env::Network> b_ = fabric_.MakeNetwork(loop_b_, "b");
  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<env::Stream> client_, server_;
};

TEST_F(SimNetTest, CarriesDataInOrderThroughABoundedWindow) {
  Connect();
  env::SeededRandom random(2);
  const Bytes data = random.FillBytes(2 << 20);
  client_->Write(data);
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_GT(client_->pending_write_bytes(), data.size() / 2);  // nobody reads yet
  Bytes got;
  bool ended = false;
  Collect(*server_, &got, &ended);
  client_->CloseAfterFlush(std::chrono::seconds(1));
  client_.reset();
  world_.RunFor(std::chrono::seconds(60));
  EXPECT_TRUE(got == data);
  EXPECT_TRUE(ended);
}

TEST_F(SimNetTest, AShortCutDelaysAndALongOneBreaksBothSides) {
  Connect();
  Bytes got;
  bool ended = false;
  Collect(*server_, &got, &ended);
  std::vector<std::string> broken;
  client_->SetOnClose([&](Status why) { broken.push_back("client " + why.message()); });
  server_->SetOnClose([&](Status why) { broken.push_back("server " + why.message()); });
  fabric_.Cut("b", "a");
  client_->Write("delayed");
  world_.RunFor(std::chrono::seconds(9));
  EXPECT_EQ(got, "");
  fabric_.Heal("a", "b");
  world_.RunFor(std::chrono::seconds(5));
  EXPECT_EQ(got, "delayed");
  EXPECT_TRUE(broken.empty());
  fabric_.Cut("a", "b");
  world_.RunFor(std::chrono::seconds(11));
  EXPECT_EQ(broken.size(), 2u);
  EXPECT_TRUE(ended);
  Status refused;
  a_->Connect("b:70", std::chrono::seconds(1), [&](auto stream) { refused = stream.status(); });
  world_.RunFor(std::chrono::seconds(2));
  EXPECT_EQ(refused.code(), Code::kDeadlineExceeded);
  fabric_.HealAll();
  server_.reset();
  client_.reset();
  Connect();
}

TEST_F(SimNetTest, AVanishedPeerEndsTheStreamThenResetsWrites) {
  Connect();
  Bytes got;
  bool ended = false;
  Collect(*client_, &got, &ended);
  Status why;
  client_->SetOnClose([&](Status status) { why = std::move(status); });
  server_->Write("last words");
  server_.reset();
  listener_.reset();
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(got, "last words");
  EXPECT_TRUE(ended);
  EXPECT_TRUE(why.ok());
  client_->Write("too late");
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(why.code(), Code::kUnavailable);
  Status refused;
  a_->Connect("b:70", std::chrono::seconds(1), [&](auto stream) { refused = stream.status(); });
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(refused.message(), "connect to b:70: Connection refused");
}

TEST_F(SimNetTest, AResetBreaksBothAtOnceAndFibersSeeIt) {
  Connect();
  Code read = Code::kOk;
  env::Spawn(loop_b_, "reader", [&] {
    char buffer[8];
    read = FiberRead(*server_, buffer, sizeof(buffer)).code();
  });
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(read, Code::kOk);
  fabric_.Reset("a", "b");
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(read, Code::kUnavailable);
  EXPECT_TRUE(client_->closed());
}

}  // namespace
}  // namespace borealis::testing
