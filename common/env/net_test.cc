#include "common/env/net.h"

#include <gtest/gtest.h>

#include "common/env/random.h"

namespace borealis::env {
namespace {

class NetTest : public ::testing::Test {
 protected:
  NetTest() { loop_.Start(); }
  ~NetTest() override { loop_.Stop(); }

  void RunFiber(Task body) {
    FiberHandle fiber;
    std::atomic<bool> done = false;
    loop_.Post([&] {
      fiber = Spawn(loop_, "test", [&, body = std::move(body)]() mutable {
        body();
        body = nullptr;
        done = true;
      });
    });
    for (int i = 0; i < 20000 && !done; ++i) BlockThreadFor(Duration(1000));
    ASSERT_TRUE(done);
  }

  // A connected pair, from inside a fiber.
  void Connect() {
    FiberEvent accepted(loop_);
    auto listener = network_->Listen("127.0.0.1:0", [&](std::unique_ptr<Stream> stream) {
      server_ = std::move(stream);
      accepted.Notify();
    });
    ASSERT_TRUE(listener.ok()) << listener.status().ToString();
    auto client = FiberConnect(*network_, (*listener)->address(), std::chrono::seconds(5));
    ASSERT_TRUE(client.ok()) << client.status().ToString();
    client_ = std::move(*client);
    accepted.WaitUncancellable();
    EXPECT_EQ(client_->peer_address(), (*listener)->address());
    EXPECT_EQ(client_->local_address(), server_->peer_address());
  }
  void Disconnect() {
    client_.reset();
    server_.reset();
  }

