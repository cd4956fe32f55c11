#include "common/wire/messages.h"

namespace borealis::wire {
namespace {

Status Bad(std::string_view what) {
  return Corruption("frame " + std::string(what) + ": malformed payload");
}

// A count of things of at least `bytes_each`: fails the reader when they cannot be there, so that
// no memory is taken for a lie.
uint32_t ReadCount(ByteReader* r, size_t bytes_each) {
  const uint32_t count = r->U32();
  if (r->ok() && count > r->left() / bytes_each) r->Fail();
  return r->ok() ? count : 0;
}

Verdict ReadVerdict(ByteReader* r) {
  Verdict v;
  v.txn.incarnation = Incarnation(r->U64());
  v.txn.sequence = r->U64();
  const uint8_t kind = r->U8();
  const uint8_t winner_kind = r->U8();
  if (r->U16() != 0 || kind < 1 || kind > 8 || winner_kind < 1 || winner_kind > 6) r->Fail();
  v.kind = static_cast<VerdictKind>(kind);
  v.winner_kind = static_cast<AccessKind>(winner_kind);
  v.access_index = r->U32();
  v.version = Version(r->U64());
  v.winner.incarnation = Incarnation(r->U64());
  v.winner.sequence = r->U64();
  v.leader = MemberId(r->U64());
  return v;
}

}  // namespace

void AppendVerdict(Bytes* out, const Verdict& v) {
  PutU64(out, v.txn.incarnation.value());
  PutU64(out, v.txn.sequence);
  PutU8(out, static_cast<uint8_t>(v.kind));
  PutU8(out, static_cast<uint8_t>(v.winner_kind));
  PutU16(out, 0);
  PutU32(out, v.access_index);
  PutU64(out, v.version.value());
  PutU64(out, v.winner.incarnation.value());
  PutU64(out, v.winner.sequence);
  PutU64(out, v.leader.value());
}

Result<Verdict> DecodeVerdict(ByteView bytes) {
  ByteReader r(bytes);
  const Verdict v = ReadVerdict(&r);
  if (!r.done()) return Bad("verdict");
  return v;
}

Bytes EncodeVerdicts(const std::vector<Verdict>& verdicts) {
  Bytes out;
  out.reserve(4 + verdicts.size() * kVerdictBytes);
  PutU32(&out, static_cast<uint32_t>(verdicts.size()));
  for (const Verdict& v : verdicts) AppendVerdict(&out, v);
  return out;
}

Result<std::vector<Verdict>> DecodeVerdicts(ByteView payload) {
  ByteReader r(payload);
  const uint32_t count = ReadCount(&r, kVerdictBytes);
  std::vector<Verdict> out;
  out.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) out.push_back(ReadVerdict(&r));
  if (!r.done()) return Bad("verdicts");
  return out;
}

Bytes EncodeReadIndexReply(const ReadIndexReply& reply) {
  Bytes out;
  PutU8(&out, reply.is_leader ? 1 : 0);
  PutU64(&out, reply.version.value());
  PutU64(&out, reply.leader.value());
  return out;
}

Result<ReadIndexReply> DecodeReadIndexReply(ByteView payload) {
  ByteReader r(payload);
  ReadIndexReply reply;
  const uint8_t is_leader = r.U8();
  reply.is_leader = is_leader == 1;
  reply.version = Version(r.U64());
  reply.leader = MemberId(r.U64());
  if (!r.done() || is_leader > 1) return Bad("read_index_reply");
  return reply;
}

Bytes EncodeGet(const GetRequest& request) {
  Bytes out;
  PutU64(&out, request.version.value());
  PutU32(&out, static_cast<uint32_t>(request.keys.size()));
  for (ByteView key : request.keys) PutString(&out, key);
  return out;
}

Result<GetRequest> DecodeGet(ByteView payload) {
  ByteReader r(payload);
  GetRequest request;
  request.version = Version(r.U64());
  const uint32_t count = ReadCount(&r, 4);
  request.keys.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) request.keys.push_back(r.String());
  if (!r.done()) return Bad("get");
  return request;
}

Bytes EncodeGetReply(const GetReply& reply) {
  Bytes out;
  PutU32(&out, static_cast<uint32_t>(reply.values.size()));
  for (const GetReply::Value& v : reply.values) {
    PutU8(&out, v.found ? 1 : 0);
    if (v.found) PutString(&out, v.value);
  }
  return out;
}

Result<GetReply> DecodeGetReply(ByteView payload) {
  ByteReader r(payload);
  GetReply reply;
  const uint32_t count = ReadCount(&r, 1);
  reply.values.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    GetReply::Value v;
    const uint8_t found = r.U8();
    if (found > 1) r.Fail();
    v.found = found == 1;
    if (v.found) v.value = r.String();
    reply.values.push_back(v);
  }
  if (!r.done()) return Bad("get_reply");
  return reply;
}

Bytes EncodeScan(const ScanRequest& request) {
  Bytes out;
  PutU64(&out, request.version.value());
  PutU8(&out, request.reverse ? 1 : 0);
  PutU32(&out, request.rows_max);
  PutU32(&out, request.bytes_max);
  PutString(&out, request.start);
  PutString(&out, request.end);
  return out;
}

Result<ScanRequest> DecodeScan(ByteView payload) {
  ByteReader r(payload);
  ScanRequest request;
  request.version = Version(r.U64());
  const uint8_t flags = r.U8();
  request.reverse = flags == 1;
  request.rows_max = r.U32();
  request.bytes_max = r.U32();
  request.start = r.String();
  request.end = r.String();
  if (!r.done() || flags > 1) return Bad("scan");
  return request;
}

