#include "writer-node/pgwire/connection.h"

#include <algorithm>

#include "common/env/fiber.h"

namespace borealis::pgwire {
namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kReadBytesLarge = 256 * 1024;
constexpr size_t kFlushBytes = 64 * 1024;
constexpr size_t kUnsentBytesMax = 1 << 20;
constexpr size_t kKeepBytes = 64 * 1024;

// The largest body of a message of this type; 0 when there is no such message.
size_t BodyMax(char type, bool logged_in) {
  if (!logged_in) return type == 'p' ? kMessageBytesBeforeLoginMax : 0;
  switch (static_cast<FrontendType>(type)) {
    case FrontendType::kQuery:
    case FrontendType::kParse:
    case FrontendType::kBind:
    case FrontendType::kFunctionCall:
    case FrontendType::kCopyData:
      return kMessageBytesMax;
    case FrontendType::kClose:
    case FrontendType::kCopyDone:
    case FrontendType::kCopyFail:
    case FrontendType::kDescribe:
    case FrontendType::kExecute:
    case FrontendType::kFlush:
    case FrontendType::kSync:
    case FrontendType::kTerminate:
      return kSmallMessageBytesMax;
    case FrontendType::kPassword:
      return 0;
  }
  return 0;
}

}  // namespace

Connection::Connection(std::unique_ptr<env::Stream> stream) : stream_(std::move(stream)) {}

Status Connection::Lost(const Status& status) const {
  if (status.code() == Code::kCancelled || status.code() == Code::kDeadlineExceeded) return status;
  return Unavailable("connection to client lost: " + status.message());
}

Status Connection::Fill(size_t n) {
  if (position_ == in_.size()) {
    in_.clear();
    position_ = 0;
    if (in_.capacity() > kKeepBytes) Bytes().swap(in_);
  }
  while (in_.size() - position_ < n) {
    if (position_ > 0) {
      in_.erase(0, position_);
      position_ = 0;
    }
    if (interrupted_) return Cancelled("the read was interrupted");
    const size_t have = in_.size();
    const size_t missing = n - have;
    // Never more than was asked for beyond one small buffer, and large messages in bounded steps.
    const size_t want = std::clamp(missing, kReadBytes, kReadBytesLarge);
    if (in_.capacity() < have + want) in_.reserve(std::max(have + want, 2 * have));
    in_.resize(have + want);
    Result<size_t> got = 0;
    reading_ = true;
    if (deadline_) {
      env::Duration left = *deadline_ - stream_->loop().clock().Monotonic();
      got = left.count() <= 0 ? Result<size_t>(DeadlineExceeded("no message in time"))
                              : env::FiberReadFor(*stream_, in_.data() + have, want, left);
    } else {
      got = env::FiberRead(*stream_, in_.data() + have, want);
    }
    reading_ = false;
    in_.resize(have + (got.ok() ? *got : 0));
    if (!got.ok()) return Lost(got.status());
    if (*got == 0) {
      return Unavailable(have == 0 ? "the client closed the connection"
                                   : "the client closed the connection inside a message");
    }
  }
  return Status::Ok();
}

void Connection::InterruptRead() {
  interrupted_ = true;
  if (reading_) stream_->CancelRead();
}

Result<ByteView> Connection::ReadStartupPacket() {
  RETURN_IF_ERROR(Fill(4));
  const uint32_t length = GetU32BE(in_.data() + position_);
  if (length < 8 || length > kStartupBytesMax) {
    return Corruption("invalid length of startup packet");
  }
  RETURN_IF_ERROR(Fill(length));
  ByteView body = ByteView(in_).substr(position_ + 4, length - 4);
  position_ += length;
  return body;
}

Result<Message> Connection::ReadMessage() {
  RETURN_IF_ERROR(Fill(5));
  const char type = in_[position_];
  const size_t length = GetU32BE(in_.data() + position_ + 1);
  const size_t body_max = BodyMax(type, logged_in_);
  if (body_max == 0) {
    return Corruption(logged_in_ ? "invalid frontend message type " +
                                       std::to_string(static_cast<uint8_t>(type))
                                 : "expected password response, got message type " +
                                       std::to_string(static_cast<uint8_t>(type)));
  }
  if (length < 4 || length - 4 > body_max) return Corruption("invalid message length");
  RETURN_IF_ERROR(Fill(1 + length));
  Message message;
  message.type = static_cast<FrontendType>(type);
  message.body = ByteView(in_).substr(position_ + 5, length - 4);
  position_ += 1 + length;
  return message;
}

Result<FrontendType> Connection::PeekType() {
  RETURN_IF_ERROR(Fill(1));
  const char type = in_[position_];
  if (BodyMax(type, logged_in_) == 0) {
    return Corruption("invalid frontend message type " +
                      std::to_string(static_cast<uint8_t>(type)));
  }
  return static_cast<FrontendType>(type);
}

Status Connection::Flush() {
  if (out_.size() > 0) {
    bytes_sent_ += out_.size();
    stream_->Write(out_.Take());
  }
  if (stream_->closed()) return Unavailable("connection to client lost");
  if (stream_->pending_write_bytes() <= kUnsentBytesMax) return Status::Ok();
  Status status = env::FiberFlush(*stream_, kUnsentBytesMax / 2);
  return status.ok() ? status : Lost(status);
}

Status Connection::FlushIfLarge() {
  return out_.size() > kFlushBytes ? Flush() : Status::Ok();
}

void Connection::SendByte(char c) {
  stream_->Write(Bytes(1, c));
}

void Connection::CloseAfterFlush(env::Duration timeout) {
  if (out_.size() > 0) stream_->Write(out_.Take());
  stream_->CloseAfterFlush(timeout);
}

void Connection::Close() {
  stream_->Close();
}

}  // namespace borealis::pgwire
