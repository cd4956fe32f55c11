#include "common/env/net.h"

#include <algorithm>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <charconv>

#include "common/base/check.h"
#include "common/env/asio_loop.h"
#include "common/env/asio_stream.h"

namespace borealis::env {
namespace {

using asio::ip::tcp;

constexpr Duration kConnectedPeerTimeout = std::chrono::seconds(10);
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);

AsioLoop& AsAsio(Loop& loop) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  BOREALIS_CHECK(asio_loop != nullptr);
  return *asio_loop;
}

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(AsioLoop& loop, Network::OnAccept on_accept, ListenOptions options)
      : loop_(loop),
        on_accept_(std::make_shared<Network::OnAccept>(std::move(on_accept))),
        options_(std::move(options)),
        acceptor_(loop.impl().io) {
    if (options_.loops.empty()) options_.loops.push_back(&loop);
  }

  Status Open(const std::string& address, const tcp::endpoint& endpoint) {
    asio::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(options_.backlog, error);
    if (!error) bound_ = acceptor_.local_endpoint(error);
    if (error) return Unavailable("cannot listen on " + address + ": " + error.message());
    return Status::Ok();
  }

  void Accept() {
    AsioLoop& target = AsAsio(*options_.loops[next_++ % options_.loops.size()]);
    acceptor_.async_accept(
        target.impl().io,
        [self = shared_from_this(), &target](const asio::error_code& error, tcp::socket socket) {
          if (self->closed_) return;
          if (!error) {
            self->HandOver(target, std::move(socket));
            return self->Accept();
          }
          // Out of descriptors or memory, or the client has gone: neither is this listener's end.
          self->loop_.RunAfter(kAcceptRetry, [self] {
            if (!self->closed_) self->Accept();
          });
        });
  }

  void Close() {
    closed_ = true;
    asio::error_code ignored;
    acceptor_.close(ignored);
  }

  const tcp::endpoint& bound() const { return bound_; }

 private:
  void HandOver(AsioLoop& target, tcp::socket socket) {
    if (&target == &loop_) {
      (*on_accept_)(MakeAsioStream(target, std::move(socket), options_.peer_timeout));
      return;
    }
    target.Post([f = on_accept_, &target, s = std::move(socket),
                 timeout = options_.peer_timeout]() mutable {
      (*f)(MakeAsioStream(target, std::move(s), timeout));
    });
  }

  AsioLoop& loop_;
  const std::shared_ptr<Network::OnAccept> on_accept_;  // shared by tasks posted to other loops
  ListenOptions options_;
  tcp::acceptor acceptor_;
  tcp::endpoint bound_;
  size_t next_ = 0;
  bool closed_ = false;
};

class AsioListener : public Listener {
 public:
  AsioListener(std::shared_ptr<Acceptor> acceptor, const std::string& host)
      : acceptor_(std::move(acceptor)),
        port_(acceptor_->bound().port()),
        address_(host + ":" + std::to_string(port_)) {}
  ~AsioListener() override { acceptor_->Close(); }
  const std::string& address() const override { return address_; }
  uint16_t port() const override { return port_; }
  void Close() override { acceptor_->Close(); }

 private:
  const std::shared_ptr<Acceptor> acceptor_;
  const uint16_t port_;
  const std::string address_;
};

// One attempt to connect; owned by its handlers.
class Connector : public std::enable_shared_from_this<Connector> {
 public:
  Connector(AsioLoop& loop, std::string address, Network::OnConnect done)
      : loop_(loop),
        address_(std::move(address)),
        done_(std::move(done)),
        resolver_(loop.impl().io),
        socket_(loop.impl().io) {}

  void Start(const HostPort& target, Duration timeout) {
    timer_ = loop_.RunAfter(timeout, [self = shared_from_this()] {
      self->timer_ = TimerId::kNone;
      self->Finish(DeadlineExceeded("connect to " + self->address_ + ": timed out"));
      asio::error_code ignored;
      self->resolver_.cancel();
      self->socket_.close(ignored);
    });
    asio::error_code not_numeric;
    asio::ip::address numeric = asio::ip::make_address(target.host, not_numeric);
    if (!not_numeric) return Connect({tcp::endpoint(numeric, target.port)});
    resolver_.async_resolve(target.host, std::to_string(target.port),
                            tcp::resolver::numeric_service,
                            [self = shared_from_this()](const asio::error_code& error,
                                                        tcp::resolver::results_type found) {
                              if (!self->done_) return;
                              if (error) return self->Fail(error);
                              self->Connect({found.begin(), found.end()});
                            });
  }

 private:
  void Connect(std::vector<tcp::endpoint> endpoints) {
    endpoints_ = std::move(endpoints);
    asio::async_connect(
        socket_, endpoints_,
        [self = shared_from_this()](const asio::error_code& error, const tcp::endpoint&) {
          if (!self->done_) return;
          if (error) return self->Fail(error);
          self->Finish(
              MakeAsioStream(self->loop_, std::move(self->socket_), kConnectedPeerTimeout));
        });
  }

  void Fail(const asio::error_code& error) {
    Finish(Unavailable("connect to " + address_ + ": " + error.message()));
  }

  void Finish(Result<std::unique_ptr<Stream>> result) {
    if (timer_ != TimerId::kNone) loop_.Cancel(std::exchange(timer_, TimerId::kNone));
    Network::OnConnect done = std::move(done_);
    if (done) done(std::move(result));
  }

  AsioLoop& loop_;
  const std::string address_;
  Network::OnConnect done_;  // empty once run
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::vector<tcp::endpoint> endpoints_;
  TimerId timer_ = TimerId::kNone;
};

class AsioNetwork : public Network {
 public:
  explicit AsioNetwork(AsioLoop& loop) : loop_(loop) {}

