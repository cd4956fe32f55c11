#include "storage-node/raft/core.h"

#include <algorithm>

namespace borealis::raft {

Raft::Impl::Impl(Options options, const LogReader* log)
    : options_(std::move(options)),
      log_(log, options_.memory_bytes_max),
      random_(options_.seed * 0x9E3779B97F4A7C15ull + options_.id.value()) {}

Status Raft::Impl::Init() {
  if (!options_.id) return InvalidArgument("a member's id must not be 0");
  RETURN_IF_ERROR(ValidateConfig(options_.config));
  if (options_.heartbeat_ticks < 1 || options_.election_timeout_ticks <= options_.heartbeat_ticks) {
    return InvalidArgument("the election timeout must exceed the heartbeat interval");
  }
  if (options_.inflight_messages_max < 1) return InvalidArgument("nothing may be in flight");
  RETURN_IF_ERROR(log_.Init().WithContext("raft log"));

  term_ = options_.hard_state.term;
  vote_ = options_.hard_state.vote;
  if (log_.last_term() > term_) {
    return Corruption("the log ends in term " + std::to_string(log_.last_term().value()) +
                      ", the hard state in " + std::to_string(term_.value()));
  }
  // What was trimmed or applied was committed, whatever the hint says.
  LogIndex trimmed = log_.FirstIndex().Prev();
  commit_ = std::max({options_.hard_state.commit, options_.applied, trimmed});
  if (commit_ > log_.last()) {
    return Corruption("committed or applied up to " + std::to_string(commit_.value()) +
                      " but the log ends at " + std::to_string(log_.last().value()));
  }
  if (options_.applied < trimmed) {
    return Corruption("applied up to " + std::to_string(options_.applied.value()) +
                      " but the log begins at " + std::to_string(log_.FirstIndex().value()));
  }
  applied_ = handed_out_ = options_.applied;
  persisted_ = options_.hard_state;
  for (MemberId member : AllMembers(options_.config)) {
    if (member != options_.id) memory_[member].seen.peer = member;
  }
  for (const PeerMemory& known : options_.peer_memory) {
    auto it = memory_.find(known.peer);
    if (it == memory_.end()) continue;
    it->second.seen = known;
    it->second.persisted = known.committed_durable;
  }
  BecomeFollower(term_, MemberId(0));
  last_soft_ = SoftState{role_, term_, leader_};
  return Status::Ok();
}

void Raft::Impl::ResetForTerm(Term term) {
  if (term != term_) {
    term_ = term;
    vote_ = MemberId(0);
  }
  leader_ = MemberId(0);
  election_elapsed_ = 0;
  heartbeat_elapsed_ = 0;
  election_timeout_ = options_.election_timeout_ticks +
                      static_cast<int>(random_() % options_.election_timeout_ticks);
  votes_.clear();
  own_vote_durable_ = false;
  own_vote_sequence_ = 0;
  transfer_target_ = MemberId(0);
  uncommitted_bytes_ = 0;
  progress_.clear();
  AbortReads();
}

void Raft::Impl::BecomeFollower(Term term, MemberId leader) {
  ResetForTerm(term);
  role_ = Role::kFollower;
  leader_ = leader;
}

void Raft::Impl::Tick() {
  if (role_ == Role::kLeader) {
    TickLeader();
  } else {
    TickElection();
  }
}

Status Raft::Impl::Validate(const Message& m) const {
  if (m.to != options_.id) {
    return InvalidArgument("a message for member " + std::to_string(m.to.value()));
  }
  if (memory_.count(m.from) == 0) {
    return InvalidArgument("a message of member " + std::to_string(m.from.value()) +
                           ", which is not in the group");
  }
  if (m.term.value() > UINT64_MAX / 2) return InvalidArgument("a message of an absurd term");
  switch (m.type) {
    case MessageType::kInstallSnapshot:
    case MessageType::kInstallSnapshotResponse:
      return Unsupported("snapshots between members");
    case MessageType::kAppend:
      return CheckEntries(m);
    default:
      break;
  }
  if (MessageTypeName(m.type) == "Unknown") return Unsupported("an unknown message type");
  if (!m.entries.empty()) return InvalidArgument("entries in a message that carries none");
  return Status::Ok();
}

Status Raft::Impl::CheckEntries(const Message& m) const {
  LogIndex index = m.index;
  Term term = m.log_term;
  if (index.value() > UINT64_MAX / 2) return InvalidArgument("an append at an absurd index");
  for (const Entry& entry : m.entries) {
    index = index.Next();
    if (entry.index != index || entry.term < term || !entry.term) {
      return InvalidArgument("an append whose entries are out of order");
    }
    term = entry.term;
  }
  if (term > m.term) return InvalidArgument("an append with entries of a later term");
  return Status::Ok();
}

// An old copy of a disk forgot votes that it gave and entries that it acknowledged: nothing it says
// may count. `committed_durable` of a healthy member never exceeds a later `durable_index`, see
// PeerMemory, so a member that only lost an uncommitted suffix to a new leader is not caught here.
Status Raft::Impl::CheckPeerMemory(const Message& m) {
  Memory& memory = memory_.at(m.from);
  PeerMemory& seen = memory.seen;
  bool behind = m.boot_number < seen.boot_number || m.durable_index < seen.committed_durable;
  if (!behind) {
    memory.refused = false;
    if (m.boot_number > seen.boot_number) {
      seen.boot_number = m.boot_number;
      memory.boot_changed = true;
    }
    seen.committed_durable = std::max(seen.committed_durable, m.committed_durable);
    return Status::Ok();
  }
  switch (m.type) {
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kCommit:
    case MessageType::kTimeoutNow:
    case MessageType::kReadIndex:
    case MessageType::kReadIndexResponse:
      return Status::Ok();
    default:
      break;
  }
  // A late message of the life before is no evidence; one of this life or a later one is.
  if (m.boot_number >= seen.boot_number) memory.refused = true;
  return Status(Code::kUnauthenticated,
                "member " + std::to_string(m.from.value()) + " is behind what it was: boot " +
                    std::to_string(m.boot_number) + " of " + std::to_string(seen.boot_number) +
                    ", on disk " + std::to_string(m.durable_index.value()) + " of " +
                    std::to_string(seen.committed_durable.value()));
}

Status Raft::Impl::Step(Message message) {
  RETURN_IF_ERROR(Validate(message));
  RETURN_IF_ERROR(CheckPeerMemory(message));
  if (StepTerm(message)) return Status::Ok();
  return Dispatch(std::move(message));
}

bool Raft::Impl::StepTerm(const Message& m) {
  bool from_leader = m.type == MessageType::kAppend || m.type == MessageType::kHeartbeat ||
                     m.type == MessageType::kCommit;
  if (m.term > term_) {
    bool vote_request = m.type == MessageType::kVote || m.type == MessageType::kPreVote;
    // CheckQuorum's other half: while a leader is heard of, nobody helps to replace it, unless the
    // leader itself asked for that.
    if (vote_request && !m.transfer && leader_ &&
        election_elapsed_ < options_.election_timeout_ticks) {
      return true;
    }
    // A pre-vote and its grant name a term that nobody has entered yet.
    bool hypothetical =
        m.type == MessageType::kPreVote || (m.type == MessageType::kPreVoteResponse && !m.reject);
    if (!hypothetical) BecomeFollower(m.term, from_leader ? m.from : MemberId(0));
    return false;
  }
  if (m.term == term_) return false;

  // From an earlier term. The sender of these needs to learn that time went on: without an answer a
  // member that came back with a higher term could never be led again, as nobody votes for it.
  if (from_leader) {
    Message reply = Reply(m, MessageType::kAppendResponse);
    reply.reject = true;
    SendAfterPersist(std::move(reply));
  } else if (m.type == MessageType::kPreVote) {
    Message reply = Reply(m, MessageType::kPreVoteResponse);
    reply.reject = true;
    SendAfterPersist(std::move(reply));
  }
  return true;
}

Status Raft::Impl::Dispatch(Message m) {
  bool lead = role_ == Role::kLeader;
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kVote:
      HandleVoteRequest(m);
      return Status::Ok();
    case MessageType::kPreVoteResponse:
    case MessageType::kVoteResponse:
      HandleVoteResponse(m);
      return Status::Ok();
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kCommit:
      // Two leaders in one term cannot be: the sender is not of this group's history.
      if (lead) return Corruption("an append of another leader of the same term");
      if (role_ != Role::kFollower) BecomeFollower(m.term, m.from);
      leader_ = m.from;
      election_elapsed_ = 0;
      if (m.type == MessageType::kAppend) return HandleAppend(std::move(m));
      HandleHeartbeat(m);
      return Status::Ok();
    case MessageType::kAppendResponse:
      return lead ? HandleAppendResponse(m) : Status::Ok();
    case MessageType::kHeartbeatResponse:
      if (lead) HandleHeartbeatResponse(m);
      return Status::Ok();
    case MessageType::kReadIndex:
      if (lead) HandleReadIndex(m);
      return Status::Ok();
    case MessageType::kReadIndexResponse:
      HandleReadIndexResponse(m);
      return Status::Ok();
    case MessageType::kTimeoutNow:
      HandleTimeoutNow();
      return Status::Ok();
    default:
      return Unsupported("snapshots between members");
  }
}

