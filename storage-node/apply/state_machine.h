// The state machine of the log: each committed entry in order -> verdicts, and what to apply.
//
// Deterministic: the result depends on the entries alone (and, after a restart, on the verdicts
// that were stored for those already applied, which are taken as they are). Owned and called by one
// thread, the replica's loop; it never touches the MVCC store. What it hands out is immutable and
// shared by the applier, the stream and the service.
#pragma once

#include <memory>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/messages.h"
#include "common/wire/request.h"
#include "storage-node/apply/verdict_table.h"
#include "storage-node/certifier/certifier.h"

namespace borealis::apply {

// Levels of behaviour that this program knows (Level entries). An entry above stops the process.
inline constexpr uint32_t kLevelMax = 1;

struct AcceptedRequest {
  Version version;
  wire::RequestView request;  // borrows from the entry's owner
};

// One decided entry.
struct CertifiedEntry {
  LogIndex index;
  std::shared_ptr<const void> owner;      // keeps the requests' bytes alive
  std::vector<AcceptedRequest> accepted;  // dense versions, ascending
  Bytes stored_verdicts;                  // for the store; empty if there is nothing to store
  size_t bytes = 0;                       // of the payload, for bounds
  // The state after it.
  Version version;
  Version horizon;
  uint64_t verdict_hash = 0;
};

struct Decided {
  std::shared_ptr<const CertifiedEntry> entry;
  std::vector<wire::Verdict> verdicts;  // Commit: one a request, in order; Resolve: one
  Incarnation allocated;                // Incarnation/allocate
  bool fenced = false;                  // Incarnation/fence: it existed
};

class StateMachine {
 public:
  explicit StateMachine(const certifier::Options& options);

  // Decides the next entry. `payload` is an entry of common/wire/log_entry.h, kept alive by
  // `owner`; an empty one is Raft's own no-op. kUnsupported for an entry that this program does not
  // know and kCorruption for a malformed one: the process must stop, an entry is never skipped.
  Result<Decided> Decide(LogIndex index, std::shared_ptr<const void> owner, ByteView payload);

  // The same for an entry that was applied before the restart: requests take the verdicts stored
  // for it (empty: there were none) instead of being certified. kCorruption if they do not belong
  // together.
  Status Replay(LogIndex index, ByteView payload, ByteView stored_verdicts);

  // The verdict of a transaction if it is final and still kept.
  std::optional<wire::Verdict> KnownVerdict(const TxnId& txn) const { return table_.Lookup(txn); }

  LogIndex index() const { return index_; }  // of the last entry decided
  Version version() const { return certifier_.version(); }
  Version horizon() const { return horizon_; }
  uint64_t verdict_hash() const { return hash_.value(); }
  const certifier::Certifier& certifier() const { return certifier_; }
  const VerdictTable& verdict_table() const { return table_; }

 private:
  class StoredReader;
  Status Dispatch(ByteView payload, StoredReader* stored, CertifiedEntry* entry, Decided* decided);
  Status Commit(ByteView body, StoredReader* stored, CertifiedEntry* entry, Decided* decided);
  Status One(ByteView request, StoredReader* stored, CertifiedEntry* entry, Decided* decided);
  Status FromStore(const wire::RequestView& view, StoredReader* stored, CertifiedEntry* entry);
  wire::Verdict Certify(const wire::RequestView& view, CertifiedEntry* entry);
  void Resolve(const TxnId& txn, CertifiedEntry* entry, Decided* decided);
  Status IncarnationEntry(ByteView body, Decided* decided);
  Status Limits(ByteView body);
  void LoadAccesses(const wire::RequestView& view);

  certifier::Certifier certifier_;
  VerdictTable table_;
  LogIndex index_;
  Version horizon_;
  certifier::VerdictHash hash_;
  std::vector<certifier::Access> accesses_;  // scratch
};

}  // namespace borealis::apply
