// Random numbers as a dependency.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"

namespace borealis::env {

// Not thread-safe unless the implementation says so.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t U64() = 0;

  // 0 to n-1, without bias. Requires n > 0.
  uint64_t Uniform(uint64_t n);
  void Fill(char* out, size_t bytes);
  Bytes FillBytes(size_t bytes);
};

// xoshiro256** (Blackman and Vigna, 2018) seeded by splitmix64. The sequence of a seed is stable
// across machines and releases: simulations print their seeds. Not for secrets.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t U64() override;

 private:
  uint64_t state_[4];
};

// getrandom(2): fit for secrets. Thread-safe; lives as long as the program.
Random& SystemRandom();

}  // namespace borealis::env
