#include "common/rpc/channel.h"

#include <algorithm>
#include <set>

#include "common/base/check.h"
#include "common/rpc/stream_channel.h"

namespace borealis::rpc {
namespace {

constexpr size_t kBeforeHelloMax = 1024;
constexpr env::Duration kPeerTimeout = std::chrono::seconds(10);

class StreamChannelServer : public ChannelServer {
 public:
  StreamChannelServer(std::function<Hello()> hello, OnChannel on_channel, ChannelOptions options)
      : state_(std::make_shared<State>()) {
    state_->hello = std::move(hello);
    state_->on_channel = std::move(on_channel);
    state_->options = options;
  }
  ~StreamChannelServer() override {
    state_->stopped = true;
    for (const auto& core : state_->before_hello) core->Abandon();
    state_->before_hello.clear();
  }

  Status Listen(env::Network& network, const std::string& address) {
    env::ListenOptions options;
    options.peer_timeout = kPeerTimeout;
    auto accept = [state = state_](std::unique_ptr<env::Stream> stream) {
      Accept(state, std::move(stream));
    };
    ASSIGN_OR_RETURN(listener_, network.Listen(address, std::move(accept), std::move(options)));
    return Status::Ok();
  }
  const std::string& address() const override { return listener_->address(); }
  uint16_t port() const override { return listener_->port(); }

 private:
  struct State {
    std::function<Hello()> hello;
    OnChannel on_channel;
    ChannelOptions options;
    bool stopped = false;
    std::set<std::shared_ptr<ChannelCore>> before_hello;
  };

  static void Accept(const std::shared_ptr<State>& state, std::unique_ptr<env::Stream> stream) {
    if (state->stopped || state->before_hello.size() >= kBeforeHelloMax) return;
    auto core = std::make_shared<ChannelCore>(std::move(stream), state->hello(), state->options);
    state->before_hello.insert(core);
    std::weak_ptr<ChannelCore> weak = core;
    core->Start(state->options.hello_timeout,
                [state, weak](Result<std::unique_ptr<Channel>> channel) {
                  if (auto self = weak.lock()) state->before_hello.erase(self);
                  if (!state->stopped && channel.ok()) state->on_channel(std::move(*channel));
                });
  }

  const std::shared_ptr<State> state_;
  std::unique_ptr<env::Listener> listener_;
};

class ReconnectingClient : public ChannelClient, private ChannelHandler {
 public:
  ReconnectingClient(env::Network& network, env::Random& random, ChannelClientOptions options,
                     Events events)
      : network_(network),
        random_(random),
        options_(std::move(options)),
        events_(std::move(events)),
        backoff_(options_.backoff_min) {}
  ~ReconnectingClient() override { CancelTimer(); }

  Channel* channel() override { return channel_.get(); }

  void Reconnect() override {
    channel_.reset();
    CancelTimer();
    backoff_ = options_.backoff_min;
    Dial();
  }

  void Dial() {
    const uint64_t attempt = ++attempt_;
    DialChannel(network_, options_.address(), options_.hello(), options_.dial_timeout,
                options_.channel,
                [this, attempt,
                 alive = std::weak_ptr<bool>(alive_)](Result<std::unique_ptr<Channel>> channel) {
                  if (alive.expired() || attempt != attempt_) return;
                  OnDialed(std::move(channel));
                });
  }

 private:
  void OnDialed(Result<std::unique_ptr<Channel>> channel) {
    if (!channel.ok()) {
      DialLater();
      if (events_.on_retry) events_.on_retry(channel.status());
      return;
    }
    channel_ = std::move(*channel);
    up_since_ = network_.loop().clock().Monotonic();
    channel_->SetHandler(this);
    if (events_.on_up) events_.on_up(*channel_);
  }

  void OnFrame(Channel& channel, uint8_t type, uint64_t request_id, ByteView payload) override {
    if (events_.on_frame) events_.on_frame(type, request_id, payload);
  }

  void OnClose(Channel& channel, const Status& why) override {
    // A channel that lasted starts over; one that keeps breaking is dialled ever more slowly.
    if (network_.loop().clock().Monotonic() - up_since_ >= options_.backoff_max) {
      backoff_ = options_.backoff_min;
    }
    channel_.reset();
    DialLater();
    if (events_.on_down) events_.on_down(why);
  }

  void DialLater() {
    const uint64_t half = static_cast<uint64_t>(std::max<int64_t>(backoff_.count() / 2, 1));
    const env::Duration delay(half + random_.Uniform(half + 1));
    backoff_ = std::min(backoff_ * 2, options_.backoff_max);
    timer_ = network_.loop().RunAfter(delay, [this] {
      timer_ = env::TimerId::kNone;
      Dial();
    });
  }

  void CancelTimer() {
    if (timer_ != env::TimerId::kNone) network_.loop().Cancel(timer_);
    timer_ = env::TimerId::kNone;
  }

  env::Network& network_;
  env::Random& random_;
  const ChannelClientOptions options_;
  const Events events_;
  env::Duration backoff_;
  env::TimerId timer_ = env::TimerId::kNone;
  env::MonotonicTime up_since_;
  uint64_t attempt_ = 0;  // answers of earlier ones are dropped
  std::unique_ptr<Channel> channel_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

Result<std::unique_ptr<ChannelServer>> ChannelServer::Start(env::Network& network,
                                                            const std::string& address,
                                                            std::function<Hello()> hello,
                                                            OnChannel on_channel,
                                                            ChannelOptions options) {
  auto server =
      std::make_unique<StreamChannelServer>(std::move(hello), std::move(on_channel), options);
  RETURN_IF_ERROR(server->Listen(network, address));
  return std::unique_ptr<ChannelServer>(std::move(server));
}

void DialChannel(env::Network& network, const std::string& address, Hello hello,
                 env::Duration timeout, ChannelOptions options,
                 env::UniqueFunction<void(Result<std::unique_ptr<Channel>>)> done) {
  env::Loop& loop = network.loop();
  const env::MonotonicTime deadline = loop.clock().Monotonic() + timeout;
  network.Connect(address, timeout,
                  [&loop, deadline, hello = std::move(hello), options,
                   done = std::move(done)](Result<std::unique_ptr<env::Stream>> stream) mutable {
                    if (!stream.ok()) return done(stream.status());
                    const env::Duration left = deadline - loop.clock().Monotonic();
                    auto core = std::make_shared<ChannelCore>(std::move(*stream), std::move(hello),
                                                              options);
                    core->Start(std::min(left, options.hello_timeout), std::move(done));
                  });
}

std::unique_ptr<ChannelClient> ChannelClient::Start(env::Network& network, env::Random& random,
                                                    ChannelClientOptions options, Events events) {
  auto client =
      std::make_unique<ReconnectingClient>(network, random, std::move(options), std::move(events));
  client->Dial();
  return client;
}

}  // namespace borealis::rpc
