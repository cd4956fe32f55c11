#include "common/testing/sim_loop.h"

#include <algorithm>

#include "common/base/check.h"

namespace borealis::testing {
namespace {

constexpr size_t kTasksWithoutTimeMax = 1'000'000;

}  // namespace

SimLoop::SimLoop() : own_world_(std::make_unique<SimWorld>()), world_(own_world_.get()) {
  world_->loops_.push_back(this);
}

SimLoop::SimLoop(SimWorld& world, std::string name) : world_(&world), name_(std::move(name)) {
  world_->loops_.push_back(this);
}

SimLoop::~SimLoop() {
  std::erase(world_->loops_, this);
  // Destroyed tasks may still post: into queues that are then dropped as well.
  while (!posted_.empty() || !turn_end_.empty() || !timers_.empty()) {
    std::deque<env::Task> posted = std::exchange(posted_, {});
    std::deque<env::Task> turn_end = std::exchange(turn_end_, {});
    auto timers = std::exchange(timers_, {});
  }
}

void SimLoop::Post(env::Task task) {
  BOREALIS_CHECK(std::this_thread::get_id() == world_->thread_);
  posted_.push_back(std::move(task));
}

void SimLoop::PostAtTurnEnd(env::Task task) {
  turn_end_.push_back(std::move(task));
}

env::TimerId SimLoop::RunAfter(env::Duration delay, env::Task task) {
  const uint64_t id = world_->next_timer_++;
  const env::MonotonicTime deadline =
      world_->clock_.Monotonic() + std::max(delay, env::Duration(0));
  timers_.emplace(std::pair(deadline, id), std::move(task));
  return env::TimerId{id};
}

bool SimLoop::Cancel(env::TimerId timer) {
  auto it = std::find_if(timers_.begin(), timers_.end(), [&](const auto& entry) {
    return entry.first.second == static_cast<uint64_t>(timer);
  });
  if (it == timers_.end()) return false;
  auto node = timers_.extract(it);
  return true;
}

const env::Clock& SimLoop::clock() const {
  return world_->clock_;
}
size_t SimLoop::RunUntilIdle() {
  return world_->RunUntilIdle();
}
void SimLoop::RunFor(env::Duration duration) {
  world_->RunFor(duration);
}
void SimLoop::SetPaused(bool paused) {
  paused_ = paused;
}

// One round of what is due; true when anything ran. The loop may be destroyed by its own task, as a
// simulated process that crashes: the check of the world's list tells.
bool SimLoop::RunTurn() {
  if (paused_) return false;
  SimWorld* world = world_;
  bool ran = false;
  auto alive = [&] {
    return std::find(world->loops_.begin(), world->loops_.end(), this) != world->loops_.end();
  };
  auto run = [&](env::Task task) {
    ran = true;
    ++world->tasks_run_;
    task();
    return alive() && !paused_;
  };
  const env::MonotonicTime now = world->clock_.Monotonic();
  const uint64_t next_timer = world->next_timer_;  // later ones wait for the next turn
  while (!timers_.empty() && timers_.begin()->first.first <= now &&
         timers_.begin()->first.second < next_timer) {
    auto node = timers_.extract(timers_.begin());
    if (!run(std::move(node.mapped()))) return true;
  }
  for (size_t n = posted_.size(); n > 0 && !posted_.empty(); --n) {
    env::Task task = std::move(posted_.front());
    posted_.pop_front();
    if (!run(std::move(task))) return true;
  }
  if (!posted_.empty()) return true;  // a fiber woken in this turn still belongs to it
  while (!turn_end_.empty()) {
    env::Task task = std::move(turn_end_.front());
    turn_end_.pop_front();
    if (!run(std::move(task))) return true;
  }
  return ran;
}

bool SimWorld::Has(const SimLoop* loop) const {
  return std::find(loops_.begin(), loops_.end(), loop) != loops_.end();
}

size_t SimWorld::RunUntilIdle() {
  const size_t before = tasks_run_;
  for (;;) {
    std::vector<SimLoop*> order = loops_;
    if (random_ != nullptr) {
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_->Uniform(i)]);
    }
    bool ran = false;
    for (SimLoop* loop : order) {
      const bool alive = std::find(loops_.begin(), loops_.end(), loop) != loops_.end();
      if (alive && loop->RunTurn()) ran = true;
    }
    if (!ran) return tasks_run_ - before;
    BOREALIS_CHECK(tasks_run_ - before < kTasksWithoutTimeMax);
  }
}

std::optional<env::MonotonicTime> SimWorld::NextTimer() const {
  std::optional<env::MonotonicTime> next;
  for (const SimLoop* loop : loops_) {
    if (loop->paused_ || loop->timers_.empty()) continue;
    const env::MonotonicTime first = loop->timers_.begin()->first.first;
    if (!next || first < *next) next = first;
  }
  return next;
}

bool SimWorld::RunNextTimer() {
  RunUntilIdle();
  std::optional<env::MonotonicTime> next = NextTimer();
  if (!next) return false;
  clock_.Advance(std::max(*next - clock_.Monotonic(), env::Duration(0)));
  RunUntilIdle();
  return true;
}

void SimWorld::RunFor(env::Duration duration) {
  const env::MonotonicTime end = clock_.Monotonic() + duration;
  RunUntilIdle();
  for (;;) {
    std::optional<env::MonotonicTime> next = NextTimer();
    if (!next || *next > end) break;
    RunNextTimer();
  }
  if (clock_.Monotonic() < end) clock_.Advance(end - clock_.Monotonic());
  RunUntilIdle();
}

bool SimWorld::RunUntil(const std::function<bool()>& condition, env::Duration limit) {
  const env::MonotonicTime end = clock_.Monotonic() + limit;
  RunUntilIdle();
  while (!condition()) {
    std::optional<env::MonotonicTime> next = NextTimer();
    if (!next || *next > end) return false;
    RunNextTimer();
  }
  return true;
}

}  // namespace borealis::testing
