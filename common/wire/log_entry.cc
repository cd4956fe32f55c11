#include "common/wire/log_entry.h"

namespace borealis::wire {
namespace {

Status Bad(EntryType type) {
  return Corruption("log entry " + std::string(EntryTypeName(type)) + ": malformed body");
}

void PutTxn(Bytes* out, const TxnId& txn) {
  PutU64(out, txn.incarnation.value());
  PutU64(out, txn.sequence);
}

TxnId ReadTxn(ByteReader* r) {
  const uint64_t incarnation = r->U64();
  return {Incarnation(incarnation), r->U64()};
}

}  // namespace

std::string_view EntryTypeName(EntryType type) {
  switch (type) {
    case EntryType::kNoop:
      return "noop";
    case EntryType::kConfig:
      return "config";
    case EntryType::kCommit:
      return "commit";
    case EntryType::kCommitChunk:
      return "commit_chunk";
    case EntryType::kCommitFinal:
      return "commit_final";
    case EntryType::kResolve:
      return "resolve";
    case EntryType::kIncarnation:
      return "incarnation";
    case EntryType::kHorizon:
      return "horizon";
    case EntryType::kVerdictWatermark:
      return "verdict_watermark";
    case EntryType::kLock:
      return "lock";
    case EntryType::kLimits:
      return "limits";
    case EntryType::kLevel:
      return "level";
  }
  return "unknown";
}

Result<EntryView> ParseEntry(ByteView payload) {
  if (payload.size() < kEntryHeaderBytes) return Corruption("log entry: shorter than its header");
  const auto type = static_cast<uint8_t>(payload[0]);
  const auto format = static_cast<uint8_t>(payload[1]);
  if (type < 1 || type > 12) return Unsupported("log entry: unknown type " + std::to_string(type));
  if (format > kEntryFormat) {
    return Unsupported("log entry: format " + std::to_string(format) + " is newer than " +
                       std::to_string(kEntryFormat));
  }
  if (format == 0 || GetU16(payload.data() + 2) != 0) return Corruption("log entry: bad header");
  return EntryView{static_cast<EntryType>(type), payload.substr(kEntryHeaderBytes)};
}

Bytes EncodeEntry(EntryType type, ByteView body) {
  Bytes out;
  out.reserve(kEntryHeaderBytes + body.size());
  PutU8(&out, static_cast<uint8_t>(type));
  PutU8(&out, kEntryFormat);
  PutU16(&out, 0);
  out += body;
  return out;
}

Bytes EncodeNoop() {
  return EncodeEntry(EntryType::kNoop, {});
}

Bytes EncodeConfig(const ConfigEntry& config) {
  Bytes body;
  PutU32(&body, static_cast<uint32_t>(config.members.size()));
  for (const ConfigMember& m : config.members) {
    PutU64(&body, m.id.value());
    PutU8(&body, m.role);
    PutString(&body, m.address);
    PutString(&body, m.zone);
  }
  return EncodeEntry(EntryType::kConfig, body);
}

Result<ConfigEntry> DecodeConfig(ByteView body) {
  ByteReader r(body);
  ConfigEntry config;
  const uint32_t count = r.U32();
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    ConfigMember m;
    m.id = MemberId(r.U64());
    m.role = r.U8();
    m.address = r.String();
    m.zone = r.String();
    if (!m.id || m.role < 1 || m.role > 4) r.Fail();
    config.members.push_back(m);
  }
  if (!r.done()) return Bad(EntryType::kConfig);
  return config;
}

void CommitBodyBuilder::Add(ByteView request) {
  SetU32(body_.data(), count() + 1);
  PutString(&body_, request);
}

void CommitBodyBuilder::AddBody(ByteView body) {
  BOREALIS_CHECK(body.size() >= 4);
  SetU32(body_.data(), count() + GetU32(body.data()));
  body_ += body.substr(4);
}

Bytes CommitBodyBuilder::Take() {
  Bytes out = std::move(body_);
  body_.clear();
  PutU32(&body_, 0);
  return out;
}

Result<std::vector<ByteView>> ParseCommitBody(ByteView body) {
  ByteReader r(body);
  const uint32_t count = r.U32();
  // A request takes at least its length and its header: bounds the reservation by what is there.
  if (count > r.left() / 4) return Bad(EntryType::kCommit);
  std::vector<ByteView> requests;
  requests.reserve(count);
  for (uint32_t i = 0; i < count && r.ok(); ++i) requests.push_back(r.String());
  if (!r.done()) return Bad(EntryType::kCommit);
  return requests;
}

Bytes EncodeCommitChunk(const CommitChunkEntry& chunk) {
  Bytes body;
  PutTxn(&body, chunk.txn);
  PutU32(&body, chunk.chunk);
  PutString(&body, chunk.request);
  return EncodeEntry(EntryType::kCommitChunk, body);
}

Result<CommitChunkEntry> DecodeCommitChunk(ByteView body) {
  ByteReader r(body);
  CommitChunkEntry chunk;
  chunk.txn = ReadTxn(&r);
  chunk.chunk = r.U32();
  chunk.request = r.String();
  if (!r.done() || !chunk.txn) return Bad(EntryType::kCommitChunk);
  return chunk;
}

