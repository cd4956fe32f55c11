// Channels on the simulated network: the same code, in virtual time.
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/testing/sim_net.h"

namespace borealis::rpc {
namespace {

// Echoes numbers, and counts what it got.
class Echo : public ChannelHandler {
 public:
  void OnFrame(Channel& channel, uint8_t type, uint64_t request_id, ByteView payload) override {
    ++frames;
    channel.Send(4, request_id, Bytes(payload));
  }
  void OnClose(Channel&, const Status&) override { ++closed; }
  int frames = 0;
  int closed = 0;
};

TEST(ChannelSim, AClientOutlivesCutsAndResetsAndSeesEachAnswerOnceAChannel) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::SimWorld world(seed);
    testing::SimLoop client_loop(world, "client"), server_loop(world, "server");
    testing::SimFabric fabric(world, seed);
    auto client_net = fabric.MakeNetwork(client_loop, "c");
    auto server_net = fabric.MakeNetwork(server_loop, "s");
    env::SeededRandom random(seed);
    Hello hello;
    hello.name = "sim";

    Echo echo;
    std::vector<std::unique_ptr<Channel>> accepted;
    auto server = ChannelServer::Start(
        *server_net, ":9", [&] { return hello; },
        [&](std::unique_ptr<Channel> channel) {
          channel->SetHandler(&echo);
          accepted.push_back(std::move(channel));
        });
    ASSERT_TRUE(server.ok());

    int ups = 0, downs = 0;
    uint64_t sent = 0, answered = 0, last_answer = 0;
    ChannelClientOptions options;
    options.address = [] { return std::string("s:9"); };
    options.hello = [&] { return hello; };
    ChannelClient::Events events;
    events.on_up = [&](Channel&) { ++ups; };
    events.on_down = [&](const Status&) { ++downs; };
    events.on_frame = [&](uint8_t, uint64_t id, ByteView payload) {
      EXPECT_GT(id, last_answer);  // in order and never twice
      EXPECT_EQ(payload.size(), id % 5000);
      last_answer = id;
      ++answered;
    };
    auto client = ChannelClient::Start(*client_net, random, options, events);
    for (int step = 0; step < 200; ++step) {
      const uint64_t dice = random.Uniform(20);
      if (dice == 0) fabric.Cut("c", "s");
      if (dice == 1) fabric.HealAll();
      if (dice == 2) fabric.Reset("c", "s");
      if (client->channel() != nullptr) {
        ++sent;
        client->channel()->Send(3, sent, Bytes(sent % 5000, 'x'));
      }
      world.RunFor(std::chrono::milliseconds(random.Uniform(2000)));
    }
    fabric.HealAll();
    ASSERT_TRUE(
        world.RunUntil([&] { return client->channel() != nullptr; }, std::chrono::seconds(30)));
    const uint64_t before = answered;
    ++sent;
    client->channel()->Send(3, sent, Bytes(sent % 5000, 'x'));
    EXPECT_TRUE(world.RunUntil([&] { return answered > before; }, std::chrono::seconds(30)));
    EXPECT_GE(ups, 2);
    EXPECT_EQ(downs, ups - 1);
    EXPECT_LE(answered, sent);
    EXPECT_GT(answered, sent / 4);
    client.reset();
    accepted.clear();
  }
}

}  // namespace
}  // namespace borealis::rpc
