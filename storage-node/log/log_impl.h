// The state of an open log. Internal: users see log.h.
//
// Writer state belongs to the one thread that writes; the index and the cache are shared with
// readers under mu_. Parts: log.cc (index, reading), log_write.cc (batches, segments), recovery.cc
// (Open).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/env/clock.h"
#include "common/env/file.h"
#include "storage-node/log/format.h"
#include "storage-node/log/log.h"

namespace borealis::log {

struct EntryRef {
  uint32_t offset;  // of the record in its segment
  uint32_t length;  // of the payload
};

// One segment file and the live entries in it: [first, first + refs.size()), consecutive. Entries
// that a later record replaced are forgotten; their bytes stay until the segment is recycled.
struct Segment {
  uint64_t sequence = 0;
  uint64_t file_bytes = 0;
  std::shared_ptr<env::File> file;  // shared with reads that are under way
  LogIndex first;
  std::vector<EntryRef> refs;

  LogIndex end() const { return first.Plus(refs.size()); }
};

class Log::Impl {
 public:
  Impl(env::FileSystem* fs, const env::Clock* clock, Options options)
      : fs_(fs), clock_(clock), options_(std::move(options)) {}

  Status Open();
  Status WriteBatches(const std::vector<const Batch*>& batches);
  Status TrimPrefix(LogIndex index);
  bool SpareWanted() const { return spare_wanted_.load(); }
  void PrepareSpare(size_t bytes);

  LogIndex FirstIndex() const;
  LogIndex LastIndex() const;
  Result<Term> TermOf(LogIndex index) const;
  Result<std::vector<raft::Entry>> Entries(LogIndex begin, LogIndex end, size_t max_bytes) const;
  uint64_t DiskBytes() const;

  const Recovered& recovered() const { return recovered_; }
  const Counters& counters() const { return counters_; }

 private:
  // A run of records to read in one go.
  struct ReadPlan {
    std::shared_ptr<env::File> file;
    uint64_t sequence = 0;
    LogIndex begin;
    std::vector<EntryRef> refs;
    std::vector<Term> terms;
  };
  // Everything of one write, as it goes to the file.
  struct Encoded {
    Bytes heads;                                     // record heads, small payloads, padding
    std::vector<std::pair<size_t, ByteView>> parts;  // (bytes of heads before it, payload)
    std::vector<std::pair<LogIndex, EntryRef>> refs;
    Term previous_term;
    uint32_t chain = 0;
    size_t bytes = 0;
  };

  // recovery.cc
  Status OpenMeta(bool* found, Meta* meta) const;
  Status ListSegments(std::vector<uint64_t>* sequences);
  Status ScanSegment(uint64_t sequence, bool last);
  Status CheckHeader(const SegmentHeader& header, uint64_t sequence, size_t file_bytes) const;
  Status WriteTailAgain(ByteView data);
  Status CutTail(ByteView data, uint64_t sequence, uint64_t offset);
  Status ApplyBatch(const ParsedBatch& batch);
  Status ApplyRecord(const ParsedBatch& batch, uint64_t offset, const Record& record);
  Status Damaged(uint64_t sequence, uint64_t offset, const std::string& what) const;

  // log.cc; the *Locked ones need mu_.
  LogIndex LastIndexLocked() const { return segments_.back().end().Prev(); }
  LogIndex FirstIndexLocked() const;
  Term TermLocked(LogIndex index) const;
  void TruncateLocked(LogIndex index);
  void AppendRefLocked(LogIndex index, Term term, EntryRef ref, Term previous_term);
  bool FromCacheLocked(LogIndex begin, LogIndex end, size_t max_bytes,
                       std::vector<raft::Entry>* out) const;
  ReadPlan PlanReadLocked(LogIndex begin, LogIndex end, size_t max_bytes) const;
  Result<std::vector<raft::Entry>> ReadPlanned(const ReadPlan& plan) const;
  void CacheLocked(const raft::Entry& entry);

  // log_write.cc
  Status CheckBatches(const std::vector<const Batch*>& batches) const;
  Status WriteChecked(const std::vector<const Batch*>& batches);
  Encoded Encode(const std::vector<const Batch*>& batches);
  void EncodeRecord(const Record& record, bool copy, Encoded* out) const;
  size_t BatchBytes(const std::vector<const Batch*>& batches, bool first_in_segment) const;
  void Remember(const std::vector<const Batch*>& batches);
  void Publish(const std::vector<const Batch*>& batches, const Encoded& encoded);
  void CountBatch(const std::vector<const Batch*>& batches, size_t bytes);
  Status SyncActive();
  Status BeginSegment(size_t batch_bytes);
  void AskForSpare();
  bool FillSpare(size_t bytes);
  Result<std::string> TakeSpare(uint64_t bytes);
  Status Recycle(const Segment& segment);
  std::string PathOf(uint64_t sequence) const;
  std::string SparePath(uint64_t number) const;

  // Constant after Open.
  env::FileSystem* const fs_;
  const env::Clock* const clock_;
  const Options options_;
  std::unique_ptr<env::FileLock> lock_;
  Recovered recovered_;

  // The writer's.
  Status failed_;                // sticky
  uint64_t offset_ = 0;          // where the next batch goes in the active segment
  uint64_t durable_offset_ = 0;  // the active segment is durable up to here
  uint32_t chain_ = 0;
  raft::HardState hard_state_;
  std::map<MemberId, raft::PeerMemory> peer_memory_;

  // Set by the writer as its segment fills up, cleared once there is a spare or it cannot be made;
  // with the latter the writer asks again in the next segment.
  std::atomic<bool> spare_wanted_{false};
  bool spare_asked_ = false;  // the writer's: in this segment
  std::atomic<uint64_t> spare_bytes_{0};
  std::mutex spare_mu_;             // guards what follows; before mu_
  std::deque<std::string> spares_;  // ready for use
  uint64_t next_spare_ = 1;
  std::unique_ptr<env::File> filling_;  // the spare being zero-filled
  std::string filling_path_;
  uint64_t filled_ = 0;
  uint64_t fill_synced_ = 0;

  mutable Counters counters_;

  mutable std::mutex mu_;
  std::deque<Segment> segments_;    // sequences rise by one; the last one is written to
  Term base_term_;                  // of the entry before FirstIndex()
  std::map<LogIndex, Term> terms_;  // first index of each run of entries of one term
  std::deque<raft::Entry> cache_;   // the newest entries, consecutive, up to LastIndex()
  size_t cache_bytes_ = 0;
};

}  // namespace borealis::log
