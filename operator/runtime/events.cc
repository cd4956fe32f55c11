#include "operator/runtime/events.h"

#include <cstdio>

namespace borealis::runtime {
namespace {
constexpr int64_t kFoldSeconds = 600;
constexpr size_t kSeenMax = 1000;
}  // namespace

void EventRecorder::Record(const kube::Json& object, const std::string& type,
                           const std::string& reason, const std::string& message) {
  const int64_t micros = clock_.Wall().time_since_epoch().count();
  const int64_t now = micros / 1'000'000;
  const std::string key = kube::Uid(object) + "/" + reason + "/" + message;
  Seen seen;
  {
    std::lock_guard lock(mu_);
    if (seen_.size() > kSeenMax) seen_.clear();
    Seen& entry = seen_[key];
    if (entry.count == 0 || now - entry.last > kFoldSeconds) {
      char suffix[24];
      std::snprintf(suffix, sizeof suffix, ".%llx", static_cast<unsigned long long>(micros));
      entry.name = kube::Name(object) + suffix;
      entry.count = 0;
    }
    ++entry.count;
    entry.last = now;
    seen = entry;
  }
  const std::string time = kube::FormatTime(now);
  const std::string ns = kube::Namespace(object);
  if (seen.count > 1) {
    (void)api_.Patch(kube::Events(), ns, seen.name,
                     {{"count", seen.count}, {"lastTimestamp", time}}, {});
    return;
  }
  (void)api_.Create(
      kube::Events(),
      {{"apiVersion", "v1"},
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
       {"count", 1}});
}

}  // namespace borealis::runtime
