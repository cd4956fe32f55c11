#include "storage-node/mvcc/store.h"

#include <rocksdb/cache.h>
#include <rocksdb/comparator.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <mutex>

#include "storage-node/mvcc/key_format.h"

namespace borealis::mvcc {
namespace {

constexpr uint8_t kStoreFormat = 1;
constexpr char kFormatKey[] = "format";  // u8 format, 16 bytes cluster id
constexpr char kStateKey[] = "state";    // u64 index, version, horizon, verdict hash
constexpr size_t kStateBytes = 32;
// More steps than this to the next user key, and a seek is cheaper.
constexpr int kStepsBeforeSeek = 8;

ByteView View(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}
rocksdb::Slice SliceOf(ByteView v) {
  return {v.data(), v.size()};
}

Status Map(const rocksdb::Status& s, std::string_view what) {
  if (s.ok()) return Status::Ok();
  const std::string message = std::string(what) + ": " + s.ToString();
  if (s.IsNoSpace()) return ResourceExhausted(message);
  if (s.IsCorruption()) return Corruption(message);
  if (s.IsNotFound()) return NotFound(message);
  if (s.IsInvalidArgument()) return InvalidArgument(message);
  return IoError(message);
}

// User key first, then stamp. The name is stored in every file; it names the format of keys.
class KeyComparator final : public rocksdb::Comparator {
 public:
  const char* Name() const override { return "borealis.mvcc.key.1"; }
  int Compare(const rocksdb::Slice& a, const rocksdb::Slice& b) const override {
    return CompareKeys(View(a), View(b));
  }
  // Shortening keys of index blocks would cut into stamps.
  void FindShortestSeparator(std::string*, const rocksdb::Slice&) const override {}
  void FindShortSuccessor(std::string*) const override {}
};

// The bloom filter's unit is the user key: one probe tells that no version of it is in a file.
class UserKeyTransform final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "borealis.mvcc.user-key.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), key.size() - kStampBytes};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return key.size() >= kStampBytes; }
};

class ErrorListener final : public rocksdb::EventListener {
 public:
  explicit ErrorListener(std::function<void(const Status&)> callback)
      : callback_(std::move(callback)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (status->ok() || reported_.exchange(true)) return;
    if (callback_) callback_(Map(*status, "rocksdb background error"));
  }

 private:
  const std::function<void(const Status&)> callback_;
  std::atomic<bool> reported_{false};
};

Bytes EncodeState(const ApplyState& s) {
  Bytes out;
  PutU64(&out, s.index.value());
  PutU64(&out, s.version.value());
  PutU64(&out, s.horizon.value());
  PutU64(&out, s.verdict_hash);
  return out;
}

Result<ApplyState> DecodeState(ByteView bytes) {
  if (bytes.size() != kStateBytes) return Corruption("store: state has a wrong length");
  ByteReader r(bytes);
  ApplyState s;
  s.index = LogIndex(r.U64());
  s.version = Version(r.U64());
  s.horizon = Version(r.U64());
  s.verdict_hash = r.U64();
  return s;
}

}  // namespace

class Store::Impl {
 public:
  ~Impl() {
    if (db_ == nullptr) return;
    for (auto* handle : handles_) (void)db_->DestroyColumnFamilyHandle(handle);
    (void)db_->Close();
  }

  Status Open(const Options& options);
  Status Apply(const ApplyBatch& batch);
  Status Flush();
  Result<ScanPage> Scan(const ScanRequest& request) const;
  Result<std::optional<Bytes>> Get(rocksdb::Iterator* it, ByteView key, Version version) const;
  Result<Bytes> VerdictsOf(LogIndex index) const;
  StoreStats stats() const;

