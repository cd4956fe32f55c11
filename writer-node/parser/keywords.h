// Words of the grammar that an identifier may not be without quotes. Private to this module.
#pragma once

#include <string_view>

namespace borealis::parser {

// True for every key word except the unreserved ones.
bool IsKeyword(std::string_view word);

}  // namespace borealis::parser
