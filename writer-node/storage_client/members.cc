#include "writer-node/storage_client/members.h"

#include <algorithm>

#include "common/base/checksum.h"

namespace borealis::storage_client {
namespace {

// A hung leader is left after this long for another member, which knows better. Idempotent requests
// only.
constexpr env::Duration kAttemptTimeout = std::chrono::milliseconds(500);
// Between attempts that were refused at once (an election is under way).
constexpr env::Duration kPause = std::chrono::milliseconds(10);
constexpr env::Duration kSuspectFor = std::chrono::seconds(1);

}  // namespace

Status StatusOf(const wire::ErrorReply& error) {
  return Status(error.code == Code::kOk ? Code::kInternal : error.code, std::string(error.message));
}

Members::Members(env::Loop& loop, env::Network& network, env::Random& random, obs::Logger logger,
                 Options options, std::function<rpc::Hello()> hello, Events events)
    : loop_(loop), logger_(logger), events_(std::move(events)) {
  BOREALIS_CHECK(!options.members.empty());
  std::vector<MemberAddress> sorted = options.members;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::rotate(sorted.begin(),
              sorted.begin() + static_cast<long>(Hash64(hello().name) % sorted.size()),
              sorted.end());
  std::stable_partition(sorted.begin(), sorted.end(), [&](const MemberAddress& m) {
    return !options.zone.empty() && m.zone == options.zone;
  });
  for (const MemberAddress& address : sorted) {
    order_.push_back(address.id);
    members_[address.id].address = address;
  }
  for (auto& [id, member] : members_) Start(&member, options, hello, network, random);
}

Members::~Members() = default;

void Members::Start(Member* member, const Options& options, std::function<rpc::Hello()> hello,
                    env::Network& network, env::Random& random) {
  const MemberId id = member->address.id;
  rpc::ChannelClientOptions client;
  client.dial_timeout = options.dial_timeout;
  client.backoff_max = options.backoff_max;
  client.address = [address = member->address.address] { return address; };
  client.hello = std::move(hello);
  rpc::ChannelClient::Events events;
  events.on_up = [this, id](rpc::Channel&) {
    logger_.Info("member connected", {{"member", id}});
    events_.on_up(id);
  };
  events.on_down = [this, id](const Status& why) { OnDown(id, why); };
  events.on_retry = [this, id](const Status& why) {
    logger_.Warning("member cannot be reached", {{"member", id}, {"why", why}});
  };
  events.on_frame = [this, id](uint8_t type, uint64_t request_id, ByteView payload) {
    OnFrame(id, type, request_id, payload);
  };
  member->client = rpc::ChannelClient::Start(network, random, std::move(client), std::move(events));
}

bool Members::up(MemberId id) const {
  auto it = members_.find(id);
  return it != members_.end() && it->second.client != nullptr &&
         it->second.client->channel() != nullptr;
}

size_t Members::up_count() const {
  return static_cast<size_t>(
      std::count_if(order_.begin(), order_.end(), [this](MemberId id) { return up(id); }));
}

MemberId Members::Nearest(MemberId not_this) const {
  auto from = std::find(order_.begin(), order_.end(), not_this);
  const size_t start = from == order_.end() ? 0 : static_cast<size_t>(from - order_.begin()) + 1;
  for (size_t i = 0; i < order_.size(); ++i) {
    const MemberId id = order_[(start + i) % order_.size()];
    if (up(id)) return id;
  }
  return MemberId();
}

bool Members::IsSuspect(MemberId id) const {
  return id && id == suspect_ && loop_.clock().Monotonic() < suspect_until_;
}

void Members::Suspect(MemberId id) {
  suspect_ = id;
  suspect_until_ = loop_.clock().Monotonic() + kSuspectFor;
  if (leader_ == id) leader_ = MemberId();
}

MemberId Members::LeaderOrProbe() {
  if (leader_ && up(leader_)) return leader_;
  for (size_t i = 0; i < order_.size(); ++i) {
    const MemberId id = order_[probe_++ % order_.size()];
    if (up(id) && !IsSuspect(id)) return id;
  }
  return up(suspect_) ? suspect_ : MemberId();
}

bool Members::Send(MemberId to, wire::FrameType type, uint64_t request_id, Bytes payload) {
  auto it = members_.find(to);
  if (it == members_.end() || !up(to)) return false;
  it->second.client->channel()->Send(static_cast<uint8_t>(type), request_id, std::move(payload));
  return true;
}

void Members::OnFrame(MemberId from, uint8_t type, uint64_t request_id, ByteView payload) {
  if (from == suspect_) suspect_ = MemberId();
  auto it = pending_.find(request_id);
  if (it == pending_.end()) {
    events_.on_frame(from, static_cast<wire::FrameType>(type), request_id, payload);
    return;
  }
  if (it->second.to != from) return;
  const env::FiberPromise<Reply> promise = it->second.promise;
  pending_.erase(it);
  promise.Set(Reply{static_cast<wire::FrameType>(type), Bytes(payload)});
}

void Members::OnDown(MemberId id, const Status& why) {
  logger_.Warning("member disconnected", {{"member", id}, {"why", why}});
  if (leader_ == id) leader_ = MemberId();
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->second.to != id) {
      ++it;
      continue;
    }
    it->second.promise.Set(Unavailable("the channel to the member broke"));
    it = pending_.erase(it);
  }
  events_.on_down(id);
}

