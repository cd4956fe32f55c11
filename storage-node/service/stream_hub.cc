#include "storage-node/service/stream_hub.h"

#include <algorithm>

#include "common/base/check.h"

namespace borealis::service {

StreamHub::StreamHub(env::Loop& loop, Version version, Options options)
    : loop_(loop),
      options_(options),
      base_(version),
      version_(version),
      alive_(std::make_shared<StreamHub*>(this)) {}

StreamHub::~StreamHub() {
  *alive_ = nullptr;
}

void StreamHub::OnEntry(const std::shared_ptr<const apply::CertifiedEntry>& entry) {
  version_ = entry->version;
  if (entry->accepted.empty()) return;
  ring_bytes_ += entry->bytes;
  ring_.push_back(entry);
  while (ring_bytes_ > options_.ring_bytes_max && ring_.size() > 1) {
    base_ = ring_.front()->version;
    ring_bytes_ -= ring_.front()->bytes;
    ring_.pop_front();
    ++first_position_;
  }
  if (!subscribers_.empty()) ScheduleFlush();
}

Result<StreamHub::SubscriptionId> StreamHub::Add(rpc::Channel* channel, uint64_t request_id,
                                                 const wire::Subscribe& subscribe) {
  if (subscribe.after < base_) {
    return Status(Code::kBelowHorizon,
                  "the stream starts after version " + std::to_string(base_.value()));
  }
  Subscriber subscriber;
  subscriber.channel = channel;
  subscriber.request_id = request_id;
  subscriber.origin = subscribe.origin;
  subscriber.after = subscribe.after;
  const auto first = std::partition_point(ring_.begin(), ring_.end(), [&](const auto& entry) {
    return entry->version <= subscribe.after;
  });
  subscriber.position = first_position_ + static_cast<uint64_t>(first - ring_.begin());
  const SubscriptionId id = next_id_++;
  subscribers_.emplace(id, subscriber);
  ScheduleFlush();
  return id;
}

void StreamHub::Remove(SubscriptionId id) {
  subscribers_.erase(id);
}

void StreamHub::ScheduleFlush() {
  if (std::exchange(flush_scheduled_, true)) return;
  loop_.PostAtTurnEnd([alive = alive_] {
    if (*alive == nullptr) return;
    (*alive)->flush_scheduled_ = false;
    (*alive)->Flush();
  });
}

void StreamHub::Flush() {
  for (auto it = subscribers_.begin(); it != subscribers_.end();) {
    const auto current = it++;
    if (!Advance(current->first, &current->second)) subscribers_.erase(current);
  }
}

bool StreamHub::Advance(SubscriptionId id, Subscriber* subscriber) {
  while (!subscriber->waiting) {
    if (subscriber->position < first_position_) {
      wire::ErrorReply error;
      error.code = Code::kBelowHorizon;
      error.message = "the subscriber is too slow: the stream has moved on";
      subscriber->channel->Send(static_cast<uint8_t>(wire::FrameType::kError),
                                subscriber->request_id, wire::EncodeError(error));
      return false;
    }
    if (subscriber->position == first_position_ + ring_.size()) return true;
    if (subscriber->channel->pending_bytes() > options_.pending_bytes_max) {
      WaitForRoom(id, subscriber);
      return true;
    }
    wire::StreamBatch batch;
    batch.certified_up_to = version_;
    subscriber->position += FillBatch(*subscriber, &batch);
    if (batch.requests.empty()) continue;
    subscriber->after = batch.requests.back().version;
    subscriber->channel->Send(static_cast<uint8_t>(wire::FrameType::kStreamBatch),
                              subscriber->request_id, wire::EncodeStreamBatch(batch));
  }
  return true;
}

size_t StreamHub::FillBatch(const Subscriber& subscriber, wire::StreamBatch* batch) const {
  size_t taken = 0;
  size_t bytes = 0;
  for (size_t i = subscriber.position - first_position_; i < ring_.size(); ++i) {
    const apply::CertifiedEntry& entry = *ring_[i];
    if (taken > 0 && bytes + entry.bytes > options_.batch_bytes_max) break;
    bytes += entry.bytes;
    ++taken;
    for (const apply::AcceptedRequest& accepted : entry.accepted) {
      if (accepted.version <= subscriber.after) continue;
      wire::StreamRequest request;
      request.version = accepted.version;
      request.txn = accepted.request.txn_id();
      request.own = subscriber.origin && request.txn.incarnation == subscriber.origin;
      auto cursor = accepted.request.accesses();
      wire::Access access;
      while (!request.own && cursor.Next(&access)) {
        if (access.op == wire::Op::kNone) continue;
        request.accesses.push_back({access.op, access.key, access.value});
      }
      batch->requests.push_back(std::move(request));
    }
  }
  return taken;
}

void StreamHub::WaitForRoom(SubscriptionId id, Subscriber* subscriber) {
  subscriber->waiting = true;
  subscriber->channel->WhenPendingAtMost(options_.pending_bytes_max / 2,
                                         [alive = alive_, id](Status status) {
                                           if (*alive == nullptr || !status.ok()) return;
                                           const auto it = (*alive)->subscribers_.find(id);
                                           if (it == (*alive)->subscribers_.end()) return;
                                           it->second.waiting = false;
                                           (*alive)->ScheduleFlush();
                                         });
}

}  // namespace borealis::service