Bytes EncodeCommitFinal(const CommitFinalEntry& final_entry) {
  Bytes body;
  PutTxn(&body, final_entry.txn);
  PutU32(&body, final_entry.chunks);
  PutU8(&body, final_entry.commit ? 1 : 0);
  return EncodeEntry(EntryType::kCommitFinal, body);
}

Result<CommitFinalEntry> DecodeCommitFinal(ByteView body) {
  ByteReader r(body);
  CommitFinalEntry final_entry;
  final_entry.txn = ReadTxn(&r);
  final_entry.chunks = r.U32();
  const uint8_t commit = r.U8();
  final_entry.commit = commit == 1;
  if (!r.done() || !final_entry.txn || commit > 1) return Bad(EntryType::kCommitFinal);
  return final_entry;
}

Bytes EncodeResolve(const TxnId& txn) {
  Bytes body;
  PutTxn(&body, txn);
  return EncodeEntry(EntryType::kResolve, body);
}

Result<TxnId> DecodeResolve(ByteView body) {
  ByteReader r(body);
  const TxnId txn = ReadTxn(&r);
  if (!r.done() || !txn) return Bad(EntryType::kResolve);
  return txn;
}

Bytes EncodeIncarnation(const IncarnationEntry& entry) {
  Bytes body;
  PutU8(&body, static_cast<uint8_t>(entry.action));
  PutU64(&body, entry.nonce);
  PutU64(&body, entry.target.value());
  PutString(&body, entry.writer_name);
  return EncodeEntry(EntryType::kIncarnation, body);
}

Result<IncarnationEntry> DecodeIncarnation(ByteView body) {
  ByteReader r(body);
  IncarnationEntry entry;
  const uint8_t action = r.U8();
  entry.action = static_cast<IncarnationEntry::Action>(action);
  entry.nonce = r.U64();
  entry.target = Incarnation(r.U64());
  entry.writer_name = r.String();
  if (!r.done() || action < 1 || action > 2) return Bad(EntryType::kIncarnation);
  const bool fence = entry.action == IncarnationEntry::Action::kFence;
  if (fence != static_cast<bool>(entry.target)) return Bad(EntryType::kIncarnation);
  return entry;
}

Bytes EncodeHorizon(Version horizon) {
  Bytes body;
  PutU64(&body, horizon.value());
  return EncodeEntry(EntryType::kHorizon, body);
}

Result<Version> DecodeHorizon(ByteView body) {
  ByteReader r(body);
  const Version horizon(r.U64());
  if (!r.done()) return Bad(EntryType::kHorizon);
  return horizon;
}

Bytes EncodeVerdictWatermark(const TxnId& txn) {
  Bytes body;
  PutTxn(&body, txn);
  return EncodeEntry(EntryType::kVerdictWatermark, body);
}

Result<TxnId> DecodeVerdictWatermark(ByteView body) {
  ByteReader r(body);
  const TxnId txn = ReadTxn(&r);
  if (!r.done() || !txn) return Bad(EntryType::kVerdictWatermark);
  return txn;
}

Bytes EncodeLock(const LockEntry& lock) {
  Bytes body;
  PutU8(&body, static_cast<uint8_t>(lock.action));
  PutU8(&body, lock.mode);
  PutU64(&body, lock.incarnation.value());
  PutU64(&body, lock.session);
  PutString(&body, lock.object);
  return EncodeEntry(EntryType::kLock, body);
}

Result<LockEntry> DecodeLock(ByteView body) {
  ByteReader r(body);
  LockEntry lock;
  const uint8_t action = r.U8();
  lock.action = static_cast<LockEntry::Action>(action);
  lock.mode = r.U8();
  lock.incarnation = Incarnation(r.U64());
  lock.session = r.U64();
  lock.object = r.String();
  if (!r.done() || action < 1 || action > 3 || !lock.incarnation) return Bad(EntryType::kLock);
  return lock;
}

Bytes EncodeLimits(const LimitsEntry& limits) {
  Bytes body;
  PutU32(&body, static_cast<uint32_t>(limits.limits.size()));
  for (const auto& [id, value] : limits.limits) {
    PutU32(&body, static_cast<uint32_t>(id));
    PutU64(&body, value);
  }
  return EncodeEntry(EntryType::kLimits, body);
}

Result<LimitsEntry> DecodeLimits(ByteView body) {
  ByteReader r(body);
  LimitsEntry limits;
  const uint32_t count = r.U32();
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    const uint32_t id = r.U32();
    const uint64_t value = r.U64();
    if (!r.ok()) break;
    if (id < 1 || id > 3) return Unsupported("log entry limits: unknown id " + std::to_string(id));
    limits.limits.emplace_back(static_cast<LimitId>(id), value);
  }
  if (!r.done()) return Bad(EntryType::kLimits);
  return limits;
}

Bytes EncodeLevel(uint32_t level) {
  Bytes body;
  PutU32(&body, level);
  return EncodeEntry(EntryType::kLevel, body);
}

Result<uint32_t> DecodeLevel(ByteView body) {
  ByteReader r(body);
  const uint32_t level = r.U32();
  if (!r.done()) return Bad(EntryType::kLevel);
  return level;
}

}  // namespace borealis::wire
