#include "common/sql/row.h"

#include <algorithm>
#include <array>

#include "common/sql/numeric.h"

namespace borealis::sql {
namespace {

constexpr uint8_t kRowFormat = 1;
// How a value is written; three bits beside the column id. docs/formats/rows.md.
enum Form : uint8_t {
  kFormFalse = 0,
  kFormTrue = 1,
  kFormInt = 2,
  kFormDouble = 3,
  kFormString = 4,
  kFormNumeric = 5,
  kFormArray = 6
};
constexpr int kArrayDepthMax = 8;

uint64_t ZigZag(int64_t v) {
  return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63);
}
int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

Form FormOf(const Datum& value) {
  switch (value.kind()) {
    case DatumKind::kBool:
      return value.bool_value() ? kFormTrue : kFormFalse;
    case DatumKind::kInt:
      return kFormInt;
    case DatumKind::kDouble:
      return kFormDouble;
    case DatumKind::kString:
      return kFormString;
    case DatumKind::kNumeric:
      return kFormNumeric;
    case DatumKind::kArray:
      return kFormArray;
    case DatumKind::kNull:
      break;
  }
  BOREALIS_CHECK(false);
  return kFormFalse;
}

void PutBytes(ByteView v, Bytes* out) {
  PutVarint(out, v.size());
  out->append(v);
}

void PutValue(const Datum& value, Bytes* out) {
  switch (value.kind()) {
    case DatumKind::kNull:
    case DatumKind::kBool:
      return;
    case DatumKind::kInt:
      return PutVarint(out, ZigZag(value.int_value()));
    case DatumKind::kDouble: {
      const double v = value.double_value();
      uint64_t bits;
      std::memcpy(&bits, &v, 8);
      return PutU64(out, bits);
    }
    case DatumKind::kString:
      return PutBytes(value.string_value(), out);
    case DatumKind::kNumeric:
      return PutBytes(value.encoded_numeric(), out);
    case DatumKind::kArray: {
      const ArrayValue& array = value.array_value();
      Bytes body;
      PutVarint(&body, array.element);
      PutVarint(&body, array.elements.size());
      for (const Datum& e : array.elements) EncodeDatum(e, &body);
      return PutBytes(body, out);
    }
  }
}

bool SkipValue(uint8_t form, ByteReader* in) {
  switch (form) {
    case kFormFalse:
    case kFormTrue:
      return true;
    case kFormInt:
      in->Varint();
      return in->ok();
    case kFormDouble:
      in->U64();
      return in->ok();
    case kFormString:
    case kFormNumeric:
    case kFormArray:
      in->Take(in->Varint());
      return in->ok();
    default:
      return false;
  }
}

bool TakeDatum(ByteReader* in, Datum* out, int depth);

bool TakeArray(ByteView body, Datum* out, int depth) {
  if (depth > kArrayDepthMax) return false;
  ByteReader in(body);
  const uint64_t element = in.Varint();
  const uint64_t count = in.Varint();
  if (!in.ok() || count > in.left() || element > UINT32_MAX) return false;
  std::vector<Datum> elements(count);
  for (Datum& e : elements) {
    if (!TakeDatum(&in, &e, depth + 1)) return false;
  }
  *out = Datum::Array(static_cast<TypeOid>(element), std::move(elements));
  return in.done();
}

bool TakeValue(uint8_t form, ByteReader* in, Datum* out, int depth = 0) {
  switch (form) {
    case kFormFalse:
      *out = Datum::Bool(false);
      return true;
    case kFormTrue:
      *out = Datum::Bool(true);
      return true;
    case kFormInt:
      *out = Datum::Int(UnZigZag(in->Varint()));
      return in->ok();
    case kFormDouble: {
      const uint64_t bits = in->U64();
      double v;
      std::memcpy(&v, &bits, 8);
      *out = Datum::Double(v);
      return in->ok();
    }
    case kFormString:
      *out = Datum::String(in->Take(in->Varint()));
      return in->ok();
    case kFormNumeric: {
      const ByteView bytes = in->Take(in->Varint());
      Numeric checked;
      if (!in->ok() || !Numeric::Decode(bytes, &checked)) return false;
      *out = Datum::EncodedNumeric(bytes);
      return true;
    }
    case kFormArray: {
      const ByteView body = in->Take(in->Varint());
      return in->ok() && TakeArray(body, out, depth);
    }
    default:
      return false;
  }
}

constexpr uint8_t kFormNull = 7;  // of EncodeDatum only: a row leaves nulls out

bool TakeDatum(ByteReader* in, Datum* out, int depth) {
  const uint8_t form = in->U8();
  if (!in->ok()) return false;
  if (form == kFormNull) {
    *out = Datum();
    return true;
  }
  return TakeValue(form, in, out, depth);
}

Status BadRow(const char* what) {
  return Corruption(std::string("row: ") + what);
}

Status CheckFormat(ByteReader* in) {
  const uint8_t format = in->U8();
  if (!in->ok()) return BadRow("empty");
  if (format != kRowFormat) return Unsupported("row format " + std::to_string(format));
  return Status::Ok();
}

}  // namespace

