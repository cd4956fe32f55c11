// SELECT, VALUES and set operations.
#include <algorithm>
#include <set>

#include "writer-node/binder/binder_impl.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;
using parser::SelectStmt;

const char* SetOpName(parser::SetOp op) {
  return op == parser::SetOp::kUnion       ? "UNION"
         : op == parser::SetOp::kIntersect ? "INTERSECT"
                                           : "EXCEPT";
}

bool NullsFirst(const parser::SortItem& item) {
  if (item.nulls == parser::NullsOrder::kDefault) return item.descending;
  return item.nulls == parser::NullsOrder::kFirst;
}

// An integer constant in ORDER BY and GROUP BY is a position; -1 when it is no constant.
int OrdinalOf(const parser::Expr& expr, const char* clause, size_t columns) {
  if (expr.kind != parser::ExprKind::kConstant) return -1;
  const auto& c = static_cast<const parser::Constant&>(expr);
  if (c.constant_kind == parser::ConstantKind::kNull) return -1;
  if (c.constant_kind != parser::ConstantKind::kInteger) {
    Fail("42601", std::string("non-integer constant in ") + clause, expr.location);
  }
  if (c.integer < 1 || static_cast<size_t>(c.integer) > columns) {
    Fail("42P10",
         std::string(clause) + " position " + std::to_string(c.integer) + " is not in select list",
         expr.location);
  }
  return c.integer - 1;
}

const parser::ColumnRef* BareName(const parser::Expr& expr) {
  if (expr.kind != parser::ExprKind::kColumnRef) return nullptr;
  const auto& ref = static_cast<const parser::ColumnRef&>(expr);
  return ref.star || ref.name.size() != 1 ? nullptr : &ref;
}

}  // namespace

std::string ColumnNameOf(const parser::Expr& e) {
  using parser::ExprKind;
  switch (e.kind) {
    case ExprKind::kColumnRef: {
      auto& ref = static_cast<const parser::ColumnRef&>(e);
      return ref.name.empty() ? "?column?" : ref.name.back();
    }
    case ExprKind::kFunction:
      return static_cast<const parser::FunctionCall&>(e).name.back();
    case ExprKind::kCast: {
      auto& cast = static_cast<const parser::CastExpr&>(e);
      const std::string inner = ColumnNameOf(*cast.arg);
      return inner == "?column?" || cast.arg->kind == ExprKind::kCase ? cast.type.names.back()
                                                                      : inner;
    }
    case ExprKind::kCollate:
      return ColumnNameOf(*static_cast<const parser::CollateExpr&>(e).arg);
    case ExprKind::kSubscript:
      return ColumnNameOf(*static_cast<const parser::SubscriptExpr&>(e).arg);
    case ExprKind::kCase: {
      auto& c = static_cast<const parser::CaseExpr&>(e);
      const std::string inner = c.otherwise == nullptr ? "?column?" : ColumnNameOf(*c.otherwise);
      return inner == "?column?" ? "case" : inner;
    }
    case ExprKind::kCoalesce:
      return "coalesce";
    case ExprKind::kMinMax:
      return static_cast<const parser::MinMaxExpr&>(e).greatest ? "greatest" : "least";
    case ExprKind::kNullIf:
      return "nullif";
    case ExprKind::kArray:
      return "array";
    case ExprKind::kRow:
      return "row";
    case ExprKind::kSubquery: {
      auto& s = static_cast<const parser::SubqueryExpr&>(e);
      if (s.subquery_kind == parser::SubqueryKind::kExists) return "exists";
      if (s.subquery_kind == parser::SubqueryKind::kArray) return "array";
      if (s.subquery_kind != parser::SubqueryKind::kScalar) return "?column?";
      if (!s.select->values.empty()) return "column1";
      if (s.select->targets.size() != 1) return "?column?";
      const parser::Target& target = s.select->targets[0];
      return target.name.empty() ? ColumnNameOf(*target.expr) : target.name;
    }
    default:
      return "?column?";
  }
}

