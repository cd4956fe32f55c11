#include "storage-node/log/format.h"

#include <cinttypes>
#include <cstdio>

#include "common/base/checksum.h"

namespace borealis::log {
namespace {

constexpr ByteView kSegmentMagic("BRLSLOG\x01", 8);
constexpr ByteView kMetaMagic("BRLSMETA", 8);
constexpr uint16_t kMetaVersion = 1;
constexpr size_t kSegmentFieldsBytes = 92;  // before the CRC

ByteView ClusterBytes(const ClusterId& id) {
  return ByteView(reinterpret_cast<const char*>(id.bytes().data()), 16);
}

ClusterId TakeClusterId(ByteReader* in) {
  std::array<uint8_t, 16> bytes{};
  ByteView view = in->Take(16);
  if (view.size() == 16) std::memcpy(bytes.data(), view.data(), 16);
  return ClusterId(bytes);
}

}  // namespace

Bytes EncodeSegmentHeader(const SegmentHeader& header) {
  Bytes out(kSegmentMagic);
  PutU16(&out, kSegmentVersion);
  PutU16(&out, 0);
  PutU32(&out, kSegmentHeaderBytes);
  out.append(ClusterBytes(header.cluster_id));
  PutU64(&out, header.member_id.value());
  PutU64(&out, header.sequence);
  PutU64(&out, header.file_bytes);
  PutU64(&out, header.first_index.value());
  PutU64(&out, header.previous_term.value());
  PutU64(&out, header.previous_end);
  PutU32(&out, header.previous_chain);
  PutU32(&out, 0);
  PutU32(&out, 0);
  out.resize(kSegmentFieldsBytes);
  PutU32(&out, Crc32c(out));
  out.resize(kSegmentHeaderBytes);
  return out;
}

uint32_t ChainStart(ByteView encoded_header) {
  return Crc32c(encoded_header.substr(0, kSegmentFieldsBytes));
}

Result<SegmentHeader> DecodeSegmentHeader(ByteView bytes, uint32_t* chain) {
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, 8) != kSegmentMagic) {
    return Corruption("not a log segment");
  }
  ByteReader in(bytes.substr(8, kSegmentFieldsBytes - 8 + 4));
  uint16_t version = in.U16();
  in.U16();
  uint32_t header_bytes = in.U32();
  // The magic and the version stay where they are in later versions, the rest need not.
  if (version != kSegmentVersion) {
    return Unsupported("log segment version " + std::to_string(version));
  }
  SegmentHeader header;
  header.cluster_id = TakeClusterId(&in);
  header.member_id = MemberId(in.U64());
  header.sequence = in.U64();
  header.file_bytes = in.U64();
  header.first_index = LogIndex(in.U64());
  header.previous_term = Term(in.U64());
  header.previous_end = in.U64();
  header.previous_chain = in.U32();
  *chain = ChainStart(bytes);
  if (GetU32(bytes.data() + kSegmentFieldsBytes) != *chain || header_bytes != kSegmentHeaderBytes ||
      !header.first_index) {
    return Corruption("a damaged segment header");
  }
  return header;
}

// Layout: length u32, body CRC u32, chain u32, type u8, entry type u8, zero u16, term u64, index
// u64.
void EncodeRecordHead(const Record& record, uint64_t sequence, uint32_t* chain, Bytes* out) {
  char head[kRecordHeaderBytes] = {};
  SetU32(head, static_cast<uint32_t>(record.payload.size()));
  head[12] = static_cast<char>(record.type);
  head[13] = static_cast<char>(record.entry_type);
  SetU64(head + 16, record.term.value());
  SetU64(head + 24, record.index.value());
  uint32_t crc = Crc32c(ByteView(head, 4));
  crc = Crc32cExtend(crc, ByteView(head + 12, kRecordHeaderBytes - 12));
  crc = Crc32cExtend(crc, record.payload);
  *chain = NextChain(sequence, *chain, crc);
  SetU32(head + 4, crc);
  SetU32(head + 8, *chain);
  out->append(head, sizeof(head));
}

uint32_t NextChain(uint64_t sequence, uint32_t chain, uint32_t body_crc) {
  char link[16];
  SetU64(link, sequence);
  SetU32(link + 8, chain);
  SetU32(link + 12, body_crc);
  return Crc32c(ByteView(link, sizeof(link)));
}

uint32_t BodyCrc(ByteView record) {
  return GetU32(record.data() + 4);
}

std::optional<Record> DecodeRecord(ByteView bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const char* head = bytes.data();
  size_t length = GetU32(head);
  if (length > bytes.size() - kRecordHeaderBytes || head[12] == 0) return std::nullopt;
  Record record;
  record.type = static_cast<RecordType>(head[12]);
  record.entry_type = static_cast<raft::EntryType>(head[13]);
  record.term = Term(GetU64(head + 16));
  record.index = LogIndex(GetU64(head + 24));
  record.payload = bytes.substr(kRecordHeaderBytes, length);
  record.chain = GetU32(head + 8);
  uint32_t crc = Crc32c(bytes.substr(0, 4));
  crc = Crc32cExtend(crc, bytes.substr(12, kRecordHeaderBytes - 12));
  crc = Crc32cExtend(crc, record.payload);
  if (crc != GetU32(head + 4)) return std::nullopt;
  return record;
}