  // Call after the iterator was made: from then on nothing it needs can vanish, whatever a
  // compaction drops; what was dropped before was at or below the horizon of that time, which is
  // checked here.
  Status CheckVersion(Version version) const {
    const ApplyState state = applied();
    if (version < state.horizon) {
      return {Code::kBelowHorizon, "version " + std::to_string(version.value()) +
                                       " is below the horizon " +
                                       std::to_string(state.horizon.value())};
    }
    if (version > state.version) {
      return Unavailable("version " + std::to_string(version.value()) + " is not applied yet");
    }
    return Status::Ok();
  }
  std::unique_ptr<rocksdb::Iterator> NewPointIterator() const {
    rocksdb::ReadOptions read;
    read.prefix_same_as_start = true;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(read, rows_));
  }
  std::unique_ptr<rocksdb::Iterator> NewScanIterator() const {
    rocksdb::ReadOptions read;
    read.total_order_seek = true;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(read, rows_));
  }
  ApplyState applied() const {
    const std::lock_guard lock(mu_);
    return applied_;
  }
  LogIndex flushed_index() const {
    const std::lock_guard lock(mu_);
    return flushed_;
  }

 private:
  rocksdb::Options DbOptions(const Options& options);
  Status Identify(const Options& options);
  Status ScanForward(const ScanRequest& request, rocksdb::Iterator* it, ScanPage* page) const;
  Status ScanReverse(const ScanRequest& request, rocksdb::Iterator* it, ScanPage* page) const;
  // Whether the iterator stands on a version of `user_key`; kUnsupported for a stamp of another
  // form.
  static Result<bool> At(rocksdb::Iterator* it, ByteView user_key);
  static Result<std::optional<ByteView>> ValueAt(rocksdb::Iterator* it);

  KeyComparator comparator_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* rows_ = nullptr;
  rocksdb::ColumnFamilyHandle* verdicts_ = nullptr;

  mutable std::mutex mu_;
  ApplyState applied_;  // guarded by mu_
  LogIndex flushed_;    // guarded by mu_
};

rocksdb::Options Store::Impl::DbOptions(const Options& options) {
  rocksdb::Options db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.atomic_flush = true;
  db.max_background_jobs = std::max(2, options.background_threads);
  db.max_open_files = 1024;
  db.keep_log_file_num = 4;
  db.max_log_file_size = 8 << 20;
  db.bytes_per_sync = 1 << 20;
  db.write_buffer_size = options.write_buffer_bytes;
  db.max_write_buffer_number = 4;
  db.listeners.push_back(std::make_shared<ErrorListener>(options.on_background_error));
  return db;
}

Status Store::Impl::Open(const Options& options) {
  cache_ = rocksdb::NewLRUCache(options.block_cache_bytes);
  const rocksdb::Options db_options = DbOptions(options);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.whole_key_filtering = false;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions plain(db_options);
  plain.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  plain.write_buffer_size = options.write_buffer_bytes / 4;
  rocksdb::ColumnFamilyOptions rows(db_options);
  rows.comparator = &comparator_;
  rows.prefix_extractor = std::make_shared<UserKeyTransform>();
  rows.memtable_prefix_bloom_size_ratio = 0.05;
  rows.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rows.level_compaction_dynamic_level_bytes = true;

  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, plain}, {"rows", rows}, {"verdicts", plain}};
  rocksdb::DB* db = nullptr;
  const rocksdb::Status s =
      rocksdb::DB::Open(db_options, options.directory, families, &handles_, &db);
  RETURN_IF_ERROR(Map(s, "open store " + options.directory));
  db_.reset(db);
  meta_ = handles_[0];
  rows_ = handles_[1];
  verdicts_ = handles_[2];
  return Identify(options);
}

Status Store::Impl::Identify(const Options& options) {
  std::string value;
  rocksdb::Status s = db_->Get({}, meta_, kFormatKey, &value);
  const auto& id = options.cluster.bytes();
  const ByteView cluster(reinterpret_cast<const char*>(id.data()), id.size());
  if (s.IsNotFound()) {
    Bytes format;
    PutU8(&format, kStoreFormat);
    format.append(cluster);
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    RETURN_IF_ERROR(Map(db_->Put(write, meta_, kFormatKey, format), "write store format"));
    return Flush();
  }
  RETURN_IF_ERROR(Map(s, "read store format"));
  if (value.size() != 17) return Corruption("store: format record has a wrong length");
  if (static_cast<uint8_t>(value[0]) != kStoreFormat) {
    return Unsupported("store: format " + std::to_string(static_cast<uint8_t>(value[0])) +
                       " is not known to this program");
  }
  if (ByteView(value).substr(1) != cluster) {
    return InvalidArgument("store: " + options.directory + " belongs to another cluster");
  }
  s = db_->Get({}, meta_, kStateKey, &value);
  if (s.IsNotFound()) return Status::Ok();
  RETURN_IF_ERROR(Map(s, "read store state"));
  ASSIGN_OR_RETURN(const ApplyState state, DecodeState(value));
  const std::lock_guard lock(mu_);
  applied_ = state;
  flushed_ = state.index;
  return Status::Ok();
}

