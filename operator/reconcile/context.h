// What every reconciler works with.
#pragma once

#include <string>

#include "common/env/random.h"
#include "common/obs/log.h"
#include "operator/nodes/nodes.h"
#include "operator/runtime/events.h"
#include "operator/runtime/informer.h"
#include "operator/specs/specs.h"

namespace borealis::reconcile {

using kube::Json;

// All borrowed; they outlive the reconcilers.
struct Context {
  kube::Api& api;
  const runtime::Reader& reader;
  nodes::Nodes& nodes;
  runtime::EventRecorder& events;
  const env::Clock& clock;
  env::Random& random;
  specs::Images images;
  obs::Logger logger;

  int64_t now() const { return clock.Wall().time_since_epoch().count() / 1'000'000; }
};

// What a task says to the list that it stands in.
struct Outcome {
  enum class Kind { kComplete, kWait, kRetry, kFail } kind = Kind::kComplete;
  Status status;  // kRetry, kFail

  // The next task runs.
  static Outcome Complete() { return {}; }
  // The tasks behind it wait for the world; the status says for what.
  static Outcome Wait() { return {Kind::kWait, {}}; }
  // Again soon, with back-off.
  static Outcome Retry(Status s) { return {Kind::kRetry, std::move(s)}; }
  // Only a change of the resource helps.
  static Outcome Fail(Status s) { return {Kind::kFail, std::move(s)}; }
};

// What the controller does next with the key.
struct Next {
  Status status = {};               // not OK: again with back-off
  env::Duration again{30'000'000};  // else after so long
};

bool PodReady(const Json& pod);

}  // namespace borealis::reconcile
