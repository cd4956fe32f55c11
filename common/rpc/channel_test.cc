#include "common/rpc/channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "common/env/fiber.h"
#include "common/env/random.h"

namespace borealis::rpc {
namespace {

using env::Duration;

ClusterId Cluster(uint8_t n) {
  std::array<uint8_t, 16> bytes{};
  bytes[15] = n;
  return ClusterId(bytes);
}

Hello MakeHello(const std::string& name, uint64_t id = 1) {
  Hello hello;
  hello.cluster = Cluster(1);
  hello.role = Role::kMember;
  hello.id = id;
  hello.name = name;
  return hello;
}

TEST(Frame, HeaderIsByteExact) {
  Bytes out;
  AppendFrameHeader(&out, 7, 0x0102030405060708, "123456789");
  EXPECT_EQ(ToHex(out),
            "09000000"
            "07"
            "00"
            "0000"
            "0807060504030201"
            "839206e3"
            "a4e71478");
  auto header = ParseFrameHeader(out.data(), 9);
  ASSERT_TRUE(header.ok()) << header.status().ToString();
  EXPECT_EQ(header->payload_bytes, 9u);
  EXPECT_EQ(header->type, 7);
  EXPECT_EQ(header->request_id, 0x0102030405060708u);
  EXPECT_EQ(ParseFrameHeader(out.data(), 8).code(), Code::kResourceExhausted);
}

TEST(Frame, EveryFlippedHeaderBitIsSeen) {
  Bytes good;
  AppendFrameHeader(&good, 7, 42, "payload");
  for (size_t bit = 0; bit < kFrameHeaderBytes * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_EQ(ParseFrameHeader(bad.data(), kFramePayloadMax).code(), Code::kCorruption) << bit;
  }
}

TEST(Frame, HelloRoundTripsAndRefusesDamage) {
  Hello hello = MakeHello("shop-storage-a-0", 7);
  Bytes bytes;
  EncodeHello(hello, &bytes);
  EXPECT_EQ(bytes.substr(0, 4), "BORE");
  EXPECT_EQ(*DecodeHello(bytes), hello);
  EXPECT_EQ(*DecodeHello(bytes + "later fields"), hello);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(DecodeHello(bytes.substr(0, n)).code(), Code::kCorruption) << n;
  }
  Bytes bad = bytes;
  bad[24] = 9;
  EXPECT_EQ(DecodeHello(bad).status().message(), "hello names the unknown role 9");
}

TEST(Frame, VersionsAgreeOnTheHighestCommonOne) {
  Hello mine = MakeHello("m1"), theirs = MakeHello("m2");
  mine.version_min = 2, mine.version_max = 5;
  theirs.version_min = 4, theirs.version_max = 9;
  EXPECT_EQ(*AgreeOnVersion(mine, theirs), 5);
  theirs.version_min = 6;
  EXPECT_EQ(AgreeOnVersion(mine, theirs).status().message(),
            "member m2 speaks protocol versions 6 to 9, member m1 2 to 5");
  theirs = MakeHello("m2");
  theirs.cluster = Cluster(2);
  EXPECT_EQ(AgreeOnVersion(MakeHello("m1"), theirs).status().message(),
            "member m2 is of cluster 00000000-0000-0000-0000-000000000002, member m1 of cluster "
            "00000000-0000-0000-0000-000000000001");
}

// Remembers what came.
class Recorder : public ChannelHandler {
 public:
  explicit Recorder(env::Loop& loop) : event(loop) {}
  void OnFrame(Channel& channel, uint8_t type, uint64_t request_id, ByteView payload) override {
    ids.push_back(request_id);
    bytes += payload.size();
    last = Bytes(payload);
    if (on_frame) on_frame(channel, type, request_id, payload);
    event.Notify();
  }
  void OnClose(Channel&, const Status& why) override {
    closed = why;
    event.Notify();
  }
  bool WaitUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 10000 && !condition(); ++i) {
      if (event.WaitFor(Duration(1000)).code() == Code::kCancelled) return false;
    }
    return condition();
  }
  env::FiberEvent event;
  std::vector<uint64_t> ids;
  size_t bytes = 0;
  Bytes last;
  std::optional<Status> closed;
  std::function<void(Channel&, uint8_t, uint64_t, ByteView)> on_frame;
};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() { loop_.Start(); }
  ~ChannelTest() override { loop_.Stop(); }

  void RunFiber(env::Task body) {
    std::atomic<bool> done = false;
    loop_.Post([&] {
      env::Spawn(loop_, "test", [&, body = std::move(body)]() mutable {
        body();
        body = nullptr;
        done = true;
      });
    });
    for (int i = 0; i < 30000 && !done; ++i) env::BlockThreadFor(Duration(1000));
    ASSERT_TRUE(done);
  }

  void StartServer(const std::string& address = "127.0.0.1:0", ChannelOptions options = {}) {
    auto server = ChannelServer::Start(
        *network_, address, [] { return MakeHello("server", 1); },
        [this](std::unique_ptr<Channel> channel) {
          accepted_ = std::move(channel);
          accepted_->SetHandler(&server_side_);
          server_side_.event.Notify();
        },
        options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
  }

  Result<std::unique_ptr<Channel>> Dial(Hello hello, ChannelOptions options = {}) {
    env::FiberPromise<std::unique_ptr<Channel>> promise(loop_);
    auto future = promise.future();
    DialChannel(*network_, server_->address(), std::move(hello), std::chrono::seconds(5), options,
                [p = std::move(promise)](Result<std::unique_ptr<Channel>> channel) {
                  p.Set(std::move(channel));
                });
    return future.Get();
  }

  // Talks raw bytes to the server.
  std::unique_ptr<env::Stream> RawDial() {
    auto stream = env::FiberConnect(*network_, server_->address(), std::chrono::seconds(5));
    EXPECT_TRUE(stream.ok());
    return std::move(*stream);
  }
  // All that comes until the end of the stream.
  Bytes ReadAll(env::Stream& stream) {
    Bytes all;
    char buffer[4096];
    for (;;) {
      auto n = env::FiberReadFor(stream, buffer, sizeof(buffer), std::chrono::seconds(5));
      if (!n.ok() || *n == 0) return all;
      all.append(buffer, *n);
    }
  }

  void CloseAll() {
    client_.reset();
    accepted_.reset();
    server_.reset();
  }

  env::AsioLoop loop_{"rpc"};
  std::unique_ptr<env::Network> network_ = env::MakeAsioNetwork(loop_);
  std::unique_ptr<ChannelServer> server_;
  std::unique_ptr<Channel> accepted_, client_;
  Recorder server_side_{loop_}, client_side_{loop_};
};

