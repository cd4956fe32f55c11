#include "storage-node/certifier/range_index.h"

#include <algorithm>

namespace borealis::certifier {
namespace {

constexpr size_t kBlockEntries = 64;
// An unsorted run is closed at this many keys or bytes, so that expiry frees memory also where no
// range is ever checked, and arenas stay far below 4 GiB.
constexpr size_t kOpenEntriesMax = 16384;
constexpr size_t kOpenBytesMax = 4 << 20;
// Sorted runs are merged up to this size; larger ones would make expiry too coarse.
constexpr size_t kMergeEntriesMax = 256 << 10;
constexpr size_t kMergeBytesMax = 64 << 20;

}  // namespace

void RangeIndex::Append(ByteView key, Version version) {
  if (open_.entries.size() >= kOpenEntriesMax || open_.arena.size() + key.size() > kOpenBytesMax) {
    if (!open_.entries.empty()) full_.push_back(std::move(open_));
    open_ = Run{};
  }
  open_.entries.push_back({static_cast<uint32_t>(open_.arena.size()),
                           static_cast<uint32_t>(key.size()), version.value()});
  open_.arena.append(key);
  open_.newest = version.value();
}

void RangeIndex::Sort(Run* run) {
  std::sort(run->entries.begin(), run->entries.end(), [run](const Entry& a, const Entry& b) {
    const int c = run->KeyOf(a).compare(run->KeyOf(b));
    return c != 0 ? c < 0 : a.version > b.version;
  });
  // Of equal keys only the newest matters.
  auto last = std::unique(run->entries.begin(), run->entries.end(),
                          [run](auto& a, auto& b) { return run->KeyOf(a) == run->KeyOf(b); });
  run->entries.erase(last, run->entries.end());
  run->block_newest.clear();
  for (size_t i = 0; i < run->entries.size(); i += kBlockEntries) {
    const size_t stop = std::min(run->entries.size(), i + kBlockEntries);
    uint64_t newest = 0;
    for (size_t j = i; j < stop; ++j) newest = std::max(newest, run->entries[j].version);
    run->block_newest.push_back(newest);
  }
}

RangeIndex::Run RangeIndex::Merge(const Run& a, const Run& b) {
  Run out;
  out.newest = std::max(a.newest, b.newest);
  out.entries.reserve(a.entries.size() + b.entries.size());
  out.arena.reserve(a.arena.size() + b.arena.size());
  const auto take = [&out](const Run& run, const Entry& e) {
    out.entries.push_back({static_cast<uint32_t>(out.arena.size()), e.size, e.version});
    out.arena.append(run.KeyOf(e));
  };
  for (const Entry& e : a.entries) take(a, e);
  for (const Entry& e : b.entries) take(b, e);
  Sort(&out);
  return out;
}

void RangeIndex::SealOpenRun() {
  if (!open_.entries.empty()) full_.push_back(std::move(open_));
  open_ = Run{};
  for (Run& run : full_) {
    Sort(&run);
    runs_.push_back(std::move(run));
    // Like carries of a counter: each key is merged about log2(n) times in all.
    while (runs_.size() >= 2) {
      const Run& a = runs_[runs_.size() - 2];
      const Run& b = runs_.back();
      if (a.entries.size() > 2 * b.entries.size() ||
          a.entries.size() + b.entries.size() > kMergeEntriesMax ||
          a.arena.size() + b.arena.size() > kMergeBytesMax) {
        break;
      }
      Run merged = Merge(a, b);
      runs_.pop_back();
      runs_.back() = std::move(merged);
    }
  }
  full_.clear();
}

uint64_t RangeIndex::NewestInRun(const Run& run, ByteView start, ByteView end, uint64_t after) {
  const auto below = [&run](const Entry& e, ByteView key) { return run.KeyOf(e) < key; };
  const auto first = std::lower_bound(run.entries.begin(), run.entries.end(), start, below);
  const auto last = std::lower_bound(first, run.entries.end(), end, below);
  uint64_t newest = after;
  size_t i = first - run.entries.begin();
  const size_t stop = last - run.entries.begin();
  while (i < stop) {
    if (i % kBlockEntries == 0 && i + kBlockEntries <= stop) {
      newest = std::max(newest, run.block_newest[i / kBlockEntries]);
      i += kBlockEntries;
    } else {
      newest = std::max(newest, run.entries[i].version);
      ++i;
    }
  }
  return newest;
}

Version RangeIndex::NewestIn(ByteView start, ByteView end, Version after) {
  SealOpenRun();
  uint64_t newest = after.value();
  for (auto run = runs_.rbegin(); run != runs_.rend() && run->newest > newest; ++run) {
    newest = NewestInRun(*run, start, end, newest);
  }
  return newest > after.value() ? Version(newest) : Version();
}

void RangeIndex::Expire(Version floor) {
  const auto expired = [floor](const Run& run) { return run.newest <= floor.value(); };
  std::erase_if(runs_, expired);
  std::erase_if(full_, expired);
  if (!open_.entries.empty() && expired(open_)) open_ = Run{};
}

size_t RangeIndex::memory_bytes() const {
  const auto bytes = [](const Run& run) {
    return run.arena.capacity() + run.entries.capacity() * sizeof(Entry) +
           run.block_newest.capacity() * sizeof(uint64_t);
  };
  size_t sum = bytes(open_);
  for (const Run& run : runs_) sum += bytes(run);
  for (const Run& run : full_) sum += bytes(run);
  return sum;
}

}  // namespace borealis::certifier
