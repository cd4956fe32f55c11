#include "writer-node/executor/copy_parse.h"

namespace borealis::executor {

using sql::SqlStatus;

namespace {

constexpr size_t kRowBytesMax = 256u << 20;
constexpr std::string_view kBinarySignature("PGCOPY\n\377\r\n\0", 11);

SqlStatus BadFormat(std::string message) {
  return SqlStatus("22P04", std::move(message));
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What follows a backslash in the text format, from line[*at]; moves *at past it.
char Unescape(ByteView line, size_t* at) {
  char c = line[(*at)++];
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      break;
  }
  if (c >= '0' && c <= '7') {
    int value = c - '0';
    for (int i = 0; i < 2 && *at < line.size() && line[*at] >= '0' && line[*at] <= '7'; i++) {
      value = value * 8 + (line[(*at)++] - '0');
    }
    return static_cast<char>(value);
  }
  if (c == 'x' && *at < line.size() && HexValue(line[*at]) >= 0) {
    int value = HexValue(line[(*at)++]);
    if (*at < line.size() && HexValue(line[*at]) >= 0) value = value * 16 + HexValue(line[(*at)++]);
    return static_cast<char>(value);
  }
  return c;
}

}  // namespace

SqlStatus CopyParser::Data(ByteView bytes) {
  if (ended_) return {};
  buffer_ += bytes;
  SqlStatus status = options_.format == CopyFormat::kBinary ? TakeTuples() : TakeLines(false);
  if (!status.ok()) return status;
  if (buffer_.size() > kRowBytesMax) {
    return SqlStatus("54000", "a row of COPY data is longer than 256 MiB");
  }
  return {};
}

SqlStatus CopyParser::Finish() {
  if (ended_) return {};
  if (options_.format == CopyFormat::kBinary) {
    return BadFormat("unexpected EOF in COPY data");
  }
  return TakeLines(true);
}

// In csv a newline inside quotes belongs to the value. A doubled quote flips the state twice; an
// escape other than the quote hides the character after it.
size_t CopyParser::FindLineEnd(size_t from, bool at_end) {
  size_t i = std::max(from, scanned_);
  for (; i < buffer_.size(); i++) {
    char c = buffer_[i];
    if (options_.format == CopyFormat::kCsv) {
      if (in_quotes_ && c == options_.escape && options_.escape != options_.quote) {
        if (i + 1 >= buffer_.size()) break;
        i++;
        continue;
      }
      if (c == options_.quote) in_quotes_ = !in_quotes_;
    } else if (c == '\\') {
      if (i + 1 >= buffer_.size()) break;
      i++;
      continue;
    }
    if (c == '\n' && !in_quotes_) {
      scanned_ = i + 1;
      return i;
    }
  }
  scanned_ = i;
  return at_end && from < buffer_.size() ? buffer_.size() : Bytes::npos;
}

SqlStatus CopyParser::TakeLines(bool at_end) {
  size_t from = 0;
  while (!ended_) {
    size_t end = FindLineEnd(from, at_end);
    if (end == Bytes::npos) break;
    if (end == buffer_.size() && in_quotes_) return BadFormat("unterminated CSV quoted field");
    ByteView line = ByteView(buffer_).substr(from, end - from);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    SQL_RETURN_IF_ERROR(Line(line));
    line_++;
    from = std::min(end + 1, buffer_.size());
    scanned_ = from;
  }
  scanned_ -= from;
  buffer_.erase(0, from);
  return {};
}

SqlStatus CopyParser::Line(ByteView line) {
  if (line == "\\.") {
    ended_ = true;
    return {};
  }
  if (options_.header && !std::exchange(header_seen_, true)) return {};
  CopyFields fields;
  if (options_.format == CopyFormat::kCsv) {
    SQL_RETURN_IF_ERROR(SplitCsv(line, &fields));
  } else {
    SplitText(line, &fields);
  }
  if (columns_ == 0 && fields.size() == 1 && line.empty()) fields.clear();
  if (fields.size() > columns_) return BadFormat("extra data after last expected column");
  if (fields.size() < columns_)
    return BadFormat("missing data for column " + std::to_string(fields.size() + 1));
  return on_row_(fields);
}

void CopyParser::SplitText(ByteView line, CopyFields* fields) const {
  size_t at = 0;
  for (;;) {
    std::string value;
    const size_t start = at;
    while (at < line.size() && line[at] != options_.delimiter) {
      char c = line[at++];
      if (c == '\\' && at < line.size()) c = Unescape(line, &at);
      value += c;
    }
    // NULL is recognised before escapes are: "\N" is not "\\N".
    if (line.substr(start, at - start) == options_.null_text) {
      fields->push_back(std::nullopt);
    } else {
      fields->push_back(std::move(value));
    }
    if (at >= line.size()) return;
    at++;
    if (at == line.size()) {
      fields->push_back(options_.null_text.empty() ? std::nullopt : std::optional<std::string>(""));
      return;
    }
  }
}

SqlStatus CopyParser::SplitCsv(ByteView line, CopyFields* fields) const {
  size_t at = 0;
  for (;;) {
    std::string value;
    bool quoted = false;
    bool in_quotes = false;
    while (at < line.size()) {
      char c = line[at];
      if (in_quotes) {
        bool escapes = c == options_.escape && at + 1 < line.size() &&
                       (line[at + 1] == options_.quote || line[at + 1] == options_.escape);
        if (escapes) {
          value += line[at + 1];
          at += 2;
          continue;
        }
        if (c == options_.quote) {
          in_quotes = false;
          at++;
          continue;
        }
      } else {
        if (c == options_.delimiter) break;
        if (c == options_.quote) {
          quoted = in_quotes = true;
          at++;
          continue;
        }
      }
      value += c;
      at++;
    }
    if (in_quotes) return BadFormat("unterminated CSV quoted field");
    if (!quoted && value == options_.null_text) {
      fields->push_back(std::nullopt);
    } else {
      fields->push_back(std::move(value));
    }
    if (at >= line.size()) return {};
    at++;
    if (at == line.size()) {
      fields->push_back(options_.null_text.empty() ? std::nullopt : std::optional<std::string>(""));
      return {};
    }
  }
}

SqlStatus CopyParser::TakeTuples() {
  if (!header_seen_) {
    constexpr size_t kHeaderBytes = 19;
    if (buffer_.size() < kHeaderBytes) return {};
    if (!buffer_.starts_with(kBinarySignature)) {
      return BadFormat("COPY file signature not recognized");
    }
    if ((GetU32BE(buffer_.data() + 11) >> 16) != 0) {
      return BadFormat("unrecognized critical flags in COPY file header");
    }
    size_t extension = GetU32BE(buffer_.data() + 15);
    if (extension > kRowBytesMax) return BadFormat("invalid COPY file header (wrong length)");
    if (buffer_.size() < kHeaderBytes + extension) return {};
    buffer_.erase(0, kHeaderBytes + extension);
    header_seen_ = true;
  }
  size_t done = 0;
  for (;;) {
    ByteReader in(ByteView(buffer_).substr(done));
    uint16_t count = __builtin_bswap16(in.U16());
    if (!in.ok()) break;
    if (count == 0xFFFF) {
      ended_ = true;
      break;
    }
    if (count != columns_) {
      return BadFormat("row field count is " + std::to_string(count) + ", expected " +
                       std::to_string(columns_));
    }
    CopyFields fields;
    for (size_t i = 0; i < columns_ && in.ok(); i++) {
      uint32_t length = in.U32BE();
      if (length == UINT32_MAX) {
        fields.push_back(std::nullopt);
        continue;
      }
      if (length > kRowBytesMax) return BadFormat("invalid field size");
      fields.emplace_back(std::string(in.Take(length)));
    }
    if (!in.ok()) break;  // not all there yet
    SQL_RETURN_IF_ERROR(on_row_(fields));
    line_++;
    done = buffer_.size() - in.left();
  }
  buffer_.erase(0, done);
  return {};
}

}  // namespace borealis::executor
