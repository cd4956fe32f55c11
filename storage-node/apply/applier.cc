#include "storage-node/apply/applier.h"

namespace borealis::apply {

Applier::Applier(mvcc::Store* store, Options options)
    : store_(store), options_(std::move(options)), applied_(store->applied().version) {
  thread_ = env::Thread("apply", [this] { Run(); });
}

Applier::~Applier() {
  (void)Stop();
}

void Applier::Enqueue(std::shared_ptr<const CertifiedEntry> entry) {
  {
    const std::lock_guard lock(mu_);
    queued_bytes_ += entry->bytes;
    queue_.push_back(std::move(entry));
  }
  wake_.notify_one();
}

uint64_t Applier::WhenApplied(Version version, env::Task task) {
  {
    const std::lock_guard lock(mu_);
    if (version > applied_) {
      if (stopping_) return 0;
      const uint64_t handle = next_handle_++;
      waiters_.emplace(version, std::pair(handle, std::move(task)));
      waiting_versions_.emplace(handle, version);
      return handle;
    }
  }
  task();
  return 0;
}

void Applier::Forget(uint64_t handle) {
  env::Task dropped;  // destroyed outside the lock
  const std::lock_guard lock(mu_);
  const auto version = waiting_versions_.find(handle);
  if (version == waiting_versions_.end()) return;
  const auto [first, last] = waiters_.equal_range(version->second);
  for (auto it = first; it != last; ++it) {
    if (it->second.first != handle) continue;
    dropped = std::move(it->second.second);
    waiters_.erase(it);
    break;
  }
  waiting_versions_.erase(version);
}

Status Applier::Stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.Join();
  std::multimap<Version, std::pair<uint64_t, env::Task>> dropped;
  {
    const std::lock_guard lock(mu_);
    dropped.swap(waiters_);
    waiting_versions_.clear();
  }
  return result_;
}

size_t Applier::queued_bytes() const {
  const std::lock_guard lock(mu_);
  return queued_bytes_;
}

void Applier::Run() {
  std::vector<std::shared_ptr<const CertifiedEntry>> entries;
  while (true) {
    entries.clear();
    size_t bytes = 0;
    {
      std::unique_lock lock(mu_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) break;
      while (!queue_.empty() && (entries.empty() || bytes < options_.batch_bytes_max)) {
        bytes += queue_.front()->bytes;
        entries.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      queued_bytes_ -= bytes;
    }
    result_ = ApplySome(entries);
    if (!result_.ok()) {
      options_.on_error(result_);
      return;
    }
    RunWaiters(entries.back()->version);
    options_.on_applied(entries.back()->index, entries.back()->version);
  }
  result_ = store_->Flush();
}

Status Applier::ApplySome(const std::vector<std::shared_ptr<const CertifiedEntry>>& entries) {
  mvcc::ApplyBatch batch;
  for (const auto& entry : entries) {
    for (const AcceptedRequest& accepted : entry->accepted) {
      auto cursor = accepted.request.accesses();
      wire::Access access;
      while (cursor.Next(&access)) {
        if (access.op == wire::Op::kNone) continue;
        batch.mutations.push_back(
            {access.key, access.value, accepted.version, access.op == wire::Op::kDelete});
      }
    }
    if (!entry->stored_verdicts.empty()) {
      batch.verdicts.push_back({entry->index, entry->stored_verdicts});
    }
  }
  const CertifiedEntry& last = *entries.back();
  batch.applied_index = last.index;
  batch.applied_version = last.version;
  batch.horizon = last.horizon;
  batch.verdict_hash = last.verdict_hash;
  return store_->Apply(batch);
}

void Applier::RunWaiters(Version version) {
  std::vector<env::Task> due;
  {
    const std::lock_guard lock(mu_);
    applied_ = version;
    while (!waiters_.empty() && waiters_.begin()->first <= version) {
      waiting_versions_.erase(waiters_.begin()->second.first);
      due.push_back(std::move(waiters_.begin()->second.second));
      waiters_.erase(waiters_.begin());
    }
  }
  for (env::Task& task : due) task();
}

}  // namespace borealis::apply
