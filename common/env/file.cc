#include "common/env/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/check.h"

namespace borealis::env {
namespace {

constexpr size_t kZeroChunkBytes = 1 << 20;
constexpr size_t kPartsPerCall = 512;  // below IOV_MAX

Status ErrnoStatus(const char* operation, const std::string& path, int error) {
  std::string message = std::string(operation) + " " + path + ": " + std::strerror(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return NotFound(std::move(message));
    case EEXIST:
      return AlreadyExists(std::move(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ResourceExhausted(std::move(message));
    default:
      return IoError(std::move(message));
  }
}

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(fd_); }
  int get() const { return fd_; }

 private:
  const int fd_;
};

Result<int> OpenDescriptor(const std::string& path, int flags) {
  int fd;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, 0640);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return ErrnoStatus("open", path, errno);
  return fd;
}

class PosixFile : public File {
 public:
  PosixFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  Result<size_t> Read(uint64_t offset, char* out, size_t n) const override {
    size_t done = 0;
    while (done < n) {
      ssize_t got = pread(fd_.get(), out + done, n - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus("read", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Status Write(uint64_t offset, ByteView data) override {
    while (!data.empty()) {
      ssize_t put = pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoStatus("write", path_, errno);
      offset += static_cast<uint64_t>(put);
      data.remove_prefix(static_cast<size_t>(put));
    }
    return Status::Ok();
  }

  Status WriteParts(uint64_t offset, std::span<const ByteView> parts) override {
    std::vector<iovec> left;
    left.reserve(parts.size());
    for (ByteView part : parts) {
      if (!part.empty()) left.push_back({const_cast<char*>(part.data()), part.size()});
    }
    size_t first = 0;
    while (first < left.size()) {
      int count = static_cast<int>(std::min(left.size() - first, kPartsPerCall));
      ssize_t put = pwritev(fd_.get(), &left[first], count, static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoStatus("write", path_, errno);
      offset += static_cast<uint64_t>(put);
      for (size_t n = static_cast<size_t>(put); n > 0;) {
        size_t cut = std::min(n, left[first].iov_len);
        left[first].iov_base = static_cast<char*>(left[first].iov_base) + cut;
        left[first].iov_len -= cut;
        n -= cut;
        if (left[first].iov_len == 0) ++first;
      }
    }
    return Status::Ok();
  }

  Status Sync() override {
    if (fdatasync(fd_.get()) != 0) return ErrnoStatus("fdatasync", path_, errno);
    return Status::Ok();
  }

  Result<uint64_t> Size() const override {
    struct stat info;
    if (fstat(fd_.get(), &info) != 0) return ErrnoStatus("stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  Status Truncate(uint64_t size) override {
    if (ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
      return ErrnoStatus("truncate", path_, errno);
    }
    return Status::Ok();
  }

  Status SyncAll() {
    if (fsync(fd_.get()) != 0) return ErrnoStatus("fsync", path_, errno);
    return Status::Ok();
  }

  const std::string& path() const override { return path_; }

 private:
  const std::string path_;
  const Descriptor fd_;
};

class PosixLock : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

 private:
  const Descriptor fd_;  // closing it releases flock(2)'s lock
};

class RealFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = 0;
    switch (mode) {
      case OpenMode::kRead:
        flags = O_RDONLY;
        break;
      case OpenMode::kReadWrite:
        flags = O_RDWR;
        break;
      case OpenMode::kCreate:
        flags = O_RDWR | O_CREAT;
        break;
      case OpenMode::kCreateNew:
        flags = O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    ASSIGN_OR_RETURN(int fd, OpenDescriptor(path, flags));
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, fd));
  }

  Result<std::unique_ptr<File>> CreateZeroFilled(const std::string& path, uint64_t size) override {
    ASSIGN_OR_RETURN(int fd, OpenDescriptor(path, O_RDWR | O_CREAT | O_TRUNC));
    auto file = std::make_unique<PosixFile>(path, fd);
    const Bytes zeros(std::min<uint64_t>(size, kZeroChunkBytes), '\0');
    for (uint64_t offset = 0; offset < size; offset += zeros.size()) {
      size_t n = std::min<uint64_t>(zeros.size(), size - offset);
      RETURN_IF_ERROR(file->Write(offset, ByteView(zeros).substr(0, n)));
    }
    RETURN_IF_ERROR(file->SyncAll());
    return std::unique_ptr<File>(std::move(file));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus("rename", from + " to " + to, errno);
    }
    return Status::Ok();
  }

  Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return ErrnoStatus("remove", path, errno);
    return Status::Ok();
  }

