#include "writer-node/txn/txn.h"

#include <algorithm>

#include "common/env/fiber.h"

namespace borealis::txn {
namespace {

constexpr size_t kMergedRowsMax = 8192;
constexpr size_t kAccessOverheadBytes = wire::kAccessRecordBytes;

std::string_view SerializationMessage() {
  return "could not serialize access due to concurrent update";
}

}  // namespace

Txn::Txn(TxnManager* manager, const TxnOptions& options)
    : manager_(manager), unique_id_(++manager->begun_), options_(options) {
  manager_->active_.emplace(this, Version());
}

Txn::~Txn() {
  if (active_) Rollback();
}

Status Txn::Fail(FailureKind kind, Code code, std::string message) {
  failure_ = kind;
  return Status(code, std::move(message));
}

Status Txn::SetIsolation(Isolation isolation) {
  if (has_snapshot_ && isolation != options_.isolation) {
    return InvalidArgument("SET TRANSACTION ISOLATION LEVEL must be called before any query");
  }
  options_.isolation = isolation;
  return Status::Ok();
}

Status Txn::SetReadOnly(bool read_only) {
  if (has_snapshot_ && !read_only && options_.read_only) {
    return InvalidArgument("transaction read-write mode must be set before any query");
  }
  options_.read_only = read_only;
  return Status::Ok();
}

// ---- statements and snapshots

void Txn::BeginStatement(const StatementOptions& options) {
  BOREALIS_CHECK(active_);
  ++statement_;
  failure_ = FailureKind::kNone;
  start_local_ = options.start_local;
  statement_start_ = undo_.size();
  statement_start_ranges_ = read_ranges_.size();
  manager_->locks_.ResetCancel(owner_.get());
  if (options_.isolation == Isolation::kReadCommitted) has_snapshot_ = snapshot_strong_ = false;
}

Status Txn::TakeSnapshot() {
  if (start_local_) {
    snapshot_ = manager_->storage_->local_version();
    snapshot_strong_ = false;
  } else if (options_.consistency == ReadConsistency::kLocal) {
    // Named opt-in: stale, but never older than what this session wrote or has read in this
    // transaction.
    snapshot_ = std::max({manager_->storage_->local_version(), options_.min_version, snapshot_});
    snapshot_strong_ = true;
  } else {
    ASSIGN_OR_RETURN(snapshot_, manager_->storage_->ReadIndex(options_.quorum_wait));
    snapshot_strong_ = true;
  }
  has_snapshot_ = true;
  snapshot_statement_ = statement_;
  manager_->active_[this] = snapshot_;
  ResolvePending(snapshot_);
  return Status::Ok();
}

Result<Version> Txn::EnsureSnapshot() {
  BOREALIS_CHECK(active_);
  if (!has_snapshot_) RETURN_IF_ERROR(TakeSnapshot());
  return snapshot_;
}

void Txn::RestartStatement() {
  UndoTo(statement_start_, /*keep_locks=*/true, /*keep_reads=*/false);
  read_ranges_.resize(statement_start_ranges_);
  failure_ = FailureKind::kNone;
  conflict_.reset();
  start_local_ = false;
  has_snapshot_ = snapshot_strong_ = false;
}

Result<Txn::StrongCheck> Txn::EnsureStrong() {
  BOREALIS_CHECK(active_);
  if (has_snapshot_ && snapshot_strong_) return StrongCheck::kStands;
  ASSIGN_OR_RETURN(const Version strong, manager_->storage_->ReadIndex(options_.quorum_wait));
  start_local_ = false;
  if (has_snapshot_ && strong == snapshot_) {
    snapshot_strong_ = true;
    return StrongCheck::kStands;
  }
  RestartStatement();
  snapshot_ = strong;
  snapshot_strong_ = true;
  has_snapshot_ = true;
  snapshot_statement_ = statement_;
  manager_->active_[this] = snapshot_;
  return StrongCheck::kRunAgain;
}

// ---- reads

Result<std::optional<Bytes>> Txn::Get(ByteView key) {
  RETURN_IF_ERROR(EnsureSnapshot().status());
  auto own = accesses_.find(key);
  if (own != accesses_.end() && own->second.op != wire::Op::kNone) {
    if (own->second.op == wire::Op::kDelete) return std::optional<Bytes>();
    return std::optional<Bytes>(own->second.value);
  }
  return manager_->reader_->Get(snapshot_, key);
}

Result<std::vector<std::optional<Bytes>>> Txn::MultiGet(const std::vector<Bytes>& keys) {
  RETURN_IF_ERROR(EnsureSnapshot().status());
  std::vector<std::optional<Bytes>> out(keys.size());
  std::vector<Bytes> missing;
  std::vector<size_t> missing_at;
  for (size_t i = 0; i < keys.size(); ++i) {
    auto own = accesses_.find(keys[i]);
    if (own == accesses_.end() || own->second.op == wire::Op::kNone) {
      missing.push_back(keys[i]);
      missing_at.push_back(i);
    } else if (own->second.op == wire::Op::kPut) {
      out[i] = own->second.value;
    }
  }
  if (missing.empty()) return out;
  ASSIGN_OR_RETURN(auto values, manager_->reader_->MultiGet(snapshot_, missing));
  if (values.size() != missing.size()) return Internal("reader answered another number of values");
  for (size_t i = 0; i < values.size(); ++i) out[missing_at[i]] = std::move(values[i]);
  return out;
}

Result<ScanPage> Txn::Scan(const ScanSpec& spec) {
  RETURN_IF_ERROR(EnsureSnapshot().status());
  ASSIGN_OR_RETURN(ScanPage page, manager_->reader_->Scan(snapshot_, spec));
  // The part of the range that this page answers for; own writes outside it belong to later pages.
  const Bytes from = spec.reverse && page.more ? page.resume : spec.start;
  const Bytes to = !spec.reverse && page.more ? page.resume : spec.end;
  auto begin = accesses_.lower_bound(from);
  auto end = to.empty() ? accesses_.end() : accesses_.lower_bound(to);
  std::vector<std::pair<const Bytes*, const KeyAccess*>> own;
  for (auto it = begin; it != end; ++it) {
    if (it->second.op != wire::Op::kNone) own.emplace_back(&it->first, &it->second);
  }
  if (own.empty()) return page;
  if (spec.reverse) std::reverse(own.begin(), own.end());

  const size_t rows_max =
      spec.rows_max != 0 ? spec.rows_max : std::max(kMergedRowsMax, page.rows.size());
  std::vector<KeyValue> merged;
  auto before = [&](const Bytes& a, const Bytes& b) { return spec.reverse ? b < a : a < b; };
  size_t stored = 0;
  size_t mine = 0;
  while ((stored < page.rows.size() || mine < own.size()) && merged.size() < rows_max) {
    const bool take_own = mine < own.size() && (stored == page.rows.size() ||
                                                !before(page.rows[stored].key, *own[mine].first));
    if (!take_own) {
      merged.push_back(std::move(page.rows[stored++]));
      continue;
    }
    if (stored < page.rows.size() && page.rows[stored].key == *own[mine].first) ++stored;
    if (own[mine].second->op == wire::Op::kPut) {
      merged.push_back({*own[mine].first, own[mine].second->value});
    }
    ++mine;
  }
  if (stored < page.rows.size() || mine < own.size()) {
    page.more = true;
    page.resume = spec.reverse ? merged.back().key : wire::KeyAfter(merged.back().key);
  }
  page.rows = std::move(merged);
  return page;
}

// ---- accesses

Txn::KeyAccess& Txn::Touch(ByteView key, uint8_t locked) {
  auto it = accesses_.find(key);
  if (it == accesses_.end()) {
    it = accesses_.emplace(Bytes(key), KeyAccess()).first;
    bytes_ += key.size() + kAccessOverheadBytes;
  }
  undo_.push_back({it->first, it->second, locked});
  return it->second;
}

void Txn::AddBase(KeyAccess* access, AccessKind kind) {
  uint64_t& base = access->base[static_cast<size_t>(kind) - 1];
  const uint64_t now = has_snapshot_ ? snapshot_.value() : KeyAccess::kPendingBase;
  if (now == KeyAccess::kPendingBase) has_pending_bases_ = true;
  // The oldest counts: what was read then must still hold.
  if (now < base) base = now;
}

Status Txn::CheckSize() {
  const size_t limit = std::min(options_.bytes_max, wire::kRequestBytesMax);
  if (bytes_ + wire::kRequestHeaderBytes <= limit) return Status::Ok();
  return Fail(FailureKind::kTooLarge, Code::kResourceExhausted,
              "transaction is larger than borealis.transaction_bytes_max (" +
                  std::to_string(limit) + " bytes)");
}

Status Txn::CheckWritable() {
  BOREALIS_CHECK(active_);
  if (!options_.read_only) return Status::Ok();
  return Fail(FailureKind::kReadOnly, Code::kInvalidArgument,
              "cannot write in a read-only transaction");
}

Status Txn::CheckReleased(ByteView key, AccessKind mode, const LockTable::Released& released) {
  if (!released.committed || !has_snapshot_ || released.committed <= snapshot_) return Status::Ok();
  if (!wire::LocksConflict(released.mode, mode)) return Status::Ok();
  // First committer wins: certification would refuse this access, its base being older than the
  // commit.
  ConflictInfo info;
  if (auto prefix = wire::ParseKeyPrefix(key)) info.prefix = *prefix;
  info.key = Bytes(key);
  info.mine = mode;
  info.theirs = released.mode;
  info.winner = released.by;
  info.winner_writer = manager_->storage_->writer_name();
  conflict_ = std::move(info);
  const bool own_snapshot = snapshot_statement_ == statement_;
  return Fail(own_snapshot ? FailureKind::kStaleStatement : FailureKind::kSerialization,
              Code::kConflict, std::string(SerializationMessage()));
}

Result<bool> Txn::Lock(ByteView key, AccessKind mode, WaitPolicy policy) {
  BOREALIS_CHECK(wire::IsLock(mode));
  RETURN_IF_ERROR(CheckWritable());
  if (key.size() > wire::kKeyBytesMax) return InvalidArgument("key is longer than 16 KiB");
  LockTable& locks = manager_->locks_;
  const bool had = locks.Holds(owner_.get(), key, mode);
  if (!had) {
    LockTable::Released released;
    const auto outcome =
        locks.Acquire(owner_.get(), key, mode, policy, options_.lock_timeout, &released);
    switch (outcome) {
      case LockTable::Outcome::kGranted:
        break;
      case LockTable::Outcome::kDeadlock:
        return Fail(FailureKind::kDeadlock, Code::kConflict, "deadlock detected");
      case LockTable::Outcome::kNotAvailable:
        if (policy == WaitPolicy::kSkipLocked) return false;
        return Fail(FailureKind::kLockNotAvailable, Code::kResourceExhausted,
                    "could not obtain lock on row");
      case LockTable::Outcome::kTimeout:
        return Fail(FailureKind::kLockNotAvailable, Code::kResourceExhausted,
                    "canceling statement due to lock timeout");
      case LockTable::Outcome::kCancelled:
        return Fail(FailureKind::kCancelled, Code::kCancelled,
                    "canceling statement due to user request");
    }
    AddBase(&Touch(key, static_cast<uint8_t>(mode)), mode);
    RETURN_IF_ERROR(CheckReleased(key, mode, released));
  } else {
    AddBase(&Touch(key, 0), mode);
  }
  RETURN_IF_ERROR(CheckSize());
  return true;
}

Status Txn::Write(ByteView key, wire::Op op, ByteView value, AccessKind kind) {
  RETURN_IF_ERROR(CheckWritable());
  if (key.size() > wire::kKeyBytesMax) return InvalidArgument("key is longer than 16 KiB");
  BOREALIS_CHECK(kind >= AccessKind::kNoKeyUpdate && kind != AccessKind::kRead);
  if (kind != AccessKind::kWriteUnchecked) RETURN_IF_ERROR(Lock(key, kind).status());
  KeyAccess& access = Touch(key, 0);
  AddBase(&access, kind);
  bytes_ += value.size();
  bytes_ -= access.value.size();
  // A key once written checked stays so: the stronger kind carries the write.
  const bool keep = access.op != wire::Op::kNone && access.write_kind == AccessKind::kUpdate;
  if (!keep) access.write_kind = kind;
  access.op = op;
  access.value.assign(value.data(), value.size());
  if (static_cast<uint8_t>(key[0]) == static_cast<uint8_t>(wire::Keyspace::kSystem))
    ++system_writes_;
  return CheckSize();
}

Status Txn::Put(ByteView key, ByteView value, AccessKind kind) {
  return Write(key, wire::Op::kPut, value, kind);
}

Status Txn::Delete(ByteView key, AccessKind kind) {
  return Write(key, wire::Op::kDelete, {}, kind);
}

Status Txn::AddRead(ByteView key) {
  BOREALIS_CHECK(active_);
  auto found = accesses_.find(key);
  const uint64_t now = has_snapshot_ ? snapshot_.value() : KeyAccess::kPendingBase;
  const size_t slot = static_cast<size_t>(AccessKind::kRead) - 1;
  if (found != accesses_.end() && found->second.base[slot] <= now) return Status::Ok();
  AddBase(&Touch(key, 0), AccessKind::kRead);
  return CheckSize();
}

Status Txn::AddReadRange(ByteView start, ByteView end) {
  RETURN_IF_ERROR(EnsureSnapshot().status());
  if (start.size() < wire::kIndexPrefixBytes || start >= end) return Status::Ok();
  for (const ReadRange& range : read_ranges_) {
    if (range.start <= start && range.end >= end && range.base <= snapshot_.value()) {
      return Status::Ok();
    }
    if (read_ranges_.size() > 64) break;  // not worth a search
  }
  read_ranges_.push_back({Bytes(start), Bytes(end), snapshot_.value()});
  bytes_ += start.size() + end.size() + kAccessOverheadBytes;
  return CheckSize();
}

// ---- savepoints

void Txn::UndoTo(size_t position, bool keep_locks, bool keep_reads) {
  constexpr size_t kReadSlot = static_cast<size_t>(AccessKind::kRead) - 1;
  while (undo_.size() > position) {
    Undo undo = std::move(undo_.back());
    undo_.pop_back();
    auto it = accesses_.find(undo.key);
    BOREALIS_CHECK(it != accesses_.end());
    const uint64_t read_base = it->second.base[kReadSlot];
    bytes_ -= it->second.value.size();
    it->second = std::move(undo.before);
    bytes_ += it->second.value.size();
    if (keep_reads && read_base < it->second.base[kReadSlot])
      it->second.base[kReadSlot] = read_base;
    if (undo.locked != 0 && !keep_locks) {
      manager_->locks_.Release(owner_.get(), undo.key, static_cast<AccessKind>(undo.locked));
    }
    if (static_cast<uint8_t>(undo.key[0]) == static_cast<uint8_t>(wire::Keyspace::kSystem)) {
      ++system_writes_;
    }
    const bool empty = it->second.op == wire::Op::kNone &&
                       std::all_of(it->second.base.begin(), it->second.base.end(),
                                   [](uint64_t base) { return base == KeyAccess::kNoBase; });
    if (!empty) continue;
    bytes_ -= it->first.size() + kAccessOverheadBytes;
    accesses_.erase(it);
  }
}

Savepoint Txn::SetSavepoint() {
  return undo_.size();
}

void Txn::RollbackTo(Savepoint savepoint) {
  BOREALIS_CHECK(active_ && savepoint <= undo_.size());
  UndoTo(savepoint, /*keep_locks=*/false, /*keep_reads=*/true);
  statement_start_ = std::min(statement_start_, undo_.size());
  failure_ = FailureKind::kNone;
}

void Txn::VisitWrites(ByteView start, ByteView end,
                      const std::function<void(ByteView, std::optional<ByteView>)>& visit) const {
  for (auto it = accesses_.lower_bound(start); it != accesses_.end(); ++it) {
    if (!end.empty() && ByteView(it->first) >= end) break;
    if (it->second.op == wire::Op::kPut) visit(it->first, ByteView(it->second.value));
    if (it->second.op == wire::Op::kDelete) visit(it->first, std::nullopt);
  }
}

// ---- end

void Txn::ResolvePending(Version base) {
  if (!has_pending_bases_) return;
  has_pending_bases_ = false;
  auto resolve = [&](KeyAccess* access) {
    for (uint64_t& b : access->base) {
      if (b == KeyAccess::kPendingBase) b = base.value();
    }
  };
  for (auto& [key, access] : accesses_) resolve(&access);
  for (Undo& undo : undo_) resolve(&undo.before);
}

bool Txn::needs_certification() const {
  return std::any_of(accesses_.begin(), accesses_.end(), [](const auto& entry) {
    const KeyAccess& access = entry.second;
    if (access.op != wire::Op::kNone) return true;
    return std::any_of(access.base.begin(), access.base.begin() + 4,
                       [](uint64_t base) { return base != KeyAccess::kNoBase; });
  });
}

bool Txn::has_writes() const {
  return std::any_of(accesses_.begin(), accesses_.end(),
                     [](const auto& entry) { return entry.second.op != wire::Op::kNone; });
}

// One key may need several accesses (read committed: different kinds under different snapshots). An
// access is left out when a stronger one covers it: locks are nested (what conflicts with KEY SHARE
// conflicts with SHARE, and so on upwards), and every modification conflicts with SHARE, so SHARE
// and above cover READ. The cover must not be younger.
void Txn::BuildRequest(wire::RequestBuilder* builder) const {
  for (const auto& [key, access] : accesses_) {
    uint64_t covered_from = KeyAccess::kNoBase;  // the oldest base of a stronger lock
    for (int k = 4; k >= 1; --k) {
      const auto kind = static_cast<AccessKind>(k);
      const uint64_t base = access.base[static_cast<size_t>(k) - 1];
      if (base == KeyAccess::kNoBase) continue;
      const bool writes = access.op != wire::Op::kNone && access.write_kind == kind;
      if (!writes && covered_from <= base) continue;
      builder->AddPoint(kind, writes ? access.op : wire::Op::kNone, key,
                        writes ? ByteView(access.value) : ByteView(), Version(base));
      if (kind != AccessKind::kKeyShare) covered_from = std::min(covered_from, base);
    }
    const uint64_t unchecked = access.base[static_cast<size_t>(AccessKind::kWriteUnchecked) - 1];
    if (access.op != wire::Op::kNone && access.write_kind == AccessKind::kWriteUnchecked) {
      builder->AddPoint(AccessKind::kWriteUnchecked, access.op, key, access.value,
                        Version(unchecked));
    }
    const uint64_t read = access.base[static_cast<size_t>(AccessKind::kRead) - 1];
    if (read != KeyAccess::kNoBase && covered_from > read) {
      builder->AddPoint(AccessKind::kRead, wire::Op::kNone, key, {}, Version(read));
    }
  }
  for (const ReadRange& range : read_ranges_) {
    builder->AddReadRange(range.start, range.end, Version(range.base));
  }
}

Result<CommitResult> Txn::Judge(const wire::Verdict& verdict, const wire::RequestBuilder& builder) {
  switch (verdict.kind) {
    case wire::VerdictKind::kAccepted:
      return CommitResult{verdict.version, id_};
    case wire::VerdictKind::kConflict: {
      // The request was built here; decoding it again finds the access that the verdict counts.
      const Bytes bytes = builder.Finish(id_, 0);
      ConflictInfo info;
      if (auto view = wire::RequestView::Parse(bytes); view.ok()) {
        if (auto access = view->At(verdict.access_index); access.ok()) {
          info.key = Bytes(access->key);
          info.range = access->shape == wire::AccessShape::kRange;
          info.mine = access->kind;
          if (auto prefix = wire::ParseKeyPrefix(access->key)) info.prefix = *prefix;
        }
      }
      info.theirs = verdict.winner_kind;
      info.winner = verdict.winner;
      if (verdict.winner) info.winner_writer = manager_->WriterName(verdict.winner.incarnation);
      conflict_ = std::move(info);
      return Fail(FailureKind::kSerialization, Code::kConflict,
                  std::string(SerializationMessage()));
    }
    case wire::VerdictKind::kAborted:
      return Fail(FailureKind::kSerialization, Code::kConflict,
                  "transaction was aborted because its outcome was asked for before it arrived");
    case wire::VerdictKind::kFenced:
      return Status(Code::kFenced, "this writer was fenced; the transaction did not commit");
    case wire::VerdictKind::kStale:
    case wire::VerdictKind::kMalformed:
    case wire::VerdictKind::kRetryElsewhere:
    case wire::VerdictKind::kUnknown:
      break;
  }
  return Internal("commit of " + id_.ToString() + " ended with an impossible verdict");
}

Result<CommitResult> Txn::Commit() {
  BOREALIS_CHECK(active_);
  // What a statement left must not speak for the commit: an unknown outcome that is reported as a
  // lost certification would be run again, and might happen twice.
  failure_ = FailureKind::kNone;
  if (!needs_certification()) {
    Rollback();
    return CommitResult{};
  }
  if (has_pending_bases_) ResolvePending(manager_->storage_->local_version());
  wire::RequestBuilder builder;
  BuildRequest(&builder);
  if (builder.encoded_bytes() > std::min(options_.bytes_max, wire::kRequestBytesMax)) {
    bytes_ = builder.encoded_bytes();
    const Status too_large = CheckSize();
    Rollback();
    return too_large;
  }
  id();
  Result<wire::Verdict> verdict = manager_->storage_->Commit(id_, builder, options_.quorum_wait);
  if (!verdict.ok()) {
    End(Version());
    return verdict.status();
  }
  Result<CommitResult> result = Judge(*verdict, builder);
  End(result.ok() ? result->version : Version());
  return result;
}

void Txn::Rollback() {
  if (!active_) return;
  if (id_) manager_->storage_->Abandon(id_);
  End(Version());
}

void Txn::End(Version committed) {
  active_ = false;
  manager_->active_.erase(this);
  if (committed > manager_->storage_->local_version()) {
    manager_->Linger(std::exchange(owner_, std::make_unique<LockTable::Owner>()), committed, id_);
  } else {
    manager_->locks_.ReleaseAll(owner_.get(), committed, id_);
  }
  accesses_.clear();
  read_ranges_.clear();
  undo_.clear();
}

void Txn::Cancel() {
  manager_->locks_.Cancel(owner_.get());
}

TxnId Txn::id() {
  if (!id_) id_ = manager_->storage_->NextTxnId();
  return id_;
}

}  // namespace borealis::txn
