// The inside of AsioLoop, for common/env's own sources only.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/env/loop.h"
#include "common/env/thread.h"

namespace borealis::env {

struct AsioLoop::Impl {
  enum class State : uint8_t { kIdle, kRunning, kStopped };

  explicit Impl(std::string n) : name(std::move(n)), timer(io) {}

  void Run();
  bool RunTurn();
  void TakeRemote();
  void ArmTimer();
  void RunDueTimers();
  void DropTasks();

  const std::string name;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  Thread thread;
  std::atomic<State> state{State::kIdle};

  // Loop thread only (or any while idle or stopped).
  std::deque<Task> posted;
  std::deque<Task> turn_end;
  std::map<std::pair<MonotonicTime, uint64_t>, Task> timers;  // by deadline, then creation
  std::unordered_map<uint64_t, MonotonicTime> deadlines;      // of each key of timers
  uint64_t next_timer = 1;
  asio::steady_timer timer;
  // What `timer` waits for: never later than the first deadline while there is one. Cancelled
  // timers leave it early, which costs one idle wake-up and saves a system call each.
  MonotonicTime armed_for = MonotonicTime::max();

  std::mutex mu;
  std::vector<Task> remote;                 // guarded by mu: posted by other threads
  bool stop_requested = false;              // guarded by mu
  std::atomic<bool> remote_pending{false};  // written under mu; also set by the stop request
};

}  // namespace borealis::env