QueryPtr Binder::BindSelect(const SelectStmt& select, Scope* outer, bool keep_unknown) {
  auto query = std::make_unique<Query>();
  // WITH queries stand in a scope of their own, between this query and its outside.
  Scope with_scope(outer);
  std::vector<CteEntry> ctes;
  Scope* around = outer;
  if (!select.with.empty()) {
    std::set<std::string> names;
    for (const parser::CommonTable& table : select.with) {
      if (!names.insert(table.name).second) {
        Fail("42712", "WITH query name \"" + table.name + "\" specified more than once",
             table.location);
      }
      ctes.push_back({&table, 0});
    }
    with_scope.ctes = &ctes;
    with_scope.cte_limit = ctes.size();
    around = &with_scope;
  }
  Scope scope(around);
  if (select.op != parser::SetOp::kNone) {
    BindSetOperation(select, &scope, query.get(), keep_unknown);
  } else if (!select.values.empty()) {
    BindValuesClause(select, &scope, query.get(), keep_unknown);
    BindOrderBy(select, &scope, query.get());
  } else {
    BindPlain(select, &scope, query.get(), keep_unknown);
  }
  BindLimit(select, &scope, query.get());
  BindLocking(select, &scope, query.get());
  // A WITH query that nothing reads is checked all the same (it has no effects to run it for).
  for (size_t i = 0; i < ctes.size(); ++i) {
    if (ctes[i].references > 0) continue;
    Scope body(outer);
    body.ctes = &ctes;
    body.cte_limit = i;
    (void)BindSelect(static_cast<const SelectStmt&>(*ctes[i].table->statement), &body, false);
  }
  return query;
}

void Binder::BindPlain(const SelectStmt& select, Scope* scope, Query* query, bool keep_unknown) {
  BindFromList(select.from, scope, query, &query->from);
  if (select.where != nullptr) query->where = BindPredicate(*select.where, scope, Clause::kWhere);
  scope->query = query;
  BindTargets(select, scope, query);
  if (!keep_unknown) {
    for (OutputColumn& output : query->outputs) {
      output.expr = ResolveUnknown(std::move(output.expr));
      output.type = output.expr->type;
    }
  }
  query->visible = query->outputs.size();
  query->distinct = select.distinct;
  BindGroupBy(select, scope, query);
  if (select.having != nullptr) {
    query->aggregated = true;
    query->having = BindPredicate(*select.having, scope, Clause::kHaving);
  }
  BindOrderBy(select, scope, query);
  BindDistinctOn(select, scope, query);
  if (query->aggregated) {
    AddDependentKeys(scope, query);
    Regroup(query);
  }
  scope->query = nullptr;
}

void Binder::BindTargets(const SelectStmt& select, Scope* scope, Query* query) {
  for (const parser::Target& target : select.targets) {
    if (target.expr->kind == parser::ExprKind::kColumnRef &&
        static_cast<const parser::ColumnRef&>(*target.expr).star) {
      ExpandStar(static_cast<const parser::ColumnRef&>(*target.expr), scope, &query->outputs);
      continue;
    }
    OutputColumn output;
    output.name = target.name.empty() ? ColumnNameOf(*target.expr) : target.name;
    if (!BindSetReturningTarget(target, scope, query, &output)) {
      output.expr = BindExpr(*target.expr, scope, Clause::kSelect);
    }
    output.type = output.expr->type;
    if (output.expr->kind == sql::ExprKind::kColumn) {
      for (const ScopeRelation& relation : scope->relations) {
        for (const ScopeColumn& column : relation.columns) {
          if (column.id != static_cast<int>(output.expr->slot)) continue;
          output.table_oid = column.table_oid;
          output.attnum = column.attnum;
        }
      }
    }
    query->outputs.push_back(std::move(output));
  }
}

