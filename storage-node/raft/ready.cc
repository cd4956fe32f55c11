// Output: what must be persisted, what may leave when, what is committed.
#include <algorithm>

#include "storage-node/raft/core.h"

namespace borealis::raft {

bool Raft::Impl::CanHandOut() const {
  return handed_out_ < std::min(commit_, log_.durable()) &&
         applying_bytes_ < options_.apply_bytes_max && fault_.ok();
}

bool Raft::Impl::HasReady() const {
  return (role_ == Role::kLeader && send_wanted_) || !messages_.empty() ||
         !messages_after_persist_.empty() || log_.HasUnsaved() || HardStateDirty() ||
         !reads_.empty() || !aborted_reads_.empty() || CanHandOut() ||
         last_soft_ != SoftState{role_, term_, leader_};
}

Ready Raft::Impl::TakeReady() {
  Ready ready;
  if (role_ == Role::kLeader && std::exchange(send_wanted_, false)) {
    SendAppends();
    StartReadRound();
    SendCommits();
  }
  SoftState soft{role_, term_, leader_};
  if (soft != last_soft_) ready.soft_state = last_soft_ = soft;
  ready.messages = std::exchange(messages_, {});
  TakePersist(&ready);
  for (Message& message : ready.messages) Stamp(&message);
  if (ready.persist) {
    for (Message& message : ready.persist->messages) Stamp(&message);
  }
  TakeCommitted(&ready);
  ready.reads = std::exchange(reads_, {});
  ready.aborted_reads = std::exchange(aborted_reads_, {});
  return ready;
}

bool Raft::Impl::HasLeavingTo(MemberId peer) const {
  for (const Message& message : messages_) {
    bool confirms = message.type == MessageType::kAppend || message.type == MessageType::kHeartbeat;
    if (confirms && message.to == peer && message.term == term_) return true;
  }
  return false;
}

// Stamped as late as can be: what leaves now left after every read that is open or closed by now.
void Raft::Impl::Stamp(Message* m) const {
  m->boot_number = options_.boot_number;
  m->durable_index = log_.durable();
  m->committed_durable = std::min(commit_, log_.durable());
  m->state_hash_index = state_hash_index_;
  m->state_hash = state_hash_;
  bool confirms = m->type == MessageType::kAppend || m->type == MessageType::kHeartbeat;
  if (confirms && role_ == Role::kLeader && m->term == term_) m->read_round = read_round_;
}

void Raft::Impl::TakePersist(Ready* ready) {
  bool dirty = HardStateDirty();
  bool write = dirty || log_.HasUnsaved();
  if (!write && messages_after_persist_.empty()) return;
  if (!write && durable_sequence_ == sequence_) {
    // All that they depend on is durable already.
    std::move(messages_after_persist_.begin(), messages_after_persist_.end(),
              std::back_inserter(ready->messages));
    messages_after_persist_.clear();
    return;
  }
  PersistRequest& persist = ready->persist.emplace();
  persist.sequence = ++sequence_;
  persist.must_sync = write;
  persist.messages = std::exchange(messages_after_persist_, {});
  persist.entries = log_.TakeUnsaved(sequence_);
  HardState now{term_, vote_, commit_};
  if (write && now != persisted_) {
    persist.hard_state = persisted_ = now;
    if (dirty) term_sequence_ = sequence_;
  }
  if (write) persist.peer_memory = TakePeerMemory();
  if (role_ == Role::kCandidate && own_vote_sequence_ == 0) own_vote_sequence_ = sequence_;
}

bool Raft::Impl::TermDurable() const {
  return !HardStateDirty() && durable_sequence_ >= term_sequence_;
}

// Persisted lazily, in steps, with writes that take place anyway: what a member remembers of its
// peers is a second line of defence, and a lower value only makes it remember less.
std::vector<PeerMemory> Raft::Impl::TakePeerMemory() {
  std::vector<PeerMemory> out;
  for (auto& [id, memory] : memory_) {
    LogIndex due = memory.persisted.Plus(options_.peer_memory_step.value());
    if (!memory.boot_changed && memory.seen.committed_durable < due) continue;
    memory.boot_changed = false;
    memory.persisted = memory.seen.committed_durable;
    out.push_back(memory.seen);
  }
  return out;
}

void Raft::Impl::TakeCommitted(Ready* ready) {
  if (!CanHandOut()) return;
  LogIndex end = std::min(commit_, log_.durable()).Next();
  auto entries = log_.Entries(handed_out_.Next(), end, options_.apply_bytes_max);
  if (!entries.ok()) {
    fault_ = entries.status();
    return;
  }
  ready->committed = std::move(entries).value();
  size_t bytes = 0;
  for (const Entry& entry : ready->committed) bytes += entry.Size();
  handed_out_ = ready->committed.back().index;
  applying_.emplace_back(handed_out_, bytes);
  applying_bytes_ += bytes;
  log_.ReleaseMemory(handed_out_);
}

}  // namespace borealis::raft
