// A network in memory and virtual time: env::Network for any number of hosts, with latency, cuts
// and resets. Streams behave as TCP's do: ordered, no loss within a connection, arbitrary splits of
// what is read, a bounded window (so that a reader that stops fills its writer's queue), and a
// connection that cannot get through for 10 s breaks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env/net.h"
#include "common/env/random.h"
#include "common/testing/sim_loop.h"

namespace borealis::testing {

class SimLink;

// The wires between all hosts of a world. Outlives networks and streams.
class SimFabric {
 public:
  SimFabric(SimWorld& world, uint64_t seed) : world_(world), random_(seed) {}

  // The network as the host sees it, on its loop. Hosts are reached as "host:port".
  std::unique_ptr<env::Network> MakeNetwork(SimLoop& loop, const std::string& host);

  // Each piece takes a random time in this range, one way; default 50 to 150 us.
  void SetLatency(env::Duration min, env::Duration max);
  // From now on nothing gets through between the two hosts, in both directions. What is sent waits;
  // after 10 s the connections break on both sides.
  void Cut(const std::string& a, const std::string& b);
  void Heal(const std::string& a, const std::string& b);
  void HealAll();
  // All connections between the two break at once on both sides.
  void Reset(const std::string& a, const std::string& b);
  bool IsCut(const std::string& a, const std::string& b) const;
  // Bytes that arrived somewhere.
  uint64_t bytes_delivered() const { return bytes_delivered_; }

 private:
  friend class SimLink;
  friend class SimNetwork;
  friend class SimListener;

  struct Listening {
    std::shared_ptr<env::Network::OnAccept> on_accept;
    std::vector<SimLoop*> loops;
    size_t next = 0;
  };

  static std::pair<std::string, std::string> Ends(const std::string& a, const std::string& b);
  env::Duration Latency();
  // The connections that are still there; forgets those that are not.
  std::vector<std::shared_ptr<SimLink>> LinksBetween(const std::string& a, const std::string& b);

  SimWorld& world_;
  env::SeededRandom random_;
  env::Duration latency_min_ = env::Duration(50);
  env::Duration latency_max_ = env::Duration(150);
  std::map<std::string, Listening> listening_;                    // by "host:port"
  std::map<std::pair<std::string, std::string>, uint64_t> cuts_;  // with the number of the cut
  uint64_t next_cut_ = 1;
  std::vector<std::weak_ptr<SimLink>> links_;
  uint16_t next_port_ = 20000;
  uint64_t bytes_delivered_ = 0;
};

}  // namespace borealis::testing
