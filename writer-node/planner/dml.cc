// INSERT, UPDATE, DELETE, and the planner's entry point.
#include <algorithm>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {
namespace {

bool IsDml(NodeKind kind) {
  return kind == NodeKind::kInsert || kind == NodeKind::kUpdate || kind == NodeKind::kDelete;
}

}  // namespace

Planner::Planner(binder::Statement* statement, const PlannerOptions& options)
    : statement_(statement), options_(options), plan_(std::make_shared<Plan>()) {
  const auto read = [&](const ExprPtr& e) {
    if (e != nullptr) binder::CollectColumns(*statement_, *e, &used_);
  };
  const auto read_all = [&](const auto& list) {
    for (const auto& item : list) read(item.expr);
  };
  if (statement->select != nullptr) {
    binder::CollectColumns(*statement_, statement->select.get(), &used_);
  }
  for (binder::Subquery& subquery : statement->subqueries) {
    binder::CollectColumns(*statement_, subquery.query.get(), &used_);
  }
  const auto read_from = [&](const std::vector<binder::FromPtr>& from) {
    for (const auto& item : from) {
      binder::ForEachExpr(item.get(), [&](ExprPtr* e) { read(*e); });
    }
    whole_rows_.insert(from[0]->columns[0].id);
  };
  if (statement->insert != nullptr && statement->insert->source != nullptr) {
    binder::CollectColumns(*statement_, statement->insert->source.get(), &used_);
  }
  if (statement->update != nullptr) {
    read_from(statement->update->from);
    read(statement->update->where);
    for (const auto& [position, expr] : statement->update->set) read(expr);
    read_all(statement->update->returning);
  }
  if (statement->remove != nullptr) {
    read_from(statement->remove->from);
    read(statement->remove->where);
    read_all(statement->remove->returning);
  }
}

void Planner::FillDml(const catalog::TablePtr& table, const std::set<ColumnId>* changed,
                      DmlNode* node) {
  node->table = table;
  const auto touched = [&](const std::vector<ColumnId>& columns) {
    return changed == nullptr || std::any_of(columns.begin(), columns.end(),
                                             [&](ColumnId c) { return changed->count(c) > 0; });
  };
  if (node->kind != NodeKind::kDelete) {
    for (size_t i = 0; i < table->constraints.size(); ++i) {
      const auto& constraint = table->constraints[i];
      if (constraint.type != catalog::ConstraintType::kForeignKey) continue;
      if (touched(constraint.columns)) {
        node->outbound.push_back({i, statement_->outbound_parents[i]});
      }
    }
  }
  if (node->kind != NodeKind::kInsert) {  // new rows are referenced by nobody
    for (const auto& key : statement_->inbound) {
      if (touched(key.child->constraints[key.constraint].ref_columns)) {
        node->inbound.push_back(key);
      }
    }
  }
}

void Planner::SetReturning(const std::vector<binder::OutputColumn>& list,
                           const std::vector<int>& ids, DmlNode* node) {
  for (const auto& output : list) {
    node->returning.push_back(Lower(*output.expr, ids));
    node->columns.push_back({output.name, output.type});
  }
}

std::vector<CheckConstraint> Planner::LowerChecks(const std::vector<binder::BoundCheck>& checks,
                                                  const std::vector<binder::BoundColumn>& row) {
  std::vector<CheckConstraint> out;
  for (const auto& check : checks) {
    out.push_back({check.name, Lower(*check.condition, IdsOf(row))});
  }
  return out;
}

void Planner::PlanInsert(const binder::BoundInsert& insert) {
  auto node = std::make_unique<Insert>();
  Rel source;
  if (insert.source == nullptr) {
    source.node = std::make_unique<Result>();
  } else {
    source = PlanQuery(*insert.source, false);
    source.ids.assign(source.node->columns.size(), -1);
    for (size_t i = 0; i < insert.source_columns.size(); ++i) {
      source.ids[i] = insert.source_columns[i].id;
    }
  }
  for (const ExprPtr& value : insert.values) {
    node->values.push_back(value == nullptr ? nullptr : Lower(*value, source.ids));
  }
  node->alias = insert.alias;
  node->checks = LowerChecks(insert.checks, insert.new_columns);
  node->on_conflict = static_cast<ConflictAction>(insert.on_conflict);
  node->conflict_index = insert.conflict_index;
  std::set<ColumnId> changed;
  if (insert.on_conflict == binder::ConflictAction::kUpdate) {
    std::vector<int> both = IdsOf(insert.old_columns);
    const std::vector<int> excluded = IdsOf(insert.excluded_columns);
    both.insert(both.end(), excluded.begin(), excluded.end());
    for (const auto& [position, expr] : insert.conflict_set) {
      node->conflict_set.emplace_back(position, Lower(*expr, both));
      changed.insert(insert.table->columns[static_cast<size_t>(position)].id);
    }
    if (insert.conflict_where != nullptr) {
      node->conflict_where = Lower(*insert.conflict_where, both);
    }
  }
  FillDml(insert.table, nullptr, node.get());
  for (const auto& key : statement_->inbound) {  // but ON CONFLICT DO UPDATE changes old ones
    const auto& columns = key.child->constraints[key.constraint].ref_columns;
    if (std::any_of(columns.begin(), columns.end(),
                    [&](ColumnId c) { return changed.count(c) > 0; })) {
      node->inbound.push_back(key);
    }
  }
  std::vector<int> ids = IdsOf(insert.new_columns);
  ids.insert(ids.end(), source.ids.begin(), source.ids.end());
  SetReturning(insert.returning, ids, node.get());
  node->rows = source.node->rows;
  node->cost = source.node->cost + source.node->rows;
  node->child = std::move(source.node);
  plan_->command = CommandKind::kInsert;
  plan_->root = std::move(node);
}

