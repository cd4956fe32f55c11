// A commit request: flat bytes, encoded once by the writer and carried as they are by wire, log,
// disk and stream. docs/formats/commit-request.md has the layout with an example. Little-endian.
//
//   header (40 bytes)
//     0  u8   format = 1
//     1  u8   flags = 0
//     2  u16  reserved = 0
//     4  u32  access_count
//     8  u64  incarnation          } the transaction's id
//    16  u64  sequence             }
//    24  u64  acked_watermark      every sequence <= it has been answered to the client
//    32  u32  keys_bytes
//    36  u32  values_bytes
//   access_count records of 24 bytes
//     0  u8   shape                0 point, 1 range
//     1  u8   kind                 AccessKind
//     2  u8   op                   Op
//     3  u8   reserved = 0
//     4  u32  key_len
//     8  u32  end_len              range: exclusive end; 0 for a point
//    12  u32  value_len
//    16  u64  base_version         snapshot of the statement that made the access
//   keys: for each access its key, then its end
//   values: for each access its value
//
// Certifying reads header, records and keys only; a value is first touched by apply.
#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/wire/keys.h"

namespace borealis::wire {

inline constexpr uint8_t kRequestFormat = 1;
inline constexpr size_t kRequestHeaderBytes = 40;
inline constexpr size_t kAccessRecordBytes = 24;
// The absolute maximum of one request; writers refuse earlier (borealis.transaction_bytes_max).
inline constexpr size_t kRequestBytesMax = 128u << 20;

enum class AccessShape : uint8_t { kPoint = 0, kRange = 1 };

// 1 to 4 are PostgreSQL's row locks, weakest first; each is checked and recorded. kRead is checked
// and never recorded. kWriteUnchecked (entries of non-unique indexes) is recorded as a modification
// only.
enum class AccessKind : uint8_t {
  kKeyShare = 1,
  kShare = 2,
  kNoKeyUpdate = 3,
  kUpdate = 4,
  kRead = 5,
  kWriteUnchecked = 6,
};

// kDelta (a bounded commutative change) and kMessage (NOTIFY) are reserved: Parse refuses them.
enum class Op : uint8_t { kNone = 0, kPut = 1, kDelete = 2, kDelta = 3, kMessage = 4 };

inline bool IsLock(AccessKind kind) {
  return kind <= AccessKind::kUpdate;
}
// PostgreSQL's matrix of row locks ("Conflicting Row-Level Locks"). Requires IsLock of both.
bool LocksConflict(AccessKind a, AccessKind b);
// Whether an access of kind `mine` conflicts with a recorded access of kind `theirs` that carried
// op `their_op`: the certifier's rule (protocol of certification, docs/design/transactions.md).
bool AccessConflicts(AccessKind mine, AccessKind theirs, Op their_op);
// "KEY SHARE", "READ", ...
std::string_view AccessKindName(AccessKind kind);

// One access, borrowed. For a point `end` is empty; a range is [key, end) within one index prefix,
// and only kRead may be a range. `value` is empty unless op is kPut.
struct Access {
  AccessShape shape = AccessShape::kPoint;
  AccessKind kind = AccessKind::kRead;
  Op op = Op::kNone;
  ByteView key;
  ByteView end;
  ByteView value;
  Version base_version;
};

// Collects accesses and encodes them. Copies what it is given. Not thread-safe.
class RequestBuilder {
 public:
  void AddPoint(AccessKind kind, Op op, ByteView key, ByteView value, Version base_version);
  // A kRead over [start, end). Requires start < end and both within one index prefix (an end that
  // is PrefixEnd of the index's prefix is within).
  void AddReadRange(ByteView start, ByteView end, Version base_version);

  size_t access_count() const { return count_; }
  // The size that Finish() would return now.
  size_t encoded_bytes() const {
    return kRequestHeaderBytes + records_.size() + keys_.size() + values_.size();
  }
  Bytes Finish(const TxnId& txn, uint64_t acked_watermark) const;

 private:
  size_t count_ = 0;
  Bytes records_;
  Bytes keys_;
  Bytes values_;
};

// Validated view of a request; borrows the bytes, which must outlive it. Walk the accesses in order
// with a Cursor (key offsets are running sums, so random access would need a table; Decode makes
// one).
class RequestView {
 public:
  // An empty view; only good as a place to assign to.
  RequestView() = default;

  // Checks everything: format, reserved bytes, every length against the total, kinds, ops, key
  // lengths and prefixes, ranges (start < end, kRead only, one index). kUnsupported for a newer
  // format or a reserved op, else kCorruption. `bytes` must be exactly one request.
  static Result<RequestView> Parse(ByteView bytes);

  TxnId txn_id() const { return txn_; }
  uint64_t acked_watermark() const { return acked_watermark_; }
  uint32_t access_count() const { return count_; }
  ByteView bytes() const { return bytes_; }

  class Cursor {
   public:
    // False at the end. On true *out is the next access, in the order of the request.
    bool Next(Access* out);

   private:
    friend class RequestView;
    explicit Cursor(const RequestView* view);
    const RequestView* view_;
    uint32_t index_ = 0;
    size_t key_offset_;
    size_t value_offset_;
  };
  Cursor accesses() const { return Cursor(this); }
  // All accesses, borrowed from the same bytes.
  std::vector<Access> Decode() const;
  // The access at an index that a verdict named; kInvalidArgument when it is out of range.
  Result<Access> At(uint32_t index) const;

 private:
  ByteView bytes_;
  TxnId txn_;
  uint64_t acked_watermark_ = 0;
  uint32_t count_ = 0;
  uint32_t keys_bytes_ = 0;
};

}  // namespace borealis::wire
