#include "common/testing/sim_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>

#include "common/base/check.h"

namespace borealis::testing {
namespace {

constexpr std::array<const char*, kFileOps> kOpNames = {"open",     "read",   "write",  "sync",
                                                        "truncate", "rename", "remove", "syncdir"};
constexpr uint64_t kFreeWithoutCapacity = uint64_t{1} << 40;

struct DataOp {
  bool truncate = false;
  uint64_t offset = 0;  // of a write; the new size of a truncation
  Bytes data;
};

void ApplyWrite(Bytes* content, uint64_t offset, ByteView data) {
  if (data.empty()) return;
  if (content->size() < offset + data.size()) content->resize(offset + data.size(), '\0');
  content->replace(offset, data.size(), data);
}

void Apply(Bytes* content, const DataOp& op) {
  if (op.truncate) {
    content->resize(op.offset, '\0');
  } else {
    ApplyWrite(content, op.offset, op.data);
  }
}

struct Node {
  Bytes current;
  Bytes durable;
  std::vector<DataOp> unsynced;

  void Do(DataOp op) {
    Apply(&current, op);
    unsynced.push_back(std::move(op));
  }
  void Sync() {
    for (const DataOp& op : unsynced) Apply(&durable, op);
    unsynced.clear();
  }
};
using NodePtr = std::shared_ptr<Node>;

// A change of directory entries: `to` is linked to `node` (or, without node, removed), and `from`
// (of a rename) goes.
struct EntryOp {
  std::string from;
  std::string to;
  NodePtr node;
};

void Apply(std::map<std::string, NodePtr>* entries, const EntryOp& op) {
  if (!op.from.empty()) entries->erase(op.from);
  if (op.node == nullptr) {
    entries->erase(op.to);
  } else {
    (*entries)[op.to] = op.node;
  }
}

// The surviving part of one write, sector by sector.
void ApplySectors(Bytes* content, const DataOp& op, size_t sector, env::Random& random) {
  for (uint64_t at = op.offset; at < op.offset + op.data.size();) {
    const uint64_t end = std::min<uint64_t>((at / sector + 1) * sector, op.offset + op.data.size());
    if (random.Uniform(2) == 0) {
      ApplyWrite(content, at, ByteView(op.data).substr(at - op.offset, end - at));
    }
    at = end;
  }
}

void KeepSome(Node* node, size_t sector, env::Random& random) {
  const uint64_t mode = random.Uniform(4);
  if (mode == 0) return;
  if (mode == 1) return node->Sync();
  if (mode == 2) {
    const size_t whole = random.Uniform(node->unsynced.size() + 1);
    for (size_t i = 0; i < whole; ++i) Apply(&node->durable, node->unsynced[i]);
    if (whole == node->unsynced.size() || node->unsynced[whole].truncate) return;
    const DataOp& torn = node->unsynced[whole];
    const size_t sectors = torn.data.size() / sector + 1;
    const size_t bytes = std::min<size_t>(random.Uniform(sectors) * sector, torn.data.size());
    return ApplyWrite(&node->durable, torn.offset, ByteView(torn.data).substr(0, bytes));
  }
  for (const DataOp& op : node->unsynced) {
    if (!op.truncate) {
      ApplySectors(&node->durable, op, sector, random);
    } else if (random.Uniform(2) == 0) {
      Apply(&node->durable, op);
    }
  }
}

struct Fault {
  FileOp op;
  uint64_t nth;  // counts down to 1
  Status status;
  size_t partial_bytes;
  bool sticky;
};

}  // namespace

struct SimFileSystem::Impl {
  // All require mu.
  Status Check(FileOp op, const std::string& path, size_t* partial_bytes = nullptr);
  Status CheckGrowth(const Node& node, uint64_t new_size) const;
  uint64_t Used() const;
  void Record(EntryOp op) {
    Apply(&current, op);
    unsynced.push_back(std::move(op));
  }
  bool IsDir(const std::string& path) const { return dirs.contains(path); }

