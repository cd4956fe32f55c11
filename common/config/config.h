// One registry of parameters for a program: flags, files, `--help` and `--print-parameters=json`
// (which feeds SHOW and the docs) all come from it.
//
//   config::Registry registry("borealis-storage", "a member of the replicated log");
//   config::Param<std::string> data_dir = registry.String({.name = "data-dir", ...});
//   config::ParseCommandLineOrExit(registry, argc, argv);
//   Use(data_dir.get());
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/status.h"
#include "common/env/clock.h"
#include "common/env/file.h"

namespace borealis::config {

enum class Type : uint8_t { kBool, kInt, kDouble, kString, kEnum, kDuration, kBytes };
// When a change takes effect.
enum class Change : uint8_t { kRestart, kDynamic };

// bool; int64_t for kInt and kBytes; double; string for kString and kEnum; Duration.
using Value = std::variant<bool, int64_t, double, std::string, env::Duration>;

// What the registry knows of one parameter. Constant after registration, but for `value`.
struct Parameter {
  std::string name;  // lower case with dashes: "election-timeout"
  Type type = Type::kString;
  std::string unit;         // for kInt and kDouble: "ticks"; shown, not parsed
  std::string description;  // one sentence
  Change change = Change::kRestart;
  bool required = false;             // has no default; must be given
  std::vector<std::string> choices;  // kEnum
  std::optional<Value> min, max;     // inclusive; numbers, durations, bytes; string: length
  Value default_value;
  Value value;
  std::string source = "default";  // "default", "flag", or "file:line"
};

// A registered parameter's current value. Borrowed from the registry, which outlives it. Reading a
// dynamic parameter while another thread sets it is for the owner to order (post to its loop).
template <typename T>
class Param {
 public:
  const T& get() const { return std::get<T>(parameter_->value); }
  const T& operator*() const { return get(); }
  const Parameter& parameter() const { return *parameter_; }

 private:
  friend class Registry;
  explicit Param(const Parameter* parameter) : parameter_(parameter) {}
  const Parameter* parameter_;
};

// Common to all kinds of registration.
struct Spec {
  std::string name;
  std::string description = {};
  Change change = Change::kRestart;
  bool required = false;
  std::string unit = {};
};

class Registry {
 public:
  Registry(std::string program, std::string summary);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Registration: a wrong one (a name twice, a default out of range) is a failed check.
  Param<bool> Bool(Spec spec, bool default_value);
  Param<int64_t> Int(Spec spec, int64_t default_value, int64_t min, int64_t max);
  Param<double> Double(Spec spec, double default_value, double min, double max);
  Param<std::string> String(Spec spec, std::string default_value, size_t max_length = 4096);
  Param<std::string> Enum(Spec spec, std::string default_value, std::vector<std::string> choices);
  // Text such as "250ms", "1.5s", "10m", "100us", "1h", "7d"; a bare number only for 0.
  Param<env::Duration> Time(Spec spec, env::Duration default_value, env::Duration min,
                            env::Duration max);
  // Text such as "64KiB", "1GiB", "1048576", "10MB".
  Param<int64_t> Size(Spec spec, int64_t default_value, int64_t min, int64_t max);

  // Sets from text. Errors: "parameter x: value "y" is not ...; allowed: 1 to 10".
  Status Set(std::string_view name, const std::string& text, std::string source);
  // A mapping of names to scalars. Errors begin with "path:line: ".
  Status LoadYaml(const std::string& path, env::FileSystem& files);
  // `--name=value`, `--name value` and, for a bool, `--name`; `--config=path` loads a file, whose
  // values flags override whatever their order.
  Status ParseFlags(const std::vector<std::string>& args, env::FileSystem& files);
  // Every required parameter is set.
  Status CheckComplete() const;

  const Parameter* Find(std::string_view name) const;
  // In order of registration.
  const std::deque<Parameter>& parameters() const { return parameters_; }
  const std::string& program() const { return program_; }

  std::string HelpText() const;
  // An array of objects: name, type, unit, min, max, choices, default, value, source, change,
  // required, description.
  std::string ParametersJson() const;

 private:
  const Parameter* Add(Parameter parameter, Spec spec);

  const std::string program_;
  const std::string summary_;
  std::deque<Parameter> parameters_;
};

// As text in the form that Set() reads.
std::string FormatValue(Type type, const Value& value);
// "1 to 10", "one of a, b", "true or false".
std::string AllowedText(const Parameter& parameter);

// For main(): --help and --print-parameters=json print and exit 0; a wrong flag or file prints
// "program: message" and a hint at --help to stderr and exits 2.
void ParseCommandLineOrExit(Registry& registry, int argc, char** argv);

}  // namespace borealis::config
