// Channels to all members, calls over them, and who is thought to lead.
//
// Loop thread only. Call and CallLeader block the calling fiber.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/env/fiber.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "common/rpc/channel.h"
#include "common/wire/messages.h"

namespace borealis::storage_client {

struct MemberAddress {
  MemberId id;
  std::string address;  // host:port; the name is resolved at each dial
  std::string zone;
};

// An answer: the frame's type and a copy of its payload.
struct Reply {
  wire::FrameType type = wire::FrameType::kError;
  Bytes payload;
};

class Members {
 public:
  struct Events {
    std::function<void(MemberId)> on_up;
    std::function<void(MemberId)> on_down;
    // Frames that answer no Call: verdicts and the stream.
    std::function<void(MemberId, wire::FrameType, uint64_t request_id, ByteView)> on_frame;
  };
  struct Options {
    std::vector<MemberAddress> members;
    std::string zone;  // members there come first
    env::Duration dial_timeout = std::chrono::seconds(1);
    env::Duration backoff_max = std::chrono::milliseconds(500);
  };

  Members(env::Loop& loop, env::Network& network, env::Random& random, obs::Logger logger,
          Options options, std::function<rpc::Hello()> hello, Events events);
  ~Members();

  bool up(MemberId id) const;
  size_t up_count() const;
  // All members, those of this zone first, the rest in the order of their ids (rotated by the
  // writer's name, so that writers spread).
  const std::vector<MemberId>& by_distance() const { return order_; }
  // The first of by_distance() after `not_this` that is up; none when no channel is.
  MemberId Nearest(MemberId not_this = MemberId()) const;

  // The leader as far as is known; none when unknown.
  MemberId leader() const { return leader_; }
  // From an answer or a hint. A suspect is not taken at others' word: those that miss it, too,
  // still name it for a while.
  void set_leader(MemberId id) { leader_ = IsSuspect(id) ? MemberId() : id; }
  // It did not answer in time: forgotten as leader, and asked last until a frame comes from it, at
  // most for a second.
  void Suspect(MemberId id);
  // What to ask for the leader now: the known one if its channel is up, else the next in turn that
  // is.
  MemberId LeaderOrProbe();

  // Queues a frame; false when the channel is down. Request ids come from NextRequestId().
  bool Send(MemberId to, wire::FrameType type, uint64_t request_id, Bytes payload);
  uint64_t NextRequestId() { return ++last_request_id_; }

  // One request, one answer. kUnavailable: no channel, it broke, or no answer within the timeout.
  Result<Reply> Call(MemberId to, wire::FrameType type, Bytes payload, env::Duration timeout);
  // Asks until the leader answers with `expected` or the deadline passes; for calls that may be
  // repeated. An error other than kNotLeader and kUnavailable is returned.
  Result<Bytes> CallLeader(wire::FrameType type, const Bytes& payload, wire::FrameType expected,
                           env::MonotonicTime deadline);

  uint64_t calls() const { return calls_; }

 private:
  struct Member {
    MemberAddress address;
    std::unique_ptr<rpc::ChannelClient> client;
  };
  void OnFrame(MemberId from, uint8_t type, uint64_t request_id, ByteView payload);
  void OnDown(MemberId id, const Status& why);
  void Start(Member* member, const Options& options, std::function<rpc::Hello()> hello,
             env::Network& network, env::Random& random);

  env::Loop& loop_;
  obs::Logger logger_;
  Events events_;
  std::map<MemberId, Member> members_;
  std::vector<MemberId> order_;
  bool IsSuspect(MemberId id) const;
  MemberId leader_;
  MemberId suspect_;
  env::MonotonicTime suspect_until_;
  size_t probe_ = 0;
  uint64_t last_request_id_ = 0;
  uint64_t calls_ = 0;
  struct PendingCall {
    MemberId to;
    env::FiberPromise<Reply> promise;
  };
  std::map<uint64_t, PendingCall> pending_;
};

// The status that a kError frame stands for.
Status StatusOf(const wire::ErrorReply& error);

}  // namespace borealis::storage_client
