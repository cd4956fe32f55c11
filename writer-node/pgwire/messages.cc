#include "writer-node/pgwire/messages.h"

#include <algorithm>

namespace borealis::pgwire {
namespace {

constexpr uint32_t kCancelCode = 80877102;
constexpr uint32_t kSslCode = 80877103;
constexpr uint32_t kGssCode = 80877104;

// Reads a message's body; the first short read makes it fail (ByteReader's rule), and a string
// without its terminator does too.
class BodyReader {
 public:
  explicit BodyReader(ByteView data) : data_(data) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && data_.empty(); }
  size_t left() const { return data_.size(); }

  uint8_t U8() {
    ByteView v = Take(1);
    return v.empty() ? 0 : static_cast<uint8_t>(v[0]);
  }
  uint16_t U16() {
    ByteView v = Take(2);
    return v.empty() ? 0 : __builtin_bswap16(GetU16(v.data()));
  }
  uint32_t U32() {
    ByteView v = Take(4);
    return v.empty() ? 0 : GetU32BE(v.data());
  }
  std::string_view CString() {
    size_t end = data_.find('\0');
    if (end == ByteView::npos) {
      Fail();
      return {};
    }
    std::string_view text = data_.substr(0, end);
    data_.remove_prefix(end + 1);
    return text;
  }
  ByteView Take(size_t n) {
    if (!ok_ || data_.size() < n) {
      Fail();
      return {};
    }
    ByteView v = data_.substr(0, n);
    data_.remove_prefix(n);
    return v;
  }
  // A count of items of at least `item_bytes` each: fails when they cannot be there.
  size_t Count(size_t item_bytes) {
    size_t n = U16();
    if (ok_ && n * item_bytes > data_.size()) Fail();
    return ok_ ? n : 0;
  }
  void Fail() {
    ok_ = false;
    data_ = {};
  }

