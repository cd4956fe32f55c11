// Payloads of the frames between writers and members (and the type numbers of those between
// members). The frame's own header (length, type, request id, checksum) and the types 1 and 255
// belong to common/rpc.
//
// Every message decodes by borrowing from the payload, checks all lengths and counts before memory
// is taken, and allows no trailing bytes: kCorruption otherwise. A call (odd type) is answered by
// the frame type that follows it or by kError, with the call's request id.
// docs/formats/commit-request.md, "Frames".
#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/request.h"

namespace borealis::wire {

enum class FrameType : uint8_t {
  kError = 2,
  kCommitBatch = 3,
  kVerdicts = 4,
  kReadIndex = 5,
  kReadIndexReply = 6,
  kGet = 7,
  kGetReply = 8,
  kScan = 9,
  kScanReply = 10,
  kSubscribe = 11,
  kStreamBatch = 12,  // many for one kSubscribe
  kAllocateIncarnation = 13,
  kAllocateIncarnationReply = 14,
  kFenceIncarnation = 15,
  kFenceIncarnationReply = 16,
  kResolveTxn = 17,
  kResolveTxnReply = 18,
  kRaft = 32,  // member to member, opaque here
};

// What the state machine decided about one transaction, or why nothing was decided.
enum class VerdictKind : uint8_t {
  kAccepted = 1,  // committed at `version`
  kConflict = 2,  // lost certification
  kFenced = 3,    // the incarnation was fenced; never evaluated
  kStale = 4,     // sequence at or below the acknowledged watermark; never evaluated
  kAborted = 5,   // recorded by Resolve before the request arrived
  kRetryElsewhere =
      6,           // this member did nothing with it: not the leader; `leader` is a hint or none
  kMalformed = 7,  // failed RequestView::Parse; never evaluated
  kUnknown = 8,    // this member appended it and then lost the leadership: it may be decided
                   // yet. Send it again, with the same id, to the leader.
};

struct Verdict {
  TxnId txn;
  VerdictKind kind = VerdictKind::kRetryElsewhere;
  Version version;                             // kAccepted
  uint32_t access_index = 0;                   // kConflict: which access of the request lost
  AccessKind winner_kind = AccessKind::kRead;  // kConflict: the recorded mode that won
  TxnId winner;                                // kConflict: who won; none when it left the window
  MemberId leader;                             // kRetryElsewhere: a hint, or none
  friend bool operator==(const Verdict&, const Verdict&) = default;
};
// Fixed size: used by kVerdicts, by kResolveTxnReply and by the members' stored verdicts.
inline constexpr size_t kVerdictBytes = 56;
void AppendVerdict(Bytes* out, const Verdict& verdict);
Result<Verdict> DecodeVerdict(ByteView bytes);

// kCommitBatch: see CommitBodyBuilder and ParseCommitBody in log_entry.h.

// kVerdicts: answers of one or more requests, in any order and any grouping, as soon as they are
// certified.
Bytes EncodeVerdicts(const std::vector<Verdict>& verdicts);
Result<std::vector<Verdict>> DecodeVerdicts(ByteView payload);

// kReadIndex has an empty payload. The reply's version is the one after certifying up to the read
// index.
struct ReadIndexReply {
  bool is_leader = false;
  Version version;  // when is_leader
  MemberId leader;  // a hint or none, when not
};
Bytes EncodeReadIndexReply(const ReadIndexReply& reply);
Result<ReadIndexReply> DecodeReadIndexReply(ByteView payload);

// Reads wait until the member has applied `version`, up to its own limit, then fail with
// kUnavailable (the caller tries another member). kBelowHorizon when the version is gone.
struct GetRequest {
  Version version;
  std::vector<ByteView> keys;
};
struct GetReply {
  struct Value {
    bool found = false;
    ByteView value;
  };
  std::vector<Value> values;  // one for each key, in order
};
Bytes EncodeGet(const GetRequest& request);
Result<GetRequest> DecodeGet(ByteView payload);
Bytes EncodeGetReply(const GetReply& reply);
Result<GetReply> DecodeGetReply(ByteView payload);

// Rows of [start, end) at a version, ascending, or descending when reverse. Stops at a limit or at
// the end.
struct ScanRequest {
  Version version;
  ByteView start;
  ByteView end;  // exclusive; empty = no end
  bool reverse = false;
  uint32_t rows_max = 0;  // 0 = the member's own limit
  uint32_t bytes_max =
      0;  // of keys and values; 0 = the member's own limit; one row is always returned
};
struct ScanReply {
  struct Row {
    ByteView key;
    ByteView value;
  };
  std::vector<Row> rows;
  // False: the range is exhausted. True: go on with start = resume (forward) or end = resume
  // (reverse).
  bool more = false;
  ByteView resume;
};
Bytes EncodeScan(const ScanRequest& request);
Result<ScanRequest> DecodeScan(ByteView payload);
Bytes EncodeScanReply(const ScanReply& reply);
Result<ScanReply> DecodeScanReply(ByteView payload);

// The applied stream: every accepted request with version > after, in log order, for ever. A member
// that no longer has them answers kError with kBelowHorizon. Requests of `origin` come without
// accesses. One a connection: a later kSubscribe ends the one before.
struct Subscribe {
  Version after;
  Incarnation origin;
};
Bytes EncodeSubscribe(const Subscribe& subscribe);
Result<Subscribe> DecodeSubscribe(ByteView payload);

struct StreamAccess {
  Op op = Op::kPut;  // kPut or kDelete only: locks and reads are not streamed
  ByteView key;
  ByteView value;
};
struct StreamRequest {
  Version version;
  TxnId txn;
  bool own = false;  // of the subscriber: accesses is empty, it has them
  std::vector<StreamAccess> accesses;
};
// Versions are dense: the first request's version is the one after the last of the batch before.
struct StreamBatch {
  Version certified_up_to;  // of the sending member, at least the last request's version
  std::vector<StreamRequest> requests;
};
Bytes EncodeStreamBatch(const StreamBatch& batch);
Result<StreamBatch> DecodeStreamBatch(ByteView payload);

struct AllocateIncarnation {
  uint64_t nonce = 0;
  ByteView writer_name;
};
Bytes EncodeAllocateIncarnation(const AllocateIncarnation& request);
Result<AllocateIncarnation> DecodeAllocateIncarnation(ByteView payload);
// kAllocateIncarnationReply and kFenceIncarnation: the incarnation. kFenceIncarnationReply is
// empty.
Bytes EncodeIncarnationId(Incarnation incarnation);
Result<Incarnation> DecodeIncarnationId(ByteView payload);

// kResolveTxn; its reply is one verdict of AppendVerdict. Only the leader answers (it may propose a
// Resolve entry); another member answers kError with kNotLeader.
Bytes EncodeResolveTxn(const TxnId& txn);
Result<TxnId> DecodeResolveTxn(ByteView payload);

// kError: answers any call. kNotLeader carries a hint.
struct ErrorReply {
  Code code = Code::kInternal;
  MemberId leader;
  ByteView message;
};
Bytes EncodeError(const ErrorReply& error);
// An unknown code (from a newer program) decodes as kInternal.
Result<ErrorReply> DecodeError(ByteView payload);

}  // namespace borealis::wire
