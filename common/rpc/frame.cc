#include "common/rpc/frame.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/checksum.h"

namespace borealis::rpc {
namespace {

constexpr uint32_t kHelloMagic = 0x45524F42;  // "BORE"
constexpr size_t kHeaderCrcOffset = 20;
constexpr size_t kNameMax = 255;

std::string Range(uint16_t min, uint16_t max) {
  return std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

void AppendFrameHeader(Bytes* out, uint8_t type, uint64_t request_id, ByteView payload) {
  BOREALIS_CHECK(payload.size() <= kFramePayloadMax);
  const size_t start = out->size();
  PutU32(out, static_cast<uint32_t>(payload.size()));
  PutU8(out, type);
  PutU8(out, 0);
  PutU16(out, 0);
  PutU64(out, request_id);
  PutU32(out, Crc32c(payload));
  PutU32(out, Crc32c(ByteView(*out).substr(start, kHeaderCrcOffset)));
}

Result<FrameHeader> ParseFrameHeader(const char* data, size_t payload_max) {
  if (Crc32c(ByteView(data, kHeaderCrcOffset)) != GetU32(data + kHeaderCrcOffset)) {
    return Corruption("frame header has a wrong checksum");
  }
  FrameHeader header;
  header.payload_bytes = GetU32(data);
  header.type = static_cast<uint8_t>(data[4]);
  header.flags = static_cast<uint8_t>(data[5]);
  header.request_id = GetU64(data + 8);
  header.payload_crc = GetU32(data + 16);
  if (header.flags != 0 || GetU16(data + 6) != 0) {
    return Corruption("frame header has unknown flags");
  }
  if (header.payload_bytes > payload_max) {
    return ResourceExhausted("frame of " + std::to_string(header.payload_bytes) +
                             " bytes, at most " + std::to_string(payload_max) + " allowed");
  }
  return header;
}

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kMember:
      return "member";
    case Role::kWriter:
      return "writer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
    case Role::kChaos:
      return "chaos";
  }
  return "unknown";
}

void EncodeHello(const Hello& hello, Bytes* out) {
  PutU32(out, kHelloMagic);
  PutU16(out, hello.version_min);
  PutU16(out, hello.version_max);
  for (uint8_t byte : hello.cluster.bytes()) PutU8(out, byte);
  PutU8(out, static_cast<uint8_t>(hello.role));
  PutU64(out, hello.id);
  PutString(out, ByteView(hello.name).substr(0, kNameMax));
}

// Bytes after the name are left to later versions, which may add to the hello.
Result<Hello> DecodeHello(ByteView payload) {
  ByteReader in(payload);
  if (in.U32() != kHelloMagic) return Corruption("hello does not begin with BORE");
  Hello hello;
  hello.version_min = in.U16();
  hello.version_max = in.U16();
  ByteView cluster = in.Take(16);
  const uint8_t role = in.U8();
  hello.id = in.U64();
  ByteView name = in.String();
  if (!in.ok()) return Corruption("hello is cut short");
  if (role < static_cast<uint8_t>(Role::kMember) || role > static_cast<uint8_t>(Role::kChaos)) {
    return Corruption("hello names the unknown role " + std::to_string(role));
  }
  if (name.size() > kNameMax) return Corruption("hello has a name above 255 bytes");
  if (hello.version_min > hello.version_max) return Corruption("hello has an empty version range");
  std::array<uint8_t, 16> bytes;
  std::copy(cluster.begin(), cluster.end(), bytes.begin());
  hello.cluster = ClusterId(bytes);
  hello.role = static_cast<Role>(role);
  hello.name = std::string(name);
  return hello;
}

Result<uint16_t> AgreeOnVersion(const Hello& mine, const Hello& theirs) {
  if (mine.cluster != theirs.cluster) {
    return InvalidArgument(std::string(RoleName(theirs.role)) + " " + theirs.name +
                           " is of cluster " + theirs.cluster.ToString() + ", " +
                           std::string(RoleName(mine.role)) + " " + mine.name + " of cluster " +
                           mine.cluster.ToString());
  }
  const uint16_t low = std::max(mine.version_min, theirs.version_min);
  const uint16_t high = std::min(mine.version_max, theirs.version_max);
  if (low > high) {
    return Unsupported(
        std::string(RoleName(theirs.role)) + " " + theirs.name + " speaks protocol versions " +
        Range(theirs.version_min, theirs.version_max) + ", " + std::string(RoleName(mine.role)) +
        " " + mine.name + " " + Range(mine.version_min, mine.version_max));
  }
  return high;
}

}  // namespace borealis::rpc