  mutable std::mutex mu;
  uint64_t generation = 1;  // raised by each crash: older handles are dead
  std::set<std::string> dirs = {".", "/"};
  std::map<std::string, NodePtr> current;
  std::map<std::string, NodePtr> durable;
  std::vector<EntryOp> unsynced;
  std::set<std::string> locked;
  std::vector<Fault> faults;
  std::function<Status(FileOp, const std::string&)> hook;
  std::array<uint64_t, kFileOps> counts{};
  uint64_t bytes_written = 0;
  std::optional<uint64_t> capacity;
};

Status SimFileSystem::Impl::Check(FileOp op, const std::string& path, size_t* partial_bytes) {
  const auto index = static_cast<size_t>(op);
  ++counts[index];
  const std::string context = std::string(kOpNames[index]) + " " + path;
  if (hook) {
    Status status = hook(op, path);
    if (!status.ok()) return status.WithContext(context);
  }
  for (size_t i = 0; i < faults.size(); ++i) {
    Fault& fault = faults[i];
    if (fault.op != op || (fault.nth > 1 && fault.nth-- > 1)) continue;
    Status status = fault.status.WithContext(context);
    if (partial_bytes != nullptr) *partial_bytes = fault.partial_bytes;
    if (!fault.sticky) faults.erase(faults.begin() + static_cast<ptrdiff_t>(i));
    return status;
  }
  return Status::Ok();
}

uint64_t SimFileSystem::Impl::Used() const {
  uint64_t used = 0;
  for (const auto& [path, node] : current) used += node->current.size();
  return used;
}

Status SimFileSystem::Impl::CheckGrowth(const Node& node, uint64_t new_size) const {
  if (!capacity || new_size <= node.current.size()) return Status::Ok();
  if (Used() + new_size - node.current.size() <= *capacity) return Status::Ok();
  return ResourceExhausted("No space left on device");
}

class SimFile : public env::File {
 public:
  SimFile(std::shared_ptr<SimFileSystem::Impl> fs, std::string path, NodePtr node, bool writable)
      : fs_(std::move(fs)),
        path_(std::move(path)),
        node_(std::move(node)),
        generation_(fs_->generation),
        writable_(writable) {}

  Result<size_t> Read(uint64_t offset, char* out, size_t n) const override {
    std::lock_guard lock(fs_->mu);
    RETURN_IF_ERROR(CheckAlive("read"));
    RETURN_IF_ERROR(fs_->Check(FileOp::kRead, path_));
    if (offset >= node_->current.size()) return size_t{0};
    return node_->current.copy(out, n, offset);
  }

  Status Write(uint64_t offset, ByteView data) override {
    std::lock_guard lock(fs_->mu);
    RETURN_IF_ERROR(CheckAlive("write"));
    if (!writable_) return IoError("write " + path_ + ": Bad file descriptor");
    size_t partial = 0;
    Status fault = fs_->Check(FileOp::kWrite, path_, &partial);
    if (!fault.ok()) data = data.substr(0, partial);
    Status growth = fs_->CheckGrowth(*node_, offset + data.size());
    if (!growth.ok()) return growth.WithContext("write " + path_);
    fs_->bytes_written += data.size();
    if (!data.empty()) node_->Do({.truncate = false, .offset = offset, .data = Bytes(data)});
    return fault;
  }

  Status WriteParts(uint64_t offset, std::span<const ByteView> parts) override {
    Bytes all;
    for (ByteView part : parts) all += part;
    return Write(offset, all);
  }

  Status Sync() override {
    std::lock_guard lock(fs_->mu);
    RETURN_IF_ERROR(CheckAlive("fdatasync"));
    Status fault = fs_->Check(FileOp::kSync, path_);
    if (!fault.ok()) {
      // As Linux does: the pages count as clean from now on, and no later sync writes them.
      node_->unsynced.clear();
      return fault;
    }
    node_->Sync();
    return Status::Ok();
  }

  Result<uint64_t> Size() const override {
    std::lock_guard lock(fs_->mu);
    RETURN_IF_ERROR(CheckAlive("stat"));
    return uint64_t{node_->current.size()};
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(fs_->mu);
    RETURN_IF_ERROR(CheckAlive("truncate"));
    RETURN_IF_ERROR(fs_->Check(FileOp::kTruncate, path_));
    RETURN_IF_ERROR(fs_->CheckGrowth(*node_, size).WithContext("truncate " + path_));
    node_->Do({.truncate = true, .offset = size, .data = {}});
    return Status::Ok();
  }

  const std::string& path() const override { return path_; }

 private:
  Status CheckAlive(const char* what) const {
    if (generation_ == fs_->generation) return Status::Ok();
    return IoError(std::string(what) + " " + path_ + ": opened before the crash");
  }

