// Layout of a key, the same in the log, the certifier, the store and the writers:
//
//   offset  size  field
//   0       1     keyspace: 1 system (catalog, sequences, writers), 2 user tables
//   1       4     table id, big-endian
//   5       4     index id, big-endian
//   9       ...   the index's columns, order-preserving (common/sql/key_encoding)
//
// Keys sort by their bytes, unsigned. The first nine bytes are the index prefix: the certifier
// keeps one slot for each of them, and bloom filters and ranges never span two.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace borealis::wire {

enum class Keyspace : uint8_t { kSystem = 1, kUser = 2 };

inline constexpr size_t kIndexPrefixBytes = 9;
// The longest key that is accepted anywhere. A longer one is refused by RequestView::Parse.
inline constexpr size_t kKeyBytesMax = 16 * 1024;

struct KeyPrefix {
  Keyspace keyspace = Keyspace::kUser;
  TableId table;
  IndexId index;
  friend bool operator==(const KeyPrefix&, const KeyPrefix&) = default;
};

// Appends the nine bytes of the prefix.
void AppendKeyPrefix(Bytes* out, const KeyPrefix& prefix);
Bytes MakeKeyPrefix(Keyspace keyspace, TableId table, IndexId index);
// None when the key is shorter than a prefix or its keyspace is unknown.
std::optional<KeyPrefix> ParseKeyPrefix(ByteView key);
// The first nine bytes, borrowed. Requires key.size() >= kIndexPrefixBytes.
inline ByteView IndexPrefixOf(ByteView key) {
  return key.substr(0, kIndexPrefixBytes);
}
// What follows the prefix, borrowed; empty when there is nothing.
inline ByteView KeySuffix(ByteView key) {
  return key.size() > kIndexPrefixBytes ? key.substr(kIndexPrefixBytes) : ByteView();
}

// The smallest key that is greater than every key that starts with `prefix`: the exclusive end of
// the range of a prefix. Empty, which stands for "no end", when prefix is empty or all 0xff.
Bytes PrefixEnd(ByteView prefix);
// The smallest key greater than `key`: key + 0x00.
Bytes KeyAfter(ByteView key);

}  // namespace borealis::wire
