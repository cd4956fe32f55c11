// Threads, for the few who need one beside a loop. std::mutex and std::condition_variable are used
// as they are.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "common/env/clock.h"
#include "common/env/function.h"

namespace borealis::env {

// A named thread (at most 15 characters show). Its owner joins it before destruction.
class Thread {
 public:
  Thread() = default;
  Thread(std::string name, Task body);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = default;
  ~Thread();  // requires !joinable()
  bool joinable() const { return thread_.joinable(); }
  void Join();
  bool IsCurrent() const { return thread_.get_id() == std::this_thread::get_id(); }

 private:
  std::thread thread_;
};

// Names the calling thread.
void SetThreadName(const std::string& name);

// Blocks the calling thread. For fault hooks (Pause) and tests; everything else waits on a loop.
void BlockThreadFor(Duration duration);

// A fixed number of threads over a bounded queue. Thread-safe. With no threads, Submit() runs the
// task itself: so a simulation stays on one thread.
class WorkerPool {
 public:
  WorkerPool(std::string name, size_t threads, size_t queue_max);
  ~WorkerPool();  // stops

  // kResourceExhausted when the queue is full, kCancelled after Stop(); the task is then destroyed.
  Status Submit(Task task);
  // Accepted tasks still run. Waits for the threads. Idempotent. Not from a worker.
  void Stop();
  size_t queued() const;

 private:
  void Run();

  const size_t queue_max_;
  mutable std::mutex mu_;
  std::condition_variable wake_;
  bool stopping_ = false;        // guarded by mu_
  std::deque<Task> queue_;       // guarded by mu_
  std::vector<Thread> threads_;  // constant until Stop
};

}  // namespace borealis::env
