// One turn: asio runs the handlers of all that is ready, then the posted tasks run (including, for
// a few rounds, those which they post, so that what a woken fiber sends still leaves in this turn),
// then those of turn end. Only a turn that leaves nothing behind blocks in epoll_wait.
#include "common/env/loop.h"

#include <asio/post.hpp>
#include <condition_variable>

#include "common/base/check.h"
#include "common/env/asio_loop.h"

namespace borealis::env {
namespace {

constexpr int kPostedRoundsPerTurn = 8;
constexpr int kTurnEndRoundsPerTurn = 4;
constexpr int kTurnsAfterStop = 64;

thread_local AsioLoop::Impl* current_loop = nullptr;

// Runs the tasks that are queued now, not those which they add.
void RunRound(std::deque<Task>& queue) {
  for (size_t n = queue.size(); n > 0; --n) {
    Task task = std::move(queue.front());
    queue.pop_front();
    task();
  }
}

}  // namespace

AsioLoop::AsioLoop(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {}

AsioLoop::~AsioLoop() {
  Stop();
  impl_->DropTasks();
}

void AsioLoop::Start() {
  BOREALIS_CHECK(impl_->state == Impl::State::kIdle);
  impl_->state = Impl::State::kRunning;
  impl_->thread = Thread(impl_->name, [this] { impl_->Run(); });
}

void AsioLoop::Stop() {
  if (impl_->state == Impl::State::kIdle) {
    std::lock_guard lock(impl_->mu);
    impl_->stop_requested = true;
    impl_->state = Impl::State::kStopped;
    return;
  }
  {
    std::lock_guard lock(impl_->mu);
    impl_->stop_requested = true;
    impl_->remote_pending = true;
  }
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [] {});
  impl_->thread.Join();
  impl_->state = Impl::State::kStopped;
  impl_->DropTasks();
}

void AsioLoop::Post(Task task) {
  if (current_loop == impl_.get()) {
    impl_->posted.push_back(std::move(task));
    return;
  }
  bool wake = false;
  {
    std::lock_guard lock(impl_->mu);
    if (impl_->stop_requested) return;  // the task is destroyed after the lock
    impl_->remote.push_back(std::move(task));
    wake = !impl_->remote_pending.exchange(true);
  }
  if (wake) asio::post(impl_->io, [] {});
}

void AsioLoop::PostAtTurnEnd(Task task) {
  BOREALIS_CHECK(InLoopThread());
  if (impl_->state == Impl::State::kStopped) return;
  impl_->turn_end.push_back(std::move(task));
}

TimerId AsioLoop::RunAfter(Duration delay, Task task) {
  BOREALIS_CHECK(InLoopThread());
  if (impl_->state == Impl::State::kStopped) return TimerId::kNone;
  // One microsecond more, as the clock's reading was cut down to whole ones.
  MonotonicTime deadline = clock().Monotonic() + std::max(delay, Duration(0)) + Duration(1);
  uint64_t id = impl_->next_timer++;
  impl_->timers.emplace(std::pair(deadline, id), std::move(task));
  impl_->deadlines.emplace(id, deadline);
  if (deadline < impl_->armed_for) impl_->ArmTimer();
  return TimerId{id};
}

bool AsioLoop::Cancel(TimerId timer) {
  BOREALIS_CHECK(InLoopThread());
  auto it = impl_->deadlines.find(static_cast<uint64_t>(timer));
  if (it == impl_->deadlines.end()) return false;
  auto node = impl_->timers.extract(std::pair(it->second, it->first));
  impl_->deadlines.erase(it);
  return true;  // the task is destroyed with the node, and may use the loop while it is
}

bool AsioLoop::InLoopThread() const {
  return current_loop == impl_.get() || impl_->state != Impl::State::kRunning;
}

const Clock& AsioLoop::clock() const {
  return SystemClock();
}

void AsioLoop::Impl::Run() {
  current_loop = this;
  int turns_after_stop = 0;
  for (;;) {
    bool more = RunTurn();
    bool stopping;
    {
      std::lock_guard lock(mu);
      stopping = stop_requested;
    }
    if (stopping && (!more || ++turns_after_stop >= kTurnsAfterStop)) break;
    if (!more && !stopping) io.run_one();
    io.poll();
  }
  current_loop = nullptr;
}

// True when tasks are left that want another turn before the loop may wait.
bool AsioLoop::Impl::RunTurn() {
  TakeRemote();
  for (int i = 0; i < kPostedRoundsPerTurn && !posted.empty(); ++i) {
    RunRound(posted);
    TakeRemote();
  }
  for (int i = 0; i < kTurnEndRoundsPerTurn && !turn_end.empty(); ++i) RunRound(turn_end);
  return !posted.empty() || !turn_end.empty();
}

void AsioLoop::Impl::TakeRemote() {
  if (!remote_pending.load(std::memory_order_acquire)) return;
  std::vector<Task> tasks;
  {
    std::lock_guard lock(mu);
    tasks.swap(remote);
    remote_pending = false;
  }
  for (Task& task : tasks) posted.push_back(std::move(task));
}

void AsioLoop::Impl::ArmTimer() {
  armed_for = timers.begin()->first.first;
  timer.expires_at(std::chrono::steady_clock::time_point(armed_for.time_since_epoch()));
  timer.async_wait([this](const asio::error_code& error) {
    if (error) return;  // armed anew for an earlier deadline
    armed_for = MonotonicTime::max();
    RunDueTimers();
  });
}

void AsioLoop::Impl::RunDueTimers() {
  // Timers that a task sets meanwhile wait for the next wake-up, even at delay 0: id below limit.
  const MonotonicTime now = SystemClock().Monotonic();
  const uint64_t limit = next_timer;
  for (auto it = timers.begin(); it != timers.end() && it->first.first <= now;) {
    if (it->first.second >= limit) {
      ++it;
      continue;
    }
    Task task = std::move(it->second);
    deadlines.erase(it->first.second);
    timers.erase(it);
    task();
    it = timers.begin();  // the task may have cancelled others
  }
  if (!timers.empty() && timers.begin()->first.first < armed_for) ArmTimer();
}

// Tasks may post and set timers while they are destroyed; the state makes that without effect.
void AsioLoop::Impl::DropTasks() {
  std::vector<Task> dropped_remote;
  {
    std::lock_guard lock(mu);
    dropped_remote.swap(remote);
  }
  std::deque<Task> dropped_posted = std::exchange(posted, {});
  std::deque<Task> dropped_turn_end = std::exchange(turn_end, {});
  deadlines.clear();
  std::map<std::pair<MonotonicTime, uint64_t>, Task> dropped_timers = std::exchange(timers, {});
}

bool RunOnLoop(Loop& loop, Task task) {
  if (loop.InLoopThread()) {
    task();
    return true;
  }
  struct Shared {
    std::mutex mu;
    std::condition_variable changed;
    bool ran = false;
    bool over = false;
  };
  // Its destruction, with or without a run, ends the wait: a stopped loop drops the task.
  struct Ticket {
    explicit Ticket(std::shared_ptr<Shared> s) : shared(std::move(s)) {}
    ~Ticket() {
      std::lock_guard lock(shared->mu);
      shared->over = true;
      shared->changed.notify_all();
    }
    std::shared_ptr<Shared> shared;
  };
  auto shared = std::make_shared<Shared>();
  loop.Post([ticket = std::make_unique<Ticket>(shared), task = std::move(task)]() mutable {
    task();
    task = nullptr;
    std::lock_guard lock(ticket->shared->mu);
    ticket->shared->ran = true;
  });
  std::unique_lock lock(shared->mu);
  shared->changed.wait(lock, [&] { return shared->over; });
  return shared->ran;
}

}  // namespace borealis::env
