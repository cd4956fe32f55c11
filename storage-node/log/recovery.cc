// Opening a log: which segments are there, what they say, where the last write ends.
//
// The rule (argued in docs/formats/log.md): batches are read in order as long as each record passes
// its CRC and the chain. The place P where that ends is the end of the log if it lies in the last
// segment and no batch header behind it claims that P was durable already; then what follows P is
// an unacknowledged torn tail, or zeros, or records of the file's life before. Everything else is
// damage.
#include <algorithm>

#include "storage-node/log/log_impl.h"

namespace borealis::log {
namespace {

constexpr char kMetaName[] = "meta";
constexpr char kSparePrefix[] = "spare-";

}  // namespace

Status Log::Impl::Damaged(uint64_t sequence, uint64_t offset, const std::string& what) const {
  return Corruption(PathOf(sequence) + " at offset " + std::to_string(offset) + ": " + what);
}

Status Log::Impl::OpenMeta(bool* found, Meta* meta) const {
  std::string path = env::JoinPath(options_.dir, kMetaName);
  ASSIGN_OR_RETURN(*found, fs_->Exists(path));
  if (!*found) return Status::Ok();
  ASSIGN_OR_RETURN(Bytes bytes, fs_->ReadFile(path, 4096));
  auto decoded = DecodeMeta(bytes);
  if (!decoded.ok()) return decoded.status().WithContext(path);
  *meta = *decoded;
  if (meta->cluster_id != options_.cluster_id) {
    return InvalidArgument("the log in " + options_.dir + " belongs to cluster " +
                           meta->cluster_id.ToString());
  }
  if (meta->member_id != options_.member_id) {
    return InvalidArgument("the log in " + options_.dir + " belongs to member " +
                           std::to_string(meta->member_id.value()));
  }
  return Status::Ok();
}

// Sequences of the segments, and the spares that are fit for use; others are removed.
Status Log::Impl::ListSegments(std::vector<uint64_t>* sequences) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs_->ListDir(options_.dir));
  for (const std::string& name : names) {
    if (auto sequence = SequenceOfName(name)) sequences->push_back(*sequence);
    if (name.rfind(kSparePrefix, 0) != 0) continue;
    uint64_t number = std::strtoull(name.c_str() + sizeof(kSparePrefix) - 1, nullptr, 10);
    next_spare_ = std::max(next_spare_, number + 1);
    std::string path = env::JoinPath(options_.dir, name);
    ASSIGN_OR_RETURN(std::unique_ptr<env::File> file, fs_->Open(path, env::OpenMode::kRead));
    ASSIGN_OR_RETURN(uint64_t size, file->Size());
    file.reset();
    if (size == options_.segment_bytes && spares_.size() < options_.spare_segments_max) {
      spares_.push_back(path);
      spare_bytes_ += size;
    } else {
      RETURN_IF_ERROR(fs_->Remove(path));
    }
  }
  std::sort(sequences->begin(), sequences->end());
  return Status::Ok();
}

Status Log::Impl::CheckHeader(const SegmentHeader& header, uint64_t sequence,
                              size_t file_bytes) const {
  if (header.cluster_id != options_.cluster_id || header.member_id != options_.member_id) {
    return InvalidArgument(PathOf(sequence) + " belongs to member " +
                           std::to_string(header.member_id.value()) + " of cluster " +
                           header.cluster_id.ToString());
  }
  if (header.sequence != sequence || header.file_bytes != file_bytes) {
    return Damaged(sequence, 0, "the header is another segment's, or the file was cut");
  }
  if (segments_.empty()) return Status::Ok();
  const Segment& before = segments_.back();
  if (before.sequence + 1 != sequence) {
    return Damaged(before.sequence + 1, 0, "the segment is missing");
  }
  if (header.previous_end != offset_ || header.previous_chain != chain_) {
    return Damaged(
        before.sequence, offset_,
        "durable up to " + std::to_string(header.previous_end) + ", readable up to here");
  }
  if (header.first_index != LastIndexLocked().Next() ||
      header.previous_term != TermLocked(LastIndexLocked())) {
    return Damaged(sequence, 0, "the header contradicts the segment before");
  }
  return Status::Ok();
}

Status Log::Impl::ScanSegment(uint64_t sequence, bool last) {
  std::string path = PathOf(sequence);
  ASSIGN_OR_RETURN(std::shared_ptr<env::File> file, fs_->Open(path, env::OpenMode::kReadWrite));
  ASSIGN_OR_RETURN(uint64_t size, file->Size());
  ASSIGN_OR_RETURN(Bytes data, file->ReadExactly(0, size));
  uint32_t chain = 0;
  auto header = DecodeSegmentHeader(data, &chain);
  if (!header.ok()) return header.status().WithContext(path);
  RETURN_IF_ERROR(CheckHeader(*header, sequence, size));

  if (segments_.empty()) base_term_ = header->previous_term;
  Segment segment;
  segment.sequence = sequence;
  segment.file_bytes = size;
  segment.file = std::move(file);
  segment.first = header->first_index;
  segments_.push_back(std::move(segment));
  offset_ = kSegmentHeaderBytes;
  chain_ = chain;
  durable_offset_ = kSegmentHeaderBytes;
  while (auto batch = ParseBatch(data, sequence, offset_, chain_)) {
    RETURN_IF_ERROR(ApplyBatch(*batch));
    durable_offset_ = std::max(durable_offset_, batch->header.durable_offset);
    offset_ += batch->header.batch_bytes;
    chain_ = batch->chain;
  }
  // What a segment that is not the last must hold stands in the next one's header: see CheckHeader.
  if (!last) return Status::Ok();
  RETURN_IF_ERROR(CutTail(data, sequence, offset_));
  return WriteTailAgain(data);
}

