// A value, 16 bytes: null, bool, int64, double and strings or numerics of up to 14 bytes need no
// heap.
//
// A Datum does not know its SQL type, only how it is held; the type is static knowledge of the
// expression or column. Held as
//   kBool    bool
//   kInt     int2, int4, int8, oid, xid, reg*; date (days since 2000-01-01); timestamp, timestamptz
//   and time
//            (microseconds, since 2000-01-01 00:00 UTC or midnight; INT64_MIN/MAX =
//            -infinity/infinity)
//   kDouble  float4, float8
//   kNumeric numeric (numeric.h: the encoded form)
//   kString  text, varchar, char(n) (blank-padded), name, "char", bytea, unknown, pg_node_tree
//   kArray   arrays, int2vector, oidvector; one dimension
//   interval is kString of 16 bytes (interval.h)
// Copies of long strings share one immutable block with an atomic count: plans are read by several
// threads.
#pragma once

#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/sql/types.h"

namespace borealis::sql {

class Numeric;
struct ArrayValue;

class Datum {
 public:
  static constexpr size_t kInlineBytes = 14;

  Datum() noexcept : kind_(DatumKind::kNull) {}
  ~Datum() {
    if (on_heap()) Unref();
  }
  Datum(const Datum& other) noexcept {
    Copy(other);
    if (on_heap()) Ref();
  }
  Datum(Datum&& other) noexcept {
    Copy(other);
    other.kind_ = DatumKind::kNull;
  }
  Datum& operator=(const Datum& other) noexcept {
    if (this != &other) {
      if (other.on_heap()) other.Ref();
      if (on_heap()) Unref();
      Copy(other);
    }
    return *this;
  }
  Datum& operator=(Datum&& other) noexcept {
    if (this != &other) {
      if (on_heap()) Unref();
      Copy(other);
      other.kind_ = DatumKind::kNull;
    }
    return *this;
  }

  static Datum Null() { return Datum(); }
  static Datum Bool(bool v) {
    Datum d;
    d.kind_ = DatumKind::kBool;
    d.u_.i = v ? 1 : 0;
    return d;
  }
  static Datum Int(int64_t v) {
    Datum d;
    d.kind_ = DatumKind::kInt;
    d.u_.i = v;
    return d;
  }
  static Datum Double(double v) {
    Datum d;
    d.kind_ = DatumKind::kDouble;
    d.u_.d = v;
    return d;
  }
  static Datum String(std::string_view v) { return Bytes(DatumKind::kString, v); }
  static Datum Of(const Numeric& v);
  // The bytes that encoded_numeric() returned.
  static Datum EncodedNumeric(std::string_view v) { return Bytes(DatumKind::kNumeric, v); }
  static Datum Array(TypeOid element, std::vector<Datum> elements);

  DatumKind kind() const { return kind_; }
  bool is_null() const { return kind_ == DatumKind::kNull; }

  // Each requires its kind (checked).
  bool bool_value() const {
    BOREALIS_CHECK(kind_ == DatumKind::kBool);
    return u_.i != 0;
  }
  int64_t int_value() const {
    BOREALIS_CHECK(kind_ == DatumKind::kInt);
    return u_.i;
  }
  double double_value() const {
    BOREALIS_CHECK(kind_ == DatumKind::kDouble);
    return u_.d;
  }
  // Borrowed from this Datum: an inline string moves with it.
  std::string_view string_value() const {
    BOREALIS_CHECK(kind_ == DatumKind::kString);
    return bytes();
  }
  std::string_view encoded_numeric() const {
    BOREALIS_CHECK(kind_ == DatumKind::kNumeric);
    return bytes();
  }
  Numeric numeric_value() const;
  const ArrayValue& array_value() const;

  // kBool and true: what WHERE keeps.
  bool is_true() const { return kind_ == DatumKind::kBool && u_.i != 0; }

  // Heap bytes held (shared ones counted whole), plus sizeof(Datum): for memory bounds.
  size_t memory_bytes() const;

 private:
  struct Block;
  struct ArrayBlock;
  static constexpr uint8_t kOnHeap = 0xff;

  static Datum Bytes(DatumKind kind, std::string_view v);
  bool holds_bytes() const { return kind_ == DatumKind::kString || kind_ == DatumKind::kNumeric; }
  bool on_heap() const {
    return kind_ >= DatumKind::kString && (kind_ == DatumKind::kArray || length_ == kOnHeap);
  }
  std::string_view bytes() const;
  void Copy(const Datum& other) noexcept {
    std::memcpy(static_cast<void*>(this), static_cast<const void*>(&other), sizeof(Datum));
  }
  void Ref() const;
  void Unref() const;

  DatumKind kind_;
  uint8_t length_ = 0;  // of an inline string; kOnHeap: u_.block
  char inline_[6] = {};
  union {
    int64_t i;
    double d;
    Block* block;
    ArrayBlock* array;
    char tail[8];
  } u_{};
};
static_assert(sizeof(Datum) == 16);

// One dimension, lower bound 1. An element may be null.
struct ArrayValue {
  TypeOid element = 0;
  std::vector<Datum> elements;
};

using Row = std::vector<Datum>;

// Total order of two values of one SQL type: <0, 0, >0. Requires the same kind and no null. Strings
// bytewise (collation "C"); NaN equals itself and sorts above everything. char(n) is padded, so
// trailing blanks do not count as long as both have the type's padding removed: CompareBpchar for
// that type.
int CompareDatums(const Datum& a, const Datum& b);
// The order of a SQL type: as above, but char(n) ignores trailing blanks.
int CompareTyped(TypeOid type, const Datum& a, const Datum& b);
// Equal values of one type (by CompareTyped) have equal hashes; nulls too. 1.0 and 1.00 are equal
// numerics. Trailing blanks of strings do not count, so that one hash serves text and char(n).
uint64_t HashDatum(const Datum& d);
// Null equals null here: grouping, DISTINCT, IS NOT DISTINCT FROM.
inline bool NotDistinct(const Datum& a, const Datum& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  return CompareDatums(a, b) == 0;
}
inline bool NotDistinct(TypeOid type, const Datum& a, const Datum& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  return CompareTyped(type, a, b) == 0;
}
// ORDER BY's order of one column, nulls included.
int CompareForSort(const Datum& a, const Datum& b, bool descending, bool nulls_first);

}  // namespace borealis::sql
