// PostgreSQL's binary formats: network byte order throughout.
#include <cmath>
#include <cstring>

#include "common/sql/io.h"
#include "common/sql/numeric.h"

namespace borealis::sql {
namespace {

SqlStatus BadLength(TypeOid type) {
  return SqlStatus("22P03", "incorrect binary data format for type " + FormatType(type));
}

void PutBE(uint64_t v, int bytes, Bytes* out) {
  for (int i = bytes; i-- > 0;) out->push_back(static_cast<char>(v >> (i * 8)));
}

int64_t TakeBE(ByteView in, bool is_signed) {
  uint64_t v = 0;
  for (char c : in) v = v << 8 | static_cast<uint8_t>(c);
  if (!is_signed || in.size() >= 8) return static_cast<int64_t>(v);
  const int shift = 64 - static_cast<int>(in.size()) * 8;
  return static_cast<int64_t>(v << shift) >> shift;
}

SqlResult<Datum> ArrayReceive(const TypeInfo& info, Type type, ByteView bytes,
                              const IoContext& io) {
  ByteReader in(bytes);
  const uint32_t dimensions = in.U32BE();
  in.U32BE();  // flags
  const uint32_t element = in.U32BE();
  if (!in.ok() || dimensions > 1 || element != info.element) {
    if (in.ok() && dimensions > 1) return FeatureNotSupported("an array of several dimensions");
    return BadLength(type.oid);
  }
  std::vector<Datum> elements;
  if (dimensions == 1) {
    const uint32_t count = in.U32BE();
    in.U32BE();  // lower bound
    if (!in.ok() || count > in.left() / 4) return BadLength(type.oid);
    elements.resize(count);
    for (Datum& e : elements) {
      const uint32_t length = in.U32BE();
      if (length == UINT32_MAX) continue;
      const ByteView body = in.Take(length);
      if (!in.ok()) return BadLength(type.oid);
      SQL_ASSIGN_OR_RETURN(e, BinaryInput({info.element, type.typmod}, body, io));
    }
  }
  if (!in.done()) return BadLength(type.oid);
  return Datum::Array(info.element, std::move(elements));
}

SqlStatus ArraySend(Type type, const ArrayValue& array, Bytes* out, const IoContext& io) {
  bool has_null = false;
  for (const Datum& e : array.elements) has_null = has_null || e.is_null();
  // int2vector and oidvector are sent as arrays from 0, others from 1.
  const bool vector = type.oid == oid::kInt2Vector || type.oid == oid::kOidVector;
  PutBE(array.elements.empty() && !vector ? 0 : 1, 4, out);
  PutBE(has_null ? 1 : 0, 4, out);
  PutBE(array.element, 4, out);
  if (array.elements.empty() && !vector) return {};
  PutBE(array.elements.size(), 4, out);
  PutBE(vector ? 0 : 1, 4, out);
  for (const Datum& e : array.elements) {
    if (e.is_null()) {
      PutBE(UINT32_MAX, 4, out);
      continue;
    }
    Bytes body;
    SQL_RETURN_IF_ERROR(BinaryOutput({array.element, -1}, e, &body, io));
    PutBE(body.size(), 4, out);
    *out += body;
  }
  return {};
}

}  // namespace

SqlResult<Datum> BinaryInput(Type type, ByteView bytes, const IoContext& io) {
  const TypeInfo* info = FindType(type.oid);
  if (info == nullptr || info->type_type == 'p') {
    if (type.oid == oid::kUnknown) return TextInput(type, bytes, io);
    return SqlStatus("0A000", "no binary input for type " + FormatType(type.oid));
  }
  switch (info->kind) {
    case DatumKind::kBool:
      if (bytes.size() != 1) return BadLength(type.oid);
      return Datum::Bool(bytes[0] != 0);
    case DatumKind::kInt: {
      if (bytes.size() != static_cast<size_t>(info->length)) return BadLength(type.oid);
      const bool is_signed = type.oid == oid::kInt2 || type.oid == oid::kInt4 ||
                             type.oid == oid::kDate || info->length == 8;
      return Datum::Int(TakeBE(bytes, is_signed));
    }
    case DatumKind::kDouble: {
      if (bytes.size() != static_cast<size_t>(info->length)) return BadLength(type.oid);
      const auto raw = static_cast<uint64_t>(TakeBE(bytes, false));
      if (info->length == 4) {
        float f;
        const auto low = static_cast<uint32_t>(raw);
        std::memcpy(&f, &low, 4);
        return Datum::Double(f);
      }
      double d;
      std::memcpy(&d, &raw, 8);
      return Datum::Double(d);
    }
    case DatumKind::kNumeric: {
      SQL_ASSIGN_OR_RETURN(Numeric value, Numeric::Receive(bytes));
      SQL_ASSIGN_OR_RETURN(value, value.ApplyTypmod(type.typmod));
      return Datum::Of(value);
    }
    case DatumKind::kString:
      if (type.oid == oid::kBytea) return Datum::String(bytes);
      if (type.oid == oid::kInterval) {
        if (bytes.size() != 16) return BadLength(type.oid);
        return IntervalDatum({TakeBE(bytes.substr(0, 8), true),
                              static_cast<int32_t>(TakeBE(bytes.substr(8, 4), true)),
                              static_cast<int32_t>(TakeBE(bytes.substr(12, 4), true))});
      }
      return TextInput(type, bytes, io);
    case DatumKind::kArray:
      return ArrayReceive(*info, type, bytes, io);
    case DatumKind::kNull:
      break;
  }
  return SqlStatus("0A000", "no binary input for type " + FormatType(type.oid));
}

SqlStatus BinaryOutput(Type type, const Datum& value, Bytes* out, const IoContext& io) {
  const TypeInfo* info = FindType(type.oid);
  switch (value.kind()) {
    case DatumKind::kNull:
      return {};
    case DatumKind::kBool:
      PutBE(value.bool_value() ? 1 : 0, 1, out);
      return {};
    case DatumKind::kInt:
      PutBE(static_cast<uint64_t>(value.int_value()), info != nullptr ? info->length : 8, out);
      return {};
    case DatumKind::kDouble: {
      if (type.oid == oid::kFloat4) {
        const auto f = static_cast<float>(value.double_value());
        uint32_t raw;
        std::memcpy(&raw, &f, 4);
        PutBE(raw, 4, out);
        return {};
      }
      const double d = value.double_value();
      uint64_t raw;
      std::memcpy(&raw, &d, 8);
      PutBE(raw, 8, out);
      return {};
    }
    case DatumKind::kNumeric:
      value.numeric_value().SendTo(out);
      return {};
    case DatumKind::kArray:
      return ArraySend(type, value.array_value(), out, io);
    case DatumKind::kString:
      break;
  }
  if (type.oid == oid::kInterval) {
    const Interval v = ToInterval(value);
    PutBE(static_cast<uint64_t>(v.micros), 8, out);
    PutBE(static_cast<uint32_t>(v.days), 4, out);
    PutBE(static_cast<uint32_t>(v.months), 4, out);
    return {};
  }
  if (type.oid == oid::kRecord) return FeatureNotSupported("binary output of type record");
  *out += value.string_value();
  return {};
}

}  // namespace borealis::sql
