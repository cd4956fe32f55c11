#include "storage-node/log/log_writer.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "common/env/thread.h"

namespace borealis::log {
namespace {

size_t BytesOf(const Batch& batch) {
  size_t bytes = 256;
  for (const raft::Entry& entry : batch.entries) bytes += entry.Size();
  return bytes;
}

}  // namespace

// One thread at a time has the writer's role (writing_); it takes from the queue's front, so the
// order of the queue is the order on disk, whichever thread writes.
class LogWriter::Impl {
 public:
  Impl(Log* log, bool threaded, WriterOptions options)
      : log_(log), threaded_(threaded), options_(options) {
    if (threaded) thread_ = env::Thread("log-writer", [this] { Run(); });
  }

  void Append(Batch batch, Done done) {
    std::unique_lock lock(mu_);
    // One batch is always let in, or one larger than the bound would wait for ever.
    room_.wait(lock, [this] { return stopped_ || queue_bytes_ < options_.queue_bytes_max; });
    if (stopped_) {
      lock.unlock();
      done(Cancelled("the log writer has stopped"));
      return;
    }
    Enqueue(std::move(batch), std::move(done));
    if (threaded_) {
      work_.notify_one();
      return;
    }
    DrainInline(&lock);
  }

  Status AppendSync(const Batch& batch) {
    Waiter own;
    std::unique_lock lock(mu_);
    if (stopped_) return Cancelled("the log writer has stopped");
    Enqueue(batch, nullptr, &own);
    // Either this thread gets the role and writes the queue up to its own batch, or the thread that
    // has it does so in its next round.
    while (!own.finished) {
      if (writing_) {
        idle_.wait(lock);
      } else {
        WriteSome(&lock);
      }
    }
    DrainInline(&lock);
    return own.result;
  }

  bool Idle() const {
    std::lock_guard lock(mu_);
    return queue_.empty() && !writing_;
  }

  Status TrimPrefix(LogIndex index) {
    std::unique_lock lock(mu_);
    idle_.wait(lock, [this] { return !writing_; });
    writing_ = true;
    lock.unlock();
    Status status = log_->TrimPrefix(index);
    lock.lock();
    EndTurn();
    DrainInline(&lock);
    return status;
  }

  void Stop() {
    {
      std::lock_guard lock(mu_);
      stopped_ = true;
      work_.notify_all();
      room_.notify_all();
    }
    if (thread_.joinable()) thread_.Join();
  }

 private:
  // A caller of AppendSync. Guarded by mu_: it may go away as soon as it is finished.
  struct Waiter {
    bool finished = false;
    Status result;
  };
  struct Item {
    Batch batch;
    Done done;  // or
    Waiter* waiter = nullptr;
    size_t bytes = 0;
  };

  // The rest needs mu_.
  void Enqueue(Batch batch, Done done, Waiter* waiter = nullptr) {
    size_t bytes = BytesOf(batch);
    batch.must_sync = true;  // `done` promises it
    queue_bytes_ += bytes;
    queue_.push_back({std::move(batch), std::move(done), waiter, bytes});
  }

  // Without a thread, whoever ends a turn sees to what others queued meanwhile.
  void DrainInline(std::unique_lock<std::mutex>* lock) {
    if (threaded_) return;
    while (!queue_.empty() && !writing_) WriteSome(lock);
  }

  void EndTurn() {
    writing_ = false;
    idle_.notify_all();
    if (!queue_.empty() || log_->SpareWanted()) work_.notify_one();
  }

  // Takes a group off the queue, writes it, and tells. Requires that nobody writes and the queue is
  // not empty; releases the lock meanwhile.
  void WriteSome(std::unique_lock<std::mutex>* lock) {
    writing_ = true;
    std::vector<Item> group;
    size_t bytes = 0;
    while (!queue_.empty() &&
           (group.empty() || bytes + queue_.front().bytes <= options_.group_bytes_max)) {
      bytes += queue_.front().bytes;
      group.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    lock->unlock();
    std::vector<const Batch*> batches;
    for (const Item& item : group) {
      const Batch& b = item.batch;
      bool empty = !b.hard_state && b.peer_memory.empty() && b.entries.empty();
      if (!empty) batches.push_back(&b);
    }
    if (failed_.ok() && !batches.empty()) failed_ = log_->WriteBatches(batches);
    Status status = failed_;
    for (const Item& item : group) {
      if (item.done) item.done(status);
    }
    if (!threaded_) log_->PrepareSpare(bytes);
    lock->lock();
    for (const Item& item : group) {
      if (item.waiter != nullptr) *item.waiter = {true, status};
    }
    queue_bytes_ -= bytes;
    spare_due_bytes_ += bytes;
    room_.notify_all();
    EndTurn();
  }

  bool SpareDue() const { return spare_due_bytes_ > 0 && log_->SpareWanted(); }

  void Run() {
    std::unique_lock lock(mu_);
    while (true) {
      work_.wait(lock, [this] { return stopped_ || (!queue_.empty() && !writing_) || SpareDue(); });
      if (!queue_.empty() && !writing_) {
        WriteSome(&lock);
      } else if (!stopped_ && SpareDue()) {
        // Beside the writer, who may be another thread; in steps of a millisecond or so.
        size_t bytes = std::exchange(spare_due_bytes_, 0);
        lock.unlock();
        log_->PrepareSpare(bytes);
        lock.lock();
      } else if (stopped_ && queue_.empty()) {
        return;
      } else {
        idle_.wait(lock, [this] { return !writing_; });
      }
    }
  }

  Log* const log_;
  const bool threaded_;
  const WriterOptions options_;
  env::Thread thread_;
  Status failed_;  // of the one who has the writer's role

  mutable std::mutex mu_;
  std::condition_variable work_;  // something to write, or stopping
  std::condition_variable idle_;  // a turn has ended
  std::condition_variable room_;  // the queue became shorter
  std::deque<Item> queue_;
  size_t queue_bytes_ = 0;      // with what is being written
  size_t spare_due_bytes_ = 0;  // written since the last look at the spare
  bool writing_ = false;
  bool stopped_ = false;
};

LogWriter::LogWriter(Log* log, bool threaded, WriterOptions options)
    : impl_(std::make_unique<Impl>(log, threaded, options)) {}
LogWriter::~LogWriter() {
  Stop();
}

void LogWriter::Append(Batch batch, Done done) {
  impl_->Append(std::move(batch), std::move(done));
}
Status LogWriter::AppendSync(const Batch& batch) {
  return impl_->AppendSync(batch);
}
bool LogWriter::Idle() const {
  return impl_->Idle();
}
Status LogWriter::TrimPrefix(LogIndex index) {
  return impl_->TrimPrefix(index);
}
void LogWriter::Stop() {
  impl_->Stop();
}

}  // namespace borealis::log
