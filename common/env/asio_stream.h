// TCP streams over Asio, for common/env's own sources only.
//
// Reading uses async_read_some, which keeps to one recv(2) for each chunk of data. Writing goes
// straight to sendmsg(2) from the loop's thread; only when the socket is full does the reactor wait
// for it. The core is shared by the Stream and the handlers that are under way, so that it outlives
// both a destroyed Stream (CloseAfterFlush) and a late handler.
#pragma once

#include <asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/env/net.h"

namespace borealis::env {

class AsioStreamCore : public std::enable_shared_from_this<AsioStreamCore> {
 public:
  AsioStreamCore(AsioLoop& loop, asio::ip::tcp::socket socket, Duration peer_timeout);

  void Read(char* out, size_t n, UniqueFunction<void(Result<size_t>)> done);
  void CancelRead();
  void Write(Bytes data);
  void WriteMany(std::vector<Bytes> parts);
  void WhenPendingAtMost(size_t limit, UniqueFunction<void(Status)> done);
  void SetOnClose(UniqueFunction<void(Status)> on_close) { on_close_ = std::move(on_close); }
  // The owner's Close(); `silent` is the destructor's, which calls nothing back.
  void Close(bool silent);
  void CloseAfterFlush(Duration timeout);
  bool closed() const { return state_ != State::kOpen; }
  size_t pending() const { return pending_; }
  AsioLoop& loop() { return loop_; }
  const std::string& peer_address() const { return peer_address_; }
  const std::string& local_address() const { return local_address_; }

 private:
  enum class State : uint8_t { kOpen, kLingering, kClosed };

  void Enqueue(Bytes data);
  void Flush();
  void WaitWritable();
  void Consume(size_t bytes);
  void CheckPendingWaiter();
  void FinishRead(const asio::error_code& error, size_t n);
  // Ends everything with that status; tells the owner.
  void Break(Status why);
  void Shut(const Status& why);
  void Linger();

  AsioLoop& loop_;
  asio::ip::tcp::socket socket_;
  std::string peer_address_;
  std::string local_address_;
  State state_ = State::kOpen;

  std::deque<Bytes> queue_;
  size_t head_sent_ = 0;  // of queue_.front()
  size_t pending_ = 0;
  bool waiting_writable_ = false;
  size_t pending_limit_ = 0;
  UniqueFunction<void(Status)> pending_done_;

  bool reading_ = false;  // an asynchronous read is under way
  UniqueFunction<void(Result<size_t>)> read_done_;
  UniqueFunction<void(Status)> on_close_;

  TimerId linger_timer_ = TimerId::kNone;
  std::vector<char> discard_;
};

std::unique_ptr<Stream> MakeAsioStream(AsioLoop& loop, asio::ip::tcp::socket socket,
                                       Duration peer_timeout);

}  // namespace borealis::env
