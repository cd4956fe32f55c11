// A file system in memory that forgets what was not synced, and fails when told to.
//
// Model: a file has the contents that survive a power cut and, in order, the writes and truncations
// since its last Sync(). Directory entries likewise have a surviving state and, in order, the
// creations, renames and removals since SyncDir (a file's Sync() does not make its name durable).
// MakeDirs and RemoveTree are durable at once. Crash() throws the unsynced away. With a seed it
// keeps a random part, as real disks do: of the directory operations a prefix of their order (a
// journal); of each file's data nothing, everything, a prefix whose last write is torn, or any
// 512-byte sectors at all, so that a later write can survive an earlier one. A rename replaces its
// target atomically.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/env/file.h"
#include "common/env/random.h"

namespace borealis::testing {

enum class FileOp : uint8_t { kOpen, kRead, kWrite, kSync, kTruncate, kRename, kRemove, kSyncDir };
inline constexpr size_t kFileOps = 8;

struct CrashOptions {
  // Without: nothing unsynced survives. With: a random part of it.
  std::optional<uint64_t> keep_unsynced_seed;
  size_t sector_bytes = 512;
};

// Thread-safe.
class SimFileSystem : public env::FileSystem {
 public:
  SimFileSystem();
  ~SimFileSystem() override;

  Result<std::unique_ptr<env::File>> Open(const std::string& path, env::OpenMode mode) override;
  Result<std::unique_ptr<env::File>> CreateZeroFilled(const std::string& path,
                                                      uint64_t size) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Result<bool> Exists(const std::string& path) const override;
  Result<std::vector<std::string>> ListDir(const std::string& path) const override;
  Status MakeDirs(const std::string& path) override;
  Status RemoveTree(const std::string& path) override;
  Status SyncDir(const std::string& path) override;
  Result<std::unique_ptr<env::FileLock>> Lock(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& path) const override;

  // A power cut: unsynced data goes (see above), locks are released, and files opened before answer
  // kIoError from now on.
  void Crash(CrashOptions options = {});

  // The nth call of the operation from now on (1 = the next) fails with that status; for kWrite,
  // `partial_bytes` of it are written first. From then on calls succeed again, unless `sticky`.
  void FailNth(FileOp op, uint64_t nth, Status status, size_t partial_bytes = 0,
               bool sticky = false);
  // Each call of any operation consults this first; kOk lets it through. Null removes it. It runs
  // under the file system's lock and must not call it.
  void SetFaultHook(std::function<Status(FileOp, const std::string& path)> hook);
  void ClearFaults();
  // Calls so far.
  uint64_t Count(FileOp op) const;
  // Sum of bytes written so far.
  uint64_t bytes_written() const;

  // Flips one bit of the file as stored (both durable and current content). Requires the offset to
  // be inside.
  void FlipBit(const std::string& path, uint64_t byte_offset, int bit);
  // Bounds the sum of file sizes: growth beyond it answers kResourceExhausted.
  void SetCapacity(uint64_t bytes);

 private:
  struct Impl;
  friend class SimFile;
  std::shared_ptr<Impl> impl_;
};

}  // namespace borealis::testing
