#include "writer-node/txn/lock_table.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace borealis::txn {
namespace {

uint8_t Bit(LockTable::Mode mode) {
  return static_cast<uint8_t>(1u << (static_cast<int>(mode) - 1));
}

bool AnyConflicts(uint8_t held, LockTable::Mode mode) {
  for (int m = 1; m <= 4; ++m) {
    const auto other = static_cast<LockTable::Mode>(m);
    if ((held & Bit(other)) != 0 && wire::LocksConflict(other, mode)) return true;
  }
  return false;
}

LockTable::Mode Strongest(uint8_t held) {
  for (int m = 4; m > 1; --m) {
    if ((held & Bit(static_cast<LockTable::Mode>(m))) != 0) return static_cast<LockTable::Mode>(m);
  }
  return LockTable::Mode::kKeyShare;
}

}  // namespace

// On the stack of the waiting fiber.
struct LockTable::Waiter {
  Waiter(Owner* o, Mode m, bool u)
      : owner(o), mode(m), upgrade(u), event(env::CurrentFiberLoop()) {}
  Owner* owner;
  Mode mode;
  bool upgrade;  // holds a weaker mode of the key already
  Entry* entry = nullptr;
  bool granted = false;
  Released released;
  env::FiberEvent event;
};

struct LockTable::Entry {
  Bytes key;
  std::vector<std::pair<Owner*, uint8_t>> holders;
  std::list<Waiter*> queue;
};

LockTable::Entry* LockTable::FindOrMake(ByteView key) {
  std::unique_ptr<Entry>& slot = entries_[Bytes(key)];
  if (!slot) {
    slot = std::make_unique<Entry>();
    slot->key = Bytes(key);
  }
  return slot.get();
}

void LockTable::Grant(Entry* entry, Owner* owner, Mode mode) {
  owner->held_[entry->key] |= Bit(mode);
  for (auto& [holder, modes] : entry->holders) {
    if (holder == owner) {
      modes |= Bit(mode);
      return;
    }
  }
  entry->holders.emplace_back(owner, Bit(mode));
}

void LockTable::Enqueue(Entry* entry, Waiter* waiter) {
  auto at = entry->queue.end();
  if (waiter->upgrade) {
    at = std::find_if(entry->queue.begin(), entry->queue.end(),
                      [](const Waiter* other) { return !other->upgrade; });
  }
  entry->queue.insert(at, waiter);
  waiter->entry = entry;
  waiter->owner->waiter_ = waiter;
}

std::vector<LockTable::Owner*> LockTable::Blockers(const Waiter& waiter) {
  std::vector<Owner*> out;
  for (const auto& [holder, modes] : waiter.entry->holders) {
    if (holder != waiter.owner && AnyConflicts(modes, waiter.mode)) out.push_back(holder);
  }
  for (const Waiter* other : waiter.entry->queue) {
    if (other == &waiter) break;
    if (wire::LocksConflict(other->mode, waiter.mode)) out.push_back(other->owner);
  }
  return out;
}

bool LockTable::ClosesCycle(const Waiter& start) {
  // Depth first over "waits for"; each owner waits for at most one key, so the graph is walked
  // once.
  std::unordered_set<const Owner*> seen;
  std::vector<const Waiter*> stack = {&start};
  while (!stack.empty()) {
    const Waiter* waiter = stack.back();
    stack.pop_back();
    for (Owner* blocker : Blockers(*waiter)) {
      if (blocker == start.owner) return true;
      if (!seen.insert(blocker).second) continue;
      if (blocker->waiter_ != nullptr) stack.push_back(blocker->waiter_);
    }
  }
  return false;
}

LockTable::Outcome LockTable::Acquire(Owner* owner, ByteView key, Mode mode, WaitPolicy policy,
                                      std::chrono::milliseconds timeout, Released* released) {
  BOREALIS_CHECK(wire::IsLock(mode) && owner->waiter_ == nullptr);
  if (owner->cancelled_) return Outcome::kCancelled;
  if (Holds(owner, key, mode)) return Outcome::kGranted;
  Entry* entry = FindOrMake(key);
  if (entry->holders.empty() && entry->queue.empty()) {
    Grant(entry, owner, mode);
    return Outcome::kGranted;
  }
  Waiter waiter(owner, mode, owner->held_.contains(entry->key));
  Enqueue(entry, &waiter);
  const bool blocked = !Blockers(waiter).empty();
  Outcome outcome = Outcome::kGranted;
  if (!blocked) {
    Grant(entry, owner, mode);
  } else if (policy != WaitPolicy::kWait) {
    outcome = Outcome::kNotAvailable;
  } else if (ClosesCycle(waiter)) {
    outcome = Outcome::kDeadlock;
  } else {
    outcome = Wait(entry, &waiter, timeout);
    *released = waiter.released;
  }
  owner->waiter_ = nullptr;
  if (waiter.granted) return outcome;  // whoever granted it took it from the queue
  entry->queue.remove(&waiter);
  Settle(entry);
  return outcome;
}

