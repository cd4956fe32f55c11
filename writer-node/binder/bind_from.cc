// FROM: tables, sub-selects, functions and joins.
#include <algorithm>
#include <set>

#include "writer-node/binder/binder_impl.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;

}  // namespace

void Binder::AddRelation(From* from, const parser::Alias& alias, Scope* scope, const Query* owner,
                         int location) {
  ScopeRelation relation;
  relation.alias = from->alias;
  relation.table = from->table;
  if (from->table != nullptr && alias.name.empty()) relation.schema = from->table->schema;
  size_t visible = from->columns.size();
  if (from->table != nullptr) visible = from->table->visible_columns();
  if (alias.columns.size() > visible) {
    Fail("42P10",
         "table \"" + from->alias + "\" has " + std::to_string(visible) +
             " columns available but " + std::to_string(alias.columns.size()) +
             " columns specified",
         location);
  }
  for (const ScopeRelation& other : scope->relations) {
    if (other.alias == relation.alias && !relation.alias.empty() &&
        (other.schema == relation.schema || relation.schema.empty() || other.schema.empty())) {
      Fail("42712", "table name \"" + relation.alias + "\" specified more than once", location);
    }
  }
  for (size_t i = 0; i < from->columns.size(); ++i) {
    BoundColumn& column = from->columns[i];
    if (from->table != nullptr && from->table->columns[i].hidden) continue;
    if (i < alias.columns.size()) column.name = alias.columns[i];
    ScopeColumn entry{column.name, column.id, column.type, 0, 0};
    if (from->table != nullptr) {
      entry.table_oid = from->table->oid;
      entry.attnum = static_cast<int16_t>(i + 1);
    }
    origins_[static_cast<size_t>(column.id)] = {owner, from->alias + "." + column.name};
    relation.columns.push_back(entry);
    scope->unqualified.push_back(entry);
  }
  scope->relations.push_back(std::move(relation));
}

FromPtr Binder::TableFrom(const catalog::TablePtr& table, const std::string& alias, Scope* scope,
                          const Query* owner) {
  auto from = std::make_unique<From>();
  from->kind = FromKind::kTable;
  from->table = table;
  from->alias = alias.empty() ? table->name : alias;
  for (const catalog::ColumnDescriptor& column : table->columns) {
    from->columns.push_back({NewColumn(owner, from->alias + "." + column.name),
                             column.name,
                             {column.type_oid, column.typmod}});
  }
  NoteTable(table);
  if (scope != nullptr) {
    parser::Alias a;
    a.name = alias;
    AddRelation(from.get(), a, scope, owner, -1);
  }
  return from;
}

void Binder::BindFromList(const std::vector<parser::FromPtr>& list, Scope* scope, Query* query,
                          std::vector<FromPtr>* out) {
  for (const parser::FromPtr& item : list) out->push_back(BindFrom(*item, scope, query));
}

FromPtr Binder::BindFrom(const parser::FromItem& item, Scope* scope, Query* query) {
  switch (item.kind) {
    case parser::FromKind::kTable:
      return BindFromTable(static_cast<const parser::FromTable&>(item), scope, query);
    case parser::FromKind::kSubquery:
      return BindFromSubquery(static_cast<const parser::FromSubquery&>(item), scope, query);
    case parser::FromKind::kFunction:
      return BindFromFunction(static_cast<const parser::FromFunction&>(item), scope, query);
    case parser::FromKind::kJoin:
      return BindFromJoin(static_cast<const parser::FromJoin&>(item), scope, query);
  }
  Unsupported("this kind of FROM item", item.location);
}

CteEntry* Binder::FindCte(const std::string& name, Scope* scope, Scope** found_in) {
  for (Scope* s = scope; s != nullptr; s = s->parent) {
    if (s->ctes == nullptr) continue;
    for (size_t i = 0; i < s->cte_limit; ++i) {
      if ((*s->ctes)[i].table->name == name) {
        *found_in = s;
        return &(*s->ctes)[i];
      }
    }
  }
  return nullptr;
}

FromPtr Binder::BindFromTable(const parser::FromTable& item, Scope* scope, Query* query) {
  if (item.table.schema.empty()) {
    Scope* cte_scope = nullptr;
    CteEntry* cte = FindCte(item.table.name, scope, &cte_scope);
    if (cte != nullptr) return BindCte(item, cte, cte_scope, scope, query);
  }
  auto table = RequireTable(item.table);
  FromPtr from = TableFrom(table, item.alias.name, nullptr, query);
  AddRelation(from.get(), item.alias, scope, query, item.location);
  return from;
}

