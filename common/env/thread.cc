#include "common/env/thread.h"

#include <pthread.h>

#include "common/base/check.h"

namespace borealis::env {

void SetThreadName(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

Thread::Thread(std::string name, Task body)
    : thread_([name = std::move(name), body = std::move(body)]() mutable noexcept {
        SetThreadName(name);
        body();
      }) {}

Thread::~Thread() {
  BOREALIS_CHECK(!thread_.joinable());
}

void Thread::Join() {
  BOREALIS_CHECK(!IsCurrent());
  if (thread_.joinable()) thread_.join();
}

void BlockThreadFor(Duration duration) {
  std::this_thread::sleep_for(duration);
}

WorkerPool::WorkerPool(std::string name, size_t threads, size_t queue_max) : queue_max_(queue_max) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back(name + "-" + std::to_string(i), [this] { Run(); });
  }
}

WorkerPool::~WorkerPool() {
  Stop();
}

Status WorkerPool::Submit(Task task) {
  {
    std::lock_guard lock(mu_);
    if (stopping_) return Cancelled("worker pool stopped");
    if (!threads_.empty()) {
      if (queue_.size() >= queue_max_) return ResourceExhausted("worker pool queue full");
      queue_.push_back(std::move(task));
      wake_.notify_one();
      return Status::Ok();
    }
  }
  task();
  return Status::Ok();
}

void WorkerPool::Stop() {
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (Thread& thread : threads_) thread.Join();
}

size_t WorkerPool::queued() const {
  std::lock_guard lock(mu_);
  return queue_.size();
}

void WorkerPool::Run() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mu_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace borealis::env