// SELECT f(...) of a set-returning function is a LATERAL item of FROM, as long as it is the only
// one.
bool Binder::BindSetReturningTarget(const parser::Target& target, Scope* scope, Query* query,
                                    OutputColumn* out) {
  if (target.expr->kind != parser::ExprKind::kFunction) return false;
  const auto& call = static_cast<const parser::FunctionCall&>(*target.expr);
  if (call.sql_value_function || call.name.size() > 2 || !sql::IsTableFunction(call.name.back())) {
    return false;
  }
  const std::string name = FunctionName(call);
  for (const FromPtr& from : query->from) {
    if (from->alias.empty() && from->kind == FromKind::kFunction) {
      Unsupported("more than one set-returning function in a select list", call.location);
    }
  }
  auto from = std::make_unique<From>();
  from->kind = FromKind::kFunction;
  FillTableFunction(call, name, scope, from.get());
  if (query->aggregated) {
    Unsupported("a set-returning function beside an aggregate", call.location);
  }
  if (from->columns.size() != 1) {
    Unsupported("a function that returns rows in a select list", call.location);
  }
  from->columns[0].id = NewColumn(query, name);
  out->expr = sql::MakeColumn(static_cast<uint32_t>(from->columns[0].id), from->columns[0].type);
  query->from.push_back(std::move(from));
  return true;
}

void Binder::BindValuesClause(const SelectStmt& select, Scope* scope, Query* query,
                              bool keep_unknown) {
  const size_t width = select.values[0].size();
  for (const auto& row : select.values) {
    if (row.size() != width) {
      Fail("42601", "VALUES lists must all be the same length",
           row.empty() ? -1 : row[0]->location);
    }
    query->values.push_back(BindExprs(row, scope, Clause::kValues));
  }
  for (size_t i = 0; i < width; ++i) {
    std::vector<sql::TypeOid> types;
    bool same_typmod = true;
    for (const auto& row : query->values) {
      types.push_back(row[i]->type.oid);
      same_typmod = same_typmod && row[i]->type == query->values[0][i]->type;
    }
    OutputColumn output;
    output.name = "column" + std::to_string(i + 1);
    const bool unknown =
        std::all_of(types.begin(), types.end(), [](sql::TypeOid t) { return t == oid::kUnknown; });
    if (unknown && keep_unknown) {
      output.type = {oid::kUnknown, -1};
    } else {
      output.type = {Check(sql::CommonType(types, "VALUES"), select.values[0][i]->location),
                     same_typmod ? query->values[0][i]->type.typmod : -1};
      for (auto& row : query->values) {
        const int location = row[i]->location;
        row[i] = Check(
            sql::Coerce(std::move(row[i]), {output.type.oid, -1}, sql::CastContext::kImplicit),
            location);
      }
    }
    query->outputs.push_back(std::move(output));
  }
  query->visible = width;
}

void Binder::CoerceOutputs(Query* query, const std::vector<sql::Type>& types) {
  if (query->op != parser::SetOp::kNone) {
    CoerceOutputs(query->left.get(), types);
    CoerceOutputs(query->right.get(), types);
  }
  for (size_t i = 0; i < types.size(); ++i) {
    OutputColumn& output = query->outputs[i];
    const sql::Type target{types[i].oid, output.type.oid == types[i].oid ? types[i].typmod : -1};
    const auto coerce = [&](ExprPtr* expr) {
      const int location = (*expr)->location;
      if ((*expr)->type.oid == target.oid) return;
      *expr = Check(sql::Coerce(std::move(*expr), target, sql::CastContext::kImplicit), location);
    };
    if (output.expr != nullptr) coerce(&output.expr);
    for (auto& row : query->values) coerce(&row[i]);
    output.type = target;
  }
}

