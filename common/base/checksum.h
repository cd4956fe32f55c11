// Checksums and hashes that formats depend on.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"

namespace borealis {

// CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4), with the CPU's instruction where it has
// one. Extend(Extend(0, a), b) == Extend(0, a + b). The checksum of "123456789" is 0xE3069283.
uint32_t Crc32cExtend(uint32_t crc, ByteView data);
inline uint32_t Crc32c(ByteView data) {
  return Crc32cExtend(0, data);
}

// XXH3, 64 bits. Stable across machines and releases: the certifier's verdicts depend on it.
uint64_t Hash64(ByteView data);

}  // namespace borealis
