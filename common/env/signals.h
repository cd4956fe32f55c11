// Signals as callbacks on a loop.
#pragma once

#include <memory>

#include "common/env/function.h"
#include "common/env/loop.h"

namespace borealis::env {

// Calls `on_signal(SIGTERM or SIGINT)` on the loop's thread for each such signal, from construction
// until destruction (loop thread, or with the loop stopped). One at a time in a process.
class ShutdownSignals {
 public:
  ShutdownSignals(AsioLoop& loop, UniqueFunction<void(int)> on_signal);
  ~ShutdownSignals();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Writes to a closed socket answer EPIPE instead of killing the process. Called first in main().
void IgnoreSigPipe();

// Fault hook: ends the process at once, as SIGKILL from outside would. No destructor, handler or
// buffer runs; what was written to files stays in the kernel, as it does after a kill.
[[noreturn]] void CrashProcess();

}  // namespace borealis::env
