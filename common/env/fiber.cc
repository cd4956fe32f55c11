// A fiber is always resumed from its loop's own stack by a posted task, never by another fiber: so
// there are exactly two sides to each switch, and no fiber runs inside another's call.
#include "common/env/fiber.h"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

#include "common/base/check.h"
#include "common/env/fiber_stack.h"

namespace borealis::env {

enum class WakeReason : uint8_t { kNone, kNotified, kTimeout, kCancelled };

// One blocked fiber; lives on its stack while it waits.
struct FiberEvent::Waiter {
  Waiter(Fiber* f, FiberEvent* e) : fiber(f), event(e) {}

  Fiber* const fiber;
  FiberEvent* const event;
  std::list<Waiter*>::iterator position;
  TimerId timer = TimerId::kNone;
  WakeReason reason = WakeReason::kNone;

  // Takes the waiter off its event and posts its fiber. Once.
  void Wake(WakeReason why);
};

class Fiber : public std::enable_shared_from_this<Fiber> {
 public:
  Fiber(Loop& l, std::string n, Task b)
      : loop(l), name(std::move(n)), body(std::move(b)), ended(l) {}

  void Start(size_t stack_bytes) {
    stack = TakeFiberStack(stack_bytes);
    own_side.Prepare(stack, &Fiber::Entry, this);
    keep_alive = shared_from_this();
    PostResume();
  }
  void PostResume() {
    loop.Post([this] { Resume(); });
  }
  // On the loop's stack: runs the fiber until it blocks or ends.
  void Resume();
  // On the fiber's stack: returns at the next Resume().
  void Suspend() { own_side.SwitchTo(loop_side, /*final=*/false); }

  bool cancel_requested() const { return cancelled && shields == 0; }

  Loop& loop;
  const std::string name;
  Task body;
  FiberStack stack;
  SwitchContext own_side;
  SwitchContext loop_side;
  FiberEvent ended;
  FiberEvent::Waiter* cancellable_wait = nullptr;  // set while it blocks and may be cancelled
  int shields = 0;
  bool cancelled = false;
  bool done = false;
  std::shared_ptr<Fiber> keep_alive;  // until done

 private:
  static void Entry(void* self);
  void RunBody();
};

namespace {

thread_local Fiber* current_fiber = nullptr;

Fiber& Current() {
  BOREALIS_CHECK(current_fiber != nullptr);
  return *current_fiber;
}

}  // namespace

void FiberEvent::Waiter::Wake(WakeReason why) {
  BOREALIS_CHECK(reason == WakeReason::kNone);
  reason = why;
  event->waiters_.erase(position);
  if (timer != TimerId::kNone && why != WakeReason::kTimeout) fiber->loop.Cancel(timer);
  fiber->cancellable_wait = nullptr;
  fiber->PostResume();
}

void Fiber::Resume() {
  BOREALIS_CHECK(current_fiber == nullptr);
  current_fiber = this;
  loop_side.PrepareCurrent();
  loop_side.SwitchTo(own_side, /*final=*/false);
  current_fiber = nullptr;
  if (!done) return;
  own_side.Destroy();
  ReturnFiberStack(stack);
  std::shared_ptr<Fiber> last = std::move(keep_alive);
  ended.NotifyAll();
}

void Fiber::Entry(void* self) {
  auto* fiber = static_cast<Fiber*>(self);
  fiber->RunBody();
  fiber->done = true;
  // Nothing with a destructor may be left on this stack here.
  fiber->own_side.SwitchTo(fiber->loop_side, /*final=*/true);
}

void Fiber::RunBody() {
  try {
    body();
    body = nullptr;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "exception left fiber %s: %s\n", name.c_str(), e.what());
    std::abort();
  } catch (...) {
    std::fprintf(stderr, "exception left fiber %s\n", name.c_str());
    std::abort();
  }
}

bool FiberHandle::done() const {
  return fiber_ == nullptr || fiber_->done;
}

bool FiberHandle::cancelled() const {
  return fiber_ != nullptr && fiber_->cancelled;
}

void FiberHandle::Cancel() {
  if (done()) return;
  BOREALIS_CHECK(fiber_->loop.InLoopThread());
  fiber_->cancelled = true;
  if (fiber_->cancellable_wait != nullptr) fiber_->cancellable_wait->Wake(WakeReason::kCancelled);
}

void FiberHandle::Join() {
  std::shared_ptr<Fiber> fiber = fiber_;  // outlives its `ended` while this waits on it
  while (fiber != nullptr && !fiber->done) fiber->ended.WaitUncancellable();
}

FiberHandle Spawn(Loop& loop, std::string name, Task body, FiberOptions options) {
  BOREALIS_CHECK(loop.InLoopThread());
  auto fiber = std::make_shared<Fiber>(loop, std::move(name), std::move(body));
  fiber->Start(options.stack_bytes);
  return FiberHandle(std::move(fiber));
}

bool InFiber() {
  return current_fiber != nullptr;
}
Loop& CurrentFiberLoop() {
  return Current().loop;
}
FiberHandle CurrentFiber() {
  return FiberHandle(Current().shared_from_this());
}
bool FiberCancelled() {
  return Current().cancel_requested();
}

