// How long nobody's write was acknowledged.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "common/env/clock.h"

namespace borealis::chaos {

struct Gap {
  env::Duration at;      // from the start of the run to the acknowledgement before the gap
  env::Duration length;  // to the next acknowledgement (or the end of the run)
};

// Collects the moments of acknowledgements. Thread-safe.
class GapMeter {
 public:
  explicit GapMeter(env::MonotonicTime start) : start_(start) {}
  void Acknowledged(env::MonotonicTime when);

  // Over the time from the start to `end`, both of which count as acknowledgements: an outage that
  // lasts to the end is a gap.
  std::vector<Gap> Longest(env::MonotonicTime end, size_t count) const;
  env::Duration Max(env::MonotonicTime end) const;
  // Each whole second of the run is given the longest gap that touches it; this is the 99th
  // percentile over the seconds.
  env::Duration P99OverSeconds(env::MonotonicTime end) const;
  // The longest gap that touches [from, to), both measured from the start.
  env::Duration MaxWithin(env::MonotonicTime end, env::Duration from, env::Duration to) const;

 private:
  std::vector<Gap> All(env::MonotonicTime end) const;

  const env::MonotonicTime start_;
  mutable std::mutex mu_;
  std::vector<env::MonotonicTime> acknowledged_;  // guarded by mu_, in order of arrival
};

}  // namespace borealis::chaos
