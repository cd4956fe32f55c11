#include "common/base/bytes.h"

#include "common/base/check.h"

namespace borealis {

void PutVarint(Bytes* out, uint64_t v) {
  while (v >= 0x80) {
    PutU8(out, static_cast<uint8_t>(v) | 0x80);
    v >>= 7;
  }
  PutU8(out, static_cast<uint8_t>(v));
}

void PutString(Bytes* out, ByteView v) {
  BOREALIS_CHECK(v.size() <= UINT32_MAX);
  PutU32(out, static_cast<uint32_t>(v.size()));
  out->append(v);
}

uint64_t ByteReader::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = U8();
    if (!ok_) return 0;
    if (shift == 63 && byte > 1) break;  // more than 64 bits
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  Fail();
  return 0;
}

ByteView ByteReader::Take(size_t n) {
  if (!ok_ || data_.size() < n) {
    Fail();
    return {};
  }
  ByteView taken = data_.substr(0, n);
  data_.remove_prefix(n);
  return taken;
}

std::string ToHex(ByteView bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    text += kHex[c >> 4];
    text += kHex[c & 15];
  }
  return text;
}

}  // namespace borealis
