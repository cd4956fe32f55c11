// One simulated connection. For common/testing's own sources only.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "common/testing/sim_net.h"

namespace borealis::testing {

class SimLink : public std::enable_shared_from_this<SimLink> {
 public:
  enum class State : uint8_t { kOpen, kLingering, kClosed };

  struct End {
    SimLoop* loop = nullptr;
    std::string host;
    std::string address;
    State state = State::kOpen;
    // Outgoing: not yet on the wire, for want of window or because of a cut.
    std::deque<Bytes> queue;
    size_t head_sent = 0;  // of queue.front()
    size_t pending = 0;
    bool eof_queued = false;
    bool eof_sent = false;
    size_t pending_limit = 0;
    env::UniqueFunction<void(Status)> pending_done;
    // Incoming.
    size_t unread = 0;  // on the wire to here, or in the inbox
    Bytes inbox;
    bool eof = false;
    env::MonotonicTime last_arrival;  // pieces keep their order
    char* read_out = nullptr;
    size_t read_max = 0;
    env::UniqueFunction<void(Result<size_t>)> read_done;
    env::UniqueFunction<void(Status)> on_close;
  };

  SimLink(SimFabric& fabric, End a, End b) : fabric_(fabric), ends_{std::move(a), std::move(b)} {}

  End& end(int i) { return ends_[static_cast<size_t>(i)]; }
  void Read(int i, char* out, size_t n, env::UniqueFunction<void(Result<size_t>)> done);
  void CancelRead(int i);
  void Write(int i, Bytes data);
  void WhenPendingAtMost(int i, size_t limit, env::UniqueFunction<void(Status)> done);
  void Close(int i, bool silent);
  void CloseAfterFlush(int i);
  // Puts on the wire what the peer's window and the cuts allow.
  void Push(int i);
  // Ends this side with that status.
  void Break(int i, const Status& why);

 private:
  void Arrive(int i, Bytes data);
  void TryRead(int i);
  void CheckPending(int i);
  // Runs on the loop of end i after the time, unless that loop is gone (its process has died).
  void After(int i, env::Duration delay, std::function<void(SimLink&)> f);

  SimFabric& fabric_;
  std::array<End, 2> ends_;
};

std::unique_ptr<env::Stream> MakeSimStream(std::shared_ptr<SimLink> link, int end);

}  // namespace borealis::testing
