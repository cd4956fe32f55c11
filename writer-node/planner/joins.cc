// FROM: conditions to where they belong, and the order of joins.
#include <algorithm>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {
namespace {

bool Subset(const std::set<int>& part, const std::set<int>& whole) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

bool Touches(const std::set<int>& a, const std::set<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int id) { return b.count(id) > 0; });
}

std::set<int> IdSet(const std::vector<int>& ids) {
  return {ids.begin(), ids.end()};
}

bool IsInt(sql::TypeOid type) {
  return type == sql::oid::kInt2 || type == sql::oid::kInt4 || type == sql::oid::kInt8;
}

bool IsEquality(const sql::Expr& e) {
  return e.kind == sql::ExprKind::kCall && e.function != nullptr && e.function->op == "=" &&
         e.args.size() == 2;
}

}  // namespace

void Planner::AddConjuncts(const sql::Expr& expr, std::vector<Conjunct>* out) {
  if (expr.kind == sql::ExprKind::kAnd) {
    for (const ExprPtr& arg : expr.args) AddConjuncts(*arg, out);
    return;
  }
  Conjunct c;
  c.expr = &expr;
  binder::CollectColumns(*statement_, expr, &c.ids);
  c.movable = !sql::IsVolatile(expr);
  out->push_back(std::move(c));
}

ExprPtr Planner::AndOf(const std::vector<Conjunct*>& conjuncts, const std::vector<int>& ids) {
  if (conjuncts.empty()) return nullptr;
  std::vector<ExprPtr> parts;
  for (Conjunct* c : conjuncts) {
    parts.push_back(Lower(*c->expr, ids));
    c->used = true;
  }
  return sql::MakeAnd(std::move(parts));
}

Rel Planner::AddFilter(Rel rel, const std::vector<Conjunct*>& conjuncts) {
  if (conjuncts.empty()) return rel;
  auto filter = std::make_unique<Filter>();
  filter->condition = AndOf(conjuncts, rel.ids);
  filter->columns = rel.node->columns;
  filter->rows = std::max(1.0, rel.node->rows * 0.3);
  filter->cost = rel.node->cost;
  filter->child = std::move(rel.node);
  rel.node = std::move(filter);
  return rel;
}

void Planner::Flatten(const binder::From& from, std::vector<Leaf>* leaves,
                      std::vector<Conjunct>* conjuncts) {
  if (from.kind == binder::FromKind::kJoin && from.join == parser::JoinType::kInner) {
    Flatten(*from.left, leaves, conjuncts);
    Flatten(*from.right, leaves, conjuncts);
    if (from.on != nullptr) AddConjuncts(*from.on, conjuncts);
    return;
  }
  Leaf leaf;
  leaf.from = &from;
  binder::DefinedColumns(from, &leaf.ids);
  leaves->push_back(std::move(leaf));
}

// An item that is no inner join, with the conditions on it alone.
Rel Planner::PlanItem(const binder::From& from, std::vector<Conjunct*> own,
                      const SortRequest* sort) {
  switch (from.kind) {
    case binder::FromKind::kTable:
      return PlanTable(from, std::move(own), sort);
    case binder::FromKind::kSubquery: {
      Rel rel = PlanQuery(*from.query, false);
      rel.ids.assign(rel.node->columns.size(), -1);
      for (size_t i = 0; i < from.columns.size(); ++i) rel.ids[i] = from.columns[i].id;
      rel.order.clear();
      rel.constant.clear();
      return AddFilter(std::move(rel), own);
    }
    case binder::FromKind::kFunction: {
      auto scan = std::make_unique<FunctionScan>();
      scan->function = from.function;
      scan->arg_types = from.arg_types;
      scan->args = LowerAll(from.args, {});
      if (from.scalar != nullptr) scan->scalar = Lower(*from.scalar, {});
      scan->ordinality = from.ordinality;
      scan->alias = from.alias;
      scan->rows = from.function != nullptr ? 1000 : 1;
      scan->cost = scan->rows;
      Rel rel;
      for (const auto& column : from.columns) scan->columns.push_back({column.name, column.type});
      rel.ids = IdsOf(from.columns);
      rel.node = std::move(scan);
      return AddFilter(std::move(rel), own);
    }
    case binder::FromKind::kJoin: {
      std::vector<Conjunct> copy;
      for (Conjunct* c : own) {
        c->used = true;
        copy.push_back(*c);
        copy.back().used = false;
      }
      Rel rel = PlanOuterJoin(from, &copy);
      std::vector<Conjunct*> rest;
      for (Conjunct& c : copy) {
        if (!c.used) rest.push_back(&c);
      }
      return AddFilter(std::move(rel), rest);
    }
  }
  return {};
}