void FiberYield() {
  Fiber& fiber = Current();
  fiber.PostResume();
  fiber.Suspend();
}

Status FiberSleep(Duration duration) {
  FiberEvent never(Current().loop);
  Status status = never.WaitFor(duration);
  return status.code() == Code::kDeadlineExceeded ? Status::Ok() : status;
}

FiberCancelShield::FiberCancelShield() {
  ++Current().shields;
}
FiberCancelShield::~FiberCancelShield() {
  --Current().shields;
}

Status FiberEvent::Wait() {
  return Block(std::nullopt, /*cancellable=*/true);
}
Status FiberEvent::WaitFor(Duration timeout) {
  return Block(timeout, /*cancellable=*/true);
}
void FiberEvent::WaitUncancellable() {
  Status status = Block(std::nullopt, /*cancellable=*/false);
  BOREALIS_CHECK(status.ok());
}

Status FiberEvent::Block(std::optional<Duration> timeout, bool cancellable) {
  Fiber& fiber = Current();
  BOREALIS_CHECK(&fiber.loop == &loop_);
  cancellable = cancellable && fiber.shields == 0;
  if (cancellable && fiber.cancelled) return Cancelled("fiber cancelled");
  if (std::exchange(pass_, false)) return Status::Ok();
  if (timeout && *timeout <= Duration(0)) return DeadlineExceeded("timed out");

  Waiter waiter(&fiber, this);
  waiter.position = waiters_.insert(waiters_.end(), &waiter);
  if (timeout) {
    waiter.timer = loop_.RunAfter(*timeout, [&waiter] { waiter.Wake(WakeReason::kTimeout); });
  }
  if (cancellable) fiber.cancellable_wait = &waiter;
  fiber.Suspend();

  BOREALIS_CHECK(waiter.reason != WakeReason::kNone);
  if (waiter.reason == WakeReason::kCancelled) return Cancelled("fiber cancelled");
  // A Notify() between the deadline and this moment found no waiter and left its pass.
  if (waiter.reason == WakeReason::kTimeout && !std::exchange(pass_, false)) {
    return DeadlineExceeded("timed out");
  }
  return Status::Ok();
}

void FiberEvent::Notify() {
  BOREALIS_CHECK(loop_.InLoopThread());
  if (waiters_.empty()) {
    pass_ = true;
  } else {
    waiters_.front()->Wake(WakeReason::kNotified);
  }
}

void FiberEvent::NotifyAll() {
  BOREALIS_CHECK(loop_.InLoopThread());
  while (!waiters_.empty()) waiters_.front()->Wake(WakeReason::kNotified);
}

void FiberMutex::Lock() {
  if (held_) {
    event_.WaitUncancellable();  // Unlock() handed it over: held_ stayed true
  } else {
    held_ = true;
  }
}

void FiberMutex::Unlock() {
  BOREALIS_CHECK(held_);
  if (event_.has_waiters()) {
    event_.Notify();
  } else {
    held_ = false;
  }
}

FiberGroup::~FiberGroup() {
  BOREALIS_CHECK(fibers_.empty());
}

FiberHandle FiberGroup::Spawn(std::string name, Task body, FiberOptions options) {
  auto it = fibers_.emplace(fibers_.end());
  *it = env::Spawn(
      loop_, std::move(name),
      [this, it, body = std::move(body)]() mutable {
        body();
        body = nullptr;  // what it owns may refer to the group's owner
        Ended(it);
      },
      options);
  FiberHandle handle = *it;
  if (cancelled_) handle.Cancel();
  return handle;
}

void FiberGroup::Ended(std::list<FiberHandle>::iterator it) {
  fibers_.erase(it);
  if (fibers_.empty() && when_empty_) loop_.Post(std::move(when_empty_));
}

void FiberGroup::CancelAll() {
  cancelled_ = true;
  for (FiberHandle& fiber : fibers_) fiber.Cancel();  // wakes by Post: the list stays as it is
}

void FiberGroup::WhenEmpty(Task task) {
  BOREALIS_CHECK(!when_empty_);
  if (fibers_.empty()) {
    loop_.Post(std::move(task));
  } else {
    when_empty_ = std::move(task);
  }
}

void FiberGroup::Wait() {
  if (fibers_.empty()) return;
  FiberEvent event(loop_);
  WhenEmpty([&event] { event.Notify(); });
  event.WaitUncancellable();
}

void FiberGroup::StopFromOutside() {
  if (loop_.InLoopThread()) {  // not running: nothing could end them any more
    BOREALIS_CHECK(fibers_.empty());
    return;
  }
  std::mutex mu;
  std::condition_variable changed;
  bool empty = false;
  loop_.Post([&] {
    CancelAll();
    WhenEmpty([&] {
      std::lock_guard lock(mu);
      empty = true;
      changed.notify_all();
    });
  });
  std::unique_lock lock(mu);
  changed.wait(lock, [&] { return empty; });
}

Status RunInPool(WorkerPool& pool, Task function) {
  Loop& loop = CurrentFiberLoop();
  FiberEvent event(loop);
  Status submitted = pool.Submit([&] {
    function();
    loop.Post([&event] { event.Notify(); });
  });
  if (submitted.ok()) event.WaitUncancellable();
  return submitted;
}

}  // namespace borealis::env
