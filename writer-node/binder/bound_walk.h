// Walks over bound queries.
#pragma once

#include <functional>
#include <set>

#include "writer-node/binder/bound.h"

namespace borealis::binder {

// Calls for each expression that the query holds: its clauses, its FROM items, its set operation's
// sides and sub-selects in FROM. Not sub-selects in expressions: those are met as kSubplan nodes.
void ForEachExpr(Query* query, const std::function<void(ExprPtr*)>& fn);
void ForEachExpr(From* from, const std::function<void(ExprPtr*)>& fn);

// The numbers of all columns read anywhere in the expression or query, sub-selects included.
void CollectColumns(const Statement& statement, const sql::Expr& expr, std::set<int>* out);
void CollectColumns(const Statement& statement, Query* query, std::set<int>* out);
// The numbers of all columns that a query's or item's own FROM, aggregates and group keys make.
void DefinedColumns(const Query& query, std::set<int>* out);
void DefinedColumns(const From& from, std::set<int>* out);

}  // namespace borealis::binder