Message Raft::Impl::Reply(const Message& to, MessageType type) const {
  Message reply;
  reply.type = type;
  reply.from = options_.id;
  reply.to = to.from;
  reply.term = term_;
  reply.read_round = to.read_round;
  return reply;
}

void Raft::Impl::Send(Message message) {
  message.from = options_.id;
  messages_.push_back(std::move(message));
}

void Raft::Impl::SendAfterPersist(Message message) {
  message.from = options_.id;
  messages_after_persist_.push_back(std::move(message));
}

bool Raft::Impl::HardStateDirty() const {
  return term_ != persisted_.term || vote_ != persisted_.vote;
}

void Raft::Impl::OnDurable(uint64_t sequence) {
  BOREALIS_CHECK(sequence <= sequence_);
  durable_sequence_ = std::max(durable_sequence_, sequence);
  log_.OnDurable(sequence);
  if (role_ == Role::kCandidate && own_vote_sequence_ != 0 && sequence >= own_vote_sequence_ &&
      !own_vote_durable_) {
    own_vote_durable_ = true;
    CountElection();
  } else if (role_ == Role::kLeader) {
    MaybeCommit();
  }
}

void Raft::Impl::OnApplied(LogIndex index) {
  BOREALIS_CHECK(index <= handed_out_);
  applied_ = std::max(applied_, index);
  while (!applying_.empty() && applying_.front().first <= index) {
    applying_bytes_ -= applying_.front().second;
    applying_.pop_front();
  }
}

