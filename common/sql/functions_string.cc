// Functions of text and bytea.
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

// What one call may make: keeps repeat() and its like from taking all memory.
constexpr size_t kResultBytesMax = 256u << 20;
SqlStatus TooLong() {
  return SqlStatus("54000", "requested length too large");
}

SqlStatus PutText(std::string_view v, Datum* out) {
  *out = Datum::String(v);
  return {};
}

std::string MapAscii(std::string_view s, bool upper) {
  std::string out(s);
  for (char& c : out) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// Characters [start, start + count) counted from 1, as substring() has it; bytes for bytea.
SqlStatus Substring(std::string_view s, int64_t start, std::optional<int64_t> count, bool bytes,
                    Datum* out) {
  if (count && *count < 0) return SqlStatus("22011", "negative substring length not allowed");
  const auto length = static_cast<int64_t>(bytes ? s.size() : Utf8Length(s));
  int64_t end = length + 1;
  if (count && !__builtin_add_overflow(start, *count, &end)) end = std::min(end, length + 1);
  start = std::max<int64_t>(start, 1);
  if (end <= start) return PutText("", out);
  const size_t from = bytes ? start - 1 : Utf8Offset(s, start - 1);
  const size_t to = bytes ? end - 1 : Utf8Offset(s, end - 1);
  return PutText(s.substr(from, to - from), out);
}

SqlStatus SubstringText(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  return Substring(a[0].string_value(), a[1].int_value(),
                   n > 2 ? std::optional<int64_t>(a[2].int_value()) : std::nullopt,
                   call.function.args[0] == kBytea, out);
}

std::string_view Trim(std::string_view s, std::string_view set, bool left, bool right) {
  // Whole characters of the set, which may be longer than a byte.
  const auto in_set = [&](std::string_view c) { return set.find(c) != std::string_view::npos; };
  while (left && !s.empty()) {
    const size_t n = Utf8Offset(s, 1);
    if (!in_set(s.substr(0, n))) break;
    s.remove_prefix(n);
  }
  while (right && !s.empty()) {
    size_t n = s.size() - 1;
    while (n > 0 && (static_cast<unsigned char>(s[n]) & 0xC0) == 0x80) --n;
    if (!in_set(s.substr(n))) break;
    s.remove_suffix(s.size() - n);
  }
  return s;
}

template <bool left, bool right>
SqlStatus TrimText(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  return PutText(Trim(a[0].string_value(), n > 1 ? a[1].string_value() : " ", left, right), out);
}

SqlStatus Pad(const Datum* a, size_t n, bool left, Datum* out) {
  const std::string_view s = a[0].string_value();
  const std::string_view fill = n > 2 ? a[2].string_value() : " ";
  const int64_t want = std::max<int64_t>(a[1].int_value(), 0);
  const auto have = static_cast<int64_t>(Utf8Length(s));
  if (have >= want) return PutText(s.substr(0, Utf8Offset(s, want)), out);
  if (fill.empty()) return PutText(s, out);
  if (static_cast<size_t>(want) > kResultBytesMax / 4) return TooLong();
  std::string padding;
  int64_t left_over = want - have;
  const auto fill_length = static_cast<int64_t>(Utf8Length(fill));
  for (; left_over >= fill_length; left_over -= fill_length) padding += fill;
  padding += fill.substr(0, Utf8Offset(fill, left_over));
  return PutText(left ? padding + std::string(s) : std::string(s) + padding, out);
}

SqlStatus Position(std::string_view haystack, std::string_view needle, Datum* out) {
  const size_t at = haystack.find(needle);
  *out = Datum::Int(at == std::string_view::npos
                        ? 0
                        : static_cast<int64_t>(Utf8Length(haystack.substr(0, at))) + 1);
  return {};
}

std::string Digest(std::string_view bytes, const EVP_MD* kind) {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), raw, &size, kind, nullptr) != 1) return "";
  return {reinterpret_cast<char*>(raw), size};
}

// Arguments of any type as text; null ones are skipped. (concat's output of bool is t and f.)
std::string ConcatArgs(CallInfo& call, const Datum* a, size_t from, size_t n,
                       std::string_view separator) {
  std::string out;
  bool first = true;
  for (size_t i = from; i < n; ++i) {
    if (a[i].is_null()) continue;
    if (!first) out += separator;
    first = false;
    TextOutput(call.args[i]->type, a[i], &out, IoOf(call.context));
  }
  return out;
}