// A WITH query is bound anew at each reference. That is the same as running it once, unless it
// calls a volatile function.
FromPtr Binder::BindCte(const parser::FromTable& item, CteEntry* entry, Scope* cte_scope,
                        Scope* scope, Query* query) {
  const parser::CommonTable& table = *entry->table;
  // The body sees the WITH queries before it, and what its own query's outside sees.
  Scope body(cte_scope->parent);
  body.ctes = cte_scope->ctes;
  body.cte_limit = static_cast<size_t>(entry - cte_scope->ctes->data());
  const int volatile_before = volatile_calls_;
  auto from = std::make_unique<From>();
  from->kind = FromKind::kSubquery;
  from->alias = item.alias.name.empty() ? table.name : item.alias.name;
  from->query = BindSelect(static_cast<const parser::SelectStmt&>(*table.statement), &body, false);
  if (++entry->references > 1 && volatile_calls_ != volatile_before) {
    Unsupported("a WITH query that calls a volatile function and is used more than once",
                item.location);
  }
  if (table.columns.size() > from->query->visible) {
    Fail("42P10",
         "WITH query \"" + table.name + "\" has " + std::to_string(from->query->visible) +
             " columns available but " + std::to_string(table.columns.size()) +
             " columns specified",
         table.location);
  }
  for (size_t i = 0; i < from->query->visible; ++i) {
    const OutputColumn& output = from->query->outputs[i];
    const std::string name = i < table.columns.size() ? table.columns[i] : output.name;
    from->columns.push_back({NewColumn(query, name), name, output.type});
  }
  AddRelation(from.get(), item.alias, scope, query, item.location);
  return from;
}

FromPtr Binder::BindFromSubquery(const parser::FromSubquery& item, Scope* scope, Query* query) {
  if (item.alias.name.empty()) {
    Fail("42601",
         item.select->values.empty() ? "subquery in FROM must have an alias"
                                     : "VALUES in FROM must have an alias",
         item.location, "For example, FROM (SELECT ...) [AS] foo.");
  }
  auto from = std::make_unique<From>();
  from->kind = FromKind::kSubquery;
  from->alias = item.alias.name;
  from->lateral = item.lateral;
  if (item.lateral) {
    from->query = BindSelect(*item.select, scope, false);
  } else {
    // It sees WITH queries of this level, but not the other items of FROM.
    Scope hidden(scope->parent);
    hidden.ctes = scope->ctes;
    hidden.cte_limit = scope->cte_limit;
    from->query = BindSelect(*item.select, &hidden, false);
  }
  for (size_t i = 0; i < from->query->visible; ++i) {
    const OutputColumn& output = from->query->outputs[i];
    from->columns.push_back({NewColumn(query, output.name), output.name, output.type});
  }
  AddRelation(from.get(), item.alias, scope, query, item.location);
  return from;
}

void Binder::FillTableFunction(const parser::FunctionCall& call, const std::string& name,
                               Scope* scope, From* from) {
  from->args = BindExprs(call.args, scope, Clause::kFunctionArgs);
  std::vector<sql::TypeOid> types;
  for (const ExprPtr& arg : from->args) types.push_back(arg->type.oid);
  const auto resolved = Check(sql::ResolveFunction(name, types), call.location);
  from->function = resolved.function;
  from->arg_types = resolved.arg_types;
  for (size_t i = 0; i < from->args.size(); ++i) {
    from->args[i] = Check(sql::Coerce(std::move(from->args[i]), {resolved.arg_types[i], -1},
                                      sql::CastContext::kImplicit),
                          call.location);
  }
  from->lateral = true;
  for (const auto& column : sql::TableFunctionColumns(*resolved.function, resolved.result)) {
    from->columns.push_back({-1, column.name, column.type});
  }
}

FromPtr Binder::BindFromFunction(const parser::FromFunction& item, Scope* scope, Query* query) {
  if (!item.column_definitions.empty()) {
    Unsupported("a column definition list", item.location);
  }
  if (item.function->kind != parser::ExprKind::kFunction) {
    Unsupported("this expression in FROM", item.location);
  }
  const auto& call = static_cast<const parser::FunctionCall&>(*item.function);
  const std::string name = call.sql_value_function ? call.name[0] : FunctionName(call);
  auto from = std::make_unique<From>();
  from->kind = FromKind::kFunction;
  from->alias = item.alias.name.empty() ? name : item.alias.name;
  from->ordinality = item.ordinality;
  if (!call.sql_value_function && sql::IsTableFunction(name)) {
    FillTableFunction(call, name, scope, from.get());
    // A function with one column gives it the alias's name.
    if (from->columns.size() == 1) {
      from->columns[0].name = item.alias.name.empty() ? name : item.alias.name;
    }
  } else {
    from->scalar = ResolveUnknown(BindFunction(call, scope, Clause::kFunctionArgs));
    from->lateral = true;
    from->columns.push_back({-1, from->alias, from->scalar->type});
  }
  if (item.ordinality) from->columns.push_back({-1, "ordinality", {oid::kInt8, -1}});
  for (BoundColumn& column : from->columns) column.id = NewColumn(query, column.name);
  AddRelation(from.get(), item.alias, scope, query, item.location);
  return from;
}

