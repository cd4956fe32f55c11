#include "common/config/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/config/values.h"

namespace borealis::config {

Registry::Registry(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {
  String({.name = "config", .description = "YAML file of parameters; flags override it"}, "");
}

const Parameter* Registry::Add(Parameter parameter, Spec spec) {
  BOREALIS_CHECK(!spec.name.empty() && Find(spec.name) == nullptr);
  parameter.name = std::move(spec.name);
  parameter.description = std::move(spec.description);
  parameter.change = spec.change;
  parameter.required = spec.required;
  parameter.unit = std::move(spec.unit);
  parameter.value = parameter.default_value;
  BOREALIS_CHECK(parameter.required || InRange(parameter, parameter.value));
  return &parameters_.emplace_back(std::move(parameter));
}

Param<bool> Registry::Bool(Spec spec, bool default_value) {
  Parameter p;
  p.type = Type::kBool;
  p.default_value = default_value;
  return Param<bool>(Add(std::move(p), std::move(spec)));
}

Param<int64_t> Registry::Int(Spec spec, int64_t default_value, int64_t min, int64_t max) {
  Parameter p;
  p.type = Type::kInt;
  p.default_value = default_value;
  p.min = min;
  p.max = max;
  return Param<int64_t>(Add(std::move(p), std::move(spec)));
}

Param<double> Registry::Double(Spec spec, double default_value, double min, double max) {
  Parameter p;
  p.type = Type::kDouble;
  p.default_value = default_value;
  p.min = min;
  p.max = max;
  return Param<double>(Add(std::move(p), std::move(spec)));
}

Param<std::string> Registry::String(Spec spec, std::string default_value, size_t max_length) {
  Parameter p;
  p.type = Type::kString;
  p.default_value = std::move(default_value);
  p.max = static_cast<int64_t>(max_length);
  return Param<std::string>(Add(std::move(p), std::move(spec)));
}

Param<std::string> Registry::Enum(Spec spec, std::string default_value,
                                  std::vector<std::string> choices) {
  Parameter p;
  p.type = Type::kEnum;
  p.default_value = std::move(default_value);
  p.choices = std::move(choices);
  return Param<std::string>(Add(std::move(p), std::move(spec)));
}

Param<env::Duration> Registry::Time(Spec spec, env::Duration default_value, env::Duration min,
                                    env::Duration max) {
  Parameter p;
  p.type = Type::kDuration;
  p.default_value = default_value;
  p.min = min;
  p.max = max;
  return Param<env::Duration>(Add(std::move(p), std::move(spec)));
}

Param<int64_t> Registry::Size(Spec spec, int64_t default_value, int64_t min, int64_t max) {
  Parameter p;
  p.type = Type::kBytes;
  p.default_value = default_value;
  p.min = min;
  p.max = max;
  return Param<int64_t>(Add(std::move(p), std::move(spec)));
}

const Parameter* Registry::Find(std::string_view name) const {
  auto it = std::find_if(parameters_.begin(), parameters_.end(),
                         [&](const Parameter& p) { return p.name == name; });
  return it == parameters_.end() ? nullptr : &*it;
}

Status Registry::Set(std::string_view name, const std::string& text, std::string source) {
  auto* parameter = const_cast<Parameter*>(Find(name));  // of this object, which is not const
  if (parameter == nullptr) {
    return InvalidArgument("unknown parameter " + std::string(name));
  }
  std::optional<Value> value = ParseValue(*parameter, text);
  if (!value) {
    return InvalidArgument("parameter " + parameter->name + ": value \"" + text + "\" is not " +
                           TypeText(parameter->type) + "; allowed: " + AllowedText(*parameter));
  }
  if (!InRange(*parameter, *value)) {
    return InvalidArgument("parameter " + parameter->name + ": value \"" + text +
                           "\" is out of range; allowed: " + AllowedText(*parameter));
  }
  parameter->value = std::move(*value);
  parameter->source = std::move(source);
  return Status::Ok();
}

namespace {

struct Flag {
  std::string name;
  std::string value;
};

// "--a=b", "--a b", "--a" (of a bool).
Result<std::vector<Flag>> SplitFlags(const Registry& registry,
                                     const std::vector<std::string>& args) {
  std::vector<Flag> flags;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (!arg.starts_with("--") || arg.size() == 2) {
      return InvalidArgument("unexpected argument \"" + arg + "\"");
    }
    const size_t equals = arg.find('=');
    const std::string name = arg.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Parameter* parameter = registry.Find(name);
    if (parameter == nullptr) return InvalidArgument("unknown flag --" + name);
    if (equals != std::string::npos) {
      flags.push_back({name, arg.substr(equals + 1)});
    } else if (parameter->type == Type::kBool) {
      flags.push_back({name, "true"});
    } else if (i + 1 < args.size()) {
      flags.push_back({name, args[++i]});
    } else {
      return InvalidArgument("flag --" + name +
                             " needs a value; allowed: " + AllowedText(*parameter));
    }
  }
  return flags;
}

}  // namespace

Status Registry::ParseFlags(const std::vector<std::string>& args, env::FileSystem& files) {
  ASSIGN_OR_RETURN(std::vector<Flag> flags, SplitFlags(*this, args));
  for (const Flag& flag : flags) {
    if (flag.name == "config") RETURN_IF_ERROR(LoadYaml(flag.value, files));
  }
  for (const Flag& flag : flags) RETURN_IF_ERROR(Set(flag.name, flag.value, "flag"));
  return CheckComplete();
}

Status Registry::CheckComplete() const {
  for (const Parameter& p : parameters_) {
    if (p.required && p.source == "default") {
      return InvalidArgument("parameter " + p.name + " is required; allowed: " + AllowedText(p));
    }
  }
  return Status::Ok();
}

std::string Registry::HelpText() const {
  std::string out = program_ + ": " + summary_ + "\n\nUsage: " + program_ +
                    " [--name=value ...]\n\nParameters (flags, or keys of the file of --config):\n";
  size_t width = 0;
  for (const Parameter& p : parameters_) width = std::max(width, p.name.size());
  const std::string indent(width + 6, ' ');
  for (const Parameter& p : parameters_) {
    out += "  --" + p.name + std::string(width - p.name.size() + 2, ' ') + p.description;
    if (!p.unit.empty()) out += " (" + p.unit + ")";
    out += "\n" + indent + AllowedText(p);
    out += p.required ? "; required"
                      : "; default " + QuoteIfEmpty(FormatValue(p.type, p.default_value));
    out += p.change == Change::kDynamic ? "; dynamic\n" : "\n";
  }
  out += "\n  --help" + std::string(width > 4 ? width - 4 + 2 : 2, ' ') + "this text\n";
  out += "  --print-parameters=json\n" + indent + "all parameters and their values, as JSON\n";
  return out;
}

std::string Registry::ParametersJson() const {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Parameter& p : parameters_) {
    nlohmann::ordered_json one;
    one["name"] = p.name;
    one["type"] = TypeName(p.type);
    if (!p.unit.empty()) one["unit"] = p.unit;
    if (p.type != Type::kString && p.min) one["min"] = FormatValue(p.type, *p.min);
    if (p.type != Type::kString && p.max) one["max"] = FormatValue(p.type, *p.max);
    if (!p.choices.empty()) one["choices"] = p.choices;
    if (!p.required) one["default"] = FormatValue(p.type, p.default_value);
    one["value"] = FormatValue(p.type, p.value);
    one["source"] = p.source;
    one["change"] = p.change == Change::kDynamic ? "dynamic" : "restart";
    one["required"] = p.required;
    one["description"] = p.description;
    all.push_back(std::move(one));
  }
  // Values come from files and flags and may be any bytes: what is no UTF-8 is replaced.
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void ParseCommandLineOrExit(Registry& registry, int argc, char** argv) {
  std::vector<std::string> args;
  bool print_json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      std::fputs(registry.HelpText().c_str(), stdout);
      std::exit(0);
    }
    if (arg == "--print-parameters=json") {
      print_json = true;
    } else {
      args.push_back(arg);
    }
  }
  Status status = registry.ParseFlags(args, env::PosixFileSystem());
  // The parameters can be printed without the required ones, but not with wrong ones.
  const bool only_incomplete = print_json && !status.ok() && args.empty();
  if (!status.ok() && !only_incomplete) {
    std::fprintf(stderr, "%s: %s\n%s --help shows the parameters\n", registry.program().c_str(),
                 status.message().c_str(), registry.program().c_str());
    std::exit(2);
  }
  if (print_json) {
    std::fputs(registry.ParametersJson().c_str(), stdout);
    std::exit(0);
  }
}

}  // namespace borealis::config