  Result<bool> Exists(const std::string& path) const override {
    struct stat info;
    if (stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoStatus("stat", path, errno);
  }

  Result<std::vector<std::string>> ListDir(const std::string& path) const override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator it(path, error);
    while (!error && it != std::filesystem::directory_iterator()) {
      names.push_back(it->path().filename().string());
      it.increment(error);
    }
    if (error) return ErrnoStatus("list", path, error.value());
    std::sort(names.begin(), names.end());
    return names;
  }

  Status MakeDirs(const std::string& path) override {
    ASSIGN_OR_RETURN(bool exists, Exists(path));
    if (exists) return Status::Ok();
    const std::string parent = DirName(path);
    if (parent != path) RETURN_IF_ERROR(MakeDirs(parent));
    if (mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
      return ErrnoStatus("make directory", path, errno);
    }
    return SyncDir(parent);
  }

  Status RemoveTree(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return ErrnoStatus("remove tree", path, error.value());
    return Status::Ok();
  }

  Status SyncDir(const std::string& path) override {
    ASSIGN_OR_RETURN(int raw, OpenDescriptor(path, O_RDONLY | O_DIRECTORY));
    Descriptor fd(raw);
    if (fsync(fd.get()) != 0) return ErrnoStatus("fsync", path, errno);
    return Status::Ok();
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    ASSIGN_OR_RETURN(int fd, OpenDescriptor(path, O_RDWR | O_CREAT));
    auto lock = std::make_unique<PosixLock>(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return std::unique_ptr<FileLock>(std::move(lock));
    if (errno == EWOULDBLOCK) return Unavailable("lock " + path + ": held by another process");
    return ErrnoStatus("lock", path, errno);
  }

  Result<uint64_t> FreeBytes(const std::string& path) const override {
    struct statvfs info;
    if (statvfs(path.c_str(), &info) != 0) return ErrnoStatus("statvfs", path, errno);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }
};

}  // namespace

Result<Bytes> File::ReadExactly(uint64_t offset, size_t n) const {
  Bytes out(n, '\0');
  ASSIGN_OR_RETURN(size_t got, Read(offset, out.data(), n));
  if (got != n) {
    return Corruption("read " + path() + ": ends at byte " + std::to_string(offset + got) +
                      ", expected " + std::to_string(offset + n));
  }
  return out;
}

Result<Bytes> FileSystem::ReadFile(const std::string& path, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, Open(path, OpenMode::kRead));
  // Read in pieces and not by Size(): files in /proc and the like say 0.
  constexpr size_t kPieceBytes = 64 << 10;
  Bytes out;
  for (;;) {
    size_t old = out.size();
    out.resize(old + kPieceBytes);
    ASSIGN_OR_RETURN(size_t got, file->Read(old, out.data() + old, kPieceBytes));
    out.resize(old + got);
    if (out.size() > max_bytes) {
      return ResourceExhausted("read " + path + ": larger than " + std::to_string(max_bytes) +
                               " bytes");
    }
    if (got < kPieceBytes) return out;
  }
}

Status FileSystem::WriteFileAtomic(const std::string& path, ByteView data) {
  const std::string temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, Open(temporary, OpenMode::kCreate));
    RETURN_IF_ERROR(file->Truncate(0));
    RETURN_IF_ERROR(file->Write(0, data));
    RETURN_IF_ERROR(file->Sync());
  }
  RETURN_IF_ERROR(Rename(temporary, path));
  return SyncDir(DirName(path));
}

FileSystem& PosixFileSystem() {
  static RealFileSystem files;
  return files;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string DirName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? path.substr(0, 1) : path.substr(0, slash));
}

}  // namespace borealis::env
