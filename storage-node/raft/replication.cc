// Replication: the leader's sending and counting, the follower's appending and answering.
#include <algorithm>

#include "storage-node/raft/core.h"

namespace borealis::raft {

Result<Proposal> Raft::Impl::Propose(std::vector<ProposedEntry> entries) {
  if (role_ != Role::kLeader) return Status(Code::kNotLeader, "this member does not lead");
  if (transfer_target_) return Unavailable("leadership is being handed over");
  if (entries.empty()) return InvalidArgument("nothing was proposed");
  size_t bytes = 0;
  for (const ProposedEntry& entry : entries) {
    if (entry.type == EntryType::kConfig) return Unsupported("membership change");
    if (entry.type != EntryType::kData) return InvalidArgument("only data can be proposed");
    if (entry.payload.size() > kPayloadBytesMax) {
      return InvalidArgument("an entry of " + std::to_string(entry.payload.size()) + " bytes");
    }
    bytes += entry.payload.size() + Entry::kOverheadBytes;
  }
  // A first entry is always let in, so that one larger than the bound is not refused for ever.
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.uncommitted_bytes_max) {
    return ResourceExhausted("too much is proposed and not yet committed");
  }
  Proposal proposal{term_, log_.last().Next()};
  AppendOwn(std::move(entries));
  return proposal;
}

void Raft::Impl::AppendOwn(std::vector<ProposedEntry> proposed) {
  std::vector<Entry> entries;
  entries.reserve(proposed.size());
  LogIndex index = log_.last();
  for (ProposedEntry& entry : proposed) {
    index = index.Next();
    entries.push_back(Entry{term_, index, entry.type, std::move(entry.payload)});
    uncommitted_bytes_ += entries.back().Size();
  }
  log_.Append(std::move(entries));
  send_wanted_ = true;
}

// --- Leader: answers ---

Status Raft::Impl::HandleAppendResponse(const Message& m) {
  Progress& progress = progress_.at(m.from);
  progress.recent_active = true;
  progress.acked_round = std::max(progress.acked_round, std::min(m.read_round, read_round_));
  send_wanted_ = true;
  ConfirmReads();
  if (m.reject) {
    LogIndex hint = std::min(m.hint_index, log_.last());
    // Our own log may tell that nothing of hint_term's successors can agree either: skip those.
    if (m.hint_term) hint = log_.FindConflictByTerm(hint, m.hint_term).first;
    progress.Reject(m.index, hint);
    return Status::Ok();
  }
  if (m.index > log_.last()) return Corruption("an acknowledgement beyond the leader's log");
  if (progress.Acknowledge(m.index)) {
    MaybeCommit();
    MaybeSendTimeoutNow(m.from);
  }
  return Status::Ok();
}

void Raft::Impl::HandleHeartbeatResponse(const Message& m) {
  Progress& progress = progress_.at(m.from);
  progress.recent_active = true;
  progress.acked_round = std::max(progress.acked_round, std::min(m.read_round, read_round_));
  // The peer is there, but what was sent to it may be lost: ask again where it stands. An append
  // whose predecessor is missing is refused, which starts the search for where the logs meet.
  progress.probe_sent = false;
  if (progress.stalled) {
    progress.stalled = false;
    progress.append_wanted = true;
  }
  send_wanted_ = true;
  ConfirmReads();
  MaybeSendTimeoutNow(m.from);
}

// Only entries of the own term are committed by counting: one of an earlier term may be on a
// majority and still be replaced (Raft, section 5.4.2). The no-op of a new leader makes sure there
// is one.
void Raft::Impl::MaybeCommit() {
  uint64_t reached = QuorumValue(options_.config, [this](MemberId id) {
    return id == options_.id ? log_.durable().value() : progress_.at(id).match.value();
  });
  LogIndex index(reached);
  if (index > commit_ && index >= term_start_) AdvanceCommit(index);
}

void Raft::Impl::AdvanceCommit(LogIndex commit) {
  if (role_ == Role::kLeader) {
    LogIndex begin = std::max(commit_.Next(), term_start_);
    uncommitted_bytes_ -= log_.BytesBetween(begin, commit);
    send_wanted_ = true;
  }
  commit_ = commit;
}

// --- Leader: sending, all of it from TakeReady ---

void Raft::Impl::SendAppends() {
  for (auto& [id, progress] : progress_) {
    SendAppendsTo(id, &progress);
    bool heartbeat = std::exchange(progress.heartbeat_wanted, false);
    if (heartbeat && !HasLeavingTo(id)) SendPosition(MessageType::kHeartbeat, id, &progress);
  }
}

void Raft::Impl::SendAppendsTo(MemberId peer, Progress* progress) {
  if (progress->state == PeerState::kNeedsSnapshot || !fault_.ok()) return;
  if (progress->state == PeerState::kProbe) {
    if (!progress->probe_sent) progress->probe_sent = SendOneAppend(peer, progress);
    return;
  }
  bool sent = false;
  while (progress->next <= log_.last() &&
         !progress->WindowFull(options_.inflight_messages_max, options_.inflight_bytes_max)) {
    if (!SendOneAppend(peer, progress)) return;
    sent = true;
  }
  if (std::exchange(progress->append_wanted, false) && !sent) {
    SendOneAppend(peer, progress, /*entries_wanted=*/false);
  }
}

