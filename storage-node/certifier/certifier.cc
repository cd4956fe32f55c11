#include "storage-node/certifier/certifier.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/checksum.h"

namespace borealis::certifier {
namespace {

// Bit m is set if slot m of ModeVersions conflicts with the kind (PostgreSQL, "Row-Level Locks").
constexpr uint8_t ConflictMask(Kind kind) {
  switch (kind) {
    case Kind::kKeyShare:
      return 0b01000;
    case Kind::kShare:
      return 0b01100;
    case Kind::kNoKeyUpdate:
      return 0b01110;
    case Kind::kUpdate:
      return 0b01111;
    case Kind::kRead:
      return 0b10000;
    case Kind::kWriteUnchecked:
      return 0;
  }
  return 0b11111;
}

bool IsRecorded(const Access& access) {
  return access.kind != Kind::kRead;
}
bool Modifies(const Access& access) {
  return access.op != Op::kNone;
}

// The newest conflicting version above `after`, and its mode; of equal versions the strongest mode.
Version Newest(const ModeVersions& versions, uint8_t mask, Version after, Mode* mode) {
  uint64_t newest = after.value();
  bool found = false;
  for (int slot = 4; slot >= 0; --slot) {
    if ((mask >> slot & 1) != 0 && versions[slot] > newest) {
      newest = versions[slot];
      *mode = static_cast<Mode>(slot + 1);
      found = true;
    }
  }
  return found ? Version(newest) : Version();
}

constexpr uint64_t kFoldsPerSweep = 1 << 16;

}  // namespace

Certifier::Certifier(const Options& options)
    : window_keys_max_(std::max<uint64_t>(options.window_keys_max, 1)),
      bucket_mask_((uint64_t{1} << options.bucket_bits) - 1),
      buckets_(uint64_t{1} << options.bucket_bits) {
  BOREALIS_CHECK(options.bucket_bits <= 28);
}

Certifier::~Certifier() = default;

bool Certifier::IsValid(std::span<const Access> accesses, uint32_t* first_invalid) {
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Access& a = accesses[i];
    bool good = a.kind >= Kind::kKeyShare && a.kind <= Kind::kWriteUnchecked &&
                a.op <= Op::kDelete && !a.key.empty();
    good = good && (a.kind != Kind::kRead || a.op == Op::kNone);
    good = good && (a.kind != Kind::kWriteUnchecked || a.op != Op::kNone);
    if (a.shape == Shape::kRange) {
      good = good && a.kind == Kind::kRead && a.key < a.end;
    } else {
      good = good && a.shape == Shape::kPoint && a.end.empty();
    }
    if (!good) {
      *first_invalid = static_cast<uint32_t>(i);
      return false;
    }
  }
  return true;
}

Decision Certifier::Certify(TxnId txn, std::span<const Access> accesses) {
  Decision decision;
  if (!IsValid(accesses, &decision.access_index)) return decision;

  // All hashes first: the table's cache misses then overlap instead of queueing up.
  hashes_.resize(accesses.size());
  for (size_t i = 0; i < accesses.size(); ++i) {
    if (accesses[i].shape != Shape::kPoint) continue;
    hashes_[i] = Hash64(accesses[i].key);
    points_.Prefetch(hashes_[i]);
  }
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Access& access = accesses[i];
    decision.access_index = static_cast<uint32_t>(i);
    if (access.base_version > version_) return decision;
    const bool conflict = access.shape == Shape::kPoint ? CheckPoint(access, hashes_[i], &decision)
                                                        : CheckRange(access, &decision);
    if (conflict) {
      decision.outcome = Outcome::kConflict;
      return decision;
    }
  }
  RecordAll(txn, accesses);
  decision.access_index = 0;
  decision.outcome = Outcome::kAccepted;
  decision.version = version_;
  return decision;
}

void Certifier::Record(TxnId txn, Version version, std::span<const Access> accesses) {
  BOREALIS_CHECK(version == version_.Next());
  hashes_.resize(accesses.size());
  for (size_t i = 0; i < accesses.size(); ++i) hashes_[i] = Hash64(accesses[i].key);
  RecordAll(txn, accesses);
}

bool Certifier::CheckPoint(const Access& access, uint64_t hash, Decision* decision) const {
  const uint8_t mask = ConflictMask(access.kind);
  if (mask == 0) return false;
  // Inside the window: exact, but for equal hashes. The table may still hold versions at or below
  // the floor of keys that were recorded again since; those count as folded, so that a verdict does
  // not depend on when a slot was cleaned.
  const Version after = std::max(access.base_version, floor_);
  if (const ModeVersions* versions = points_.Find(hash)) {
    const Version newest = Newest(*versions, mask, after, &decision->mode);
    if (newest) {
      FillWinner(newest, decision);
      return true;
    }
  }
  if (access.base_version >= floor_) return false;
  const Version folded =
      Newest(buckets_[hash & bucket_mask_], mask, access.base_version, &decision->mode);
  decision->below_floor = static_cast<bool>(folded);
  return decision->below_floor;
}

