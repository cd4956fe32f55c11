// SELECT, VALUES and set operations.
#include <algorithm>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {
namespace {

constexpr int kMaxQueryDepth = 200;

PlanPtr WithChild(std::unique_ptr<UnaryNode> node, PlanPtr child) {
  if (node->columns.empty()) node->columns = child->columns;
  node->rows = std::max(node->rows, 1.0);
  node->cost = std::max(node->cost, child->cost);
  node->child = std::move(child);
  return node;
}

}  // namespace

bool Planner::Satisfies(const Rel& rel, const SortRequest& sort) {
  size_t at = 0;
  for (const OrderedColumn& wanted : sort.columns) {
    if (rel.constant.count(wanted.id) > 0) continue;
    while (at < rel.order.size() && rel.constant.count(rel.order[at].id) > 0) ++at;
    if (at >= rel.order.size()) return false;
    const OrderedColumn& have = rel.order[at];
    if (have.id != wanted.id || have.descending != wanted.descending) return false;
    if (!have.not_null && have.nulls_first != wanted.nulls_first) return false;
    ++at;
  }
  return true;
}

// ORDER BY as columns of FROM, when it is nothing else.
std::optional<SortRequest> Planner::SortOf(const binder::Query& query) {
  if (query.order_by.empty() || query.aggregated || query.distinct ||
      query.op != parser::SetOp::kNone || !query.values.empty()) {
    return std::nullopt;
  }
  SortRequest out;
  for (const binder::SortSpec& spec : query.order_by) {
    const sql::Expr& e = *query.outputs[static_cast<size_t>(spec.output)].expr;
    if (e.kind != sql::ExprKind::kColumn) return std::nullopt;
    out.columns.push_back({static_cast<int>(e.slot), spec.descending, spec.nulls_first, false});
  }
  out.limited = query.limit != nullptr;
  return out;
}

Rel Planner::PlanQuery(const binder::Query& query, bool trim) {
  if (++depth_ > kMaxQueryDepth) {
    throw PlanFailure{sql::SqlStatus("54001", "statement too complex: too many nested queries")};
  }
  bool sorted = false;
  Rel rel;
  if (query.op != parser::SetOp::kNone) {
    rel = PlanSetOp(query);
  } else if (!query.values.empty()) {
    rel = PlanValues(query);
  } else {
    rel = PlanSelect(query, &sorted);
  }
  rel = Finish(query, std::move(rel), sorted, trim);
  --depth_;
  return rel;
}

// SELECT min(a) or max(a) alone: the first row in a's order, without NULLs, is all it needs.
bool Planner::FirstRowDecides(const binder::Query& query, SortRequest* sort) {
  if (query.aggregates.size() != 1 || !query.group_by.empty() || query.from.size() != 1 ||
      query.from[0]->kind != binder::FromKind::kTable) {
    return false;
  }
  const binder::AggregateSpec& a = query.aggregates[0];
  if (a.filter != nullptr || a.args.size() != 1 || a.args[0]->kind != sql::ExprKind::kColumn) {
    return false;
  }
  const bool max = a.aggregate->kind == sql::AggregateKind::kMax;
  if (!max && a.aggregate->kind != sql::AggregateKind::kMin) return false;
  sort->columns.push_back({static_cast<int>(a.args[0]->slot), max, max, false});
  sort->limited = true;
  return true;
}

Rel Planner::PlanSelect(const binder::Query& query, bool* sorted) {
  std::vector<Conjunct> conjuncts;
  if (query.where != nullptr) AddConjuncts(*query.where, &conjuncts);
  std::vector<const binder::From*> items;
  for (const binder::FromPtr& from : query.from) items.push_back(from.get());
  for (const binder::LockSpec& lock : query.locks) {
    for (const binder::FromPtr& from : query.from) {
      if (!from->columns.empty() && from->columns[0].id == lock.relation_first_column) {
        whole_rows_.insert(lock.relation_first_column);
      }
    }
  }
  std::optional<SortRequest> sort = SortOf(query);
  ExprPtr not_null;
  SortRequest first;
  if (FirstRowDecides(query, &first)) {
    not_null = std::make_unique<sql::Expr>(sql::ExprKind::kIsNull);
    not_null->type = {sql::oid::kBool, -1};
    not_null->negated = true;
    not_null->args.push_back(sql::Clone(*query.aggregates[0].args[0]));
    std::vector<Conjunct> with_not_null = conjuncts;
    AddConjuncts(*not_null, &with_not_null);
    Rel rel = PlanFrom(items, &with_not_null, &first);
    if (Satisfies(rel, first)) {
      auto limit = std::make_unique<Limit>();
      limit->limit = sql::MakeConst({sql::oid::kInt8, -1}, sql::Datum::Int(1));
      rel.node = WithChild(std::move(limit), std::move(rel.node));
      return PlanAggregate(query, std::move(rel));
    }
    return PlanAggregate(query, std::move(rel));
  }
  Rel rel = PlanFrom(items, &conjuncts, sort ? &*sort : nullptr);
  if (sort && Satisfies(rel, *sort)) *sorted = true;
  if (query.aggregated) return PlanAggregate(query, std::move(rel));
  return rel;
}

