#include "common/env/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "common/base/check.h"

namespace borealis::env {
namespace {

uint64_t SplitMix64(uint64_t* state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

uint64_t RotateLeft(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

class KernelRandom : public Random {
 public:
  uint64_t U64() override {
    uint64_t v = 0;
    // Requests of up to 256 bytes are never cut short once the pool is initialised (getrandom(2)).
    ssize_t n;
    do {
      n = getrandom(&v, sizeof(v), 0);
    } while (n < 0 && errno == EINTR);
    BOREALIS_CHECK(n == sizeof(v));
    return v;
  }
};

}  // namespace

uint64_t Random::Uniform(uint64_t n) {
  BOREALIS_CHECK(n > 0);
  // Values below 2^64 mod n would make small results more likely: draw again.
  const uint64_t threshold = -n % n;
  for (;;) {
    uint64_t v = U64();
    if (v >= threshold) return v % n;
  }
}

void Random::Fill(char* out, size_t bytes) {
  while (bytes > 0) {
    uint64_t v = U64();
    size_t n = bytes < 8 ? bytes : 8;
    std::memcpy(out, &v, n);
    out += n;
    bytes -= n;
  }
}

Bytes Random::FillBytes(size_t bytes) {
  Bytes out(bytes, '\0');
  Fill(out.data(), bytes);
  return out;
}

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix64(&seed);
}

uint64_t SeededRandom::U64() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

Random& SystemRandom() {
  static KernelRandom random;
  return random;
}

}  // namespace borealis::env
