#include "common/env/signals.h"

#include <unistd.h>

#include <asio/signal_set.hpp>
#include <csignal>

#include "common/env/asio_loop.h"

namespace borealis::env {

struct ShutdownSignals::Impl : std::enable_shared_from_this<ShutdownSignals::Impl> {
  Impl(asio::io_context& io, UniqueFunction<void(int)> f)
      : set(io, SIGTERM, SIGINT), on_signal(std::move(f)) {}

  void Wait() {
    set.async_wait([self = shared_from_this()](const asio::error_code& error, int signal) {
      if (error || self->stopped) return;
      self->on_signal(signal);
      if (!self->stopped) self->Wait();
    });
  }

  asio::signal_set set;
  UniqueFunction<void(int)> on_signal;
  bool stopped = false;  // loop thread only
};

ShutdownSignals::ShutdownSignals(AsioLoop& loop, UniqueFunction<void(int)> on_signal)
    : impl_(std::make_shared<Impl>(loop.impl().io, std::move(on_signal))) {
  loop.Post([impl = impl_] { impl->Wait(); });
}

ShutdownSignals::~ShutdownSignals() {
  impl_->stopped = true;  // on_signal itself stays: this may be called from it
  asio::error_code ignored;
  impl_->set.clear(ignored);
  impl_->set.cancel(ignored);
}

void IgnoreSigPipe() {
  std::signal(SIGPIPE, SIG_IGN);
}

void CrashProcess() {
  ::kill(::getpid(), SIGKILL);
  // Still here: the kernel ignores a SIGKILL that the first process of a PID namespace, which a
  // container's is, sends itself. Its exit without handlers has the same effect on files and peers,
  // and the exit code that container runtimes report for SIGKILL.
  ::_exit(128 + SIGKILL);
}

}  // namespace borealis::env