Rel Planner::PlanAggregate(const binder::Query& query, Rel input) {
  auto node = std::make_unique<Aggregate>();
  Rel out;
  for (const binder::GroupKey& key : query.group_by) {
    node->keys.push_back(Lower(*key.expr, input.ids));
    node->columns.push_back({"", key.expr->type});
    out.ids.push_back(key.id);
  }
  for (const binder::AggregateSpec& spec : query.aggregates) {
    AggregateCall call;
    call.aggregate = spec.aggregate;
    call.arg_types = spec.arg_types;
    call.args = LowerAll(spec.args, input.ids);
    call.distinct = spec.distinct;
    if (spec.filter != nullptr) call.filter = Lower(*spec.filter, input.ids);
    for (const auto& [expr, sort] : spec.order_by) {
      call.order_by.push_back(Lower(*expr, input.ids));
      call.order_keys.push_back({sort.output, sort.descending, sort.nulls_first});
    }
    call.type = spec.type;
    node->columns.push_back({std::string(spec.aggregate->name), spec.type});
    node->calls.push_back(std::move(call));
    out.ids.push_back(spec.id);
  }
  node->plain = query.group_by.empty();
  node->rows = node->plain ? 1 : std::max(1.0, input.node->rows * 0.1);
  node->cost = input.node->cost + input.node->rows;
  node->child = std::move(input.node);
  out.node = std::move(node);
  if (query.having != nullptr) {
    std::vector<Conjunct> having;
    AddConjuncts(*query.having, &having);
    std::vector<Conjunct*> all;
    for (Conjunct& c : having) all.push_back(&c);
    out = AddFilter(std::move(out), all);
  }
  return out;
}

Rel Planner::PlanValues(const binder::Query& query) {
  auto node = std::make_unique<Values>();
  for (const auto& row : query.values) node->rows_exprs.push_back(LowerAll(row, {}));
  for (const auto& output : query.outputs) node->columns.push_back({output.name, output.type});
  node->rows = static_cast<double>(query.values.size());
  node->cost = node->rows;
  Rel out;
  out.ids.assign(node->columns.size(), -1);
  out.node = std::move(node);
  return out;
}

Rel Planner::PlanSetOp(const binder::Query& query) {
  auto node = std::make_unique<SetOp>();
  node->op = query.op;
  node->all = query.all;
  node->left = PlanQuery(*query.left, true).node;
  node->right = PlanQuery(*query.right, true).node;
  for (const auto& output : query.outputs) node->columns.push_back({output.name, output.type});
  node->rows =
      std::max(1.0, query.op == parser::SetOp::kUnion ? node->left->rows + node->right->rows
                                                      : node->left->rows);
  node->cost = node->left->cost + node->right->cost + (query.all ? 0 : node->rows);
  Rel out;
  out.ids.assign(node->columns.size(), -1);
  out.node = std::move(node);
  return out;
}

// The outputs, then for row locks the primary keys of the locked tables.
Rel Planner::ProjectOutputs(const binder::Query& query, Rel input, std::vector<LockTarget>* locks) {
  std::vector<ExprPtr> exprs;
  std::vector<OutputColumn> columns;
  for (const auto& output : query.outputs) {
    exprs.push_back(Lower(*output.expr, input.ids));
    columns.push_back({output.name, output.type});
  }
  for (const binder::LockSpec& lock : query.locks) {
    const binder::From* from = nullptr;
    std::vector<const binder::From*> queue;
    for (const auto& item : query.from) queue.push_back(item.get());
    while (!queue.empty()) {
      const binder::From* item = queue.back();
      queue.pop_back();
      if (item->left != nullptr) queue.push_back(item->left.get());
      if (item->right != nullptr) queue.push_back(item->right.get());
      if (!item->columns.empty() && item->columns[0].id == lock.relation_first_column) from = item;
    }
    if (from == nullptr) throw PlanFailure{sql::InternalError("a locked table is missing")};
    LockTarget target{from->table, {}, lock.strength, lock.wait};
    for (const auto& part : from->table->primary.columns) {
      const auto& column =
          from->columns[static_cast<size_t>(from->table->ColumnPosition(part.column))];
      target.key_slots.push_back(static_cast<int>(exprs.size()));
      exprs.push_back(
          Lower(*sql::MakeColumn(static_cast<uint32_t>(column.id), column.type), input.ids));
      columns.push_back({column.name, column.type});
    }
    locks->push_back(std::move(target));
  }
  Rel out;
  out.ids.assign(exprs.size(), -1);
  const bool one_row =
      input.node->kind == NodeKind::kResult && static_cast<Result&>(*input.node).exprs.empty();
  if (one_row) {
    auto result = std::make_unique<Result>();
    result->exprs = std::move(exprs);
    result->columns = std::move(columns);
    out.node = std::move(result);
    return out;
  }
  bool identity = exprs.size() == input.ids.size();
  for (size_t i = 0; i < exprs.size() && identity; ++i) {
    identity = exprs[i]->kind == sql::ExprKind::kColumn && exprs[i]->slot == i;
  }
  if (identity) {
    input.node->columns = std::move(columns);
    out.node = std::move(input.node);
    return out;
  }
  auto project = std::make_unique<Project>();
  project->exprs = std::move(exprs);
  project->columns = std::move(columns);
  project->rows = input.node->rows;
  out.node = WithChild(std::move(project), std::move(input.node));
  return out;
}