 private:
  ByteView data_;
  bool ok_ = true;
};

Status Malformed() {
  return Corruption("invalid message format");
}

bool ReadFormats(BodyReader* in, std::vector<Format>* formats) {
  size_t n = in->Count(2);
  formats->reserve(n);
  for (size_t i = 0; i < n && in->ok(); ++i) {
    uint16_t code = in->U16();
    if (code > 1) return false;
    formats->push_back(static_cast<Format>(code));
  }
  return true;
}

void Put16(Bytes* out, uint16_t v) {
  PutU16(out, __builtin_bswap16(v));
}

// The length of the UTF-8 sequence at the front of `s`, 0 when it is not one.
size_t Utf8SequenceLength(std::string_view s) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  auto in = [&](size_t i, uint8_t low, uint8_t high) {
    return i < s.size() && byte(i) >= low && byte(i) <= high;
  };
  uint8_t c = byte(0);
  if (c == 0) return 0;
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (c >= 0xE0 && c <= 0xEF) {
    uint8_t low = c == 0xE0 ? 0xA0 : 0x80;
    uint8_t high = c == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (c >= 0xF0 && c <= 0xF4) {
    uint8_t low = c == 0xF0 ? 0x90 : 0x80;
    uint8_t high = c == 0xF4 ? 0x8F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

}  // namespace

Result<std::string_view> DecodeQuery(ByteView body) {
  BodyReader in(body);
  std::string_view query = in.CString();
  if (!in.done()) return Malformed();
  return query;
}

Result<ParseMessage> DecodeParse(ByteView body) {
  BodyReader in(body);
  ParseMessage m;
  m.name = in.CString();
  m.query = in.CString();
  size_t n = in.Count(4);
  m.types.reserve(n);
  for (size_t i = 0; i < n; ++i) m.types.push_back(in.U32());
  if (!in.done()) return Malformed();
  return m;
}

Result<BindMessage> DecodeBind(ByteView body) {
  BodyReader in(body);
  BindMessage m;
  m.portal = in.CString();
  m.statement = in.CString();
  if (!ReadFormats(&in, &m.param_formats)) return Corruption("unsupported format code");
  size_t n = in.Count(4);
  if (m.param_formats.size() > 1 && in.ok() && m.param_formats.size() != n) {
    return Corruption("bind message has " + std::to_string(m.param_formats.size()) +
                      " parameter formats but " + std::to_string(n) + " parameters");
  }
  m.params.reserve(n);
  for (size_t i = 0; i < n && in.ok(); ++i) {
    uint32_t length = in.U32();
    if (length == 0xFFFFFFFFu) {
      m.params.push_back(std::nullopt);
    } else {
      m.params.push_back(in.Take(length));
    }
  }
  if (!ReadFormats(&in, &m.result_formats)) return Corruption("unsupported format code");
  if (!in.done()) return Malformed();
  return m;
}

Result<NamedObject> DecodeNamed(ByteView body) {
  BodyReader in(body);
  uint8_t kind = in.U8();
  NamedObject m;
  m.portal = kind == 'P';
  m.name = in.CString();
  if (!in.done()) return Malformed();
  if (kind != 'P' && kind != 'S') {
    return Corruption("invalid object kind in a Describe or Close message");
  }
  return m;
}

Result<ExecuteMessage> DecodeExecute(ByteView body) {
  BodyReader in(body);
  ExecuteMessage m;
  m.portal = in.CString();
  // As in PostgreSQL a limit of zero or less means no limit.
  m.rows_max = std::max<int32_t>(static_cast<int32_t>(in.U32()), 0);
  if (!in.done()) return Malformed();
  return m;
}

Result<SaslInitialResponse> DecodeSaslInitial(ByteView body) {
  BodyReader in(body);
  SaslInitialResponse m;
  m.mechanism = in.CString();
  uint32_t length = in.U32();
  if (in.ok() && length != 0xFFFFFFFFu) m.response = in.Take(length);
  if (!in.done()) return Malformed();
  return m;
}

Result<std::string_view> DecodeCopyFail(ByteView body) {
  return DecodeQuery(body);
}

Status DecodeEmpty(ByteView body) {
  return body.empty() ? Status::Ok() : Malformed();
}

Result<StartupPacket> DecodeStartup(ByteView body) {
  BodyReader in(body);
  StartupPacket packet;
  uint32_t code = in.U32();
  if (!in.ok()) return Corruption("invalid length of startup packet");
  if (code == kCancelCode) {
    packet.kind = StartupPacket::Kind::kCancel;
    packet.cancel_pid = static_cast<int32_t>(in.U32());
    packet.cancel_secret = static_cast<int32_t>(in.U32());
    if (!in.done()) return Corruption("invalid length of cancel request");
    return packet;
  }
  if (code == kSslCode || code == kGssCode) {
    packet.kind = code == kSslCode ? StartupPacket::Kind::kSsl : StartupPacket::Kind::kGss;
    if (!in.done()) return Corruption("invalid length of startup packet");
    return packet;
  }
  packet.version_major = code >> 16;
  packet.version_minor = code & 0xFFFF;
  if (packet.version_major != 3) {
    return Unsupported("unsupported frontend protocol " + std::to_string(packet.version_major) +
                       "." + std::to_string(packet.version_minor) + ": server supports 3.0 to 3.0");
  }
  while (in.ok()) {
    std::string_view name = in.CString();
    if (name.empty()) break;
    std::string_view value = in.CString();
    if (name.starts_with("_pq_.")) {
      packet.unknown_options.emplace_back(name);
    } else {
      packet.parameters.emplace_back(name, value);
    }
  }
  if (!in.done()) {
    return Corruption("invalid startup packet layout: expected terminator as last byte");
  }
  return packet;
}

bool ValidUtf8(std::string_view text) {
  while (!text.empty()) {
    size_t n = Utf8SequenceLength(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

int CharacterPosition(std::string_view text, size_t byte_offset) {
  byte_offset = std::min(byte_offset, text.size());
  auto first_byte = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
  return 1 + static_cast<int>(std::count_if(
                 text.begin(), text.begin() + static_cast<ptrdiff_t>(byte_offset), first_byte));
}

std::string_view SeverityName(Severity severity) {
  static constexpr std::string_view kNames[] = {"DEBUG",   "LOG",   "INFO",  "NOTICE",
                                                "WARNING", "ERROR", "FATAL", "PANIC"};
  return kNames[static_cast<size_t>(severity)];
}

// -------------------------------------------------------------------------------------- Encoder

Bytes Encoder::Take() {
  Bytes out;
  out.swap(buffer_);
  return out;
}

void Encoder::Begin(char type) {
  buffer_.push_back(type);
  start_ = buffer_.size();
  buffer_.append(4, '\0');
}

void Encoder::End() {
  SetU32(buffer_.data() + start_,
         __builtin_bswap32(static_cast<uint32_t>(buffer_.size() - start_)));
}

void Encoder::Empty(char type) {
  Begin(type);
  End();
}

// A NUL inside would end the string early and shift everything after it: cut there.
void Encoder::CString(std::string_view text) {
  buffer_.append(text.substr(0, text.find('\0')));
  buffer_.push_back('\0');
}

void Encoder::AuthenticationOk() {
  Begin('R');
  PutU32BE(&buffer_, 0);
  End();
}

void Encoder::AuthenticationSasl(const std::vector<std::string>& mechanisms) {
  Begin('R');
  PutU32BE(&buffer_, 10);
  for (const std::string& m : mechanisms) CString(m);
  buffer_.push_back('\0');
  End();
}

void Encoder::AuthenticationSaslContinue(ByteView data) {
  Begin('R');
  PutU32BE(&buffer_, 11);
  buffer_.append(data);
  End();
}

void Encoder::AuthenticationSaslFinal(ByteView data) {
  Begin('R');
  PutU32BE(&buffer_, 12);
  buffer_.append(data);
  End();
}

void Encoder::NegotiateProtocolVersion(uint32_t newest_minor,
                                       const std::vector<std::string>& unknown) {
  Begin('v');
  PutU32BE(&buffer_, newest_minor);
  PutU32BE(&buffer_, static_cast<uint32_t>(unknown.size()));
  for (const std::string& option : unknown) CString(option);
  End();
}

void Encoder::ParameterStatus(std::string_view name, std::string_view value) {
  Begin('S');
  CString(name);
  CString(value);
  End();
}

void Encoder::BackendKeyData(int32_t pid, int32_t secret) {
  Begin('K');
  PutU32BE(&buffer_, static_cast<uint32_t>(pid));
  PutU32BE(&buffer_, static_cast<uint32_t>(secret));
  End();
}

void Encoder::ReadyForQuery(TransactionStatus status) {
  Begin('Z');
  buffer_.push_back(static_cast<char>(status));
  End();
}

void Encoder::ErrorOrNotice(char type, const ErrorFields& f) {
  Begin(type);
  auto text = [this](char code, std::string_view value) {
    if (value.empty()) return;
    buffer_.push_back(code);
    CString(value);
  };
  auto number = [&](char code, int value) {
    if (value > 0) text(code, std::to_string(value));
  };
  text('S', SeverityName(f.severity));
  text('V', SeverityName(f.severity));
  text('C', f.sqlstate.empty() ? "XX000" : f.sqlstate);
  // The message is never left out: clients rely on it.
  text('M', f.message.empty() ? "unknown error" : f.message);
  text('D', f.detail);
  text('H', f.hint);
  number('P', f.position);
  number('p', f.internal_position);
  text('q', f.internal_query);
  text('W', f.where);
  text('s', f.schema);
  text('t', f.table);
  text('c', f.column);
  text('d', f.data_type);
  text('n', f.constraint);
  text('F', f.file);
  number('L', f.line);
  text('R', f.routine);
  buffer_.push_back('\0');
  End();
}

void Encoder::CommandComplete(std::string_view tag) {
  Begin('C');
  CString(tag);
  End();
}

void Encoder::ParameterDescription(const std::vector<uint32_t>& types) {
  Begin('t');
  Put16(&buffer_, static_cast<uint16_t>(types.size()));
  for (uint32_t type : types) PutU32BE(&buffer_, type);
  End();
}

void Encoder::RowDescription(const std::vector<FieldDescription>& fields) {
  Begin('T');
  Put16(&buffer_, static_cast<uint16_t>(fields.size()));
  for (const FieldDescription& f : fields) {
    CString(f.name);
    PutU32BE(&buffer_, f.table_oid);
    Put16(&buffer_, static_cast<uint16_t>(f.column_number));
    PutU32BE(&buffer_, f.type_oid);
    Put16(&buffer_, static_cast<uint16_t>(f.type_size));
    PutU32BE(&buffer_, static_cast<uint32_t>(f.type_modifier));
    Put16(&buffer_, static_cast<uint16_t>(f.format));
  }
  End();
}

void Encoder::CopyResponse(char type, Format format, size_t columns) {
  Begin(type);
  buffer_.push_back(static_cast<char>(format));
  Put16(&buffer_, static_cast<uint16_t>(columns));
  for (size_t i = 0; i < columns; ++i) Put16(&buffer_, static_cast<uint16_t>(format));
  End();
}

void Encoder::CopyData(ByteView data) {
  Begin('d');
  buffer_.append(data);
  End();
}

void Encoder::BeginRow(size_t columns) {
  Begin('D');
  Put16(&buffer_, static_cast<uint16_t>(columns));
}

void Encoder::NullColumn() {
  PutU32BE(&buffer_, 0xFFFFFFFFu);
}

void Encoder::Column(ByteView value) {
  PutU32BE(&buffer_, static_cast<uint32_t>(value.size()));
  buffer_.append(value);
}

Bytes* Encoder::BeginColumn() {
  column_start_ = buffer_.size();
  buffer_.append(4, '\0');
  return &buffer_;
}

void Encoder::EndColumn() {
  SetU32(buffer_.data() + column_start_,
         __builtin_bswap32(static_cast<uint32_t>(buffer_.size() - column_start_ - 4)));
}

void Encoder::EndRow() {
  End();
}

void Encoder::AbortRow() {
  buffer_.resize(start_ - 1);
}

}  // namespace borealis::pgwire
