// The Raft core: one member's part in the consensus on one log. Pure: no threads, clocks, files,
// sockets or logging. Time is ticks, randomness a seed; input comes by calls, output by one Ready.
//
// After Ongaro's dissertation (chapters 3, 4, 6 and 9), with etcd's raft as the model of the
// interface.
//
// How the owner drives it (single-threaded; every method is called from one thread at a time):
//
//   loop: Step / Tick / Propose / ReadIndex / OnDurable ...      (any number, in any order)
//         while (raft.HasReady()) { Ready r = raft.TakeReady(); ... }
//     1. send r.messages at once;
//     2. if r.persist: queue {persist.hard_state, persist.peer_memory, persist.entries} to the log,
//     in the
//        order of the Readies; once it and everything queued before is durable, and not before,
//        send persist.messages, then call OnDurable(persist.sequence). The log's thread may send
//        them itself ("acknowledge from the thread that synced") and post OnDurable to the core;
//     3. give r.committed to the state machine, in order; call OnApplied as it gets through them;
//     4. answer r.reads.
//
// There is no Advance call: Readies may be taken while earlier writes are still in flight.
//
// What must be durable before what leaves, and why:
//   * kAppend, kHeartbeat, kCommit and kTimeoutNow of a leader leave at once: it was elected by
//   votes of which its
//     own counted only when durable, so its term is on disk. Its own entries count towards commit
//     only by OnDurable.
//   * kVote (a candidate's request) waits for its own term and vote: after a crash it could
//   otherwise
//     campaign in the same term again, with a shorter log, and count votes given to the first
//     attempt.
//   * kVoteResponse and kAppendResponse wait for term, vote and the entries they promise.
//   * kPreVote and its response promise nothing and leave at once. A heartbeat's response leaves at
//     once unless the term it names is still to be persisted.
// A message that waits is attached to the newest write queued, even if that was in an earlier
// Ready; so a Ready may carry a `persist` with messages only: it needs no write but keeps its place
// in the queue.
//
// Reads: see ReadIndex. Applied entries are committed *and* durable here, so the state machine
// never runs ahead of the own log.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "storage-node/raft/log_reader.h"
#include "storage-node/raft/quorum.h"
#include "storage-node/raft/types.h"

namespace borealis::raft {

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view RoleName(Role role);

// Constant after construction.
struct Options {
  MemberId id;
  Config config;             // until membership changes exist: the group for good
  uint64_t boot_number = 1;  // raised at each start of this member (log: meta file)
  uint64_t seed = 1;         // of the election timeouts
  int election_timeout_ticks =
      10;  // each timeout is drawn from [t, 2t); must exceed heartbeat_ticks
  int heartbeat_ticks = 1;
  LogIndex applied;      // the state machine's; entries after it are handed out again
  HardState hard_state;  // as recovered
  std::vector<PeerMemory> peer_memory;  // as recovered

