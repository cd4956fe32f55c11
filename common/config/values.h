// Text to value and back, and ranges. For common/config's own sources only.
#pragma once

#include <optional>
#include <string>

#include "common/config/config.h"

namespace borealis::config {

// Nothing when the text is not of the type (ranges are not checked here).
std::optional<Value> ParseValue(const Parameter& parameter, const std::string& text);
bool InRange(const Parameter& parameter, const Value& value);
// "bool", "int", ...
std::string TypeName(Type type);
// "a whole number", for messages.
std::string TypeText(Type type);
std::string QuoteIfEmpty(std::string text);

}  // namespace borealis::config