// LEFT, RIGHT and FULL joins keep their shape. Conditions from above go into the preserved side,
// those of ON that read only the other side go into that one. RIGHT is LEFT with the sides changed.
Rel Planner::PlanOuterJoin(const binder::From& from, std::vector<Conjunct>* above) {
  const bool full = from.join == parser::JoinType::kFull;
  const bool right = from.join == parser::JoinType::kRight;
  const binder::From& outer = right ? *from.right : *from.left;
  const binder::From& inner = right ? *from.left : *from.right;
  std::set<int> outer_ids, inner_ids;
  binder::DefinedColumns(outer, &outer_ids);
  binder::DefinedColumns(inner, &inner_ids);
  std::vector<Conjunct> outer_conjuncts;
  for (Conjunct& c : *above) {
    if (full || c.used || !c.movable || Touches(c.ids, inner_ids)) continue;
    outer_conjuncts.push_back(c);
    c.used = true;
  }
  Rel left = PlanFrom({&outer}, &outer_conjuncts, nullptr);
  std::vector<Conjunct> on;
  if (from.on != nullptr) AddConjuncts(*from.on, &on);
  std::vector<Conjunct*> both, right_only;
  for (Conjunct& c : on) {
    if (!full && c.movable && !Touches(c.ids, outer_ids) && !sql::HasSubplans(*c.expr)) {
      right_only.push_back(&c);
    } else {
      both.push_back(&c);
    }
  }
  return Join(std::move(left), inner, full ? JoinKind::kFull : JoinKind::kLeft, both, right_only);
}

// `from` may be any item, an inner join included.
Rel Planner::Join(Rel left, const binder::From& right, JoinKind kind, std::vector<Conjunct*> on,
                  std::vector<Conjunct*> right_only) {
  std::set<int> needs;
  binder::ForEachExpr(const_cast<binder::From*>(&right),
                      [&](ExprPtr* e) { binder::CollectColumns(*statement_, **e, &needs); });
  if (Touches(needs, IdSet(left.ids)) && right.kind != binder::FromKind::kTable) {
    return LateralLoop(std::move(left), right, kind, on, right_only);
  }
  if (right.kind == binder::FromKind::kTable && !right.table->is_virtual &&
      kind != JoinKind::kFull) {
    if (auto lookup = TryLookup(&left, right, kind, on, right_only)) return std::move(*lookup);
  }
  std::vector<Conjunct> copies;
  for (Conjunct* c : right_only) {
    copies.push_back(*c);
    c->used = true;
  }
  Rel inner = PlanFrom({&right}, &copies, nullptr);
  return HashOrLoop(std::move(left), std::move(inner), kind, on);
}

