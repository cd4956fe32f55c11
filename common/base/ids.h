// Strong identifiers: a bare uint64_t never crosses a header. Each is a distinct type with explicit
// construction, total order and a hash; arithmetic is spelled out (Next, value()).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace borealis {

template <typename Tag, typename Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr StrongId Next() const { return StrongId(static_cast<Rep>(value_ + 1)); }
  constexpr StrongId Plus(Rep n) const { return StrongId(static_cast<Rep>(value_ + n)); }
  // Requires value() > 0.
  constexpr StrongId Prev() const { return StrongId(static_cast<Rep>(value_ - 1)); }
  // False for the default value 0, which stands for "none" wherever an id may be absent.
  constexpr explicit operator bool() const { return value_ != 0; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << +id.value_; }

 private:
  Rep value_ = 0;
};

using Term = StrongId<struct TermTag, uint64_t>;          // Raft term; 0 before the first election
using LogIndex = StrongId<struct LogIndexTag, uint64_t>;  // position in the log; the first is 1
using Version =
    StrongId<struct VersionTag, uint64_t>;  // dense counter of accepted commits; 0 = empty store
using MemberId =
    StrongId<struct MemberIdTag, uint64_t>;  // a storage member, never reused; 0 = none
using Incarnation =
    StrongId<struct IncarnationTag, uint64_t>;            // one life of a writer process; 0 = none
using TableId = StrongId<struct TableIdTag, uint32_t>;    // never reused, apart from OIDs
using IndexId = StrongId<struct IndexIdTag, uint32_t>;    // unique within a table; 1 = primary
using ColumnId = StrongId<struct ColumnIdTag, uint32_t>;  // stable within a table, never reused

// Names a transaction in the whole life of a cluster. Sequences of an incarnation start at 1.
struct TxnId {
  Incarnation incarnation;
  uint64_t sequence = 0;
  explicit operator bool() const { return static_cast<bool>(incarnation); }
  friend auto operator<=>(const TxnId&, const TxnId&) = default;
  std::string ToString() const;  // "incarnation:sequence"
};
std::ostream& operator<<(std::ostream& out, const TxnId& id);

// The identity of a cluster: a random UUID (RFC 4122, version 4) in log headers and hello messages.
class ClusterId {
 public:
  constexpr ClusterId() = default;
  constexpr explicit ClusterId(std::array<uint8_t, 16> bytes) : bytes_(bytes) {}
  // Reads the 36-character form; kInvalidArgument for anything else.
  static Result<ClusterId> Parse(std::string_view text);
  std::string ToString() const;
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  friend auto operator<=>(const ClusterId&, const ClusterId&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace borealis

template <typename Tag, typename Rep>
struct std::hash<borealis::StrongId<Tag, Rep>> {
  size_t operator()(borealis::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};

template <>
struct std::hash<borealis::TxnId> {
  size_t operator()(const borealis::TxnId& id) const noexcept {
    return std::hash<uint64_t>{}(id.incarnation.value() * 0x9E3779B97F4A7C15ull + id.sequence);
  }
};
