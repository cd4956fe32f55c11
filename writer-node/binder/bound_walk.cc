#include "writer-node/binder/bound_walk.h"

namespace borealis::binder {
namespace {

void Apply(ExprPtr* expr, const std::function<void(ExprPtr*)>& fn) {
  if (*expr != nullptr) fn(expr);
}

}  // namespace

void ForEachExpr(From* from, const std::function<void(ExprPtr*)>& fn) {
  if (from->query != nullptr) ForEachExpr(from->query.get(), fn);
  for (ExprPtr& arg : from->args) Apply(&arg, fn);
  Apply(&from->scalar, fn);
  if (from->left != nullptr) ForEachExpr(from->left.get(), fn);
  if (from->right != nullptr) ForEachExpr(from->right.get(), fn);
  Apply(&from->on, fn);
}

void ForEachExpr(Query* query, const std::function<void(ExprPtr*)>& fn) {
  for (FromPtr& from : query->from) ForEachExpr(from.get(), fn);
  Apply(&query->where, fn);
  for (GroupKey& key : query->group_by) Apply(&key.expr, fn);
  for (AggregateSpec& aggregate : query->aggregates) {
    for (ExprPtr& arg : aggregate.args) Apply(&arg, fn);
    Apply(&aggregate.filter, fn);
    for (auto& [expr, spec] : aggregate.order_by) Apply(&expr, fn);
  }
  Apply(&query->having, fn);
  for (auto& row : query->values) {
    for (ExprPtr& value : row) Apply(&value, fn);
  }
  if (query->left != nullptr) ForEachExpr(query->left.get(), fn);
  if (query->right != nullptr) ForEachExpr(query->right.get(), fn);
  for (OutputColumn& output : query->outputs) Apply(&output.expr, fn);
  Apply(&query->limit, fn);
  Apply(&query->offset, fn);
}

void CollectColumns(const Statement& statement, const sql::Expr& expr, std::set<int>* out) {
  sql::Visit(expr, [&](const sql::Expr& e) {
    if (e.kind == sql::ExprKind::kColumn) out->insert(static_cast<int>(e.slot));
    if (e.kind == sql::ExprKind::kSubplan) {
      CollectColumns(statement, statement.subqueries[e.slot].query.get(), out);
    }
    return true;
  });
}

void CollectColumns(const Statement& statement, Query* query, std::set<int>* out) {
  ForEachExpr(query, [&](ExprPtr* expr) { CollectColumns(statement, **expr, out); });
}

void DefinedColumns(const From& from, std::set<int>* out) {
  for (const BoundColumn& column : from.columns) out->insert(column.id);
  if (from.left != nullptr) DefinedColumns(*from.left, out);
  if (from.right != nullptr) DefinedColumns(*from.right, out);
}

void DefinedColumns(const Query& query, std::set<int>* out) {
  for (const FromPtr& from : query.from) DefinedColumns(*from, out);
  for (const AggregateSpec& aggregate : query.aggregates) out->insert(aggregate.id);
  for (const GroupKey& key : query.group_by) out->insert(key.id);
}

}  // namespace borealis::binder
