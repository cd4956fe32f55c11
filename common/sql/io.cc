#include "common/sql/io.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "common/sql/io_time.h"
#include "common/sql/numeric.h"
#include "common/sql/session_context.h"

namespace borealis::sql {
namespace {

bool IsBlank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view Trimmed(std::string_view s) {
  while (!s.empty() && IsBlank(s.front())) s.remove_prefix(1);
  while (!s.empty() && IsBlank(s.back())) s.remove_suffix(1);
  return s;
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

SqlStatus BadSyntax(std::string_view type, std::string_view text) {
  return SqlStatus("22P02", "invalid input syntax for type " + std::string(type) + ": \"" +
                                std::string(text) + "\"");
}

SqlResult<Datum> IntInput(std::string_view text, int64_t low, int64_t high, std::string_view type) {
  std::string_view t = Trimmed(text);
  const char* begin = t.data();
  const char* end = t.data() + t.size();
  if (begin != end && *begin == '+' && end - begin > 1 && begin[1] != '-') ++begin;
  int64_t v = 0;
  const auto [rest, error] = std::from_chars(begin, end, v);
  if (error == std::errc::invalid_argument || rest != end) return BadSyntax(type, text);
  if (error == std::errc::result_out_of_range || v < low || v > high) {
    return SqlStatus("22003", "value \"" + std::string(text) + "\" is out of range for type " +
                                  std::string(type));
  }
  return Datum::Int(v);
}

SqlResult<Datum> BoolInput(std::string_view text) {
  const std::string t = Lower(Trimmed(text));
  const auto prefix = [&](std::string_view word, size_t least) {
    return t.size() >= least && t.size() <= word.size() && word.substr(0, t.size()) == t;
  };
  if (prefix("true", 1) || prefix("yes", 1) || t == "on" || t == "1") return Datum::Bool(true);
  if (prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || t == "0")
    return Datum::Bool(false);
  return BadSyntax("boolean", text);
}

SqlResult<Datum> FloatInput(std::string_view text, bool single) {
  const char* name = single ? "real" : "double precision";
  const std::string t(Trimmed(text));
  const std::string lower = Lower(t);
  if (t.empty() || lower.find('x') != std::string::npos || lower.find('(') != std::string::npos) {
    return BadSyntax(name, text);
  }
  char* end = nullptr;
  errno = 0;
  double v = std::strtod(t.c_str(), &end);
  if (*end != '\0') return BadSyntax(name, text);
  const bool word = lower.find_first_of("in") != std::string::npos;
  if (single && !word) {
    errno = 0;
    v = std::strtof(t.c_str(), &end);
  }
  if (errno == ERANGE && (std::isinf(v) || v == 0)) {
    return SqlStatus("22003", "\"" + t + "\" is out of range for type " + name);
  }
  return Datum::Double(v);
}

void FloatOutput(double v, bool single, int extra_digits, std::string* out) {
  if (std::isnan(v)) {
    *out += "NaN";
    return;
  }
  if (std::isinf(v)) {
    *out += v < 0 ? "-Infinity" : "Infinity";
    return;
  }
  char buffer[400];
  if (extra_digits <= 0) {
    const int digits = std::max(1, (single ? 6 : 15) + extra_digits);
    std::snprintf(buffer, sizeof(buffer), "%.*g", digits, v);
    *out += buffer;
    return;
  }
  // Shortest digits that read back the same; fixed notation for exponents -4 .. 14 (5 for real), as
  // PostgreSQL.
  const auto format =
      single ? std::to_chars(buffer, buffer + sizeof(buffer), static_cast<float>(v),
                             std::chars_format::scientific)
             : std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(format.ptr - buffer));
  const size_t e = text.rfind('e');
  const int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  if (v != 0 && (exponent < -4 || exponent >= (single ? 6 : 15))) {
    *out += text;
    return;
  }
  const auto fixed =
      single ? std::to_chars(buffer, buffer + sizeof(buffer), static_cast<float>(v),
                             std::chars_format::fixed)
             : std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::fixed);
  out->append(buffer, static_cast<size_t>(fixed.ptr - buffer));
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

SqlResult<Datum> ByteaInput(std::string_view text) {
  std::string out;
  if (text.substr(0, 2) == "\\x") {
    int high = -1;
    for (char c : text.substr(2)) {
      if (IsBlank(c) && high < 0) continue;
      const int v = HexValue(c);
      if (v < 0) {
        return SqlStatus("22023", "invalid hexadecimal digit: \"" + std::string(1, c) + "\"");
      }
      if (high < 0) {
        high = v;
      } else {
        out.push_back(static_cast<char>(high << 4 | v));
        high = -1;
      }
    }
    if (high >= 0) return SqlStatus("22023", "invalid hexadecimal data: odd number of digits");
    return Datum::String(out);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      out.push_back('\\');
      ++i;
    } else if (i + 3 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '3' &&
               text[i + 2] >= '0' && text[i + 2] <= '7' && text[i + 3] >= '0' &&
               text[i + 3] <= '7') {
      out.push_back(static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      return SqlStatus("22P02", "invalid input syntax for type bytea");
    }
  }
  return Datum::String(out);
}

SqlResult<Datum> StringInput(Type type, std::string_view text) {
  if (!IsValidText(text)) {
    return SqlStatus("22021", "invalid byte sequence for encoding \"UTF8\"");
  }
  switch (type.oid) {
    case oid::kVarchar:
    case oid::kBpchar:
      return type.typmod >= 4 ? ApplyTypmod(type, Datum::String(text), false) : Datum::String(text);
    case oid::kName:
      return Datum::String(text.substr(0, 63));
    case oid::kChar:
      return Datum::String(text.substr(0, 1));
    default:
      return Datum::String(text);
  }
}

// "a"."b" or a.b, folded as SQL does.
std::vector<std::string> SplitName(std::string_view text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"') {
        parts.back() += '"';
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (c == '.' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back() += !quoted && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
  }
  return parts;
}

SqlResult<Datum> RegInput(TypeOid type, std::string_view text, const IoContext& io) {
  const std::string_view t = Trimmed(text);
  if (t == "-") return Datum::Int(0);
  if (!t.empty() && t.find_first_not_of("0123456789") == std::string_view::npos) {
    return IntInput(t, 0, UINT32_MAX, "oid");
  }
  const std::vector<std::string> name = SplitName(t);
  std::optional<uint32_t> found;
  std::string what;
  std::string_view state = "42704";
  if (type == oid::kRegtype) {
    const TypeInfo* info = FindType(std::string_view(name.back()));
    if (info == nullptr) {
      for (const TypeInfo& each : AllTypes()) {
        if (FormatType(each.oid) == t) info = &each;
      }
    }
    if (info != nullptr) found = info->oid;
    what = "type";
  } else if (io.session == nullptr) {
    return FeatureNotSupported("a name of an object here");
  } else if (type == oid::kRegclass) {
    found = io.session->FindRelation(name);
    what = "relation";
    state = "42P01";
  } else if (type == oid::kRegrole) {
    found = io.session->FindRole(name.back());
    what = "role";
  } else if (type == oid::kRegnamespace) {
    found = io.session->FindSchema(name.back());
    what = "schema";
    state = "3F000";
  } else {
    return FeatureNotSupported("input of type " + FormatType(type));
  }
  if (!found) {
    return SqlStatus(state, what + " \"" + std::string(t) + "\" does not exist");
  }
  return Datum::Int(*found);
}

void RegOutput(TypeOid type, int64_t value, std::string* out, const IoContext& io) {
  const auto id = static_cast<uint32_t>(value);
  std::optional<std::string> name;
  if (id == 0) {
    *out += '-';
    return;
  }
  if (type == oid::kRegtype && FindType(id) != nullptr) name = FormatType(id);
  if (io.session != nullptr) {
    if (type == oid::kRegclass) {
      if (auto relation = io.session->FindRelationName(id)) {
        name = QuoteIdentifier(relation->name);
        if (!relation->visible) name = QuoteIdentifier(relation->schema) + "." + *name;
      }
    } else if (type == oid::kRegrole) {
      name = io.session->RoleName(id);
    } else if (type == oid::kRegnamespace) {
      name = io.session->SchemaName(id);
    }
  }
  *out += name ? *name : std::to_string(id);
}

// ---- arrays: {a,"b c",NULL}; vectors: a b c
SqlResult<Datum> ArrayInput(const TypeInfo& info, Type type, std::string_view text,
                            const IoContext& io) {
  const Type element{info.element, type.typmod};
  std::vector<Datum> elements;
  const auto bad = [&](const char* detail) {
    return SqlStatus("22P02", "malformed array literal: \"" + std::string(text) + "\"")
        .WithDetail(detail);
  };
  if (type.oid == oid::kInt2Vector || type.oid == oid::kOidVector) {
    for (std::string_view rest = Trimmed(text); !rest.empty(); rest = Trimmed(rest)) {
      size_t n = 0;
      while (n < rest.size() && !IsBlank(rest[n])) ++n;
      SQL_ASSIGN_OR_RETURN(Datum value, TextInput(element, rest.substr(0, n), io));
      elements.push_back(std::move(value));
      rest.remove_prefix(n);
    }
    return Datum::Array(info.element, std::move(elements));
  }
  const std::string_view t = Trimmed(text);
  if (t.size() < 2 || t.front() != '{' || t.back() != '}') {
    return bad("Array value must start with \"{\" or dimension information.");
  }
  size_t i = 1;
  const size_t end = t.size() - 1;
  while (i < end && IsBlank(t[i])) ++i;
  bool more = i < end;
  while (more) {
    while (i < end && IsBlank(t[i])) ++i;
    std::string item;
    bool quoted = false;
    if (i < end && t[i] == '{') return FeatureNotSupported("an array of several dimensions");
    if (i < end && t[i] == '"') {
      quoted = true;
      for (++i; i < end && t[i] != '"'; ++i) {
        if (t[i] == '\\' && i + 1 < end) ++i;
        item += t[i];
      }
      if (i >= end) return bad("Unexpected array element.");
      ++i;
      while (i < end && IsBlank(t[i])) ++i;
    } else {
      while (i < end && t[i] != ',') {
        if (t[i] == '{' || t[i] == '}' || t[i] == '"') return bad("Unexpected array element.");
        if (t[i] == '\\' && i + 1 < end) ++i;
        item += t[i++];
      }
      item = std::string(Trimmed(item));
      if (item.empty()) return bad("Unexpected \",\" character.");
    }
    if (!quoted && Lower(item) == "null") {
      elements.emplace_back();
    } else {
      SQL_ASSIGN_OR_RETURN(Datum value, TextInput(element, item, io));
      elements.push_back(std::move(value));
    }
    more = i < end;
    if (more && t[i] != ',') return bad("Unexpected array element.");
    ++i;
  }
  return Datum::Array(info.element, std::move(elements));
}

void ArrayOutput(Type type, const ArrayValue& array, std::string* out, const IoContext& io) {
  const bool vector = type.oid == oid::kInt2Vector || type.oid == oid::kOidVector;
  if (!vector) *out += '{';
  bool first = true;
  for (const Datum& e : array.elements) {
    if (!first) *out += vector ? ' ' : ',';
    first = false;
    if (e.is_null()) {
      *out += "NULL";
      continue;
    }
    const std::string item = ToText({array.element, -1}, e, io);
    const bool quote = item.empty() || Lower(item) == "null" ||
                       item.find_first_of("{},\"\\ \t\n\r\v\f") != std::string::npos;
    if (!quote) {
      *out += item;
      continue;
    }
    *out += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') *out += '\\';
      *out += c;
    }
    *out += '"';
  }
  if (!vector) *out += '}';
}

}  // namespace