// The rows to change: the target's columns first, each target row once.
Rel Planner::PlanTarget(const std::vector<binder::FromPtr>& from, const ExprPtr& where) {
  std::vector<Conjunct> conjuncts;
  if (where != nullptr) AddConjuncts(*where, &conjuncts);
  std::vector<const binder::From*> items;
  for (const auto& item : from) items.push_back(item.get());
  Rel rel = PlanFrom(items, &conjuncts, nullptr);
  const std::vector<int> own = IdsOf(from[0]->columns);
  if (!std::equal(own.begin(), own.end(), rel.ids.begin(),
                  rel.ids.begin() + static_cast<long>(std::min(own.size(), rel.ids.size())))) {
    std::vector<int> ids = own;
    for (int id : rel.ids) {
      if (std::find(own.begin(), own.end(), id) == own.end()) ids.push_back(id);
    }
    auto project = std::make_unique<Project>();
    for (int id : ids) {
      const auto at = std::find(rel.ids.begin(), rel.ids.end(), id) - rel.ids.begin();
      const OutputColumn& column = rel.node->columns[static_cast<size_t>(at)];
      project->exprs.push_back(sql::MakeColumn(static_cast<uint32_t>(at), column.type));
      project->columns.push_back(column);
    }
    project->rows = rel.node->rows;
    project->cost = rel.node->cost;
    project->child = std::move(rel.node);
    rel.node = std::move(project);
    rel.ids = std::move(ids);
  }
  if (from.size() > 1) {
    auto once = std::make_unique<Distinct>();
    for (const auto& part : from[0]->table->primary.columns) {
      once->slots.push_back(from[0]->table->ColumnPosition(part.column));
    }
    once->columns = rel.node->columns;
    once->rows = rel.node->rows;
    once->cost = rel.node->cost;
    once->child = std::move(rel.node);
    rel.node = std::move(once);
  }
  return rel;
}

void Planner::PlanUpdate(const binder::BoundUpdate& update) {
  auto node = std::make_unique<Update>();
  const catalog::TablePtr& table = update.from[0]->table;
  Rel source = PlanTarget(update.from, update.where);
  std::set<ColumnId> changed;
  for (const auto& [position, expr] : update.set) {
    node->set.emplace_back(position, Lower(*expr, source.ids));
    changed.insert(table->columns[static_cast<size_t>(position)].id);
  }
  const auto touches = [&](const catalog::IndexDescriptor& index) {
    return std::any_of(index.columns.begin(), index.columns.end(),
                       [&](const auto& part) { return changed.count(part.column) > 0; });
  };
  node->changes_primary_key = touches(table->primary);
  if (node->changes_primary_key) node->changed_indexes.push_back(table->primary.id);
  for (const auto& index : table->secondary) {
    // A non-unique entry holds the primary key as well.
    if (touches(index) || node->changes_primary_key) node->changed_indexes.push_back(index.id);
  }
  node->alias = update.alias;
  node->checks = LowerChecks(update.checks, update.new_columns);
  FillDml(table, &changed, node.get());
  std::vector<int> ids = IdsOf(update.new_columns);
  ids.insert(ids.end(), source.ids.begin(), source.ids.end());
  SetReturning(update.returning, ids, node.get());
  node->rows = source.node->rows;
  node->cost = source.node->cost + source.node->rows;
  node->child = std::move(source.node);
  plan_->command = CommandKind::kUpdate;
  plan_->root = std::move(node);
}

