#include "common/env/asio_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/base/check.h"
#include "common/env/asio_loop.h"

namespace borealis::env {
namespace {

constexpr size_t kPartsPerCall = 64;
constexpr int kKeepAliveIdleSeconds = 5;
constexpr int kKeepAliveIntervalSeconds = 2;
constexpr int kKeepAliveProbes = 3;

std::string EndpointText(const asio::ip::tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  std::string host = address.to_string();
  if (address.is_v6()) {
    host = address.to_v6().is_v4_mapped()
               ? asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string()
               : "[" + host + "]";
  }
  return host + ":" + std::to_string(endpoint.port());
}

// Options are for speed and liveness: a socket that refuses one still works, and a broken one shows
// at its first read.
void SetSocketOptions(int fd, Duration peer_timeout) {
  auto set = [fd](int level, int name, int value) {
    (void)setsockopt(fd, level, name, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  if (peer_timeout > Duration(0)) {
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(peer_timeout.count() / 1000));
  }
}

class AsioStream : public Stream {
 public:
  explicit AsioStream(std::shared_ptr<AsioStreamCore> core) : core_(std::move(core)) {}
  ~AsioStream() override { core_->Close(/*silent=*/true); }

  Loop& loop() override { return core_->loop(); }
  void Read(char* out, size_t n, UniqueFunction<void(Result<size_t>)> done) override {
    core_->Read(out, n, std::move(done));
  }
  void CancelRead() override { core_->CancelRead(); }
  void Write(Bytes data) override { core_->Write(std::move(data)); }
  void WriteMany(std::vector<Bytes> parts) override { core_->WriteMany(std::move(parts)); }
  size_t pending_write_bytes() const override { return core_->pending(); }
  void WhenPendingAtMost(size_t limit, UniqueFunction<void(Status)> done) override {
    core_->WhenPendingAtMost(limit, std::move(done));
  }
  void SetOnClose(UniqueFunction<void(Status)> f) override { core_->SetOnClose(std::move(f)); }
  void Close() override { core_->Close(/*silent=*/false); }
  void CloseAfterFlush(Duration timeout) override { core_->CloseAfterFlush(timeout); }
  bool closed() const override { return core_->closed(); }
  const std::string& peer_address() const override { return core_->peer_address(); }
  const std::string& local_address() const override { return core_->local_address(); }

 private:
  const std::shared_ptr<AsioStreamCore> core_;
};

}  // namespace

AsioStreamCore::AsioStreamCore(AsioLoop& loop, asio::ip::tcp::socket socket, Duration peer_timeout)
    : loop_(loop), socket_(std::move(socket)) {
  asio::error_code error;
  peer_address_ = EndpointText(socket_.remote_endpoint(error));
  local_address_ = EndpointText(socket_.local_endpoint(error));
  socket_.non_blocking(true, error);
  SetSocketOptions(socket_.native_handle(), peer_timeout);
}

void AsioStreamCore::Read(char* out, size_t n, UniqueFunction<void(Result<size_t>)> done) {
  BOREALIS_CHECK(loop_.InLoopThread());
  BOREALIS_CHECK(!reading_ && !read_done_ && n > 0);
  if (state_ != State::kOpen) {
    loop_.Post([done = std::move(done)]() mutable { done(Cancelled("stream closed")); });
    return;
  }
  reading_ = true;
  read_done_ = std::move(done);
  socket_.async_read_some(asio::buffer(out, n),
                          [self = shared_from_this()](const asio::error_code& error, size_t got) {
                            self->FinishRead(error, got);
                          });
}

void AsioStreamCore::FinishRead(const asio::error_code& error, size_t n) {
  reading_ = false;
  if (state_ == State::kLingering) return Linger();
  if (!read_done_) return;  // destroyed, or told already
  UniqueFunction<void(Result<size_t>)> done = std::move(read_done_);
  if (!error) return done(n);
  if (error == asio::error::eof) return done(size_t{0});
  if (error == asio::error::operation_aborted) return done(Cancelled("read cancelled"));
  Status status = Unavailable("read from " + peer_address_ + ": " + error.message());
  auto self = shared_from_this();
  Break(status);
  done(status);
}

// The reactor only fills the buffer on this thread, inside the loop's poll: after cancel() it
// either has the bytes already, and then tells them, or never will. cancel() also ends the wait for
// writability; its handler starts that anew.
void AsioStreamCore::CancelRead() {
  if (!reading_) return;
  asio::error_code ignored;
  socket_.cancel(ignored);
}

void AsioStreamCore::Enqueue(Bytes data) {
  if (data.empty()) return;
  pending_ += data.size();
  queue_.push_back(std::move(data));
}

void AsioStreamCore::Write(Bytes data) {
  BOREALIS_CHECK(loop_.InLoopThread());
  if (state_ != State::kOpen) return;
  Enqueue(std::move(data));
  if (!waiting_writable_) Flush();
}

void AsioStreamCore::WriteMany(std::vector<Bytes> parts) {
  BOREALIS_CHECK(loop_.InLoopThread());
  if (state_ != State::kOpen) return;
  for (Bytes& part : parts) Enqueue(std::move(part));
  if (!waiting_writable_) Flush();
}

void AsioStreamCore::Flush() {
  while (pending_ > 0) {
    iovec parts[kPartsPerCall];
    size_t count = 0;
    size_t total = 0;
    size_t skip = head_sent_;
    for (auto it = queue_.begin(); it != queue_.end() && count < kPartsPerCall; ++it) {
      parts[count++] = {it->data() + skip, it->size() - skip};
      total += it->size() - skip;
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t sent = sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return WaitWritable();
    if (sent < 0) {
      return Break(
          Unavailable("write to " + peer_address_ + ": " + std::generic_category().message(errno)));
    }
    Consume(static_cast<size_t>(sent));
    if (static_cast<size_t>(sent) < total) return WaitWritable();  // full: no need to be told so
  }
}

void AsioStreamCore::WaitWritable() {
  waiting_writable_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const asio::error_code& error) {
                       self->waiting_writable_ = false;
                       if (self->state_ == State::kClosed) return;
                       self->Flush();
                       if (self->state_ == State::kLingering) self->Linger();
                     });
  CheckPendingWaiter();
}

void AsioStreamCore::Consume(size_t bytes) {
  pending_ -= bytes;
  while (bytes > 0) {
    size_t left = queue_.front().size() - head_sent_;
    if (bytes < left) {
      head_sent_ += bytes;
      break;
    }
    bytes -= left;
    head_sent_ = 0;
    queue_.pop_front();
  }
  CheckPendingWaiter();
}

void AsioStreamCore::WhenPendingAtMost(size_t limit, UniqueFunction<void(Status)> done) {
  BOREALIS_CHECK(loop_.InLoopThread());
  pending_limit_ = limit;
  pending_done_ = std::move(done);
  if (state_ == State::kOpen) return CheckPendingWaiter();
  loop_.Post([f = std::move(pending_done_)]() mutable { f(Cancelled("stream closed")); });
}

void AsioStreamCore::CheckPendingWaiter() {
  if (!pending_done_ || pending_ > pending_limit_) return;
  loop_.Post([f = std::move(pending_done_)]() mutable { f(Status::Ok()); });
}

void AsioStreamCore::Break(Status why) {
  if (state_ == State::kClosed) return;
  if (on_close_ && state_ == State::kOpen) {
    loop_.Post([f = std::move(on_close_), why]() mutable { f(why); });
  }
  Shut(why);
}

void AsioStreamCore::Close(bool silent) {
  BOREALIS_CHECK(loop_.InLoopThread());
  if (silent) {
    read_done_ = nullptr;
    pending_done_ = nullptr;
  }
  on_close_ = nullptr;
  if (state_ == State::kLingering && silent) return;  // goes on alone, for its bounded time
  Shut(Cancelled("stream closed"));
}

void AsioStreamCore::Shut(const Status& why) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (linger_timer_ != TimerId::kNone) loop_.Cancel(linger_timer_);
  if (read_done_) {
    loop_.Post([f = std::move(read_done_), why]() mutable { f(why); });
  }
  if (pending_done_) {
    loop_.Post([f = std::move(pending_done_), why]() mutable { f(why); });
  }
  queue_.clear();
  pending_ = 0;
  head_sent_ = 0;
  asio::error_code ignored;
  socket_.close(ignored);
}

