// Channels: ordered frames between two programs of one cluster, over a Stream. Loop thread only.
// The simulator implements the same interface.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/env/loop.h"
#include "common/env/net.h"
#include "common/env/random.h"
#include "common/rpc/frame.h"

namespace borealis::rpc {

class Channel;

// Receives what comes over a channel. Outlives it. A handler may send, close and destroy any
// channel in its calls, also the calling one.
class ChannelHandler {
 public:
  virtual ~ChannelHandler() = default;
  // The payload is borrowed for the call. Its checksum is right; its content is not checked.
  virtual void OnFrame(Channel& channel, uint8_t type, uint64_t request_id, ByteView payload) = 0;
  // Once, when the channel ends for any reason but its owner's Close(); nothing follows it.
  virtual void OnClose(Channel& channel, const Status& why) = 0;
};

// An open channel: the hellos have been exchanged. Destruction closes it and calls nothing.
class Channel {
 public:
  virtual ~Channel() = default;

  virtual env::Loop& loop() = 0;
  // Required before the first frame is handed over: reading starts with it.
  virtual void SetHandler(ChannelHandler* handler) = 0;
  // Queues a frame. All frames queued in one turn of the loop leave together, in one system call,
  // at its end. Payload of at most kFramePayloadMax. No effect on a closed channel. Above
  // `pending_bytes_max` of the options the channel breaks with kResourceExhausted: a sender that
  // could get there looks at pending_bytes() first.
  virtual void Send(uint8_t type, uint64_t request_id, Bytes payload) = 0;
  // Not yet taken by the kernel.
  virtual size_t pending_bytes() const = 0;
  // Runs `done` (posted) once pending_bytes() <= limit, or with the status that closed the
  // channel. One at a time.
  virtual void WhenPendingAtMost(size_t limit, env::UniqueFunction<void(Status)> done) = 0;
  // Sends what is queued (for at most a second) and closes.
  virtual void Close() = 0;
  virtual bool closed() const = 0;

  virtual const Hello& peer() const = 0;
  virtual uint16_t version() const = 0;
  virtual const std::string& peer_address() const = 0;
};

// Counted into by all channels that are given it; for metrics. Any thread may read.
struct ChannelStats {
  std::atomic<uint64_t> frames_sent{0}, frames_received{0};
  std::atomic<uint64_t> bytes_sent{0}, bytes_received{0};
  // Batches handed to the stream (a system call each while the socket takes all), and reads.
  std::atomic<uint64_t> writes{0}, reads{0};
};

struct ChannelOptions {
  size_t payload_max = kFramePayloadMax;
  size_t pending_bytes_max = 1u << 30;
  env::Duration hello_timeout = std::chrono::seconds(3);
  ChannelStats* stats = nullptr;  // outlives the channels
};

// Accepts channels. Handed-over channels stay when the server is destroyed.
class ChannelServer {
 public:
  // On the channel's loop. The owner sets the handler and keeps the channel, or drops it.
  using OnChannel = std::function<void(std::unique_ptr<Channel>)>;

  // Listens at once; the error names the address. `hello` is asked for at each accept, as its id
  // may change. At most 1,024 connections may be before their hello; more are refused.
  static Result<std::unique_ptr<ChannelServer>> Start(env::Network& network,
                                                      const std::string& address,
                                                      std::function<Hello()> hello,
                                                      OnChannel on_channel,
                                                      ChannelOptions options = {});
  virtual ~ChannelServer() = default;
  virtual const std::string& address() const = 0;
  virtual uint16_t port() const = 0;
};

// Dials once: kUnavailable, kDeadlineExceeded, or what the other side refused with. `done` runs
// once, never inside the call.
void DialChannel(env::Network& network, const std::string& address, Hello hello,
                 env::Duration timeout, ChannelOptions options,
                 env::UniqueFunction<void(Result<std::unique_ptr<Channel>>)> done);

struct ChannelClientOptions {
  ChannelOptions channel = {};
  env::Duration dial_timeout = std::chrono::seconds(1);
  env::Duration backoff_min = std::chrono::milliseconds(10);
  env::Duration backoff_max = std::chrono::seconds(1);
  // Asked for before each dial; the address may change (pods move).
  std::function<std::string()> address = {};
  std::function<Hello()> hello = {};
};

// Keeps one channel to a peer: dials, and dials again with a jittered, doubling back-off when it
// breaks or cannot be had. Frames of one channel are never resent on the next: that is the
// caller's, who knows what may be repeated.
class ChannelClient {
 public:
  struct Events {
    std::function<void(Channel&)> on_up = {};
    std::function<void(const Status&)> on_down = {};   // an open channel ended
    std::function<void(const Status&)> on_retry = {};  // a dial failed (for the log)
    std::function<void(uint8_t type, uint64_t request_id, ByteView payload)> on_frame = {};
  };
  // Starts to dial. `random` (for the jitter) and the network outlive it. Destruction closes, and
  // calls nothing. An event may destroy the client only by posting.
  static std::unique_ptr<ChannelClient> Start(env::Network& network, env::Random& random,
                                              ChannelClientOptions options, Events events);
  virtual ~ChannelClient() = default;
  // Null while down.
  virtual Channel* channel() = 0;
  // Drops the open channel, if any (without on_down), and dials at once: for a changed address, or
  // a peer that is connected but silent.
  virtual void Reconnect() = 0;
};

}  // namespace borealis::rpc