  Loop& loop() override { return loop_; }

  Result<std::unique_ptr<Listener>> Listen(const std::string& address, OnAccept on_accept,
                                           ListenOptions options) override {
    BOREALIS_CHECK(loop_.InLoopThread());
    ASSIGN_OR_RETURN(HostPort target, ParseHostPort(address));
    ASSIGN_OR_RETURN(tcp::endpoint endpoint, ResolveLocal(address, target));
    auto acceptor = std::make_shared<Acceptor>(loop_, std::move(on_accept), std::move(options));
    RETURN_IF_ERROR(acceptor->Open(address, endpoint));
    acceptor->Accept();
    std::string host = address.substr(0, address.rfind(':'));
    return std::unique_ptr<Listener>(std::make_unique<AsioListener>(std::move(acceptor), host));
  }

  void Connect(const std::string& address, Duration timeout, OnConnect done) override {
    BOREALIS_CHECK(loop_.InLoopThread());
    Result<HostPort> target = ParseHostPort(address);
    if (target.ok() && target->host.empty()) target = InvalidArgument(address + ": no host");
    if (!target.ok()) {
      loop_.Post([done = std::move(done), s = target.status()]() mutable { done(s); });
      return;
    }
    std::make_shared<Connector>(loop_, address, std::move(done))->Start(*target, timeout);
  }

 private:
  // Names to listen on come from the program's own flags at its start: blocking is fine.
  Result<tcp::endpoint> ResolveLocal(const std::string& address, const HostPort& target) {
    if (target.host.empty()) {
      // Both protocols where the kernel has IPv6, else IPv4 alone.
      asio::error_code error;
      tcp::acceptor probe(loop_.impl().io);
      probe.open(tcp::v6(), error);
      return error ? tcp::endpoint(tcp::v4(), target.port) : tcp::endpoint(tcp::v6(), target.port);
    }
    asio::error_code error;
    tcp::resolver resolver(loop_.impl().io);
    auto found = resolver.resolve(target.host, std::to_string(target.port),
                                  tcp::resolver::passive | tcp::resolver::numeric_service, error);
    if (error || found.empty()) {
      return Unavailable("cannot listen on " + address + ": " + error.message());
    }
    return found.begin()->endpoint();
  }

  AsioLoop& loop_;
};

}  // namespace

std::unique_ptr<Network> MakeAsioNetwork(AsioLoop& loop) {
  return std::make_unique<AsioNetwork>(loop);
}

Result<HostPort> ParseHostPort(const std::string& address) {
  HostPort result;
  size_t colon = address.rfind(':');
  if (colon == std::string::npos) return InvalidArgument("\"" + address + "\" is not host:port");
  result.host = address.substr(0, colon);
  const char* first = address.data() + colon + 1;
  const char* last = address.data() + address.size();
  auto [end, error] = std::from_chars(first, last, result.port);
  if (error != std::errc() || end != last) {
    return InvalidArgument("\"" + address + "\" has no port from 0 to 65535");
  }
  bool bracketed =
      result.host.size() >= 2 && result.host.front() == '[' && result.host.back() == ']';
  if (bracketed) {
    result.host = result.host.substr(1, result.host.size() - 2);
  } else if (result.host.find(':') != std::string::npos) {
    return InvalidArgument("\"" + address + "\": an IPv6 address stands in brackets");
  }
  return result;
}

namespace {

// What a blocked fiber shares with a callback that may come after the fiber has given up.
template <typename T>
struct Pending {
  explicit Pending(Loop& loop) : event(loop) {}
  FiberEvent event;
  std::optional<T> result;
};

Result<size_t> ReadWith(Stream& stream, char* out, size_t n, std::optional<Duration> timeout) {
  if (FiberCancelled()) return Cancelled("fiber cancelled");
  Pending<Result<size_t>> read(stream.loop());
  stream.Read(out, n, [&read](Result<size_t> result) {
    read.result.emplace(std::move(result));
    read.event.Notify();
  });
  Status waited = timeout ? read.event.WaitFor(*timeout) : read.event.Wait();
  if (waited.ok()) return std::move(*read.result);
  // The callback still comes, soon, and may bring bytes that had arrived: those are not lost.
  stream.CancelRead();
  if (!read.result) read.event.WaitUncancellable();
  if (read.result->ok()) return std::move(*read.result);
  return waited;
}

}  // namespace

Result<size_t> FiberRead(Stream& stream, char* out, size_t n) {
  return ReadWith(stream, out, n, std::nullopt);
}

Result<size_t> FiberReadFor(Stream& stream, char* out, size_t n, Duration timeout) {
  return ReadWith(stream, out, n, std::max(timeout, Duration(1)));
}

Status FiberFlush(Stream& stream, size_t limit) {
  if (FiberCancelled()) return Cancelled("fiber cancelled");
  if (!stream.closed() && stream.pending_write_bytes() <= limit) return Status::Ok();
  auto flush = std::make_shared<Pending<Status>>(stream.loop());
  stream.WhenPendingAtMost(limit, [flush](Status status) {
    flush->result = std::move(status);
    flush->event.Notify();
  });
  RETURN_IF_ERROR(flush->event.Wait());
  return *flush->result;
}

Result<std::unique_ptr<Stream>> FiberConnect(Network& network, const std::string& address,
                                             Duration timeout) {
  if (FiberCancelled()) return Cancelled("fiber cancelled");
  using R = Result<std::unique_ptr<Stream>>;
  auto pending = std::make_shared<Pending<R>>(network.loop());
  network.Connect(address, timeout, [pending](R result) {
    pending->result.emplace(std::move(result));
    pending->event.Notify();
  });
  RETURN_IF_ERROR(pending->event.Wait());
  return std::move(*pending->result);
}

}  // namespace borealis::env
