#include "common/testing/datadriven.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/env/file.h"

namespace borealis::testing {
namespace {

constexpr std::string_view kSeparator = "----";

std::string Position(const TestCase& test) {
  return test.file + ":" + std::to_string(test.line) + ": " + test.command;
}

[[noreturn]] void Die(const TestCase& test, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", Position(test).c_str(), what.c_str());
  std::abort();
}

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  size_t start = 0;
  while (start < text.size()) {
    size_t end = text.find('\n', start);
    if (end == std::string::npos) end = text.size();
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

bool IsBlank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

// `key`, `key=value`, `key=(a,b)`; a value or list element may stand in double quotes.
class ArgParser {
 public:
  explicit ArgParser(std::string_view text) : text_(text) {}

  Result<std::vector<CommandArg>> Parse() {
    std::vector<CommandArg> args;
    for (SkipSpaces(); at_ < text_.size(); SkipSpaces()) {
      CommandArg arg;
      ASSIGN_OR_RETURN(arg.key, Word(" \t="));
      if (Take('=')) {
        RETURN_IF_ERROR(Values(&arg));
      }
      args.push_back(std::move(arg));
    }
    return args;
  }

 private:
  void SkipSpaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Status Values(CommandArg* arg) {
    if (!Take('(')) {
      ASSIGN_OR_RETURN(std::string value, Word(" \t"));
      arg->values.push_back(std::move(value));
      return Status::Ok();
    }
    SkipSpaces();
    if (Take(')')) return Status::Ok();
    for (;;) {
      SkipSpaces();
      ASSIGN_OR_RETURN(std::string value, Word(",) \t"));
      arg->values.push_back(std::move(value));
      SkipSpaces();
      if (Take(')')) return Status::Ok();
      if (!Take(',')) return InvalidArgument("a list without end");
    }
  }
  Result<std::string> Word(std::string_view stops) {
    std::string word;
    if (Take('"')) {
      while (at_ < text_.size() && text_[at_] != '"') {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        word += text_[at_++];
      }
      if (!Take('"')) return InvalidArgument("a quote without end");
      return word;
    }
    while (at_ < text_.size() && stops.find(text_[at_]) == std::string_view::npos) {
      word += text_[at_++];
    }
    return word;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// A case and where its expected output stands, in lines [expected_first, expected_last).
struct Parsed {
  TestCase test;
  size_t expected_first = 0;
  size_t expected_last = 0;
};

class FileParser {
 public:
  FileParser(const std::string& file, const std::vector<std::string>& lines)
      : file_(file), lines_(lines) {}

  Result<std::vector<Parsed>> Parse() {
    std::vector<Parsed> cases;
    while (SkipToCommand()) {
      Parsed parsed;
      RETURN_IF_ERROR(ParseCase(&parsed));
      cases.push_back(std::move(parsed));
    }
    return cases;
  }

 private:
  Status Error(size_t line, const std::string& what) {
    return InvalidArgument(file_ + ":" + std::to_string(line + 1) + ": " + what);
  }
  bool SkipToCommand() {
    while (at_ < lines_.size() && (IsBlank(lines_[at_]) || lines_[at_].starts_with('#'))) ++at_;
    return at_ < lines_.size();
  }

  Status ParseCase(Parsed* parsed) {
    TestCase& test = parsed->test;
    test.file = file_;
    test.line = static_cast<int>(at_) + 1;
    const size_t command_line = at_;
    const std::string& line = lines_[at_++];
    const size_t space = std::min(line.find_first_of(" \t"), line.size());
    test.command = line.substr(0, space);
    if (test.command == kSeparator) return Error(command_line, "---- without a command");
    Result<std::vector<CommandArg>> args = ArgParser(line.substr(space)).Parse();
    if (!args.ok()) return Error(command_line, args.status().message());
    test.args = std::move(*args);
    while (at_ < lines_.size() && lines_[at_] != kSeparator) test.input += lines_[at_++] + "\n";
    if (at_ == lines_.size()) return Error(command_line, test.command + ": no ---- follows");
    parsed->expected_first = ++at_;
    const bool fenced = at_ < lines_.size() && lines_[at_] == kSeparator;
    RETURN_IF_ERROR(fenced ? ParseFenced(&test) : ParseUntilBlank(&test));
    parsed->expected_last = at_;
    return Status::Ok();
  }
  Status ParseUntilBlank(TestCase* test) {
    while (at_ < lines_.size() && !lines_[at_].empty()) test->expected += lines_[at_++] + "\n";
    return Status::Ok();
  }
  Status ParseFenced(TestCase* test) {
    const size_t open = at_++;
    while (at_ + 1 < lines_.size()) {
      if (lines_[at_] == kSeparator && lines_[at_ + 1] == kSeparator) {
        at_ += 2;
        return Status::Ok();
      }
      test->expected += lines_[at_++] + "\n";
    }
    return Error(open, "---- ---- without end");
  }

  const std::string& file_;
  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

std::string RunCase(const TestCase& test, const CaseHandler& handler) {
  std::string actual = handler(test);
  if (!actual.empty() && actual.back() != '\n') actual += '\n';
  return actual;
}

std::string Fence(const std::string& output) {
  const bool blank_line = output.starts_with('\n') || output.find("\n\n") != std::string::npos;
  const bool looks_fenced = output.starts_with(std::string(kSeparator) + "\n");
  if (!blank_line && !looks_fenced) return output;
  return "----\n" + output + "----\n----\n";
}

bool Rewriting() {
  const char* value = std::getenv("BOREALIS_REWRITE");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

bool TestCase::Has(std::string_view key) const {
  return std::any_of(args.begin(), args.end(), [&](const CommandArg& a) { return a.key == key; });
}

std::string TestCase::Get(std::string_view key, std::optional<std::string> fallback) const {
  for (const CommandArg& arg : args) {
    if (arg.key != key) continue;
    if (arg.values.size() != 1) Die(*this, "argument " + std::string(key) + " needs one value");
    return arg.values[0];
  }
  if (!fallback) Die(*this, "argument " + std::string(key) + " is missing");
  return *fallback;
}

uint64_t TestCase::GetUint(std::string_view key, std::optional<uint64_t> fallback) const {
  if (fallback && !Has(key)) return *fallback;
  const std::string text = Get(key);
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    Die(*this, "argument " + std::string(key) + "=" + text + " is no number");
  }
  return value;
}

std::vector<std::string> TestCase::GetList(std::string_view key) const {
  for (const CommandArg& arg : args) {
    if (arg.key == key) return arg.values;
  }
  return {};
}

std::vector<std::string> TestCase::Positional() const {
  std::vector<std::string> out;
  for (const CommandArg& arg : args) {
    if (arg.values.empty()) out.push_back(arg.key);
  }
  return out;
}

std::vector<std::string> TestCase::InputLines() const {
  return SplitLines(input);
}

Result<std::vector<TestCase>> ParseDataDriven(const std::string& file, const std::string& text) {
  const std::vector<std::string> lines = SplitLines(text);
  ASSIGN_OR_RETURN(std::vector<Parsed> parsed, FileParser(file, lines).Parse());
  std::vector<TestCase> cases;
  for (Parsed& p : parsed) cases.push_back(std::move(p.test));
  return cases;
}

Result<std::string> RewriteDataDriven(const std::string& file, const std::string& text,
                                      const CaseHandler& handler) {
  const std::vector<std::string> lines = SplitLines(text);
  ASSIGN_OR_RETURN(std::vector<Parsed> cases, FileParser(file, lines).Parse());
  std::string out;
  size_t next = 0;
  for (const Parsed& parsed : cases) {
    for (; next < parsed.expected_first; ++next) out += lines[next] + "\n";
    out += Fence(RunCase(parsed.test, handler));
    next = parsed.expected_last;
  }
  for (; next < lines.size(); ++next) out += lines[next] + "\n";
  return out;
}

void RunDataDriven(const std::string& path, const CaseHandler& handler) {
  Result<Bytes> text = env::PosixFileSystem().ReadFile(path);
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  if (Rewriting()) {
    Result<std::string> rewritten = RewriteDataDriven(path, *text, handler);
    ASSERT_TRUE(rewritten.ok()) << rewritten.status().ToString();
    if (*rewritten == *text) return;
    Status written = env::PosixFileSystem().WriteFileAtomic(path, *rewritten);
    ASSERT_TRUE(written.ok()) << written.ToString();
    return;
  }
  Result<std::vector<TestCase>> cases = ParseDataDriven(path, *text);
  ASSERT_TRUE(cases.ok()) << cases.status().ToString();
  EXPECT_FALSE(cases->empty()) << path << ": no cases";
  for (const TestCase& test : *cases) {
    const std::string actual = RunCase(test, handler);
    if (actual == test.expected) continue;
    ADD_FAILURE() << Position(test) << "\n--- input\n"
                  << test.input << "--- expected\n"
                  << test.expected << "--- actual\n"
                  << actual << "--- (BOREALIS_REWRITE=1 rewrites expectations)";
  }
}

void WalkDataDriven(const std::string& directory,
                    const std::function<CaseHandler(const std::string& path)>& make_handler) {
  std::error_code error;
  std::vector<std::string> paths;
  std::filesystem::recursive_directory_iterator it(directory, error), end;
  for (; !error && it != end; it.increment(error)) {
    const bool hidden = it->path().filename().string().starts_with('.');
    if (it->is_regular_file(error) && !hidden) paths.push_back(it->path().string());
  }
  ASSERT_FALSE(error) << directory << ": " << error.message();
  ASSERT_FALSE(paths.empty()) << directory << ": no test files";
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    RunDataDriven(path, make_handler(path));
  }
}

}  // namespace borealis::testing
