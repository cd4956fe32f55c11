// Data-driven tests, in the manner of cockroachdb/datadriven. A file is a list of cases:
//
//   # comments and blank lines between cases
//   command key=value flag list=(a,b)
//   input, any number of lines
//   ----
//   expected output, up to a blank line
//
// Expected output that itself holds blank lines stands between two pairs of "----" lines:
//   ----
//   ----
//   text
//
//   text
//   ----
//   ----
//
// With BOREALIS_REWRITE=1 in the environment the expected outputs are rewritten in place instead of
// compared. A failure shows file, line, command, expected and actual output.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace borealis::testing {

struct CommandArg {
  std::string key;
  std::vector<std::string> values;  // "k" has none, "k=v" one, "k=(a,b)" several
};

struct TestCase {
  std::string file;
  int line = 0;  // of the command
  std::string command;
  std::vector<CommandArg> args;
  std::string input;     // each line ends with '\n'
  std::string expected;  // each line ends with '\n'; empty for none

  bool Has(std::string_view key) const;
  // The single value; the fallback when the key is missing. A key without exactly one value, a
  // missing one without fallback, or a malformed number ends the test program with the position.
  std::string Get(std::string_view key, std::optional<std::string> fallback = {}) const;
  uint64_t GetUint(std::string_view key, std::optional<uint64_t> fallback = {}) const;
  std::vector<std::string> GetList(std::string_view key) const;  // empty when missing
  // The arguments without '=', in order: `add a b` -> {"a", "b"}.
  std::vector<std::string> Positional() const;
  std::vector<std::string> InputLines() const;
};

// Returns the actual output; a missing final newline is added.
using CaseHandler = std::function<std::string(const TestCase&)>;

// Runs each case of the file in order and reports differences as gtest failures. Repo-relative
// path.
void RunDataDriven(const std::string& path, const CaseHandler& handler);
// Each file below the directory whose name does not begin with a dot, sorted; fails when there is
// none. `make_handler` is called anew for each file.
void WalkDataDriven(const std::string& directory,
                    const std::function<CaseHandler(const std::string& path)>& make_handler);

// For the runner's own tests. kInvalidArgument with file and line.
Result<std::vector<TestCase>> ParseDataDriven(const std::string& file, const std::string& text);
// The text with each case's expected output replaced. Comments and input stay as they are.
Result<std::string> RewriteDataDriven(const std::string& file, const std::string& text,
                                      const CaseHandler& handler);

}  // namespace borealis::testing
