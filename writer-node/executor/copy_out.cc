#include "common/sql/io.h"
#include "writer-node/executor/copy.h"

namespace borealis::executor {

namespace {

constexpr std::string_view kBinarySignature("PGCOPY\n\377\r\n\0", 11);

// Text format: backslash escapes for the delimiter, the newline and the backslash itself.
void AppendText(std::string_view value, char delimiter, Bytes* out) {
  for (char c : value) {
    switch (c) {
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\v':
        *out += "\\v";
        break;
      case '\\':
        *out += "\\\\";
        break;
      default:
        if (c == delimiter) *out += '\\';
        *out += c;
    }
  }
}

void AppendCsv(std::string_view value, const CopyOptions& options, bool force, bool only_column,
               Bytes* out) {
  bool quote = force || value == options.null_text || (only_column && value == "\\.");
  for (char c : value) {
    quote |= c == options.delimiter || c == options.quote || c == '\n' || c == '\r';
  }
  if (!quote) {
    *out += value;
    return;
  }
  *out += options.quote;
  for (char c : value) {
    if (c == options.quote || c == options.escape) *out += options.escape;
    *out += c;
  }
  *out += options.quote;
}

}  // namespace

CopyOut::CopyOut(std::vector<planner::OutputColumn> columns, CopyOptions options)
    : columns_(std::move(columns)), options_(std::move(options)) {}

sql::SqlResult<Bytes> CopyOut::Begin() {
  Bytes out;
  if (options_.format == CopyFormat::kBinary) {
    out += kBinarySignature;
    PutU32BE(&out, 0);  // flags
    PutU32BE(&out, 0);  // header extension
    return out;
  }
  if (!options_.header) return out;
  for (size_t i = 0; i < columns_.size(); i++) {
    if (i > 0) out += options_.delimiter;
    if (options_.format == CopyFormat::kCsv) {
      AppendCsv(columns_[i].name, options_, false, columns_.size() == 1, &out);
    } else {
      AppendText(columns_[i].name, options_.delimiter, &out);
    }
  }
  out += '\n';
  return out;
}

sql::SqlResult<Bytes> CopyOut::EncodeRow(const sql::Row& row) {
  Bytes out;
  if (options_.format == CopyFormat::kBinary) {
    uint16_t count = static_cast<uint16_t>(columns_.size());
    PutU8(&out, static_cast<uint8_t>(count >> 8));
    PutU8(&out, static_cast<uint8_t>(count));
    for (size_t i = 0; i < columns_.size(); i++) {
      if (row[i].is_null()) {
        PutU32BE(&out, UINT32_MAX);
        continue;
      }
      Bytes value;
      SQL_RETURN_IF_ERROR(sql::BinaryOutput(columns_[i].type, row[i], &value));
      PutU32BE(&out, static_cast<uint32_t>(value.size()));
      out += value;
    }
    return out;
  }
  for (size_t i = 0; i < columns_.size(); i++) {
    if (i > 0) out += options_.delimiter;
    if (row[i].is_null()) {
      out += options_.null_text;
      continue;
    }
    std::string value = sql::ToText(columns_[i].type, row[i]);
    if (options_.format == CopyFormat::kCsv) {
      bool force = i < options_.force_quote.size() && options_.force_quote[i];
      AppendCsv(value, options_, force, columns_.size() == 1, &out);
    } else {
      AppendText(value, options_.delimiter, &out);
    }
  }
  out += '\n';
  return out;
}

Bytes CopyOut::End() {
  Bytes out;
  if (options_.format == CopyFormat::kBinary) out += "\377\377";
  return out;
}

}  // namespace borealis::executor