void Binder::BindSetOperation(const SelectStmt& select, Scope* scope, Query* query,
                              bool keep_unknown) {
  query->op = select.op;
  query->all = select.all;
  query->left = BindSelect(*select.left, scope, true);
  query->right = BindSelect(*select.right, scope, true);
  const char* name = SetOpName(select.op);
  if (query->left->visible != query->right->visible) {
    Fail("42601", std::string("each ") + name + " query must have the same number of columns");
  }
  std::vector<sql::Type> types;
  for (size_t i = 0; i < query->left->visible; ++i) {
    const OutputColumn& l = query->left->outputs[i];
    const OutputColumn& r = query->right->outputs[i];
    sql::Type type{oid::kUnknown, -1};
    if (l.type.oid != oid::kUnknown || r.type.oid != oid::kUnknown || !keep_unknown) {
      const sql::TypeOid both[] = {l.type.oid, r.type.oid};
      type.oid = Check(sql::CommonType(both, name), l.expr == nullptr ? -1 : l.expr->location);
      if (l.type == r.type) type.typmod = l.type.typmod;
    }
    types.push_back(type);
    OutputColumn output;
    output.name = l.name;
    output.type = type;
    query->outputs.push_back(std::move(output));
  }
  query->visible = types.size();
  CoerceOutputs(query->left.get(), types);
  CoerceOutputs(query->right.get(), types);
  BindOrderBy(select, scope, query);
}

void Binder::BindGroupBy(const SelectStmt& select, Scope* scope, Query* query) {
  for (const parser::ExprPtr& item : select.group_by) {
    query->aggregated = true;
    ExprPtr key;
    int output = OrdinalOf(*item, "GROUP BY", query->visible);
    if (output < 0) {
      // A bare name is a column of FROM first, an output's name second.
      const parser::ColumnRef* bare = BareName(*item);
      bool is_column = false;
      if (bare != nullptr) {
        for (const ScopeColumn& c : scope->unqualified) is_column |= c.name == bare->name[0];
      }
      for (size_t i = 0; bare != nullptr && !is_column && i < query->visible; ++i) {
        if (query->outputs[i].name != bare->name[0]) continue;
        if (output >= 0 && !sql::Equal(*query->outputs[static_cast<size_t>(output)].expr,
                                       *query->outputs[i].expr)) {
          Fail("42702", "GROUP BY \"" + bare->name[0] + "\" is ambiguous", item->location);
        }
        output = static_cast<int>(i);
      }
    }
    if (output >= 0) {
      key = sql::Clone(*query->outputs[static_cast<size_t>(output)].expr);
      for (const AggregateSpec& aggregate : query->aggregates) {
        std::set<int> used;
        CollectColumns(*out_, *key, &used);
        if (used.count(aggregate.id) > 0) {
          Fail("42803", "aggregate functions are not allowed in GROUP BY", item->location);
        }
      }
    } else {
      key = ResolveUnknown(BindExpr(*item, scope, Clause::kGroupBy));
    }
    const bool known = std::any_of(query->group_by.begin(), query->group_by.end(),
                                   [&](const GroupKey& k) { return sql::Equal(*k.expr, *key); });
    if (known) continue;
    query->group_by.push_back({NewColumn(nullptr, "group key"), std::move(key)});
  }
}

// When a table's whole primary key is grouped by, its other columns depend on it: they become keys
// too, which changes no group.
void Binder::AddDependentKeys(Scope* scope, Query* query) {
  std::set<int> grouped;
  for (const GroupKey& key : query->group_by) {
    if (key.expr->kind == sql::ExprKind::kColumn) grouped.insert(static_cast<int>(key.expr->slot));
  }
  std::set<int> used;
  const auto collect = [&](const ExprPtr& e) {
    if (e != nullptr) CollectColumns(*out_, *e, &used);
  };
  for (const OutputColumn& output : query->outputs) collect(output.expr);
  collect(query->having);
  for (const ScopeRelation& relation : scope->relations) {
    if (relation.table == nullptr || !relation.table->has_primary_key()) continue;
    bool whole = true;
    for (const catalog::IndexColumn& part : relation.table->primary.columns) {
      const int position = relation.table->ColumnPosition(part.column);
      bool found = false;
      for (const ScopeColumn& c : relation.columns) {
        found |= c.attnum == position + 1 && grouped.count(c.id) > 0;
      }
      whole = whole && found;
    }
    if (!whole) continue;
    for (const ScopeColumn& c : relation.columns) {
      if (grouped.count(c.id) > 0 || used.count(c.id) == 0) continue;
      query->group_by.push_back({NewColumn(nullptr, c.name), sql::MakeColumn(c.id, c.type)});
    }
  }
}

