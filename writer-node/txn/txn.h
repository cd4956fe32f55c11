// Transactions of a writer: snapshots, the write buffer, row locks and commit.
// docs/design/transactions.md.
//
// A TxnManager makes Txns; a session owns its Txn. Everything runs on the writer's loop; calls that
// may wait block the calling fiber. A Txn is used by one fiber at a time (Cancel may come from
// another).
//
// Life of a transaction:
//   auto txn = manager.Begin(options);
//   txn->BeginStatement({...});     once for each statement
//     ... Lock / Get / MultiGet / Scan / Put / Delete / AddRead ...
//   txn->Commit() or txn->Rollback()
// The snapshot is taken lazily by the first read of a statement (read committed) or of the
// transaction (repeatable read), so locks taken before it come first: a statement that waits for a
// row lock and reads after it sees what the holder wrote.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/env/loop.h"
#include "common/wire/request.h"
#include "writer-node/buffer_pool/buffer_pool.h"
#include "writer-node/storage_client/storage.h"
#include "writer-node/txn/lock_table.h"

namespace borealis::txn {

using buffer_pool::KeyValue;
using buffer_pool::ScanPage;
using buffer_pool::ScanSpec;
using wire::AccessKind;
using WaitPolicy = LockTable::WaitPolicy;

enum class Isolation { kReadCommitted, kRepeatableRead };
enum class ReadConsistency { kStrong, kLocal };

struct TxnOptions {
  Isolation isolation = Isolation::kRepeatableRead;
  ReadConsistency consistency = ReadConsistency::kStrong;
  bool read_only = false;
  // Whole budget for a ReadIndex or a commit: borealis.quorum_wait.
  std::chrono::milliseconds quorum_wait{10000};
  // lock_timeout; 0 = wait for ever.
  std::chrono::milliseconds lock_timeout{0};
  // borealis.transaction_bytes_max: of the encoded commit request.
  size_t bytes_max = 64u << 20;
  // Local consistency never reads below it: the session's last commit, so that it sees its own
  // writes.
  Version min_version;
};

struct StatementOptions {
  // Only for an auto-commit write whose every read is a point in its own access list (locks, puts,
  // deletes, AddRead): start at the local version without a ReadIndex. Before answering zero rows,
  // 23505 or any error that follows from a read, call EnsureStrong().
  bool start_local = false;
};

// Why a call failed, where a Code is not enough for the SQLSTATE.
enum class FailureKind {
  kNone,
  kSerialization,     // 40001; conflict() says with whom, when known
  kStaleStatement,    // a row lock was waited for and the row changed since the snapshot, but the
                      // snapshot is this statement's own: as long as nothing of the statement was
                      // sent to the client, call RestartStatement() and run it again; else it is
                      // 40001 like kSerialization
  kDeadlock,          // 40P01
  kLockNotAvailable,  // 55P03: NOWAIT or lock_timeout
  kTooLarge,          // 54000
  kReadOnly,          // 25006
  kCancelled,         // 57014
};

// The first access that lost. All of it is known to the certifier or to the local lock table.
struct ConflictInfo {
  wire::KeyPrefix prefix;  // keyspace, table, index
  Bytes key;               // the whole key; of a range read, its start
  bool range = false;
  AccessKind mine = AccessKind::kUpdate;
  AccessKind theirs = AccessKind::kUpdate;
  TxnId winner;               // none when it left the certifier's window
  std::string winner_writer;  // name of the writer, empty when unknown
};

struct CommitResult {
  Version version;  // none for a transaction that had nothing to certify
  TxnId txn;        // none likewise
};

// A position in the transaction's history; see Txn::SetSavepoint.
using Savepoint = size_t;

class TxnManager;

class Txn {
 public:
  ~Txn();  // rolls back if still active
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  const TxnOptions& options() const { return options_; }
  // Settable until the first snapshot (SET TRANSACTION); kInvalidArgument afterwards.
  Status SetIsolation(Isolation isolation);
  Status SetReadOnly(bool read_only);
  void set_lock_timeout(std::chrono::milliseconds timeout) { options_.lock_timeout = timeout; }

  // ---- statements and snapshots
  // Starts a statement: in read committed it gets a new snapshot at its first read.
  void BeginStatement(const StatementOptions& options = {});
  // Takes the snapshot now if there is none yet. kUnavailable: no quorum within quorum_wait.
  Result<Version> EnsureSnapshot();
  // The snapshot in use, none before it was taken.
  Version snapshot() const { return snapshot_; }
  // False when the snapshot came from the local version (start_local).
  bool snapshot_is_strong() const { return snapshot_strong_; }
  // Undoes everything of the statement but its row locks (and keeps none of its READs) and drops
  // its snapshot, so that the statement can run again under a new, strong one. Only after
  // kStaleStatement or a kRunAgain.
  void RestartStatement();
  enum class StrongCheck { kStands, kRunAgain };
  // Makes a start_local snapshot strong by a ReadIndex. kStands: nothing was committed in between,
  // what was read stands. kRunAgain: everything of the statement was undone (locks stay held) and a
  // newer strong snapshot is set; run the statement again. kStands at once when it is strong
  // already.
  Result<StrongCheck> EnsureStrong();