SqlStatus Format(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  if (a[0].is_null()) return {};
  const std::string_view f = a[0].string_value();
  std::string text;
  size_t next = 1;
  for (size_t i = 0; i < f.size(); ++i) {
    if (f[i] != '%') {
      text += f[i];
      continue;
    }
    if (++i >= f.size()) return SqlStatus("22023", "unterminated format() type specifier");
    if (f[i] == '%') {
      text += '%';
      continue;
    }
    size_t digits = i;
    size_t position = 0;
    while (digits < f.size() && f[digits] >= '0' && f[digits] <= '9' && position < 100000) {
      position = position * 10 + static_cast<size_t>(f[digits++] - '0');
    }
    if (digits < f.size() && f[digits] == '$' && position > 0) {
      next = position;
      i = digits + 1;
    }
    if (i >= f.size()) return SqlStatus("22023", "unterminated format() type specifier");
    if (next >= n) return SqlStatus("22023", "too few arguments for format()");
    const Datum& value = a[next];
    const std::string item =
        value.is_null() ? "" : ToText(call.args[next]->type, value, IoOf(call.context));
    switch (f[i]) {
      case 's':
        text += item;
        break;
      case 'I':
        if (value.is_null())
          return SqlStatus("22004", "null values cannot be formatted as an SQL identifier");
        text += QuoteIdentifier(item);
        break;
      case 'L':
        text += value.is_null() ? "NULL" : QuoteLiteral(item);
        break;
      default:
        return SqlStatus("22023",
                         "unrecognized format() type specifier \"" + std::string(1, f[i]) + "\"");
    }
    ++next;
  }
  return PutText(text, out);
}

SqlStatus Concat(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  return PutText(std::string(a[0].string_value()) + std::string(a[1].string_value()), out);
}