void Binder::RegroupExpr(ExprPtr* expr, const Query* query, bool in_subquery) {
  for (const GroupKey& key : query->group_by) {
    if (!sql::Equal(**expr, *key.expr)) continue;
    const int location = (*expr)->location;
    *expr = sql::MakeColumn(static_cast<uint32_t>(key.id), key.expr->type);
    (*expr)->location = location;
    return;
  }
  if ((*expr)->kind == sql::ExprKind::kColumn) {
    const ColumnOrigin& origin = origins_[(*expr)->slot];
    if (origin.owner == query) {
      Fail("42803",
           in_subquery ? "subquery uses ungrouped column \"" + origin.text + "\" from outer query"
                       : "column \"" + origin.text +
                             "\" must appear in the GROUP BY clause or be used in an aggregate "
                             "function",
           (*expr)->location);
    }
    return;
  }
  if ((*expr)->kind == sql::ExprKind::kSubplan) {
    ForEachExpr(out_->subqueries[(*expr)->slot].query.get(),
                [&](ExprPtr* inner) { RegroupExpr(inner, query, true); });
  }
  for (ExprPtr& arg : (*expr)->args) RegroupExpr(&arg, query, in_subquery);
}

void Binder::Regroup(Query* query) {
  for (OutputColumn& output : query->outputs) RegroupExpr(&output.expr, query, false);
  if (query->having != nullptr) RegroupExpr(&query->having, query, false);
}

// The output that an item of ORDER BY or DISTINCT ON means; adds a hidden one if there is none.
int Binder::FindOutput(const parser::Expr& expr, Scope* scope, Query* query, const char* clause,
                       bool may_add) {
  const int ordinal = OrdinalOf(expr, clause, query->visible);
  if (ordinal >= 0) return ordinal;
  const bool plain = query->op == parser::SetOp::kNone && query->values.empty();
  if (const parser::ColumnRef* bare = BareName(expr); bare != nullptr) {
    int match = -1;
    for (size_t i = 0; i < query->visible; ++i) {
      if (query->outputs[i].name != bare->name[0]) continue;
      if (match >= 0 && !(plain && sql::Equal(*query->outputs[static_cast<size_t>(match)].expr,
                                              *query->outputs[i].expr))) {
        Fail("42702", std::string(clause) + " \"" + bare->name[0] + "\" is ambiguous",
             expr.location);
      }
      match = static_cast<int>(i);
    }
    if (match >= 0) return match;
  }
  if (!plain) {
    if (query->op != parser::SetOp::kNone) {
      Fail("0A000", "invalid UNION/INTERSECT/EXCEPT ORDER BY clause", expr.location,
           "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
           "Only result column names can be used, not expressions or functions.");
    }
    if (const parser::ColumnRef* bare = BareName(expr); bare != nullptr) {
      Fail("42703", "column \"" + bare->name[0] + "\" does not exist", expr.location);
    }
    Unsupported("an expression in ORDER BY of VALUES", expr.location);
  }
  ExprPtr bound = ResolveUnknown(BindExpr(expr, scope, Clause::kOrderBy));
  for (size_t i = 0; i < query->outputs.size(); ++i) {
    if (sql::Equal(*query->outputs[i].expr, *bound)) return static_cast<int>(i);
  }
  if (query->distinct && !may_add) {
    Fail("42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
         expr.location);
  }
  OutputColumn hidden;
  hidden.name = "?column?";
  hidden.type = bound->type;
  hidden.expr = std::move(bound);
  query->outputs.push_back(std::move(hidden));
  return static_cast<int>(query->outputs.size()) - 1;
}

