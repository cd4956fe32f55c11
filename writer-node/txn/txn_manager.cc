#include <utility>

#include "common/env/fiber.h"
#include "writer-node/txn/txn.h"

namespace borealis::txn {
namespace {

constexpr uint8_t kWriterRowFormat = 1;
constexpr int kSequenceBits = 39;
constexpr int kIncarnationBits = 24;

Bytes WriterKey(Incarnation incarnation) {
  Bytes key = wire::MakeKeyPrefix(wire::Keyspace::kSystem, kWritersTable, IndexId(1));
  PutU64BE(&key, incarnation.value());
  return key;
}

}  // namespace

TxnManager::TxnManager(storage_client::Storage* storage, buffer_pool::Reader* reader)
    : storage_(storage), reader_(reader) {
  storage_->AddObserver(this);
}

TxnManager::~TxnManager() {
  storage_->RemoveObserver(this);
  for (Lingering& lingering : lingering_) {
    if (lingering.loop != nullptr) lingering.loop->Cancel(lingering.timer);
    locks_.ReleaseAll(lingering.owner.get(), lingering.version, lingering.txn);
  }
}

std::unique_ptr<Txn> TxnManager::Begin(const TxnOptions& options) {
  return std::unique_ptr<Txn>(new Txn(this, options));
}

void TxnManager::Linger(std::unique_ptr<LockTable::Owner> owner, Version version,
                        const TxnId& txn) {
  lingering_.push_back({version, txn, std::move(owner)});
  if (!env::InFiber()) return;
  auto it = std::prev(lingering_.end());
  it->loop = &env::CurrentFiberLoop();
  it->timer = it->loop->RunAfter(kLockLingerMax, [this, it] {
    Lingering done = std::move(*it);
    lingering_.erase(it);
    locks_.ReleaseAll(done.owner.get(), done.version, done.txn);
  });
}

void TxnManager::OnAdvanced(Version up_to) {
  for (auto it = lingering_.begin(); it != lingering_.end();) {
    if (it->version > up_to) {
      ++it;
      continue;
    }
    Lingering done = std::move(*it);
    it = lingering_.erase(it);
    if (done.loop != nullptr) done.loop->Cancel(done.timer);
    locks_.ReleaseAll(done.owner.get(), done.version, done.txn);
  }
}

Status TxnManager::RegisterWriter(std::chrono::milliseconds timeout) {
  TxnOptions options;
  options.quorum_wait = timeout;
  auto txn = Begin(options);
  txn->BeginStatement({.start_local = true});
  Bytes value;
  PutU8(&value, kWriterRowFormat);
  value += storage_->writer_name();
  RETURN_IF_ERROR(txn->Put(WriterKey(storage_->incarnation()), value, AccessKind::kUpdate));
  // The key is this incarnation's alone: a conflict could only be with itself.
  RETURN_IF_ERROR(txn->Commit().status());
  writer_names_[storage_->incarnation()] = storage_->writer_name();
  return Status::Ok();
}

std::string TxnManager::WriterName(Incarnation incarnation) {
  if (incarnation == storage_->incarnation()) return storage_->writer_name();
  auto known = writer_names_.find(incarnation);
  if (known != writer_names_.end()) return known->second;
  auto value = reader_->Get(storage_->local_version(), WriterKey(incarnation));
  if (!value.ok() || !value->has_value()) return "";
  const Bytes& row = **value;
  if (row.empty() || static_cast<uint8_t>(row[0]) != kWriterRowFormat) return "";
  return writer_names_[incarnation] = row.substr(1);
}

Version TxnManager::OldestSnapshot() const {
  Version oldest = storage_->local_version();
  for (const auto& [txn, snapshot] : active_) {
    if (txn->has_snapshot_ && snapshot < oldest) oldest = snapshot;
  }
  return oldest;
}

Result<int64_t> PackXactId(const TxnId& id) {
  if (id.incarnation.value() >> kIncarnationBits != 0 || id.sequence >> kSequenceBits != 0) {
    return ResourceExhausted("transaction id " + id.ToString() + " does not fit a 64-bit xact id");
  }
  return static_cast<int64_t>((id.incarnation.value() << kSequenceBits) | id.sequence);
}

Result<TxnId> UnpackXactId(int64_t xact_id) {
  const uint64_t value = static_cast<uint64_t>(xact_id);
  const TxnId id{Incarnation(value >> kSequenceBits), value & ((uint64_t{1} << kSequenceBits) - 1)};
  if (xact_id <= 0 || !id || id.sequence == 0) {
    return InvalidArgument("invalid transaction id " + std::to_string(xact_id));
  }
  return id;
}

}  // namespace borealis::txn