  const std::shared_ptr<SimFileSystem::Impl> fs_;
  const std::string path_;
  const NodePtr node_;
  const uint64_t generation_;
  const bool writable_;
};

SimFileSystem::SimFileSystem() : impl_(std::make_shared<Impl>()) {}
SimFileSystem::~SimFileSystem() = default;

Result<std::unique_ptr<env::File>> SimFileSystem::Open(const std::string& path,
                                                       env::OpenMode mode) {
  std::lock_guard lock(impl_->mu);
  RETURN_IF_ERROR(impl_->Check(FileOp::kOpen, path));
  auto it = impl_->current.find(path);
  const bool found = it != impl_->current.end();
  const bool creates = mode == env::OpenMode::kCreate || mode == env::OpenMode::kCreateNew;
  if (found && mode == env::OpenMode::kCreateNew) {
    return AlreadyExists("open " + path + ": File exists");
  }
  if (!found && (!creates || !impl_->IsDir(env::DirName(path)))) {
    return NotFound("open " + path + ": No such file or directory");
  }
  if (impl_->IsDir(path)) return IoError("open " + path + ": Is a directory");
  NodePtr node = found ? it->second : std::make_shared<Node>();
  if (!found) impl_->Record({.from = {}, .to = path, .node = node});
  return std::unique_ptr<env::File>(
      std::make_unique<SimFile>(impl_, path, std::move(node), mode != env::OpenMode::kRead));
}

Result<std::unique_ptr<env::File>> SimFileSystem::CreateZeroFilled(const std::string& path,
                                                                   uint64_t size) {
  ASSIGN_OR_RETURN(std::unique_ptr<env::File> file, Open(path, env::OpenMode::kCreate));
  RETURN_IF_ERROR(file->Truncate(0));
  RETURN_IF_ERROR(file->Write(0, Bytes(size, '\0')));
  RETURN_IF_ERROR(file->Sync());
  return file;
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(impl_->mu);
  RETURN_IF_ERROR(impl_->Check(FileOp::kRename, from));
  auto it = impl_->current.find(from);
  if (it == impl_->current.end() || !impl_->IsDir(env::DirName(to))) {
    return NotFound("rename " + from + " to " + to + ": No such file or directory");
  }
  if (from != to) impl_->Record({.from = from, .to = to, .node = it->second});
  return Status::Ok();
}

Status SimFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(impl_->mu);
  RETURN_IF_ERROR(impl_->Check(FileOp::kRemove, path));
  if (!impl_->current.contains(path)) {
    return NotFound("remove " + path + ": No such file or directory");
  }
  impl_->Record({.from = {}, .to = path, .node = nullptr});
  return Status::Ok();
}

Result<bool> SimFileSystem::Exists(const std::string& path) const {
  std::lock_guard lock(impl_->mu);
  return impl_->current.contains(path) || impl_->IsDir(path);
}

Result<std::vector<std::string>> SimFileSystem::ListDir(const std::string& path) const {
  std::lock_guard lock(impl_->mu);
  if (!impl_->IsDir(path)) return NotFound("list " + path + ": No such file or directory");
  std::set<std::string> names;
  auto add = [&](const std::string& entry) {
    if (entry == "." || entry == "/" || env::DirName(entry) != path) return;
    names.insert(entry.substr(entry.rfind('/') + 1));
  };
  for (const auto& [entry, node] : impl_->current) add(entry);
  for (const std::string& dir : impl_->dirs) add(dir);
  return std::vector<std::string>(names.begin(), names.end());
}

Status SimFileSystem::MakeDirs(const std::string& path) {
  std::lock_guard lock(impl_->mu);
  for (std::string dir = path; !impl_->IsDir(dir); dir = env::DirName(dir)) {
    if (impl_->current.contains(dir)) {
      return AlreadyExists("make directory " + dir + ": File exists");
    }
    impl_->dirs.insert(dir);
  }
  return Status::Ok();
}

Status SimFileSystem::RemoveTree(const std::string& path) {
  std::lock_guard lock(impl_->mu);
  RETURN_IF_ERROR(impl_->Check(FileOp::kRemove, path));
  auto below = [&](const std::string& entry) {
    return entry == path || entry.starts_with(path + "/");
  };
  std::erase_if(impl_->current, [&](const auto& e) { return below(e.first); });
  std::erase_if(impl_->durable, [&](const auto& e) { return below(e.first); });
  std::erase_if(impl_->dirs, [&](const std::string& dir) { return below(dir); });
  std::erase_if(impl_->unsynced, [&](const EntryOp& op) { return below(op.to) || below(op.from); });
  return Status::Ok();
}