bool Raft::Impl::SendOneAppend(MemberId peer, Progress* progress, bool entries_wanted) {
  Message message;
  message.type = MessageType::kAppend;
  message.to = peer;
  message.term = term_;
  message.index = progress->next.Prev();
  Result<Term> previous = log_.TermOf(message.index);
  if (!previous.ok()) {
    ReadFailed(previous.status(), progress);
    return false;
  }
  message.log_term = *previous;
  if (entries_wanted && progress->next <= log_.last()) {
    auto entries = log_.Entries(progress->next, log_.last().Next(), options_.append_bytes_max);
    if (!entries.ok()) {
      ReadFailed(entries.status(), progress);
      return false;
    }
    message.entries = std::move(entries).value();
  }
  LogIndex last = message.index.Plus(message.entries.size());
  message.commit = commit_;
  progress->sent_commit = std::max(progress->sent_commit, std::min(commit_, last));
  if (progress->state == PeerState::kReplicate && !message.entries.empty()) {
    size_t bytes = 0;
    for (const Entry& entry : message.entries) bytes += entry.Size();
    progress->AddInflight(last, bytes);
    progress->next = last.Next();
  }
  Send(std::move(message));
  return true;
}

void Raft::Impl::ReadFailed(const Status& status, Progress* progress) {
  if (status.code() == Code::kNotFound) {
    progress->BecomeProbe();
    progress->state = PeerState::kNeedsSnapshot;
  } else if (fault_.ok()) {
    fault_ = status;
  }
}

// A heartbeat or commit notice names the commit index together with its term: a follower that has
// that very entry agrees with the leader up to there, so it may follow at once and needs not be
// asked first.
void Raft::Impl::SendPosition(MessageType type, MemberId peer, Progress* progress) {
  Message message;
  message.type = type;
  message.to = peer;
  message.term = term_;
  message.commit = progress->next > commit_ ? commit_ : std::min(progress->match, commit_);
  Result<Term> commit_term = log_.TermOf(message.commit);
  if (commit_term.ok()) {
    message.log_term = *commit_term;
    progress->sent_commit = std::max(progress->sent_commit, message.commit);
  } else {
    message.commit = LogIndex(0);
  }
  Send(std::move(message));
}

// The commit index moved on and no append is about to carry it: followers that hold those entries
// are told at once, as their readers and streams wait for it.
void Raft::Impl::SendCommits() {
  for (auto& [id, progress] : progress_) {
    if (progress.state != PeerState::kReplicate || progress.sent_commit >= commit_ ||
        progress.next <= commit_ || HasLeavingTo(id)) {
      continue;
    }
    SendPosition(MessageType::kCommit, id, &progress);
  }
}

// --- Follower ---

Status Raft::Impl::HandleAppend(Message m) {
  Message reply = Reply(m, MessageType::kAppendResponse);
  if (m.index < commit_) {
    // Late or repeated. What is committed agrees with any leader.
    reply.index = commit_;
    SendAfterPersist(std::move(reply));
    return Status::Ok();
  }
  if (!log_.Matches(m.index, m.log_term)) {
    auto [hint, hint_term] = log_.FindConflictByTerm(m.index, m.log_term);
    reply.reject = true;
    reply.index = m.index;
    reply.hint_index = hint;
    reply.hint_term = hint_term;
    SendAfterPersist(std::move(reply));
    return Status::Ok();
  }
  LogIndex last = m.index.Plus(m.entries.size());
  size_t known = 0;
  while (known < m.entries.size() && log_.Matches(m.entries[known].index, m.entries[known].term)) {
    known++;
  }
  if (known < m.entries.size()) {
    if (m.entries[known].index <= commit_) {
      return Corruption("the leader of term " + std::to_string(m.term.value()) +
                        " contradicts the committed entry " +
                        std::to_string(m.entries[known].index.value()));
    }
    m.entries.erase(m.entries.begin(), m.entries.begin() + static_cast<ptrdiff_t>(known));
    log_.Append(std::move(m.entries));
  }
  LogIndex commit = std::min(m.commit, last);
  if (commit > commit_) AdvanceCommit(commit);
  reply.index = last;
  SendAfterPersist(std::move(reply));
  return Status::Ok();
}

void Raft::Impl::HandleHeartbeat(const Message& m) {
  if (m.commit > commit_ && log_.Matches(m.commit, m.log_term)) AdvanceCommit(m.commit);
  if (m.type == MessageType::kCommit) return;
  Message reply = Reply(m, MessageType::kHeartbeatResponse);
  if (TermDurable()) {
    Send(std::move(reply));
  } else {
    SendAfterPersist(std::move(reply));
  }
}

}  // namespace borealis::raft
