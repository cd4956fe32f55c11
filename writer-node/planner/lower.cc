// From column numbers to slots and internal parameters.
#include <algorithm>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {

std::vector<int> IdsOf(const std::vector<binder::BoundColumn>& columns) {
  std::vector<int> out;
  for (const auto& column : columns) out.push_back(column.id);
  return out;
}

ExprPtr Planner::ParamFor(int id, sql::Type type) {
  if (contexts_.empty()) {
    throw PlanFailure{sql::InternalError("a column is read where its table is not")};
  }
  Context& context = *contexts_.back();
  auto [it, inserted] = context.param_of.emplace(id, 0);
  if (inserted) {
    it->second = ++plan_->total_params;
    context.order.emplace_back(id, type);
  }
  return sql::MakeParam(static_cast<uint32_t>(it->second - 1), type);
}

// What the owner of a context sets before it opens the inside; requires that the context is popped.
std::vector<ParamBinding> Planner::Bindings(const Context& inner,
                                            const std::vector<int>& outer_ids) {
  std::vector<ParamBinding> out;
  for (const auto& [id, type] : inner.order) {
    ParamBinding binding;
    binding.number = inner.param_of.at(id);
    binding.expr = Lower(*sql::MakeColumn(static_cast<uint32_t>(id), type), outer_ids);
    out.push_back(std::move(binding));
  }
  return out;
}

uint32_t Planner::PlanSubquery(uint32_t subquery, const std::vector<int>& ids) {
  Context context;
  contexts_.push_back(&context);
  Rel rel = PlanQuery(*statement_->subqueries[subquery].query, true);
  contexts_.pop_back();
  Subplan subplan;
  subplan.plan = std::move(rel.node);
  subplan.bindings = Bindings(context, ids);
  plan_->subplans.push_back(std::move(subplan));
  return static_cast<uint32_t>(plan_->subplans.size() - 1);
}

ExprPtr Planner::Lower(const sql::Expr& expr, const std::vector<int>& ids) {
  ExprPtr out = sql::Clone(expr);
  sql::Rewrite(&out, [&](ExprPtr* e) {
    if ((*e)->kind == sql::ExprKind::kColumn) {
      const int id = static_cast<int>((*e)->slot);
      const auto it = std::find(ids.begin(), ids.end(), id);
      if (it != ids.end()) {
        (*e)->slot = static_cast<uint32_t>(it - ids.begin());
      } else {
        const int location = (*e)->location;
        *e = ParamFor(id, (*e)->type);
        (*e)->location = location;
      }
    } else if ((*e)->kind == sql::ExprKind::kSubplan) {
      (*e)->slot = PlanSubquery((*e)->slot, ids);
    }
  });
  sql::FoldConstants(&out);
  return out;
}

std::vector<ExprPtr> Planner::LowerAll(const std::vector<ExprPtr>& exprs,
                                       const std::vector<int>& ids) {
  std::vector<ExprPtr> out;
  for (const ExprPtr& e : exprs) out.push_back(Lower(*e, ids));
  return out;
}

}  // namespace borealis::planner
