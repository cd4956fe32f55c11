#include "common/testing/sim_link.h"

#include <algorithm>

#include "common/base/check.h"

namespace borealis::testing {
namespace {

constexpr size_t kWindowBytes = 256 << 10;
constexpr size_t kPieceBytes = 64 << 10;

class SimStream : public env::Stream {
 public:
  SimStream(std::shared_ptr<SimLink> link, int end) : link_(std::move(link)), end_(end) {}
  ~SimStream() override { link_->Close(end_, /*silent=*/true); }

  env::Loop& loop() override { return *me().loop; }
  void Read(char* out, size_t n, env::UniqueFunction<void(Result<size_t>)> done) override {
    link_->Read(end_, out, n, std::move(done));
  }
  void CancelRead() override { link_->CancelRead(end_); }
  void Write(Bytes data) override { link_->Write(end_, std::move(data)); }
  void WriteMany(std::vector<Bytes> parts) override {
    for (Bytes& part : parts) link_->Write(end_, std::move(part));
  }
  size_t pending_write_bytes() const override { return me().pending; }
  void WhenPendingAtMost(size_t limit, env::UniqueFunction<void(Status)> done) override {
    link_->WhenPendingAtMost(end_, limit, std::move(done));
  }
  void SetOnClose(env::UniqueFunction<void(Status)> f) override { me().on_close = std::move(f); }
  void Close() override { link_->Close(end_, /*silent=*/false); }
  void CloseAfterFlush(env::Duration timeout) override { link_->CloseAfterFlush(end_); }
  bool closed() const override { return me().state != SimLink::State::kOpen; }
  const std::string& peer_address() const override { return link_->end(1 - end_).address; }
  const std::string& local_address() const override { return me().address; }