void Planner::PlanDelete(const binder::BoundDelete& remove) {
  auto node = std::make_unique<Delete>();
  Rel source = PlanTarget(remove.from, remove.where);
  node->alias = remove.alias;
  FillDml(remove.from[0]->table, nullptr, node.get());
  std::vector<int> ids = IdsOf(remove.from[0]->columns);
  ids.insert(ids.end(), source.ids.begin(), source.ids.end());
  SetReturning(remove.returning, ids, node.get());
  node->rows = source.node->rows;
  node->cost = source.node->cost + source.node->rows;
  node->child = std::move(source.node);
  plan_->command = CommandKind::kDelete;
  plan_->root = std::move(node);
}

std::vector<const PlanNode*> Children(const PlanNode& node) {
  switch (node.kind) {
    case NodeKind::kFilter:
    case NodeKind::kProject:
    case NodeKind::kAggregate:
    case NodeKind::kDistinct:
    case NodeKind::kSort:
    case NodeKind::kLimit:
    case NodeKind::kMaterialize:
    case NodeKind::kLockRows:
    case NodeKind::kInsert:
    case NodeKind::kUpdate:
    case NodeKind::kDelete:
      return {static_cast<const UnaryNode&>(node).child.get()};
    case NodeKind::kNestedLoop: {
      auto& join = static_cast<const NestedLoop&>(node);
      return {join.left.get(), join.right.get()};
    }
    case NodeKind::kHashJoin: {
      auto& join = static_cast<const HashJoin&>(node);
      return {join.left.get(), join.right.get()};
    }
    case NodeKind::kLookupJoin:
      return {static_cast<const LookupJoin&>(node).left.get()};
    case NodeKind::kSetOp: {
      auto& op = static_cast<const SetOp&>(node);
      return {op.left.get(), op.right.get()};
    }
    default:
      return {};
  }
}

// No scan of a stored table but by whole unique keys, at most a few dozen of them.
bool Planner::PointOnly(const PlanNode& node, int* gets) const {
  constexpr int kMaxGets = 64;
  switch (node.kind) {
    case NodeKind::kTableScan:
    case NodeKind::kIndexScan:
    case NodeKind::kLookupJoin:
    case NodeKind::kVirtualScan:
      return false;
    case NodeKind::kPointGet: {
      auto& get = static_cast<const PointGet&>(node);
      if (get.array_column >= 0) return false;
      *gets += static_cast<int>(get.keys.size());
      return *gets <= kMaxGets;
    }
    case NodeKind::kNestedLoop:
      return false;
    default:
      break;
  }
  const auto children = Children(node);
  return std::all_of(children.begin(), children.end(),
                     [&](const PlanNode* child) { return PointOnly(*child, gets); });
}

std::shared_ptr<Plan> Planner::Run() {
  plan_->user_params = static_cast<int>(statement_->param_types.size());
  plan_->total_params = plan_->user_params;
  plan_->param_types = statement_->param_types;
  plan_->search_path = statement_->search_path;
  if (statement_->insert != nullptr) {
    PlanInsert(*statement_->insert);
  } else if (statement_->update != nullptr) {
    PlanUpdate(*statement_->update);
  } else if (statement_->remove != nullptr) {
    PlanDelete(*statement_->remove);
  } else {
    plan_->root = PlanQuery(*statement_->select, true).node;
  }
  const std::vector<binder::OutputColumn>* outputs = nullptr;
  if (statement_->insert != nullptr) outputs = &statement_->insert->returning;
  if (statement_->update != nullptr) outputs = &statement_->update->returning;
  if (statement_->remove != nullptr) outputs = &statement_->remove->returning;
  if (statement_->select != nullptr) outputs = &statement_->select->outputs;
  plan_->columns = plan_->root->columns;
  plan_->visible = plan_->columns.size();
  for (size_t i = 0; i < plan_->visible && i < outputs->size(); ++i) {
    plan_->columns[i].origin = {(*outputs)[i].table_oid, (*outputs)[i].attnum};
  }
  if (IsDml(plan_->root->kind)) plan_->read_only = false;
  for (const auto& table : statement_->tables) {
    plan_->dependencies.push_back({table->id, table->schema_version});
  }
  int gets = 0;
  plan_->point_access_only = PointOnly(*plan_->root, &gets);
  for (const Subplan& subplan : plan_->subplans) {
    plan_->point_access_only =
        plan_->point_access_only && subplan.bindings.empty() && PointOnly(*subplan.plan, &gets);
  }
  return plan_;
}

sql::SqlResult<PlanRef> MakePlan(std::unique_ptr<binder::Statement> statement,
                                 const PlannerOptions& options) {
  try {
    Planner planner(statement.get(), options);
    return PlanRef(planner.Run());
  } catch (PlanFailure& failure) {
    return std::move(failure.status);
  }
}

}  // namespace borealis::planner
