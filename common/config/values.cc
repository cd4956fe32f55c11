#include "common/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/base/check.h"

namespace borealis::config {
namespace {

struct Unit {
  std::string_view suffix;
  int64_t factor;
};

// Largest first; formatting takes the first that divides the value.
constexpr std::array<Unit, 6> kTimeUnits = {{{"d", 86'400'000'000},
                                             {"h", 3'600'000'000},
                                             {"m", 60'000'000},
                                             {"s", 1'000'000},
                                             {"ms", 1'000},
                                             {"us", 1}}};
constexpr std::array<Unit, 5> kSizeUnits = {{{"TiB", int64_t{1} << 40},
                                             {"GiB", int64_t{1} << 30},
                                             {"MiB", int64_t{1} << 20},
                                             {"KiB", int64_t{1} << 10},
                                             {"B", 1}}};
constexpr std::array<Unit, 4> kDecimalSizeUnits = {
    {{"TB", 1'000'000'000'000}, {"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1'000}}};

template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "1.5" times the factor, when that is a whole number that fits.
std::optional<int64_t> Scale(std::string_view number, int64_t factor) {
  if (std::optional<int64_t> whole = ParseNumber<int64_t>(number)) {
    int64_t product;
    if (__builtin_mul_overflow(*whole, factor, &product)) return std::nullopt;
    return product;
  }
  std::optional<double> fraction = ParseNumber<double>(number);
  if (!fraction || !std::isfinite(*fraction)) return std::nullopt;
  const double product = *fraction * static_cast<double>(factor);
  if (std::abs(product) > 9e15) return std::nullopt;
  return std::llround(product);
}

template <size_t N>
std::optional<int64_t> ParseWithUnit(std::string_view text, const std::array<Unit, N>& units) {
  const size_t letters = std::min(text.find_first_not_of("0123456789.-+"), text.size());
  for (const Unit& unit : units) {
    if (text.substr(letters) == unit.suffix) return Scale(text.substr(0, letters), unit.factor);
  }
  return std::nullopt;
}

template <size_t N>
std::string FormatWithUnit(int64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.suffix);
    }
  }
  return "0";
}

std::optional<Value> ParseBool(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return Value(true);
  if (text == "false" || text == "no" || text == "off" || text == "0") return Value(false);
  return std::nullopt;
}

std::optional<Value> ParseTime(const std::string& text) {
  if (text == "0") return Value(env::Duration(0));
  std::optional<int64_t> micros = ParseWithUnit(text, kTimeUnits);
  if (!micros) return std::nullopt;
  return Value(env::Duration(*micros));
}

std::optional<Value> ParseSize(const std::string& text) {
  if (std::optional<int64_t> bare = ParseNumber<int64_t>(text)) return Value(*bare);
  if (std::optional<int64_t> bytes = ParseWithUnit(text, kSizeUnits)) return Value(*bytes);
  if (std::optional<int64_t> bytes = ParseWithUnit(text, kDecimalSizeUnits)) return Value(*bytes);
  return std::nullopt;
}

template <typename T>
bool Within(const Parameter& p, const T& value) {
  return (!p.min || value >= std::get<T>(*p.min)) && (!p.max || value <= std::get<T>(*p.max));
}

}  // namespace

std::optional<Value> ParseValue(const Parameter& parameter, const std::string& text) {
  switch (parameter.type) {
    case Type::kBool:
      return ParseBool(text);
    case Type::kInt: {
      std::optional<int64_t> v = ParseNumber<int64_t>(text);
      return v ? std::optional<Value>(*v) : std::nullopt;
    }
    case Type::kDouble: {
      std::optional<double> v = ParseNumber<double>(text);
      return v && !std::isnan(*v) ? std::optional<Value>(*v) : std::nullopt;
    }
    case Type::kString:
      return Value(text);
    case Type::kEnum:
      if (std::find(parameter.choices.begin(), parameter.choices.end(), text) ==
          parameter.choices.end()) {
        return std::nullopt;
      }
      return Value(text);
    case Type::kDuration:
      return ParseTime(text);
    case Type::kBytes:
      return ParseSize(text);
  }
  return std::nullopt;
}

bool InRange(const Parameter& p, const Value& value) {
  switch (p.type) {
    case Type::kBool:
      return true;
    case Type::kInt:
    case Type::kBytes:
      return Within(p, std::get<int64_t>(value));
    case Type::kDouble:
      return Within(p, std::get<double>(value));
    case Type::kString:
      return std::get<std::string>(value).size() <= static_cast<size_t>(std::get<int64_t>(*p.max));
    case Type::kEnum:
      return std::find(p.choices.begin(), p.choices.end(), std::get<std::string>(value)) !=
             p.choices.end();
    case Type::kDuration:
      return Within(p, std::get<env::Duration>(value));
  }
  return false;
}

std::string FormatValue(Type type, const Value& value) {
  switch (type) {
    case Type::kBool:
      return std::get<bool>(value) ? "true" : "false";
    case Type::kInt:
      return std::to_string(std::get<int64_t>(value));
    case Type::kDouble: {
      char text[32];
      auto [end, error] = std::to_chars(text, text + sizeof(text), std::get<double>(value));
      BOREALIS_CHECK(error == std::errc());
      return std::string(text, end);
    }
    case Type::kString:
    case Type::kEnum:
      return std::get<std::string>(value);
    case Type::kDuration:
      return FormatWithUnit(std::get<env::Duration>(value).count(), kTimeUnits);
    case Type::kBytes:
      return FormatWithUnit(std::get<int64_t>(value), kSizeUnits);
  }
  return "";
}

std::string AllowedText(const Parameter& p) {
  switch (p.type) {
    case Type::kBool:
      return "true or false";
    case Type::kString:
      return "text of at most " + std::to_string(std::get<int64_t>(*p.max)) + " bytes";
    case Type::kEnum: {
      std::string out = "one of ";
      for (size_t i = 0; i < p.choices.size(); ++i) out += (i == 0 ? "" : ", ") + p.choices[i];
      return out;
    }
    default:
      return FormatValue(p.type, *p.min) + " to " + FormatValue(p.type, *p.max);
  }
}

std::string TypeName(Type type) {
  switch (type) {
    case Type::kBool:
      return "bool";
    case Type::kInt:
      return "int";
    case Type::kDouble:
      return "double";
    case Type::kString:
      return "string";
    case Type::kEnum:
      return "enum";
    case Type::kDuration:
      return "duration";
    case Type::kBytes:
      return "bytes";
  }
  return "";
}

std::string TypeText(Type type) {
  switch (type) {
    case Type::kBool:
      return "a truth value";
    case Type::kInt:
      return "a whole number";
    case Type::kDouble:
      return "a number";
    case Type::kString:
      return "text";
    case Type::kEnum:
      return "one of the choices";
    case Type::kDuration:
      return "a time with unit (us, ms, s, m, h, d)";
    case Type::kBytes:
      return "a size (bytes, or with KiB, MiB, GiB, TiB, KB, MB, GB, TB)";
  }
  return "";
}

std::string QuoteIfEmpty(std::string text) {
  return text.empty() ? "\"\"" : text;
}

}  // namespace borealis::config