LockTable::Outcome LockTable::Wait(Entry* entry, Waiter* waiter,
                                   std::chrono::milliseconds timeout) {
  ++waiters_;
  const env::Clock& clock = env::CurrentFiberLoop().clock();
  const env::MonotonicTime deadline = clock.Monotonic() + timeout;
  Outcome outcome = Outcome::kGranted;
  while (!waiter->granted && outcome == Outcome::kGranted) {
    Status status;
    if (timeout.count() == 0) {
      status = waiter->event.Wait();
    } else {
      const env::Duration left = deadline - clock.Monotonic();
      status = left.count() > 0 ? waiter->event.WaitFor(left) : DeadlineExceeded("lock timeout");
    }
    if (waiter->granted) break;  // a grant that came together with the end of the wait counts
    if (status.code() == Code::kDeadlineExceeded) outcome = Outcome::kTimeout;
    if (status.code() == Code::kCancelled || waiter->owner->cancelled_)
      outcome = Outcome::kCancelled;
  }
  --waiters_;
  return outcome;
}

void LockTable::Settle(Entry* entry) {
  for (auto it = entry->queue.begin(); it != entry->queue.end();) {
    Waiter* waiter = *it;
    if (!Blockers(*waiter).empty()) {
      ++it;
      continue;
    }
    it = entry->queue.erase(it);
    Grant(entry, waiter->owner, waiter->mode);
    waiter->granted = true;
    waiter->owner->waiter_ = nullptr;
    waiter->event.Notify();
  }
  if (entry->holders.empty() && entry->queue.empty()) {
    const Bytes key = entry->key;
    entries_.erase(key);
  }
}

void LockTable::ReleaseKey(Owner* owner, const Bytes& key, uint8_t modes, Version committed,
                           const TxnId& by) {
  auto found = entries_.find(key);
  BOREALIS_CHECK(found != entries_.end());
  Entry* entry = found->second.get();
  auto holder = std::find_if(entry->holders.begin(), entry->holders.end(),
                             [owner](const auto& h) { return h.first == owner; });
  BOREALIS_CHECK(holder != entry->holders.end());
  if (committed) {
    for (Waiter* waiter : entry->queue) {
      if (!AnyConflicts(holder->second, waiter->mode) || waiter->released.committed > committed)
        continue;
      waiter->released = {committed, by, Strongest(holder->second)};
    }
  }
  holder->second &= static_cast<uint8_t>(~modes);
  if (holder->second == 0) entry->holders.erase(holder);
  Settle(entry);
}

void LockTable::Release(Owner* owner, ByteView key, Mode mode) {
  auto held = owner->held_.find(Bytes(key));
  if (held == owner->held_.end() || (held->second & Bit(mode)) == 0) return;
  held->second &= static_cast<uint8_t>(~Bit(mode));
  const Bytes copy = held->first;
  if (held->second == 0) owner->held_.erase(held);
  ReleaseKey(owner, copy, Bit(mode), Version(), TxnId());
}

void LockTable::ReleaseAll(Owner* owner, Version committed, const TxnId& by) {
  BOREALIS_CHECK(owner->waiter_ == nullptr);
  const std::unordered_map<Bytes, uint8_t> held = std::exchange(owner->held_, {});
  for (const auto& [key, modes] : held) ReleaseKey(owner, key, modes, committed, by);
}

void LockTable::Cancel(Owner* owner) {
  owner->cancelled_ = true;
  if (owner->waiter_ != nullptr) owner->waiter_->event.Notify();
}

bool LockTable::Holds(const Owner* owner, ByteView key, Mode mode) const {
  auto held = owner->held_.find(Bytes(key));
  return held != owner->held_.end() && Strongest(held->second) >= mode;
}

LockTable::LockTable() = default;
LockTable::~LockTable() = default;

}  // namespace borealis::txn
