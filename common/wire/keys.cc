#include "common/wire/keys.h"

namespace borealis::wire {

void AppendKeyPrefix(Bytes* out, const KeyPrefix& prefix) {
  PutU8(out, static_cast<uint8_t>(prefix.keyspace));
  PutU32BE(out, prefix.table.value());
  PutU32BE(out, prefix.index.value());
}

Bytes MakeKeyPrefix(Keyspace keyspace, TableId table, IndexId index) {
  Bytes out;
  AppendKeyPrefix(&out, {keyspace, table, index});
  return out;
}

std::optional<KeyPrefix> ParseKeyPrefix(ByteView key) {
  if (key.size() < kIndexPrefixBytes) return std::nullopt;
  const auto space = static_cast<uint8_t>(key[0]);
  if (space != 1 && space != 2) return std::nullopt;
  return KeyPrefix{static_cast<Keyspace>(space), TableId(GetU32BE(key.data() + 1)),
                   IndexId(GetU32BE(key.data() + 5))};
}

Bytes PrefixEnd(ByteView prefix) {
  Bytes end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

Bytes KeyAfter(ByteView key) {
  Bytes out(key);
  out.push_back('\0');
  return out;
}

}  // namespace borealis::wire