SqlResult<Datum> TextInput(Type type, std::string_view text, const IoContext& io) {
  switch (type.oid) {
    case oid::kBool:
      return BoolInput(text);
    case oid::kInt2:
      return IntInput(text, INT16_MIN, INT16_MAX, "smallint");
    case oid::kInt4:
      return IntInput(text, INT32_MIN, INT32_MAX, "integer");
    case oid::kInt8:
      return IntInput(text, INT64_MIN, INT64_MAX, "bigint");
    case oid::kOid:
      return IntInput(text, INT32_MIN, UINT32_MAX, "oid");
    case oid::kXid:
      return IntInput(text, 0, UINT32_MAX, "xid");
    case oid::kXid8:
      return IntInput(text, 0, INT64_MAX, "xid8");
    case oid::kFloat4:
      return FloatInput(text, true);
    case oid::kFloat8:
      return FloatInput(text, false);
    case oid::kNumeric: {
      SQL_ASSIGN_OR_RETURN(Numeric value, Numeric::Parse(text));
      if (type.typmod >= 4) {
        SQL_ASSIGN_OR_RETURN(value, value.ApplyTypmod(type.typmod));
      }
      return Datum::Of(value);
    }
    case oid::kDate:
    case oid::kTimestamp:
    case oid::kTimestamptz:
      return DateTimeInput(type, text, io.now_micros);
    case oid::kTime:
      return TimeInput(text);
    case oid::kInterval:
      return IntervalInput(text);
    case oid::kBytea:
      return ByteaInput(text);
    case oid::kRegclass:
    case oid::kRegtype:
    case oid::kRegproc:
    case oid::kRegrole:
    case oid::kRegnamespace:
      return RegInput(type.oid, text, io);
    case oid::kText:
    case oid::kVarchar:
    case oid::kBpchar:
    case oid::kName:
    case oid::kChar:
    case oid::kPgNodeTree:
    case oid::kAclItem:
    case oid::kUnknown:
      return StringInput(type, text);
    case oid::kVoid:
      return Datum::String("");
    default:
      break;
  }
  const TypeInfo* info = FindType(type.oid);
  if (info != nullptr && info->element != 0) return ArrayInput(*info, type, text, io);
  return SqlStatus("0A000", "cannot accept a value of type " + FormatType(type.oid));
}

