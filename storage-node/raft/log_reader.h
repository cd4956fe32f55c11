// How the Raft core reads the part of the log that it does not hold in memory.
#pragma once

#include <vector>

#include "storage-node/raft/types.h"

namespace borealis::raft {

// Implemented by the log on disk and by tests. The core calls it from within its own calls only, on
// the core's thread; implementations that are written to by another thread synchronise themselves.
// The core asks only for indexes that it knows to be durable and that no later Ready overwrote, so
// an implementation need not see writes that are still in flight.
class LogReader {
 public:
  virtual ~LogReader() = default;
  // The oldest entry that is still there; LastIndex() + 1 when there is none. Starts at 1.
  virtual LogIndex FirstIndex() const = 0;
  // The newest entry, or the one before FirstIndex() when there is none (0 in a new log).
  virtual LogIndex LastIndex() const = 0;
  // The term of an entry in [FirstIndex() - 1, LastIndex()]; Term(0) at index 0.
  // kNotFound for one that was trimmed or is not there; kCorruption, kIoError.
  virtual Result<Term> TermOf(LogIndex index) const = 0;
  // Entries from `begin` on, before `end`, as many as fit max_bytes (Entry::Size), at least one.
  // Requires begin < end. Errors as TermOf.
  virtual Result<std::vector<Entry>> Entries(LogIndex begin, LogIndex end,
                                             size_t max_bytes) const = 0;
};

}  // namespace borealis::raft
