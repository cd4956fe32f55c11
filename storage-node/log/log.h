// The log on disk: segments of checksummed records with Raft's entries and hard state.
// Format, recovery rule and crash argument: docs/formats/log.md.
//
// Threads: one thread at a time writes (WriteBatches, TrimPrefix; LogWriter sees to it); the
// LogReader methods, counters() and the like may be called from any thread at the same time.
//
// Errors: the first failed write, sync, or short write is final. It is never retried, every later
// write answers the same status, nothing after it counts as durable, and the owner ends the
// process.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage-node/raft/log_reader.h"
#include "storage-node/raft/types.h"

namespace borealis::env {
class Clock;
class FileSystem;
}  // namespace borealis::env

namespace borealis::log {

struct Options {
  std::string dir;  // of this log alone; made if it is not there
  ClusterId cluster_id;
  MemberId member_id;
  size_t segment_bytes = 32u << 20;    // including its header; at least 64 KiB
  size_t spare_segments_max = 2;       // recycled segments kept for use; others are removed
  size_t cache_bytes_max = 16u << 20;  // recent entries kept in memory for Entries()
};

// One write: everything in it becomes durable together or, after a crash, may be missing
// altogether.
struct Batch {
  std::optional<raft::HardState> hard_state;
  std::vector<raft::PeerMemory> peer_memory;
  // Consecutive. An index at or below LastIndex() replaces the log from there on.
  std::vector<raft::Entry> entries;
  bool must_sync = true;  // false: written, made durable by a later batch
};

// What Open found. Give it to raft::Options.
struct Recovered {
  uint64_t boot_number = 0;  // of this opening: 1 for a new log, then one more each time
  raft::HardState hard_state;
  std::vector<raft::PeerMemory> peer_memory;
  uint64_t torn_bytes_cut = 0;  // > 0: an unacknowledged tail was cut
};

// Monotone, readable from any thread at any time.
struct Counters {
  std::atomic<uint64_t> batches{0};
  std::atomic<uint64_t> entries{0};
  std::atomic<uint64_t> bytes{0};  // written, headers and padding included
  std::atomic<uint64_t> syncs{0};
  std::atomic<uint64_t> segments_created{0};
  std::atomic<uint64_t> segments_recycled{0};
  std::atomic<uint64_t> reads_from_disk{0};
  // sync_latency[i]: fdatasyncs that took less than 2^i * 16 us (the last: all longer ones).
  std::array<std::atomic<uint64_t>, 16> sync_latency{};
  // batch_bytes[i]: batches of less than 2^i * 256 bytes (the last: all larger ones).
  std::array<std::atomic<uint64_t>, 16> batch_bytes{};
};

class Log : public raft::LogReader {
 public:
  // Opens or creates the log, and raises the boot number on disk. An unacknowledged torn tail is
  // cut. kCorruption names file and offset: bytes that were known to be durable are damaged (this
  // member must not vote or acknowledge). kInvalidArgument when the log belongs to another cluster
  // or member, kUnsupported for a format of a later version, kUnavailable when another process has
  // it open, kIoError. `fs` and `clock` (for latencies) are borrowed and outlive the log.
  static Result<std::unique_ptr<Log>> Open(env::FileSystem* fs, const env::Clock* clock,
                                           Options options);
  ~Log() override;

  const Recovered& recovered() const;

  // Appends the batches as one write and, if any of them must_sync, makes them and everything
  // before durable with one fdatasync. kInvalidArgument, with nothing written, for entries that
  // leave a gap, begin before FirstIndex(), or have a payload above raft::kPayloadBytesMax;
  // otherwise see "Errors" above.
  Status WriteBatches(const std::vector<const Batch*>& batches);
  Status WriteBatch(const Batch& batch) { return WriteBatches({&batch}); }

  // Entries before `index` are not needed any more: whole segments below it are recycled. What
  // remains readable starts at FirstIndex(). kInvalidArgument beyond LastIndex() + 1.
  Status TrimPrefix(LogIndex index);

  // True while the active segment is more than a quarter full and the file for the next one is not
  // there.
  bool SpareWanted() const;
  // If so: zero-fills a bit of it (at least `bytes`, in small synced steps), so that beginning the
  // next segment will cost no more than its header. One thread at a time, which may run beside a
  // writing one. A failure is no error: the file is then made when it is needed, and that may fail.
  void PrepareSpare(size_t bytes);

  // raft::LogReader. Reads check each record's CRC: kCorruption with file and offset.
  LogIndex FirstIndex() const override;
  LogIndex LastIndex() const override;
  Result<Term> TermOf(LogIndex index) const override;
  Result<std::vector<raft::Entry>> Entries(LogIndex begin, LogIndex end,
                                           size_t max_bytes) const override;

  const Counters& counters() const;
  uint64_t DiskBytes() const;  // of all segments and spares

 private:
  class Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::log
