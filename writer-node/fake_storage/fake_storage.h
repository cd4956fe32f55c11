// A test double of the storage members: one FakeCluster holds the versioned rows and certifies with
// the real rules (all kinds of access, ranges, exactly-once, fencing), in memory and without a log;
// each FakeStorage is one writer's view of it. Only for tests; never linked into a program.
//
// Everything on one loop. Commits are certified inside the call; the stream of each writer follows
// at once, or when the test says so (HoldStream), which makes stale local snapshots reproducible.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/env/fiber.h"
#include "writer-node/storage_client/storage.h"

namespace borealis::fake_storage {

class FakeStorage;

class FakeCluster {
 public:
  explicit FakeCluster(env::Loop* loop) : loop_(loop) {}

  Version version() const { return version_; }
  // Certifies a request: the verdict that members would give.
  wire::Verdict Certify(ByteView request);
  wire::Verdict Resolve(const TxnId& txn);
  Incarnation Allocate() { return Incarnation(++incarnations_); }
  void Fence(Incarnation incarnation) { fenced_.insert(incarnation); }
  // Reads below it fail with kBelowHorizon.
  void SetHorizon(Version horizon) { horizon_ = horizon; }
  // All rows at the newest version, for assertions.
  std::map<Bytes, Bytes> Dump() const;

 private:
  friend class FakeStorage;
  struct Record {  // of a certified access
    Version version;
    TxnId txn;
    wire::AccessKind kind;
    wire::Op op;
  };
  struct Row {
    std::vector<std::pair<Version, std::optional<Bytes>>> versions;  // ascending
  };
  struct Applied {
    Version version;
    TxnId txn;
    Bytes request;
  };
  const Record* Conflict(const wire::Access& access) const;
  const std::optional<Bytes>* At(const Row& row, Version version) const;

  env::Loop* const loop_;
  Version version_;
  Version horizon_;
  uint64_t incarnations_ = 0;
  std::map<Bytes, Row, std::less<>> rows_;
  std::map<Bytes, std::vector<Record>, std::less<>> history_;
  std::map<TxnId, wire::Verdict> verdicts_;
  std::set<Incarnation> fenced_;
  std::vector<Applied> log_;
  std::vector<FakeStorage*> writers_;
};

class FakeStorage : public storage_client::Storage {
 public:
  // Takes part from the cluster's present version on.
  FakeStorage(FakeCluster* cluster, std::string name);
  ~FakeStorage() override;

  // ---- what a test can do
  // While held, local_version() stays and observers hear nothing; releasing delivers all that is
  // due.
  void HoldStream(bool hold);
  // ReadIndex, reads and commits (before they are sent) fail with kUnavailable.
  void SetUnavailable(bool unavailable) { unavailable_ = unavailable; }
  // The next commit is certified, but its answer is lost: kOutcomeUnknown.
  void LoseNextAnswer() { lose_next_answer_ = true; }
  // Runs before the next commit is certified, e.g. to let another writer win.
  void BeforeNextCommit(std::function<void()> hook) { before_commit_ = std::move(hook); }
  uint64_t read_indexes() const { return read_indexes_; }
  uint64_t commits() const { return commits_; }
  uint64_t acked_watermark() const;

  // ---- Storage
  Incarnation incarnation() const override { return incarnation_; }
  const std::string& writer_name() const override { return name_; }
  Version local_version() const override { return local_; }
  Status WaitForLocal(Version version, storage_client::Milliseconds timeout) override;
  Result<Version> ReadIndex(storage_client::Milliseconds timeout) override;
  Result<std::vector<std::optional<Bytes>>> MultiGet(Version version,
                                                     const std::vector<Bytes>& keys) override;
  Result<storage_client::ScanPage> Scan(Version version,
                                        const storage_client::ScanSpec& spec) override;
  TxnId NextTxnId() override;
  void Abandon(const TxnId& txn) override;
  Result<wire::Verdict> Commit(const TxnId& txn, const wire::RequestBuilder& request,
                               storage_client::Milliseconds timeout) override;
  Result<wire::Verdict> Resolve(const TxnId& txn, storage_client::Milliseconds timeout) override;
  void AddObserver(storage_client::StreamObserver* observer) override;
  void RemoveObserver(storage_client::StreamObserver* observer) override;

 private:
  friend class FakeCluster;
  void Deliver();
  Status CheckReadable(Version version) const;

  FakeCluster* const cluster_;
  const std::string name_;
  Incarnation incarnation_;
  Version local_;
  bool hold_ = false;
  bool unavailable_ = false;
  bool lose_next_answer_ = false;
  std::function<void()> before_commit_;
  uint64_t next_sequence_ = 1;
  std::set<uint64_t> open_;
  uint64_t read_indexes_ = 0;
  uint64_t commits_ = 0;
  std::vector<storage_client::StreamObserver*> observers_;
  env::FiberEvent advanced_;
};

// Runs the body in a fiber of a loop of its own and waits for its end: for tests of code that
// blocks fibers.
void RunInFiber(const std::function<void(env::Loop&)>& body);

}  // namespace borealis::fake_storage
