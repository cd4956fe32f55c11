#include "common/sql/key.h"

#include <cmath>

#include "common/sql/io.h"
#include "common/sql/numeric.h"

namespace borealis::sql {
namespace {

// The byte in front of each column.
constexpr uint8_t kNullFirst = 0x00;
constexpr uint8_t kValue = 0x01;
constexpr uint8_t kNullLast = 0x02;
// Strings: 00 is written as 00 ff, the end as 00 01.
constexpr char kEscapedNul = '\xff';
constexpr char kEnd = '\x01';

int IntBytes(TypeOid type) {
  switch (type) {
    case oid::kInt2:
      return 2;
    case oid::kInt4:
    case oid::kDate:
      return 4;
    default:
      return 8;
  }
}

void PutInt(TypeOid type, int64_t v, Bytes* out) {
  const int bytes = IntBytes(type);
  const uint64_t flipped = static_cast<uint64_t>(v) ^ (1ull << (bytes * 8 - 1));
  for (int i = bytes; i-- > 0;) out->push_back(static_cast<char>(flipped >> (i * 8)));
}

void PutDouble(double v, Bytes* out) {
  if (v == 0) v = 0;
  if (std::isnan(v)) v = std::nan("");
  uint64_t bits;
  std::memcpy(&bits, &v, 8);
  PutU64BE(out, (bits >> 63) != 0 && !std::isnan(v) ? ~bits : bits | (1ull << 63));
}

void PutEscaped(ByteView v, Bytes* out) {
  for (char c : v) {
    out->push_back(c);
    if (c == 0) out->push_back(kEscapedNul);
  }
  out->push_back(0);
  out->push_back(kEnd);
}

Status BadKey(const char* what) {
  return Corruption(std::string("key column: ") + what);
}

// Undoes the complement of descending columns byte by byte while reading.
struct KeyReader {
  ByteView* in;
  uint8_t flip;
  bool Next(uint8_t* out) {
    if (in->empty()) return false;
    *out = static_cast<uint8_t>(in->front()) ^ flip;
    in->remove_prefix(1);
    return true;
  }
  bool Word(int bytes, uint64_t* out) {
    if (in->size() < static_cast<size_t>(bytes)) return false;
    uint64_t v = 0;
    for (int i = 0; i < bytes; ++i) v = v << 8 | (static_cast<uint8_t>((*in)[i]) ^ flip);
    in->remove_prefix(bytes);
    *out = v;
    return true;
  }
};

Status DecodeString(const KeyColumn& column, KeyReader reader, Datum* out) {
  std::string text;
  for (;;) {
    uint8_t c, next;
    if (!reader.Next(&c)) return BadKey("string without end");
    if (c != 0) {
      text.push_back(static_cast<char>(c));
      continue;
    }
    if (!reader.Next(&next)) return BadKey("string without end");
    if (next == static_cast<uint8_t>(kEnd)) break;
    if (next != static_cast<uint8_t>(kEscapedNul)) return BadKey("bad escape");
    text.push_back('\0');
  }
  if (column.type.oid == oid::kBpchar) {
    const int length = TypmodLength(column.type.typmod);
    const size_t now = Utf8Length(text);
    if (length > 0 && now < static_cast<size_t>(length)) text.append(length - now, ' ');
  }
  *out = Datum::String(text);
  return Status::Ok();
}

Status DecodeNumeric(KeyReader reader, Datum* out) {
  Numeric value;
  if (reader.flip == 0) {
    if (!Numeric::DecodeKey(reader.in, &value)) return BadKey("bad numeric");
  } else {
    Bytes plain(*reader.in);
    for (char& c : plain) c = static_cast<char>(~c);
    ByteView view = plain;
    if (!Numeric::DecodeKey(&view, &value)) return BadKey("bad numeric");
    reader.in->remove_prefix(plain.size() - view.size());
  }
  *out = Datum::Of(value);
  return Status::Ok();
}

}  // namespace

bool IsKeyType(TypeOid type) {
  const TypeInfo* info = FindType(type);
  if (info == nullptr || info->type_type != 'b' || type == oid::kInterval) return false;
  return info->kind != DatumKind::kArray && info->kind != DatumKind::kNull;
}

void EncodeKeyColumn(const KeyColumn& column, const Datum& value, Bytes* out) {
  if (value.is_null()) {
    PutU8(out, column.nulls_first ? kNullFirst : kNullLast);
    return;
  }
  PutU8(out, kValue);
  const size_t start = out->size();
  switch (value.kind()) {
    case DatumKind::kBool:
      PutU8(out, value.bool_value() ? 1 : 0);
      break;
    case DatumKind::kInt:
      PutInt(column.type.oid, value.int_value(), out);
      break;
    case DatumKind::kDouble:
      PutDouble(value.double_value(), out);
      break;
    case DatumKind::kNumeric:
      value.numeric_value().EncodeKeyTo(out);
      break;
    case DatumKind::kString: {
      ByteView text = value.string_value();
      if (column.type.oid == oid::kBpchar) {
        while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
      }
      PutEscaped(text, out);
      break;
    }
    case DatumKind::kNull:
    case DatumKind::kArray:
      BOREALIS_CHECK(false);
      break;
  }
  if (column.descending) {
    for (size_t i = start; i < out->size(); ++i) (*out)[i] = static_cast<char>(~(*out)[i]);
  }
}

Status DecodeKeyColumn(const KeyColumn& column, ByteView* in, Datum* out) {
  *out = Datum();
  if (in->empty()) return BadKey("missing");
  const auto marker = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  if (marker == (column.nulls_first ? kNullFirst : kNullLast)) return Status::Ok();
  if (marker != kValue) return BadKey("bad marker");
  const TypeInfo* info = FindType(column.type.oid);
  if (info == nullptr) return BadKey("unknown type");
  KeyReader reader{in, static_cast<uint8_t>(column.descending ? 0xff : 0)};
  uint64_t raw = 0;
  switch (info->kind) {
    case DatumKind::kBool:
      if (!reader.Word(1, &raw) || raw > 1) return BadKey("bad bool");
      *out = Datum::Bool(raw != 0);
      return Status::Ok();
    case DatumKind::kInt: {
      const int bytes = IntBytes(column.type.oid);
      if (!reader.Word(bytes, &raw)) return BadKey("short integer");
      raw ^= 1ull << (bytes * 8 - 1);
      const int shift = 64 - bytes * 8;
      *out = Datum::Int(static_cast<int64_t>(raw << shift) >> shift);
      return Status::Ok();
    }
    case DatumKind::kDouble: {
      if (!reader.Word(8, &raw)) return BadKey("short double");
      raw = (raw >> 63) != 0 ? raw & ~(1ull << 63) : ~raw;
      double v;
      std::memcpy(&v, &raw, 8);
      *out = Datum::Double(v);
      return Status::Ok();
    }
    case DatumKind::kString:
      return DecodeString(column, reader, out);
    case DatumKind::kNumeric:
      return DecodeNumeric(reader, out);
    case DatumKind::kNull:
    case DatumKind::kArray:
      break;
  }
  return BadKey("not a key type");
}

Status SkipKeyColumn(const KeyColumn& column, ByteView* in) {
  Datum ignored;
  return DecodeKeyColumn(column, in, &ignored);
}

}  // namespace borealis::sql