void TextOutput(Type type, const Datum& value, std::string* out, const IoContext& io) {
  switch (value.kind()) {
    case DatumKind::kNull:
      return;
    case DatumKind::kBool:
      *out += value.bool_value() ? 't' : 'f';
      return;
    case DatumKind::kDouble:
      return FloatOutput(value.double_value(), type.oid == oid::kFloat4, io.extra_float_digits,
                         out);
    case DatumKind::kNumeric:
      *out += value.numeric_value().ToString();
      return;
    case DatumKind::kArray:
      return ArrayOutput(type, value.array_value(), out, io);
    case DatumKind::kString:
      if (type.oid == oid::kBytea) {
        *out += "\\x";
        *out += ToHex(value.string_value());
      } else if (type.oid == oid::kInterval) {
        IntervalOutput(ToInterval(value), out);
      } else {
        *out += value.string_value();
      }
      return;
    case DatumKind::kInt:
      break;
  }
  switch (type.oid) {
    case oid::kDate:
    case oid::kTime:
    case oid::kTimestamp:
    case oid::kTimestamptz:
      return DateTimeOutput(type.oid, value.int_value(), out);
    case oid::kRegclass:
    case oid::kRegtype:
    case oid::kRegproc:
    case oid::kRegrole:
    case oid::kRegnamespace:
      return RegOutput(type.oid, value.int_value(), out, io);
    default: {
      char buffer[24];
      const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value.int_value());
      out->append(buffer, static_cast<size_t>(end.ptr - buffer));
    }
  }
}

