#include "storage-node/replica/peer_links.h"

#include "common/wire/messages.h"
#include "storage-node/raft/message_codec.h"

namespace borealis::replica {

PeerLinks::PeerLinks(env::Network& network, env::Random& random, obs::Logger logger,
                     Options options)
    : options_(std::move(options)), logger_(logger) {
  for (const auto& [member, address] : options_.members) {
    if (member == options_.id) continue;
    rpc::ChannelClientOptions client;
    client.address = [address = address] { return address; };
    client.hello = [this] {
      rpc::Hello hello;
      hello.cluster = options_.cluster;
      hello.role = rpc::Role::kMember;
      hello.id = options_.id.value();
      hello.name = "member-" + std::to_string(options_.id.value());
      return hello;
    };
    // A peer that is back must get a heartbeat before its election timeout.
    client.backoff_max = std::chrono::milliseconds(200);
    rpc::ChannelClient::Events events;
    events.on_up = [this, member = member](rpc::Channel&) {
      logger_.Info("peer link is up", {{"peer", member}});
    };
    events.on_down = [this, member = member](const Status& why) {
      logger_.Warning("peer link is down", {{"peer", member}, {"why", why}});
      options_.on_unreachable(member);
    };
    events.on_retry = [this, member = member](const Status& why) {
      logger_.Warning("peer cannot be reached", {{"peer", member}, {"why", why}});
    };
    events.on_frame = [](uint8_t, uint64_t, ByteView) {};
    clients_[member] = rpc::ChannelClient::Start(network, random, client, events);
  }
}

PeerLinks::~PeerLinks() = default;

bool PeerLinks::Send(const raft::Message& message) {
  const auto it = clients_.find(message.to);
  if (it == clients_.end()) return false;
  rpc::Channel* channel = it->second->channel();
  if (channel == nullptr) return false;
  if (channel->pending_bytes() > options_.pending_bytes_max) {
    options_.on_unreachable(message.to);
    return false;
  }
  Bytes payload;
  raft::EncodeMessage(message, &payload);
  channel->Send(static_cast<uint8_t>(wire::FrameType::kRaft), 0, std::move(payload));
  return true;
}

bool PeerLinks::connected(MemberId peer) const {
  const auto it = clients_.find(peer);
  return it != clients_.end() && it->second->channel() != nullptr;
}

}  // namespace borealis::replica