Rel Planner::LateralLoop(Rel left, const binder::From& right, JoinKind kind,
                         const std::vector<Conjunct*>& on,
                         const std::vector<Conjunct*>& right_only) {
  Context context;
  contexts_.push_back(&context);
  std::vector<Conjunct> copies;
  for (Conjunct* c : right_only) {
    copies.push_back(*c);
    c->used = true;
  }
  Rel inner = PlanFrom({&right}, &copies, nullptr);
  contexts_.pop_back();
  auto loop = std::make_unique<NestedLoop>();
  loop->join = kind;
  loop->bindings = Bindings(context, left.ids);
  loop->rows = std::max(1.0, left.node->rows * inner.node->rows);
  loop->cost = left.node->cost + left.node->rows * inner.node->cost;
  Rel out;
  out.ids = left.ids;
  out.ids.insert(out.ids.end(), inner.ids.begin(), inner.ids.end());
  out.order = left.order;
  out.constant = left.constant;
  loop->condition = AndOf(on, out.ids);
  loop->columns = left.node->columns;
  loop->columns.insert(loop->columns.end(), inner.node->columns.begin(), inner.node->columns.end());
  loop->left = std::move(left.node);
  loop->right = std::move(inner.node);
  out.node = std::move(loop);
  return out;
}

// An index of the right table whose leading columns equal expressions over the left row.
std::optional<Rel> Planner::TryLookup(Rel* left, const binder::From& right, JoinKind kind,
                                      const std::vector<Conjunct*>& on,
                                      const std::vector<Conjunct*>& right_only) {
  std::vector<Conjunct*> all = on;
  all.insert(all.end(), right_only.begin(), right_only.end());
  const double rows = RowCount(*right.table);
  std::optional<AccessPath> best;
  std::vector<const catalog::IndexDescriptor*> indexes = {&right.table->primary};
  for (const auto& index : right.table->secondary) indexes.push_back(&index);
  for (const auto* index : indexes) {
    auto path = PathOf(right, *index, rows, all);
    if (!path || path->equal.empty() || path->in_list != nullptr) continue;
    const bool joins = std::any_of(path->equal.begin(), path->equal.end(), [&](const Conjunct* c) {
      return std::find(on.begin(), on.end(), c) != on.end();
    });
    if (!joins) continue;
    if (!best || path->cost < best->cost) best = std::move(path);
  }
  if (!best) return std::nullopt;
  const double each = best->point ? 1.0 : std::max(1.0, std::min(best->rows, rows));
  const double lookup_cost = left->node->rows * (best->point ? 1.5 : each * 2.5);
  if (lookup_cost > rows + left->node->rows) return std::nullopt;  // a hash join is cheaper
  auto join = std::make_unique<LookupJoin>();
  join->join = kind;
  join->index = best->index->id;
  join->unique = best->point;
  join->keys = LowerAll(best->equal_values, left->ids);
  std::vector<Conjunct*> filter, condition;
  for (Conjunct* c : all) {
    if (std::find(best->equal.begin(), best->equal.end(), c) != best->equal.end()) {
      c->used = true;
      continue;
    }
    const bool own = std::find(right_only.begin(), right_only.end(), c) != right_only.end();
    (own ? filter : condition).push_back(c);
  }
  FillAccess(right, join.get(), join.get());
  std::vector<OutputColumn> right_columns = std::move(join->columns);
  join->columns = left->node->columns;
  join->columns.insert(join->columns.end(), right_columns.begin(), right_columns.end());
  const std::vector<int> right_ids = IdsOf(right.columns);
  join->filter = AndOf(filter, right_ids);
  Rel out;
  out.ids = left->ids;
  out.ids.insert(out.ids.end(), right_ids.begin(), right_ids.end());
  out.order = left->order;
  out.constant = left->constant;
  join->condition = AndOf(condition, out.ids);
  join->rows = std::max(1.0, left->node->rows * each);
  join->cost = left->node->cost + lookup_cost;
  join->left = std::move(left->node);
  out.node = std::move(join);
  return out;
}

