// The core's view of its log: a tail in memory over the LogReader, and what of it is durable.
// Internal to the module.
#pragma once

#include <deque>
#include <vector>

#include "storage-node/raft/log_reader.h"

namespace borealis::raft {

// Indexes, in the order that always holds:
//   FirstIndex() - 1 <= tail_first_ - 1 <= durable() <= handed_ <= last()
// Entries from tail_first_ on are in memory, the ones before only in the reader. Up to handed_ they
// were given to the log by a Ready, up to durable() the log has reported them.
//
// Durability is tracked by the sequence of writes, not by (index, term): when a suffix is replaced,
// the writes still in flight lose their claim to it at once, so a late report can never make a new
// entry count as durable because an old one at its index was.
class RaftLog {
 public:
  RaftLog(const LogReader* reader, size_t memory_bytes_max)
      : reader_(reader), memory_bytes_max_(memory_bytes_max) {}

  // Everything the reader has is durable.
  Status Init();

  LogIndex FirstIndex() const { return reader_->FirstIndex(); }
  LogIndex last() const { return last_; }
  Term last_term() const { return last_term_; }
  LogIndex durable() const { return durable_; }

  // As LogReader::TermOf, for the whole log.
  Result<Term> TermOf(LogIndex index) const;
  // True if the log has an entry (index, term): then all before it agree, too (log matching).
  bool Matches(LogIndex index, Term term) const;
  // As LogReader::Entries, for the whole log.
  Result<std::vector<Entry>> Entries(LogIndex begin, LogIndex end, size_t max_bytes) const;
  // The largest index <= `index` whose term is <= `term`, and its term; used by both sides of fast
  // backtracking. Stops at what was trimmed.
  std::pair<LogIndex, Term> FindConflictByTerm(LogIndex index, Term term) const;

  // `entries` are consecutive and begin at most at last() + 1; what stood there before is dropped.
  void Append(std::vector<Entry> entries);

  // Entries not yet handed to the log; marks them as handed by the write `sequence`. Called for
  // each write, in order.
  std::vector<Entry> TakeUnsaved(uint64_t sequence);
  bool HasUnsaved() const { return handed_ < last_; }
  void OnDurable(uint64_t sequence);

  // Forgets entries up to min(`index`, durable()) as far as memory is above its bound.
  void ReleaseMemory(LogIndex index);

  // Sum of Entry::Size over [begin, end]; they must be in memory.
  size_t BytesBetween(LogIndex begin, LogIndex end) const;

 private:
  void TruncateFrom(LogIndex index);
  const Entry& InMemory(LogIndex index) const { return tail_[index.value() - tail_first_.value()]; }

  struct Write {
    uint64_t sequence;
    LogIndex last;  // what the log holds up to once it is durable and nothing was replaced since
  };

  const LogReader* const reader_;
  const size_t memory_bytes_max_;
  std::deque<Entry> tail_;
  size_t tail_bytes_ = 0;
  LogIndex tail_first_;
  LogIndex last_;
  Term last_term_;
  LogIndex handed_;
  LogIndex durable_;
  std::deque<Write> writes_;  // in flight; sequences rise
};

}  // namespace borealis::raft
