// A member's replica: drives the Raft core with log, timers and peers, feeds committed entries to
// the state machine, and answers each request once its entry is certified.
//
// Everything is called on one loop's thread (which also reads the peers' frames and, on a follower,
// syncs the log: batch, sync and acknowledgement share a turn). A leader with company syncs on the
// log's own thread, after its appends have left. docs/design/exactly-once.md says what an answer
// means.
//
// A request that was accepted gets exactly one answer, unless the replica is destroyed before.
// After a change of leadership: what was never appended is kRetryElsewhere; what was appended is
// kUnknown, and is to be sent again with the same transaction id.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/env/file.h"
#include "common/env/loop.h"
#include "common/env/net.h"
#include "common/env/random.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "common/wire/messages.h"
#include "storage-node/apply/applier.h"
#include "storage-node/apply/state_machine.h"
#include "storage-node/log/log_writer.h"
#include "storage-node/mvcc/store.h"
#include "storage-node/raft/raft.h"
#include "storage-node/replica/peer_links.h"
#include "storage-node/replica/proposals.h"

namespace borealis::replica {

struct Options {
  MemberId id;
  ClusterId cluster;
  std::map<MemberId, std::string> members;  // all voters with this one: host:port of their frames
  std::string data_dir;                     // holds log/ and store/
  env::Duration tick = std::chrono::milliseconds(50);
  int election_ticks = 8;  // timeouts are drawn from [n, 2n) ticks
  int heartbeat_ticks = 2;
  int inflight_appends = 1;  // batches a hop; more pays when the round trip is longer than the sync
  size_t entry_bytes_max = 1u << 20;  // of one Commit entry, unless a single call is larger
  certifier::Options certifier;
  size_t block_cache_bytes = 128u << 20;
  size_t write_buffer_bytes = 32u << 20;
};

// Borrowed, all outlive the replica.
struct Environment {
  env::Loop* loop = nullptr;
  env::Network* network = nullptr;  // of that loop
  env::FileSystem* files = nullptr;
  const env::Clock* clock = nullptr;
  env::Random* random = nullptr;
  obs::Registry* metrics = nullptr;
  obs::Logger logger;
  // The member must end at once: its disk failed, or it met what it must not skip. Any thread; does
  // not return in a program. Nothing is acknowledged after it.
  std::function<void(const Status&)> on_fatal;
};

struct ReplicaStatus {
  raft::RaftStatus raft;
  Version certified;
  Version applied;
  LogIndex certified_index;
  uint64_t verdict_hash = 0;
  uint64_t boot_number = 0;
  std::map<MemberId, env::Duration> since_contact;  // peers that were heard of
  // Knows a leader (or is one that has certified an entry of its own term).
  bool serving = false;
};

class Replica {
 public:
  // Opens log and store and rebuilds the state machine from the log; blocks for as long as that
  // takes. Call before the loop starts, or on its thread. Errors: those of Log::Open and
  // Store::Open, and kCorruption when log and store contradict each other.
  static Result<std::unique_ptr<Replica>> Open(Options options, Environment environment);
  // With the loop stopped, or on its thread.
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // Dials the peers and starts the clock.
  void Start();
  // Takes no further part; applies and flushes what is certified. Blocks. With the loop stopped.
  Status Stop();

  // A frame kRaft that came from `from` (by its hello). Malformed ones are logged and dropped.
  void OnRaftFrame(MemberId from, ByteView payload);

  // `body` is that of a CommitBatch frame: kCorruption unless it is one, kResourceExhausted when
  // too much waits already; then `done` is not called. Else `done` gets one verdict for each
  // request, in order.
  using CommitDone = std::function<void(std::vector<wire::Verdict>)>;
  Status Commit(Bytes body, CommitDone done);

  // The version that a strong read which starts now has to see. Not the leader: is_leader is false.
  void ReadIndex(std::function<void(wire::ReadIndexReply)> done);

  // kNotLeader (leader() may name it), kOutcomeUnknown: ask again, both are idempotent.
  void Allocate(uint64_t nonce, std::string writer_name,
                std::function<void(Result<Incarnation>)> done);
  void Fence(Incarnation incarnation, std::function<void(Status)> done);
  void Resolve(const TxnId& txn, std::function<void(Result<wire::Verdict>)> done);

