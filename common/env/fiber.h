// Stackful fibers on a Loop: plain functions that may block on events without blocking the thread.
// They replace C++20 coroutines: no function changes its colour, and every local outlives a wait.
//
// Rules:
// - A fiber belongs to its loop and only ever runs on its thread, so data shared by fibers of one
//   loop needs no lock; it can change at every blocking call, and only there.
// - Everything here is loop thread only, except where it says "any thread". What blocks (Wait,
//   Get, Lock, Sleep, Join, ...) may be called inside a fiber only.
// - Cancel() asks a fiber to end: its current blocking call, and each one after it, answers
//   kCancelled at once, and the fiber's code is expected to return. A FiberCancelShield lets
//   clean-up block. Nothing is unwound by force: destructors run as in any function.
// - Waking is by Post: Notify() never switches to the woken fiber itself.
// - An exception that leaves a fiber's function ends the process with a message.
// - Stacks are mapped with a guard page below (an overflow faults instead of corrupting) and
// pooled.
//   The default of 256 KiB counts only as far as it is touched. Keep big arrays off it, and bound
//   recursion over user input.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "common/base/status.h"
#include "common/env/function.h"
#include "common/env/loop.h"
#include "common/env/thread.h"

namespace borealis::env {

class Fiber;
class FiberEvent;

struct FiberOptions {
  size_t stack_bytes = 256 * 1024;  // rounded up to pages
};

// A reference to a fiber, which may have ended. Copyable; dropping it does not end the fiber.
class FiberHandle {
 public:
  FiberHandle() = default;
  explicit FiberHandle(std::shared_ptr<Fiber> fiber) : fiber_(std::move(fiber)) {}
  explicit operator bool() const { return fiber_ != nullptr; }
  // True also for an empty handle.
  bool done() const;
  // See the rules above. No effect on a fiber that has ended. Idempotent.
  void Cancel();
  bool cancelled() const;
  // Waits until the fiber has ended. Not cancellable: cancel the other fiber to hurry it.
  void Join();
  friend bool operator==(const FiberHandle&, const FiberHandle&) = default;

 private:
  std::shared_ptr<Fiber> fiber_;
};

// Starts a fiber; it first runs in a later task of the loop. Loop thread only. The loop must not be
// destroyed while it has fibers: owners cancel and await theirs first (FiberGroup helps).
FiberHandle Spawn(Loop& loop, std::string name, Task body, FiberOptions options = {});

// True inside a fiber.
bool InFiber();
// Requires InFiber().
Loop& CurrentFiberLoop();
FiberHandle CurrentFiber();
// True when the current fiber was asked to end and no shield is up. Long computations poll it.
bool FiberCancelled();
// Lets other tasks of the loop run.
void FiberYield();
// kOk after the time, kCancelled before it.
Status FiberSleep(Duration duration);

// While alive, blocking calls of this fiber ignore its cancellation. For bounded clean-up only.
class FiberCancelShield {
 public:
  FiberCancelShield();
  ~FiberCancelShield();
  FiberCancelShield(const FiberCancelShield&) = delete;
  FiberCancelShield& operator=(const FiberCancelShield&) = delete;
};

// The fibers of one owner, so that it can end with none left. Destruction requires empty().
class FiberGroup {
 public:
  explicit FiberGroup(Loop& loop) : loop_(loop) {}
  ~FiberGroup();
  FiberGroup(const FiberGroup&) = delete;
  FiberGroup& operator=(const FiberGroup&) = delete;

  // After CancelAll() a new fiber starts out cancelled.
  FiberHandle Spawn(std::string name, Task body, FiberOptions options = {});
  void CancelAll();
  // Runs the task (posted) once the group is or becomes empty. One at a time.
  void WhenEmpty(Task task);
  // Blocks the calling fiber, which is not of this group, until it is empty. Not cancellable.
  void Wait();
  // For the owner's own thread at shutdown (not the loop's): CancelAll, then waits for all.
  void StopFromOutside();
  size_t size() const { return fibers_.size(); }
  bool empty() const { return fibers_.empty(); }

 private:
  void Ended(std::list<FiberHandle>::iterator it);

  Loop& loop_;
  bool cancelled_ = false;
  std::list<FiberHandle> fibers_;
  Task when_empty_;
};

// An event that fibers wait for. Notify() wakes the longest waiting fiber, or, if none waits, lets
// the next Wait() pass at once (one such pass is kept, no more). NotifyAll() wakes all that wait
// and keeps nothing: pair it with a condition, `while (!ready) RETURN_IF_ERROR(event.Wait());`.
// Destruction requires that nobody waits.
class FiberEvent {
 public:
  explicit FiberEvent(Loop& loop) : loop_(loop) {}
  ~FiberEvent() { BOREALIS_CHECK(waiters_.empty()); }
  FiberEvent(const FiberEvent&) = delete;
  FiberEvent& operator=(const FiberEvent&) = delete;