void Raft::Impl::OnUnreachable(MemberId peer) {
  auto it = progress_.find(peer);
  if (it == progress_.end() || it->second.state != PeerState::kReplicate) return;
  it->second.BecomeProbe();
  send_wanted_ = true;
}

void Raft::Impl::SetStateHash(LogIndex index, uint64_t hash) {
  state_hash_index_ = index;
  state_hash_ = hash;
}

void Raft::Impl::SetInflightLimit(int messages, size_t bytes) {
  BOREALIS_CHECK(messages >= 1);
  options_.inflight_messages_max = messages;
  options_.inflight_bytes_max = bytes;
  send_wanted_ = role_ == Role::kLeader;
}

RaftStatus Raft::Impl::status() const {
  RaftStatus s;
  s.id = options_.id;
  s.role = role_;
  s.term = term_;
  s.vote = vote_;
  s.leader = leader_;
  s.commit = commit_;
  s.durable = log_.durable();
  s.last = log_.last();
  s.applied = applied_;
  s.transfer_target = transfer_target_;
  for (const auto& [id, progress] : progress_) {
    PeerStatus peer;
    peer.id = id;
    peer.voter = IsVoter(options_.config, id);
    peer.state = progress.state;
    peer.match = progress.match;
    peer.next = progress.next;
    peer.recent_active = progress.recent_active;
    peer.inflight_messages = static_cast<int>(progress.inflight.size());
    s.peers.push_back(peer);
  }
  for (const auto& [id, memory] : memory_) {
    if (memory.refused) s.refused_peers.push_back(id);
  }
  return s;
}

}  // namespace borealis::raft
