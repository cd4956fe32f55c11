// Sends commit requests to the leader until each has a verdict. A state machine without fibers.
//
// Requests of one loop turn travel as one CommitBatch. While the pipe is short one batch is in
// flight: the next one forms behind it and leaves when the verdicts arrive, so batches are clocked
// by acknowledgements. A request that got no verdict (the channel broke, another leads, no answer
// in time) is sent again, same bytes and same id, to whoever leads then; members answer a repeated
// id with its first verdict, so this is safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "common/env/fiber.h"
#include "common/env/loop.h"
#include "common/obs/metrics.h"
#include "common/wire/log_entry.h"
#include "writer-node/storage_client/members.h"

namespace borealis::storage_client {

class CommitPipe {
 public:
  CommitPipe(env::Loop& loop, Members* members, obs::Registry* metrics);
  ~CommitPipe();

  // `bytes` is a whole request of this incarnation. The promise gets its verdict (never
  // kRetryElsewhere or kUnknown).
  void Submit(uint64_t sequence, Bytes bytes, env::FiberPromise<wire::Verdict> promise);
  // Stops sending it. True when it surely did not happen: it never left, or each member that got it
  // said that it did nothing with it. Else it may be, or become, committed.
  bool Withdraw(uint64_t sequence);

  // From Members' events.
  void OnUp(MemberId id);
  void OnDown(MemberId id);
  void OnVerdicts(MemberId from, uint64_t request_id, ByteView payload);
  // A kError that answers a batch; false when it answers none.
  bool OnError(uint64_t request_id, ByteView payload);

  size_t waiting() const { return requests_.size(); }

 private:
  struct Request {
    Bytes bytes;
    env::FiberPromise<wire::Verdict> promise;
    bool sent = false;      // ever handed to a channel
    bool doubt = false;     // a send of it ended without an answer, or with kUnknown
    uint64_t in_batch = 0;  // request id of the batch it is in; 0 = queued
  };
  struct Batch {
    MemberId to;
    std::set<uint64_t> open;  // sequences without a verdict
    env::MonotonicTime sent_at;
  };
  void Schedule();
  void ScheduleIn(env::Duration delay);
  void Flush();
  void SendBatch(MemberId to);
  // Everything open in the batch is queued again, in order. `refused`: those that the member did
  // nothing with.
  void Requeue(uint64_t batch_id, const std::set<uint64_t>& refused = {});
  void CheckTimeouts();
  // False: the member did not decide it.
  bool HandleVerdict(const wire::Verdict& verdict);

  env::Loop& loop_;
  Members* const members_;
  std::map<uint64_t, Request> requests_;  // by sequence
  std::set<uint64_t> queue_;              // sequences to send, oldest first
  std::map<uint64_t, Batch> batches_;     // by request id
  bool flush_scheduled_ = false;
  env::TimerId retry_timer_ = env::TimerId::kNone;
  env::TimerId timeout_timer_ = env::TimerId::kNone;
  env::Duration round_trip_{1000};  // of the last batch
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  obs::Counter* batches_sent_;
  obs::Counter* requests_sent_;
  obs::Counter* requests_resent_;
  obs::Histogram* round_trips_;
};

}  // namespace borealis::storage_client
