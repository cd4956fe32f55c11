// What a writer needs of the storage members, as one interface: StorageClient (storage_client.h)
// speaks to real members, FakeStorage (writer-node/fake_storage) is the tests' double with real
// certification.
//
// Threads: everything runs on the writer's one event loop. Each call that may wait blocks the
// calling fiber only. Timeouts are whole-call budgets.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/messages.h"
#include "common/wire/request.h"

namespace borealis::storage_client {

using Milliseconds = std::chrono::milliseconds;

struct KeyValue {
  Bytes key;
  Bytes value;
};

// [start, end) at a version, ascending, or descending when reverse. An empty end means no end.
struct ScanSpec {
  Bytes start;
  Bytes end;
  bool reverse = false;
  uint32_t rows_max = 0;   // 0 = the default page of the server
  uint32_t bytes_max = 0;  // 0 = the default page of the server
};

struct ScanPage {
  std::vector<KeyValue> rows;
  // True: more rows may follow; continue with `resume` as the new start (forward) or end (reverse).
  bool more = false;
  Bytes resume;
};

// One accepted transaction of the applied stream. `batch` order is log order and versions are
// dense. The views live for the duration of the callback only.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  // With all accesses, also of this writer's own requests (`request.own`): the client keeps those
  // until the stream has passed them. Must not block.
  virtual void OnApplied(const wire::StreamRequest& request) = 0;
  // After every batch, also an empty one: local_version() has just become `up_to`.
  virtual void OnAdvanced(Version up_to) = 0;
  // The stream could not be resumed: versions up to `new_base` were skipped, everything cached is
  // invalid.
  virtual void OnGap(Version new_base) = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;

  // The incarnation of this process; none before it was allocated.
  virtual Incarnation incarnation() const = 0;
  // The name given at start, e.g. "shop-w-1".
  virtual const std::string& writer_name() const = 0;

  // The position of the applied stream: everything up to it was seen by the observers.
  virtual Version local_version() const = 0;
  // Waits until local_version() >= version. kUnavailable after the timeout, kCancelled by a
  // shutdown.
  virtual Status WaitForLocal(Version version, Milliseconds timeout) = 0;

  // A version that covers every commit acknowledged anywhere before this call. kUnavailable when no
  // leader with a majority answers within the timeout.
  virtual Result<Version> ReadIndex(Milliseconds timeout) = 0;

  // Values at a version, one for each key, in order. kUnavailable, kBelowHorizon.
  virtual Result<std::vector<std::optional<Bytes>>> MultiGet(Version version,
                                                             const std::vector<Bytes>& keys) = 0;
  // One page of rows at a version. kUnavailable, kBelowHorizon.
  virtual Result<ScanPage> Scan(Version version, const ScanSpec& spec) = 0;

  // Reserves the next sequence of this incarnation. Every id must end in exactly one Commit or
  // Abandon: an id that is neither holds back the watermark for ever.
  virtual TxnId NextTxnId() = 0;
  virtual void Abandon(const TxnId& txn) = 0;

  // Certifies and replicates. Returns once there is a verdict (kAccepted, kConflict, kAborted: the
  // caller looks at it), or:
  //   kUnavailable     nothing was ever sent: it did not happen
  //   kOutcomeUnknown  it was sent and could not be resolved in time: it may have happened
  //   kFenced          this incarnation was fenced; it did not happen; the process must end
  // Resends the same bytes under the same id to new leaders meanwhile.
  virtual Result<wire::Verdict> Commit(const TxnId& txn, const wire::RequestBuilder& request,
                                       Milliseconds timeout) = 0;

  // The verdict of any transaction of any writer; records kAborted when there is none, so a
  // transaction that is still under way elsewhere loses. kStale: older than what is remembered.
  virtual Result<wire::Verdict> Resolve(const TxnId& txn, Milliseconds timeout) = 0;

  // Observers are called in the order they were added, from the loop. They must outlive the storage
  // or be removed.
  virtual void AddObserver(StreamObserver* observer) = 0;
  virtual void RemoveObserver(StreamObserver* observer) = 0;
};

}  // namespace borealis::storage_client
