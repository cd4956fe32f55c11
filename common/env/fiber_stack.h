// Stacks of fibers and the switch between them, with what the sanitizers must be told. For
// fiber.cc only.
#pragma once

#include <cstddef>
#include <string>

namespace borealis::env {

// A mapping whose lowest page is a guard. `top` is one past its highest byte.
struct FiberStack {
  char* mapping = nullptr;
  size_t mapping_bytes = 0;
  char* top() const { return mapping + mapping_bytes; }
  char* bottom() const;  // lowest usable byte
  size_t usable_bytes() const;
};

// From the calling thread's pool, or mapped anew. Ends the process when memory cannot be mapped.
FiberStack TakeFiberStack(size_t stack_bytes);
// Back to the pool of the calling thread, or unmapped when that is full.
void ReturnFiberStack(FiberStack stack);

// One side of a switch: the loop's own stack, or a fiber's.
class SwitchContext {
 public:
  // The fiber's side: `entry(argument)` runs at the first switch to it, and must never return.
  void Prepare(const FiberStack& stack, void (*entry)(void*), void* argument);
  // The loop's side, before the first switch away from it.
  void PrepareCurrent();
  void Destroy();

  // Goes on in `to`; returns when something switches back to this side. `final` says that this side
  // is never entered again.
  void SwitchTo(SwitchContext& to, bool final);

 private:
  static void Enter(SwitchContext* self);
  void FinishSwitch();

  void* context_ = nullptr;        // where to go on; set by whoever switched away last
  SwitchContext* from_ = nullptr;  // who switched here last
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  const void* stack_bottom_ = nullptr;
  size_t stack_bytes_ = 0;
  // The C++ runtime keeps caught and in-flight exceptions per thread; each side has its own, so
  // that a fiber may block inside a catch block.
  struct ExceptionState {
    void* caught = nullptr;
    unsigned int uncaught = 0;
  } exceptions_;
  void* asan_fake_stack_ = nullptr;
  void* tsan_fiber_ = nullptr;

  friend struct SwitchTrampoline;
};

}  // namespace borealis::env