  // ---- reads at the snapshot, merged with this transaction's own writes
  Result<std::optional<Bytes>> Get(ByteView key);
  Result<std::vector<std::optional<Bytes>>> MultiGet(const std::vector<Bytes>& keys);
  // A page; go on with page.resume as storage_client::ScanPage says. Pages may be smaller than
  // asked for.
  Result<ScanPage> Scan(const ScanSpec& spec);

  // ---- accesses
  // Takes the row lock among this writer's sessions and records the access for certification, with
  // the snapshot of this statement as base version. `mode` is kKeyShare .. kUpdate. False: skipped
  // (kSkipLocked).
  Result<bool> Lock(ByteView key, AccessKind mode, WaitPolicy policy = WaitPolicy::kWait);
  // Buffers a write. With kNoKeyUpdate or kUpdate the row lock is taken as by Lock; kWriteUnchecked
  // (entries of non-unique indexes) takes none and is not checked.
  Status Put(ByteView key, ByteView value, AccessKind kind);
  Status Delete(ByteView key, AccessKind kind);
  // READ accesses: the commit fails if anything there was modified since this statement's snapshot.
  Status AddRead(ByteView key);
  Status AddReadRange(ByteView start, ByteView end);

  // ---- savepoints: a stack; setting one costs nothing
  Savepoint SetSavepoint();
  // Undoes writes and locks made since; READ accesses stay. The savepoint stays usable.
  void RollbackTo(Savepoint savepoint);

  // ---- own writes, for the catalog's overlay of uncommitted DDL
  // Calls `visit` for each buffered write of [start, end), in key order; none stands for a delete.
  void VisitWrites(ByteView start, ByteView end,
                   const std::function<void(ByteView, std::optional<ByteView>)>& visit) const;
  // Changes whenever a write to the system keyspace was made or undone; 0 while there was none.
  uint64_t system_writes() const { return system_writes_; }

  // ---- end
  // Sends one request, or none when there is nothing to certify. After any return the transaction
  // is over and its locks are released. kConflict (conflict() is set), kUnavailable,
  // kOutcomeUnknown, kFenced, kResourceExhausted (too large), kInternal (aborted by Resolve counts
  // as kConflict).
  Result<CommitResult> Commit();
  void Rollback();
  bool active() const { return active_; }
  // True when Commit would send a request.
  bool needs_certification() const;
  bool has_writes() const;

  // From another fiber of the same loop: a lock wait of this transaction ends with kCancelled.
  void Cancel();

  // Reserves the id if there is none yet. For pg_current_xact_id().
  TxnId id();
  // None if id() was never called and nothing was committed.
  TxnId id_if_assigned() const { return id_; }

  // Unlike an address never used again within this process. Of no other meaning.
  uint64_t unique_id() const { return unique_id_; }

  FailureKind failure() const { return failure_; }
  const std::optional<ConflictInfo>& conflict() const { return conflict_; }

 private:
  friend class TxnManager;
  // Everything this transaction does with one key. base[kind - 1] is the oldest snapshot under
  // which it made an access of that kind; kNoBase: it made none; kPendingBase: made before the
  // statement had a snapshot.
  struct KeyAccess {
    static constexpr uint64_t kNoBase = UINT64_MAX;
    static constexpr uint64_t kPendingBase = UINT64_MAX - 1;
    std::array<uint64_t, 6> base{kNoBase, kNoBase, kNoBase, kNoBase, kNoBase, kNoBase};
    wire::Op op = wire::Op::kNone;
    AccessKind write_kind = AccessKind::kUpdate;  // when op is set
    Bytes value;
  };
  // The state of a key before a change, and the row lock that came with the change (0 = none).
  struct Undo {
    Bytes key;
    KeyAccess before;
    uint8_t locked = 0;
  };
  struct ReadRange {
    Bytes start;
    Bytes end;
    uint64_t base;
  };