Result<Reply> Members::Call(MemberId to, wire::FrameType type, Bytes payload,
                            env::Duration timeout) {
  const uint64_t request_id = NextRequestId();
  env::FiberPromise<Reply> promise(loop_);
  env::FiberFuture<Reply> future = promise.future();
  pending_.emplace(request_id, PendingCall{to, promise});
  ++calls_;
  if (!Send(to, type, request_id, std::move(payload))) {
    pending_.erase(request_id);
    return Unavailable("no channel to the member");
  }
  Result<Reply> reply = future.GetFor(timeout);
  pending_.erase(request_id);
  if (reply.code() == Code::kDeadlineExceeded)
    return Unavailable("the member did not answer in time");
  return reply;
}

Result<Bytes> Members::CallLeader(wire::FrameType type, const Bytes& payload,
                                  wire::FrameType expected, env::MonotonicTime deadline) {
  Status last = Unavailable("no member can be reached");
  while (true) {
    const env::Duration left = deadline - loop_.clock().Monotonic();
    if (left.count() <= 0) return Unavailable("no leader answered in time: " + last.message());
    const MemberId to = LeaderOrProbe();
    if (!to) {
      RETURN_IF_ERROR(env::FiberSleep(std::min(left, kPause)));
      continue;
    }
    Result<Reply> reply = Call(to, type, payload, std::min(left, kAttemptTimeout));
    if (reply.code() == Code::kCancelled) return reply.status();
    if (!reply.ok()) {
      last = reply.status();
      Suspect(to);
      continue;
    }
    if (reply->type == expected && expected == wire::FrameType::kReadIndexReply) {
      ASSIGN_OR_RETURN(const wire::ReadIndexReply read, wire::DecodeReadIndexReply(reply->payload));
      if (!read.is_leader) {
        set_leader(read.leader == to ? MemberId() : read.leader);
        last = Unavailable("there is no leader");
        if (!leader_) RETURN_IF_ERROR(env::FiberSleep(std::min(left, kPause)));
        continue;
      }
    }
    if (reply->type == expected) {
      leader_ = to;
      return std::move(reply->payload);
    }
    if (reply->type != wire::FrameType::kError)
      return Internal("a member answered with another type");
    ASSIGN_OR_RETURN(const wire::ErrorReply error, wire::DecodeError(reply->payload));
    last = StatusOf(error);
    const bool again = error.code == Code::kNotLeader || error.code == Code::kUnavailable ||
                       error.code == Code::kOutcomeUnknown ||
                       error.code == Code::kResourceExhausted;
    if (!again) return last;
    set_leader(error.leader == to ? MemberId() : error.leader);
    if (!leader_) RETURN_IF_ERROR(env::FiberSleep(std::min(left, kPause)));
  }
}

}  // namespace borealis::storage_client
