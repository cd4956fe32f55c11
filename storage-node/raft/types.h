// The data that Raft exchanges: entries, hard state, configuration, messages. Plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace borealis::raft {

// Immutable bytes with shared ownership: a slice of a buffer that wire, log and apply hold
// together, so a payload is never copied on its way. Note that a small slice keeps its whole buffer
// alive.
class Payload {
 public:
  Payload() = default;
  explicit Payload(Bytes bytes) : Payload(std::make_shared<const Bytes>(std::move(bytes))) {}
  explicit Payload(std::shared_ptr<const Bytes> bytes) : view_(*bytes), owner_(std::move(bytes)) {}
  // `view` lies within memory that `owner` keeps alive and unchanged.
  Payload(std::shared_ptr<const void> owner, ByteView view)
      : view_(view), owner_(std::move(owner)) {}

  ByteView view() const { return view_; }
  size_t size() const { return view_.size(); }
  friend bool operator==(const Payload& a, const Payload& b) { return a.view_ == b.view_; }

 private:
  ByteView view_;
  std::shared_ptr<const void> owner_;
};

// What Raft must know about an entry. The payload of kData is opaque here.
enum class EntryType : uint8_t {
  kNoop = 1,    // first entry of each leader; no payload
  kConfig = 2,  // a change of the membership (EncodeConfig); refused by Propose in this version
  kData = 3,    // the replicated state machine's
};

struct Entry {
  Term term;
  LogIndex index;
  EntryType type = EntryType::kData;
  Payload payload;

  // What an entry counts for in every byte bound: payload and a fixed overhead.
  size_t Size() const { return payload.size() + kOverheadBytes; }
  static constexpr size_t kOverheadBytes = 32;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Largest payload of one entry, in bytes (docs/formats/log.md).
inline constexpr size_t kPayloadBytesMax = 256u << 20;

// What a member must never forget. `commit` is a hint: it may be older than what was known.
struct HardState {
  Term term;
  MemberId vote;  // none: no vote given in `term`
  LogIndex commit;
  friend bool operator==(const HardState&, const HardState&) = default;
};

// What this member remembers of a peer's life: a peer that falls behind it runs on an old copy of
// its disk (protocol: "Group"). `committed_durable` never falls on a healthy disk, across restarts
// too.
struct PeerMemory {
  MemberId peer;
  uint64_t boot_number = 0;    // highest seen
  LogIndex committed_durable;  // highest index seen that was committed and on the peer's disk
  friend bool operator==(const PeerMemory&, const PeerMemory&) = default;
};

// The members of the group. Both voter sets must agree while a change is in progress (joint
// consensus, Raft section 6); `outgoing` is empty otherwise. All sorted and without duplicates; a
// learner is in no voter set.
struct Config {
  std::vector<MemberId> voters;
  std::vector<MemberId> outgoing;
  std::vector<MemberId> learners;
  friend bool operator==(const Config&, const Config&) = default;
};

// The numbers are the wire's; never reuse one.
enum class MessageType : uint8_t {
  kPreVote = 1,
  kPreVoteResponse = 2,
  kVote = 3,
  kVoteResponse = 4,
  kAppend = 5,
  kAppendResponse = 6,
  kHeartbeat = 7,
  kHeartbeatResponse = 8,
  kReadIndex = 9,  // a follower asks the leader
  kReadIndexResponse = 10,
  kTimeoutNow = 11,       // leadership transfer: campaign at once
  kInstallSnapshot = 12,  // reserved; answered with kUnsupported in this version
  kInstallSnapshotResponse = 13,
  kCommit = 14,  // the commit index moved on and no append is about to say so; no answer
};
std::string_view MessageTypeName(MessageType type);

// One message of the group. Fields that a type does not name are zero.
struct Message {
  MessageType type{};
  MemberId from;
  MemberId to;
  Term term;  // the sender's; for a pre-vote and its grant the term of the election to come

  // Of every message: the sender's life and disk, see PeerMemory. Stamped by TakeReady.
  uint64_t boot_number = 0;
  LogIndex durable_index;      // highest index on the sender's disk
  LogIndex committed_durable;  // highest index known to be committed and on the sender's disk

  // kAppend: (index, log_term) precede `entries`. kVote, kPreVote: the candidate's last entry.
  // kAppendResponse: the last index that now matches, or, with `reject`, the `index` refused.
  // kReadIndexResponse: the index to read at. kHeartbeat, kCommit: (commit, log_term) as one
  // position.
  LogIndex index;
  Term log_term;
  LogIndex commit;  // kAppend, kHeartbeat, kCommit: the leader's commit index
  bool reject = false;
  bool transfer = false;  // kVote: by order of the leader, so leases do not hold it up
  // kAppendResponse with `reject`: where the follower's log may agree (fast backtracking).
  LogIndex hint_index;
  Term hint_term;

  uint64_t read_round = 0;    // kAppend, kHeartbeat and their responses: ReadIndex confirmation
  uint64_t context = 0;       // kReadIndex and its response: the asker's token ...
  uint64_t context_boot = 0;  // ... and the asker's boot number, so that no token outlives it

  // Rolling hash of the state machine at an index, exchanged with appends (protocol: "Level").
  // Carried, never looked at here: set by SetStateHash, read by the owner before Step.
  LogIndex state_hash_index;
  uint64_t state_hash = 0;

  std::vector<Entry> entries;  // kAppend; consecutive from index + 1
  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace borealis::raft