Bytes EncodeBatchHeader(const BatchHeader& header) {
  Bytes out;
  PutU64(&out, header.sequence);
  PutU64(&out, header.boot_number);
  PutU64(&out, header.durable_offset);
  PutU64(&out, header.offset);
  PutU64(&out, header.previous_term.value());
  PutU32(&out, header.batch_bytes);
  PutU32(&out, header.records);
  return out;
}

std::optional<BatchHeader> DecodeBatchHeader(ByteView bytes, uint64_t sequence, uint64_t offset) {
  // The cheap tests first: recovery tries this at every aligned offset behind a damaged place.
  if (bytes.size() < kRecordHeaderBytes + kBatchPayloadBytes ||
      GetU32(bytes.data()) != kBatchPayloadBytes ||
      bytes[12] != static_cast<char>(RecordType::kBatch)) {
    return std::nullopt;
  }
  std::optional<Record> record = DecodeRecord(bytes);
  if (!record) return std::nullopt;
  ByteReader in(record->payload);
  BatchHeader header;
  header.sequence = in.U64();
  header.boot_number = in.U64();
  header.durable_offset = in.U64();
  header.offset = in.U64();
  header.previous_term = Term(in.U64());
  header.batch_bytes = in.U32();
  header.records = in.U32();
  if (header.sequence != sequence || header.offset != offset) return std::nullopt;
  return header;
}

std::optional<ParsedBatch> ParseBatch(ByteView segment, uint64_t sequence, uint64_t offset,
                                      uint32_t chain) {
  if (offset > segment.size()) return std::nullopt;
  ParsedBatch batch;
  std::optional<BatchHeader> header = DecodeBatchHeader(segment.substr(offset), sequence, offset);
  if (!header || header->batch_bytes > segment.size() - offset) return std::nullopt;
  batch.header = *header;
  ByteView rest = segment.substr(0, offset + header->batch_bytes);
  uint64_t at = offset;
  for (uint64_t i = 0; i <= header->records; i++) {
    std::optional<Record> record = DecodeRecord(rest.substr(at));
    if (!record) return std::nullopt;
    chain = NextChain(sequence, chain, BodyCrc(rest.substr(at)));
    if (record->chain != chain) return std::nullopt;
    if (i > 0) batch.records.emplace_back(at, *record);
    size_t used = kRecordHeaderBytes + record->payload.size();
    size_t whole = RecordBytes(record->payload.size());
    if (whole > rest.size() - at) return std::nullopt;
    if (rest.substr(at + used, whole - used).find_first_not_of('\0') != ByteView::npos) {
      return std::nullopt;
    }
    at += whole;
  }
  if (at != rest.size()) return std::nullopt;
  batch.chain = chain;
  return batch;
}

Bytes EncodeHardState(const raft::HardState& state) {
  Bytes out;
  PutU64(&out, state.term.value());
  PutU64(&out, state.vote.value());
  PutU64(&out, state.commit.value());
  return out;
}

Result<raft::HardState> DecodeHardState(ByteView payload) {
  ByteReader in(payload);
  raft::HardState state;
  state.term = Term(in.U64());
  state.vote = MemberId(in.U64());
  state.commit = LogIndex(in.U64());
  if (!in.done()) return Corruption("a hard state record of a wrong length");
  return state;
}

Bytes EncodePeerMemory(const raft::PeerMemory& memory) {
  Bytes out;
  PutU64(&out, memory.peer.value());
  PutU64(&out, memory.boot_number);
  PutU64(&out, memory.committed_durable.value());
  return out;
}

Result<raft::PeerMemory> DecodePeerMemory(ByteView payload) {
  ByteReader in(payload);
  raft::PeerMemory memory;
  memory.peer = MemberId(in.U64());
  memory.boot_number = in.U64();
  memory.committed_durable = LogIndex(in.U64());
  if (!in.done()) return Corruption("a peer memory record of a wrong length");
  return memory;
}

Bytes EncodeMeta(const Meta& meta) {
  Bytes out(kMetaMagic);
  PutU16(&out, kMetaVersion);
  PutU16(&out, 0);
  PutU32(&out, 0);
  out.append(ClusterBytes(meta.cluster_id));
  PutU64(&out, meta.member_id.value());
  PutU64(&out, meta.boot_number);
  PutU32(&out, Crc32c(out));
  return out;
}

Result<Meta> DecodeMeta(ByteView bytes) {
  ByteReader in(bytes);
  if (in.Take(8) != kMetaMagic) return Corruption("not a meta file");
  uint16_t version = in.U16();
  if (version != kMetaVersion) return Unsupported("meta version " + std::to_string(version));
  in.U16();
  in.U32();
  Meta meta;
  meta.cluster_id = TakeClusterId(&in);
  meta.member_id = MemberId(in.U64());
  meta.boot_number = in.U64();
  uint32_t crc = in.U32();
  if (!in.done() || crc != Crc32c(bytes.substr(0, bytes.size() - 4))) {
    return Corruption("a damaged meta file");
  }
  return meta;
}

std::string SegmentName(uint64_t sequence) {
  char name[32];
  std::snprintf(name, sizeof(name), "%016" PRIx64 ".seg", sequence);
  return name;
}

std::optional<uint64_t> SequenceOfName(const std::string& name) {
  if (name.size() != 20 || name.substr(16) != ".seg") return std::nullopt;
  uint64_t sequence = 0;
  for (char c : name.substr(0, 16)) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    sequence = sequence * 16 + static_cast<uint64_t>(digit);
  }
  return sequence;
}

}  // namespace borealis::log
