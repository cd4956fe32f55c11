// What waits for the log: requests that are queued for the next turn's entry, and proposed entries
// whose fate is open. Holds the callbacks, and sees to it that each is called exactly once.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/log_entry.h"
#include "common/wire/messages.h"
#include "storage-node/apply/state_machine.h"
#include "storage-node/raft/raft.h"

namespace borealis::replica {

class Proposals {
 public:
  using CommitDone = std::function<void(std::vector<wire::Verdict>)>;
  // The decision, or kNotLeader (not appended) or kOutcomeUnknown.
  using OtherDone = std::function<void(Result<apply::Decided>)>;

  // The batch `body` must have passed ParseCommitBody, with that many requests.
  void QueueCommit(Bytes body, size_t requests, CommitDone done);
  void QueueOther(Bytes payload, OtherDone done);
  bool empty() const { return queue_.empty(); }
  size_t queued_bytes() const { return queued_bytes_; }

  // Entries made of all that is queued, in its order: neighbouring commits share one up to
  // `bytes_max`. Follow it with Appended or Refused.
  std::vector<raft::ProposedEntry> TakeEntries(size_t bytes_max);
  void Appended(const raft::Proposal& proposal);
  // Nothing was appended: everything taken is answered as not decided, not appended.
  void Refused(MemberId leader);

  // The entry at `index` was decided. Answers who waits for it; an entry of another term at that
  // index means that ours is lost for good, and so are those behind it of the same term.
  void OnDecided(Term term, LogIndex index, const apply::Decided& decided, MemberId leader);
  // The leadership is gone: what was appended may or may not be decided later, by others.
  void FailAppended(MemberId leader);
  // Also what is queued.
  void FailQueued(MemberId leader);

 private:
  struct Waiter {
    CommitDone commit;        // either this ...
    std::vector<TxnId> txns;  //   (its requests)
    OtherDone other;          // ... or this
  };
  struct Queued {
    Bytes payload;  // commit: the body; other: the whole entry
    Waiter waiter;
  };
  struct Pending {
    Term term;
    LogIndex index;
    std::vector<Waiter> waiters;
  };

  static void Fail(Waiter* waiter, wire::VerdictKind kind, MemberId leader);
  static void Answer(Pending* pending, const apply::Decided& decided);

  std::deque<Queued> queue_;
  size_t queued_bytes_ = 0;
  std::vector<std::vector<Waiter>> taken_;  // by entry
  std::deque<Pending> pending_;             // ascending index
};

}  // namespace borealis::replica