FromPtr Binder::BindFromJoin(const parser::FromJoin& item, Scope* scope, Query* query) {
  auto join = std::make_unique<From>();
  join->kind = FromKind::kJoin;
  join->join = item.type;
  if (!item.alias.name.empty()) Unsupported("an alias of a join", item.location);
  // ON sees the two sides only, so names are found in a scope of their own first.
  Scope inner(scope->parent);
  inner.ctes = scope->ctes;
  inner.cte_limit = scope->cte_limit;
  inner.relations = scope->relations;  // for LATERAL and for duplicate aliases
  inner.unqualified = scope->unqualified;
  const size_t before_relations = inner.relations.size();
  const size_t before_columns = inner.unqualified.size();
  join->left = BindFrom(*item.left, &inner, query);
  const size_t middle = inner.unqualified.size();
  join->right = BindFrom(*item.right, &inner, query);
  if ((item.type == parser::JoinType::kRight || item.type == parser::JoinType::kFull) &&
      join->right->lateral) {
    std::set<int> used, left;
    DefinedColumns(*join->left, &left);
    ForEachExpr(join->right.get(), [&](ExprPtr* e) { CollectColumns(*out_, **e, &used); });
    for (int id : used) {
      if (left.count(id) > 0) Unsupported("LATERAL in a RIGHT or FULL JOIN", item.location);
    }
  }
  if (item.natural || !item.using_columns.empty()) {
    MergeUsing(item, before_columns, middle, join.get(), &inner);
  }
  if (item.on != nullptr) {
    Scope on(scope->parent);
    on.ctes = scope->ctes;
    on.cte_limit = scope->cte_limit;
    on.relations.assign(inner.relations.begin() + static_cast<long>(before_relations),
                        inner.relations.end());
    on.unqualified.assign(inner.unqualified.begin() + static_cast<long>(before_columns),
                          inner.unqualified.end());
    join->on = BindPredicate(*item.on, &on, Clause::kOn);
  }
  scope->relations = std::move(inner.relations);
  scope->unqualified = std::move(inner.unqualified);
  return join;
}

// JOIN USING and NATURAL: the named columns are equal, and * and bare names see one of each pair
// (the side that is never NULL-extended).
void Binder::MergeUsing(const parser::FromJoin& item, size_t left_begin, size_t right_begin,
                        From* join, Scope* scope) {
  auto& columns = scope->unqualified;
  const std::vector<ScopeColumn> left(columns.begin() + static_cast<long>(left_begin),
                                      columns.begin() + static_cast<long>(right_begin));
  const std::vector<ScopeColumn> right(columns.begin() + static_cast<long>(right_begin),
                                       columns.end());
  const auto count = [](const std::vector<ScopeColumn>& side, const std::string& name) {
    return std::count_if(side.begin(), side.end(),
                         [&](const ScopeColumn& c) { return c.name == name; });
  };
  std::vector<std::string> names = item.using_columns;
  if (item.natural) {
    for (const ScopeColumn& column : left) {
      if (count(right, column.name) > 0) names.push_back(column.name);
    }
  }
  std::vector<ScopeColumn> merged;
  std::vector<ExprPtr> equalities;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      Fail("42701", "column name \"" + name + "\" appears more than once in USING clause",
           item.location);
    }
    for (const auto& [side, text] : {std::pair{&left, "left"}, std::pair{&right, "right"}}) {
      if (count(*side, name) == 0) {
        Fail("42703",
             "column \"" + name + "\" specified in USING clause does not exist in " + text +
                 " table",
             item.location);
      }
      if (count(*side, name) > 1) {
        Fail("42702",
             "common column name \"" + name + "\" appears more than once in " + text + " table",
             item.location);
      }
    }
    const auto by_name = [&](const ScopeColumn& c) { return c.name == name; };
    const ScopeColumn l = *std::find_if(left.begin(), left.end(), by_name);
    const ScopeColumn r = *std::find_if(right.begin(), right.end(), by_name);
    if (item.type == parser::JoinType::kFull) {
      Unsupported("FULL JOIN with USING or NATURAL", item.location);
    }
    equalities.push_back(
        Check(sql::BuildOperator("=", sql::MakeColumn(l.id, l.type), sql::MakeColumn(r.id, r.type)),
              item.location));
    merged.push_back(item.type == parser::JoinType::kRight ? r : l);
  }
  columns.resize(left_begin);
  columns.insert(columns.end(), merged.begin(), merged.end());
  for (const auto* side : {&left, &right}) {
    for (const ScopeColumn& column : *side) {
      if (seen.count(column.name) == 0) columns.push_back(column);
    }
  }
  if (!equalities.empty()) join->on = sql::MakeAnd(std::move(equalities));
}

}  // namespace borealis::binder