void AddBasics(RegistryBuilder* b) {
  for (const char* name : {"length", "char_length", "character_length"}) {
    for (TypeOid type : {kText, kBpchar}) {
      b->Add(
          name, {type}, kInt4, SQL_BODY {
            std::string_view s = a[0].string_value();
            if (call.function.args[0] == kBpchar) s = Trim(s, " ", false, true);
            *out = Datum::Int(static_cast<int64_t>(Utf8Length(s)));
            return {};
          });
    }
  }
  for (TypeOid type : {kText, kBytea, kBpchar}) {
    b->Add(
        "octet_length", {type}, kInt4, SQL_BODY {
          *out = Datum::Int(static_cast<int64_t>(a[0].string_value().size()));
          return {};
        });
  }
  b->Add(
      "length", {kBytea}, kInt4, SQL_BODY {
        *out = Datum::Int(static_cast<int64_t>(a[0].string_value().size()));
        return {};
      });
  b->Add(
      "lower", {kText}, kText,
      SQL_BODY { return PutText(MapAscii(a[0].string_value(), false), out); });
  b->Add(
      "upper", {kText}, kText,
      SQL_BODY { return PutText(MapAscii(a[0].string_value(), true), out); });
  b->Add(
      "initcap", {kText}, kText, SQL_BODY {
        std::string s = MapAscii(a[0].string_value(), false);
        bool start = true;
        for (char& c : s) {
          if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
          start = !(std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0);
        }
        return PutText(s, out);
      });
  for (const char* name : {"substr", "substring"}) {
    for (TypeOid type : {kText, kBytea}) {
      b->Add(name, {type, kInt4, kInt4}, type, SubstringText).defaults = 1;
    }
  }
  for (const char* name : {"position", "strpos"}) {
    b->Add(
        name, {kText, kText}, kInt4,
        SQL_BODY { return Position(a[0].string_value(), a[1].string_value(), out); });
  }
  b->Add("btrim", {kText, kText}, kText, TrimText<true, true>).defaults = 1;
  b->Add("ltrim", {kText, kText}, kText, TrimText<true, false>).defaults = 1;
  b->Add("rtrim", {kText, kText}, kText, TrimText<false, true>).defaults = 1;
  b->Add(
       "lpad", {kText, kInt4, kText}, kText, SQL_BODY { return Pad(a, n, true, out); })
      .defaults = 1;
  b->Add(
       "rpad", {kText, kInt4, kText}, kText, SQL_BODY { return Pad(a, n, false, out); })
      .defaults = 1;
  b->Add(
      "left", {kText, kInt4}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value();
        int64_t count = a[1].int_value();
        if (count < 0) count = std::max<int64_t>(0, static_cast<int64_t>(Utf8Length(s)) + count);
        return PutText(s.substr(0, Utf8Offset(s, count)), out);
      });
  b->Add(
      "right", {kText, kInt4}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value();
        const auto length = static_cast<int64_t>(Utf8Length(s));
        const int64_t count = a[1].int_value();
        const int64_t skip =
            count < 0 ? std::min(-count, length) : std::max<int64_t>(0, length - count);
        return PutText(s.substr(Utf8Offset(s, skip)), out);
      });
  b->Add(
      "repeat", {kText, kInt4}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value();
        const int64_t count = std::max<int64_t>(0, a[1].int_value());
        if (!s.empty() && static_cast<size_t>(count) > kResultBytesMax / s.size()) return TooLong();
        std::string text;
        text.reserve(s.size() * count);
        for (int64_t i = 0; i < count && !s.empty(); ++i) text += s;
        return PutText(text, out);
      });
  b->Add(
      "reverse", {kText}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value();
        std::string text;
        for (size_t end = s.size(); end > 0;) {
          size_t start = end - 1;
          while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xC0) == 0x80) --start;
          text += s.substr(start, end - start);
          end = start;
        }
        return PutText(text, out);
      });
  b->Add(
      "replace", {kText, kText, kText}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value(), from = a[1].string_value(),
                               to = a[2].string_value();
        if (from.empty()) return PutText(s, out);
        std::string text;
        size_t at = 0;
        for (size_t hit; (hit = s.find(from, at)) != std::string_view::npos;
             at = hit + from.size()) {
          text += s.substr(at, hit - at);
          text += to;
          if (text.size() > kResultBytesMax) return TooLong();
        }
        text += s.substr(at);
        return PutText(text, out);
      });
  b->Add(
      "translate", {kText, kText, kText}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value(), from = a[1].string_value(),
                               to = a[2].string_value();
        std::string text;
        for (char c : s) {
          const size_t at = from.find(c);
          if (at == std::string_view::npos)
            text += c;
          else if (at < to.size())
            text += to[at];
        }
        return PutText(text, out);
      });
  b->Add(
      "split_part", {kText, kText, kInt4}, kText, SQL_BODY {
        const std::string_view s = a[0].string_value(), by = a[1].string_value();
        int64_t field = a[2].int_value();
        if (field == 0) return SqlStatus("22023", "field position must not be zero");
        std::vector<std::string_view> parts;
        size_t at = 0;
        for (size_t hit; !by.empty() && (hit = s.find(by, at)) != std::string_view::npos;
             at = hit + by.size()) {
          parts.push_back(s.substr(at, hit - at));
        }
        parts.push_back(s.substr(at));
        if (field < 0) field += static_cast<int64_t>(parts.size()) + 1;
        if (field < 1 || field > static_cast<int64_t>(parts.size())) return PutText("", out);
        return PutText(parts[field - 1], out);
      });
  b->Add(
      "starts_with", {kText, kText}, kBool, SQL_BODY {
        *out = Datum::Bool(a[0].string_value().substr(0, a[1].string_value().size()) ==
                           a[1].string_value());
        return {};
      });
}