Status SimFileSystem::SyncDir(const std::string& path) {
  std::lock_guard lock(impl_->mu);
  RETURN_IF_ERROR(impl_->Check(FileOp::kSyncDir, path));
  if (!impl_->IsDir(path)) return NotFound("fsync " + path + ": No such file or directory");
  std::vector<EntryOp> others;
  for (EntryOp& op : impl_->unsynced) {
    const bool here =
        env::DirName(op.to) == path || (!op.from.empty() && env::DirName(op.from) == path);
    if (here) {
      Apply(&impl_->durable, op);
    } else {
      others.push_back(std::move(op));
    }
  }
  impl_->unsynced = std::move(others);
  return Status::Ok();
}

Result<std::unique_ptr<env::FileLock>> SimFileSystem::Lock(const std::string& path) {
  class Held : public env::FileLock {
   public:
    Held(std::shared_ptr<Impl> fs, std::string path)
        : fs_(std::move(fs)), path_(std::move(path)), generation_(fs_->generation) {}
    ~Held() override {
      std::lock_guard lock(fs_->mu);
      if (generation_ == fs_->generation) fs_->locked.erase(path_);
    }

   private:
    const std::shared_ptr<Impl> fs_;
    const std::string path_;
    const uint64_t generation_;
  };
  std::lock_guard lock(impl_->mu);
  if (!impl_->IsDir(env::DirName(path))) {
    return NotFound("lock " + path + ": No such file or directory");
  }
  if (!impl_->locked.insert(path).second) {
    return Unavailable("lock " + path + ": held by another process");
  }
  return std::unique_ptr<env::FileLock>(std::make_unique<Held>(impl_, path));
}

Result<uint64_t> SimFileSystem::FreeBytes(const std::string& path) const {
  std::lock_guard lock(impl_->mu);
  if (!impl_->capacity) return kFreeWithoutCapacity;
  const uint64_t used = impl_->Used();
  return used < *impl_->capacity ? *impl_->capacity - used : 0;
}

void SimFileSystem::Crash(CrashOptions options) {
  std::lock_guard lock(impl_->mu);
  ++impl_->generation;
  impl_->locked.clear();
  std::optional<env::SeededRandom> random;
  if (options.keep_unsynced_seed) random.emplace(*options.keep_unsynced_seed);
  if (random) {
    const size_t kept = random->Uniform(impl_->unsynced.size() + 1);
    for (size_t i = 0; i < kept; ++i) Apply(&impl_->durable, impl_->unsynced[i]);
  }
  impl_->unsynced.clear();
  impl_->current = impl_->durable;
  std::set<Node*> done;  // a node may have two names after a rename that is half durable
  for (const auto& [path, node] : impl_->current) {
    if (!done.insert(node.get()).second) continue;
    if (random && !node->unsynced.empty()) KeepSome(node.get(), options.sector_bytes, *random);
    node->unsynced.clear();
    node->current = node->durable;
  }
}

void SimFileSystem::FailNth(FileOp op, uint64_t nth, Status status, size_t partial_bytes,
                            bool sticky) {
  BOREALIS_CHECK(nth > 0 && !status.ok());
  std::lock_guard lock(impl_->mu);
  impl_->faults.push_back({op, nth, std::move(status), partial_bytes, sticky});
}

void SimFileSystem::SetFaultHook(std::function<Status(FileOp, const std::string&)> hook) {
  std::lock_guard lock(impl_->mu);
  impl_->hook = std::move(hook);
}

void SimFileSystem::ClearFaults() {
  std::lock_guard lock(impl_->mu);
  impl_->faults.clear();
  impl_->hook = nullptr;
}

uint64_t SimFileSystem::Count(FileOp op) const {
  std::lock_guard lock(impl_->mu);
  return impl_->counts[static_cast<size_t>(op)];
}

uint64_t SimFileSystem::bytes_written() const {
  std::lock_guard lock(impl_->mu);
  return impl_->bytes_written;
}

void SimFileSystem::FlipBit(const std::string& path, uint64_t byte_offset, int bit) {
  std::lock_guard lock(impl_->mu);
  auto it = impl_->current.find(path);
  BOREALIS_CHECK(it != impl_->current.end() && byte_offset < it->second->current.size());
  const char mask = static_cast<char>(1 << (bit & 7));
  it->second->current[byte_offset] ^= mask;
  if (byte_offset < it->second->durable.size()) it->second->durable[byte_offset] ^= mask;
}

void SimFileSystem::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(impl_->mu);
  impl_->capacity = bytes;
}

}  // namespace borealis::testing
