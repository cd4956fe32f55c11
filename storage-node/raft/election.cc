// Elections: pre-vote, votes, the leader's check that it still has a quorum, transfer of
// leadership.
#include "storage-node/raft/core.h"

namespace borealis::raft {

void Raft::Impl::TickElection() {
  election_elapsed_++;
  if (!IsSelfVoter() || election_elapsed_ < election_timeout_) return;
  StartPreVote();
}

void Raft::Impl::TickLeader() {
  election_elapsed_++;
  heartbeat_elapsed_++;
  if (election_elapsed_ >= options_.election_timeout_ticks) {
    election_elapsed_ = 0;
    if (!QuorumActive()) {
      BecomeFollower(term_, MemberId(0));
      return;
    }
    for (auto& [id, progress] : progress_) progress.recent_active = false;
  }
  if (transfer_target_ && ++transfer_elapsed_ >= options_.election_timeout_ticks) {
    transfer_target_ = MemberId(0);
  }
  if (heartbeat_elapsed_ < options_.heartbeat_ticks) return;
  heartbeat_elapsed_ = 0;
  for (auto& [id, progress] : progress_) {
    progress.stalled =
        progress.state == PeerState::kReplicate && progress.next.Prev() > progress.match;
    progress.heartbeat_wanted = true;
  }
  send_wanted_ = true;
}

bool Raft::Impl::QuorumActive() const {
  auto ballot = [this](MemberId id) {
    if (id == options_.id) return Ballot::kYes;
    return progress_.at(id).recent_active ? Ballot::kYes : Ballot::kNo;
  };
  return CountVotes(options_.config, ballot) == VoteResult::kWon;
}

Status Raft::Impl::Campaign() {
  if (!IsSelfVoter()) return InvalidArgument("only a voter can campaign");
  if (role_ == Role::kLeader) return InvalidArgument("this member leads already");
  StartPreVote();
  return Status::Ok();
}

void Raft::Impl::StartPreVote() {
  ResetForTerm(term_);
  role_ = Role::kPreCandidate;
  AskForVotes(MessageType::kPreVote, term_.Next(), /*transfer=*/false);
  CountElection();
}

// The own vote counts once the write that holds it is durable (OnDurable), not before.
void Raft::Impl::StartElection(bool transfer) {
  ResetForTerm(term_.Next());
  role_ = Role::kCandidate;
  vote_ = options_.id;
  AskForVotes(MessageType::kVote, term_, transfer);
}

void Raft::Impl::AskForVotes(MessageType type, Term term, bool transfer) {
  for (const auto& [id, memory] : memory_) {
    if (!IsVoter(options_.config, id)) continue;
    Message request;
    request.type = type;
    request.to = id;
    request.term = term;
    request.index = log_.last();
    request.log_term = log_.last_term();
    request.transfer = transfer;
    if (type == MessageType::kPreVote) {
      Send(std::move(request));
    } else {
      SendAfterPersist(std::move(request));
    }
  }
}

void Raft::Impl::HandleVoteRequest(const Message& m) {
  bool pre = m.type == MessageType::kPreVote;
  // A vote may be repeated; a new one is given once a term, and not against a leader that is known.
  bool free_to_vote = vote_ == m.from || (!vote_ && !leader_) || (pre && m.term > term_);
  bool up_to_date =
      m.log_term > log_.last_term() || (m.log_term == log_.last_term() && m.index >= log_.last());
  Message reply = Reply(m, pre ? MessageType::kPreVoteResponse : MessageType::kVoteResponse);
  reply.reject = !(free_to_vote && up_to_date);
  if (pre) {
    if (!reply.reject) reply.term = m.term;
    if (reply.reject && !TermDurable()) {
      SendAfterPersist(std::move(reply));
    } else {
      Send(std::move(reply));
    }
    return;
  }
  if (!reply.reject) {
    election_elapsed_ = 0;
    vote_ = m.from;
  }
  SendAfterPersist(std::move(reply));
}

void Raft::Impl::HandleVoteResponse(const Message& m) {
  Role asked = m.type == MessageType::kPreVoteResponse ? Role::kPreCandidate : Role::kCandidate;
  if (role_ != asked) return;
  // A grant of a pre-vote names the term that was asked for; one of an earlier question is late.
  if (asked == Role::kPreCandidate && !m.reject && m.term != term_.Next()) return;
  votes_.emplace(m.from, !m.reject);
  CountElection();
}

void Raft::Impl::CountElection() {
  bool own = role_ == Role::kPreCandidate || own_vote_durable_;
  auto ballot = [this, own](MemberId id) {
    if (id == options_.id) return own ? Ballot::kYes : Ballot::kMissing;
    auto it = votes_.find(id);
    if (it == votes_.end()) return Ballot::kMissing;
    return it->second ? Ballot::kYes : Ballot::kNo;
  };
  VoteResult result = CountVotes(options_.config, ballot);
  if (result == VoteResult::kLost) {
    BecomeFollower(term_, MemberId(0));
  } else if (result == VoteResult::kWon && own) {
    if (role_ == Role::kPreCandidate) {
      StartElection(/*transfer=*/false);
    } else {
      BecomeLeader();
    }
  }
}

void Raft::Impl::BecomeLeader() {
  BOREALIS_CHECK(role_ == Role::kCandidate && own_vote_durable_);
  ResetForTerm(term_);
  role_ = Role::kLeader;
  leader_ = options_.id;
  read_round_ = 0;
  for (const auto& [id, memory] : memory_) {
    Progress& progress = progress_[id];
    progress.next = log_.last().Next();
    // A grace of one election timeout before the first check of the quorum.
    progress.recent_active = true;
  }
  term_start_ = log_.last().Next();
  AppendOwn({ProposedEntry{EntryType::kNoop, Payload()}});
}

Status Raft::Impl::TransferLeadership(MemberId target) {
  if (role_ != Role::kLeader) return Status(Code::kNotLeader, "only the leader can hand over");
  if (target == options_.id) {
    transfer_target_ = MemberId(0);
    return Status::Ok();
  }
  if (!IsVoter(options_.config, target)) {
    return InvalidArgument("member " + std::to_string(target.value()) + " is not a voter");
  }
  transfer_target_ = target;
  transfer_elapsed_ = 0;
  MaybeSendTimeoutNow(target);
  return Status::Ok();
}

void Raft::Impl::MaybeSendTimeoutNow(MemberId peer) {
  if (peer != transfer_target_ || progress_.at(peer).match != log_.last()) return;
  Message message;
  message.type = MessageType::kTimeoutNow;
  message.to = peer;
  message.term = term_;
  Send(std::move(message));
}

void Raft::Impl::HandleTimeoutNow() {
  if (role_ == Role::kLeader || !IsSelfVoter()) return;
  StartElection(/*transfer=*/true);
}

}  // namespace borealis::raft
