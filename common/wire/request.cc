#include "common/wire/request.h"

namespace borealis::wire {
namespace {

struct Record {
  AccessShape shape;
  AccessKind kind;
  Op op;
  uint32_t key_len;
  uint32_t end_len;
  uint32_t value_len;
  uint64_t base_version;
};

// Requires kAccessRecordBytes readable bytes. Enums are cast, not checked: Parse checks them first.
Record ReadRecord(const char* p) {
  return {static_cast<AccessShape>(p[0]),
          static_cast<AccessKind>(p[1]),
          static_cast<Op>(p[2]),
          GetU32(p + 4),
          GetU32(p + 8),
          GetU32(p + 12),
          GetU64(p + 16)};
}

void AppendRecord(Bytes* out, AccessShape shape, AccessKind kind, Op op, size_t key_len,
                  size_t end_len, size_t value_len, Version base_version) {
  PutU8(out, static_cast<uint8_t>(shape));
  PutU8(out, static_cast<uint8_t>(kind));
  PutU8(out, static_cast<uint8_t>(op));
  PutU8(out, 0);
  PutU32(out, static_cast<uint32_t>(key_len));
  PutU32(out, static_cast<uint32_t>(end_len));
  PutU32(out, static_cast<uint32_t>(value_len));
  PutU64(out, base_version.value());
}

Status Bad(std::string_view what) {
  return Corruption("commit request: " + std::string(what));
}

// Checks what a record says by itself, before any key is looked at.
Status CheckRecord(const char* p) {
  const Record r = ReadRecord(p);
  const auto shape = static_cast<uint8_t>(p[0]);
  const auto kind = static_cast<uint8_t>(p[1]);
  const auto op = static_cast<uint8_t>(p[2]);
  if (shape > 1) return Bad("unknown access shape");
  if (kind < 1 || kind > 6) return Bad("unknown access kind");
  if (op > 4) return Bad("unknown op");
  if (p[3] != 0) return Bad("reserved byte of an access is set");
  if (op > 2) return Unsupported("commit request: op " + std::to_string(op) + " is reserved");
  if (r.key_len < kIndexPrefixBytes || r.key_len > kKeyBytesMax) return Bad("key length");
  if (r.value_len != 0 && r.op != Op::kPut) return Bad("value without put");
  if (r.shape == AccessShape::kPoint) {
    if (r.end_len != 0) return Bad("a point with an end");
    const bool writes = r.op != Op::kNone;
    if (r.kind == AccessKind::kRead && writes) return Bad("a read with an op");
    if (r.kind == AccessKind::kWriteUnchecked && !writes)
      return Bad("an unchecked write without an op");
    const bool weak = r.kind == AccessKind::kKeyShare || r.kind == AccessKind::kShare;
    if (weak && writes) return Bad("a shared lock with an op");
    return Status::Ok();
  }
  if (r.kind != AccessKind::kRead || r.op != Op::kNone) return Bad("a range that is not a read");
  if (r.end_len < kIndexPrefixBytes || r.end_len > kKeyBytesMax) return Bad("range end length");
  return Status::Ok();
}

Status CheckKeys(const Record& r, ByteView key, ByteView end) {
  if (!ParseKeyPrefix(key)) return Bad("key prefix");
  if (r.shape == AccessShape::kPoint) return Status::Ok();
  if (key >= end) return Bad("empty range");
  const ByteView prefix = IndexPrefixOf(key);
  if (IndexPrefixOf(end) != prefix && end != PrefixEnd(prefix))
    return Bad("range over two indexes");
  return Status::Ok();
}

}  // namespace

bool LocksConflict(AccessKind a, AccessKind b) {
  // Row: the mode held; bit n: the mode n conflicts with it.
  static constexpr uint8_t kMatrix[5] = {0, 1 << 4, (1 << 3) | (1 << 4),
                                         (1 << 2) | (1 << 3) | (1 << 4),
                                         (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4)};
  return (kMatrix[static_cast<uint8_t>(a)] >> static_cast<uint8_t>(b)) & 1;
}

bool AccessConflicts(AccessKind mine, AccessKind theirs, Op their_op) {
  if (mine == AccessKind::kWriteUnchecked || theirs == AccessKind::kRead) return false;
  if (mine == AccessKind::kRead) return their_op != Op::kNone;
  // An unchecked write is a modification: it conflicts like the strongest lock.
  if (theirs == AccessKind::kWriteUnchecked) return LocksConflict(mine, AccessKind::kUpdate);
  return LocksConflict(mine, theirs);
}

std::string_view AccessKindName(AccessKind kind) {
  switch (kind) {
    case AccessKind::kKeyShare:
      return "KEY SHARE";
    case AccessKind::kShare:
      return "SHARE";
    case AccessKind::kNoKeyUpdate:
      return "NO KEY UPDATE";
    case AccessKind::kUpdate:
      return "UPDATE";
    case AccessKind::kRead:
      return "READ";
    case AccessKind::kWriteUnchecked:
      return "WRITE-UNCHECKED";
  }
  return "UNKNOWN";
}

void RequestBuilder::AddPoint(AccessKind kind, Op op, ByteView key, ByteView value,
                              Version base_version) {
  BOREALIS_CHECK(key.size() >= kIndexPrefixBytes);
  BOREALIS_CHECK(op == Op::kPut || value.empty());
  AppendRecord(&records_, AccessShape::kPoint, kind, op, key.size(), 0, value.size(), base_version);
  keys_ += key;
  values_ += value;
  ++count_;
}

void RequestBuilder::AddReadRange(ByteView start, ByteView end, Version base_version) {
  BOREALIS_CHECK(start.size() >= kIndexPrefixBytes && start < end);
  AppendRecord(&records_, AccessShape::kRange, AccessKind::kRead, Op::kNone, start.size(),
               end.size(), 0, base_version);
  keys_ += start;
  keys_ += end;
  ++count_;
}

Bytes RequestBuilder::Finish(const TxnId& txn, uint64_t acked_watermark) const {
  Bytes out;
  out.reserve(encoded_bytes());
  PutU8(&out, kRequestFormat);
  PutU8(&out, 0);
  PutU16(&out, 0);
  PutU32(&out, static_cast<uint32_t>(count_));
  PutU64(&out, txn.incarnation.value());
  PutU64(&out, txn.sequence);
  PutU64(&out, acked_watermark);
  PutU32(&out, static_cast<uint32_t>(keys_.size()));
  PutU32(&out, static_cast<uint32_t>(values_.size()));
  out += records_;
  out += keys_;
  out += values_;
  return out;
}

Result<RequestView> RequestView::Parse(ByteView bytes) {
  if (bytes.size() < kRequestHeaderBytes) return Bad("shorter than its header");
  if (bytes.size() > kRequestBytesMax) return Bad("longer than the maximum");
  const char* p = bytes.data();
  const auto format = static_cast<uint8_t>(p[0]);
  if (format > kRequestFormat) {
    return Unsupported("commit request: format " + std::to_string(format) + " is newer than " +
                       std::to_string(kRequestFormat));
  }
  if (format == 0 || p[1] != 0 || GetU16(p + 2) != 0) return Bad("format or reserved bytes");
  RequestView view;
  view.bytes_ = bytes;
  view.count_ = GetU32(p + 4);
  view.txn_ = {Incarnation(GetU64(p + 8)), GetU64(p + 16)};
  view.acked_watermark_ = GetU64(p + 24);
  view.keys_bytes_ = GetU32(p + 32);
  const uint64_t values_bytes = GetU32(p + 36);
  if (!view.txn_ || view.txn_.sequence == 0) return Bad("no transaction id");
  if (view.acked_watermark_ >= view.txn_.sequence)
    return Bad("watermark covers the request itself");
  const uint64_t records_bytes = uint64_t{view.count_} * kAccessRecordBytes;
  if (kRequestHeaderBytes + records_bytes + view.keys_bytes_ + values_bytes != bytes.size()) {
    return Bad("lengths do not add up");
  }
  const size_t keys_at = kRequestHeaderBytes + records_bytes;
  uint64_t keys = 0;
  uint64_t values = 0;
  for (uint32_t i = 0; i < view.count_; ++i) {
    const char* record = p + kRequestHeaderBytes + size_t{i} * kAccessRecordBytes;
    RETURN_IF_ERROR(CheckRecord(record));
    const Record r = ReadRecord(record);
    if (keys + r.key_len + r.end_len > view.keys_bytes_) return Bad("keys exceed their block");
    const ByteView key = bytes.substr(keys_at + keys, r.key_len);
    RETURN_IF_ERROR(CheckKeys(r, key, bytes.substr(keys_at + keys + r.key_len, r.end_len)));
    keys += uint64_t{r.key_len} + r.end_len;
    values += r.value_len;
    if (values > values_bytes) return Bad("values exceed their block");
  }
  if (keys != view.keys_bytes_ || values != values_bytes) return Bad("unused bytes");
  return view;
}

RequestView::Cursor::Cursor(const RequestView* view)
    : view_(view),
      key_offset_(kRequestHeaderBytes + size_t{view->count_} * kAccessRecordBytes),
      value_offset_(key_offset_ + view->keys_bytes_) {}

bool RequestView::Cursor::Next(Access* out) {
  if (index_ == view_->count_) return false;
  const Record r =
      ReadRecord(view_->bytes_.data() + kRequestHeaderBytes + size_t{index_} * kAccessRecordBytes);
  ++index_;
  out->shape = r.shape;
  out->kind = r.kind;
  out->op = r.op;
  out->key = view_->bytes_.substr(key_offset_, r.key_len);
  out->end = view_->bytes_.substr(key_offset_ + r.key_len, r.end_len);
  out->value = view_->bytes_.substr(value_offset_, r.value_len);
  out->base_version = Version(r.base_version);
  key_offset_ += size_t{r.key_len} + r.end_len;
  value_offset_ += r.value_len;
  return true;
}

std::vector<Access> RequestView::Decode() const {
  std::vector<Access> out;
  out.reserve(count_);
  Cursor cursor = accesses();
  for (Access access; cursor.Next(&access);) out.push_back(access);
  return out;
}

Result<Access> RequestView::At(uint32_t index) const {
  if (index >= count_) return InvalidArgument("commit request: access index out of range");
  Cursor cursor = accesses();
  Access access;
  for (uint32_t i = 0; i <= index; ++i) cursor.Next(&access);
  return access;
}

}  // namespace borealis::wire
