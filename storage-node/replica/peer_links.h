// One outgoing channel to each peer. A member only sends on the channels that it dialled and only
// receives on those that it accepted, so that no two ends race to be the one connection.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/env/random.h"
#include "common/obs/log.h"
#include "common/rpc/channel.h"
#include "storage-node/raft/types.h"

namespace borealis::replica {

class PeerLinks {
 public:
  struct Options {
    MemberId id;
    ClusterId cluster;
    std::map<MemberId, std::string> members;       // this one is skipped
    size_t pending_bytes_max = 64u << 20;          // more unsent than that: messages are dropped
    std::function<void(MemberId)> on_unreachable;  // a link broke, or a message was dropped
  };

  // Dials at once and for ever; names are resolved at each dial, since pods change addresses.
  PeerLinks(env::Network& network, env::Random& random, obs::Logger logger, Options options);
  ~PeerLinks();

  // Queues the message; false if there is no open channel, or too much is waiting in it. Raft
  // repeats what matters.
  bool Send(const raft::Message& message);
  bool connected(MemberId peer) const;

 private:
  Options options_;
  obs::Logger logger_;
  std::map<MemberId, std::unique_ptr<rpc::ChannelClient>> clients_;
};

}  // namespace borealis::replica