  Txn(TxnManager* manager, const TxnOptions& options);
  Status Fail(FailureKind kind, Code code, std::string message);
  Status CheckWritable();
  // The entry of a key, after its present state was saved for undo.
  KeyAccess& Touch(ByteView key, uint8_t locked);
  void AddBase(KeyAccess* access, AccessKind kind);
  Status Write(ByteView key, wire::Op op, ByteView value, AccessKind kind);
  void UndoTo(size_t position, bool keep_locks, bool keep_reads);
  Status CheckSize();
  Status TakeSnapshot();
  Status CheckReleased(ByteView key, AccessKind mode, const LockTable::Released& released);
  void BuildRequest(wire::RequestBuilder* builder) const;
  Result<CommitResult> Judge(const wire::Verdict& verdict, const wire::RequestBuilder& builder);
  void ResolvePending(Version base);
  void End(Version committed);

  TxnManager* const manager_;
  const uint64_t unique_id_;
  TxnOptions options_;
  bool active_ = true;

  // Snapshot of the current statement.
  Version snapshot_;
  bool has_snapshot_ = false;
  bool snapshot_strong_ = false;
  bool start_local_ = false;

  std::unique_ptr<LockTable::Owner> owner_ = std::make_unique<LockTable::Owner>();
  // Ordered by key: scans merge with it.
  std::map<Bytes, KeyAccess, std::less<>> accesses_;
  std::vector<ReadRange> read_ranges_;
  std::vector<Undo> undo_;
  size_t statement_start_ = 0;         // position in undo_
  size_t statement_start_ranges_ = 0;  // position in read_ranges_
  uint64_t statement_ = 0;             // count of BeginStatement
  uint64_t snapshot_statement_ = 0;    // the one that took the snapshot
  bool has_pending_bases_ = false;
  uint64_t system_writes_ = 0;
  size_t bytes_ = 0;  // of keys and values in accesses_ and read_ranges_

  TxnId id_;
  FailureKind failure_ = FailureKind::kNone;
  std::optional<ConflictInfo> conflict_;
};

// One for each writer process. Borrows storage and reader, which must outlive it, as it must its
// Txns.
//
// The row locks of a commit are kept until the stream has reached its version, at most for
// kLockLingerMax: the next local transaction on such a row that starts at the local version then
// sees the commit, instead of losing certification against it.
class TxnManager : public storage_client::StreamObserver {
 public:
  static constexpr std::chrono::milliseconds kLockLingerMax{1000};

  TxnManager(storage_client::Storage* storage, buffer_pool::Reader* reader);
  ~TxnManager() override;

  std::unique_ptr<Txn> Begin(const TxnOptions& options);

  // Writes this incarnation's name where every writer finds it (system table kWritersTable), so
  // that a conflict can name the winner. Once after the incarnation was allocated.
  Status RegisterWriter(std::chrono::milliseconds timeout);
  // The name of an incarnation's writer; empty when it is not known. Cached; may read.
  std::string WriterName(Incarnation incarnation);

  // Position of the applied stream.
  Version LocalVersion() const { return storage_->local_version(); }
  // Version of the oldest snapshot in use; LocalVersion() when none is.
  Version OldestSnapshot() const;

  storage_client::Storage* storage() { return storage_; }
  buffer_pool::Reader* reader() { return reader_; }
  LockTable& locks() { return locks_; }
  size_t active() const { return active_.size(); }

  void OnApplied(const wire::StreamRequest&) override {}
  void OnAdvanced(Version up_to) override;
  void OnGap(Version new_base) override { OnAdvanced(new_base); }

 private:
  friend class Txn;
  // Locks of a transaction that committed at `version`, above the stream.
  struct Lingering {
    Version version;
    TxnId txn;
    std::unique_ptr<LockTable::Owner> owner;
    env::TimerId timer = env::TimerId::kNone;
    env::Loop* loop = nullptr;
  };
  void Linger(std::unique_ptr<LockTable::Owner> owner, Version version, const TxnId& txn);
  storage_client::Storage* const storage_;
  buffer_pool::Reader* const reader_;
  LockTable locks_;
  std::list<Lingering> lingering_;
  uint64_t begun_ = 0;
  std::map<const Txn*, Version> active_;  // snapshot, 0 = none yet
  std::unordered_map<Incarnation, std::string> writer_names_;
};

// System tables that belong to this layer; the catalog's own start above (docs/formats/catalog.md).
inline constexpr TableId kWritersTable{2};  // key: u64 BE incarnation; value: format u8 = 1, name

// pg_current_xact_id(): incarnation in the upper 24 bits below the sign, sequence in the lower 39.
// Reversible and positive. kResourceExhausted when either does not fit (16 million lives of
// writers, 5e11 transactions each).
Result<int64_t> PackXactId(const TxnId& id);
// kInvalidArgument for what PackXactId never returns.
Result<TxnId> UnpackXactId(int64_t xact_id);

}  // namespace borealis::txn