TEST_F(ChannelTest, FramesOfOneTurnLeaveTogetherAndInOrder) {
  ChannelStats stats;
  RunFiber([&] {
    StartServer();
    auto channel = Dial(MakeHello("client", 2), {.stats = &stats});
    ASSERT_TRUE(channel.ok()) << channel.status().ToString();
    client_ = std::move(*channel);
    EXPECT_EQ(client_->peer().name, "server");
    EXPECT_EQ(client_->version(), 1);
    client_->SetHandler(&client_side_);
    const uint64_t writes = stats.writes;
    for (uint64_t i = 0; i < 1000; ++i) client_->Send(3, i, Bytes(i % 50, 'x'));
    EXPECT_TRUE(server_side_.WaitUntil([&] { return server_side_.ids.size() == 1000; }));
    EXPECT_EQ(stats.writes - writes, 1u);
    for (uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(server_side_.ids[i], i);
    EXPECT_EQ(accepted_->peer().name, "client");
    EXPECT_EQ(accepted_->peer().id, 2u);
    accepted_->Send(4, 99, "answer");
    EXPECT_TRUE(client_side_.WaitUntil([&] { return client_side_.last == "answer"; }));
    CloseAll();
  });
}

TEST_F(ChannelTest, LargeAndSmallPayloadsMixWithoutLoss) {
  RunFiber([&] {
    StartServer();
    client_ = std::move(*Dial(MakeHello("client")));
    client_->SetHandler(&client_side_);
    env::SeededRandom random(3);
    size_t total = 0;
    uint64_t count = 0;
    for (size_t size : {0, 1, 8191, 8192, 8193, 100'000, 131'072, 3'000'000, 5, 20'000'000, 7}) {
      Bytes payload = random.FillBytes(size);
      total += size;
      server_side_.on_frame = [&](Channel&, uint8_t, uint64_t, ByteView) {};
      client_->Send(3, count++, std::move(payload));
    }
    EXPECT_GT(client_->pending_bytes(), 20'000'000u);
    EXPECT_TRUE(server_side_.WaitUntil([&] { return server_side_.ids.size() == count; }));
    EXPECT_EQ(server_side_.bytes, total);
    EXPECT_EQ(client_->pending_bytes(), 0u);
    CloseAll();
  });
}

TEST_F(ChannelTest, OtherClustersAndVersionsAreRefusedWithASentence) {
  RunFiber([&] {
    StartServer();
    Hello other = MakeHello("stranger");
    other.cluster = Cluster(9);
    auto refused = Dial(other);
    EXPECT_EQ(refused.code(), Code::kInvalidArgument);
    EXPECT_NE(refused.status().message().find("is of cluster"), std::string::npos);
    Hello newer = MakeHello("newer");
    newer.version_min = newer.version_max = 7;
    EXPECT_EQ(Dial(newer).code(), Code::kUnsupported);
    EXPECT_EQ(accepted_, nullptr);
    CloseAll();
  });
}

TEST_F(ChannelTest, GarbageClosesThatConnectionOnlyAndSaysWhy) {
  RunFiber([&] {
    StartServer();
    auto raw = RawDial();
    raw->Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    Bytes answer = ReadAll(*raw);
    EXPECT_NE(answer.find("wrong checksum"), std::string::npos);
    // A frame of 1 MiB before the hello: refused by its header alone.
    raw = RawDial();
    Bytes frame;
    AppendFrameHeader(&frame, 3, 1, Bytes(1 << 20, 'x'));
    raw->Write(frame);
    EXPECT_NE(ReadAll(*raw).find("at most 65536 allowed"), std::string::npos);
    // A frame other than a hello first.
    raw = RawDial();
    frame.clear();
    AppendFrameHeader(&frame, 3, 1, "x");
    raw->Write(frame + "x");
    EXPECT_NE(ReadAll(*raw).find("no hello"), std::string::npos);
    client_ = std::move(*Dial(MakeHello("client")));
    EXPECT_FALSE(client_->closed());
    CloseAll();
  });
}

TEST_F(ChannelTest, ADamagedPayloadEndsTheChannel) {
  RunFiber([&] {
    StartServer();
    auto raw = RawDial();
    Bytes hello, bytes;
    EncodeHello(MakeHello("client"), &hello);
    AppendFrameHeader(&bytes, kFrameHello, 0, hello);
    bytes += hello;
    AppendFrameHeader(&bytes, 3, 5, "good");
    bytes += "good";
    AppendFrameHeader(&bytes, 3, 6, "good");
    bytes += "bad!";
    // One byte at a time is as good as all at once.
    for (char c : bytes) raw->Write(Bytes(1, c));
    EXPECT_TRUE(server_side_.WaitUntil([&] { return server_side_.closed.has_value(); }));
    EXPECT_EQ(server_side_.closed->code(), Code::kCorruption);
    EXPECT_EQ(server_side_.ids, std::vector<uint64_t>{5});
    raw.reset();
    CloseAll();
  });
}

TEST_F(ChannelTest, SilenceBeforeTheHelloTimesOut) {
  RunFiber([&] {
    StartServer("127.0.0.1:0", {.hello_timeout = std::chrono::milliseconds(50)});
    auto raw = RawDial();
    char buffer[256];
    size_t got = 0;
    for (;;) {  // the server's hello, then the end
      auto n = env::FiberReadFor(*raw, buffer, sizeof(buffer), std::chrono::seconds(5));
      ASSERT_TRUE(n.ok()) << n.status().ToString();
      if (*n == 0) break;
      got += *n;
    }
    EXPECT_GT(got, kFrameHeaderBytes);
    raw.reset();
    CloseAll();
  });
}

TEST_F(ChannelTest, AHandlerMayDestroyItsChannelAndTheOtherSideHearsOfIt) {
  RunFiber([&] {
    StartServer();
    client_ = std::move(*Dial(MakeHello("client")));
    client_->SetHandler(&client_side_);
    server_side_.on_frame = [&](Channel&, uint8_t, uint64_t id, ByteView) {
      if (id == 1) accepted_.reset();
    };
    for (uint64_t i = 0; i < 5; ++i) client_->Send(3, i, "x");
    EXPECT_TRUE(client_side_.WaitUntil([&] { return client_side_.closed.has_value(); }));
    EXPECT_EQ(client_side_.closed->code(), Code::kUnavailable);
    EXPECT_EQ(server_side_.ids, (std::vector<uint64_t>{0, 1}));
    EXPECT_FALSE(server_side_.closed.has_value());
    client_->Send(3, 9, "into the void");
    CloseAll();
  });
}

TEST_F(ChannelTest, AQueueBeyondItsBoundBreaksTheChannel) {
  RunFiber([&] {
    StartServer();
    client_ = std::move(*Dial(MakeHello("client"), {.pending_bytes_max = 1 << 20}));
    client_->SetHandler(&client_side_);
    client_->Send(3, 1, Bytes(2 << 20, 'x'));
    EXPECT_TRUE(client_side_.WaitUntil([&] { return client_side_.closed.has_value(); }));
    EXPECT_EQ(client_side_.closed->code(), Code::kResourceExhausted);
    CloseAll();
  });
}

TEST_F(ChannelTest, AClientReconnectsUntilDestroyed) {
  env::SeededRandom random(1);
  RunFiber([&] {
    StartServer();
    const std::string address = server_->address();
    int ups = 0, downs = 0, retries = 0;
    std::string text;
    env::FiberEvent changed(loop_);
    auto client = ChannelClient::Start(
        *network_, random,
        {.backoff_max = std::chrono::milliseconds(100),
         .address = [&] { return address; },
         .hello = [] { return MakeHello("client"); }},
        {.on_up = [&](Channel& c) { ++ups, c.Send(3, 1, "hi"), changed.Notify(); },
         .on_down = [&](const Status&) { ++downs, changed.Notify(); },
         .on_retry = [&](const Status&) { ++retries, changed.Notify(); },
         .on_frame = [&](uint8_t, uint64_t, ByteView p) { text = Bytes(p), changed.Notify(); }});
    auto wait = [&](const std::function<bool()>& condition) {
      for (int i = 0; i < 10000 && !condition(); ++i) (void)changed.WaitFor(Duration(1000));
      return condition();
    };
    ASSERT_TRUE(wait([&] { return ups == 1 && !server_side_.ids.empty(); }));
    accepted_->Send(3, 2, "hello");
    EXPECT_TRUE(wait([&] { return text == "hello"; }));
    server_.reset();
    accepted_.reset();
    EXPECT_TRUE(wait([&] { return downs == 1 && retries >= 2; }));
    EXPECT_EQ(client->channel(), nullptr);
    StartServer(address);
    EXPECT_TRUE(wait([&] { return ups == 2; }));
    client->Reconnect();
    EXPECT_TRUE(wait([&] { return ups == 3; }));
    EXPECT_EQ(downs, 1);
    client.reset();
    EXPECT_TRUE(server_side_.WaitUntil([&] { return server_side_.closed.has_value(); }));
    CloseAll();
  });
}

}  // namespace
}  // namespace borealis::rpc
