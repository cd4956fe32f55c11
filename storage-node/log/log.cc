#include "storage-node/log/log.h"

#include <algorithm>

#include "storage-node/log/log_impl.h"

namespace borealis::log {

Result<std::unique_ptr<Log>> Log::Open(env::FileSystem* fs, const env::Clock* clock,
                                       Options options) {
  auto impl = std::make_unique<Impl>(fs, clock, std::move(options));
  RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Log>(new Log(std::move(impl)));
}

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Log::~Log() = default;

const Recovered& Log::recovered() const {
  return impl_->recovered();
}
Status Log::WriteBatches(const std::vector<const Batch*>& batches) {
  return impl_->WriteBatches(batches);
}
Status Log::TrimPrefix(LogIndex index) {
  return impl_->TrimPrefix(index);
}
bool Log::SpareWanted() const {
  return impl_->SpareWanted();
}
void Log::PrepareSpare(size_t bytes) {
  impl_->PrepareSpare(bytes);
}
LogIndex Log::FirstIndex() const {
  return impl_->FirstIndex();
}
LogIndex Log::LastIndex() const {
  return impl_->LastIndex();
}
Result<Term> Log::TermOf(LogIndex index) const {
  return impl_->TermOf(index);
}
Result<std::vector<raft::Entry>> Log::Entries(LogIndex begin, LogIndex end,
                                              size_t max_bytes) const {
  return impl_->Entries(begin, end, max_bytes);
}
const Counters& Log::counters() const {
  return impl_->counters();
}
uint64_t Log::DiskBytes() const {
  return impl_->DiskBytes();
}

// --- The index ---

// Only the newest segment can be without live entries and still matter; older empty ones lie before
// the first live entry or between dead ones, and their `first` was moved along by TruncateLocked.
LogIndex Log::Impl::FirstIndexLocked() const {
  for (const Segment& segment : segments_) {
    if (!segment.refs.empty()) return segment.first;
  }
  return segments_.back().first;
}

LogIndex Log::Impl::FirstIndex() const {
  std::lock_guard lock(mu_);
  return FirstIndexLocked();
}

LogIndex Log::Impl::LastIndex() const {
  std::lock_guard lock(mu_);
  return LastIndexLocked();
}

Term Log::Impl::TermLocked(LogIndex index) const {
  if (index < FirstIndexLocked()) return base_term_;
  return std::prev(terms_.upper_bound(index))->second;
}

Result<Term> Log::Impl::TermOf(LogIndex index) const {
  std::lock_guard lock(mu_);
  LogIndex first = FirstIndexLocked();
  if (index.Next() < first || index > LastIndexLocked()) {
    return NotFound("entry " + std::to_string(index.value()) + " is not in the log");
  }
  return TermLocked(index);
}

// Forgets entries from `index` on. Afterwards each segment without live entries has first == the
// next index to be appended, so that end() - 1 is the last index whichever segment comes last.
void Log::Impl::TruncateLocked(LogIndex index) {
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
    if (it->end() < index) break;
    if (it->first >= index) {
      it->first = index;
      it->refs.clear();
    } else {
      it->refs.resize(index.value() - it->first.value());
    }
  }
  terms_.erase(terms_.lower_bound(index), terms_.end());
  while (!cache_.empty() && cache_.back().index >= index) {
    cache_bytes_ -= cache_.back().Size();
    cache_.pop_back();
  }
}

// `previous_term` is the term of the entry before, for the case that there is none in the log.
void Log::Impl::AppendRefLocked(LogIndex index, Term term, EntryRef ref, Term previous_term) {
  if (index <= LastIndexLocked()) TruncateLocked(index);
  Segment& active = segments_.back();
  if (FirstIndexLocked() == index) base_term_ = previous_term;
  active.refs.push_back(ref);
  if (terms_.empty() || terms_.rbegin()->second != term) terms_[index] = term;
}

uint64_t Log::Impl::DiskBytes() const {
  std::lock_guard lock(mu_);
  uint64_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.file_bytes;
  return bytes + spare_bytes_.load();
}

// --- Reading ---

