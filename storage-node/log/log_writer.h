// The one writer of a Log: group commit on a thread of its own, or inline in the caller's.
//
// Batches become durable in the order of Append and AppendSync calls. All batches that wait while a
// sync runs share the next one. `done` is called exactly once for each Append, in order, after
// everything up to its batch is durable, or with the error that ended the log; from then on every
// call answers that error.
#pragma once

#include <functional>
#include <memory>

#include "storage-node/log/log.h"

namespace borealis::log {

struct WriterOptions {
  size_t group_bytes_max = 8u << 20;    // one write takes at most so much from the queue
  size_t queue_bytes_max = 256u << 20;  // Append blocks beyond, until the thread has caught up
};

class LogWriter {
 public:
  using Done = std::function<void(const Status&)>;

  // `log` is borrowed. With `threaded` a thread "log-writer" is started.
  LogWriter(Log* log, bool threaded, WriterOptions options = {});
  ~LogWriter();  // Stop()

  // Any thread. An empty batch writes nothing and is done after those before it; any other is
  // synced, whatever its must_sync says. `done` runs on the log-writer thread (inline when not
  // threaded); it must not block nor call this writer. After Stop: done(kCancelled).
  void Append(Batch batch, Done done);

  // Writes in the calling thread, together with everything that is queued (whose `done` run here).
  // For an owner with nothing else to do meanwhile: it saves two context switches.
  Status AppendSync(const Batch& batch);

  // True when nothing is queued or being written: AppendSync would not wait.
  bool Idle() const;

  // Log::TrimPrefix between two writes.
  Status TrimPrefix(LogIndex index);

  // Writes what is queued, then joins the thread. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::log