Rel Planner::HashOrLoop(Rel left, Rel right, JoinKind kind, const std::vector<Conjunct*>& on) {
  // The right side is what is kept in memory: make it the smaller one where the sides may change.
  if (kind == JoinKind::kInner && right.node->rows > left.node->rows) std::swap(left, right);
  const std::set<int> left_ids = IdSet(left.ids), right_ids = IdSet(right.ids);
  std::vector<ExprPtr> left_keys, right_keys;
  std::vector<Conjunct*> rest;
  for (Conjunct* c : on) {
    bool taken = false;
    if (IsEquality(*c->expr) && c->movable && !sql::HasSubplans(*c->expr)) {
      std::set<int> a, b;
      binder::CollectColumns(*statement_, *c->expr->args[0], &a);
      binder::CollectColumns(*statement_, *c->expr->args[1], &b);
      const bool straight = Touches(a, left_ids) && !Touches(a, right_ids) &&
                            Touches(b, right_ids) && !Touches(b, left_ids);
      const bool crossed = Touches(b, left_ids) && !Touches(b, right_ids) &&
                           Touches(a, right_ids) && !Touches(a, left_ids);
      const sql::Expr& l = *c->expr->args[straight ? 0 : 1];
      const sql::Expr& r = *c->expr->args[straight ? 1 : 0];
      // The values must be of one type, or integers, to hash alike.
      const auto& types = c->expr->function->args;
      const bool comparable = types[0] == types[1] || (IsInt(types[0]) && IsInt(types[1]));
      if ((straight || crossed) && comparable) {
        left_keys.push_back(Lower(l, left.ids));
        right_keys.push_back(Lower(r, right.ids));
        c->used = true;
        taken = true;
      }
    }
    if (!taken) rest.push_back(c);
  }
  Rel out;
  out.ids = left.ids;
  out.ids.insert(out.ids.end(), right.ids.begin(), right.ids.end());
  std::vector<OutputColumn> columns = left.node->columns;
  columns.insert(columns.end(), right.node->columns.begin(), right.node->columns.end());
  if (!left_keys.empty() || kind == JoinKind::kFull) {
    auto join = std::make_unique<HashJoin>();
    join->join = kind;
    join->left_keys = std::move(left_keys);
    join->right_keys = std::move(right_keys);
    join->condition = AndOf(rest, out.ids);
    join->rows = std::max({1.0, left.node->rows, right.node->rows});
    join->cost = left.node->cost + right.node->cost + left.node->rows + right.node->rows;
    join->left = std::move(left.node);
    join->right = std::move(right.node);
    join->columns = std::move(columns);
    out.node = std::move(join);
    return out;
  }
  auto loop = std::make_unique<NestedLoop>();
  loop->join = kind;
  loop->condition = AndOf(rest, out.ids);
  loop->rows = std::max(1.0, left.node->rows * right.node->rows * (rest.empty() ? 1.0 : 0.3));
  loop->cost = left.node->cost + right.node->cost + left.node->rows * right.node->rows;
  auto keep = std::make_unique<Materialize>();
  keep->columns = right.node->columns;
  keep->rows = right.node->rows;
  keep->cost = right.node->cost;
  keep->child = std::move(right.node);
  loop->left = std::move(left.node);
  loop->right = std::move(keep);
  loop->columns = std::move(columns);
  out.order = left.order;
  out.constant = left.constant;
  out.node = std::move(loop);
  return out;
}

Rel Planner::PlanLeaf(Leaf* leaf, std::vector<Conjunct>* conjuncts, const SortRequest* sort) {
  (void)conjuncts;
  leaf->joined = true;
  return PlanItem(*leaf->from, leaf->own, sort);
}

Rel Planner::JoinLeaf(Rel left, Leaf* leaf, std::vector<Conjunct>* conjuncts) {
  leaf->joined = true;
  std::set<int> have = IdSet(left.ids);
  have.insert(leaf->ids.begin(), leaf->ids.end());
  std::vector<Conjunct*> on;
  for (Conjunct& c : *conjuncts) {
    const bool own = std::find(leaf->own.begin(), leaf->own.end(), &c) != leaf->own.end();
    if (c.used || own || !c.movable || sql::HasSubplans(*c.expr)) continue;
    std::set<int> mine;
    for (int id : c.ids) {
      if (used_.count(id) > 0) mine.insert(id);
    }
    if (Touches(c.ids, leaf->ids) && Subset(mine, have)) on.push_back(&c);
  }
  return Join(std::move(left), *leaf->from, JoinKind::kInner, on, leaf->own);
}

