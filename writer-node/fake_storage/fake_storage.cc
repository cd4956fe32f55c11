#include "writer-node/fake_storage/fake_storage.h"

#include <algorithm>
#include <future>

namespace borealis::fake_storage {

using storage_client::Milliseconds;
using storage_client::ScanPage;
using storage_client::ScanSpec;

// ---- FakeCluster

const FakeCluster::Record* FakeCluster::Conflict(const wire::Access& access) const {
  auto first = history_.lower_bound(access.key);
  auto last = access.shape == wire::AccessShape::kRange ? history_.lower_bound(access.end)
                                                        : history_.upper_bound(access.key);
  for (auto it = first; it != last; ++it) {
    for (const Record& record : it->second) {
      if (record.version <= access.base_version) continue;
      if (wire::AccessConflicts(access.kind, record.kind, record.op)) return &record;
    }
  }
  return nullptr;
}

wire::Verdict FakeCluster::Certify(ByteView request) {
  wire::Verdict verdict;
  Result<wire::RequestView> view = wire::RequestView::Parse(request);
  if (!view.ok()) {
    verdict.kind = wire::VerdictKind::kMalformed;
    return verdict;
  }
  verdict.txn = view->txn_id();
  if (fenced_.contains(verdict.txn.incarnation)) {
    verdict.kind = wire::VerdictKind::kFenced;
    return verdict;
  }
  if (auto known = verdicts_.find(verdict.txn); known != verdicts_.end()) return known->second;
  const std::vector<wire::Access> accesses = view->Decode();
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Record* winner = Conflict(accesses[i]);
    if (winner == nullptr) continue;
    verdict.kind = wire::VerdictKind::kConflict;
    verdict.access_index = static_cast<uint32_t>(i);
    verdict.winner_kind = winner->kind;
    verdict.winner = winner->txn;
    verdicts_[verdict.txn] = verdict;
    return verdict;
  }
  version_ = version_.Next();
  for (const wire::Access& access : accesses) {
    if (access.kind == wire::AccessKind::kRead) continue;
    history_[Bytes(access.key)].push_back({version_, verdict.txn, access.kind, access.op});
    if (access.op == wire::Op::kNone) continue;
    std::optional<Bytes> value;
    if (access.op == wire::Op::kPut) value = Bytes(access.value);
    rows_[Bytes(access.key)].versions.emplace_back(version_, std::move(value));
  }
  verdict.kind = wire::VerdictKind::kAccepted;
  verdict.version = version_;
  verdicts_[verdict.txn] = verdict;
  log_.push_back({version_, verdict.txn, Bytes(request)});
  for (FakeStorage* writer : writers_) writer->Deliver();
  return verdict;
}

wire::Verdict FakeCluster::Resolve(const TxnId& txn) {
  if (auto known = verdicts_.find(txn); known != verdicts_.end()) return known->second;
  wire::Verdict verdict;
  verdict.txn = txn;
  verdict.kind = wire::VerdictKind::kAborted;
  verdicts_[txn] = verdict;
  return verdict;
}

const std::optional<Bytes>* FakeCluster::At(const Row& row, Version version) const {
  const std::optional<Bytes>* found = nullptr;
  for (const auto& [v, value] : row.versions) {
    if (v <= version) found = &value;
  }
  return found;
}

std::map<Bytes, Bytes> FakeCluster::Dump() const {
  std::map<Bytes, Bytes> out;
  for (const auto& [key, row] : rows_) {
    const std::optional<Bytes>* value = At(row, version_);
    if (value != nullptr && value->has_value()) out[key] = **value;
  }
  return out;
}

// ---- FakeStorage

FakeStorage::FakeStorage(FakeCluster* cluster, std::string name)
    : cluster_(cluster),
      name_(std::move(name)),
      incarnation_(cluster->Allocate()),
      local_(cluster->version()),
      advanced_(*cluster->loop_) {
  cluster_->writers_.push_back(this);
}

FakeStorage::~FakeStorage() {
  std::erase(cluster_->writers_, this);
}

void FakeStorage::HoldStream(bool hold) {
  hold_ = hold;
  Deliver();
}

void FakeStorage::Deliver() {
  if (hold_) return;
  while (local_ < cluster_->version_) {
    const FakeCluster::Applied& applied = cluster_->log_[local_.value()];
    wire::StreamRequest request;
    request.version = applied.version;
    request.txn = applied.txn;
    request.own = applied.txn.incarnation == incarnation_;
    const wire::RequestView view = wire::RequestView::Parse(applied.request).value();
    for (const wire::Access& access : view.Decode()) {
      if (access.op == wire::Op::kNone) continue;
      request.accesses.push_back({access.op, access.key, access.value});
    }
    local_ = applied.version;
    const auto observers = observers_;
    for (auto* observer : observers) observer->OnApplied(request);
    for (auto* observer : observers) observer->OnAdvanced(local_);
  }
  advanced_.NotifyAll();
}

