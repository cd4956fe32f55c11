// The applied stream: every accepted request, in log order, to each subscriber, as soon as it is
// certified.
//
// One ring of recent entries serves all subscribers; each has a place in it. A subscriber whose
// connection does not drain stops at its place; when the ring has moved past it, it is told so
// (kBelowHorizon) and dropped, and starts over from a fresh snapshot. So slow subscribers cost no
// memory and delay nobody. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "common/env/loop.h"
#include "common/rpc/channel.h"
#include "common/wire/messages.h"
#include "storage-node/apply/state_machine.h"

namespace borealis::service {

class StreamHub {
 public:
  struct Options {
    size_t ring_bytes_max = 64u << 20;
    size_t batch_bytes_max = 1u << 20;  // of one StreamBatch, unless one entry is larger
    size_t pending_bytes_max =
        4u << 20;  // unsent on a connection before its subscriber has to wait
  };
  using SubscriptionId = uint64_t;

  // `version` is that of the state machine now: nothing at or below it can be had here.
  StreamHub(env::Loop& loop, Version version, Options options);
  ~StreamHub();

  void OnEntry(const std::shared_ptr<const apply::CertifiedEntry>& entry);

  // Sends every accepted request above `subscribe.after` over the channel with that request id.
  // kBelowHorizon when they are not in the ring any more. The channel outlives the subscription.
  Result<SubscriptionId> Add(rpc::Channel* channel, uint64_t request_id,
                             const wire::Subscribe& subscribe);
  void Remove(SubscriptionId id);

  size_t subscribers() const { return subscribers_.size(); }
  size_t ring_bytes() const { return ring_bytes_; }

 private:
  struct Subscriber {
    rpc::Channel* channel = nullptr;
    uint64_t request_id = 0;
    Incarnation origin;
    Version after;          // the last version sent, or not wanted
    uint64_t position = 0;  // of the next entry to look at; counts all entries ever in the ring
    bool waiting = false;   // for its connection to drain
  };

  void ScheduleFlush();
  void Flush();
  // False when the subscriber fell out of the ring.
  bool Advance(SubscriptionId id, Subscriber* subscriber);
  void WaitForRoom(SubscriptionId id, Subscriber* subscriber);
  // How many entries from `position` go into the next batch.
  size_t FillBatch(const Subscriber& subscriber, wire::StreamBatch* batch) const;

  env::Loop& loop_;
  const Options options_;
  std::deque<std::shared_ptr<const apply::CertifiedEntry>> ring_;
  uint64_t first_position_ = 0;  // of ring_.front()
  Version base_;                 // the version before the ring's first
  Version version_;              // certified
  size_t ring_bytes_ = 0;
  bool flush_scheduled_ = false;
  SubscriptionId next_id_ = 1;
  std::map<SubscriptionId, Subscriber> subscribers_;
  std::shared_ptr<StreamHub*> alive_;
};

}  // namespace borealis::service