  AsioLoop loop_{"net"};
  std::unique_ptr<Network> network_ = MakeAsioNetwork(loop_);
  std::unique_ptr<Stream> client_, server_;
};

TEST_F(NetTest, CarriesMegabytesThroughAFullSocket) {
  RunFiber([&] {
    Connect();
    SeededRandom random(1);
    const Bytes data = random.FillBytes(8 << 20);
    std::vector<Bytes> parts;
    for (size_t i = 0; i < data.size(); i += 10007) parts.push_back(data.substr(i, 10007));
    client_->WriteMany(std::move(parts));
    EXPECT_GT(client_->pending_write_bytes(), 0u);  // nobody reads yet
    client_->Write("end");
    Bytes got;
    std::vector<char> buffer(64 << 10);
    while (got.size() < data.size() + 3) {
      Result<size_t> n = FiberRead(*server_, buffer.data(), buffer.size());
      ASSERT_TRUE(n.ok());
      ASSERT_GT(*n, 0u);
      got.append(buffer.data(), *n);
    }
    EXPECT_TRUE(got == data + "end");
    EXPECT_TRUE(FiberFlush(*client_).ok());
    EXPECT_EQ(client_->pending_write_bytes(), 0u);
    Disconnect();
  });
}

TEST_F(NetTest, EndOfStreamIsZeroBytesAndBothSidesClose) {
  RunFiber([&] {
    Connect();
    client_->Write("bye");
    client_->CloseAfterFlush(std::chrono::seconds(1));
    client_.reset();
    char buffer[16];
    EXPECT_EQ(*FiberRead(*server_, buffer, sizeof(buffer)), 3u);
    EXPECT_EQ(*FiberRead(*server_, buffer, sizeof(buffer)), 0u);
    Disconnect();
  });
}

TEST_F(NetTest, LastWordsSurviveUnreadInput) {
  RunFiber([&] {
    Connect();
    client_->Write(Bytes(100000, 'x'));  // the server never reads it
    EXPECT_TRUE(FiberSleep(Duration(20000)).ok());
    server_->Write("goodbye");
    server_->CloseAfterFlush(std::chrono::seconds(1));
    server_.reset();
    EXPECT_TRUE(FiberSleep(Duration(50000)).ok());
    char buffer[16];
    Result<size_t> n = FiberRead(*client_, buffer, sizeof(buffer));
    ASSERT_TRUE(n.ok()) << n.status().ToString();
    EXPECT_EQ(std::string(buffer, *n), "goodbye");
    Disconnect();
  });
}

TEST_F(NetTest, ABrokenPeerIsToldOnce) {
  RunFiber([&] {
    Connect();
    FiberEvent broken(loop_);
    Status why;
    int calls = 0;
    client_->SetOnClose([&](Status status) {
      why = std::move(status);
      ++calls;
      broken.Notify();
    });
    server_->Write("unread");
    server_.reset();
    while (!client_->closed()) {
      client_->Write(Bytes(1000, 'y'));
      ASSERT_TRUE(FiberSleep(Duration(1000)).ok());
    }
    EXPECT_TRUE(broken.WaitFor(std::chrono::seconds(5)).ok());
    EXPECT_EQ(why.code(), Code::kUnavailable);
    EXPECT_TRUE(FiberSleep(Duration(1000)).ok());
    EXPECT_EQ(calls, 1);
    char buffer[8];
    EXPECT_EQ(FiberRead(*client_, buffer, 8).code(), Code::kCancelled);
    EXPECT_FALSE(FiberFlush(*client_).ok());
    Disconnect();
  });
}

TEST_F(NetTest, ReadTimesOutAndLosesNothing) {
  RunFiber([&] {
    Connect();
    char buffer[16];
    EXPECT_EQ(FiberReadFor(*server_, buffer, 16, Duration(2000)).code(), Code::kDeadlineExceeded);
    client_->Write("later");
    EXPECT_EQ(*FiberReadFor(*server_, buffer, 16, std::chrono::seconds(5)), 5u);
    FiberHandle reader = Spawn(loop_, "reader", [&] {
      char inner[16];
      EXPECT_EQ(FiberRead(*server_, inner, 16).code(), Code::kCancelled);
    });
    FiberYield();
    reader.Cancel();
    reader.Join();
    client_->Write("again");
    EXPECT_EQ(*FiberRead(*server_, buffer, 16), 5u);
    Disconnect();
  });
}

TEST_F(NetTest, CancelReadKeepsAPendingWriteGoing) {
  RunFiber([&] {
    Connect();
    const size_t bytes = 8 << 20;
    client_->Write(Bytes(bytes, 'z'));
    ASSERT_GT(client_->pending_write_bytes(), 0u);
    char small[1];
    EXPECT_EQ(FiberReadFor(*client_, small, 1, Duration(1000)).code(), Code::kDeadlineExceeded);
    std::vector<char> buffer(1 << 20);
    size_t got = 0;
    while (got < bytes) {
      Result<size_t> n =
          FiberReadFor(*server_, buffer.data(), buffer.size(), std::chrono::seconds(5));
      ASSERT_TRUE(n.ok());
      got += *n;
    }
    Disconnect();
  });
}

TEST_F(NetTest, ErrorsNameTheAddress) {
  RunFiber([&] {
    auto listener = network_->Listen("127.0.0.1:0", [](std::unique_ptr<Stream>) {});
    ASSERT_TRUE(listener.ok());
    std::string address = (*listener)->address();
    auto second = network_->Listen(address, [](std::unique_ptr<Stream>) {});
    EXPECT_EQ(second.status().message(),
              "cannot listen on " + address + ": Address already in use");
    listener->reset();
    auto refused = FiberConnect(*network_, address, std::chrono::seconds(5));
    EXPECT_EQ(refused.status().message(), "connect to " + address + ": Connection refused");
    auto nonsense = FiberConnect(*network_, "nonsense", std::chrono::seconds(5));
    EXPECT_EQ(nonsense.code(), Code::kInvalidArgument);
  });
}

TEST_F(NetTest, AcceptedStreamsAreSpreadOverLoops) {
  AsioLoop other("other");
  other.Start();
  std::atomic<int> here = 0, there = 0;
  RunFiber([&] {
    auto listener = network_->Listen("127.0.0.1:0",
                                     [&](std::unique_ptr<Stream> stream) {
                                       EXPECT_TRUE(stream->loop().InLoopThread());
                                       ++(&stream->loop() == &loop_ ? here : there);
                                     },
                                     {.loops = {&loop_, &other}});
    ASSERT_TRUE(listener.ok());
    for (int i = 0; i < 6; ++i) {
      auto stream = FiberConnect(*network_, (*listener)->address(), std::chrono::seconds(5));
      ASSERT_TRUE(stream.ok());
    }
    for (int i = 0; i < 1000 && here + there < 6; ++i) (void)FiberSleep(Duration(1000));
  });
  other.Stop();
  EXPECT_EQ(here, 3);
  EXPECT_EQ(there, 3);
}

TEST(HostPort, Parses) {
  EXPECT_EQ(ParseHostPort("db:5432")->host, "db");
  EXPECT_EQ(ParseHostPort("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseHostPort(":80")->host, "");
  EXPECT_EQ(ParseHostPort(":80")->port, 80);
  for (const char* bad : {"db", "db:", "db:x", "db:65536", "::1:80", "db:80 ", ""}) {
    EXPECT_EQ(ParseHostPort(bad).code(), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace borealis::env
