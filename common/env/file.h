// Files as a dependency. Errors are kIoError (kNotFound, kAlreadyExists, kResourceExhausted for a
// full disk or quota) and say the operation, the path and the operating system's text.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace borealis::env {

// An open file. Positional calls may run on several threads at once; ordering between a write and a
// Sync() that is to cover it is the caller's. Closed by destruction.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `n` bytes at `offset`; fewer only at the end of the file.
  virtual Result<size_t> Read(uint64_t offset, char* out, size_t n) const = 0;
  // Writes all, growing the file as needed. Durable only after Sync(). After an error the range
  // holds an unknown mix of old and new bytes.
  virtual Status Write(uint64_t offset, ByteView data) = 0;
  // The parts one after the other from `offset`, in as few system calls as possible.
  virtual Status WriteParts(uint64_t offset, std::span<const ByteView> parts) = 0;
  // fdatasync(2): when it returns kOk, all writes that returned before it began (and the file's
  // size) survive a power cut. After a failure the state of earlier writes is unknown and a second
  // Sync() proves nothing: the caller must stop (protocol: never retried).
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() const = 0;
  virtual Status Truncate(uint64_t size) = 0;
  virtual const std::string& path() const = 0;

  // Exactly `n` bytes; kCorruption when the file ends before.
  Result<Bytes> ReadExactly(uint64_t offset, size_t n) const;
};

enum class OpenMode {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read and write; created if missing (the directory entry needs SyncDir)
  kCreateNew,  // read and write; kAlreadyExists if there
};

// Held until destroyed, or until the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // Creates (or replaces) a file of `size` zero bytes that are really written, so that a later
  // write and Sync() inside it changes no metadata, and syncs it (fsync). The directory entry needs
  // SyncDir. On failure the file may be left, short.
  virtual Result<std::unique_ptr<File>> CreateZeroFilled(const std::string& path,
                                                         uint64_t size) = 0;
  // Atomic; replaces `to`. Durable after SyncDir of its directory.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // False also when the parent is missing.
  virtual Result<bool> Exists(const std::string& path) const = 0;
  // Names of the entries without "." and "..", sorted.
  virtual Result<std::vector<std::string>> ListDir(const std::string& path) const = 0;
  // The directory and its missing parents; each new entry is made durable.
  virtual Status MakeDirs(const std::string& path) = 0;
  // Removes the directory and all below it. kOk when it is not there.
  virtual Status RemoveTree(const std::string& path) = 0;
  // Makes creations, renames and removals in the directory durable.
  virtual Status SyncDir(const std::string& path) = 0;
  // kUnavailable at once when another holder (process or object) has it.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // What an unprivileged process may still write to the path's file system.
  virtual Result<uint64_t> FreeBytes(const std::string& path) const = 0;

  // The whole file; kResourceExhausted when it is larger than `max_bytes`.
  Result<Bytes> ReadFile(const std::string& path, uint64_t max_bytes = 64 << 20);
  // Replaces the file atomically and durably: path + ".tmp", Sync, Rename, SyncDir.
  Status WriteFileAtomic(const std::string& path, ByteView data);
};

// The machine's file system. Lives as long as the program.
FileSystem& PosixFileSystem();

// "a/b" of "a" and "b"; "a" of "a/b" (and "." of "b").
std::string JoinPath(std::string_view directory, std::string_view name);
std::string DirName(std::string_view path);

}  // namespace borealis::env