void AsioStreamCore::CloseAfterFlush(Duration timeout) {
  BOREALIS_CHECK(loop_.InLoopThread());
  if (state_ != State::kOpen) return;
  on_close_ = nullptr;
  state_ = State::kLingering;
  if (read_done_) {
    loop_.Post([f = std::move(read_done_)]() mutable { f(Cancelled("stream closed")); });
  }
  discard_.resize(4096);
  linger_timer_ = loop_.RunAfter(timeout, [self = shared_from_this()] {
    self->linger_timer_ = TimerId::kNone;
    self->Shut(Cancelled("stream closed"));
  });
  CancelRead();  // whose handler comes here again
  if (!reading_) Linger();
}

// After the last byte was sent, reads and drops until the peer closes as well: closing with unread
// bytes would send a reset, which can overtake and destroy what the peer has not read yet.
void AsioStreamCore::Linger() {
  if (state_ != State::kLingering || reading_) return;
  if (pending_ > 0) return;  // Flush goes on, then calls this
  asio::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  reading_ = true;
  socket_.async_read_some(asio::buffer(discard_),
                          [self = shared_from_this()](const asio::error_code& e, size_t) {
                            self->reading_ = false;
                            if (e && self->state_ == State::kLingering) {
                              return self->Shut(Cancelled("stream closed"));
                            }
                            self->Linger();
                          });
}

std::unique_ptr<Stream> MakeAsioStream(AsioLoop& loop, asio::ip::tcp::socket socket,
                                       Duration peer_timeout) {
  return std::make_unique<AsioStream>(
      std::make_shared<AsioStreamCore>(loop, std::move(socket), peer_timeout));
}

}  // namespace borealis::env
