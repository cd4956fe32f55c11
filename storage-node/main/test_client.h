// A blocking client of one member's frames, for tests.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/env/loop.h"
#include "common/env/net.h"
#include "common/rpc/channel.h"
#include "common/wire/log_entry.h"
#include "common/wire/messages.h"

namespace borealis::storage_main {

struct Frame {
  wire::FrameType type = wire::FrameType::kError;
  Bytes payload;
};

// Any thread.
class TestClient : public rpc::ChannelHandler {
 public:
  // Dials; kUnavailable if nobody is there.
  static Result<std::unique_ptr<TestClient>> Connect(env::AsioLoop& loop, env::Network& network,
                                                     const std::string& address,
                                                     const ClusterId& cluster);
  ~TestClient() override;

  // kUnavailable when the connection broke, kDeadlineExceeded.
  Result<Frame> Call(wire::FrameType type, Bytes payload, int timeout_ms = 3000);
  // Frames that answer `request_id` of a Subscribe pile up; the oldest, or none in time.
  uint64_t Subscribe(const wire::Subscribe& subscribe);
  std::optional<Frame> NextOf(uint64_t request_id, int timeout_ms = 3000);

  Result<wire::Verdict> Commit(const Bytes& request, int timeout_ms = 3000);
  // Not the leader: kNotLeader.
  Result<Version> ReadIndex(int timeout_ms = 3000);
  Result<std::optional<Bytes>> Get(ByteView key, Version version);

  void OnFrame(rpc::Channel&, uint8_t type, uint64_t request_id, ByteView payload) override;
  void OnClose(rpc::Channel&, const Status& why) override;

 private:
  explicit TestClient(env::AsioLoop& loop) : loop_(loop) {}
  uint64_t Send(wire::FrameType type, Bytes payload);

  env::AsioLoop& loop_;
  std::unique_ptr<rpc::Channel> channel_;  // loop thread only
  std::mutex mu_;
  std::condition_variable changed_;
  uint64_t next_id_ = 1;                            // guarded by mu_
  bool closed_ = false;                             // guarded by mu_
  std::map<uint64_t, std::vector<Frame>> answers_;  // guarded by mu_
};

}  // namespace borealis::storage_main
