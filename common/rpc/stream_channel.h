// Channel over env::Stream, and its handshake. For common/rpc's own sources only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/rpc/channel.h"

namespace borealis::rpc {

// The connection under a channel, from the first byte. It outlives the Channel object for as long
// as one of its own calls is on the stack, so that a handler may destroy the channel that calls it.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  using OnHello = env::UniqueFunction<void(Result<std::unique_ptr<Channel>>)>;

  ChannelCore(std::unique_ptr<env::Stream> stream, Hello mine, ChannelOptions options);

  // Exchanges hellos. `done` runs once, unless Abandon() comes first.
  void Start(env::Duration timeout, OnHello done);
  // Ends silently, whatever the state. What was sent is flushed for at most a second.
  void Abandon();

  void SetHandler(ChannelHandler* handler);
  void Send(uint8_t type, uint64_t request_id, Bytes payload);
  size_t pending_bytes() const;
  void WhenPendingAtMost(size_t limit, env::UniqueFunction<void(Status)> done);

  env::Loop& loop() { return stream_->loop(); }
  bool closed() const { return state_ == State::kClosed; }
  const Hello& peer() const { return peer_; }
  uint16_t version() const { return version_; }
  const std::string& peer_address() const { return stream_->peer_address(); }

 private:
  enum class State : uint8_t { kHello, kOpen, kClosed };

  void StartRead();
  void OnRead(Result<size_t> got);
  // Hands over the whole frames that are in the buffer.
  void Dispatch();
  // Takes one whole frame from the buffer, if there; false to stop.
  bool DispatchOne();
  void OnHelloFrame(const FrameHeader& header, ByteView payload);
  void MakeRoom();
  void FlushAtTurnEnd();
  // Tells the peer why, then breaks.
  void Refuse(const Status& why);
  void Break(const Status& why);
  void TellClosed();

  const std::unique_ptr<env::Stream> stream_;
  const Hello mine_;
  const ChannelOptions options_;
  State state_ = State::kHello;
  Hello peer_;
  uint16_t version_ = 0;

  OnHello on_hello_;
  env::TimerId hello_timer_ = env::TimerId::kNone;
  Channel* channel_ = nullptr;  // null before the hello and after Abandon()
  ChannelHandler* handler_ = nullptr;
  Status closed_why_;  // set when broken, until the handler was told
  bool reading_ = false;
  bool dispatching_ = false;

  // Input: bytes [begin_, end_) of buffer_ were read and not yet handed over.
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t frame_bytes_ = 0;  // of the frame at begin_, once its header is known; else 0

  // Output of this turn: whole parts, then `tail_`, which gathers headers and small payloads.
  std::vector<Bytes> parts_;
  Bytes tail_;
  size_t unsent_ = 0;
  bool flush_scheduled_ = false;
};

void EncodeRefusal(const Status& why, Bytes* out);
// The status that the peer refused with; kCorruption for a malformed one.
Status DecodeRefusal(ByteView payload);

}  // namespace borealis::rpc