// Joins the items as a product under the conditions; those that cannot be moved (volatile, or with
// sub-selects over several leaves) are applied at the end.
Rel Planner::PlanFrom(const std::vector<const binder::From*>& items,
                      std::vector<Conjunct>* conjuncts, const SortRequest* sort) {
  std::vector<Leaf> leaves;
  for (const binder::From* item : items) Flatten(*item, &leaves, conjuncts);
  std::set<int> all_ids;
  for (const Leaf& leaf : leaves) all_ids.insert(leaf.ids.begin(), leaf.ids.end());
  // Numbers of outer queries are given: within this FROM only its own count.
  for (Conjunct& c : *conjuncts) {
    std::set<int> mine;
    for (int id : c.ids) {
      if (all_ids.count(id) > 0) mine.insert(id);
    }
    c.ids = std::move(mine);
  }
  for (Leaf& leaf : leaves) {
    std::set<int> reads;
    binder::ForEachExpr(const_cast<binder::From*>(leaf.from),
                        [&](ExprPtr* e) { binder::CollectColumns(*statement_, **e, &reads); });
    for (int id : reads) {
      if (all_ids.count(id) > 0 && leaf.ids.count(id) == 0) leaf.needs.insert(id);
    }
    for (Conjunct& c : *conjuncts) {
      if (c.movable && !c.ids.empty() && Subset(c.ids, leaf.ids)) leaf.own.push_back(&c);
    }
  }
  Rel rel;
  if (leaves.empty()) {
    auto result = std::make_unique<Result>();
    rel.node = std::move(result);
  } else {
    // Start with the cheapest leaf, by a rough guess that prefers given keys.
    Leaf* first = nullptr;
    double first_rows = 0;
    for (Leaf& leaf : leaves) {
      if (!leaf.needs.empty()) continue;
      double rows = 1000;
      if (leaf.from->kind == binder::FromKind::kTable) {
        rows = RowCount(*leaf.from->table);
        if (!leaf.from->table->is_virtual) {
          for (size_t i = 0; i <= leaf.from->table->secondary.size(); ++i) {
            const auto& index =
                i == 0 ? leaf.from->table->primary : leaf.from->table->secondary[i - 1];
            if (auto path = PathOf(*leaf.from, index, rows, leaf.own)) {
              rows = std::min(rows, path->rows);
            }
          }
        }
        for (size_t i = 0; i < leaf.own.size(); ++i) rows = std::max(1.0, rows * 0.5);
      }
      if (first == nullptr || rows < first_rows) {
        first = &leaf;
        first_rows = rows;
      }
    }
    if (first == nullptr) {
      throw PlanFailure{sql::InternalError("FROM items depend on one another in a circle")};
    }
    rel = PlanLeaf(first, conjuncts, leaves.size() == 1 ? sort : nullptr);
    for (size_t joined = 1; joined < leaves.size(); ++joined) {
      // A leaf that a condition connects to what is there, before one that multiplies.
      Leaf* next = nullptr;
      bool next_connected = false;
      const std::set<int> have = IdSet(rel.ids);
      for (Leaf& leaf : leaves) {
        if (leaf.joined || !Subset(leaf.needs, have)) continue;
        bool connected = !leaf.needs.empty();
        for (const Conjunct& c : *conjuncts) {
          connected |= IsEquality(*c.expr) && Touches(c.ids, leaf.ids) && Touches(c.ids, have);
        }
        if (next == nullptr || (connected && !next_connected)) {
          next = &leaf;
          next_connected = connected;
        }
      }
      rel = JoinLeaf(std::move(rel), next, conjuncts);
    }
  }
  std::vector<Conjunct*> rest;
  for (Conjunct& c : *conjuncts) {
    if (!c.used) rest.push_back(&c);
  }
  return AddFilter(std::move(rel), rest);
}

}  // namespace borealis::planner
