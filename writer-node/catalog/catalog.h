// The catalog of a writer: bootstrap, the cache that the applied stream keeps exact, ids and
// sequences. docs/design/catalog.md. Everything runs on the writer's loop; calls may block the
// calling fiber.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/env/fiber.h"
#include "writer-node/catalog/snapshot.h"
#include "writer-node/storage_client/storage.h"
#include "writer-node/txn/txn.h"

namespace borealis::catalog {

// What the first writer of a cluster writes. The others' values are ignored: the first catalog is
// there then.
struct BootstrapOptions {
  std::string superuser = "postgres";
  std::string scram_verifier;  // of the superuser's password
  std::string database = "postgres";
  std::chrono::milliseconds timeout{10000};
};

class Catalog : public storage_client::StreamObserver {
 public:
  // Borrows the manager (and its storage), which must outlive it. Adds itself as an observer.
  explicit Catalog(txn::TxnManager* manager);
  ~Catalog() override;
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // Makes the first catalog if there is none (one certified transaction: exactly one writer wins)
  // and loads it. Call once the storage is ready; again after kUnavailable.
  Status Start(const BootstrapOptions& options);

  // The catalog at the stream's position: for planning before a snapshot exists, and for logins.
  // Revalidate with ForTxn after the snapshot was taken. Never null after Start.
  SnapshotPtr Latest() const;
  // The catalog a statement of the transaction sees: at its snapshot (taken now if need be), with
  // the transaction's own uncommitted DDL. Waits for the stream to reach the snapshot. Compare
  // pointers to see whether it is the same.
  Result<SnapshotPtr> ForTxn(txn::Txn* txn);
  // At any version.
  Result<SnapshotPtr> At(Version version);

  // ---- what DML records (docs/design/catalog.md, "DML against DDL")
  // READ on the descriptor of a table or sequence that the statement uses: a concurrent DDL on it
  // aborts this commit.
  static Status UseTable(txn::Txn* txn, const TableDescriptor& table);
  static Status UseSequence(txn::Txn* txn, const SequenceDescriptor& sequence);

  // ---- ids: unique for ever; may leave gaps
  Result<TableId> NewTableId();
  Result<Oid> NewOid();
  // A row id for a table without primary key: unique across writers and restarts, no communication.
  Result<int64_t> NewRowId();

  // ---- sequences
  // nextval: from a cached range of this writer, refilled by an autonomous transaction. Never
  // rolled back. `sequence` comes from the statement's snapshot: its epoch invalidates older
  // ranges. Exhausted: kResourceExhausted with PostgreSQL's message (SQLSTATE 2200H). `txn`: the
  // caller's transaction, in case the sequence was made in it (then its state is only there); may
  // be null.
  Result<int64_t> NextVal(txn::Txn* txn, const SequenceDescriptor& sequence);
  // setval(seq, value, is_called): autonomous; raises the epoch. kInvalidArgument when out of
  // bounds (22003).
  Status SetVal(txn::Txn* txn, const SequenceDescriptor& sequence, int64_t value, bool is_called);
  // last_value and is_called as SELECT from the sequence shows them.
  struct SequenceState {
    int64_t last_value = 1;
    bool is_called = false;
  };
  Result<SequenceState> ReadSequence(txn::Txn* txn, const SequenceDescriptor& sequence);

  // ---- StreamObserver
  void OnApplied(const wire::StreamRequest& request) override;
  void OnAdvanced(Version up_to) override;
  void OnGap(Version new_base) override;

  txn::TxnManager* manager() { return manager_; }

 private:
  struct Published {
    Version from;  // valid from here to before the next one's
    SnapshotPtr snapshot;
  };
  struct PendingChange {
    Version version;
    std::vector<std::pair<Bytes, std::optional<Bytes>>> rows;
  };
  struct IdRange {
    uint64_t next = 0;
    uint64_t end = 0;
  };
  // Values first, first + increment, ... `left` of them, cached under `epoch`.
  struct SequenceRange {
    explicit SequenceRange(env::Loop& loop) : mutex(loop) {}
    uint64_t epoch = 0;
    int64_t next = 0;
    uint64_t left = 0;
    uint64_t size = 0;  // of the last refill
    env::MonotonicTime refilled;
    env::FiberMutex mutex;  // held by the fiber that refills
  };

  Status Bootstrap(const BootstrapOptions& options);
  Status Load(std::chrono::milliseconds timeout);
  Result<SnapshotPtr> LoadAt(Version version);
  Status Apply(const PendingChange& change);
  void Trim();
  Result<uint64_t> NewId(ByteView counter, IdRange* range);
  Status Refill(const SequenceDescriptor& sequence, SequenceRange* range);
  // Runs a short transaction of its own until it commits: ids, sequences. `body` may run several
  // times.
  Status Autonomous(const std::function<Status(txn::Txn*)>& body);

  txn::TxnManager* const manager_;
  std::deque<Published> published_;
  std::vector<PendingChange> queued_;  // arrived while loading
  SnapshotPtr latest_;
  bool loaded_ = false;
  bool loading_ = false;
  uint64_t gaps_ = 0;  // OnGap calls, so that a load knows it was overtaken
  Status broken_;      // a row of the stream did not decode
  IdRange table_ids_;
  IdRange oids_;
  uint64_t row_ids_ = 0;
  std::map<TableId, std::unique_ptr<SequenceRange>> sequence_ranges_;
  // The overlay made last, so that a transaction with DDL does not rebuild it for each statement.
  struct Overlay {
    const txn::Txn* txn = nullptr;
    uint64_t id = 0;  // an address may be used again
    uint64_t writes = 0;
    SnapshotPtr base;
    SnapshotPtr result;
  };
  Overlay overlay_;
};

}  // namespace borealis::catalog