  // kOk or kCancelled.
  Status Wait();
  // kOk, kDeadlineExceeded or kCancelled. A pass that arrived together with the deadline counts.
  Status WaitFor(Duration timeout);
  // Ignores cancellation, for waits on something sure to end soon.
  void WaitUncancellable();

  void Notify();
  void NotifyAll();
  bool has_waiters() const { return !waiters_.empty(); }

 private:
  friend class Fiber;
  struct Waiter;
  Status Block(std::optional<Duration> timeout, bool cancellable);

  Loop& loop_;
  bool pass_ = false;
  std::list<Waiter*> waiters_;
};

// Fair (first come, first served), not recursive, not cancellable: a holder must not hold it for
// long. Use FiberMutexLock.
class FiberMutex {
 public:
  explicit FiberMutex(Loop& loop) : event_(loop) {}
  void Lock();
  void Unlock();
  bool held() const { return held_; }

 private:
  bool held_ = false;  // stays true while ownership passes to a waiter
  FiberEvent event_;
};

class FiberMutexLock {
 public:
  explicit FiberMutexLock(FiberMutex& mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~FiberMutexLock() { mutex_.Unlock(); }
  FiberMutexLock(const FiberMutexLock&) = delete;
  FiberMutexLock& operator=(const FiberMutexLock&) = delete;

 private:
  FiberMutex& mutex_;
};

// A one-shot result. The promise's last copy going away unset sets kCancelled "no answer". A future
// is waited for by one fiber, and taken once. For no value use T = std::monostate.
template <typename T>
class FiberFuture;

template <typename T>
class FiberPromise {
 public:
  explicit FiberPromise(Loop& loop) : state_(std::make_shared<State>(loop)) {
    handle_ = std::shared_ptr<void>(nullptr, [state = state_](void*) {
      if (!state->settled) Settle(state, Cancelled("no answer"));
    });
  }

  FiberFuture<T> future() const { return FiberFuture<T>(state_); }

  // Any thread. The first call counts. From the loop's thread the value is there at once.
  void Set(Result<T> result) const {
    if (state_->loop.InLoopThread()) return Settle(state_, std::move(result));
    // The posted task keeps the promise's handle, so that the drop of the last copy comes after it.
    state_->loop.Post([state = state_, keep = handle_, r = std::move(result)]() mutable {
      Settle(state, std::move(r));
    });
  }

 private:
  friend class FiberFuture<T>;
  struct State {
    explicit State(Loop& l) : loop(l), event(l) {}
    Loop& loop;
    FiberEvent event;
    bool settled = false;
    std::optional<Result<T>> result;
  };
  static void Settle(const std::shared_ptr<State>& state, Result<T> result) {
    if (!state->loop.InLoopThread()) {
      state->loop.Post([state, r = std::move(result)]() mutable { Settle(state, std::move(r)); });
      return;
    }
    if (std::exchange(state->settled, true)) return;
    state->result.emplace(std::move(result));
    state->event.Notify();
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<void> handle_;
};

template <typename T>
class FiberFuture {
 public:
  bool ready() const { return state_->settled; }
  // The result, or kCancelled.
  Result<T> Get() { return Take(state_->settled ? Status::Ok() : state_->event.Wait()); }
  // The result, kCancelled or kDeadlineExceeded; after the latter it can be asked again.
  Result<T> GetFor(Duration timeout) {
    return Take(state_->settled ? Status::Ok() : state_->event.WaitFor(timeout));
  }
  // Ignores cancellation.
  Result<T> GetUncancellable() {
    if (!state_->settled) state_->event.WaitUncancellable();
    return Take(Status::Ok());
  }

 private:
  friend class FiberPromise<T>;
  explicit FiberFuture(std::shared_ptr<typename FiberPromise<T>::State> state)
      : state_(std::move(state)) {}
  Result<T> Take(Status waited) {
    if (!waited.ok()) return waited;
    BOREALIS_CHECK(state_->result.has_value());
    Result<T> result = std::move(*state_->result);
    state_->result.reset();
    return result;
  }
  std::shared_ptr<typename FiberPromise<T>::State> state_;
};

// Runs the function on a thread of the pool while the fiber waits, uncancellable, for its end: it
// may use the fiber's locals. kResourceExhausted (and the function did not run) when the pool's
// queue is full, kCancelled when the pool was stopped.
Status RunInPool(WorkerPool& pool, Task function);

}  // namespace borealis::env
