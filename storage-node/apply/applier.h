// The applier: writes certified entries to the MVCC store, in order, on a thread of its own.
//
// The queue is bounded by its feeder: Raft hands out at most apply_bytes_max beyond what was
// reported by on_applied. Entries that wait together become one batch. A failed write is reported
// once by `on_error`; nothing is applied after it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "common/env/function.h"
#include "common/env/thread.h"
#include "storage-node/apply/state_machine.h"
#include "storage-node/mvcc/store.h"

namespace borealis::apply {

class Applier {
 public:
  struct Options {
    size_t batch_bytes_max = 4u << 20;
    // Both run on the applier's thread and must not block.
    std::function<void(LogIndex, Version)> on_applied;
    std::function<void(const Status&)> on_error;
  };

  // `store` is borrowed. Starts the thread.
  Applier(mvcc::Store* store, Options options);
  ~Applier();  // Stop()

  // Any thread; entries in log order.
  void Enqueue(std::shared_ptr<const CertifiedEntry> entry);

  // Runs `task` once the store has applied `version`: at once, in the call, if it has already, else
  // on the applier's thread, where it must not block. Returns a handle for Forget; 0 if it ran
  // already. After Stop() tasks that wait are destroyed without running. Any thread.
  uint64_t WhenApplied(Version version, env::Task task);
  // Destroys a waiting task. No effect if it ran or runs now. Any thread.
  void Forget(uint64_t handle);

  // Applies what is queued, flushes the store, joins the thread. Idempotent.
  Status Stop();

  size_t queued_bytes() const;

 private:
  void Run();
  Status ApplySome(const std::vector<std::shared_ptr<const CertifiedEntry>>& entries);
  void RunWaiters(Version version);

  mvcc::Store* const store_;
  const Options options_;

  mutable std::mutex mu_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<const CertifiedEntry>> queue_;         // guarded by mu_
  size_t queued_bytes_ = 0;                                         // guarded by mu_
  bool stopping_ = false;                                           // guarded by mu_
  Version applied_;                                                 // guarded by mu_
  uint64_t next_handle_ = 1;                                        // guarded by mu_
  std::multimap<Version, std::pair<uint64_t, env::Task>> waiters_;  // guarded by mu_
  std::map<uint64_t, Version> waiting_versions_;  // guarded by mu_; handle -> key above
  Status result_;                                 // applier's thread, then after the join
  env::Thread thread_;
};

}  // namespace borealis::apply