void EncodeRow(uint32_t schema_version, std::span<const RowColumn> columns, const Datum* values,
               Bytes* out) {
  PutU8(out, kRowFormat);
  PutVarint(out, schema_version);
  size_t count = 0;
  bool sorted = true;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!values[i].is_null()) ++count;
    if (i > 0 && columns[i].id < columns[i - 1].id) sorted = false;
  }
  PutVarint(out, count);
  const auto put = [&](size_t i) {
    if (values[i].is_null()) return;
    PutVarint(out, static_cast<uint64_t>(columns[i].id.value()) << 3 | FormOf(values[i]));
    PutValue(values[i], out);
  };
  if (sorted) {
    for (size_t i = 0; i < columns.size(); ++i) put(i);
    return;
  }
  std::vector<size_t> order(columns.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return columns[a].id < columns[b].id; });
  for (size_t i : order) put(i);
}

RowDecoder::RowDecoder(std::span<const RowColumn> wanted, std::span<const uint32_t> slots) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    const TypeInfo* info = FindType(wanted[i].type.oid);
    by_id_.push_back({wanted[i].id.value(), info != nullptr ? info->kind : DatumKind::kString,
                      slots.empty() ? static_cast<uint32_t>(i) : slots[i]});
  }
  std::sort(by_id_.begin(), by_id_.end(),
            [](const Wanted& a, const Wanted& b) { return a.id < b.id; });
}

Status RowDecoder::Decode(ByteView row, Datum* out) const {
  ByteReader in(row);
  RETURN_IF_ERROR(CheckFormat(&in));
  in.Varint();  // the schema version: column ids are stable, so reading needs none
  const uint64_t count = in.Varint();
  if (!in.ok() || count > in.left()) return BadRow("bad count");
  size_t next = 0;
  uint64_t previous = 0;
  for (uint64_t i = 0; i < count && next < by_id_.size(); ++i) {
    const uint64_t head = in.Varint();
    const uint64_t id = head >> 3;
    if (!in.ok() || id <= previous) return BadRow("columns out of order");
    previous = id;
    while (next < by_id_.size() && by_id_[next].id < id) out[by_id_[next++].slot] = Datum();
    const auto form = static_cast<uint8_t>(head & 7);
    if (next >= by_id_.size()) return Status::Ok();
    if (by_id_[next].id != id) {
      if (!SkipValue(form, &in)) return BadRow("bad value");
      continue;
    }
    Datum* value = &out[by_id_[next].slot];
    if (!TakeValue(form, &in, value)) return BadRow("bad value");
    if (value->kind() != by_id_[next].kind) return BadRow("value of another type than the column");
    ++next;
  }
  for (; next < by_id_.size(); ++next) out[by_id_[next].slot] = Datum();
  return Status::Ok();
}

Result<uint32_t> RowSchemaVersion(ByteView row) {
  ByteReader in(row);
  RETURN_IF_ERROR(CheckFormat(&in));
  const uint64_t version = in.Varint();
  if (!in.ok() || version > UINT32_MAX) return BadRow("bad schema version");
  return static_cast<uint32_t>(version);
}

void EncodeDatum(const Datum& value, Bytes* out) {
  PutU8(out, value.is_null() ? kFormNull : static_cast<uint8_t>(FormOf(value)));
  PutValue(value, out);
}

Status DecodeDatum(ByteReader* in, Datum* out) {
  if (!TakeDatum(in, out, 0)) return Corruption("bad value");
  return Status::Ok();
}

}  // namespace borealis::sql
