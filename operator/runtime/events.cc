#include "operator/runtime/events.h"

#include <algorithm>
#include <cstdio>

namespace borealis::runtime {
namespace {
constexpr int64_t kFoldSeconds = 600;
constexpr size_t kSeenMax = 1000;
constexpr size_t kQueueMax = 256;
}  // namespace

void EventRecorder::Start(obs::Registry& metrics) {
  dropped_counter_ = &metrics.AddCounter("borealis_operator_events_dropped_total",
                                         "Events that the queue had no room for.");
  writer_ = std::make_unique<env::WorkerPool>("events", 1, kQueueMax);
}

void EventRecorder::Stop() {
  if (writer_ != nullptr) writer_->Stop();
}

EventRecorder::Seen EventRecorder::Fold(const std::string& object_name, const std::string& key,
                                        int64_t micros) {
  const int64_t now = micros / 1'000'000;
  std::lock_guard lock(mu_);
  if (seen_.size() >= kSeenMax && seen_.count(key) == 0) seen_.clear();
  Seen& entry = seen_[key];
  if (entry.count == 0 || now - entry.last > kFoldSeconds) {
    last_stamp_ = std::max(last_stamp_ + 1, micros);
    char suffix[24];
    std::snprintf(suffix, sizeof suffix, ".%llx", static_cast<unsigned long long>(last_stamp_));
    entry.name = object_name + suffix;
    entry.count = 0;
  }
  ++entry.count;
  entry.last = now;
  return entry;
}

void EventRecorder::Record(const kube::Json& object, const std::string& type,
                           const std::string& reason, const std::string& message) {
  const int64_t micros = clock_.Wall().time_since_epoch().count();
  const std::string key = kube::Uid(object) + "/" + reason + "/" + message;
  const Seen seen = Fold(kube::Name(object), key, micros);
  const std::string time = kube::FormatTime(micros / 1'000'000);
  const std::string ns = kube::Namespace(object);
  kube::Json event = {{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", {{"name", seen.name}, {"namespace", ns}}},
                      {"involvedObject",
                       {{"apiVersion", kube::TextAt(object, {"apiVersion"})},
                        {"kind", kube::TextAt(object, {"kind"})},
                        {"name", kube::Name(object)},
                        {"namespace", ns},
                        {"uid", kube::Uid(object)}}},
                      {"type", type},
                      {"reason", reason},
                      {"message", message.substr(0, 1000)},
                      {"source", {{"component", component_}}},
                      {"firstTimestamp", time},
                      {"lastTimestamp", time},
                      {"count", seen.count}};
  if (writer_ == nullptr) return Write(std::move(event));
  const Status taken =
      writer_->Submit([this, event = std::move(event)]() mutable { Write(std::move(event)); });
  if (taken.ok()) return;
  ++dropped_;
  dropped_counter_->Add();
}

void EventRecorder::Write(kube::Json event) const {
  if (event["count"] > 1) {
    const auto counted =
        api_.Patch(kube::Events(), kube::Namespace(event), kube::Name(event),
                   {{"count", event["count"]}, {"lastTimestamp", event["lastTimestamp"]}}, {});
    if (counted.code() != Code::kNotFound) return;  // else it has expired, or was never written
  }
  (void)api_.Create(kube::Events(), event);
}

}  // namespace borealis::runtime
