#include "writer-node/storage_client/commit_pipe.h"

#include <algorithm>

namespace borealis::storage_client {
namespace {

// A batch is closed at this size; one larger request travels alone.
constexpr size_t kBatchBytesMax = 4u << 20;
// With a round trip above it the pipe is long and several batches are worth their messages.
constexpr env::Duration kShortPipe = std::chrono::milliseconds(2);
constexpr size_t kBatchesMax = 4;
constexpr env::Duration kPause = std::chrono::milliseconds(10);
// A member that holds a batch so long without a verdict is doubted: it is asked of another, too.
constexpr env::Duration kBatchTimeout = std::chrono::milliseconds(500);

}  // namespace

CommitPipe::CommitPipe(env::Loop& loop, Members* members, obs::Registry* metrics)
    : loop_(loop),
      members_(members),
      batches_sent_(&metrics->AddCounter("borealis_writer_commit_batches_total",
                                         "Commit batches sent to members")),
      requests_sent_(&metrics->AddCounter("borealis_writer_commit_requests_total",
                                          "Commit requests sent to members")),
      requests_resent_(&metrics->AddCounter("borealis_writer_commit_requests_resent_total",
                                            "Commit requests sent again under the same id")),
      round_trips_(&metrics->AddHistogram("borealis_writer_commit_round_trip_seconds",
                                          "From sending a batch to its last verdict", 1e-6)) {}

CommitPipe::~CommitPipe() {
  *alive_ = false;
  if (retry_timer_ != env::TimerId::kNone) loop_.Cancel(retry_timer_);
  if (timeout_timer_ != env::TimerId::kNone) loop_.Cancel(timeout_timer_);
}

void CommitPipe::Submit(uint64_t sequence, Bytes bytes, env::FiberPromise<wire::Verdict> promise) {
  requests_.emplace(sequence, Request{std::move(bytes), std::move(promise), false, false, 0});
  queue_.insert(sequence);
  Schedule();
}

bool CommitPipe::Withdraw(uint64_t sequence) {
  auto it = requests_.find(sequence);
  if (it == requests_.end()) return false;
  const bool did_not_happen = !it->second.doubt && it->second.in_batch == 0;
  queue_.erase(sequence);
  if (auto batch = batches_.find(it->second.in_batch); batch != batches_.end()) {
    batch->second.open.erase(sequence);
    if (batch->second.open.empty()) batches_.erase(batch);
  }
  requests_.erase(it);
  return did_not_happen;
}

void CommitPipe::Schedule() {
  if (std::exchange(flush_scheduled_, true)) return;
  loop_.PostAtTurnEnd([this, alive = alive_] {
    if (!*alive) return;
    flush_scheduled_ = false;
    Flush();
  });
}

void CommitPipe::ScheduleIn(env::Duration delay) {
  if (retry_timer_ != env::TimerId::kNone) return;
  retry_timer_ = loop_.RunAfter(delay, [this] {
    retry_timer_ = env::TimerId::kNone;
    Flush();
  });
}

void CommitPipe::Flush() {
  const size_t batches_max = round_trip_ > kShortPipe ? kBatchesMax : 1;
  while (!queue_.empty() && batches_.size() < batches_max) {
    const MemberId to = members_->LeaderOrProbe();
    if (!to) return ScheduleIn(kPause);
    SendBatch(to);
  }
}

void CommitPipe::SendBatch(MemberId to) {
  const uint64_t id = members_->NextRequestId();
  wire::CommitBodyBuilder body;
  Batch batch;
  batch.to = to;
  batch.sent_at = loop_.clock().Monotonic();
  while (!queue_.empty()) {
    const uint64_t sequence = *queue_.begin();
    Request& request = requests_.at(sequence);
    if (body.count() > 0 && body.bytes() + request.bytes.size() > kBatchBytesMax) break;
    body.Add(request.bytes);
    requests_sent_->Add();
    if (std::exchange(request.sent, true)) requests_resent_->Add();
    request.in_batch = id;
    batch.open.insert(sequence);
    queue_.erase(queue_.begin());
  }
  batches_.emplace(id, std::move(batch));
  batches_sent_->Add();
  members_->Send(to, wire::FrameType::kCommitBatch, id, body.Take());
  if (timeout_timer_ == env::TimerId::kNone) {
    timeout_timer_ = loop_.RunAfter(kBatchTimeout, [this] { CheckTimeouts(); });
  }
}

void CommitPipe::CheckTimeouts() {
  timeout_timer_ = env::TimerId::kNone;
  const env::MonotonicTime now = loop_.clock().Monotonic();
  std::vector<uint64_t> late;
  for (const auto& [id, batch] : batches_) {
    if (now - batch.sent_at >= kBatchTimeout) late.push_back(id);
  }
  for (uint64_t id : late) {
    members_->Suspect(batches_.at(id).to);
    Requeue(id);
  }
  if (!batches_.empty()) {
    timeout_timer_ = loop_.RunAfter(kBatchTimeout / 2, [this] { CheckTimeouts(); });
  }
  if (!late.empty()) Flush();
}

void CommitPipe::Requeue(uint64_t batch_id, const std::set<uint64_t>& refused) {
  auto it = batches_.find(batch_id);
  if (it == batches_.end()) return;
  for (uint64_t sequence : it->second.open) {
    Request& request = requests_.at(sequence);
    request.in_batch = 0;
    if (!refused.contains(sequence)) request.doubt = true;
    queue_.insert(sequence);
  }
  batches_.erase(it);
}

void CommitPipe::OnUp(MemberId id) {
  Schedule();
}

void CommitPipe::OnDown(MemberId id) {
  std::vector<uint64_t> broken;
  for (const auto& [batch_id, batch] : batches_) {
    if (batch.to == id) broken.push_back(batch_id);
  }
  for (uint64_t batch_id : broken) Requeue(batch_id);
  Schedule();
}

bool CommitPipe::HandleVerdict(const wire::Verdict& verdict) {
  const uint64_t sequence = verdict.txn.sequence;
  if (verdict.kind == wire::VerdictKind::kRetryElsewhere ||
      verdict.kind == wire::VerdictKind::kUnknown) {
    return false;
  }
  auto it = requests_.find(sequence);
  if (it == requests_.end()) return true;  // withdrawn, or answered by another member before
  if (auto batch = batches_.find(it->second.in_batch); batch != batches_.end()) {
    batch->second.open.erase(sequence);
    if (batch->second.open.empty()) {
      round_trip_ = loop_.clock().Monotonic() - batch->second.sent_at;
      round_trips_->Record(static_cast<uint64_t>(round_trip_.count()));
      batches_.erase(batch);
    }
  }
  queue_.erase(sequence);  // it may have been queued again meanwhile
  const env::FiberPromise<wire::Verdict> promise = it->second.promise;
  requests_.erase(it);
  promise.Set(verdict);
  return true;
}

void CommitPipe::OnVerdicts(MemberId from, uint64_t request_id, ByteView payload) {
  Result<std::vector<wire::Verdict>> verdicts = wire::DecodeVerdicts(payload);
  if (!verdicts.ok()) {
    Requeue(request_id);
    return ScheduleIn(kPause);
  }
  bool retry = false;
  bool decided = false;
  MemberId hint;
  std::set<uint64_t> refused;
  for (const wire::Verdict& verdict : *verdicts) {
    if (HandleVerdict(verdict)) {
      decided = true;
      continue;
    }
    retry = true;
    if (verdict.leader) hint = verdict.leader;
    if (verdict.kind == wire::VerdictKind::kRetryElsewhere) refused.insert(verdict.txn.sequence);
  }
  if (decided && !retry) members_->set_leader(from);
  if (!retry) return Schedule();
  // One undecided verdict means that the member decides none of this batch any more.
  members_->set_leader(hint == from ? MemberId() : hint);
  Requeue(request_id, refused);
  if (members_->leader()) {
    Schedule();
  } else {
    ScheduleIn(kPause);
  }
}

bool CommitPipe::OnError(uint64_t request_id, ByteView payload) {
  if (!batches_.contains(request_id)) return false;
  Result<wire::ErrorReply> error = wire::DecodeError(payload);
  const MemberId from = batches_.at(request_id).to;
  if (members_->leader() == from && error.ok() && error->code != Code::kResourceExhausted) {
    members_->set_leader(error->leader == from ? MemberId() : error->leader);
  }
  // Refused before anything was proposed; of any other error nothing is known.
  std::set<uint64_t> refused;
  if (error.ok() && (error->code == Code::kResourceExhausted || error->code == Code::kNotLeader)) {
    refused = batches_.at(request_id).open;
  }
  Requeue(request_id, refused);
  ScheduleIn(kPause);
  return true;
}

}  // namespace borealis::storage_client