std::string ToText(Type type, const Datum& value, const IoContext& io) {
  std::string out;
  TextOutput(type, value, &out, io);
  return out;
}

SqlResult<Datum> ApplyTypmod(Type type, Datum value, bool explicit_cast) {
  if (value.is_null() || type.typmod < 0) return value;
  switch (type.oid) {
    case oid::kNumeric: {
      SQL_ASSIGN_OR_RETURN(Numeric n, value.numeric_value().ApplyTypmod(type.typmod));
      return Datum::Of(n);
    }
    case oid::kTimestamp:
    case oid::kTimestamptz: {
      if (type.typmod >= 6) return value;
      int64_t unit = 1;
      for (int i = type.typmod; i < 6; ++i) unit *= 10;
      const int64_t v = value.int_value();
      if (v == kTimestampInfinity || v == kTimestampMinusInfinity) return value;
      const int64_t rest = ((v % unit) + unit) % unit;
      return Datum::Int(rest * 2 >= unit ? v - rest + unit : v - rest);
    }
    case oid::kVarchar:
    case oid::kBpchar:
      break;
    default: {
      const TypeInfo* info = FindType(type.oid);
      if (info == nullptr || info->element == 0) return value;
      std::vector<Datum> elements = value.array_value().elements;
      for (Datum& e : elements) {
        SQL_ASSIGN_OR_RETURN(e, ApplyTypmod({info->element, type.typmod}, e, explicit_cast));
      }
      return Datum::Array(info->element, std::move(elements));
    }
  }
  const auto limit = static_cast<size_t>(TypmodLength(type.typmod));
  const std::string_view text = value.string_value();
  const size_t length =
      text.size() <= limit && type.oid == oid::kVarchar ? text.size() : Utf8Length(text);
  if (length > limit) {
    const size_t cut = Utf8Offset(text, limit);
    if (!explicit_cast && text.find_first_not_of(' ', cut) != std::string_view::npos) {
      return SqlStatus("22001", "value too long for type " + FormatType(type.oid, type.typmod));
    }
    return Datum::String(text.substr(0, cut));
  }
  if (type.oid == oid::kBpchar && length < limit) {
    std::string padded(text);
    padded.append(limit - length, ' ');
    return Datum::String(padded);
  }
  return value;
}

