// The MVCC store: all versions of all rows, on RocksDB. The only module that includes RocksDB.
//
// Written by one thread, in log order, in batches that hold everything a range of log entries
// changes: rows, the entries' verdicts, applied index, version, horizon. RocksDB's own log is off:
// what is not flushed when the process ends is applied again from the Raft log, starting after the
// applied index that the store was last flushed with (atomic_flush: all column families as of one
// moment). So the applied index read at opening is exactly what is on disk. docs/formats/mvcc.md
// has keys and values.
//
// Thread rule: Apply and Flush from one thread; reads and getters from any thread, at any time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace borealis::mvcc {

// User keys may be at most this long (the format of requests allows less).
inline constexpr size_t kKeyBytesMax = 1 << 20;

struct Options {
  std::string directory;  // made if it is missing; its parent must exist
  ClusterId cluster;      // a directory of another cluster is refused (kInvalidArgument)
  size_t block_cache_bytes = 128u << 20;
  size_t write_buffer_bytes = 32u << 20;
  int background_threads = 2;
  // Called once, from any thread, when RocksDB stops writing (disk full, I/O error, corruption).
  // The process must end: what is acknowledged is safe in the Raft log.
  std::function<void(const Status&)> on_background_error;
};

// One row version. Borrows; valid for the call of Apply.
struct Mutation {
  ByteView key;
  ByteView value;
  Version version;
  bool is_delete = false;
};

// The verdicts of one log entry, opaque here. Borrows.
struct EntryVerdicts {
  LogIndex index;
  ByteView bytes;
};

struct ApplyBatch {
  std::vector<Mutation> mutations;
  std::vector<EntryVerdicts> verdicts;
  LogIndex applied_index;     // of the last entry in the batch; not below the current one
  Version applied_version;    // version counter after it
  Version horizon;            // after it
  uint64_t verdict_hash = 0;  // rolling hash after it
};

struct ApplyState {
  LogIndex index;
  Version version;
  Version horizon;
  uint64_t verdict_hash = 0;
  friend bool operator==(const ApplyState&, const ApplyState&) = default;
};

struct Row {
  Bytes key;
  Bytes value;
};

struct ScanRequest {
  ByteView start;  // inclusive
  ByteView end;    // exclusive; empty = no end
  bool reverse = false;
  Version version;
  uint32_t rows_max = 1024;      // >= 1
  uint64_t bytes_max = 1 << 20;  // of keys and values; one row is always returned
};

struct ScanPage {
  std::vector<Row> rows;
  bool more = false;  // go on with start = resume (forward) or end = resume (reverse)
  Bytes resume;
};

struct StoreStats {
  uint64_t memtable_bytes = 0;
  uint64_t table_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t estimated_keys = 0;
  uint64_t pending_compaction_bytes = 0;
  bool write_stopped = false;
};

class Store {
 public:
  // Opens or makes the store. kInvalidArgument for another cluster's directory or one that is in
  // use, kUnsupported for a newer format, kCorruption, kIoError, kResourceExhausted (disk full).
  static Result<std::unique_ptr<Store>> Open(const Options& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Writes a batch atomically; afterwards reads see it. Any error is final: the process must end.
  Status Apply(const ApplyBatch& batch);
  // Writes everything applied so far to disk and waits for it. Errors as Apply's.
  Status Flush();

  // The newest value of `key` at or below `version`; none if there is none or it was deleted.
  // kBelowHorizon if the version's neighbours may be gone; requires version <= applied version
  // (kUnavailable otherwise: wait and ask again).
  Result<std::optional<Bytes>> Get(ByteView key, Version version) const;
  // Get for several keys, one answer each, in order, as of one state.
  Result<std::vector<std::optional<Bytes>>> MultiGet(const std::vector<ByteView>& keys,
                                                     Version version) const;
  // One page of rows in key order (descending when reverse). Errors as Get's.
  Result<ScanPage> Scan(const ScanRequest& request) const;

  // The verdicts stored for an entry; kNotFound if it had none.
  Result<Bytes> VerdictsOf(LogIndex index) const;

  // As of the last Apply that returned.
  ApplyState applied() const;
  // As of the last completed Flush or, before one, of the opening: the log is needed from here on.
  LogIndex flushed_index() const;
  StoreStats stats() const;

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::mvcc
