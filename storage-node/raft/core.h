// The state of a member and the steps on it. Internal: users see raft.h.
//
// The parts: core.cc (life, terms, dispatch), election.cc, replication.cc (both sides of it),
// read_index.cc, ready.cc (output). Decisions about *when* a leader sends are all taken in
// TakeReady: inputs only change state, so everything that came in between two Readies shares
// messages.
#pragma once

#include "storage-node/raft/progress.h"
#include "storage-node/raft/raft.h"
#include "storage-node/raft/raft_log.h"

namespace borealis::raft {

class Raft::Impl {
 public:
  Impl(Options options, const LogReader* log);
  Status Init();

  void Tick();
  Status Step(Message message);
  Result<Proposal> Propose(std::vector<ProposedEntry> entries);
  Status ReadIndex(uint64_t context);
  Status TransferLeadership(MemberId target);
  Status Campaign();
  bool HasReady() const;
  Ready TakeReady();
  void OnDurable(uint64_t sequence);
  void OnApplied(LogIndex index);
  void OnUnreachable(MemberId peer);
  void SetStateHash(LogIndex index, uint64_t hash);
  void SetInflightLimit(int messages, size_t bytes);
  RaftStatus status() const;

  Role role() const { return role_; }
  Term term() const { return term_; }
  MemberId leader() const { return leader_; }
  LogIndex commit() const { return commit_; }
  const RaftLog& log() const { return log_; }
  const Status& fault() const { return fault_; }

 private:
  struct PendingRead {
    MemberId from;
    uint64_t context;
    uint64_t context_boot;
  };
  // Reads whose confirmation left with messages of `round`.
  struct ReadRound {
    uint64_t round;
    LogIndex index;
    std::vector<PendingRead> reads;
  };
  struct Memory {
    PeerMemory seen;
    LogIndex persisted;  // the committed_durable last handed to the log
    bool boot_changed = false;
    bool refused = false;
  };

  // core.cc
  void BecomeFollower(Term term, MemberId leader);
  void ResetForTerm(Term term);
  Status Validate(const Message& message) const;
  Status CheckEntries(const Message& message) const;
  Status CheckPeerMemory(const Message& message);
  // Returns true when the message is done with.
  bool StepTerm(const Message& message);
  Status Dispatch(Message message);
  Message Reply(const Message& to, MessageType type) const;
  void Send(Message message);
  void SendAfterPersist(Message message);
  bool HardStateDirty() const;
  bool IsSelfVoter() const { return IsVoter(options_.config, options_.id); }

  // election.cc
  void TickElection();
  void TickLeader();
  void StartPreVote();
  void StartElection(bool transfer);
  void AskForVotes(MessageType type, Term term, bool transfer);
  void HandleVoteRequest(const Message& message);
  void HandleVoteResponse(const Message& message);
  void CountElection();
  void BecomeLeader();
  bool QuorumActive() const;
  void HandleTimeoutNow();

  // replication.cc
  Status HandleAppend(Message message);
  void HandleHeartbeat(const Message& message);
  Status HandleAppendResponse(const Message& message);
  void HandleHeartbeatResponse(const Message& message);
  void MaybeSendTimeoutNow(MemberId peer);
  void MaybeCommit();
  void AdvanceCommit(LogIndex commit);
  void SendAppends();
  void SendAppendsTo(MemberId peer, Progress* progress);
  bool SendOneAppend(MemberId peer, Progress* progress, bool entries_wanted = true);
  void SendPosition(MessageType type, MemberId peer, Progress* progress);
  void SendCommits();
  void AppendOwn(std::vector<ProposedEntry> entries);
  void ReadFailed(const Status& status, Progress* progress);

  // read_index.cc
  void HandleReadIndex(const Message& message);
  void HandleReadIndexResponse(const Message& message);
  void StartReadRound();
  void ConfirmReads();
  void AnswerRead(const PendingRead& read, LogIndex index);
  void AbortReads();

  // ready.cc
  bool HasLeavingTo(MemberId peer) const;
  void Stamp(Message* message) const;
  void TakePersist(Ready* ready);
  bool TermDurable() const;
  void TakeCommitted(Ready* ready);
  std::vector<PeerMemory> TakePeerMemory();
  bool CanHandOut() const;

  // Constant after construction, but for the two inflight bounds.
  Options options_;
  RaftLog log_;

  // Persistent state, as of now; persisted_ is what the last Ready handed out.
  Term term_;
  MemberId vote_;
  LogIndex commit_;
  HardState persisted_;

  Role role_ = Role::kFollower;
  MemberId leader_;
  SoftState last_soft_;
  std::mt19937_64 random_;
  int election_elapsed_ = 0;
  int heartbeat_elapsed_ = 0;
  int election_timeout_ = 0;  // drawn anew for each term

  // Candidates.
  std::map<MemberId, bool> votes_;
  bool own_vote_durable_ = false;
  uint64_t own_vote_sequence_ = 0;  // the write that makes it so; 0: not handed out yet

  // Leader. progress_ has every member but this one.
  std::map<MemberId, Progress> progress_;
  LogIndex term_start_;           // index of the no-op
  size_t uncommitted_bytes_ = 0;  // of this leader's own entries
  MemberId transfer_target_;
  int transfer_elapsed_ = 0;
  bool send_wanted_ = false;  // something changed that may let a message leave
  uint64_t read_round_ = 0;   // the last one that left
  std::vector<PendingRead> open_reads_;
  std::deque<ReadRound> closed_reads_;  // rounds rise
  size_t closed_read_count_ = 0;

  // Output since the last Ready.
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::vector<ReadState> reads_;
  std::vector<uint64_t> aborted_reads_;

  // Writes and applies in flight.
  uint64_t sequence_ = 0;  // of the last persist handed out
  uint64_t durable_sequence_ = 0;
  uint64_t term_sequence_ = 0;  // the write with the present term and vote
  LogIndex handed_out_;         // committed entries up to here went to the state machine
  LogIndex applied_;
  std::deque<std::pair<LogIndex, size_t>> applying_;
  size_t applying_bytes_ = 0;

  std::map<MemberId, Memory> memory_;
  LogIndex state_hash_index_;
  uint64_t state_hash_ = 0;
  Status fault_;
};

}  // namespace borealis::raft