void Binder::BindOrderBy(const SelectStmt& select, Scope* scope, Query* query) {
  const bool distinct_on = !select.distinct_on.empty();
  for (const parser::SortItem& item : select.order_by) {
    SortSpec spec;
    spec.output = FindOutput(*item.expr, scope, query, "ORDER BY", distinct_on);
    spec.descending = item.descending;
    spec.nulls_first = NullsFirst(item);
    const sql::TypeOid type = query->outputs[static_cast<size_t>(spec.output)].type.oid;
    if (sql::LessThanOf(type) == nullptr && type != oid::kUnknown) {
      Fail("42883", "could not identify an ordering operator for type " + sql::FormatType(type),
           item.expr->location, "Use an explicit ordering operator or modify the query.");
    }
    query->order_by.push_back(spec);
  }
}

void Binder::BindDistinctOn(const SelectStmt& select, Scope* scope, Query* query) {
  for (const parser::ExprPtr& item : select.distinct_on) {
    const int output = FindOutput(*item, scope, query, "DISTINCT ON", true);
    if (std::find(query->distinct_on.begin(), query->distinct_on.end(), output) ==
        query->distinct_on.end()) {
      query->distinct_on.push_back(output);
    }
  }
  // The sort must begin with them, in whatever order.
  const size_t n = std::min(query->distinct_on.size(), query->order_by.size());
  for (size_t i = 0; i < n; ++i) {
    if (std::find(query->distinct_on.begin(), query->distinct_on.end(),
                  query->order_by[i].output) == query->distinct_on.end()) {
      Fail("42P10", "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
           select.distinct_on[0]->location);
    }
  }
}

void Binder::BindLimit(const SelectStmt& select, Scope* scope, Query* query) {
  if (select.with_ties) Unsupported("FETCH FIRST ... WITH TIES");
  const auto bind = [&](const parser::ExprPtr& e, Clause clause) -> ExprPtr {
    if (e == nullptr) return nullptr;
    Scope none(scope->parent);
    ExprPtr bound = BindExpr(*e, &none, clause);
    const int location = bound->location;
    return Check(sql::Coerce(std::move(bound), {oid::kInt8, -1}, sql::CastContext::kAssignment),
                 location);
  };
  query->limit = bind(select.limit, Clause::kLimit);
  query->offset = bind(select.offset, Clause::kOffset);
  if (query->limit != nullptr && query->limit->kind == sql::ExprKind::kConst &&
      query->limit->value.is_null()) {
    query->limit = nullptr;  // LIMIT ALL
  }
}

void Binder::BindLocking(const SelectStmt& select, Scope* scope, Query* query) {
  for (const parser::LockingClause& clause : select.locking) {
    const char* problem = nullptr;
    if (query->op != parser::SetOp::kNone) problem = "UNION/INTERSECT/EXCEPT";
    if (!query->values.empty()) problem = "VALUES";
    if (query->distinct) problem = "DISTINCT clause";
    if (query->aggregated) problem = "GROUP BY clause, HAVING clause or aggregate functions";
    if (problem != nullptr) {
      Fail("0A000", std::string("row locks are not allowed with ") + problem);
    }
    std::vector<const ScopeRelation*> relations;
    for (const parser::RelationName& name : clause.tables) {
      const ScopeRelation* found = nullptr;
      for (const ScopeRelation& relation : scope->relations) {
        if (relation.alias == name.name) found = &relation;
      }
      if (found == nullptr) {
        Fail("42P01",
             "relation \"" + name.name + "\" in FOR UPDATE clause not found in FROM clause",
             name.location);
      }
      relations.push_back(found);
    }
    for (const ScopeRelation& relation : scope->relations) {
      if (clause.tables.empty()) relations.push_back(&relation);
    }
    for (const ScopeRelation* relation : relations) {
      if (relation->table == nullptr) {
        Unsupported("a row lock on \"" + relation->alias + "\", which is no table");
      }
      if (relation->table->is_virtual) continue;
      for (const FromPtr& from : query->from) {
        if (from->kind == FromKind::kJoin && from->join != parser::JoinType::kInner) {
          Unsupported("a row lock with an outer join");
        }
      }
      query->locks.push_back({relation->columns[0].id, clause.strength, clause.wait});
    }
  }
}

}  // namespace borealis::binder