Status FakeStorage::WaitForLocal(Version version, Milliseconds timeout) {
  const env::Clock& clock = cluster_->loop_->clock();
  const env::MonotonicTime deadline = clock.Monotonic() + timeout;
  while (local_ < version) {
    const env::Duration left = deadline - clock.Monotonic();
    if (left.count() <= 0) return Unavailable("the applied stream is behind");
    const Status status = advanced_.WaitFor(left);
    if (status.code() == Code::kCancelled) return status;
  }
  return Status::Ok();
}

Result<Version> FakeStorage::ReadIndex(Milliseconds timeout) {
  ++read_indexes_;
  if (unavailable_) return Unavailable("no quorum");
  const Version version = cluster_->version_;
  if (env::InFiber()) env::FiberYield();
  return version;
}

Status FakeStorage::CheckReadable(Version version) const {
  if (unavailable_) return Unavailable("no member answers");
  if (version < cluster_->horizon_)
    return Status(Code::kBelowHorizon, "version is below the horizon");
  if (version > cluster_->version_) return Unavailable("version is not applied yet");
  return Status::Ok();
}

Result<std::vector<std::optional<Bytes>>> FakeStorage::MultiGet(Version version,
                                                                const std::vector<Bytes>& keys) {
  RETURN_IF_ERROR(CheckReadable(version));
  std::vector<std::optional<Bytes>> out;
  for (const Bytes& key : keys) {
    auto row = cluster_->rows_.find(key);
    const std::optional<Bytes>* value =
        row == cluster_->rows_.end() ? nullptr : cluster_->At(row->second, version);
    out.push_back(value == nullptr ? std::nullopt : *value);
  }
  if (env::InFiber()) env::FiberYield();
  return out;
}

Result<ScanPage> FakeStorage::Scan(Version version, const ScanSpec& spec) {
  RETURN_IF_ERROR(CheckReadable(version));
  const size_t rows_max = spec.rows_max != 0 ? spec.rows_max : 1024;
  auto begin = cluster_->rows_.lower_bound(spec.start);
  auto end = spec.end.empty() ? cluster_->rows_.end() : cluster_->rows_.lower_bound(spec.end);
  std::vector<const std::pair<const Bytes, FakeCluster::Row>*> range;
  if (spec.end.empty() || spec.start < spec.end) {
    for (auto it = begin; it != end; ++it) range.push_back(&*it);
  }
  if (spec.reverse) std::reverse(range.begin(), range.end());
  ScanPage page;
  for (const auto* entry : range) {
    const std::optional<Bytes>* value = cluster_->At(entry->second, version);
    if (value == nullptr || !value->has_value()) continue;
    if (page.rows.size() == rows_max) {
      page.more = true;
      page.resume = spec.reverse ? page.rows.back().key : wire::KeyAfter(page.rows.back().key);
      break;
    }
    page.rows.push_back({entry->first, **value});
  }
  if (env::InFiber()) env::FiberYield();
  return page;
}

TxnId FakeStorage::NextTxnId() {
  open_.insert(next_sequence_);
  return {incarnation_, next_sequence_++};
}

void FakeStorage::Abandon(const TxnId& txn) {
  BOREALIS_CHECK(open_.erase(txn.sequence) == 1);
}

uint64_t FakeStorage::acked_watermark() const {
  return open_.empty() ? next_sequence_ - 1 : *open_.begin() - 1;
}

Result<wire::Verdict> FakeStorage::Commit(const TxnId& txn, const wire::RequestBuilder& request,
                                          Milliseconds timeout) {
  ++commits_;
  BOREALIS_CHECK(open_.contains(txn.sequence));
  if (auto hook = std::exchange(before_commit_, nullptr)) hook();
  if (env::InFiber()) env::FiberYield();
  if (unavailable_) {
    open_.erase(txn.sequence);
    return Unavailable("no quorum");
  }
  const Bytes bytes = request.Finish(txn, acked_watermark());
  const wire::Verdict verdict = cluster_->Certify(bytes);
  open_.erase(txn.sequence);
  if (std::exchange(lose_next_answer_, false)) return OutcomeUnknown("the answer was lost");
  if (verdict.kind == wire::VerdictKind::kFenced) return Status(Code::kFenced, "fenced");
  return verdict;
}

Result<wire::Verdict> FakeStorage::Resolve(const TxnId& txn, Milliseconds timeout) {
  if (unavailable_) return Unavailable("no quorum");
  return cluster_->Resolve(txn);
}

void FakeStorage::AddObserver(storage_client::StreamObserver* observer) {
  observers_.push_back(observer);
}

void FakeStorage::RemoveObserver(storage_client::StreamObserver* observer) {
  std::erase(observers_, observer);
}

void RunInFiber(const std::function<void(env::Loop&)>& body) {
  env::AsioLoop loop("test");
  std::promise<void> done;
  loop.Post([&] {
    env::Spawn(loop, "test", [&] {
      body(loop);
      loop.Post([&] { done.set_value(); });
    });
  });
  loop.Start();
  done.get_future().wait();
  loop.Stop();
}

}  // namespace borealis::fake_storage
