// The modified keys of one index inside the window, for the check of ranges.
//
// Ordering costs more than anything else in certification, and most workloads check no ranges at
// all. So modifications are appended unsorted in version order, and are sorted into runs only when
// a range is checked. A run covers an interval of versions: a check skips runs that are older than
// its base, and needs one binary search and a walk over block maxima in the others. How keys are
// spread over runs depends on when checks came; the answers do not: they are exact maxima.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace borealis::certifier {

class RangeIndex {
 public:
  // Appends a modification. Versions never decrease from call to call.
  void Append(ByteView key, Version version);

  // The newest version of a modification of a key in [start, end) that is above `after`; 0 if none.
  Version NewestIn(ByteView start, ByteView end, Version after);

  // Forgets what it can of modifications at or below `floor`; checks must ask above it from now on.
  void Expire(Version floor);

  size_t memory_bytes() const;

 private:
  struct Entry {
    uint32_t offset = 0;  // of the key in `arena`
    uint32_t size = 0;
    uint64_t version = 0;
  };
  struct Run {
    Bytes arena;
    std::vector<Entry> entries;
    std::vector<uint64_t> block_newest;  // of each kBlockEntries entries; sorted runs only
    uint64_t newest = 0;
    ByteView KeyOf(const Entry& e) const { return ByteView(arena).substr(e.offset, e.size); }
  };

  static void Sort(Run* run);
  static Run Merge(const Run& a, const Run& b);
  static uint64_t NewestInRun(const Run& run, ByteView start, ByteView end, uint64_t after);
  void SealOpenRun();

  std::vector<Run> runs_;  // sorted by key inside; versions ascend from run to run
  std::vector<Run> full_;  // unsorted runs that are full, older than open_
  Run open_;               // unsorted
};

}  // namespace borealis::certifier
