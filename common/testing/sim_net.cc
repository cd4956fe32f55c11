#include "common/testing/sim_net.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/testing/sim_link.h"

namespace borealis::testing {
namespace {

constexpr env::Duration kPeerTimeout = std::chrono::seconds(10);

}  // namespace

class SimListener : public env::Listener {
 public:
  SimListener(SimFabric& fabric, std::string address, uint16_t port)
      : fabric_(fabric), address_(std::move(address)), port_(port) {}
  ~SimListener() override { Close(); }
  const std::string& address() const override { return address_; }
  uint16_t port() const override { return port_; }
  void Close() override {
    if (!std::exchange(closed_, true)) fabric_.listening_.erase(address_);
  }

 private:
  SimFabric& fabric_;
  const std::string address_;
  const uint16_t port_;
  bool closed_ = false;
};

class SimNetwork : public env::Network {
 public:
  SimNetwork(SimFabric& fabric, SimLoop& loop, std::string host)
      : fabric_(fabric), loop_(loop), host_(std::move(host)) {}

  env::Loop& loop() override { return loop_; }

  // The host part of the address is not looked at: a host listens on all of its names.
  Result<std::unique_ptr<env::Listener>> Listen(const std::string& address, OnAccept on_accept,
                                                env::ListenOptions options) override {
    ASSIGN_OR_RETURN(env::HostPort target, env::ParseHostPort(address));
    const uint16_t port = target.port != 0 ? target.port : fabric_.next_port_++;
    const std::string full = host_ + ":" + std::to_string(port);
    if (fabric_.listening_.contains(full)) {
      return Unavailable("cannot listen on " + full + ": Address already in use");
    }
    SimFabric::Listening listening;
    listening.on_accept = std::make_shared<OnAccept>(std::move(on_accept));
    for (env::Loop* loop : options.loops) {
      auto* sim = dynamic_cast<SimLoop*>(loop);
      BOREALIS_CHECK(sim != nullptr);
      listening.loops.push_back(sim);
    }
    if (listening.loops.empty()) listening.loops.push_back(&loop_);
    fabric_.listening_[full] = std::move(listening);
    return std::unique_ptr<env::Listener>(std::make_unique<SimListener>(fabric_, full, port));
  }

  void Connect(const std::string& address, env::Duration timeout, OnConnect done) override {
    Result<env::HostPort> target = env::ParseHostPort(address);
    if (!target.ok()) {
      loop_.Post([done = std::move(done), s = target.status()]() mutable { done(s); });
      return;
    }
    const env::Duration round_trip = fabric_.Latency() + fabric_.Latency();
    if (fabric_.IsCut(host_, target->host) || round_trip > timeout) {
      loop_.RunAfter(timeout, [address, done = std::move(done)]() mutable {
        done(DeadlineExceeded("connect to " + address + ": timed out"));
      });
      return;
    }
    loop_.RunAfter(round_trip,
                   [this, address, host = target->host, done = std::move(done)]() mutable {
                     done(Establish(address, host));
                   });
  }

 private:
  Result<std::unique_ptr<env::Stream>> Establish(const std::string& address,
                                                 const std::string& peer_host) {
    auto it = fabric_.listening_.find(address);
    if (it == fabric_.listening_.end()) {
      return Unavailable("connect to " + address + ": Connection refused");
    }
    SimFabric::Listening& listening = it->second;
    SimLoop* target = listening.loops[listening.next++ % listening.loops.size()];
    SimLink::End mine, theirs;
    mine.loop = &loop_;
    mine.host = host_;
    mine.address = host_ + ":" + std::to_string(fabric_.next_port_++);
    theirs.loop = target;
    theirs.host = peer_host;
    theirs.address = address;
    auto link = std::make_shared<SimLink>(fabric_, std::move(mine), std::move(theirs));
    fabric_.links_.push_back(link);
    target->Post(
        [f = listening.on_accept, s = MakeSimStream(link, 1)]() mutable { (*f)(std::move(s)); });
    return MakeSimStream(link, 0);
  }

  SimFabric& fabric_;
  SimLoop& loop_;
  const std::string host_;
};

std::unique_ptr<env::Network> SimFabric::MakeNetwork(SimLoop& loop, const std::string& host) {
  BOREALIS_CHECK(&loop.world() == &world_);
  return std::make_unique<SimNetwork>(*this, loop, host);
}

void SimFabric::SetLatency(env::Duration min, env::Duration max) {
  BOREALIS_CHECK(min <= max);
  latency_min_ = min;
  latency_max_ = max;
}

env::Duration SimFabric::Latency() {
  const auto spread = static_cast<uint64_t>((latency_max_ - latency_min_).count());
  return latency_min_ + env::Duration(static_cast<int64_t>(random_.Uniform(spread + 1)));
}

std::pair<std::string, std::string> SimFabric::Ends(const std::string& a, const std::string& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

bool SimFabric::IsCut(const std::string& a, const std::string& b) const {
  return cuts_.contains(Ends(a, b));
}

std::vector<std::shared_ptr<SimLink>> SimFabric::LinksBetween(const std::string& a,
                                                              const std::string& b) {
  std::erase_if(links_, [](const auto& link) { return link.expired(); });
  std::vector<std::shared_ptr<SimLink>> found;
  for (const auto& weak : links_) {
    auto link = weak.lock();
    if (Ends(link->end(0).host, link->end(1).host) == Ends(a, b)) found.push_back(std::move(link));
  }
  return found;
}

void SimFabric::Cut(const std::string& a, const std::string& b) {
  const auto ends = Ends(a, b);
  if (cuts_.contains(ends)) return;
  const uint64_t number = next_cut_++;
  cuts_[ends] = number;
  for (const auto& link : LinksBetween(a, b)) {
    for (int i : {0, 1}) {
      if (!world_.Has(link->end(i).loop)) continue;
      link->end(i).loop->RunAfter(kPeerTimeout,
                                  [this, ends, number, i, weak = std::weak_ptr(link)] {
                                    auto it = cuts_.find(ends);
                                    auto alive = weak.lock();
                                    if (it == cuts_.end() || it->second != number || !alive) return;
                                    alive->Break(i, Unavailable("connection timed out"));
                                  });
    }
  }
}

void SimFabric::Heal(const std::string& a, const std::string& b) {
  cuts_.erase(Ends(a, b));
  for (const auto& link : LinksBetween(a, b)) {
    link->Push(0);
    link->Push(1);
  }
}

void SimFabric::HealAll() {
  while (!cuts_.empty()) {
    const auto ends = cuts_.begin()->first;
    Heal(ends.first, ends.second);
  }
}

void SimFabric::Reset(const std::string& a, const std::string& b) {
  for (const auto& link : LinksBetween(a, b)) {
    link->Break(0, Unavailable("connection reset"));
    link->Break(1, Unavailable("connection reset"));
  }
}

}  // namespace borealis::testing