Status Store::Impl::Apply(const ApplyBatch& batch) {
  rocksdb::WriteBatch writes;
  Bytes key;
  Bytes value;
  for (const Mutation& m : batch.mutations) {
    if (m.key.size() > kKeyBytesMax) return Internal("store: key too long");
    key.assign(m.key);
    AppendStamp(&key, m.version);
    value.assign(1, static_cast<char>(m.is_delete ? ValueKind::kDelete : ValueKind::kPut));
    value.append(m.value);
    RETURN_IF_ERROR(Map(writes.Put(rows_, key, value), "store batch"));
  }
  for (const EntryVerdicts& v : batch.verdicts) {
    key.clear();
    PutU64BE(&key, v.index.value());
    RETURN_IF_ERROR(Map(writes.Put(verdicts_, key, SliceOf(v.bytes)), "store batch"));
  }
  const ApplyState state{batch.applied_index, batch.applied_version, batch.horizon,
                         batch.verdict_hash};
  RETURN_IF_ERROR(Map(writes.Put(meta_, kStateKey, EncodeState(state)), "store batch"));
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  RETURN_IF_ERROR(Map(db_->Write(options, &writes), "write store"));
  const std::lock_guard lock(mu_);
  applied_ = state;
  return Status::Ok();
}

Status Store::Impl::Flush() {
  const LogIndex index = applied().index;
  rocksdb::FlushOptions options;
  options.wait = true;
  RETURN_IF_ERROR(Map(db_->Flush(options, handles_), "flush store"));
  const std::lock_guard lock(mu_);
  flushed_ = std::max(flushed_, index);
  return Status::Ok();
}

Result<bool> Store::Impl::At(rocksdb::Iterator* it, ByteView user_key) {
  if (!it->Valid()) {
    RETURN_IF_ERROR(Map(it->status(), "read store"));
    return false;
  }
  const ByteView key = View(it->key());
  if (key.size() < kStampBytes) return Corruption("store: key without a stamp");
  if (UserKeyOf(key) != user_key) return false;
  if (FormOf(key) != kFormVersion) return Unsupported("store: stamp of a large transaction");
  return true;
}

Result<std::optional<ByteView>> Store::Impl::ValueAt(rocksdb::Iterator* it) {
  const ByteView value = View(it->value());
  if (value.empty()) return Corruption("store: value without a kind");
  switch (static_cast<ValueKind>(value[0])) {
    case ValueKind::kPut:
      return std::optional<ByteView>(value.substr(1));
    case ValueKind::kDelete:
      return std::optional<ByteView>();
  }
  return Corruption("store: value of an unknown kind");
}

Result<std::optional<Bytes>> Store::Impl::Get(rocksdb::Iterator* it, ByteView key,
                                              Version version) const {
  it->Seek(MakeKey(key, version));
  ASSIGN_OR_RETURN(const bool found, At(it, key));
  if (!found) return std::optional<Bytes>();
  ASSIGN_OR_RETURN(const auto value, ValueAt(it));
  if (!value) return std::optional<Bytes>();
  return std::optional<Bytes>(Bytes(*value));
}

namespace {

// Adds a row unless the page is full; then says where the next page starts.
bool AddRow(const ScanRequest& request, ByteView key, ByteView value, uint64_t* bytes,
            ScanPage* page) {
  const uint64_t size = key.size() + value.size();
  const bool full = page->rows.size() >= std::max<uint32_t>(request.rows_max, 1) ||
                    (!page->rows.empty() && *bytes + size > request.bytes_max);
  if (full) {
    page->more = true;
    // Reverse pages end before their end key, so the last row that was returned is the right one.
    page->resume = request.reverse ? page->rows.back().key : Bytes(key);
    return false;
  }
  *bytes += size;
  page->rows.push_back({Bytes(key), Bytes(value)});
  return true;
}

}  // namespace

Status Store::Impl::ScanForward(const ScanRequest& request, rocksdb::Iterator* it,
                                ScanPage* page) const {
  uint64_t bytes = 0;
  // The stamp of the greatest version sorts before all versions of a key.
  it->Seek(MakeKey(request.start, Version(~uint64_t{0})));
  Bytes user_key;
  while (it->Valid()) {
    if (it->key().size() < kStampBytes) return Corruption("store: key without a stamp");
    user_key.assign(UserKeyOf(View(it->key())));
    if (!request.end.empty() && user_key >= request.end) return Status::Ok();
    if (VersionOf(View(it->key())) > request.version) it->Seek(MakeKey(user_key, request.version));
    ASSIGN_OR_RETURN(const bool visible, At(it, user_key));
    if (visible) {
      ASSIGN_OR_RETURN(const auto value, ValueAt(it));
      if (value && !AddRow(request, user_key, *value, &bytes, page)) return Status::Ok();
    }
    int steps = 0;
    while (it->Valid() && UserKeyOf(View(it->key())) == user_key) {
      if (++steps <= kStepsBeforeSeek) {
        it->Next();
      } else {
        user_key.push_back('\0');  // the smallest greater user key
        it->Seek(MakeKey(user_key, Version(~uint64_t{0})));
        break;
      }
    }
  }
  return Map(it->status(), "scan store");
}

