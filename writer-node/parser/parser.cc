#include "writer-node/parser/parser.h"

#include <algorithm>
#include <cstdlib>

// Last: it includes PostgreSQL's headers.
#include "writer-node/parser/convert.h"

namespace borealis::parser {
namespace {

// libpg_query keeps a parse's memory in a context of the calling thread.
class MemoryContext {
 public:
  MemoryContext() : context_(pg_query_enter_memory_context()) {}
  ~MemoryContext() { pg_query_exit_memory_context(context_); }
  MemoryContext(const MemoryContext&) = delete;
  MemoryContext& operator=(const MemoryContext&) = delete;

 private:
  void* context_;
};

// The length of the UTF-8 sequence that starts at p (valid, shortest form, no surrogate), or 0.
int SequenceLength(const unsigned char* p, size_t left) {
  const auto continues = [&](size_t i) { return i < left && (p[i] & 0xC0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xC2 && p[0] <= 0xDF) return continues(1) ? 2 : 0;
  if (p[0] >= 0xE0 && p[0] <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (p[0] == 0xE0 && p[1] < 0xA0) return 0;
    if (p[0] == 0xED && p[1] > 0x9F) return 0;
    return 3;
  }
  if (p[0] >= 0xF0 && p[0] <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;
    if (p[0] == 0xF4 && p[1] > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void CheckEncoding(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (size_t i = 0; i < text.size();) {
    const int length = p[i] == 0 ? 0 : SequenceLength(p + i, text.size() - i);
    if (length == 0) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "0x%02x", p[i]);
      Fail("22021", std::string("invalid byte sequence for encoding \"UTF8\": ") + hex,
           static_cast<int>(i));
    }
    i += length;
  }
}

// The grammar's errors come without their SQLSTATE. Nearly all are syntax errors; these are not.
const char* SqlstateOf(std::string_view message) {
  const auto has = [&](std::string_view part) {
    return message.find(part) != std::string_view::npos;
  };
  if (has("not yet implemented") || has("not supported") || has("not implemented")) return "0A000";
  if (has("memory exhausted") || has("stack depth")) return "54001";
  if (has("invalid Unicode escape")) return has("value") ? "42601" : "22025";
  if (has("unsafe use of \\'")) return "22P06";
  if (has("invalid byte sequence")) return "22021";
  if (has("interval precision") || has("precision for type")) return "22023";
  return "42601";
}

sql::SqlStatus StatusOf(const ParseFailure& failure, std::string_view text) {
  sql::SqlStatus status(failure.sqlstate, failure.message);
  status.set_hint(failure.hint);
  status.set_position(CharacterPosition(text, failure.location));
  return status;
}

sql::SqlStatus StatusOf(const ::PgQueryError& error) {
  sql::SqlStatus status(SqlstateOf(error.message), error.message);
  status.set_position(error.cursorpos);  // 1-based characters; 0 when unknown
  return status;
}

// Where a statement starts: after white space, comments and semicolons that the grammar counted in.
int SkipBlank(std::string_view text, int at) {
  const int end = static_cast<int>(text.size());
  while (at < end) {
    const char c = text[at];
    if (c == ' ' || (c >= '\t' && c <= '\r') || c == ';') {
      ++at;
    } else if (c == '-' && at + 1 < end && text[at + 1] == '-') {
      while (at < end && text[at] != '\n' && text[at] != '\r') ++at;
    } else if (c == '/' && at + 1 < end && text[at + 1] == '*') {
      int depth = 0;  // comments nest
      do {
        if (text.substr(at, 2) == "/*") {
          ++depth;
          at += 2;
        } else if (text.substr(at, 2) == "*/") {
          --depth;
          at += 2;
        } else {
          ++at;
        }
      } while (at < end && depth > 0);
    } else {
      break;
    }
  }
  return at;
}

ParsedStatement ConvertRaw(const ::RawStmt* raw, std::string_view text) {
  ParsedStatement out;
  const int end =
      raw->stmt_len == 0 ? static_cast<int>(text.size()) : raw->stmt_location + raw->stmt_len;
  out.location = SkipBlank(text, raw->stmt_location);
  std::string_view part = text.substr(out.location, end - out.location);
  while (!part.empty() && (part.back() == ' ' || (part.back() >= '\t' && part.back() <= '\r'))) {
    part.remove_suffix(1);
  }
  out.text = part;
  out.statement = Converter().Convert(raw->stmt);
  return out;
}

}  // namespace

int CharacterPosition(std::string_view text, int byte_offset) {
  if (byte_offset < 0) return 0;
  int position = 1;
  const size_t end = std::min(text.size(), static_cast<size_t>(byte_offset));
  for (size_t i = 0; i < end; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++position;
  }
  return position;
}

sql::SqlResult<std::vector<ParsedStatement>> Parse(std::string_view text) {
  const std::string terminated(text);
  try {
    CheckEncoding(text);
    MemoryContext context;
    const PgQueryInternalParsetreeAndError raw = pg_query_raw_parse(terminated.c_str());
    std::free(raw.stderr_buffer);
    if (raw.error != nullptr) {
      sql::SqlStatus status = StatusOf(*raw.error);
      pg_query_free_error(raw.error);
      return status;
    }
    std::vector<ParsedStatement> out;
    ForEach<::RawStmt>(As<::List>(raw.tree), [&](const ::RawStmt* statement) {
      out.push_back(ConvertRaw(statement, text));
    });
    return out;
  } catch (const ParseFailure& failure) {
    return StatusOf(failure, text);
  }
}

sql::SqlResult<ExprPtr> ParseExpression(std::string_view text) {
  auto parsed = Parse("SELECT " + std::string(text));
  if (!parsed.ok()) return parsed.status();
  if (parsed->size() == 1 && parsed->front().statement->kind == StatementKind::kSelect) {
    auto& select = static_cast<SelectStmt&>(*parsed->front().statement);
    if (select.targets.size() == 1 && select.targets[0].name.empty() && select.from.empty() &&
        select.where == nullptr && select.order_by.empty() && select.op == SetOp::kNone) {
      return std::move(select.targets[0].expr);
    }
  }
  return sql::SqlStatus("42601", "not a single expression: " + std::string(text));
}

}  // namespace borealis::parser