void AddMore(RegistryBuilder* b) {
  for (TypeOid type : {kText, kBytea}) {
    b->Add(
        "md5", {type}, kText,
        SQL_BODY { return PutText(ToHex(Digest(a[0].string_value(), EVP_md5())), out); });
  }
  b->Add(
      "sha256", {kBytea}, kBytea,
      SQL_BODY { return PutText(Digest(a[0].string_value(), EVP_sha256()), out); });
  b->Add(
      "ascii", {kText}, kInt4, SQL_BODY {
        const std::string_view s = a[0].string_value();
        *out = Datum::Int(s.empty() ? 0 : static_cast<unsigned char>(s[0]));
        return {};
      });
  b->Add(
      "chr", {kInt4}, kText, SQL_BODY {
        const int64_t c = a[0].int_value();
        if (c <= 0)
          return SqlStatus("54000", c == 0 ? "null character not permitted"
                                           : "character number must be positive");
        if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
          return SqlStatus("54000",
                           "requested character not valid for encoding: " + std::to_string(c));
        }
        std::string s;
        const auto u = static_cast<uint32_t>(c);
        if (u < 0x80) {
          s += static_cast<char>(u);
        } else {
          const int extra = u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;
          static constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
          s += static_cast<char>(kLead[extra] | (u >> (6 * extra)));
          for (int i = extra; i-- > 0;) s += static_cast<char>(0x80 | ((u >> (6 * i)) & 0x3F));
        }
        return PutText(s, out);
      });
  b->Add(
      "to_hex", {kInt8}, kText, SQL_BODY {
        char buffer[24];
        const auto end =
            std::to_chars(buffer, buffer + 24, static_cast<uint64_t>(a[0].int_value()), 16);
        return PutText({buffer, static_cast<size_t>(end.ptr - buffer)}, out);
      });
  b->Add(
      "to_hex", {kInt4}, kText, SQL_BODY {
        char buffer[24];
        const auto end =
            std::to_chars(buffer, buffer + 24, static_cast<uint32_t>(a[0].int_value()), 16);
        return PutText({buffer, static_cast<size_t>(end.ptr - buffer)}, out);
      });
  b->Stable(
      "concat", {kAny}, kText, SQL_BODY { return PutText(ConcatArgs(call, a, 0, n, ""), out); });
  b->functions.back().variadic = true;
  b->functions.back().strict = false;
  b->Stable(
      "concat_ws", {kText, kAny}, kText, SQL_BODY {
        if (a[0].is_null()) return {};
        return PutText(ConcatArgs(call, a, 1, n, a[0].string_value()), out);
      });
  b->functions.back().variadic = true;
  b->functions.back().strict = false;
  b->Stable("format", {kText}, kText, Format).strict = false;
  b->Stable("format", {kText, kAny}, kText, Format).variadic = true;
  b->functions.back().strict = false;
  b->Add(
      "quote_ident", {kText}, kText,
      SQL_BODY { return PutText(QuoteIdentifier(a[0].string_value()), out); });
  b->Add(
      "quote_literal", {kText}, kText,
      SQL_BODY { return PutText(QuoteLiteral(a[0].string_value()), out); });
  b->Add(
       "quote_nullable", {kText}, kText,
       SQL_BODY {
         return PutText(a[0].is_null() ? "NULL" : QuoteLiteral(a[0].string_value()), out);
       })
      .strict = false;
  b->Add(
      "encode", {kBytea, kText}, kText, SQL_BODY {
        const std::string_view how = a[1].string_value(), s = a[0].string_value();
        if (how == "hex") return PutText(ToHex(s), out);
        if (how != "base64")
          return SqlStatus("22023", "unrecognized encoding: \"" + std::string(how) + "\"");
        std::string text(4 * (s.size() / 3 + 1) + 1, '\0');
        const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                         reinterpret_cast<const unsigned char*>(s.data()),
                                         static_cast<int>(s.size()));
        return PutText(std::string_view(text).substr(0, size), out);
      });
  b->Add(
      "decode", {kText, kText}, kBytea, SQL_BODY {
        if (a[1].string_value() != "hex") {
          return FeatureNotSupported("decode from \"" + std::string(a[1].string_value()) + "\"");
        }
        SQL_ASSIGN_OR_RETURN(*out,
                             TextInput({kBytea, -1}, "\\x" + std::string(a[0].string_value())));
        return {};
      });
  b->Op("||", "textcat", {kText, kText}, kText, Concat);
  b->Op("||", "byteacat", {kBytea, kBytea}, kBytea, Concat);
  // Anything joined to a text is taken as text.
  b->Op(
       "||", "textanycat", {kText, kAnyNonArray}, kText,
       SQL_BODY {
         return PutText(std::string(a[0].string_value()) +
                            ToText(call.args[1]->type, a[1], IoOf(call.context)),
                        out);
       })
      .volatility = Volatility::kStable;
  b->Op(
       "||", "anytextcat", {kAnyNonArray, kText}, kText,
       SQL_BODY {
         return PutText(ToText(call.args[0]->type, a[0], IoOf(call.context)) +
                            std::string(a[1].string_value()),
                        out);
       })
      .volatility = Volatility::kStable;
}

