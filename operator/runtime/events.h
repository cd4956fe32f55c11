// Kubernetes Events about objects, for people: `kubectl describe`.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "common/env/clock.h"
#include "operator/kube/api.h"

namespace borealis::runtime {

// Thread-safe. The same reason and message about the same object within 10 minutes becomes a count
// of one Event. Failures to write are dropped: Events are best effort.
class EventRecorder {
 public:
  EventRecorder(kube::Api& api, std::string component, const env::Clock& clock)
      : api_(api), component_(std::move(component)), clock_(clock) {}
  // type: "Normal" or "Warning". reason: "PodReplaced".
  void Record(const kube::Json& object, const std::string& type, const std::string& reason,
              const std::string& message);

 private:
  struct Seen {
    std::string name;
    int count = 0;
    int64_t last = 0;
  };
  kube::Api& api_;
  const std::string component_;
  const env::Clock& clock_;
  std::mutex mu_;
  std::map<std::string, Seen> seen_;  // guarded by mu_; at most 1000
};

}  // namespace borealis::runtime
