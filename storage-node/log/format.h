// The bytes of the log on disk: segment header, records, batch header, meta file. Internal to the
// module. docs/formats/log.md has the layout and the argument why recovery is right.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage-node/raft/types.h"

namespace borealis::log {

inline constexpr uint16_t kSegmentVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 4096;
inline constexpr size_t kRecordHeaderBytes = 32;
inline constexpr size_t kRecordAlign = 8;
inline constexpr size_t kBatchPayloadBytes = 48;
inline constexpr size_t kSegmentBytesMin = 64u << 10;
// Of one write, so that offsets and lengths fit 32 bits.
inline constexpr size_t kBatchBytesMax = 1u << 30;

enum class RecordType : uint8_t {
  kBatch = 1,
  kHardState = 2,
  kEntry = 3,
  kPeerMemory = 4,
};

struct SegmentHeader {
  ClusterId cluster_id;
  MemberId member_id;
  uint64_t sequence = 0;  // also the generation: each use of a file gets the next one
  uint64_t file_bytes = 0;
  LogIndex first_index;       // of the next entry when the segment was begun
  Term previous_term;         // of the entry before that
  uint64_t previous_end = 0;  // where the segment before ends; all up to there is durable
  uint32_t previous_chain = 0;
};

// kSegmentHeaderBytes bytes.
Bytes EncodeSegmentHeader(const SegmentHeader& header);
// kCorruption, kUnsupported. `chain` gets the value that the first record's chain continues.
Result<SegmentHeader> DecodeSegmentHeader(ByteView bytes, uint32_t* chain);
uint32_t ChainStart(ByteView encoded_header);

struct BatchHeader {
  uint64_t sequence = 0;  // the segment's
  uint64_t boot_number = 0;
  uint64_t durable_offset = 0;  // this segment was durable up to here before this batch was written
  uint64_t offset = 0;          // of this batch
  Term previous_term;           // of the entry before the batch's first entry; 0 without entries
  uint32_t batch_bytes = 0;     // this record and all others of the batch
  uint32_t records = 0;         // without this one
};

struct Record {
  RecordType type{};
  raft::EntryType entry_type{};
  Term term;
  LogIndex index;
  ByteView payload;
  uint32_t chain = 0;
};

inline size_t RecordBytes(size_t payload) {
  return (kRecordHeaderBytes + payload + kRecordAlign - 1) / kRecordAlign * kRecordAlign;
}

// Appends a record's 32-byte head to `out` and moves `chain` on. The payload and zeros up to the
// alignment follow it on disk.
void EncodeRecordHead(const Record& record, uint64_t sequence, uint32_t* chain, Bytes* out);

// The record at the start of `bytes` if its own CRC is right; says nothing about the chain. Nothing
// for damage of any kind. The type may be unknown: the caller refuses it.
std::optional<Record> DecodeRecord(ByteView bytes);
uint32_t NextChain(uint64_t sequence, uint32_t chain, uint32_t body_crc);
// The stored CRC of a record's body.
uint32_t BodyCrc(ByteView record);

Bytes EncodeBatchHeader(const BatchHeader& header);
// A batch header that proves itself: right CRC, this segment's sequence, at its own offset.
std::optional<BatchHeader> DecodeBatchHeader(ByteView bytes, uint64_t sequence, uint64_t offset);

// A batch whose every record passes CRC and chain.
struct ParsedBatch {
  BatchHeader header;
  std::vector<std::pair<uint64_t, Record>> records;  // with their offsets in the segment
  uint32_t chain = 0;                                // after the last record
};
// `segment` is the whole file.
std::optional<ParsedBatch> ParseBatch(ByteView segment, uint64_t sequence, uint64_t offset,
                                      uint32_t chain);

Bytes EncodeHardState(const raft::HardState& state);
Result<raft::HardState> DecodeHardState(ByteView payload);
Bytes EncodePeerMemory(const raft::PeerMemory& memory);
Result<raft::PeerMemory> DecodePeerMemory(ByteView payload);

struct Meta {
  ClusterId cluster_id;
  MemberId member_id;
  uint64_t boot_number = 0;
};
Bytes EncodeMeta(const Meta& meta);
Result<Meta> DecodeMeta(ByteView bytes);

std::string SegmentName(uint64_t sequence);                       // "0000000000000001.seg"
std::optional<uint64_t> SequenceOfName(const std::string& name);  // nothing for other names

}  // namespace borealis::log
