#include "storage-node/raft/raft_log.h"

#include <algorithm>

namespace borealis::raft {

Status RaftLog::Init() {
  last_ = reader_->LastIndex();
  ASSIGN_OR_RETURN(last_term_, reader_->TermOf(last_));
  tail_first_ = last_.Next();
  handed_ = last_;
  durable_ = last_;
  return Status::Ok();
}

Result<Term> RaftLog::TermOf(LogIndex index) const {
  if (index > last_) {
    return NotFound("entry " + std::to_string(index.value()) + " is beyond the log's end");
  }
  if (index == last_) return last_term_;
  if (index >= tail_first_) return InMemory(index).term;
  return reader_->TermOf(index);
}

bool RaftLog::Matches(LogIndex index, Term term) const {
  Result<Term> own = TermOf(index);
  return own.ok() && *own == term;
}

Result<std::vector<Entry>> RaftLog::Entries(LogIndex begin, LogIndex end, size_t max_bytes) const {
  BOREALIS_CHECK(begin < end && end <= last_.Next());
  if (begin < tail_first_) {
    return reader_->Entries(begin, std::min(end, tail_first_), max_bytes);
  }
  std::vector<Entry> out;
  size_t bytes = 0;
  for (LogIndex i = begin; i < end; i = i.Next()) {
    const Entry& entry = InMemory(i);
    bytes += entry.Size();
    if (!out.empty() && bytes > max_bytes) break;
    out.push_back(entry);
  }
  return out;
}

std::pair<LogIndex, Term> RaftLog::FindConflictByTerm(LogIndex index, Term term) const {
  for (index = std::min(index, last_);; index = index.Prev()) {
    Result<Term> own = TermOf(index);
    if (!own.ok()) return {index, Term(0)};  // trimmed: the reader's side decides
    if (*own <= term || !index) return {index, *own};
  }
}

void RaftLog::TruncateFrom(LogIndex index) {
  while (!tail_.empty() && tail_.back().index >= index) {
    tail_bytes_ -= tail_.back().Size();
    tail_.pop_back();
  }
  LogIndex kept = index.Prev();
  tail_first_ = std::min(tail_first_, index);
  handed_ = std::min(handed_, kept);
  durable_ = std::min(durable_, kept);
  for (Write& write : writes_) write.last = std::min(write.last, kept);
}

void RaftLog::Append(std::vector<Entry> entries) {
  if (entries.empty()) return;
  LogIndex begin = entries.front().index;
  BOREALIS_CHECK(begin <= last_.Next());
  if (begin <= last_) TruncateFrom(begin);
  for (Entry& entry : entries) {
    tail_bytes_ += entry.Size();
    tail_.push_back(std::move(entry));
  }
  last_ = tail_.back().index;
  last_term_ = tail_.back().term;
}

std::vector<Entry> RaftLog::TakeUnsaved(uint64_t sequence) {
  std::vector<Entry> out;
  for (LogIndex i = handed_.Next(); i <= last_; i = i.Next()) out.push_back(InMemory(i));
  handed_ = last_;
  writes_.push_back({sequence, last_});
  return out;
}

void RaftLog::OnDurable(uint64_t sequence) {
  while (!writes_.empty() && writes_.front().sequence <= sequence) {
    durable_ = std::max(durable_, writes_.front().last);
    writes_.pop_front();
  }
}

void RaftLog::ReleaseMemory(LogIndex index) {
  index = std::min(index, durable_);
  while (tail_bytes_ > memory_bytes_max_ && tail_first_ <= index) {
    tail_bytes_ -= tail_.front().Size();
    tail_.pop_front();
    tail_first_ = tail_first_.Next();
  }
}

size_t RaftLog::BytesBetween(LogIndex begin, LogIndex end) const {
  size_t bytes = 0;
  for (LogIndex i = begin; i <= end; i = i.Next()) bytes += InMemory(i).Size();
  return bytes;
}

}  // namespace borealis::raft
