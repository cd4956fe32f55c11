#include "storage-node/certifier/point_table.h"

#include <utility>

namespace borealis::certifier {
namespace {
constexpr size_t kInitialSlots = 1024;
}

PointTable::PointTable() : slots_(kInitialSlots), mask_(kInitialSlots - 1) {}

const ModeVersions* PointTable::Find(uint64_t hash) const {
  hash = Normal(hash);
  for (size_t i = Home(hash);; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash) return &slots_[i].versions;
    if (slots_[i].hash == 0) return nullptr;
  }
}

ModeVersions* PointTable::Find(uint64_t hash) {
  return const_cast<ModeVersions*>(std::as_const(*this).Find(hash));
}

ModeVersions& PointTable::FindOrInsert(uint64_t hash) {
  hash = Normal(hash);
  if ((size_ + 1) * 8 > slots_.size() * 5) Grow();
  size_t i = Home(hash);
  while (slots_[i].hash != 0 && slots_[i].hash != hash) i = (i + 1) & mask_;
  if (slots_[i].hash == 0) {
    slots_[i].hash = hash;
    slots_[i].versions = {};
    ++size_;
  }
  return slots_[i].versions;
}

void PointTable::Erase(uint64_t hash) {
  hash = Normal(hash);
  size_t hole = Home(hash);
  while (slots_[hole].hash != hash) {
    if (slots_[hole].hash == 0) return;
    hole = (hole + 1) & mask_;
  }
  // Move later entries of the same run back into the hole, unless that would put one before its
  // home.
  for (size_t i = (hole + 1) & mask_; slots_[i].hash != 0; i = (i + 1) & mask_) {
    const size_t distance_to_home = (i - Home(slots_[i].hash)) & mask_;
    const size_t distance_to_hole = (i - hole) & mask_;
    if (distance_to_home < distance_to_hole) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = Slot{};
  --size_;
}

void PointTable::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.hash == 0) continue;
    size_t i = Home(slot.hash);
    while (slots_[i].hash != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

}  // namespace borealis::certifier
