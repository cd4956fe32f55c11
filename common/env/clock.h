// Time as a dependency: nobody outside common/env reads the machine's clocks, so that a simulator
// can stand in for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace borealis::env {

using Duration = std::chrono::microseconds;

struct MonotonicTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  static constexpr bool is_steady = true;
};
struct WallTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  static constexpr bool is_steady = false;
};

// Microseconds since an arbitrary moment; never goes back; for intervals and deadlines.
using MonotonicTime = std::chrono::time_point<MonotonicTag, Duration>;
// Microseconds since 1970-01-01 UTC; may jump; for people and SQL's now(), never for correctness.
using WallTime = std::chrono::time_point<WallTag, Duration>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime Monotonic() const = 0;
  virtual WallTime Wall() const = 0;
};

// The machine's clocks. Lives as long as the program.
const Clock& SystemClock();

// "2026-05-01T12:30:00.123456Z"
std::string FormatWallTime(WallTime time);

}  // namespace borealis::env
