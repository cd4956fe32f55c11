// A file system in memory that forgets what was not synced, and fails when told to.
//
// Model: each file has the contents that survive a power cut (`durable`) and the writes since the
// last Sync(), in order. Each directory has the entries that survive and the changes since SyncDir.
// Crash() throws the unsynced away; what a real disk may keep of it is chosen by CrashOptions: a
// seeded subset of the unsynced writes survives, cut into 512-byte sectors, so that a record can be
// torn anywhere and a later write can survive an earlier one. Like ext4, a rename replaces its
// target atomically: after a crash the name holds the old or the new file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/env/file.h"
#include "common/env/random.h"

namespace borealis::testing {

enum class FileOp : uint8_t { kOpen, kRead, kWrite, kSync, kTruncate, kRename, kRemove, kSyncDir };
inline constexpr size_t kFileOps = 8;

struct CrashOptions {
  // Without: nothing unsynced survives. With: a random part does.
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
  // Each call of any operation consults this first; kOk lets it through. Null removes it.
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
