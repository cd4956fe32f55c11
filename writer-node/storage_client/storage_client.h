// Storage over real members: one for each writer process. docs/design/transactions.md, "The way to
// the members".
//
// Owned by the program; lives on its loop. Constructed, then Open() in a fiber, then used; Stop()
// in a fiber before destruction. Members are dialled for ever, so it serves again by itself after
// any outage.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/env/fiber.h"
#include "common/env/net.h"
#include "common/env/random.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "writer-node/storage_client/applied_stream.h"
#include "writer-node/storage_client/commit_pipe.h"
#include "writer-node/storage_client/members.h"
#include "writer-node/storage_client/storage.h"

namespace borealis::storage_client {

struct StorageClientOptions {
  ClusterId cluster;
  std::string writer_name;
  std::string zone;  // may be empty
  std::vector<MemberAddress> members;
  // Whole budget of one read, over all members.
  Milliseconds read_timeout{10000};
  // After a commit's deadline: how long its fate is asked for before it is called unknown.
  Milliseconds resolve_timeout{2000};
  // The verdicts of that many newest transactions are kept by the members for pg_xact_status.
  uint64_t verdicts_kept = 1024;
};

class StorageClient final : public Storage {
 public:
  // Starts to dial. Borrows what it is given by reference or pointer.
  StorageClient(env::Loop& loop, env::Network& network, env::Random& random, obs::Logger logger,
                obs::Registry* metrics, StorageClientOptions options);
  ~StorageClient() override;

  // Allocates the incarnation and starts the stream. kUnavailable when there is no quorum in time;
  // may be called again.
  Status Open(Milliseconds timeout);
  // Fails everything that waits with kCancelled. Call in a fiber; blocks until its own fibers have
  // ended.
  void Stop();
  // Ends this incarnation for good (a clean shutdown): its locks and promises end at once.
  Status FenceSelf(Milliseconds timeout);
  // Once, when members said that this incarnation is fenced: the process must end.
  void SetOnFenced(std::function<void()> on_fenced) { on_fenced_ = std::move(on_fenced); }

  // Members with an open channel; the one thought to lead (none = unknown); where the stream comes
  // from.
  size_t members_up() const { return members_.up_count(); }
  MemberId leader() const { return members_.leader(); }
  MemberId stream_source() const { return stream_.source(); }

  // ---- Storage
  Incarnation incarnation() const override { return incarnation_; }
  const std::string& writer_name() const override { return options_.writer_name; }
  Version local_version() const override { return stream_.version(); }
  Status WaitForLocal(Version version, Milliseconds timeout) override;
  Result<Version> ReadIndex(Milliseconds timeout) override;
  Result<std::vector<std::optional<Bytes>>> MultiGet(Version version,
                                                     const std::vector<Bytes>& keys) override;
  Result<ScanPage> Scan(Version version, const ScanSpec& spec) override;
  TxnId NextTxnId() override;
  void Abandon(const TxnId& txn) override;
  Result<wire::Verdict> Commit(const TxnId& txn, const wire::RequestBuilder& request,
                               Milliseconds timeout) override;
  Result<wire::Verdict> Resolve(const TxnId& txn, Milliseconds timeout) override;
  void AddObserver(StreamObserver* observer) override { stream_.AddObserver(observer); }
  void RemoveObserver(StreamObserver* observer) override { stream_.RemoveObserver(observer); }

 private:
  struct ReadIndexWaiter {
    env::FiberPromise<Version> promise;
    env::MonotonicTime deadline;
  };
  void OnFrame(MemberId from, wire::FrameType type, uint64_t request_id, ByteView payload);
  void ReadIndexLoop();
  void Rebase();
  Result<Reply> ReadAnywhere(wire::FrameType type, const Bytes& payload, wire::FrameType expected);
  uint64_t AckedWatermark() const;
  void Fenced();

  env::Loop& loop_;
  obs::Logger logger_;
  const StorageClientOptions options_;
  env::Random& random_;
  Incarnation incarnation_;
  Members members_;
  CommitPipe commits_;
  AppliedStream stream_;
  env::FiberGroup fibers_;

  uint64_t next_sequence_ = 1;
  std::set<uint64_t> open_;  // reserved, neither committed nor abandoned
  std::vector<ReadIndexWaiter> read_index_waiters_;
  env::FiberEvent read_index_wanted_;
  bool rebasing_ = false;
  bool fenced_ = false;
  std::function<void()> on_fenced_;
  obs::Counter* read_indexes_;
  obs::Counter* read_retries_;
};

}  // namespace borealis::storage_client
