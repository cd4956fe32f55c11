// Writing: batches into the active segment, beginning and recycling segments.
#include <algorithm>
#include <span>

#include "storage-node/log/log_impl.h"

namespace borealis::log {
namespace {

// Below this a copy costs less than another part of a gathering write.
constexpr size_t kCopyBytesMax = 1024;
constexpr size_t kFillStepBytes = 64u << 10;
constexpr size_t kFillSyncBytes = 1u << 20;

// The smallest i with value < unit << i, at most `last`.
size_t Bucket(uint64_t value, uint64_t unit, size_t last) {
  size_t i = 0;
  while (i < last && value >= (unit << i)) i++;
  return i;
}

size_t Align(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

}  // namespace

std::string Log::Impl::PathOf(uint64_t sequence) const {
  return env::JoinPath(options_.dir, SegmentName(sequence));
}

std::string Log::Impl::SparePath(uint64_t number) const {
  return env::JoinPath(options_.dir, "spare-" + std::to_string(number));
}

Status Log::Impl::CheckBatches(const std::vector<const Batch*>& batches) const {
  LogIndex first;
  LogIndex next;
  {
    std::lock_guard lock(mu_);
    first = FirstIndexLocked();
    next = LastIndexLocked().Next();
  }
  for (const Batch* batch : batches) {
    if (batch->entries.empty()) continue;
    LogIndex index = batch->entries.front().index;
    if (index > next || index < first) {
      return InvalidArgument("entry " + std::to_string(index.value()) + " does not fit a log of " +
                             std::to_string(first.value()) + " to " +
                             std::to_string(next.value() - 1));
    }
    for (const raft::Entry& entry : batch->entries) {
      if (entry.index != index) return InvalidArgument("entries are not consecutive");
      if (entry.payload.size() > raft::kPayloadBytesMax) {
        return InvalidArgument("an entry of " + std::to_string(entry.payload.size()) + " bytes");
      }
      index = index.Next();
    }
    next = index;
  }
  if (BatchBytes(batches, true) > kBatchBytesMax) return InvalidArgument("a write of over 1 GiB");
  return Status::Ok();
}

Status Log::Impl::WriteBatches(const std::vector<const Batch*>& batches) {
  RETURN_IF_ERROR(failed_);
  RETURN_IF_ERROR(CheckBatches(batches));
  Status status = WriteChecked(batches);
  if (!status.ok()) failed_ = status;
  return status;
}

Status Log::Impl::WriteChecked(const std::vector<const Batch*>& batches) {
  size_t bytes = BatchBytes(batches, offset_ == kSegmentHeaderBytes);
  if (offset_ + bytes > segments_.back().file_bytes) {
    RETURN_IF_ERROR(BeginSegment(BatchBytes(batches, true)));
  }
  Remember(batches);
  Encoded encoded = Encode(batches);

  std::vector<ByteView> parts;
  size_t at = 0;
  for (const auto& [heads_before, payload] : encoded.parts) {
    parts.push_back(ByteView(encoded.heads).substr(at, heads_before - at));
    parts.push_back(payload);
    at = heads_before;
  }
  parts.push_back(ByteView(encoded.heads).substr(at));
  RETURN_IF_ERROR(segments_.back().file->WriteParts(offset_, parts));
  offset_ += encoded.bytes;
  chain_ = encoded.chain;
  CountBatch(batches, encoded.bytes);
  bool must_sync = std::any_of(batches.begin(), batches.end(),
                               [](const Batch* batch) { return batch->must_sync; });
  if (must_sync) RETURN_IF_ERROR(SyncActive());
  Publish(batches, encoded);
  AskForSpare();
  return Status::Ok();
}

void Log::Impl::CountBatch(const std::vector<const Batch*>& batches, size_t bytes) {
  counters_.batches++;
  counters_.bytes += bytes;
  for (const Batch* batch : batches) counters_.entries += batch->entries.size();
  counters_.batch_bytes[Bucket(bytes, 256, counters_.batch_bytes.size() - 1)]++;
}

Status Log::Impl::SyncActive() {
  if (durable_offset_ == offset_) return Status::Ok();
  env::MonotonicTime begin = clock_->Monotonic();
  RETURN_IF_ERROR(segments_.back().file->Sync());
  auto micros = static_cast<uint64_t>((clock_->Monotonic() - begin).count());
  counters_.syncs++;
  counters_.sync_latency[Bucket(micros, 16, counters_.sync_latency.size() - 1)]++;
  durable_offset_ = offset_;
  return Status::Ok();
}

// --- Encoding ---

size_t Log::Impl::BatchBytes(const std::vector<const Batch*>& batches,
                             bool first_in_segment) const {
  size_t bytes = RecordBytes(kBatchPayloadBytes);
  bool hard_state = first_in_segment;
  std::map<MemberId, raft::PeerMemory> peers;
  if (first_in_segment) peers = peer_memory_;
  for (const Batch* batch : batches) {
    hard_state = hard_state || batch->hard_state.has_value();
    for (const raft::PeerMemory& memory : batch->peer_memory) peers[memory.peer] = memory;
    for (const raft::Entry& entry : batch->entries) bytes += RecordBytes(entry.payload.size());
  }
  if (hard_state) bytes += RecordBytes(24);
  return bytes + peers.size() * RecordBytes(24);
}

void Log::Impl::Remember(const std::vector<const Batch*>& batches) {
  for (const Batch* batch : batches) {
    if (batch->hard_state) hard_state_ = *batch->hard_state;
    for (const raft::PeerMemory& memory : batch->peer_memory) peer_memory_[memory.peer] = memory;
  }
}

// Payloads of entries are written from where they are; the little rest is copied among the heads.
void Log::Impl::EncodeRecord(const Record& record, bool copy, Encoded* out) const {
  EncodeRecordHead(record, segments_.back().sequence, &out->chain, &out->heads);
  if (copy) {
    out->heads.append(record.payload);
  } else if (!record.payload.empty()) {
    out->parts.emplace_back(out->heads.size(), record.payload);
  }
  size_t bytes = RecordBytes(record.payload.size());
  out->heads.append(bytes - kRecordHeaderBytes - record.payload.size(), '\0');
  out->bytes += bytes;
}

// The first batch of a segment repeats hard state and peer memory, so that older segments can go.
Log::Impl::Encoded Log::Impl::Encode(const std::vector<const Batch*>& batches) {
  bool first = offset_ == kSegmentHeaderBytes;
  bool hard_state = first;
  std::map<MemberId, raft::PeerMemory> peers;
  if (first) peers = peer_memory_;
  BatchHeader header;
  header.records = 0;
  for (const Batch* batch : batches) {
    hard_state = hard_state || batch->hard_state.has_value();
    for (const raft::PeerMemory& memory : batch->peer_memory) peers[memory.peer] = memory;
    if (header.records == 0 && !batch->entries.empty()) {
      std::lock_guard lock(mu_);
      header.previous_term = TermLocked(batch->entries.front().index.Prev());
    }
    header.records += static_cast<uint32_t>(batch->entries.size());
  }
  header.records += static_cast<uint32_t>(hard_state) + static_cast<uint32_t>(peers.size());
  header.sequence = segments_.back().sequence;
  header.boot_number = recovered_.boot_number;
  header.durable_offset = durable_offset_;
  header.offset = offset_;
  header.batch_bytes = static_cast<uint32_t>(BatchBytes(batches, first));

  Encoded out;
  out.chain = chain_;
  auto copied = [&](RecordType type, const Bytes& payload) {
    EncodeRecord(Record{type, {}, {}, {}, payload, 0}, /*copy=*/true, &out);
  };
  copied(RecordType::kBatch, EncodeBatchHeader(header));
  if (hard_state) copied(RecordType::kHardState, EncodeHardState(hard_state_));
  for (const auto& [id, memory] : peers) copied(RecordType::kPeerMemory, EncodePeerMemory(memory));
  for (const Batch* batch : batches) {
    for (const raft::Entry& entry : batch->entries) {
      EntryRef ref{static_cast<uint32_t>(offset_ + out.bytes),
                   static_cast<uint32_t>(entry.payload.size())};
      out.refs.emplace_back(entry.index, ref);
      EncodeRecord(
          Record{RecordType::kEntry, entry.type, entry.term, entry.index, entry.payload.view(), 0},
          /*copy=*/entry.payload.size() < kCopyBytesMax, &out);
    }
  }
  out.previous_term = header.previous_term;
  BOREALIS_CHECK(out.bytes == header.batch_bytes);
  return out;
}

void Log::Impl::Publish(const std::vector<const Batch*>& batches, const Encoded& encoded) {
  std::lock_guard lock(mu_);
  size_t i = 0;
  Term previous = encoded.previous_term;
  for (const Batch* batch : batches) {
    for (const raft::Entry& entry : batch->entries) {
      AppendRefLocked(entry.index, entry.term, encoded.refs[i++].second, previous);
      CacheLocked(entry);
      previous = entry.term;
    }
  }
}

// --- Segments ---

// Crash argument: the segment that ends is durable as a whole before the header that says so is
// written, and that header is durable under a spare's name before the rename makes it part of the
// log. A crash before the rename's SyncDir leaves either name; as a spare its content does not
// matter.
Status Log::Impl::BeginSegment(size_t batch_bytes) {
  RETURN_IF_ERROR(SyncActive());
  uint64_t bytes =
      std::max<uint64_t>(options_.segment_bytes, Align(kSegmentHeaderBytes + batch_bytes, 4096));
  SegmentHeader header;
  header.cluster_id = options_.cluster_id;
  header.member_id = options_.member_id;
  header.sequence = segments_.empty() ? 1 : segments_.back().sequence + 1;
  header.file_bytes = bytes;
  header.first_index = LogIndex(1);
  if (!segments_.empty()) {
    std::lock_guard lock(mu_);
    header.first_index = LastIndexLocked().Next();
    header.previous_term = TermLocked(LastIndexLocked());
    header.previous_end = offset_;
    header.previous_chain = chain_;
  }
  ASSIGN_OR_RETURN(std::string spare, TakeSpare(bytes));
  ASSIGN_OR_RETURN(std::shared_ptr<env::File> prepared,
                   fs_->Open(spare, env::OpenMode::kReadWrite));
  Bytes encoded = EncodeSegmentHeader(header);
  RETURN_IF_ERROR(prepared->Write(0, encoded));
  RETURN_IF_ERROR(prepared->Sync());
  prepared.reset();
  std::string path = PathOf(header.sequence);
  RETURN_IF_ERROR(fs_->Rename(spare, path));
  RETURN_IF_ERROR(fs_->SyncDir(options_.dir));
  ASSIGN_OR_RETURN(std::shared_ptr<env::File> file, fs_->Open(path, env::OpenMode::kReadWrite));

  Segment segment;
  segment.sequence = header.sequence;
  segment.file_bytes = bytes;
  segment.file = std::move(file);
  segment.first = header.first_index;
  {
    std::lock_guard lock(mu_);
    segments_.push_back(std::move(segment));
  }
  offset_ = durable_offset_ = kSegmentHeaderBytes;
  chain_ = ChainStart(encoded);
  spare_asked_ = false;
  return Status::Ok();
}

Result<std::string> Log::Impl::TakeSpare(uint64_t bytes) {
  std::lock_guard lock(spare_mu_);
  if (bytes == options_.segment_bytes && !spares_.empty()) {
    std::string path = spares_.front();
    spares_.pop_front();
    spare_bytes_ -= bytes;
    return path;
  }
  std::string path = SparePath(next_spare_++);
  auto made = fs_->CreateZeroFilled(path, bytes);
  if (!made.ok()) return made.status();
  counters_.segments_created++;
  return path;
}

void Log::Impl::AskForSpare() {
  if (spare_asked_ || offset_ < segments_.back().file_bytes / 4) return;
  spare_asked_ = true;
  std::lock_guard lock(spare_mu_);
  spare_wanted_ = spares_.empty();
}

void Log::Impl::PrepareSpare(size_t bytes) {
  if (!spare_wanted_.load()) return;
  std::lock_guard lock(spare_mu_);
  if (spares_.empty() && !FillSpare(bytes)) {
    filling_.reset();
    (void)fs_->Remove(filling_path_);
    spare_wanted_ = false;
  }
  if (!spares_.empty()) spare_wanted_ = false;
}

// False when the spare cannot be made. Four times what is written, beginning at a quarter of the
// segment: ready when it is half full.
bool Log::Impl::FillSpare(size_t bytes) {
  if (!filling_) {
    filling_path_ = SparePath(next_spare_++);
    auto file = fs_->Open(filling_path_, env::OpenMode::kCreate);
    if (!file.ok()) return false;
    filling_ = std::move(file).value();
    filled_ = fill_synced_ = 0;
  }
  static const Bytes kZeros(kFillStepBytes, '\0');
  uint64_t until =
      std::min<uint64_t>(options_.segment_bytes, filled_ + std::max(bytes * 4, kFillStepBytes));
  while (filled_ < until) {
    size_t step = std::min<uint64_t>(kZeros.size(), until - filled_);
    if (!filling_->Write(filled_, ByteView(kZeros).substr(0, step)).ok()) return false;
    filled_ += step;
  }
  bool complete = filled_ == options_.segment_bytes;
  if (complete || filled_ - fill_synced_ >= kFillSyncBytes) {
    if (!filling_->Sync().ok()) return false;
    fill_synced_ = filled_;
  }
  if (!complete) return true;
  filling_.reset();
  spares_.push_back(filling_path_);
  spare_bytes_ += options_.segment_bytes;
  counters_.segments_created++;
  return true;
}

Status Log::Impl::Recycle(const Segment& segment) {
  std::string path = PathOf(segment.sequence);
  std::lock_guard lock(spare_mu_);
  if (segment.file_bytes != options_.segment_bytes ||
      spares_.size() >= options_.spare_segments_max) {
    return fs_->Remove(path);
  }
  std::string spare = SparePath(next_spare_++);
  RETURN_IF_ERROR(fs_->Rename(path, spare));
  spares_.push_back(spare);
  spare_bytes_ += segment.file_bytes;
  counters_.segments_recycled++;
  return Status::Ok();
}

// Oldest first, each durable before the next, so that a crash leaves a gapless run of segments. The
// active segment's first batch repeats the hard state; it is made durable before what it replaces
// goes.
Status Log::Impl::TrimPrefix(LogIndex index) {
  RETURN_IF_ERROR(failed_);
  if (index > LastIndex().Next()) {
    return InvalidArgument("cannot trim up to " + std::to_string(index.value()) +
                           ", beyond the log's end");
  }
  auto trim = [&]() -> Status {
    while (segments_.size() > 1 && segments_.front().end() <= index) {
      if (offset_ == kSegmentHeaderBytes) return Status::Ok();
      RETURN_IF_ERROR(SyncActive());
      Segment oldest;
      {
        std::lock_guard lock(mu_);
        if (!segments_.front().refs.empty()) {
          LogIndex last = segments_.front().end().Prev();
          Term term = TermLocked(last);
          base_term_ = term;
          terms_.erase(terms_.begin(), terms_.upper_bound(last));
          // The run that goes on in the next segment begins there now.
          if (last < LastIndexLocked() && terms_.count(last.Next()) == 0)
            terms_[last.Next()] = term;
          while (!cache_.empty() && cache_.front().index <= last) {
            cache_bytes_ -= cache_.front().Size();
            cache_.pop_front();
          }
        }
        oldest = std::move(segments_.front());
        segments_.pop_front();
      }
      RETURN_IF_ERROR(Recycle(oldest));
      RETURN_IF_ERROR(fs_->SyncDir(options_.dir));
    }
    return Status::Ok();
  };
  Status status = trim();
  if (!status.ok()) failed_ = status;
  return status;
}

}  // namespace borealis::log
