// The certifier: decides, for requests taken in log order, which transactions commit.
//
// PURE: its state and the ordered requests alone determine every decision. No time, threads, files
// or randomness, and no look at the MVCC store; so every member, and a member that replays its log,
// decides alike. Why it is right, and how the window is bounded: docs/design/certification.md.
//
// Rule: an access conflicts if a mode that conflicts with its own (PostgreSQL's row-lock matrix;
// for READ: any modification) was recorded on its key, or inside its range, after its base version.
// A request without a conflict is accepted, gets the next version, and its accesses are recorded.
// Allowed are false conflicts (hash collisions, and bases below the window's floor); never a missed
// one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "storage-node/certifier/point_table.h"
#include "storage-node/certifier/range_index.h"

namespace borealis::certifier {

enum class Shape : uint8_t { kPoint = 0, kRange = 1 };

// Values are those of the commit request's format (docs/formats/log-entries.md).
enum class Kind : uint8_t {
  kKeyShare = 1,
  kShare = 2,
  kNoKeyUpdate = 3,
  kUpdate = 4,
  kRead = 5,            // checked against modifications, never recorded
  kWriteUnchecked = 6,  // recorded as a modification, never checked
};

enum class Op : uint8_t { kNone = 0, kPut = 1, kDelete = 2 };

// One access of a request; borrows its bytes for the call. Ranges are [key, end) and of kind kRead.
struct Access {
  Shape shape = Shape::kPoint;
  Kind kind = Kind::kRead;
  Op op = Op::kNone;
  Version base_version;  // the snapshot of the statement that made the access
  ByteView key;
  ByteView end;  // ranges only
};

// What was recorded on a key; the first four are lock modes with the values of Kind.
enum class Mode : uint8_t {
  kNone = 0,
  kKeyShare = 1,
  kShare = 2,
  kNoKeyUpdate = 3,
  kUpdate = 4,
  kModification = 5,
};

enum class Outcome : uint8_t {
  kAccepted = 1,
  kConflict = 2,
  kInvalid = 3,  // breaks the format's rules (IsValid), or has a base version above the current one
};

struct Decision {
  Outcome outcome = Outcome::kInvalid;
  Version version;  // kAccepted: the version it got; else 0
  // The first access, in the request's order, that conflicts (kConflict) or is invalid (kInvalid).
  uint32_t access_index = 0;
  // kConflict only: the newest conflicting record on that access.
  Mode mode = Mode::kNone;
  bool below_floor = false;  // the record has left the window: winner and its version are unknown
  Version winner_version;
  TxnId winner;
  friend bool operator==(const Decision&, const Decision&) = default;
};

struct Options {
  // The window holds the newest accepted requests whose recorded keys, plus one for each request,
  // sum up to at most this. Part of the state machine's configuration: equal on all members (Limits
  // entry).
  uint64_t window_keys_max = 1 << 20;
  // log2 of the number of buckets that records leaving the window fold into. Equal on all members.
  uint32_t bucket_bits = 20;
};

// Length of a key's index prefix: keyspace u8, table u32 BE, index u32 BE.
inline constexpr size_t kIndexPrefixBytes = 9;

class Certifier {
 public:
  explicit Certifier(const Options& options);
  ~Certifier();
  Certifier(const Certifier&) = delete;
  Certifier& operator=(const Certifier&) = delete;

  // Decides one request and, if it is accepted, records it. `txn` is what later conflicts will
  // name.
  Decision Certify(TxnId txn, std::span<const Access> accesses);

  // Records a request that was accepted before, without checking it: a restart rebuilds the window
  // with the verdicts it has stored. Requires version == this->version() + 1 and valid accesses.
  void Record(TxnId txn, Version version, std::span<const Access> accesses);

  // Changes the window's size from here on (a Limits entry). Values below 1 count as 1.
  void SetWindowKeysMax(uint64_t keys);

  // The version of the newest accepted request; 0 at the start.
  Version version() const { return version_; }
  // Records at or below it have left the window.
  Version floor() const { return floor_; }
  uint64_t window_keys() const { return window_keys_; }
  uint64_t window_keys_max() const { return window_keys_max_; }
  size_t memory_bytes() const;

  // Whether an access has a shape, kind and op that go together. `first_invalid` is set if one has
  // not.
  static bool IsValid(std::span<const Access> accesses, uint32_t* first_invalid);

 private:
  struct Prefix {
    uint64_t head = 0;  // first 8 bytes, big-endian, padded with zeros
    uint16_t tail =
        0;  // the 9th byte, and the prefix's length: short keys have prefixes of their own
    friend auto operator<=>(const Prefix&, const Prefix&) = default;
  };
  struct PrefixHash {
    size_t operator()(const Prefix& p) const noexcept {
      return (p.head ^ (uint64_t{p.tail} << 48)) * 0x9E3779B97F4A7C15ull >> 7;
    }
  };
  struct Index {
    Bytes prefix;
    Version first;   // oldest modification ever
    Version newest;  // newest modification ever
    RangeIndex keys;
  };
  struct Accepted {
    TxnId txn;
    uint32_t recorded = 0;  // how many hashes of recorded_ are its own
  };

  bool CheckPoint(const Access& access, uint64_t hash, Decision* decision) const;
  bool CheckRange(const Access& access, Decision* decision);
  void FillWinner(Version version, Decision* decision) const;
  void RecordAll(TxnId txn, std::span<const Access> accesses);
  Index& IndexOf(ByteView key);
  void MoveFloor();
  void Fold(uint64_t hash);

  uint64_t window_keys_max_;
  const uint64_t bucket_mask_;
  Version version_;
  Version floor_;
  uint64_t window_keys_ = 0;

  PointTable points_;
  std::deque<Accepted> accepted_;  // of versions floor_+1 .. version_
  std::deque<uint64_t> recorded_;  // hashes, in the order of accepted_
  std::vector<ModeVersions> buckets_;
  std::map<Bytes, std::unique_ptr<Index>, std::less<>> indexes_;
  std::unordered_map<Prefix, Index*, PrefixHash> index_by_prefix_;  // never iterated
  uint64_t folds_since_sweep_ = 0;
  std::vector<uint64_t> hashes_;  // scratch of one call
};

// Rolling hash over all verdicts of the log, exchanged between members: one that differs has
// diverged.
class VerdictHash {
 public:
  explicit VerdictHash(uint64_t value = 0) : value_(value) {}
  void Add(LogIndex index, uint8_t verdict, Version version);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_;
};

// "UPDATE", "modification", for logs, tests and the DETAIL of 40001.
std::string_view ModeName(Mode mode);

}  // namespace borealis::certifier