void Log::Impl::CacheLocked(const raft::Entry& entry) {
  cache_.push_back(entry);
  cache_bytes_ += entry.Size();
  while (cache_bytes_ > options_.cache_bytes_max && cache_.size() > 1) {
    cache_bytes_ -= cache_.front().Size();
    cache_.pop_front();
  }
}

bool Log::Impl::FromCacheLocked(LogIndex begin, LogIndex end, size_t max_bytes,
                                std::vector<raft::Entry>* out) const {
  if (cache_.empty() || begin < cache_.front().index) return false;
  size_t bytes = 0;
  for (size_t i = begin.value() - cache_.front().index.value(); begin < end; i++) {
    const raft::Entry& entry = cache_.at(i);
    bytes += entry.Size();
    if (!out->empty() && bytes > max_bytes) break;
    out->push_back(entry);
    begin = begin.Next();
  }
  return true;
}

Log::Impl::ReadPlan Log::Impl::PlanReadLocked(LogIndex begin, LogIndex end,
                                              size_t max_bytes) const {
  ReadPlan plan;
  plan.begin = begin;
  for (const Segment& segment : segments_) {
    if (begin < segment.first || begin >= segment.end()) continue;
    plan.file = segment.file;
    plan.sequence = segment.sequence;
    size_t bytes = 0;
    for (LogIndex i = begin; i < std::min(end, segment.end()); i = i.Next()) {
      const EntryRef& ref = segment.refs[i.value() - segment.first.value()];
      bytes += ref.length + raft::Entry::kOverheadBytes;
      if (!plan.refs.empty() && bytes > max_bytes) break;
      plan.refs.push_back(ref);
      plan.terms.push_back(TermLocked(i));
    }
    break;
  }
  return plan;
}

// The records lie in order in one segment, with little between them: one read, and the payloads are
// slices of its buffer.
Result<std::vector<raft::Entry>> Log::Impl::ReadPlanned(const ReadPlan& plan) const {
  uint64_t begin = plan.refs.front().offset;
  uint64_t end = plan.refs.back().offset + kRecordHeaderBytes + plan.refs.back().length;
  auto read = plan.file->ReadExactly(begin, end - begin);
  if (!read.ok()) return read.status();
  counters_.reads_from_disk++;
  auto buffer = std::make_shared<const Bytes>(std::move(read).value());
  std::vector<raft::Entry> out;
  LogIndex index = plan.begin;
  for (size_t i = 0; i < plan.refs.size(); i++, index = index.Next()) {
    size_t length = kRecordHeaderBytes + plan.refs[i].length;
    ByteView bytes = ByteView(*buffer).substr(plan.refs[i].offset - begin, length);
    std::optional<Record> record = DecodeRecord(bytes);
    if (!record || record->type != RecordType::kEntry || record->index != index ||
        record->term != plan.terms[i]) {
      return Damaged(plan.sequence, plan.refs[i].offset, "entry " + std::to_string(index.value()));
    }
    out.push_back(
        {record->term, index, record->entry_type, raft::Payload(buffer, record->payload)});
  }
  return out;
}

Result<std::vector<raft::Entry>> Log::Impl::Entries(LogIndex begin, LogIndex end,
                                                    size_t max_bytes) const {
  BOREALIS_CHECK(begin < end);
  ReadPlan plan;
  {
    std::lock_guard lock(mu_);
    if (begin < FirstIndexLocked() || end > LastIndexLocked().Next()) {
      return NotFound("entries " + std::to_string(begin.value()) + " to " +
                      std::to_string(end.value() - 1) + " are not all in the log");
    }
    std::vector<raft::Entry> cached;
    if (FromCacheLocked(begin, end, max_bytes, &cached)) return cached;
    plan = PlanReadLocked(begin, end, max_bytes);
  }
  auto entries = ReadPlanned(plan);
  if (entries.ok()) return entries;
  // The segment may have been recycled meanwhile; then its bytes say nothing.
  std::lock_guard lock(mu_);
  if (begin < FirstIndexLocked()) {
    return NotFound("entry " + std::to_string(begin.value()) + " was trimmed");
  }
  return entries;
}

}  // namespace borealis::log
