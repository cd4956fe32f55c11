// Keys that wait to be reconciled, in the manner of client-go's workqueue: a key is queued once;
// one that is added while it is worked on is worked on again afterwards, never by two at a time.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "common/env/clock.h"

namespace borealis::runtime {

// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(const env::Clock& clock) : clock_(clock) {}

  void Add(const std::string& key) { AddAfter(key, env::Duration(0)); }
  // The earliest moment wins.
  void AddAfter(const std::string& key, env::Duration delay);
  // After a failure: 0.1 s, doubled with each until 30 s.
  void AddRateLimited(const std::string& key);
  void Forget(const std::string& key);

  // A due key, which the caller must end with Done(); nothing when none is due.
  std::optional<std::string> TryTake();
  // Waits for at most `wait` of real time.
  std::optional<std::string> Take(std::chrono::milliseconds wait);
  void Done(const std::string& key);
  size_t size() const;

 private:
  std::optional<std::string> TryTakeLocked();

  const env::Clock& clock_;
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::map<std::string, env::MonotonicTime> due_;  // guarded by mu_
  std::set<std::string> working_;                  // guarded by mu_
  std::map<std::string, int> failures_;            // guarded by mu_
};

}  // namespace borealis::runtime