bool Certifier::CheckRange(const Access& access, Decision* decision) {
  const Version after = std::max(access.base_version, floor_);
  const ByteView first_prefix = access.key.substr(0, kIndexPrefixBytes);
  Version newest;
  bool folded = false;
  for (auto it = indexes_.lower_bound(first_prefix);
       it != indexes_.end() && ByteView(it->first) < access.end; ++it) {
    Index& index = *it->second;
    if (index.newest <= access.base_version) continue;
    if (index.newest > after) {
      index.keys.Expire(floor_);
      newest = std::max(newest, index.keys.NewestIn(access.key, access.end, after));
    }
    // What left the window of this index is known only as "something, up to here".
    if (access.base_version < floor_ && index.first <= floor_) folded = true;
  }
  if (newest) {
    decision->mode = Mode::kModification;
    FillWinner(newest, decision);
    return true;
  }
  if (!folded) return false;
  decision->mode = Mode::kModification;
  decision->below_floor = true;
  return true;
}

void Certifier::FillWinner(Version version, Decision* decision) const {
  decision->winner_version = version;
  decision->winner = accepted_[version.value() - floor_.value() - 1].txn;
}

void Certifier::RecordAll(TxnId txn, std::span<const Access> accesses) {
  version_ = version_.Next();
  Accepted accepted{txn, 0};
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Access& access = accesses[i];
    if (!IsRecorded(access)) continue;
    ModeVersions& versions = points_.FindOrInsert(hashes_[i]);
    if (access.kind != Kind::kWriteUnchecked) {
      versions[static_cast<size_t>(access.kind) - 1] = version_.value();
    }
    if (Modifies(access)) {
      versions[kModificationSlot] = version_.value();
      Index& index = IndexOf(access.key);
      index.keys.Append(access.key, version_);
      if (!index.first) index.first = version_;
      index.newest = version_;
    }
    recorded_.push_back(hashes_[i]);
    ++accepted.recorded;
  }
  accepted_.push_back(accepted);
  window_keys_ += accepted.recorded + 1;
  MoveFloor();
}

Certifier::Index& Certifier::IndexOf(ByteView key) {
  const ByteView prefix = key.substr(0, kIndexPrefixBytes);
  Bytes padded(prefix);
  padded.resize(kIndexPrefixBytes, '\0');
  const Prefix id{GetU64BE(padded.data()),
                  static_cast<uint16_t>(static_cast<uint8_t>(padded[8]) << 8 | prefix.size())};
  auto [slot, fresh] = index_by_prefix_.try_emplace(id, nullptr);
  if (fresh) {
    auto index = std::make_unique<Index>();
    index->prefix = Bytes(prefix);
    slot->second = index.get();
    indexes_.emplace(Bytes(prefix), std::move(index));
  }
  return *slot->second;
}

void Certifier::SetWindowKeysMax(uint64_t keys) {
  window_keys_max_ = std::max<uint64_t>(keys, 1);
  MoveFloor();
}

void Certifier::MoveFloor() {
  // The rule looks at accepted requests alone. One that is larger than the whole window leaves it
  // at once; it is then found in the buckets.
  while (window_keys_ > window_keys_max_ && !accepted_.empty()) {
    const Accepted oldest = accepted_.front();
    accepted_.pop_front();
    floor_ = floor_.Next();
    for (uint32_t i = 0; i < oldest.recorded; ++i) {
      Fold(recorded_.front());
      recorded_.pop_front();
    }
    window_keys_ -= oldest.recorded + 1;
    folds_since_sweep_ += oldest.recorded + 1;
  }
  if (folds_since_sweep_ < kFoldsPerSweep) return;
  folds_since_sweep_ = 0;
  for (auto& [prefix, index] : indexes_) index->keys.Expire(floor_);
}

void Certifier::Fold(uint64_t hash) {
  ModeVersions* versions = points_.Find(hash);
  if (versions == nullptr) return;  // folded with an earlier access of the same key
  ModeVersions& bucket = buckets_[hash & bucket_mask_];
  bool empty = true;
  for (size_t slot = 0; slot < versions->size(); ++slot) {
    uint64_t& version = (*versions)[slot];
    if (version > floor_.value()) {
      empty = false;
    } else if (version != 0) {
      bucket[slot] = std::max(bucket[slot], version);
      version = 0;
    }
  }
  if (empty) points_.Erase(hash);
}

size_t Certifier::memory_bytes() const {
  size_t sum = points_.memory_bytes() + buckets_.size() * sizeof(ModeVersions) +
               accepted_.size() * sizeof(Accepted) + recorded_.size() * sizeof(uint64_t);
  for (const auto& [prefix, index] : indexes_) sum += sizeof(Index) + index->keys.memory_bytes();
  return sum;
}

void VerdictHash::Add(LogIndex index, uint8_t verdict, Version version) {
  char bytes[25];
  SetU64(bytes, value_);
  SetU64(bytes + 8, index.value());
  SetU64(bytes + 16, version.value());
  bytes[24] = static_cast<char>(verdict);
  value_ = Hash64(ByteView(bytes, sizeof(bytes)));
}

std::string_view ModeName(Mode mode) {
  switch (mode) {
    case Mode::kNone:
      return "none";
    case Mode::kKeyShare:
      return "KEY SHARE";
    case Mode::kShare:
      return "SHARE";
    case Mode::kNoKeyUpdate:
      return "NO KEY UPDATE";
    case Mode::kUpdate:
      return "UPDATE";
    case Mode::kModification:
      return "modification";
  }
  return "unknown";
}

}  // namespace borealis::certifier
