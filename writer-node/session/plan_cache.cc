#include "writer-node/session/plan_cache.h"

#include "writer-node/binder/binder.h"
#include "writer-node/planner/planner.h"

namespace borealis::session {
namespace {

// Longer texts are planned but not kept: a bulk INSERT would push everything else out.
constexpr size_t kTextBytesMax = 16 * 1024;

bool UsesVirtual(const planner::PlanNode* node) {
  using planner::NodeKind;
  if (node == nullptr) return false;
  switch (node->kind) {
    case NodeKind::kVirtualScan:
      return true;
    case NodeKind::kResult:
    case NodeKind::kValues:
    case NodeKind::kTableScan:
    case NodeKind::kIndexScan:
    case NodeKind::kPointGet:
    case NodeKind::kFunctionScan:
      return false;
    case NodeKind::kNestedLoop: {
      const auto* join = static_cast<const planner::NestedLoop*>(node);
      return UsesVirtual(join->left.get()) || UsesVirtual(join->right.get());
    }
    case NodeKind::kHashJoin: {
      const auto* join = static_cast<const planner::HashJoin*>(node);
      return UsesVirtual(join->left.get()) || UsesVirtual(join->right.get());
    }
    case NodeKind::kLookupJoin:
      return UsesVirtual(static_cast<const planner::LookupJoin*>(node)->left.get());
    case NodeKind::kSetOp: {
      const auto* op = static_cast<const planner::SetOp*>(node);
      return UsesVirtual(op->left.get()) || UsesVirtual(op->right.get());
    }
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
      return UsesVirtual(static_cast<const planner::UnaryNode*>(node)->child.get());
  }
  return true;
}

bool UsesVirtual(const planner::Plan& plan) {
  if (UsesVirtual(plan.root.get())) return true;
  for (const planner::Subplan& subplan : plan.subplans) {
    if (UsesVirtual(subplan.plan.get())) return true;
  }
  return false;
}

std::string CacheKey(std::string_view text, const std::vector<uint32_t>& types,
                     const std::vector<std::string>& search_path) {
  std::string key;
  key.reserve(text.size() + 64);
  PutVarint(&key, types.size());
  for (uint32_t type : types) PutVarint(&key, type);
  PutVarint(&key, search_path.size());
  for (const std::string& schema : search_path) PutString(&key, schema);
  key += text;
  return key;
}

}  // namespace

bool IsPlanned(const parser::Statement& statement) {
  using parser::StatementKind;
  return statement.kind == StatementKind::kSelect || statement.kind == StatementKind::kInsert ||
         statement.kind == StatementKind::kUpdate || statement.kind == StatementKind::kDelete;
}

bool PlanStands(const planner::Plan& plan, const catalog::CatalogSnapshot& catalog) {
  for (const planner::TableDependency& dependency : plan.dependencies) {
    catalog::TablePtr table = catalog.FindTable(dependency.table);
    if (table == nullptr || table->schema_version != dependency.schema_version) return false;
  }
  return true;
}

std::vector<uint32_t> ResultTypes(const planner::Plan& plan) {
  std::vector<uint32_t> types;
  for (size_t i = 0; i < plan.visible; ++i) types.push_back(plan.columns[i].type.oid);
  return types;
}

sql::SqlResult<planner::PlanRef> PlanFor(Query* query, const catalog::SnapshotPtr& catalog,
                                         const std::vector<std::string>& search_path) {
  const bool same_path = query->planned_path == search_path;
  if (query->plan != nullptr && same_path &&
      (query->planned_for == catalog || PlanStands(*query->plan, *catalog))) {
    query->planned_for = catalog;
    return query->plan;
  }
  binder::BindOptions options;
  options.catalog = catalog;
  options.search_path = search_path;
  options.param_types = query->given_types;
  options.text = query->text;
  SQL_ASSIGN_OR_RETURN(auto bound, binder::Bind(*query->statement, options));
  SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, planner::MakePlan(std::move(bound)));
  query->uses_virtual = UsesVirtual(*plan);
  query->plan = plan;
  query->planned_for = catalog;
  query->planned_path = search_path;
  return plan;
}

sql::SqlResult<QueryPtr> PlanCache::Parse(std::string_view text, const std::vector<uint32_t>& types,
                                          const std::vector<std::string>& search_path) {
  std::string key = CacheKey(text, types, search_path);
  if (auto it = entries_.find(key); it != entries_.end()) {
    ++hits_;
    recent_.splice(recent_.begin(), recent_, it->second);
    return it->second->second;
  }
  ++misses_;
  SQL_ASSIGN_OR_RETURN(auto statements, parser::Parse(text));
  if (statements.size() > 1) {
    return sql::SqlStatus("42601", "cannot insert multiple commands into a prepared statement");
  }
  auto query = std::make_shared<Query>();
  query->text = text;
  query->given_types = types;
  if (!statements.empty()) query->statement = std::move(statements[0].statement);
  if (query->statement == nullptr || !IsPlanned(*query->statement) || text.size() > kTextBytesMax) {
    return query;
  }
  recent_.emplace_front(key, query);
  entries_[std::move(key)] = recent_.begin();
  if (recent_.size() > entries_max_) {
    entries_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return query;
}

void PlanCache::Clear() {
  entries_.clear();
  recent_.clear();
}

}  // namespace borealis::session
