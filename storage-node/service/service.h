// The service: answers writers' frames, hands peers' frames to the replica. Translates, calls,
// translates back.
//
// Everything here runs on the replica's loop, but for reads: those wait until the store has applied
// their version and then run on a small pool of threads, so that a scan never delays the log. Any
// member answers reads; only the leader commits, allocates, fences, resolves and tells the version
// of strong reads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/env/thread.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "common/rpc/channel.h"
#include "common/wire/messages.h"
#include "storage-node/replica/replica.h"
#include "storage-node/service/stream_hub.h"

namespace borealis::service {

struct ServiceOptions {
  env::Duration read_wait = std::chrono::seconds(2);  // for a version to be applied
  uint32_t scan_rows_max = 8192;
  uint32_t scan_bytes_max = 4u << 20;
  size_t get_bytes_max = 64u << 20;      // of one reply
  size_t unsent_bytes_max = 128u << 20;  // reads are refused on a connection with more
  StreamHub::Options stream;
};

// Loop thread only.
class Service {
 public:
  // All borrowed; the pool is stopped before the service is destroyed.
  Service(env::Loop& loop, replica::Replica& replica, env::WorkerPool& readers,
          obs::Registry& metrics, obs::Logger logger, ServiceOptions options = {});
  ~Service();

  // Takes over an accepted channel.
  void OnChannel(std::unique_ptr<rpc::Channel> channel);
  // Closes all.
  void Close();
  size_t sessions() const { return sessions_.size(); }

 private:
  class Session;
  friend class Session;
  using SessionId = uint64_t;
  struct ReadTask;
  struct Reply {
    wire::FrameType type = wire::FrameType::kError;
    Bytes payload;
  };

  void OnFrame(Session& session, wire::FrameType type, uint64_t request_id, ByteView payload);
  void OnCommit(Session& session, uint64_t request_id, ByteView payload);
  void OnRead(Session& session, wire::FrameType type, uint64_t request_id, ByteView payload);
  void OnSubscribe(Session& session, uint64_t request_id, ByteView payload);
  void OnAllocate(Session& session, uint64_t request_id, ByteView payload);
  void OnFence(Session& session, uint64_t request_id, ByteView payload);
  void OnResolve(Session& session, uint64_t request_id, ByteView payload);
  void OnClose(SessionId id, const Status& why);
  // To a session that may be gone.
  void Send(SessionId id, uint64_t request_id, Reply reply);
  void SendError(SessionId id, uint64_t request_id, const Status& status);
  Reply ErrorOf(const Status& status) const;
  void StartRead(const std::shared_ptr<ReadTask>& task);
  void FinishRead(const std::shared_ptr<ReadTask>& task, Reply reply);
  // Any thread.
  Reply Read(const ReadTask& task) const;
  Reply ReadKeys(ByteView payload) const;
  Reply ReadRange(ByteView payload) const;

  env::Loop& loop_;
  replica::Replica& replica_;
  env::WorkerPool& readers_;
  const obs::Logger logger_;
  const ServiceOptions options_;
  StreamHub hub_;
  SessionId next_session_ = 1;
  std::map<SessionId, std::unique_ptr<Session>> sessions_;
  obs::Counter* reads_;
  obs::Counter* read_waits_;
  obs::Histogram* read_us_;
  std::shared_ptr<Service*> alive_;
};

}  // namespace borealis::service
