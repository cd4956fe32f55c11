// Payloads of log entries: what Raft orders and the state machine of every member consumes.
//
//   0  u8   type      EntryType
//   1  u8   format    kEntryFormat; a higher one stops the process with a message, it is never
//   skipped 2  u16  reserved = 0 4  ...  body
//
// docs/formats/commit-request.md has each body byte by byte. Integers are little-endian; "string"
// is a u32 length and the bytes. Decoders borrow from the payload, check everything and allow no
// trailing bytes: kUnsupported for an unknown type or newer format, kCorruption for anything
// malformed.
#pragma once

#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace borealis::wire {

inline constexpr uint8_t kEntryFormat = 1;
inline constexpr size_t kEntryHeaderBytes = 4;

enum class EntryType : uint8_t {
  kNoop = 1,
  kConfig = 2,
  kCommit = 3,
  kCommitChunk = 4,
  kCommitFinal = 5,
  kResolve = 6,
  kIncarnation = 7,
  kHorizon = 8,
  kVerdictWatermark = 9,
  kLock = 10,
  kLimits = 11,
  kLevel = 12,
};

std::string_view EntryTypeName(EntryType type);

struct EntryView {
  EntryType type = EntryType::kNoop;
  ByteView body;
};
// Splits the envelope.
Result<EntryView> ParseEntry(ByteView payload);
// Envelope and body.
Bytes EncodeEntry(EntryType type, ByteView body);

// The first entry of a leader's term. No body.
Bytes EncodeNoop();

// Membership: the whole configuration. Roles of a joint change are reserved (3 incoming, 4
// outgoing).
struct ConfigMember {
  MemberId id;
  uint8_t role = 1;  // 1 voter, 2 learner, 3 incoming voter, 4 outgoing voter
  ByteView address;  // host:port of its frames
  ByteView zone;
};
struct ConfigEntry {
  std::vector<ConfigMember> members;
};
Bytes EncodeConfig(const ConfigEntry& config);
Result<ConfigEntry> DecodeConfig(ByteView body);

// A batch of requests: u32 count, then for each a u32 length and the bytes of request.h. The
// payload of a CommitBatch frame is the same bytes, so a leader concatenates without looking
// inside.
class CommitBodyBuilder {
 public:
  CommitBodyBuilder() { PutU32(&body_, 0); }
  void Add(ByteView request);
  // Appends all requests of another body; that must have passed ParseCommitBody.
  void AddBody(ByteView body);
  uint32_t count() const { return GetU32(body_.data()); }
  size_t bytes() const { return body_.size(); }
  const Bytes& body() const { return body_; }
  Bytes Take();

 private:
  Bytes body_;
};
// The requests, borrowed; each still has to go through RequestView::Parse.
Result<std::vector<ByteView>> ParseCommitBody(ByteView body);

// A part of a large transaction, certified as it is ordered. The format exists from the start; a
// state machine of level 1 refuses it.
struct CommitChunkEntry {
  TxnId txn;
  uint32_t chunk = 0;  // 0, 1, ...
  ByteView request;    // bytes of request.h
};
Bytes EncodeCommitChunk(const CommitChunkEntry& chunk);
Result<CommitChunkEntry> DecodeCommitChunk(ByteView body);

// Ends a large transaction: commit with that many chunks, or abort.
struct CommitFinalEntry {
  TxnId txn;
  uint32_t chunks = 0;
  bool commit = true;
};
Bytes EncodeCommitFinal(const CommitFinalEntry& final_entry);
Result<CommitFinalEntry> DecodeCommitFinal(ByteView body);

// Asks for the verdict of a transaction; records ABORTED when there is none.
Bytes EncodeResolve(const TxnId& txn);
Result<TxnId> DecodeResolve(ByteView body);

// Allocation takes the next incarnation of the state machine's counter; the same (nonce, name)
// again gets the same incarnation while it is the latest of that name. Fencing ends `target` for
// ever.
struct IncarnationEntry {
  enum class Action : uint8_t { kAllocate = 1, kFence = 2 };
  Action action = Action::kAllocate;
  uint64_t nonce = 0;    // allocate: random, by the writer; fence: 0
  Incarnation target;    // fence; none for allocate
  ByteView writer_name;  // allocate: e.g. "shop-w-1"; empty for fence
};
Bytes EncodeIncarnation(const IncarnationEntry& entry);
Result<IncarnationEntry> DecodeIncarnation(ByteView body);

// Versions below it may be dropped by compaction.
Bytes EncodeHorizon(Version horizon);
Result<Version> DecodeHorizon(ByteView body);

// Verdicts of the incarnation with sequence <= txn.sequence may be dropped.
Bytes EncodeVerdictWatermark(const TxnId& txn);
Result<TxnId> DecodeVerdictWatermark(ByteView body);

// The lock table of the state machine: advisory locks, LOCK TABLE, DDL fences.
struct LockEntry {
  enum class Action : uint8_t { kAcquire = 1, kRelease = 2, kReleaseSession = 3 };
  Action action = Action::kAcquire;
  uint8_t mode = 0;
  Incarnation incarnation;
  uint64_t session = 0;
  ByteView object;
};
Bytes EncodeLock(const LockEntry& lock);
Result<LockEntry> DecodeLock(ByteView body);

// Limits of the certifier, in force from this entry on. Unknown ids stop the process.
// kWindowKeys: recorded keys, plus one a request, of the newest requests that the window holds.
enum class LimitId : uint32_t { kWindowKeys = 1, kWindowBytes = 2, kFencedVerdictEntries = 3 };
struct LimitsEntry {
  std::vector<std::pair<LimitId, uint64_t>> limits;
};
Bytes EncodeLimits(const LimitsEntry& limits);
Result<LimitsEntry> DecodeLimits(ByteView body);

// The state machine's behaviour level from this entry on.
Bytes EncodeLevel(uint32_t level);
Result<uint32_t> DecodeLevel(ByteView body);

}  // namespace borealis::wire
