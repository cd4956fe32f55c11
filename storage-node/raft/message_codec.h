// Messages, entries and configurations as flat bytes (docs/formats/log.md, "Raft messages").
#pragma once

#include <memory>

#include "storage-node/raft/types.h"

namespace borealis::raft {

// Appends one encoded message to `out`. Payloads are copied once, into `out`.
void EncodeMessage(const Message& message, Bytes* out);

// The same in two parts, for a gathering write: `head` gets everything before the payloads, which
// follow in the order of message.entries without gaps. head + payloads == EncodeMessage's bytes.
void EncodeMessageHead(const Message& message, Bytes* head);

// Reads a message that is exactly `bytes`, which lie in memory kept alive by `owner`; the entries'
// payloads are slices of it. Trusts no length. kCorruption for malformed bytes, kUnsupported for a
// format version, message type or entry type that this program does not know.
Result<Message> DecodeMessage(std::shared_ptr<const void> owner, ByteView bytes);
// The same from a buffer of its own.
Result<Message> DecodeMessage(Bytes bytes);

// The payload of a kConfig entry.
void EncodeConfig(const Config& config, Bytes* out);
Result<Config> DecodeConfig(ByteView bytes);

}  // namespace borealis::raft
