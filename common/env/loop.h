// Loop: a single-threaded event loop. A component belongs to one loop and runs on its thread only;
// everything else talks to it by Post. The simulator implements the same interface in virtual time
// (common/testing/sim_loop.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/env/clock.h"
#include "common/env/function.h"

namespace borealis::env {

// 0 names no timer.
enum class TimerId : uint64_t { kNone = 0 };

// A turn is: the handlers of what was ready, then the posted tasks, then the tasks of turn end.
class Loop {
 public:
  virtual ~Loop() = default;

  // Runs the task later on the loop's thread, after the current task; tasks of one posting thread
  // keep their order. From the loop's own thread it takes no lock and no system call. Any thread.
  // After Stop() the task is destroyed without running.
  virtual void Post(Task task) = 0;

  // Runs the task once at the end of the current turn, before the loop waits again: the place to
  // send what the turn has gathered in one system call. Loop thread only.
  virtual void PostAtTurnEnd(Task task) = 0;

  // Runs the task once, `delay` or a little more from now; timers with the same deadline run in
  // the order of their creation. Loop thread only.
  virtual TimerId RunAfter(Duration delay, Task task) = 0;

  // True when the timer had not run and now never will; its task is destroyed. Loop thread only.
  virtual bool Cancel(TimerId timer) = 0;

  // Also true for every thread before the loop was started, so that it can be furnished.
  virtual bool InLoopThread() const = 0;

  virtual const Clock& clock() const = 0;
};

// Runs the function on the loop's thread and waits for its end; from the loop's own thread it just
// calls. False when the loop was stopped before the function ran. Not for a simulated loop. For
// set-up, tests and admin calls, not for hot paths.
bool RunOnLoop(Loop& loop, Task task);

// The real loop: an Asio io_context run by one thread of its own. Owner's rule: construct, furnish,
// Start(); Stop() from another thread; then destroy what lives on the loop, then the loop.
class AsioLoop final : public Loop {
 public:
  // The name (at most 15 characters) shows in top and gdb. The clock is the system's.
  explicit AsioLoop(std::string name);
  ~AsioLoop() override;  // stops

  void Start();
  // Tasks posted before the call still run (for at most 64 further turns, as they may post again);
  // pending timers and reads do not. Waits for the thread. Idempotent. Never from the loop's
  // thread.
  void Stop();

  void Post(Task task) override;
  void PostAtTurnEnd(Task task) override;
  TimerId RunAfter(Duration delay, Task task) override;
  bool Cancel(TimerId timer) override;
  bool InLoopThread() const override;
  const Clock& clock() const override;

  // For common/env's own network and signals: Asio types stay out of the headers.
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::env
