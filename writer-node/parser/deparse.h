// From our AST back to SQL: expressions as the catalog keeps them (defaults, checks).
#pragma once

#include <string>
#include <string_view>

#include "writer-node/parser/ast.h"

namespace borealis::parser {

// SQL that ParseExpression reads back as an equal tree. Operators carry parentheses, names are
// quoted where needed. A sub-select has no text of its own: "(SELECT NULL)" stands for it (neither
// a default nor a check may hold one, and the binder refuses it).
std::string ExprText(const Expr& expr);

// An identifier, in double quotes unless it is a lower-case word that is no key word of the
// grammar.
std::string QuoteIdentifier(std::string_view name);
// 'text' with quotes doubled; E'...' when it holds a backslash.
std::string QuoteLiteral(std::string_view text);

// A type as SQL: "character varying(10)[]" as "pg_catalog.varchar(10)[]".
std::string TypeText(const TypeName& type);

}  // namespace borealis::parser
