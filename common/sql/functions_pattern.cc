// LIKE, ILIKE, and regular expressions by RE2: linear in the length of the text, bounded in memory.
// RE2 has no back references and no look-around: such patterns are 0A000.
#include <re2/re2.h>

#include <list>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

char Fold(char c, bool fold) {
  return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

size_t CharBytes(std::string_view s) {
  return Utf8Offset(s, 1);
}

// Greedy with one point of return (the last %): linear for each %, never exponential.
SqlStatus Like(std::string_view text, std::string_view pattern, bool fold, bool* match) {
  size_t t = 0, p = 0;
  size_t retry_p = std::string_view::npos, retry_t = 0;
  *match = false;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '%') {
      retry_p = ++p;
      retry_t = t;
      continue;
    }
    bool hit = false;
    size_t next_t = t, next_p = p;
    if (p < pattern.size() && t < text.size()) {
      if (pattern[p] == '_') {
        hit = true;
        next_t = t + CharBytes(text.substr(t));
        next_p = p + 1;
      } else {
        size_t at = p;
        if (pattern[at] == '\\') {
          if (++at >= pattern.size()) {
            return SqlStatus("22025", "LIKE pattern must not end with escape character");
          }
        }
        hit = Fold(pattern[at], fold) == Fold(text[t], fold);
        next_t = t + 1;
        next_p = at + 1;
      }
    } else if (p >= pattern.size() && t >= text.size()) {
      *match = true;
      return {};
    }
    if (hit) {
      t = next_t;
      p = next_p;
      continue;
    }
    if (retry_p == std::string_view::npos || retry_t >= text.size()) return {};
    retry_t += CharBytes(text.substr(retry_t));
    t = retry_t;
    p = retry_p;
  }
}

template <bool fold, bool negate>
SqlStatus LikeBody(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  bool match = false;
  SQL_RETURN_IF_ERROR(Like(a[0].string_value(), a[1].string_value(), fold, &match));
  *out = Datum::Bool(match != negate);
  return {};
}

