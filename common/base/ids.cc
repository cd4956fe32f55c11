#include "common/base/ids.h"

namespace borealis {

std::string TxnId::ToString() const {
  return std::to_string(incarnation.value()) + ":" + std::to_string(sequence);
}

std::ostream& operator<<(std::ostream& out, const TxnId& id) {
  return out << id.ToString();
}

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool DashBefore(size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

Result<ClusterId> ClusterId::Parse(std::string_view text) {
  Status malformed = InvalidArgument(
      "cluster id must be a UUID such as "
      "123e4567-e89b-42d3-a456-426614174000, not \"" +
      std::string(text.substr(0, 64)) + "\"");
  if (text.size() != 36) return malformed;
  std::array<uint8_t, 16> bytes{};
  size_t at = 0;
  for (size_t i = 0; i < 16; i++) {
    if (DashBefore(i) && text[at++] != '-') return malformed;
    int high = HexDigit(text[at]), low = HexDigit(text[at + 1]);
    if (high < 0 || low < 0) return malformed;
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
    at += 2;
  }
  return ClusterId(bytes);
}

std::string ClusterId::ToString() const {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < 16; i++) {
    if (DashBefore(i)) text += '-';
    text += kHex[bytes_[i] >> 4];
    text += kHex[bytes_[i] & 15];
  }
  return text;
}

}  // namespace borealis
