#include "common/sql/datum.h"

#include <cmath>

#include "common/base/checksum.h"
#include "common/sql/numeric.h"

namespace borealis::sql {

// A counted, immutable string: header and bytes in one allocation.
struct Datum::Block {
  std::atomic<uint32_t> refs{1};
  uint32_t size;
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

struct Datum::ArrayBlock {
  std::atomic<uint32_t> refs{1};
  ArrayValue value;
};

Datum Datum::Bytes(DatumKind kind, std::string_view v) {
  Datum d;
  d.kind_ = kind;
  if (v.size() <= kInlineBytes) {
    d.length_ = static_cast<uint8_t>(v.size());
    // inline_ and u_ are adjacent (asserted below): one run of 14 bytes.
    std::memcpy(reinterpret_cast<char*>(&d) + offsetof(Datum, inline_), v.data(), v.size());
    return d;
  }
  void* memory = ::operator new(sizeof(Block) + v.size());
  Block* block = new (memory) Block;
  block->size = static_cast<uint32_t>(v.size());
  std::memcpy(block->data(), v.data(), v.size());
  d.length_ = kOnHeap;
  d.u_.block = block;
  return d;
}

std::string_view Datum::bytes() const {
  static_assert(offsetof(Datum, inline_) == 2 && offsetof(Datum, u_) == 8);
  if (length_ == kOnHeap) return {u_.block->data(), u_.block->size};
  return {reinterpret_cast<const char*>(this) + offsetof(Datum, inline_), length_};
}

void Datum::Ref() const {
  auto& refs = kind_ == DatumKind::kArray ? u_.array->refs : u_.block->refs;
  refs.fetch_add(1, std::memory_order_relaxed);
}

void Datum::Unref() const {
  if (kind_ == DatumKind::kArray) {
    if (u_.array->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete u_.array;
    return;
  }
  if (u_.block->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    u_.block->~Block();
    ::operator delete(u_.block);
  }
}

Datum Datum::Of(const Numeric& v) {
  borealis::Bytes encoded;
  v.EncodeTo(&encoded);
  return EncodedNumeric(encoded);
}

Datum Datum::Array(TypeOid element, std::vector<Datum> elements) {
  Datum d;
  d.kind_ = DatumKind::kArray;
  d.length_ = kOnHeap;
  d.u_.array = new ArrayBlock;
  d.u_.array->value = {element, std::move(elements)};
  return d;
}

Numeric Datum::numeric_value() const {
  Numeric out;
  BOREALIS_CHECK(Numeric::Decode(encoded_numeric(), &out));
  return out;
}

const ArrayValue& Datum::array_value() const {
  BOREALIS_CHECK(kind_ == DatumKind::kArray);
  return u_.array->value;
}

size_t Datum::memory_bytes() const {
  if (!on_heap()) return sizeof(Datum);
  if (kind_ != DatumKind::kArray) return sizeof(Datum) + sizeof(Block) + u_.block->size;
  size_t total = sizeof(Datum) + sizeof(ArrayBlock);
  for (const Datum& e : u_.array->value.elements) total += e.memory_bytes();
  return total;
}

namespace {

int CompareDoubles(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) {
    return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
  }
  return a < b ? -1 : (a > b ? 1 : 0);
}

int CompareArrays(const ArrayValue& a, const ArrayValue& b) {
  const size_t n = std::min(a.elements.size(), b.elements.size());
  for (size_t i = 0; i < n; ++i) {
    const Datum& x = a.elements[i];
    const Datum& y = b.elements[i];
    // Null sorts above everything, as PostgreSQL's array comparison has it.
    if (x.is_null() || y.is_null()) {
      if (x.is_null() != y.is_null()) return x.is_null() ? 1 : -1;
      continue;
    }
    if (const int c = CompareTyped(a.element, x, y); c != 0) return c;
  }
  return a.elements.size() < b.elements.size() ? -1
                                               : (a.elements.size() > b.elements.size() ? 1 : 0);
}

std::string_view WithoutTrailingBlanks(std::string_view s) {
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

uint64_t Mix(uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

}  // namespace

int CompareDatums(const Datum& a, const Datum& b) {
  BOREALIS_CHECK(a.kind() == b.kind());
  switch (a.kind()) {
    case DatumKind::kNull:
      return 0;
    case DatumKind::kBool:
      return static_cast<int>(a.bool_value()) - static_cast<int>(b.bool_value());
    case DatumKind::kInt: {
      const int64_t x = a.int_value(), y = b.int_value();
      return x < y ? -1 : (x > y ? 1 : 0);
    }
    case DatumKind::kDouble:
      return CompareDoubles(a.double_value(), b.double_value());
    case DatumKind::kString: {
      const int c = a.string_value().compare(b.string_value());
      return c < 0 ? -1 : (c > 0 ? 1 : 0);
    }
    case DatumKind::kNumeric:
      if (a.encoded_numeric() == b.encoded_numeric()) return 0;
      return Numeric::Compare(a.numeric_value(), b.numeric_value());
    case DatumKind::kArray:
      return CompareArrays(a.array_value(), b.array_value());
  }
  return 0;
}

int CompareTyped(TypeOid type, const Datum& a, const Datum& b) {
  if (type != oid::kBpchar) return CompareDatums(a, b);
  const int c =
      WithoutTrailingBlanks(a.string_value()).compare(WithoutTrailingBlanks(b.string_value()));
  return c < 0 ? -1 : (c > 0 ? 1 : 0);
}

uint64_t HashDatum(const Datum& d) {
  switch (d.kind()) {
    case DatumKind::kNull:
      return 0x9E3779B97F4A7C15ull;
    case DatumKind::kBool:
      return Mix(d.bool_value() ? 3 : 5);
    case DatumKind::kInt:
      return Mix(static_cast<uint64_t>(d.int_value()) + 0x1234567);
    case DatumKind::kDouble: {
      double v = d.double_value();
      if (v == 0) v = 0;  // -0 equals 0
      if (std::isnan(v)) return 77;
      uint64_t bits;
      std::memcpy(&bits, &v, 8);
      return Mix(bits);
    }
    case DatumKind::kString:
      return std::hash<std::string_view>{}(WithoutTrailingBlanks(d.string_value()));
    case DatumKind::kNumeric:
      return d.numeric_value().Hash();
    case DatumKind::kArray: {
      uint64_t h = 17;
      for (const Datum& e : d.array_value().elements) h = Mix(h * 31 + HashDatum(e));
      return h;
    }
  }
  return 0;
}

int CompareForSort(const Datum& a, const Datum& b, bool descending, bool nulls_first) {
  if (a.is_null() || b.is_null()) {
    if (a.is_null() && b.is_null()) return 0;
    return a.is_null() == nulls_first ? -1 : 1;
  }
  const int c = CompareDatums(a, b);
  return descending ? -c : c;
}

}  // namespace borealis::sql
