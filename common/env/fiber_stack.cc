#include "common/env/fiber_stack.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstring>
#include <vector>

#include "common/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace borealis::env {
namespace {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

// Per thread; a busy session server keeps this many warm, the rest go back to the system.
constexpr size_t kPooledStacksMax = 64;

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

struct StackPool {
  std::vector<FiberStack> free;
  ~StackPool() {
    for (const FiberStack& stack : free) munmap(stack.mapping, stack.mapping_bytes);
  }
};
thread_local StackPool stack_pool;

}  // namespace

char* FiberStack::bottom() const {
  return mapping + PageBytes();
}
size_t FiberStack::usable_bytes() const {
  return mapping_bytes - PageBytes();
}

FiberStack TakeFiberStack(size_t stack_bytes) {
  const size_t page = PageBytes();
  const size_t bytes = (stack_bytes + page - 1) / page * page + page;
  std::vector<FiberStack>& free = stack_pool.free;
  for (size_t i = free.size(); i-- > 0;) {
    if (free[i].mapping_bytes != bytes) continue;
    FiberStack stack = free[i];
    free.erase(free.begin() + static_cast<ptrdiff_t>(i));
    return stack;
  }
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  BOREALIS_CHECK(mapping != MAP_FAILED);
  BOREALIS_CHECK(mprotect(mapping, page, PROT_NONE) == 0);
  return FiberStack{static_cast<char*>(mapping), bytes};
}

void ReturnFiberStack(FiberStack stack) {
#if defined(__SANITIZE_ADDRESS__)
  // The final switch leaves frames whose red zones were never cleared.
  ASAN_UNPOISON_MEMORY_REGION(stack.bottom(), stack.usable_bytes());
#endif
  if (stack_pool.free.size() < kPooledStacksMax) {
    stack_pool.free.push_back(stack);
  } else {
    munmap(stack.mapping, stack.mapping_bytes);
  }
}

// Entry of a new context; jump_fcontext hands over where it came from and the target's object.
struct SwitchTrampoline {
  static void Enter(transfer_t transfer) {
    auto* self = static_cast<SwitchContext*>(transfer.data);
    self->from_->context_ = transfer.fctx;
    SwitchContext::Enter(self);
  }
  static void Jump(SwitchContext& to) {
    transfer_t transfer = jump_fcontext(static_cast<fcontext_t>(to.context_), &to);
    // Back again: the object of this side came as data; who left us waits at transfer.fctx.
    static_cast<SwitchContext*>(transfer.data)->from_->context_ = transfer.fctx;
  }
};

void SwitchContext::Prepare(const FiberStack& stack, void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  stack_bottom_ = stack.bottom();
  stack_bytes_ = stack.usable_bytes();
  exceptions_ = {};
  context_ = make_fcontext(stack.top(), stack.usable_bytes(), &SwitchTrampoline::Enter);
#if defined(__SANITIZE_THREAD__)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

void SwitchContext::PrepareCurrent() {
#if defined(__SANITIZE_THREAD__)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

void SwitchContext::Destroy() {
#if defined(__SANITIZE_THREAD__)
  if (tsan_fiber_ != nullptr) __tsan_destroy_fiber(tsan_fiber_);
#endif
  tsan_fiber_ = nullptr;
}

void SwitchContext::SwitchTo(SwitchContext& to, bool final) {
  to.from_ = this;
  auto* globals = reinterpret_cast<char*>(abi::__cxa_get_globals());
  std::memcpy(&exceptions_, globals, sizeof(exceptions_));
  std::memcpy(globals, &to.exceptions_, sizeof(exceptions_));
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(final ? nullptr : &asan_fake_stack_, to.stack_bottom_,
                                 to.stack_bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  SwitchTrampoline::Jump(to);
  FinishSwitch();
}

// On this side, just entered: from_ is who was left.
void SwitchContext::FinishSwitch() {
#if defined(__SANITIZE_ADDRESS__)
  // Also tells the bounds of the stack that was left, which nobody knows of the loop's thread.
  __sanitizer_finish_switch_fiber(asan_fake_stack_, &from_->stack_bottom_, &from_->stack_bytes_);
#endif
}

void SwitchContext::Enter(SwitchContext* self) {
  self->FinishSwitch();
  self->entry_(self->argument_);
  CheckFailed("a fiber's entry never returns", __FILE__, __LINE__);
}

}  // namespace borealis::env