// PostgreSQL's advanced regular expressions in RE2's syntax, as far as they differ for what psql
// and applications send.
std::string Translate(std::string_view pattern, bool* fold) {
  if (pattern.substr(0, 4) == "***:") pattern.remove_prefix(4);
  if (pattern.substr(0, 4) == "***=") return RE2::QuoteMeta(std::string(pattern.substr(4)));
  if (pattern.substr(0, 4) == "(?i)") {
    *fold = true;
    pattern.remove_prefix(4);
  }
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      const char c = pattern[i + 1];
      ++i;
      if (c == 'm' || c == 'M' || c == 'y')
        out += "\\b";
      else if (c == 'Y')
        out += "\\B";
      else if (c == 'Z')
        out += "\\z";
      else
        (out += '\\') += c;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

// The last few compiled patterns of each thread: a query has its pattern for every row.
SqlResult<const RE2*> Compile(std::string_view pattern, bool fold) {
  constexpr size_t kCached = 32;
  struct Entry {
    std::string key;
    std::unique_ptr<RE2> re;
  };
  thread_local std::list<Entry> cache;
  std::string key = (fold ? "i" : "s") + std::string(pattern);
  for (auto it = cache.begin(); it != cache.end(); ++it) {
    if (it->key != key) continue;
    cache.splice(cache.begin(), cache, it);
    return static_cast<const RE2*>(cache.front().re.get());
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  options.set_dot_nl(true);
  const std::string translated = Translate(pattern, &fold);
  options.set_case_sensitive(!fold);
  auto re = std::make_unique<RE2>(translated, options);
  if (!re->ok()) {
    if (re->error_code() == RE2::ErrorBadPerlOp || re->error_code() == RE2::ErrorBadEscape) {
      return FeatureNotSupported("the regular expression \"" + std::string(pattern) +
                                 "\" (look-around or back reference)");
    }
    return SqlStatus("2201B", "invalid regular expression: " + re->error());
  }
  cache.push_front({std::move(key), std::move(re)});
  if (cache.size() > kCached) cache.pop_back();
  return static_cast<const RE2*>(cache.front().re.get());
}

re2::StringPiece Piece(std::string_view s) {
  return {s.data(), s.size()};
}

template <bool fold, bool negate>
SqlStatus RegexBody(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(const RE2* re, Compile(a[1].string_value(), fold));
  *out = Datum::Bool(RE2::PartialMatch(Piece(a[0].string_value()), *re) != negate);
  return {};
}

SqlStatus RegexpReplace(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  bool all = false, fold = false;
  if (n > 3) {
    for (char c : a[3].string_value()) {
      all = all || c == 'g';
      fold = fold || c == 'i';
    }
  }
  SQL_ASSIGN_OR_RETURN(const RE2* re, Compile(a[1].string_value(), fold));
  // "&" of PostgreSQL is "\&"; groups are the same.
  std::string with;
  const std::string_view r = a[2].string_value();
  for (size_t i = 0; i < r.size(); ++i) {
    if (r[i] == '\\' && i + 1 < r.size()) {
      const char c = r[++i];
      if (c == '&')
        with += "\\0";
      else
        (with += '\\') += c;
    } else {
      with += r[i];
    }
  }
  std::string error;
  if (!re->CheckRewriteString(Piece(with), &error)) {
    return SqlStatus("2201B", "invalid regular expression replacement: " + error);
  }
  std::string text(a[0].string_value());
  if (all)
    RE2::GlobalReplace(&text, *re, Piece(with));
  else
    RE2::Replace(&text, *re, Piece(with));
  *out = Datum::String(text);
  return {};
}

SqlStatus RegexpSubstring(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(const RE2* re, Compile(a[1].string_value(), false));
  re2::StringPiece groups[2];
  const int count = re->NumberOfCapturingGroups() > 0 ? 2 : 1;
  const std::string_view s = a[0].string_value();
  if (!re->Match(Piece(s), 0, s.size(), RE2::UNANCHORED, groups, count)) return {};
  const re2::StringPiece& g = groups[count - 1];
  if (g.data() == nullptr) return {};
  *out = Datum::String({g.data(), g.size()});
  return {};
}

}  // namespace

void AddPatterns(RegistryBuilder* b) {
  struct Op {
    const char *op, *text, *name, *bpchar;
    FunctionBody body;
  };
  static constexpr Op kOps[] = {
      {"~~", "textlike", "namelike", "bpcharlike", LikeBody<false, false>},
      {"!~~", "textnlike", "namenlike", "bpcharnlike", LikeBody<false, true>},
      {"~~*", "texticlike", "nameiclike", "bpchariclike", LikeBody<true, false>},
      {"!~~*", "texticnlike", "nameicnlike", "bpcharicnlike", LikeBody<true, true>},
      {"~", "textregexeq", "nameregexeq", "bpcharregexeq", RegexBody<false, false>},
      {"!~", "textregexne", "nameregexne", "bpcharregexne", RegexBody<false, true>},
      {"~*", "texticregexeq", "nameicregexeq", "bpcharicregexeq", RegexBody<true, false>},
      {"!~*", "texticregexne", "nameicregexne", "bpcharicregexne", RegexBody<true, true>}};
  for (const Op& op : kOps) {
    b->Op(op.op, op.text, {kText, kText}, kBool, op.body);
    b->Op(op.op, op.name, {kName, kText}, kBool, op.body);
    b->Op(op.op, op.bpchar, {kBpchar, kText}, kBool, op.body);
  }
  b->Add("like", {kText, kText}, kBool, LikeBody<false, false>);
  b->Add("notlike", {kText, kText}, kBool, LikeBody<false, true>);
  // LIKE ... ESCAPE 'x': the pattern rewritten to the default escape.
  b->Add(
      "like_escape", {kText, kText}, kText, SQL_BODY {
        const std::string_view pattern = a[0].string_value(), escape = a[1].string_value();
        if (escape.size() > 1)
          return SqlStatus("22019", "invalid escape string")
              .WithHint("Escape string must be empty or one character.");
        std::string text;
        for (size_t i = 0; i < pattern.size(); ++i) {
          if (!escape.empty() && pattern[i] == escape[0] && escape[0] != '\\') {
            text += '\\';
            if (i + 1 < pattern.size()) text += pattern[++i];
          } else if (pattern[i] == '\\' && (escape.empty() || escape[0] != '\\')) {
            text += "\\\\";
          } else if (pattern[i] == '\\' && i + 1 < pattern.size()) {
            (text += '\\') += pattern[++i];
          } else {
            text += pattern[i];
          }
        }
        *out = Datum::String(text);
        return {};
      });
  b->Add("regexp_replace", {kText, kText, kText, kText}, kText, RegexpReplace).defaults = 1;
  b->Add("substring", {kText, kText}, kText, RegexpSubstring);
  b->Add(
      "regexp_match", {kText, kText}, kTextArray, SQL_BODY {
        SQL_ASSIGN_OR_RETURN(const RE2* re, Compile(a[1].string_value(), false));
        const int groups = std::min(re->NumberOfCapturingGroups(), 16);
        re2::StringPiece found[17];
        const std::string_view s = a[0].string_value();
        if (!re->Match(Piece(s), 0, s.size(), RE2::UNANCHORED, found, groups + 1)) return {};
        std::vector<Datum> elements;
        for (int i = groups > 0 ? 1 : 0; i <= groups; ++i) {
          elements.push_back(found[i].data() == nullptr
                                 ? Datum()
                                 : Datum::String({found[i].data(), found[i].size()}));
        }
        *out = Datum::Array(kText, std::move(elements));
        return {};
      });
  b->Add("regexp_like", {kText, kText}, kBool, RegexBody<false, false>);
}

}  // namespace borealis::sql