size_t Utf8Length(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

size_t Utf8Offset(std::string_view text, size_t characters) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (characters-- == 0) return at;
  }
  return at;
}

bool IsValidText(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0) return false;
    if (c < 0x80) {
      ++i;
      continue;
    }
    const int extra = c >= 0xF0 && c <= 0xF4  ? 3
                      : c >= 0xE0 && c < 0xF0 ? 2
                      : c >= 0xC2 && c < 0xE0 ? 1
                                              : 0;
    if (extra == 0 || i + extra >= text.size()) return false;
    for (int k = 1; k <= extra; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
        (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += extra + 1;
  }
  return true;
}

std::string QuoteIdentifier(std::string_view name) {
  // Words that PostgreSQL reserves: unquoted they would not read back as a name.
  static constexpr std::string_view kReserved[] = {"all",          "analyse",
                                                   "analyze",      "and",
                                                   "any",          "array",
                                                   "as",           "asc",
                                                   "both",         "case",
                                                   "cast",         "check",
                                                   "collate",      "column",
                                                   "constraint",   "create",
                                                   "current_date", "current_role",
                                                   "current_time", "current_timestamp",
                                                   "current_user", "default",
                                                   "deferrable",   "desc",
                                                   "distinct",     "do",
                                                   "else",         "end",
                                                   "except",       "false",
                                                   "fetch",        "for",
                                                   "foreign",      "from",
                                                   "grant",        "group",
                                                   "having",       "in",
                                                   "initially",    "intersect",
                                                   "into",         "lateral",
                                                   "leading",      "limit",
                                                   "localtime",    "localtimestamp",
                                                   "not",          "null",
                                                   "offset",       "on",
                                                   "only",         "or",
                                                   "order",        "placing",
                                                   "primary",      "references",
                                                   "returning",    "select",
                                                   "session_user", "some",
                                                   "symmetric",    "table",
                                                   "then",         "to",
                                                   "trailing",     "true",
                                                   "union",        "unique",
                                                   "user",         "using",
                                                   "variadic",     "when",
                                                   "where",        "window",
                                                   "with",         "between",
                                                   "bigint",       "bit",
                                                   "boolean",      "char",
                                                   "character",    "coalesce",
                                                   "dec",          "decimal",
                                                   "exists",       "extract",
                                                   "float",        "greatest",
                                                   "inout",        "int",
                                                   "integer",      "interval",
                                                   "least",        "national",
                                                   "nchar",        "none",
                                                   "nullif",       "numeric",
                                                   "out",          "overlay",
                                                   "position",     "precision",
                                                   "real",         "row",
                                                   "setof",        "smallint",
                                                   "substring",    "time",
                                                   "timestamp",    "treat",
                                                   "trim",         "values",
                                                   "varchar"};
  bool plain = !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_');
  for (char c : name) {
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  }
  for (std::string_view word : kReserved) plain = plain && word != name;
  if (plain) return std::string(name);
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string QuoteLiteral(std::string_view text) {
  std::string out = text.find('\\') == std::string_view::npos ? "'" : "E'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

}  // namespace borealis::sql