void AddArrays(RegistryBuilder* b) {
  b->Stable(
       "array_to_string", {kAnyArray, kText, kText}, kText,
       SQL_BODY {
         if (a[0].is_null() || a[1].is_null()) return {};
         const ArrayValue& array = a[0].array_value();
         std::string text;
         bool first = true;
         for (const Datum& e : array.elements) {
           if (e.is_null() && (n < 3 || a[2].is_null())) continue;
           if (!first) text += a[1].string_value();
           first = false;
           if (e.is_null())
             text += a[2].string_value();
           else
             TextOutput({array.element, -1}, e, &text, IoOf(call.context));
         }
         return PutText(text, out);
       })
      .defaults = 1;
  b->functions.back().strict = false;
  b->Add(
       "string_to_array", {kText, kText}, kTextArray,
       SQL_BODY {
         if (a[0].is_null()) return {};
         const std::string_view s = a[0].string_value();
         std::vector<Datum> parts;
         if (a[1].is_null()) {
           for (size_t at = 0; at < s.size();) {
             const size_t next = at + Utf8Offset(s.substr(at), 1);
             parts.push_back(Datum::String(s.substr(at, next - at)));
             at = next;
           }
         } else if (!s.empty()) {
           const std::string_view by = a[1].string_value();
           size_t at = 0;
           for (size_t hit; !by.empty() && (hit = s.find(by, at)) != std::string_view::npos;
                at = hit + by.size()) {
             parts.push_back(Datum::String(s.substr(at, hit - at)));
           }
           parts.push_back(Datum::String(s.substr(at)));
         }
         *out = Datum::Array(kText, std::move(parts));
         return {};
       })
      .strict = false;
  for (const char* name : {"array_length", "array_upper", "array_lower"}) {
    b->Add(
        name, {kAnyArray, kInt4}, kInt4, SQL_BODY {
          const auto size = static_cast<int64_t>(a[0].array_value().elements.size());
          if (a[1].int_value() != 1 || size == 0) return {};
          *out = Datum::Int(call.function.name == "array_lower" ? 1 : size);
          return {};
        });
  }
  b->Add(
      "cardinality", {kAnyArray}, kInt4, SQL_BODY {
        *out = Datum::Int(static_cast<int64_t>(a[0].array_value().elements.size()));
        return {};
      });
  b->Add(
       "array_position", {kAnyArray, kAnyElement}, kInt4,
       SQL_BODY {
         if (a[0].is_null()) return {};
         const auto& elements = a[0].array_value().elements;
         for (size_t i = 0; i < elements.size(); ++i) {
           if (!NotDistinct(elements[i], a[1])) continue;
           *out = Datum::Int(static_cast<int64_t>(i) + 1);
           return {};
         }
         return {};
       })
      .strict = false;
  b->Add(
       "array_append", {kAnyArray, kAnyElement}, kAnyArray,
       SQL_BODY {
         std::vector<Datum> elements;
         if (!a[0].is_null()) elements = a[0].array_value().elements;
         elements.push_back(a[1]);
         const TypeInfo* info = FindType(call.result.oid);
         *out = Datum::Array(info != nullptr ? info->element : kText, std::move(elements));
         return {};
       })
      .strict = false;
  b->Op(
       "||", "array_cat", {kAnyArray, kAnyArray}, kAnyArray,
       SQL_BODY {
         if (a[0].is_null() || a[1].is_null()) {
           *out = a[0].is_null() ? a[1] : a[0];
           return {};
         }
         std::vector<Datum> elements = a[0].array_value().elements;
         for (const Datum& e : a[1].array_value().elements) elements.push_back(e);
         *out = Datum::Array(a[0].array_value().element, std::move(elements));
         return {};
       })
      .strict = false;
  b->Op(
      "@>", "arraycontains", {kAnyArray, kAnyArray}, kBool, SQL_BODY {
        for (const Datum& want : a[1].array_value().elements) {
          bool found = false;
          for (const Datum& have : a[0].array_value().elements) {
            found = found || (!want.is_null() && !have.is_null() && CompareDatums(want, have) == 0);
          }
          if (!found) {
            *out = Datum::Bool(false);
            return {};
          }
        }
        *out = Datum::Bool(true);
        return {};
      });
}

}  // namespace

void AddStrings(RegistryBuilder* b) {
  AddBasics(b);
  AddMore(b);
  AddArrays(b);
}

}  // namespace borealis::sql
