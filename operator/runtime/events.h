// Kubernetes Events about objects, for people: `kubectl describe`.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/env/clock.h"
#include "common/env/thread.h"
#include "common/obs/metrics.h"
#include "operator/kube/api.h"

namespace borealis::runtime {

// Thread-safe. The same reason and message about the same object within 10 minutes becomes a count
// of one Event. Failures to write are dropped: Events are best effort.
//
// After Start() a thread of its own writes, so that Record() never waits for the API server; what
// does not fit into the queue (256) is dropped and counted. Before, Record() writes itself.
class EventRecorder {
 public:
  EventRecorder(kube::Api& api, std::string component, const env::Clock& clock)
      : api_(api), component_(std::move(component)), clock_(clock) {}
  ~EventRecorder() { Stop(); }
  void Start(obs::Registry& metrics);
  // What was accepted is still written. Idempotent.
  void Stop();
  // type: "Normal" or "Warning". reason: "PodReplaced".
  void Record(const kube::Json& object, const std::string& type, const std::string& reason,
              const std::string& message);
  uint64_t dropped() const { return dropped_; }

 private:
  struct Seen {
    std::string name;
    int count = 0;
    int64_t last = 0;
  };
  Seen Fold(const std::string& object_name, const std::string& key, int64_t micros);
  void Write(kube::Json event) const;

  kube::Api& api_;
  const std::string component_;
  const env::Clock& clock_;
  std::mutex mu_;
  std::map<std::string, Seen> seen_;  // guarded by mu_; at most 1000
  int64_t last_stamp_ = 0;            // guarded by mu_: names are made of stamps
  std::atomic<uint64_t> dropped_{0};
  obs::Counter* dropped_counter_ = nullptr;  // set by Start()
  std::unique_ptr<env::WorkerPool> writer_;  // set by Start()
};

}  // namespace borealis::runtime