// DISTINCT, ORDER BY, LIMIT above the rows of the query; `trim` leaves only the visible columns.
Rel Planner::Finish(const binder::Query& query, Rel rel, bool sorted, bool trim) {
  const bool plain = query.op == parser::SetOp::kNone && query.values.empty();
  std::vector<LockTarget> locks;
  if (plain) rel = ProjectOutputs(query, std::move(rel), &locks);
  if (query.distinct && query.distinct_on.empty()) {
    auto distinct = std::make_unique<Distinct>();
    for (size_t i = 0; i < query.visible; ++i) distinct->slots.push_back(static_cast<int>(i));
    distinct->rows = rel.node->rows * 0.5;
    rel.node = WithChild(std::move(distinct), std::move(rel.node));
  }
  std::vector<SortKey> keys;
  for (const auto& spec : query.order_by) {
    keys.push_back({spec.output, spec.descending, spec.nulls_first});
  }
  if (!query.distinct_on.empty() && keys.empty()) {
    for (int output : query.distinct_on) keys.push_back({output, false, false});
  }
  if (!keys.empty() && !sorted) {
    auto sort = std::make_unique<Sort>();
    sort->keys = std::move(keys);
    if (query.limit != nullptr && query.distinct_on.empty() && locks.empty()) {
      sort->limit = Lower(*query.limit, {});
      if (query.offset != nullptr) sort->offset = Lower(*query.offset, {});
    }
    sort->rows = rel.node->rows;
    sort->cost = rel.node->cost + rel.node->rows * 2;
    rel.node = WithChild(std::move(sort), std::move(rel.node));
  }
  if (!query.distinct_on.empty()) {
    auto distinct = std::make_unique<Distinct>();
    distinct->slots = query.distinct_on;
    distinct->rows = rel.node->rows * 0.5;
    rel.node = WithChild(std::move(distinct), std::move(rel.node));
  }
  if (!locks.empty()) {
    auto lock = std::make_unique<LockRows>();
    lock->targets = std::move(locks);
    lock->rows = rel.node->rows;
    rel.node = WithChild(std::move(lock), std::move(rel.node));
    plan_->read_only = false;
  }
  if (query.limit != nullptr || query.offset != nullptr) {
    auto limit = std::make_unique<Limit>();
    if (query.limit != nullptr) limit->limit = Lower(*query.limit, {});
    if (query.offset != nullptr) limit->offset = Lower(*query.offset, {});
    limit->rows = rel.node->rows;
    if (limit->limit != nullptr && limit->limit->kind == sql::ExprKind::kConst &&
        !limit->limit->value.is_null() && limit->limit->value.int_value() >= 0) {
      limit->rows = std::min(limit->rows, static_cast<double>(limit->limit->value.int_value()));
    }
    rel.node = WithChild(std::move(limit), std::move(rel.node));
  }
  if (trim && rel.node->columns.size() > query.visible) {
    auto project = std::make_unique<Project>();
    for (size_t i = 0; i < query.visible; ++i) {
      project->exprs.push_back(
          sql::MakeColumn(static_cast<uint32_t>(i), rel.node->columns[i].type));
      project->columns.push_back(rel.node->columns[i]);
    }
    project->rows = rel.node->rows;
    project->cost = rel.node->cost;
    const bool empty = project->columns.empty();
    PlanPtr child = std::move(rel.node);
    project->child = std::move(child);
    if (empty) project->columns.clear();
    rel.node = std::move(project);
  }
  rel.ids.assign(rel.node->columns.size(), -1);
  return rel;
}

}  // namespace borealis::planner
