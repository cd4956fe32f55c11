#include "common/base/checksum.h"

#include <xxhash.h>

#include <array>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace borealis {

namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // reflected

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto kTable = MakeTable();

uint32_t ExtendPortable(uint32_t crc, ByteView data) {
  for (unsigned char c : data) crc = (crc >> 8) ^ kTable[(crc ^ c) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ExtendHardware(uint32_t crc32, ByteView data) {
  uint64_t crc = crc32;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 8; p += 8, n -= 8) crc = _mm_crc32_u64(crc, GetU64(p));
  uint32_t tail = static_cast<uint32_t>(crc);
  for (; n > 0; p++, n--) tail = _mm_crc32_u8(tail, static_cast<uint8_t>(*p));
  return tail;
}
const bool kHaveHardware = __builtin_cpu_supports("sse4.2");
#endif

}  // namespace

uint32_t Crc32cExtend(uint32_t crc, ByteView data) {
  crc = ~crc;
#if defined(__x86_64__)
  if (kHaveHardware) return ~ExtendHardware(crc, data);
#endif
  return ~ExtendPortable(crc, data);
}

uint64_t Hash64(ByteView data) {
  return XXH3_64bits(data.data(), data.size());
}

}  // namespace borealis
