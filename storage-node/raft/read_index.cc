// Strong reads without writing (dissertation, section 6.4). A read is answered with the commit
// index of a moment after it was asked, once a quorum has confirmed, by answers to messages that
// left after it was asked, that it still follows this leader: then no other leader can have
// committed anything before the read was asked.
//
// Messages that can confirm carry a round number. Reads that arrive are open; when messages leave,
// the round is closed with the reads that are open then. While a round is on its way, later reads
// wait for the next, which starts as soon as the last is confirmed, or earlier when appends leave
// anyway. A lost round is confirmed by any later one; the heartbeats on ticks carry the latest.
#include <algorithm>

#include "storage-node/raft/core.h"

namespace borealis::raft {

Status Raft::Impl::ReadIndex(uint64_t context) {
  if (!leader_) return Status(Code::kNotLeader, "no leader is known");
  if (role_ != Role::kLeader) {
    Message message;
    message.type = MessageType::kReadIndex;
    message.to = leader_;
    message.term = term_;
    message.context = context;
    message.context_boot = options_.boot_number;
    Send(std::move(message));
    return Status::Ok();
  }
  if (open_reads_.size() + closed_read_count_ >= options_.pending_reads_max) {
    return ResourceExhausted("too many reads wait for a quorum");
  }
  open_reads_.push_back({options_.id, context, options_.boot_number});
  send_wanted_ = true;
  return Status::Ok();
}

void Raft::Impl::HandleReadIndex(const Message& m) {
  // The asker has a deadline and asks again.
  if (open_reads_.size() + closed_read_count_ >= options_.pending_reads_max) return;
  open_reads_.push_back({m.from, m.context, m.context_boot});
  send_wanted_ = true;
}

void Raft::Impl::HandleReadIndexResponse(const Message& m) {
  if (m.context_boot != options_.boot_number) return;
  reads_.push_back({m.context, m.index});
}

// Called by TakeReady once all other messages to peers are there; see the file's comment.
void Raft::Impl::StartReadRound() {
  bool own_term_committed = commit_ >= term_start_;
  if (open_reads_.empty() || !own_term_committed) return;
  auto leaving = [this](MemberId id) {
    return id == options_.id || HasLeavingTo(id) ? Ballot::kYes : Ballot::kNo;
  };
  bool covered = CountVotes(options_.config, leaving) == VoteResult::kWon;
  if (!covered && !closed_reads_.empty()) return;
  read_round_++;
  closed_read_count_ += open_reads_.size();
  closed_reads_.push_back({read_round_, commit_, std::move(open_reads_)});
  open_reads_.clear();
  if (!covered) {
    for (auto& [id, progress] : progress_) {
      if (IsVoter(options_.config, id) && !HasLeavingTo(id))
        SendPosition(MessageType::kHeartbeat, id, &progress);
    }
  }
  ConfirmReads();  // a group of one
}

void Raft::Impl::ConfirmReads() {
  if (closed_reads_.empty()) return;
  uint64_t confirmed = QuorumValue(options_.config, [this](MemberId id) {
    return id == options_.id ? read_round_ : progress_.at(id).acked_round;
  });
  while (!closed_reads_.empty() && closed_reads_.front().round <= confirmed) {
    ReadRound& round = closed_reads_.front();
    for (const PendingRead& read : round.reads) AnswerRead(read, round.index);
    closed_read_count_ -= round.reads.size();
    closed_reads_.pop_front();
  }
}

void Raft::Impl::AnswerRead(const PendingRead& read, LogIndex index) {
  if (read.from == options_.id) {
    reads_.push_back({read.context, index});
    return;
  }
  Message message;
  message.type = MessageType::kReadIndexResponse;
  message.to = read.from;
  message.term = term_;
  message.index = index;
  message.context = read.context;
  message.context_boot = read.context_boot;
  Send(std::move(message));
}

void Raft::Impl::AbortReads() {
  auto abort = [this](const std::vector<PendingRead>& reads) {
    for (const PendingRead& read : reads) {
      if (read.from == options_.id) aborted_reads_.push_back(read.context);
    }
  };
  for (const ReadRound& round : closed_reads_) abort(round.reads);
  abort(open_reads_);
  closed_reads_.clear();
  open_reads_.clear();
  closed_read_count_ = 0;
}

}  // namespace borealis::raft
