// BOREALIS_CHECK: assertions that stay on in every build. They state what only a programming error
// can break; input from users, disk or network never reaches one (TigerBeetle's TIGER_STYLE,
// "Safety").
#pragma once

#include <cstdint>

namespace borealis {

// Prints "check failed: <condition> at <file>:<line>" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace borealis

#define BOREALIS_CHECK(condition)                      \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::borealis::CheckFailed(#condition, __FILE__, __LINE__))
