// The SQL parser: PostgreSQL 15's own grammar (libpg_query), answered as our AST.
//
// Every statement that the grammar accepts is either represented completely or refused with 0A000
// and the feature's name: nothing is accepted and ignored.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/error.h"
#include "writer-node/parser/ast.h"

namespace borealis::parser {

// How many levels of nesting a statement may have; a nested query counts as ten, a side of a set
// operation as three. Later walks of the tree (binder, planner, evaluation) are recursive: parsing,
// binding and planning the deepest statement needs a stack of 1 MiB (planner_test.cc).
inline constexpr int kMaxDepth = 500;

// One statement of a string.
struct ParsedStatement {
  StatementPtr statement;
  int location = 0;       // byte offset of its first character in the text
  std::string_view text;  // its part of the text given to Parse (borrowed), trimmed
};

// Parses all statements of `text`: none for an empty string or only comments and semicolons.
// Errors: 42601 and the other errors of the grammar, 0A000, 54001, 22021 (text is not UTF-8 or
// holds a zero byte); the position is a 1-based character offset in `text`. An error anywhere
// refuses the whole string, as PostgreSQL does. Thread-safe; needs about 16 KiB of stack plus
// about 500 bytes for each level of nesting.
sql::SqlResult<std::vector<ParsedStatement>> Parse(std::string_view text);

// Parses one expression, as the catalog keeps defaults and checks.
sql::SqlResult<ExprPtr> ParseExpression(std::string_view text);

// The 1-based character position of a byte offset in UTF-8 text; 0 for a negative offset.
int CharacterPosition(std::string_view text, int byte_offset);

}  // namespace borealis::parser