Status Store::Impl::ScanReverse(const ScanRequest& request, rocksdb::Iterator* it,
                                ScanPage* page) const {
  uint64_t bytes = 0;
  const auto seek_before = [it](ByteView user_key) {
    it->SeekForPrev(MakeKey(user_key, Version(~uint64_t{0})));
    // A version with the greatest number would be that very key; versions never get there.
  };
  if (request.end.empty()) {
    it->SeekToLast();
  } else {
    seek_before(request.end);
  }
  Bytes user_key;
  while (it->Valid()) {
    if (it->key().size() < kStampBytes) return Corruption("store: key without a stamp");
    user_key.assign(UserKeyOf(View(it->key())));
    if (user_key < request.start) return Status::Ok();
    it->Seek(MakeKey(user_key, request.version));
    ASSIGN_OR_RETURN(const bool visible, At(it, user_key));
    if (visible) {
      ASSIGN_OR_RETURN(const auto value, ValueAt(it));
      if (value && !AddRow(request, user_key, *value, &bytes, page)) return Status::Ok();
    }
    seek_before(user_key);
  }
  return Map(it->status(), "scan store");
}

Result<ScanPage> Store::Impl::Scan(const ScanRequest& request) const {
  const auto it = NewScanIterator();
  RETURN_IF_ERROR(CheckVersion(request.version));
  ScanPage page;
  RETURN_IF_ERROR(request.reverse ? ScanReverse(request, it.get(), &page)
                                  : ScanForward(request, it.get(), &page));
  return page;
}

Result<Bytes> Store::Impl::VerdictsOf(LogIndex index) const {
  Bytes key;
  PutU64BE(&key, index.value());
  std::string value;
  RETURN_IF_ERROR(Map(db_->Get({}, verdicts_, key, &value), "read verdicts"));
  return value;
}

StoreStats Store::Impl::stats() const {
  StoreStats out;
  const auto sum = [this](const std::string& property) {
    uint64_t value = 0;
    (void)db_->GetAggregatedIntProperty(property, &value);
    return value;
  };
  out.memtable_bytes = sum(rocksdb::DB::Properties::kCurSizeAllMemTables);
  out.table_bytes = sum(rocksdb::DB::Properties::kTotalSstFilesSize);
  out.estimated_keys = sum(rocksdb::DB::Properties::kEstimateNumKeys);
  out.pending_compaction_bytes = sum(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
  uint64_t stopped = 0;
  (void)db_->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped);
  out.write_stopped = stopped != 0;
  out.block_cache_bytes = cache_->GetUsage();
  return out;
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const Options& options) {
  auto impl = std::make_unique<Impl>();
  RETURN_IF_ERROR(impl->Open(options));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Status Store::Apply(const ApplyBatch& batch) {
  return impl_->Apply(batch);
}
Status Store::Flush() {
  return impl_->Flush();
}

Result<std::optional<Bytes>> Store::Get(ByteView key, Version version) const {
  const auto it = impl_->NewPointIterator();
  RETURN_IF_ERROR(impl_->CheckVersion(version));
  return impl_->Get(it.get(), key, version);
}

Result<std::vector<std::optional<Bytes>>> Store::MultiGet(const std::vector<ByteView>& keys,
                                                          Version version) const {
  const auto it = impl_->NewPointIterator();
  RETURN_IF_ERROR(impl_->CheckVersion(version));
  std::vector<std::optional<Bytes>> out;
  out.reserve(keys.size());
  for (const ByteView key : keys) {
    ASSIGN_OR_RETURN(auto value, impl_->Get(it.get(), key, version));
    out.push_back(std::move(value));
  }
  return out;
}

Result<ScanPage> Store::Scan(const ScanRequest& request) const {
  return impl_->Scan(request);
}
Result<Bytes> Store::VerdictsOf(LogIndex index) const {
  return impl_->VerdictsOf(index);
}
ApplyState Store::applied() const {
  return impl_->applied();
}
LogIndex Store::flushed_index() const {
  return impl_->flushed_index();
}
StoreStats Store::stats() const {
  return impl_->stats();
}

}  // namespace borealis::mvcc
