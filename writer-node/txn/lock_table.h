// Row locks among the sessions of one writer. Across writers nothing waits: certification decides.
//
// Four modes and PostgreSQL's matrix (wire::LocksConflict). Waiters queue first in, first out; a
// request is granted when it conflicts with no other holder and with no earlier waiter, except that
// an owner that already holds the key goes before those that do not (an upgrade behind them would
// deadlock at once). A request that would close a cycle of waits is refused at once with kDeadlock:
// every edge of the graph is known here.
//
// Threads: the writer's loop; Acquire blocks the calling fiber. Bounded by the number of
// transactions.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/env/fiber.h"
#include "common/wire/request.h"

namespace borealis::txn {

class LockTable {
  struct Entry;
  struct Waiter;

 public:
  using Mode = wire::AccessKind;  // kKeyShare .. kUpdate

  enum class WaitPolicy { kWait, kNoWait, kSkipLocked };
  enum class Outcome { kGranted, kDeadlock, kNotAvailable, kTimeout, kCancelled };

  // A transaction as the table sees it: one for each, made by it and living as long as it holds
  // locks.
  class Owner {
   public:
    Owner() = default;
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

   private:
    friend class LockTable;
    std::unordered_map<Bytes, uint8_t> held_;  // key -> bit set of modes
    Waiter* waiter_ = nullptr;                 // while it waits
    bool cancelled_ = false;
  };

  // What the last local committer left behind on a key that was waited for.
  struct Released {
    Version
        committed;  // the newest commit of a holder that was waited for; none if all rolled back
    TxnId by;
    Mode mode = Mode::kUpdate;  // the strongest mode that committer held
  };

  LockTable();
  ~LockTable();
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  // Takes `mode` on `key`, waiting up to `timeout` (0 = no limit). *released tells about commits of
  // those it waited for. Owned modes accumulate.
  Outcome Acquire(Owner* owner, ByteView key, Mode mode, WaitPolicy policy,
                  std::chrono::milliseconds timeout, Released* released);
  // Drops one mode of one key (ROLLBACK TO). No effect when not held.
  void Release(Owner* owner, ByteView key, Mode mode);
  // Ends the owner: everything is dropped. `committed` none for a rollback.
  void ReleaseAll(Owner* owner, Version committed, const TxnId& by);
  // Wakes the owner's wait, if any, with kCancelled; a later Acquire fails too until ResetCancel.
  void Cancel(Owner* owner);
  void ResetCancel(Owner* owner) { owner->cancelled_ = false; }

  // True when the owner holds a mode at least as strong.
  bool Holds(const Owner* owner, ByteView key, Mode mode) const;
  size_t locked_keys() const { return entries_.size(); }
  size_t waiters() const { return waiters_; }

 private:
  Entry* FindOrMake(ByteView key);
  void Grant(Entry* entry, Owner* owner, Mode mode);
  void Enqueue(Entry* entry, Waiter* waiter);
  // Owners that keep the waiter from its lock: conflicting holders and conflicting waiters before
  // it.
  static std::vector<Owner*> Blockers(const Waiter& waiter);
  static bool ClosesCycle(const Waiter& start);
  Outcome Wait(Entry* entry, Waiter* waiter, std::chrono::milliseconds timeout);
  // Grants what can be granted; forgets the entry when nothing is left of it.
  void Settle(Entry* entry);
  void ReleaseKey(Owner* owner, const Bytes& key, uint8_t modes, Version committed,
                  const TxnId& by);

  std::unordered_map<Bytes, std::unique_ptr<Entry>> entries_;
  size_t waiters_ = 0;
};

}  // namespace borealis::txn
