#include "operator/runtime/workqueue.h"

#include <algorithm>

namespace borealis::runtime {

void WorkQueue::AddAfter(const std::string& key, env::Duration delay) {
  std::lock_guard lock(mu_);
  const env::MonotonicTime due = clock_.Monotonic() + delay;
  const auto [entry, added] = due_.emplace(key, due);
  if (!added) entry->second = std::min(entry->second, due);
  changed_.notify_one();
}

void WorkQueue::AddRateLimited(const std::string& key) {
  int failures;
  {
    std::lock_guard lock(mu_);
    failures = std::min(failures_[key]++, 9);
  }
  AddAfter(key, std::min(env::Duration(100'000) * (1 << failures), env::Duration(30'000'000)));
}

void WorkQueue::Forget(const std::string& key) {
  std::lock_guard lock(mu_);
  failures_.erase(key);
}

std::optional<std::string> WorkQueue::TryTakeLocked() {
  const env::MonotonicTime now = clock_.Monotonic();
  auto first = due_.end();
  for (auto it = due_.begin(); it != due_.end(); ++it) {
    if (it->second > now || working_.count(it->first) > 0) continue;
    if (first == due_.end() || it->second < first->second) first = it;
  }
  if (first == due_.end()) return std::nullopt;
  const std::string key = first->first;
  due_.erase(first);
  working_.insert(key);
  return key;
}

std::optional<std::string> WorkQueue::TryTake() {
  std::lock_guard lock(mu_);
  return TryTakeLocked();
}

std::optional<std::string> WorkQueue::Take(std::chrono::milliseconds wait) {
  std::unique_lock lock(mu_);
  auto key = TryTakeLocked();
  if (key) return key;
  // Not later than the next key that gets due.
  const env::MonotonicTime now = clock_.Monotonic();
  env::Duration time = wait;
  for (const auto& [name, due] : due_) {
    if (working_.count(name) == 0) time = std::min(time, std::max(due - now, env::Duration(1000)));
  }
  changed_.wait_for(lock, time);
  return TryTakeLocked();
}

void WorkQueue::Done(const std::string& key) {
  std::lock_guard lock(mu_);
  working_.erase(key);
  changed_.notify_one();
}

size_t WorkQueue::size() const {
  std::lock_guard lock(mu_);
  return due_.size();
}

}  // namespace borealis::runtime