  size_t append_bytes_max = 1u << 20;        // per kAppend (at least one entry)
  int inflight_messages_max = 64;            // kAppend not yet acknowledged, per peer
  size_t inflight_bytes_max = 16u << 20;     // the same in bytes
  size_t uncommitted_bytes_max = 64u << 20;  // Propose is refused beyond
  size_t memory_bytes_max = 64u << 20;       // of durable entries kept in memory
  size_t apply_bytes_max = 8u << 20;         // handed out and not yet OnApplied
  size_t pending_reads_max = 65536;          // ReadIndex is refused beyond
  LogIndex peer_memory_step{4096};           // remembered progress is persisted in such steps
};

struct ProposedEntry {
  EntryType type = EntryType::kData;
  Payload payload;
};

// Where proposed entries stand if they are ever committed: entries [first, first + n) of `term`. An
// entry at that index with another term means that they were lost.
struct Proposal {
  Term term;
  LogIndex first;
};

// An answered ReadIndex: the state machine at `index` (or later) holds everything that was
// acknowledged anywhere before the question was asked.
struct ReadState {
  uint64_t context = 0;
  LogIndex index;
};

// One write for the log and what may leave once it is durable.
struct PersistRequest {
  uint64_t sequence = 0;  // for OnDurable; rises
  std::optional<HardState> hard_state;
  std::vector<PeerMemory> peer_memory;  // latest per peer; may be written lazily
  // Consecutive. When entries.front().index is at or below the log's last index, everything from
  // there on is replaced: the old suffix was never committed.
  std::vector<Entry> entries;
  bool must_sync = false;         // false: nothing here needs an fdatasync of its own
  std::vector<Message> messages;  // only after everything up to this is durable
};

struct SoftState {
  Role role = Role::kFollower;
  Term term;
  MemberId leader;  // none: not known
  friend bool operator==(const SoftState&, const SoftState&) = default;
};

struct Ready {
  std::optional<SoftState> soft_state;  // when it changed
  std::vector<Message> messages;        // may leave at once
  std::optional<PersistRequest> persist;
  std::vector<Entry> committed;  // for the state machine, each once, in order
  std::vector<ReadState> reads;
  std::vector<uint64_t> aborted_reads;  // contexts of own reads lost with the leadership; ask again
};

enum class PeerState : uint8_t {
  kProbe,          // where the logs meet is not known: one append at a time
  kReplicate,      // pipelined
  kNeedsSnapshot,  // the log it needs was trimmed; nothing is sent but heartbeats
};

struct PeerStatus {
  MemberId id;
  bool voter = true;
  PeerState state = PeerState::kProbe;
  LogIndex match;
  LogIndex next;
  bool recent_active = false;
  int inflight_messages = 0;
};

struct RaftStatus {
  MemberId id;
  Role role = Role::kFollower;
  Term term;
  MemberId vote;
  MemberId leader;
  LogIndex commit;
  LogIndex durable;
  LogIndex last;
  LogIndex applied;  // by OnApplied
  MemberId transfer_target;
  std::vector<PeerStatus> peers;        // of a leader, without itself
  std::vector<MemberId> refused_peers;  // behind what is remembered of them: old disk copies
};

class Raft {
 public:
  // `log` is borrowed and outlives the core; it holds what was recovered. kInvalidArgument for
  // options that contradict themselves, kCorruption if hard state and log do (commit beyond the
  // end, a term above the hard state's), and the log's own errors.
  static Result<std::unique_ptr<Raft>> Create(Options options, const LogReader* log);
  ~Raft();
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // One unit of time has passed.
  void Tick();

  // A message came in. kInvalidArgument for one that is not for this member or malformed,
  // kUnsupported for a snapshot, kUnauthenticated for a vote or an acknowledgement of a peer that
  // runs on an old disk copy; each has changed nothing. Messages that are merely late are ignored.
  Status Step(Message message);

  // Leader only: appends entries. kNotLeader (leader() names the one known, if any), kUnavailable
  // during a transfer, kResourceExhausted beyond uncommitted_bytes_max, kUnsupported for kConfig,
  // kInvalidArgument for an empty list, a kNoop or a payload above kPayloadBytesMax. Nothing is
  // appended unless all are.
  Result<Proposal> Propose(std::vector<ProposedEntry> entries);

  // Asks for an index to read at. The answer comes in Ready::reads with `context` (unique among the
  // unanswered ones). On the leader: the commit index now, once messages that *left after this
  // call* were answered by a quorum; appends count, so under load there is no extra message. A read
  // never joins a round that left before it: what leaves within the same TakeReady left after it.
  // Before the leader committed an entry of its own term, reads wait for that. On a follower the
  // question is forwarded; then the answer may come more than once. Forwarded or not, it may never
  // come: the caller keeps a deadline. kNotLeader without a known leader, kResourceExhausted beyond
  // pending_reads_max.
  Status ReadIndex(uint64_t context);

  // Leader only: hands leadership to a voter that has caught up, or gives up after an election
  // timeout; proposals are refused meanwhile. kNotLeader, kInvalidArgument for a non-voter; a no-op
  // for itself.
  Status TransferLeadership(MemberId target);

  // Starts an election (with a pre-vote) without waiting for the timeout. kInvalidArgument if not a
  // voter or already leader.
  Status Campaign();

  bool HasReady() const;
  Ready TakeReady();

  // Everything queued by Readies up to this sequence is durable. Rises from call to call.
  void OnDurable(uint64_t persist_sequence);
  // The state machine has applied everything up to `index`; makes room for more.
  void OnApplied(LogIndex index);
  // The way to `peer` was cut: what is in flight may be lost.
  void OnUnreachable(MemberId peer);

  // Stamped on appends and their responses from now on; see Message::state_hash.
  void SetStateHash(LogIndex index, uint64_t hash);
  // More in flight pays only when the round trip is longer than a sync; takes effect at once.
  void SetInflightLimit(int messages, size_t bytes);

  Role role() const;
  Term term() const;
  MemberId leader() const;  // none if not known
  LogIndex commit() const;
  LogIndex last_index() const;
  LogIndex durable_index() const;
  RaftStatus status() const;

  // An error of the LogReader in a place that cannot answer it (e.g. reading entries for a slow
  // peer). Sticky; kOk until then. The owner stops the member: its disk cannot be read.
  const Status& fault() const;

 private:
  class Impl;
  explicit Raft(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::raft
