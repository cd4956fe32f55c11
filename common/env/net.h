// Byte streams as a dependency. Loop thread only, except where said otherwise. The simulator
// implements the same interfaces. A filter such as TLS is a Stream that wraps a Stream: users see
// no difference.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/env/fiber.h"
#include "common/env/loop.h"

namespace borealis::env {

// A connected, ordered, reliable stream. Destruction closes it at once and calls nothing back.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual Loop& loop() = 0;

  // Reads at least one byte and at most `n` into `out`, which must live until `done` has run; 0
  // bytes means that the peer sent its last. `done` never runs inside the call. One at a time.
  virtual void Read(char* out, size_t n, UniqueFunction<void(Result<size_t>)> done) = 0;
  // Makes a pending Read end with kCancelled (or with bytes that had come already); its buffer is
  // no longer written to once this returns. The stream stays usable. No effect when none pends.
  virtual void CancelRead() = 0;

  // Queues the bytes behind those pending and sends at once what the socket takes (one system call
  // for all that is queued). Failures come by on_close. Without effect on a closed stream.
  virtual void Write(Bytes data) = 0;
  // The same for several buffers: one system call (for up to 64).
  virtual void WriteMany(std::vector<Bytes> parts) = 0;
  // Queued and not yet taken by the kernel.
  virtual size_t pending_write_bytes() const = 0;
  // Runs `done` (posted) once pending_write_bytes() <= limit, or with the status that closed the
  // stream. One at a time.
  virtual void WhenPendingAtMost(size_t limit, UniqueFunction<void(Status)> done) = 0;

  // Runs once (posted) when the stream is broken by an error of reading or writing, with that
  // error. End of file is no error; Close() by the owner does not run it.
  virtual void SetOnClose(UniqueFunction<void(Status)> on_close) = 0;
  // Closes; pending reads end with kCancelled, queued bytes are lost.
  virtual void Close() = 0;
  // Sends what is queued, for at most `timeout`, while the object may already be destroyed; then
  // closes. Later writes are dropped.
  virtual void CloseAfterFlush(Duration timeout) = 0;
  virtual bool closed() const = 0;

  // "10.0.0.7:5432"
  virtual const std::string& peer_address() const = 0;
  virtual const std::string& local_address() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;  // closes
  // With the port that the system chose when 0 was asked for.
  virtual const std::string& address() const = 0;
  virtual uint16_t port() const = 0;
  // Stops accepting; accepted streams stay.
  virtual void Close() = 0;
};

struct ListenOptions {
  int backlog = 512;
  // Accepted streams are spread over these loops in turn; on_accept runs on the stream's loop, so
  // with several loops it must be thread-safe. Empty: the network's own loop.
  std::vector<Loop*> loops = {};
  // Breaks a stream whose peer has not acknowledged sent bytes for so long. 0: only keep-alive
  // watches, so that a slow but living reader is never cut off.
  Duration peer_timeout = Duration(0);
};

class Network {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;
  using OnConnect = UniqueFunction<void(Result<std::unique_ptr<Stream>>)>;

  virtual ~Network() = default;

  // Address "host:port", "[v6]:port" or ":port" (all interfaces). Errors name the address.
  virtual Result<std::unique_ptr<Listener>> Listen(const std::string& address, OnAccept on_accept,
                                                   ListenOptions options = {}) = 0;
  // Resolves and connects, trying each address of the name, within `timeout` in all. `done` runs
  // once, never inside the call: kUnavailable or kDeadlineExceeded, naming the address.
  virtual void Connect(const std::string& address, Duration timeout, OnConnect done) = 0;

  virtual Loop& loop() = 0;
};

// TCP over Asio on the loop, with TCP_NODELAY and keep-alive (an idle stream whose peer vanished
// breaks within about 12 s). Streams made by Connect have a peer timeout of 10 s. The loop outlives
// network, listeners and streams. Destroy these on the loop's thread or when it is stopped.
std::unique_ptr<Network> MakeAsioNetwork(AsioLoop& loop);

// What a fiber uses. All answer kCancelled when the fiber is cancelled.
// 0 at the end of the stream.
Result<size_t> FiberRead(Stream& stream, char* out, size_t n);
// kDeadlineExceeded when nothing came in time; nothing is lost then.
Result<size_t> FiberReadFor(Stream& stream, char* out, size_t n, Duration timeout);
// Waits until at most `limit` bytes are queued.
Status FiberFlush(Stream& stream, size_t limit = 0);
Result<std::unique_ptr<Stream>> FiberConnect(Network& network, const std::string& address,
                                             Duration timeout);

// Splits "host:port"; kInvalidArgument with the text otherwise.
struct HostPort {
  std::string host;  // empty: all interfaces
  uint16_t port = 0;
};
Result<HostPort> ParseHostPort(const std::string& address);

}  // namespace borealis::env