// What no later batch proves to be durable may be in the page cache only, even as clean pages:
// after a failed fdatasync Linux takes them for written, and a sync by a new process succeeds
// without writing them. So they are written again before anything is promised on their strength.
Status Log::Impl::WriteTailAgain(ByteView data) {
  env::File* file = segments_.back().file.get();
  if (offset_ > durable_offset_) {
    ByteView tail = data.substr(durable_offset_, offset_ - durable_offset_);
    RETURN_IF_ERROR(file->Write(durable_offset_, tail));
  }
  RETURN_IF_ERROR(file->Sync());
  durable_offset_ = offset_;
  return Status::Ok();
}

Status Log::Impl::CutTail(ByteView data, uint64_t sequence, uint64_t offset) {
  uint64_t torn_end = offset;
  for (uint64_t at = offset; at + kRecordHeaderBytes <= data.size(); at += kRecordAlign) {
    auto header = DecodeBatchHeader(data.substr(at), sequence, at);
    if (!header) continue;
    if (header->durable_offset > offset) {
      return Damaged(sequence, offset,
                     "damaged, though durable up to " + std::to_string(header->durable_offset));
    }
    torn_end = std::max(torn_end, at + header->batch_bytes);
  }
  recovered_.torn_bytes_cut = torn_end - offset;
  return Status::Ok();
}

Status Log::Impl::ApplyBatch(const ParsedBatch& batch) {
  if (batch.header.boot_number > recovered_.boot_number) {
    return Damaged(segments_.back().sequence, batch.header.offset,
                   "written in boot " + std::to_string(batch.header.boot_number) +
                       ", after the meta file's " + std::to_string(recovered_.boot_number));
  }
  for (const auto& [offset, record] : batch.records) {
    RETURN_IF_ERROR(ApplyRecord(batch, offset, record));
  }
  return Status::Ok();
}

Status Log::Impl::ApplyRecord(const ParsedBatch& batch, uint64_t offset, const Record& record) {
  uint64_t sequence = segments_.back().sequence;
  switch (record.type) {
    case RecordType::kHardState: {
      auto state = DecodeHardState(record.payload);
      if (!state.ok()) return state.status().WithContext(PathOf(sequence));
      hard_state_ = *state;
      return Status::Ok();
    }
    case RecordType::kPeerMemory: {
      auto memory = DecodePeerMemory(record.payload);
      if (!memory.ok()) return memory.status().WithContext(PathOf(sequence));
      peer_memory_[memory->peer] = *memory;
      return Status::Ok();
    }
    case RecordType::kEntry:
      break;
    default:
      return Unsupported(PathOf(sequence) + " at offset " + std::to_string(offset) +
                         ": record type " + std::to_string(static_cast<int>(record.type)));
  }
  if (record.entry_type < raft::EntryType::kNoop || record.entry_type > raft::EntryType::kData) {
    return Unsupported(PathOf(sequence) + " at offset " + std::to_string(offset) + ": entry type " +
                       std::to_string(static_cast<int>(record.entry_type)));
  }
  if (!record.index || record.index > LastIndexLocked().Next()) {
    return Damaged(sequence, offset, "a gap before entry " + std::to_string(record.index.value()));
  }
  // Only the batch's first entry can be without one before it: the header has that one's term.
  AppendRefLocked(
      record.index, record.term,
      EntryRef{static_cast<uint32_t>(offset), static_cast<uint32_t>(record.payload.size())},
      batch.header.previous_term);
  return Status::Ok();
}

Status Log::Impl::Open() {
  if (options_.segment_bytes < kSegmentBytesMin || options_.segment_bytes > kBatchBytesMax ||
      options_.segment_bytes % 4096 != 0) {
    return InvalidArgument("a segment has 64 KiB to 1 GiB, a multiple of 4096 bytes");
  }
  if (!options_.member_id) return InvalidArgument("a member's id must not be 0");
  RETURN_IF_ERROR(fs_->MakeDirs(options_.dir));
  ASSIGN_OR_RETURN(lock_, fs_->Lock(env::JoinPath(options_.dir, "LOCK")));

  std::vector<uint64_t> sequences;
  RETURN_IF_ERROR(ListSegments(&sequences));
  bool found = false;
  Meta meta{options_.cluster_id, options_.member_id, 0};
  RETURN_IF_ERROR(OpenMeta(&found, &meta));
  if (found && sequences.empty()) return Corruption("all segments are gone from " + options_.dir);
  recovered_.boot_number = meta.boot_number;
  for (uint64_t sequence : sequences) {
    RETURN_IF_ERROR(ScanSegment(sequence, sequence == sequences.back()));
  }
  if (!found && !sequences.empty()) {
    // The first segment comes before the meta file; nothing is written before both are there.
    bool interrupted = sequences.back() == 1 && offset_ == kSegmentHeaderBytes;
    if (!interrupted) return Corruption("the meta file is gone from " + options_.dir);
  }
  if (sequences.empty()) RETURN_IF_ERROR(BeginSegment(0));
  recovered_.boot_number = ++meta.boot_number;
  RETURN_IF_ERROR(fs_->WriteFileAtomic(env::JoinPath(options_.dir, kMetaName), EncodeMeta(meta)));
  recovered_.hard_state = hard_state_;
  for (const auto& [id, memory] : peer_memory_) recovered_.peer_memory.push_back(memory);
  return Status::Ok();
}

}  // namespace borealis::log
