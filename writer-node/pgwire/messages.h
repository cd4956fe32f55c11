// The messages of PostgreSQL's frontend/backend protocol 3.0 (PostgreSQL 15, chapter 55): what a
// client's bytes mean, and the bytes of each answer. Pure; integers on the wire are big-endian.
//
// Decoders borrow from the body they are given. They never read past it, and take no memory for a
// count before that many items can be in what is left. A malformed body is kCorruption with the
// sentence that goes to the client under 08P01.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace borealis::pgwire {

// ----------------------------------------------------------------------------- from the client

enum class FrontendType : char {
  kBind = 'B',
  kClose = 'C',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyFail = 'f',
  kDescribe = 'D',
  kExecute = 'E',
  kFlush = 'H',
  kFunctionCall = 'F',
  kParse = 'P',
  kPassword = 'p',  // PasswordMessage, SASLInitialResponse, SASLResponse
  kQuery = 'Q',
  kSync = 'S',
  kTerminate = 'X',
};

enum class Format : int16_t { kText = 0, kBinary = 1 };

// A portal or a statement, as Describe and Close name it.
struct NamedObject {
  bool portal = false;
  std::string_view name;
};

struct ParseMessage {
  std::string_view name;
  std::string_view query;
  std::vector<uint32_t> types;  // OIDs; 0: to be inferred
};

struct BindMessage {
  std::string_view portal;
  std::string_view statement;
  std::vector<Format> param_formats;            // none: all text; one: for all
  std::vector<std::optional<ByteView>> params;  // none: NULL
  std::vector<Format> result_formats;           // none: all text; one: for all
  // Of parameter or result column i. Requires counts that were checked (0, 1 or the number of
  // items).
  static Format FormatOf(const std::vector<Format>& formats, size_t i) {
    if (formats.empty()) return Format::kText;
    return formats.size() == 1 ? formats[0] : formats[i];
  }
};

struct ExecuteMessage {
  std::string_view portal;
  int64_t rows_max = 0;  // 0: no limit
};

struct SaslInitialResponse {
  std::string_view mechanism;
  std::optional<ByteView> response;
};

Result<std::string_view> DecodeQuery(ByteView body);
Result<ParseMessage> DecodeParse(ByteView body);
Result<BindMessage> DecodeBind(ByteView body);
Result<NamedObject> DecodeNamed(ByteView body);  // Describe, Close
Result<ExecuteMessage> DecodeExecute(ByteView body);
Result<SaslInitialResponse> DecodeSaslInitial(ByteView body);
// The reason given in CopyFail.
Result<std::string_view> DecodeCopyFail(ByteView body);
// Sync, Flush, CopyDone, Terminate.
Status DecodeEmpty(ByteView body);

// The first packet of a connection, which has no type byte.
struct StartupPacket {
  enum class Kind { kStartup, kSsl, kGss, kCancel };
  Kind kind = Kind::kStartup;
  uint32_t version_major = 3;
  uint32_t version_minor = 0;
  std::vector<std::pair<std::string, std::string>> parameters;  // without those below
  std::vector<std::string> unknown_options;                     // "_pq_.*": protocol extensions
  int32_t cancel_pid = 0;
  int32_t cancel_secret = 0;
};
// kUnsupported for another major version.
Result<StartupPacket> DecodeStartup(ByteView body);

// Also refuses NUL, overlong forms, surrogates and what lies above U+10FFFF.
bool ValidUtf8(std::string_view text);
// The character (from 1) at a byte offset, for the position of an error.
int CharacterPosition(std::string_view text, size_t byte_offset);

// -------------------------------------------------------------------------------- to the client

enum class Severity { kDebug, kLog, kInfo, kNotice, kWarning, kError, kFatal, kPanic };
std::string_view SeverityName(Severity severity);

// The fields of ErrorResponse and NoticeResponse; empty or 0 ones are left out.
struct ErrorFields {
  Severity severity = Severity::kError;
  std::string sqlstate;  // five characters
  std::string message;
  std::string detail;
  std::string hint;
  int position = 0;  // in characters, from 1
  int internal_position = 0;
  std::string internal_query;
  std::string where;
  std::string schema;
  std::string table;
  std::string column;
  std::string data_type;
  std::string constraint;
  std::string file;
  int line = 0;
  std::string routine;
};

struct FieldDescription {
  std::string name;
  uint32_t table_oid = 0;
  int16_t column_number = 0;
  uint32_t type_oid = 0;
  int16_t type_size = -1;  // -1: variable
  int32_t type_modifier = -1;
  Format format = Format::kText;
};

enum class TransactionStatus : char { kIdle = 'I', kInBlock = 'T', kFailed = 'E' };

// Appends messages to one buffer, which its owner sends when it is time.
class Encoder {
 public:
  const Bytes& buffer() const { return buffer_; }
  size_t size() const { return buffer_.size(); }
  // Hands the buffer over and starts a new one. Not inside an open row.
  Bytes Take();
  // Drops what was appended since `size`. Not inside an open row.
  void TruncateTo(size_t size) { buffer_.resize(size); }

  void AuthenticationOk();
  void AuthenticationSasl(const std::vector<std::string>& mechanisms);
  void AuthenticationSaslContinue(ByteView data);
  void AuthenticationSaslFinal(ByteView data);
  void NegotiateProtocolVersion(uint32_t newest_minor, const std::vector<std::string>& unknown);
  void ParameterStatus(std::string_view name, std::string_view value);
  void BackendKeyData(int32_t pid, int32_t secret);
  void ReadyForQuery(TransactionStatus status);
  void Error(const ErrorFields& fields) { ErrorOrNotice('E', fields); }
  void Notice(const ErrorFields& fields) { ErrorOrNotice('N', fields); }
  void CommandComplete(std::string_view tag);
  void EmptyQueryResponse() { Empty('I'); }
  void ParseComplete() { Empty('1'); }
  void BindComplete() { Empty('2'); }
  void CloseComplete() { Empty('3'); }
  void NoData() { Empty('n'); }
  void PortalSuspended() { Empty('s'); }
  void ParameterDescription(const std::vector<uint32_t>& types);
  void RowDescription(const std::vector<FieldDescription>& fields);
  void CopyInResponse(Format format, size_t columns) { CopyResponse('G', format, columns); }
  void CopyOutResponse(Format format, size_t columns) { CopyResponse('H', format, columns); }
  void CopyData(ByteView data);
  void CopyDone() { Empty('c'); }

  // DataRow: BeginRow, then for each column NullColumn, Column, or BeginColumn + appending to the
  // buffer it answers + EndColumn, then EndRow. AbortRow drops an open row.
  void BeginRow(size_t columns);
  void NullColumn();
  void Column(ByteView value);
  Bytes* BeginColumn();
  void EndColumn();
  void EndRow();
  void AbortRow();

 private:
  void Begin(char type);
  void End();
  void Empty(char type);
  void CString(std::string_view text);
  void ErrorOrNotice(char type, const ErrorFields& fields);
  void CopyResponse(char type, Format format, size_t columns);

  Bytes buffer_;
  size_t start_ = 0;         // of the open message
  size_t column_start_ = 0;  // of the open column's length
};

}  // namespace borealis::pgwire
