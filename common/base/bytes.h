// Reading and writing of flat bytes. Integers are little-endian unless the name says BE (keys,
// whose byte order is their sort order). A reader never throws and never reads past its end: the
// first short read makes it fail, every later read answers zero, and ok() tells. So a decoder reads
// a whole record and checks once, and lengths are checked against what is left before memory is
// taken.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace borealis {

using Bytes = std::string;          // owned
using ByteView = std::string_view;  // borrowed

inline void PutU8(Bytes* out, uint8_t v) {
  out->push_back(static_cast<char>(v));
}
inline void PutU16(Bytes* out, uint16_t v) {
  out->append(reinterpret_cast<const char*>(&v), 2);
}
inline void PutU32(Bytes* out, uint32_t v) {
  out->append(reinterpret_cast<const char*>(&v), 4);
}
inline void PutU64(Bytes* out, uint64_t v) {
  out->append(reinterpret_cast<const char*>(&v), 8);
}
inline void PutU32BE(Bytes* out, uint32_t v) {
  PutU32(out, __builtin_bswap32(v));
}
inline void PutU64BE(Bytes* out, uint64_t v) {
  PutU64(out, __builtin_bswap64(v));
}
// LEB128, 1 to 10 bytes.
void PutVarint(Bytes* out, uint64_t v);
// A u32 length and the bytes.
void PutString(Bytes* out, ByteView v);

inline uint16_t GetU16(const char* p) {
  uint16_t v;
  std::memcpy(&v, p, 2);
  return v;
}
inline uint32_t GetU32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
inline uint64_t GetU64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
inline uint32_t GetU32BE(const char* p) {
  return __builtin_bswap32(GetU32(p));
}
inline uint64_t GetU64BE(const char* p) {
  return __builtin_bswap64(GetU64(p));
}
inline void SetU32(char* p, uint32_t v) {
  std::memcpy(p, &v, 4);
}
inline void SetU64(char* p, uint64_t v) {
  std::memcpy(p, &v, 8);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "formats are written by little-endian code");

class ByteReader {
 public:
  explicit ByteReader(ByteView data) : data_(data) {}

  bool ok() const { return ok_; }
  size_t left() const { return data_.size(); }
  // True when everything was read and nothing failed.
  bool done() const { return ok_ && data_.empty(); }

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint16_t U16() { return Fixed<uint16_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  uint32_t U32BE() { return __builtin_bswap32(U32()); }
  uint64_t U64BE() { return __builtin_bswap64(U64()); }
  uint64_t Varint();
  // The next n bytes, borrowed from the input.
  ByteView Take(size_t n);
  // The counterpart of PutString.
  ByteView String() { return Take(U32()); }
  void Fail() {
    ok_ = false;
    data_ = {};
  }

 private:
  template <typename T>
  T Fixed() {
    if (data_.size() < sizeof(T)) {
      Fail();
      return 0;
    }
    T v;
    std::memcpy(&v, data_.data(), sizeof(T));
    data_.remove_prefix(sizeof(T));
    return v;
  }

  ByteView data_;
  bool ok_ = true;
};

// "01ff2a": for logs, errors and test goldens.
std::string ToHex(ByteView bytes);

}  // namespace borealis