 private:
  SimLink::End& me() const { return link_->end(end_); }
  const std::shared_ptr<SimLink> link_;
  const int end_;
};

void DropQueue(SimLink::End* end) {
  end->queue.clear();
  end->pending = 0;
  end->head_sent = 0;
}

}  // namespace

void SimLink::After(int i, env::Duration delay, std::function<void(SimLink&)> f) {
  if (!fabric_.world_.Has(end(i).loop)) return;
  end(i).loop->RunAfter(delay, [self = shared_from_this(), f = std::move(f)] { f(*self); });
}

void SimLink::Read(int i, char* out, size_t n, env::UniqueFunction<void(Result<size_t>)> done) {
  End& me = end(i);
  BOREALIS_CHECK(!me.read_done && n > 0);
  if (me.state != State::kOpen) {
    me.loop->Post([f = std::move(done)]() mutable { f(Cancelled("stream closed")); });
    return;
  }
  me.read_out = out;
  me.read_max = n;
  me.read_done = std::move(done);
  TryRead(i);
}

// The bytes are copied at once and told by a post, so that CancelRead never races with the buffer.
void SimLink::TryRead(int i) {
  End& me = end(i);
  if (!me.read_done || (me.inbox.empty() && !me.eof)) return;
  size_t n = std::min(me.read_max, me.inbox.size());
  // Any split is TCP's right; half of the time everything comes.
  if (n > 1 && fabric_.random_.Uniform(2) == 0) n = 1 + fabric_.random_.Uniform(n);
  me.inbox.copy(me.read_out, n);
  me.inbox.erase(0, n);
  me.unread -= n;
  me.loop->Post([f = std::move(me.read_done), n]() mutable { f(n); });
  Push(1 - i);
}

void SimLink::CancelRead(int i) {
  End& me = end(i);
  if (!me.read_done) return;
  me.loop->Post([f = std::move(me.read_done)]() mutable { f(Cancelled("read cancelled")); });
}

void SimLink::Write(int i, Bytes data) {
  End& me = end(i);
  if (me.state != State::kOpen || data.empty()) return;
  me.pending += data.size();
  me.queue.push_back(std::move(data));
  Push(i);
}

void SimLink::Push(int i) {
  End& me = end(i);
  End& peer = end(1 - i);
  if (me.state == State::kClosed || me.eof_sent || fabric_.IsCut(me.host, peer.host)) return;
  if (peer.state == State::kClosed) {  // nobody is there any more: a reset comes back
    if (me.queue.empty()) return;
    DropQueue(&me);
    After(i, fabric_.Latency() + fabric_.Latency(), [i](SimLink& link) {
      link.Break(i,
                 Unavailable("write to " + link.end(1 - i).address + ": Connection reset by peer"));
    });
    return;
  }
  while (!me.queue.empty() && peer.unread < kWindowBytes) {
    const Bytes& front = me.queue.front();
    const size_t room = std::min(kPieceBytes, kWindowBytes - peer.unread);
    Bytes piece = front.substr(me.head_sent, room);
    me.head_sent += piece.size();
    if (me.head_sent == front.size()) {
      me.queue.pop_front();
      me.head_sent = 0;
    }
    me.pending -= piece.size();
    peer.unread += piece.size();
    const env::MonotonicTime now = fabric_.world_.clock().Monotonic();
    peer.last_arrival = std::max(peer.last_arrival, now + fabric_.Latency());
    After(1 - i, peer.last_arrival - now, [i, piece](SimLink& link) { link.Arrive(1 - i, piece); });
  }
  if (me.queue.empty() && me.eof_queued) {
    me.eof_sent = true;
    const env::MonotonicTime now = fabric_.world_.clock().Monotonic();
    peer.last_arrival = std::max(peer.last_arrival, now + fabric_.Latency());
    After(1 - i, peer.last_arrival - now, [i](SimLink& link) {
      link.end(1 - i).eof = true;
      link.TryRead(1 - i);
    });
  }
  CheckPending(i);
}

void SimLink::Arrive(int i, Bytes data) {
  End& me = end(i);
  fabric_.bytes_delivered_ += data.size();
  if (me.state == State::kOpen) {
    me.inbox += data;
    return TryRead(i);
  }
  me.unread -= data.size();
  if (me.state == State::kLingering) return Push(1 - i);  // read and dropped
  After(1 - i, fabric_.Latency(), [i](SimLink& link) {
    link.Break(1 - i,
               Unavailable("write to " + link.end(i).address + ": Connection reset by peer"));
  });
}

void SimLink::WhenPendingAtMost(int i, size_t limit, env::UniqueFunction<void(Status)> done) {
  End& me = end(i);
  if (me.state != State::kOpen) {
    me.loop->Post([f = std::move(done)]() mutable { f(Cancelled("stream closed")); });
    return;
  }
  me.pending_limit = limit;
  me.pending_done = std::move(done);
  CheckPending(i);
}

void SimLink::CheckPending(int i) {
  End& me = end(i);
  if (!me.pending_done || me.pending > me.pending_limit) return;
  me.loop->Post([f = std::move(me.pending_done)]() mutable { f(Status::Ok()); });
}

void SimLink::Break(int i, const Status& why) {
  End& me = end(i);
  if (me.state == State::kClosed) return;
  if (me.on_close && me.state == State::kOpen) {
    me.loop->Post([f = std::move(me.on_close), why]() mutable { f(why); });
  }
  me.state = State::kClosed;
  if (me.read_done) me.loop->Post([f = std::move(me.read_done), why]() mutable { f(why); });
  if (me.pending_done) me.loop->Post([f = std::move(me.pending_done), why]() mutable { f(why); });
  DropQueue(&me);
}

void SimLink::Close(int i, bool silent) {
  End& me = end(i);
  if (silent) {
    me.read_done = nullptr;
    me.pending_done = nullptr;
  }
  me.on_close = nullptr;
  if (me.state == State::kClosed || (me.state == State::kLingering && silent)) return;
  // What waited is lost, what is on the wire arrives, then the end of the stream.
  DropQueue(&me);
  me.eof_queued = true;
  Push(i);
  Break(i, Cancelled("stream closed"));
}

void SimLink::CloseAfterFlush(int i) {
  End& me = end(i);
  if (me.state != State::kOpen) return;
  me.on_close = nullptr;
  me.state = State::kLingering;
  CancelRead(i);
  me.unread -= me.inbox.size();
  me.inbox.clear();
  me.eof_queued = true;
  Push(i);
  Push(1 - i);
}

std::unique_ptr<env::Stream> MakeSimStream(std::shared_ptr<SimLink> link, int end) {
  return std::make_unique<SimStream>(std::move(link), end);
}

}  // namespace borealis::testing