Bytes EncodeScanReply(const ScanReply& reply) {
  Bytes out;
  PutU8(&out, reply.more ? 1 : 0);
  PutString(&out, reply.resume);
  PutU32(&out, static_cast<uint32_t>(reply.rows.size()));
  for (const ScanReply::Row& row : reply.rows) {
    PutString(&out, row.key);
    PutString(&out, row.value);
  }
  return out;
}

Result<ScanReply> DecodeScanReply(ByteView payload) {
  ByteReader r(payload);
  ScanReply reply;
  const uint8_t more = r.U8();
  reply.more = more == 1;
  reply.resume = r.String();
  const uint32_t count = ReadCount(&r, 8);
  reply.rows.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    const ByteView key = r.String();
    reply.rows.push_back({key, r.String()});
  }
  if (!r.done() || more > 1) return Bad("scan_reply");
  return reply;
}

Bytes EncodeSubscribe(const Subscribe& subscribe) {
  Bytes out;
  PutU64(&out, subscribe.after.value());
  PutU64(&out, subscribe.origin.value());
  return out;
}

Result<Subscribe> DecodeSubscribe(ByteView payload) {
  ByteReader r(payload);
  Subscribe subscribe;
  subscribe.after = Version(r.U64());
  subscribe.origin = Incarnation(r.U64());
  if (!r.done()) return Bad("subscribe");
  return subscribe;
}

Bytes EncodeStreamBatch(const StreamBatch& batch) {
  Bytes out;
  PutU64(&out, batch.certified_up_to.value());
  PutU32(&out, static_cast<uint32_t>(batch.requests.size()));
  for (const StreamRequest& request : batch.requests) {
    PutU64(&out, request.version.value());
    PutU64(&out, request.txn.incarnation.value());
    PutU64(&out, request.txn.sequence);
    PutU8(&out, request.own ? 1 : 0);
    PutU32(&out, static_cast<uint32_t>(request.accesses.size()));
    for (const StreamAccess& access : request.accesses) {
      PutU8(&out, static_cast<uint8_t>(access.op));
      PutString(&out, access.key);
      if (access.op == Op::kPut) PutString(&out, access.value);
    }
  }
  return out;
}

Result<StreamBatch> DecodeStreamBatch(ByteView payload) {
  ByteReader r(payload);
  StreamBatch batch;
  batch.certified_up_to = Version(r.U64());
  const uint32_t count = ReadCount(&r, 29);
  batch.requests.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    StreamRequest request;
    request.version = Version(r.U64());
    request.txn.incarnation = Incarnation(r.U64());
    request.txn.sequence = r.U64();
    const uint8_t flags = r.U8();
    if (flags > 1) r.Fail();
    request.own = flags == 1;
    const uint32_t accesses = ReadCount(&r, 5);
    request.accesses.reserve(accesses);
    for (uint32_t k = 0; k < accesses && r.ok(); ++k) {
      StreamAccess access;
      const uint8_t op = r.U8();
      if (op != 1 && op != 2) r.Fail();
      access.op = static_cast<Op>(op);
      access.key = r.String();
      if (access.op == Op::kPut) access.value = r.String();
      request.accesses.push_back(access);
    }
    batch.requests.push_back(std::move(request));
  }
  if (!r.done()) return Bad("stream_batch");
  return batch;
}

Bytes EncodeAllocateIncarnation(const AllocateIncarnation& request) {
  Bytes out;
  PutU64(&out, request.nonce);
  PutString(&out, request.writer_name);
  return out;
}

Result<AllocateIncarnation> DecodeAllocateIncarnation(ByteView payload) {
  ByteReader r(payload);
  AllocateIncarnation request;
  request.nonce = r.U64();
  request.writer_name = r.String();
  if (!r.done()) return Bad("allocate_incarnation");
  return request;
}

Bytes EncodeIncarnationId(Incarnation incarnation) {
  Bytes out;
  PutU64(&out, incarnation.value());
  return out;
}

Result<Incarnation> DecodeIncarnationId(ByteView payload) {
  ByteReader r(payload);
  const Incarnation incarnation(r.U64());
  if (!r.done() || !incarnation) return Bad("incarnation");
  return incarnation;
}

Bytes EncodeResolveTxn(const TxnId& txn) {
  Bytes out;
  PutU64(&out, txn.incarnation.value());
  PutU64(&out, txn.sequence);
  return out;
}

Result<TxnId> DecodeResolveTxn(ByteView payload) {
  ByteReader r(payload);
  TxnId txn;
  txn.incarnation = Incarnation(r.U64());
  txn.sequence = r.U64();
  if (!r.done() || !txn) return Bad("resolve_txn");
  return txn;
}

Bytes EncodeError(const ErrorReply& error) {
  Bytes out;
  PutU8(&out, static_cast<uint8_t>(error.code));
  PutU64(&out, error.leader.value());
  PutString(&out, error.message);
  return out;
}

Result<ErrorReply> DecodeError(ByteView payload) {
  ByteReader r(payload);
  ErrorReply error;
  const uint8_t code = r.U8();
  error.leader = MemberId(r.U64());
  error.message = r.String();
  if (!r.done() || code == 0) return Bad("error");
  error.code =
      code <= static_cast<uint8_t>(Code::kInternal) ? static_cast<Code>(code) : Code::kInternal;
  return error;
}

}  // namespace borealis::wire
