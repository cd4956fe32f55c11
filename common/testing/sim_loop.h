// Virtual time. A SimWorld holds one clock and one queue for any number of loops, all run by the
// calling thread, in an order that depends on nothing but the calls (and the seed, if shuffling).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/env/clock.h"
#include "common/env/loop.h"
#include "common/env/random.h"

namespace borealis::testing {

// Stands still until told otherwise. Thread-safe reading only while nobody advances it.
class ManualClock : public env::Clock {
 public:
  env::MonotonicTime Monotonic() const override { return env::MonotonicTime(now_); }
  env::WallTime Wall() const override { return env::WallTime(now_ + wall_offset_); }
  void Advance(env::Duration by) { now_ += by; }
  // Moves the wall clock alone, as an operator's hand or NTP would.
  void ShiftWall(env::Duration by) { wall_offset_ += by; }

 private:
  env::Duration now_ = std::chrono::seconds(1);
  env::Duration wall_offset_ = std::chrono::seconds(1'767'225'600);  // 2026-01-01
};

class SimWorld;

// Single-threaded: Post from another thread is a failed check.
class SimLoop : public env::Loop {
 public:
  // A world of its own.
  SimLoop();
  SimLoop(SimWorld& world, std::string name);
  ~SimLoop() override;  // drops what is queued

  void Post(env::Task task) override;
  void PostAtTurnEnd(env::Task task) override;
  env::TimerId RunAfter(env::Duration delay, env::Task task) override;
  bool Cancel(env::TimerId timer) override;
  bool InLoopThread() const override { return true; }
  const env::Clock& clock() const override;

  SimWorld& world() { return *world_; }
  // Of the world, for tests with one loop.
  size_t RunUntilIdle();
  void RunFor(env::Duration duration);

  // A paused loop keeps its tasks and timers until resumed (a process stopped by SIGSTOP).
  void SetPaused(bool paused);

 private:
  friend class SimWorld;
  bool RunTurn();

  std::unique_ptr<SimWorld> own_world_;
  SimWorld* world_;
  std::string name_;
  bool paused_ = false;
  std::deque<env::Task> posted_;
  std::deque<env::Task> turn_end_;
  std::map<std::pair<env::MonotonicTime, uint64_t>, env::Task> timers_;
};

class SimWorld {
 public:
  // With a seed, the loop to run next is chosen at random; without, in the order of creation.
  SimWorld() = default;
  explicit SimWorld(uint64_t seed) : random_(std::make_unique<env::SeededRandom>(seed)) {}

  ManualClock& clock() { return clock_; }
  // False once the loop was destroyed.
  bool Has(const SimLoop* loop) const;
  // Runs all that is due now; returns the number of tasks. Bounded: a million tasks without time
  // passing is a failed check (a livelock).
  size_t RunUntilIdle();
  // Runs what is due within the time, in order of time; the clock then stands at its end.
  void RunFor(env::Duration duration);
  // Advances to the next timer and runs it; false when there is none.
  bool RunNextTimer();
  // Runs until the condition holds, for at most `limit` of virtual time; false if it never did.
  bool RunUntil(const std::function<bool()>& condition, env::Duration limit);

 private:
  friend class SimLoop;
  std::optional<env::MonotonicTime> NextTimer() const;

  ManualClock clock_;
  std::unique_ptr<env::SeededRandom> random_;
  std::vector<SimLoop*> loops_;
  uint64_t next_timer_ = 1;
  size_t tasks_run_ = 0;
  const std::thread::id thread_ = std::this_thread::get_id();
};

}  // namespace borealis::testing
