// Connection: one client's byte stream cut into messages, and the buffer of what is to be sent.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/env/net.h"
#include "writer-node/pgwire/messages.h"

namespace borealis::pgwire {

// PostgreSQL's own limits: of the startup packet, and of messages that hold only names.
inline constexpr size_t kStartupBytesMax = 10000;
inline constexpr size_t kSmallMessageBytesMax = 10000;
inline constexpr size_t kMessageBytesBeforeLoginMax = 64 * 1024;
inline constexpr size_t kMessageBytesMax = 256u << 20;

struct Message {
  FrontendType type = FrontendType::kTerminate;
  ByteView body;  // valid until the next read
};

// Owned by a session; loop thread only; whatever waits blocks the calling fiber.
//
// How reads fail: kCorruption, the client broke the protocol (the message is for it, 08P01);
// kUnavailable, the client went away; kDeadlineExceeded, the deadline passed (nothing read is
// lost); kCancelled, InterruptRead() or the fiber's cancellation.
class Connection {
 public:
  explicit Connection(std::unique_ptr<env::Stream> stream);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The untyped first packet, without its length.
  Result<ByteView> ReadStartupPacket();
  // Before login only 'p' is accepted and at most 64 KiB are taken; afterwards the types of
  // messages.h, up to kMessageBytesMax. The length is checked before memory is taken, and the
  // memory grows with what has arrived, not with what was announced.
  Result<Message> ReadMessage();
  // The type of the next message, without taking it; waits for its first byte. kCorruption for a
  // byte that is no type.
  Result<FrontendType> PeekType();
  void set_logged_in() { logged_in_ = true; }
  // For all reads until changed.
  void set_read_deadline(std::optional<env::MonotonicTime> deadline) { deadline_ = deadline; }
  // From another fiber of the loop: a read that waits for bytes ends with kCancelled, and so does
  // the next one that would have to wait.
  void InterruptRead();
  void ClearInterrupt() { interrupted_ = false; }
  // Bytes that were received and not read.
  bool has_buffered_input() const { return position_ < in_.size(); }

  Encoder& out() { return out_; }
  // Sends what the encoder holds; waits only while more than 1 MiB is unsent. kUnavailable when the
  // client is gone.
  Status Flush();
  // Flush() if the encoder holds more than 64 KiB.
  Status FlushIfLarge();
  // The one answer that is no message: 'N' to SSLRequest and GSSENCRequest.
  void SendByte(char c);

  // Handed to the stream so far.
  uint64_t bytes_sent() const { return bytes_sent_; }

  // Sends what is left for at most `timeout` and closes.
  void CloseAfterFlush(env::Duration timeout);
  void Close();
  const std::string& peer_address() const { return stream_->peer_address(); }
  env::Stream& stream() { return *stream_; }

 private:
  // Makes n unread bytes available. A view of them stays valid until the next Fill.
  Status Fill(size_t n);
  Status Lost(const Status& status) const;

  std::unique_ptr<env::Stream> stream_;
  bool logged_in_ = false;
  bool interrupted_ = false;
  bool reading_ = false;
  std::optional<env::MonotonicTime> deadline_;
  Bytes in_;  // received; read up to position_
  size_t position_ = 0;
  Encoder out_;
  uint64_t bytes_sent_ = 0;
};

}  // namespace borealis::pgwire
