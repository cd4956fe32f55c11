// Open-addressing table from a key's 64-bit hash to the newest version recorded in each mode.
//
// Linear probing, backward-shift deletion (no tombstones, so it never degrades), at most 5/8 full.
// Two keys with one hash share a slot: their versions mix, which can only add conflicts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace borealis::certifier {

// Newest version by mode: [0..3] the lock modes KEY SHARE, SHARE, NO KEY UPDATE, UPDATE, [4]
// modification. 0 = never.
using ModeVersions = std::array<uint64_t, 5>;
inline constexpr size_t kModificationSlot = 4;

class PointTable {
 public:
  PointTable();

  // The entry of a hash, or null. Valid until the next change of the table.
  const ModeVersions* Find(uint64_t hash) const;
  ModeVersions* Find(uint64_t hash);
  // The entry of a hash, made if there is none.
  ModeVersions& FindOrInsert(uint64_t hash);
  // Removes an entry if there is one.
  void Erase(uint64_t hash);
  // Starts loading a hash's slot into the CPU's cache.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[Home(Normal(hash))]); }

  size_t size() const { return size_; }
  size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t hash = 0;  // 0 = empty
    ModeVersions versions{};
  };

  static uint64_t Normal(uint64_t hash) { return hash == 0 ? 1 : hash; }
  size_t Home(uint64_t hash) const { return hash & mask_; }
  void Grow();

  std::vector<Slot> slots_;
  size_t mask_;
  size_t size_ = 0;
};

}  // namespace borealis::certifier
