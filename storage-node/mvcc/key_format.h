// The store's keys and values (docs/formats/mvcc.md).
//
//   key   = user key, stamp; stamp = u64 BE of ~version, u8 form
//   value = u8 kind (1 put, 2 delete), bytes
//
// Form 0: the version itself. Form 1 is reserved: the number is that of a large transaction's
// record. User keys are arbitrary bytes, so the stamp can not be told from a longer user key by
// comparing bytes: the comparator splits it off, and sorts by user key first, newest version first
// among equals.
#pragma once

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace borealis::mvcc {

inline constexpr size_t kStampBytes = 9;
inline constexpr uint8_t kFormVersion = 0;
inline constexpr uint8_t kFormLargeTxn = 1;

enum class ValueKind : uint8_t { kPut = 1, kDelete = 2 };

inline void AppendStamp(Bytes* out, Version version) {
  PutU64BE(out, ~version.value());
  PutU8(out, kFormVersion);
}
inline Bytes MakeKey(ByteView user_key, Version version) {
  Bytes key;
  key.reserve(user_key.size() + kStampBytes);
  key.append(user_key);
  AppendStamp(&key, version);
  return key;
}
// These require key.size() >= kStampBytes, which holds for every key that MakeKey wrote.
inline ByteView UserKeyOf(ByteView key) {
  return key.substr(0, key.size() - kStampBytes);
}
inline Version VersionOf(ByteView key) {
  return Version(~GetU64BE(key.data() + key.size() - kStampBytes));
}
inline uint8_t FormOf(ByteView key) {
  return static_cast<uint8_t>(key.back());
}

// <0, 0, >0. Total also for malformed keys (shorter than a stamp), which sort first, by their
// bytes.
inline int CompareKeys(ByteView a, ByteView b) {
  if (a.size() < kStampBytes || b.size() < kStampBytes) {
    const bool short_a = a.size() < kStampBytes;
    const bool short_b = b.size() < kStampBytes;
    if (short_a != short_b) return short_a ? -1 : 1;
    return a.compare(b);
  }
  const int by_user_key = UserKeyOf(a).compare(UserKeyOf(b));
  if (by_user_key != 0) return by_user_key;
  return a.substr(a.size() - kStampBytes).compare(b.substr(b.size() - kStampBytes));
}

}  // namespace borealis::mvcc
