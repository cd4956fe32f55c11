// The frames of the hot streams: docs/formats/frames.md, byte by byte. Encoding, and a decoder that
// checks a header before it takes memory for the payload.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace borealis::rpc {

inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kFramePayloadMax = 256u << 20;
inline constexpr size_t kHelloPayloadMax = 64u << 10;  // for any frame before the hello is done

// Types of the channel itself. All others belong to common/wire and pass through unread.
inline constexpr uint8_t kFrameHello = 1;
inline constexpr uint8_t kFrameRefuse = 255;  // why the sender closes the channel

struct FrameHeader {
  uint32_t payload_bytes = 0;
  uint8_t type = 0;
  uint8_t flags = 0;  // 0 so far
  uint64_t request_id = 0;
  uint32_t payload_crc = 0;
};

// Header and payload checksums included.
void AppendFrameHeader(Bytes* out, uint8_t type, uint64_t request_id, ByteView payload);
// Requires kFrameHeaderBytes at `data`. kCorruption for a wrong checksum, flags or reserved bits,
// kResourceExhausted for a payload above `payload_max`.
Result<FrameHeader> ParseFrameHeader(const char* data, size_t payload_max);

// Who is at the other end. Matches the URI SAN of certificates (design, "Identity").
enum class Role : uint8_t { kMember = 1, kWriter = 2, kOperator = 3, kAdmin = 4, kChaos = 5 };
std::string_view RoleName(Role role);

// The versions of the frames' payloads that this program speaks.
inline constexpr uint16_t kProtocolVersionMin = 1;
inline constexpr uint16_t kProtocolVersionMax = 1;

struct Hello {
  uint16_t version_min = kProtocolVersionMin;
  uint16_t version_max = kProtocolVersionMax;
  ClusterId cluster;
  Role role = Role::kMember;
  uint64_t id = 0;   // MemberId of a member, Incarnation of a writer (0 before it has one)
  std::string name;  // for logs; at most 255 bytes
  friend bool operator==(const Hello&, const Hello&) = default;
};

void EncodeHello(const Hello& hello, Bytes* out);
Result<Hello> DecodeHello(ByteView payload);
// The version both speak, the highest; kUnsupported or kInvalidArgument (another cluster) with a
// sentence that says both sides.
Result<uint16_t> AgreeOnVersion(const Hello& mine, const Hello& theirs);

}  // namespace borealis::rpc