  // To the given voter, or with none to the one that is closest. kNotLeader, kInvalidArgument,
  // kUnavailable when there is nobody.
  Status TransferLeadership(MemberId target);

  // Called for each certified entry, in log order, on the loop's thread.
  void SetSink(std::function<void(const std::shared_ptr<const apply::CertifiedEntry>&)> sink) {
    sink_ = std::move(sink);
  }

  MemberId leader() const { return raft_->leader(); }
  bool is_leader() const { return raft_->role() == raft::Role::kLeader; }
  Version certified_version() const { return machine_.version(); }
  ReplicaStatus status() const;
  const mvcc::Store& store() const { return *store_; }
  apply::Applier& applier() { return *applier_; }

 private:
  struct PendingRead {
    std::function<void(wire::ReadIndexReply)> done;
    LogIndex index;  // none until Raft has confirmed it
  };
  struct Metrics {
    obs::Counter* accepted;
    obs::Counter* conflicts;
    obs::Counter* refused;
    obs::Counter* entries;
    obs::Counter* messages_sent;
    obs::Counter* messages_received;
    obs::Counter* elections;
    obs::Histogram* batch_requests;
    obs::Histogram* certify_us;
  };

  Replica(Options options, Environment environment);
  Status OpenAll();
  Status ReplayLog();
  void RegisterMetrics();
  void Tick();
  void SchedulePump();
  void Pump();
  void ProposeQueued();
  void OnReady(raft::Ready ready);
  void OnSoftState(const raft::SoftState& state);
  void Send(const raft::Message& message);
  void Persist(raft::PersistRequest request);
  void PersistDeferred();
  void PersistInline(raft::PersistRequest request);
  void PersistThreaded(raft::PersistRequest request);
  void OnDurable(uint64_t sequence, const std::vector<raft::Message>& messages);
  void OnCommitted(const raft::Entry& entry);
  Result<apply::Decided> DecideEntry(const raft::Entry& entry);
  void Publish(const raft::Entry& entry, const apply::Decided& decided);
  void OnReadStates(const std::vector<raft::ReadState>& reads);
  void AnswerReads();
  void FailReads();
  void CheckStateHash(const raft::Message& message);
  void ProposeOther(Bytes payload, Proposals::OtherDone done);
  void Fatal(const Status& status);

  const Options options_;
  const Environment env_;

  // Loop thread only.
  std::unique_ptr<mvcc::Store> store_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<log::LogWriter> writer_;
  apply::StateMachine machine_;
  std::unique_ptr<raft::Raft> raft_;
  std::unique_ptr<apply::Applier> applier_;
  std::unique_ptr<PeerLinks> links_;
  Proposals proposals_;
  std::function<void(const std::shared_ptr<const apply::CertifiedEntry>&)> sink_;
  raft::SoftState soft_;
  bool own_term_certified_ = false;  // while leader: an entry of this term was certified
  uint64_t next_read_ = 1;
  std::map<uint64_t, PendingRead> reads_;  // by context
  std::deque<raft::PersistRequest> deferred_;
  uint64_t durable_sequence_ = 0;
  uint64_t sync_us_ = 0;  // smoothed time of an inline sync
  std::map<MemberId, env::MonotonicTime> last_contact_;
  bool pump_scheduled_ = false;
  bool started_ = false;
  bool stopped_ = false;
  std::vector<std::pair<LogIndex, uint64_t>> state_hashes_;  // ring by index
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  void DecideAtAppend(const raft::Proposal& proposal, const std::vector<raft::Payload>& payloads);
  std::deque<apply::Decided> planted_;  // decided and not yet committed
#endif
  Metrics metrics_{};
  std::vector<uint64_t> callbacks_;  // ids of metrics_ callbacks
  // Cleared by Stop and the destructor: what was posted by other threads then does nothing.
  std::shared_ptr<Replica*> alive_;
};

// "leader", "follower", "candidate"
std::string_view RoleText(raft::Role role);

}  // namespace borealis::replica
