// INSERT, UPDATE, DELETE and COPY FROM.
#include <algorithm>
#include <set>

#include "writer-node/binder/binder_impl.h"

namespace borealis::binder {
namespace {

namespace oid = sql::oid;

int RequireColumn(const catalog::TableDescriptor& table, const std::string& name, int location) {
  const catalog::ColumnDescriptor* column = table.FindColumn(name);
  if (column == nullptr) {
    Fail("42703", "column \"" + name + "\" of relation \"" + table.name + "\" does not exist",
         location);
  }
  return table.ColumnPosition(column->id);
}

sql::Type TypeOf(const catalog::ColumnDescriptor& column) {
  return {column.type_oid, column.typmod};
}

}  // namespace

catalog::TablePtr Binder::TargetTable(const parser::RelationName& name) {
  auto table = RequireTable(name);
  if (table->is_virtual) {
    Fail("42501", "permission denied: \"" + table->name + "\" is a system catalog", name.location);
  }
  NoteTable(table);
  NoteForeignKeys(table);
  return table;
}

// Foreign keys make a change read other tables; the plan depends on those as well.
void Binder::NoteForeignKeys(const catalog::TablePtr& table) {
  out_->inbound = catalog_.ForeignKeysTo(table->id);
  for (const auto& key : out_->inbound) NoteTable(key.child);
  for (const auto& constraint : table->constraints) {
    catalog::TablePtr parent;
    if (constraint.type == catalog::ConstraintType::kForeignKey) {
      parent = catalog_.FindTable(constraint.ref_table);
      if (parent == nullptr) Fail("XX000", "a foreign key's table is missing");
      NoteTable(parent);
    }
    out_->outbound_parents.push_back(std::move(parent));
  }
}

std::vector<BoundColumn> Binder::NewRow(const catalog::TableDescriptor& table,
                                        const std::string& alias) {
  std::vector<BoundColumn> out;
  for (const auto& column : table.columns) {
    out.push_back({NewColumn(nullptr, alias + "." + column.name), column.name, TypeOf(column)});
  }
  return out;
}

void Binder::AddRowRelation(const catalog::TablePtr& table, const std::string& alias,
                            const std::vector<BoundColumn>& columns, Scope* scope,
                            bool unqualified) {
  ScopeRelation relation;
  relation.alias = alias;
  relation.table = table;
  if (alias == table->name) relation.schema = table->schema;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (table->columns[i].hidden) continue;
    ScopeColumn column{columns[i].name, columns[i].id, columns[i].type, table->oid,
                       static_cast<int16_t>(i + 1)};
    relation.columns.push_back(column);
    if (unqualified) scope->unqualified.push_back(column);
  }
  scope->relations.push_back(std::move(relation));
}

std::vector<BoundCheck> Binder::BindChecks(const catalog::TablePtr& table,
                                           const std::vector<BoundColumn>& columns) {
  std::vector<BoundCheck> out;
  for (const auto& constraint : table->constraints) {
    if (constraint.type != catalog::ConstraintType::kCheck) continue;
    Scope scope(nullptr);
    AddRowRelation(table, table->name, columns, &scope, true);
    ExprPtr condition = BindCatalogExpr(constraint.check_sql, &scope, Clause::kCheck);
    out.push_back({constraint.name, Check(sql::CoerceToBool(std::move(condition), "CHECK"), -1)});
  }
  return out;
}

std::vector<OutputColumn> Binder::BindReturning(const std::vector<parser::Target>& list,
                                                Scope* scope) {
  std::vector<OutputColumn> out;
  for (const parser::Target& target : list) {
    if (target.expr->kind == parser::ExprKind::kColumnRef &&
        static_cast<const parser::ColumnRef&>(*target.expr).star) {
      ExpandStar(static_cast<const parser::ColumnRef&>(*target.expr), scope, &out);
      continue;
    }
    OutputColumn output;
    output.name = target.name.empty() ? ColumnNameOf(*target.expr) : target.name;
    output.expr = ResolveUnknown(BindExpr(*target.expr, scope, Clause::kReturning));
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
    out.push_back(std::move(output));
  }
  return out;
}

void Binder::BindInsert(const parser::InsertStmt& insert) {
  out_->insert = std::make_unique<BoundInsert>();
  BoundInsert* out = out_->insert.get();
  Scope outer(nullptr);
  std::vector<CteEntry> ctes;
  for (const parser::CommonTable& table : insert.with) ctes.push_back({&table, 0});
  outer.ctes = &ctes;
  outer.cte_limit = ctes.size();
  out->table = TargetTable(insert.table);
  const catalog::TableDescriptor& table = *out->table;
  out->alias = insert.alias.empty() ? table.name : insert.alias;
  std::vector<int> positions;
  std::set<int> seen;
  for (const parser::InsertColumn& column : insert.columns) {
    const int position = RequireColumn(table, column.name, column.location);
    if (!seen.insert(position).second) {
      Fail("42701", "column \"" + column.name + "\" specified more than once", column.location);
    }
    positions.push_back(position);
  }
  if (insert.columns.empty() && insert.source != nullptr) {
    for (size_t i = 0; i < table.columns.size(); ++i) {
      if (!table.columns[i].hidden) positions.push_back(static_cast<int>(i));
    }
  }
  out->values.resize(table.columns.size());
  if (insert.source != nullptr) BindInsertSource(insert, positions, &outer, out);
  FillDefaults(out);
  out->new_columns = NewRow(table, out->alias);
  out->checks = BindChecks(out->table, out->new_columns);
  BindOnConflict(insert, out);
  Scope returning(&outer);
  AddRowRelation(out->table, out->alias, out->new_columns, &returning, true);
  out->returning = BindReturning(insert.returning, &returning);
}

void Binder::BindInsertSource(const parser::InsertStmt& insert, const std::vector<int>& positions,
                              Scope* scope, BoundInsert* out) {
  const parser::SelectStmt& source = *insert.source;
  const catalog::TableDescriptor& table = *out->table;
  const bool rows = !source.values.empty() && source.with.empty() && source.order_by.empty() &&
                    source.limit == nullptr && source.offset == nullptr;
  if (rows) {
    BindInsertRows(insert, positions, scope, out);
    return;
  }
  out->source = BindSelect(source, scope, true);
  Query* query = out->source.get();
  if (query->visible > positions.size()) {
    const auto& extra = query->outputs[positions.size()].expr;
    Fail("42601", "INSERT has more expressions than target columns",
         extra == nullptr ? -1 : extra->location);
  }
  if (query->visible < positions.size() && !insert.columns.empty()) {
    Fail("42601", "INSERT has more target columns than expressions",
         insert.columns[query->visible].location);
  }
  for (size_t i = 0; i < query->visible; ++i) {
    const auto& column = table.columns[static_cast<size_t>(positions[i])];
    OutputColumn& output = query->outputs[i];
    if (output.type.oid == oid::kUnknown) {
      // Literals and parameters of the sub-select take the column's type.
      const sql::TypeOid target = column.type_oid;
      if (output.expr != nullptr && query->op == parser::SetOp::kNone) {
        output.expr = CastTo(std::move(output.expr), {target, -1}, -1);
        output.type = output.expr->type;
      } else {
        std::vector<sql::Type> types;
        for (size_t j = 0; j <= i; ++j) types.push_back(query->outputs[j].type);
        types[i] = {target, -1};
        CoerceOutputs(query, types);
      }
    }
    out->source_columns.push_back({NewColumn(nullptr, output.name), output.name, output.type});
    ExprPtr value = sql::MakeColumn(static_cast<uint32_t>(out->source_columns[i].id), output.type);
    value->location = output.expr == nullptr ? -1 : output.expr->location;
    const int location = value->location;
    out->values[static_cast<size_t>(positions[i])] =
        Check(sql::CoerceForColumn(std::move(value), TypeOf(column), column.name), location);
    if (column.identity == 'a' && insert.overriding != parser::Overriding::kSystem) {
      Fail("428C9", "cannot insert a non-DEFAULT value into column \"" + column.name + "\"", -1,
           "Use OVERRIDING SYSTEM VALUE to override.",
           "Column \"" + column.name + "\" is an identity column defined as GENERATED ALWAYS.");
    }
  }
}

// VALUES: each expression is cast to its column at once, and DEFAULT is allowed.
void Binder::BindInsertRows(const parser::InsertStmt& insert, const std::vector<int>& positions,
                            Scope* scope, BoundInsert* out) {
  const catalog::TableDescriptor& table = *out->table;
  const auto& rows = insert.source->values;
  const size_t width = rows[0].size();
  out->source = std::make_unique<Query>();
  Scope values_scope(scope);
  if (width > positions.size()) {
    Fail("42601", "INSERT has more expressions than target columns",
         rows[0][positions.size()]->location);
  }
  if (width < positions.size() && !insert.columns.empty()) {
    Fail("42601", "INSERT has more target columns than expressions",
         insert.columns[width].location);
  }
  for (const auto& row : rows) {
    if (row.size() != width) {
      Fail("42601", "VALUES lists must all be the same length",
           row.empty() ? -1 : row[0]->location);
    }
    std::vector<ExprPtr> bound;
    for (size_t i = 0; i < width; ++i) {
      const auto& column = table.columns[static_cast<size_t>(positions[i])];
      if (row[i]->kind == parser::ExprKind::kDefault) {
        bound.push_back(ColumnDefault(column));
        continue;
      }
      if (column.identity == 'a' && insert.overriding == parser::Overriding::kNone) {
        Fail("428C9", "cannot insert a non-DEFAULT value into column \"" + column.name + "\"",
             row[i]->location, "Use OVERRIDING SYSTEM VALUE to override.",
             "Column \"" + column.name + "\" is an identity column defined as GENERATED ALWAYS.");
      }
      if (column.identity != 0 && insert.overriding == parser::Overriding::kUser) {
        bound.push_back(ColumnDefault(column));
        continue;
      }
      ExprPtr value = BindExpr(*row[i], &values_scope, Clause::kValues);
      bound.push_back(Check(sql::CoerceForColumn(std::move(value), TypeOf(column), column.name),
                            row[i]->location));
    }
    out->source->values.push_back(std::move(bound));
  }
  for (size_t i = 0; i < width; ++i) {
    const auto& column = table.columns[static_cast<size_t>(positions[i])];
    OutputColumn output;
    output.name = column.name;
    output.type = TypeOf(column);
    out->source->outputs.push_back(std::move(output));
    out->source_columns.push_back({NewColumn(nullptr, column.name), column.name, TypeOf(column)});
    out->values[static_cast<size_t>(positions[i])] =
        sql::MakeColumn(static_cast<uint32_t>(out->source_columns[i].id), TypeOf(column));
  }
  out->source->visible = width;
}

void Binder::FillDefaults(BoundInsert* out) {
  for (size_t i = 0; i < out->values.size(); ++i) {
    const auto& column = out->table->columns[i];
    if (out->values[i] == nullptr && !column.hidden) out->values[i] = ColumnDefault(column);
  }
}

IndexId Binder::ConflictIndex(const parser::OnConflict& conflict,
                              const catalog::TableDescriptor& table) {
  if (!conflict.constraint.empty()) {
    const auto* constraint = table.FindConstraint(conflict.constraint);
    if (constraint == nullptr) {
      Fail("42704", "constraint \"" + conflict.constraint + "\" for table \"" + table.name +
                        "\" does not exist");
    }
    if (!constraint->index || (constraint->type != catalog::ConstraintType::kPrimaryKey &&
                               constraint->type != catalog::ConstraintType::kUnique)) {
      Fail("42809", "constraint in ON CONFLICT clause has no associated index");
    }
    return constraint->index;
  }
  if (conflict.target_where != nullptr) {
    Unsupported("a partial index in ON CONFLICT", conflict.location);
  }
  std::set<ColumnId> wanted;
  for (const parser::InsertColumn& column : conflict.columns) {
    const int position = RequireColumn(table, column.name, column.location);
    wanted.insert(table.columns[static_cast<size_t>(position)].id);
  }
  const auto matches = [&](const catalog::IndexDescriptor& index) {
    std::set<ColumnId> columns;
    for (const auto& part : index.columns) columns.insert(part.column);
    return index.unique && columns == wanted;
  };
  if (table.has_primary_key() && matches(table.primary)) return table.primary.id;
  for (const auto& index : table.secondary) {
    if (matches(index)) return index.id;
  }
  Fail("42P10",
       "there is no unique or exclusion constraint matching the ON CONFLICT specification");
}

void Binder::BindOnConflict(const parser::InsertStmt& insert, BoundInsert* out) {
  if (!insert.on_conflict) return;
  const parser::OnConflict& conflict = *insert.on_conflict;
  const bool update = conflict.action == parser::ConflictAction::kUpdate;
  out->on_conflict = update ? ConflictAction::kUpdate : ConflictAction::kNothing;
  if (!conflict.constraint.empty() || !conflict.columns.empty()) {
    out->conflict_index = ConflictIndex(conflict, *out->table);
  } else if (update) {
    Fail("42601", "ON CONFLICT DO UPDATE requires inference specification or constraint name",
         conflict.location, "For example, ON CONFLICT (column_name).");
  }
  if (!update) return;
  out->old_columns = NewRow(*out->table, out->alias);
  out->excluded_columns = NewRow(*out->table, "excluded");
  Scope scope(nullptr);
  AddRowRelation(out->table, out->alias, out->old_columns, &scope, true);
  AddRowRelation(out->table, "excluded", out->excluded_columns, &scope, false);
  out->conflict_set = BindSetClause(conflict.set, *out->table, &scope);
  if (conflict.where != nullptr) {
    out->conflict_where = BindPredicate(*conflict.where, &scope, Clause::kWhere);
  }
}

std::vector<std::pair<int, ExprPtr>> Binder::BindSetClause(const std::vector<parser::Target>& set,
                                                           const catalog::TableDescriptor& table,
                                                           Scope* scope) {
  std::vector<std::pair<int, ExprPtr>> out;
  std::set<int> seen;
  for (const parser::Target& target : set) {
    const int position = RequireColumn(table, target.name, target.location);
    const auto& column = table.columns[static_cast<size_t>(position)];
    if (!seen.insert(position).second) {
      Fail("42601", "multiple assignments to same column \"" + target.name + "\"", target.location);
    }
    if (target.expr->kind == parser::ExprKind::kDefault) {
      out.emplace_back(position, ColumnDefault(column));
      continue;
    }
    if (column.identity == 'a') {
      Fail("428C9", "column \"" + column.name + "\" can only be updated to DEFAULT",
           target.location, "",
           "Column \"" + column.name + "\" is an identity column defined as GENERATED ALWAYS.");
    }
    ExprPtr value = BindExpr(*target.expr, scope, Clause::kSet);
    out.emplace_back(position,
                     Check(sql::CoerceForColumn(std::move(value), TypeOf(column), column.name),
                           target.expr->location));
  }
  return out;
}

void Binder::BindUpdate(const parser::UpdateStmt& update) {
  out_->update = std::make_unique<BoundUpdate>();
  BoundUpdate* out = out_->update.get();
  Scope outer(nullptr);
  std::vector<CteEntry> ctes;
  for (const parser::CommonTable& table : update.with) ctes.push_back({&table, 0});
  outer.ctes = &ctes;
  outer.cte_limit = ctes.size();
  auto table = TargetTable(update.table);
  Scope scope(&outer);
  out->from.push_back(TableFrom(table, update.alias, &scope, nullptr));
  out->alias = out->from[0]->alias;
  BindFromList(update.from, &scope, nullptr, &out->from);
  if (update.where != nullptr) {
    out->where = BindPredicate(*update.where, &scope, Clause::kWhere);
  }
  out->set = BindSetClause(update.set, *table, &scope);
  out->new_columns = NewRow(*table, out->alias);
  out->checks = BindChecks(table, out->new_columns);
  // RETURNING sees the new row in place of the old one.
  Scope returning(&outer);
  AddRowRelation(table, out->alias, out->new_columns, &returning, true);
  returning.relations.insert(returning.relations.end(), scope.relations.begin() + 1,
                             scope.relations.end());
  const size_t own = table->visible_columns();
  returning.unqualified.insert(returning.unqualified.end(),
                               scope.unqualified.begin() + static_cast<long>(own),
                               scope.unqualified.end());
  out->returning = BindReturning(update.returning, &returning);
}

void Binder::BindDelete(const parser::DeleteStmt& remove) {
  out_->remove = std::make_unique<BoundDelete>();
  BoundDelete* out = out_->remove.get();
  Scope outer(nullptr);
  std::vector<CteEntry> ctes;
  for (const parser::CommonTable& table : remove.with) ctes.push_back({&table, 0});
  outer.ctes = &ctes;
  outer.cte_limit = ctes.size();
  auto table = TargetTable(remove.table);
  Scope scope(&outer);
  out->from.push_back(TableFrom(table, remove.alias, &scope, nullptr));
  out->alias = out->from[0]->alias;
  BindFromList(remove.from, &scope, nullptr, &out->from);
  if (remove.where != nullptr) {
    out->where = BindPredicate(*remove.where, &scope, Clause::kWhere);
  }
  out->returning = BindReturning(remove.returning, &scope);
}

// COPY t (columns) FROM is INSERT INTO t (columns) VALUES ($1, ...), each parameter of its column's
// type: the executor reads the fields by that type's input.
void Binder::BindCopyFrom(const parser::CopyStmt& copy, const catalog::TablePtr& table,
                          const std::vector<int>& positions) {
  if (copy.where != nullptr) Unsupported("COPY FROM ... WHERE");
  out_->insert = std::make_unique<BoundInsert>();
  BoundInsert* out = out_->insert.get();
  out->table = table;
  out->alias = table->name;
  NoteTable(table);
  NoteForeignKeys(table);
  out->values.resize(table->columns.size());
  out->source = std::make_unique<Query>();
  std::vector<ExprPtr> row;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto& column = table->columns[static_cast<size_t>(positions[i])];
    param_types_.push_back(column.type_oid);
    row.push_back(sql::MakeParam(static_cast<uint32_t>(i), TypeOf(column)));
    OutputColumn output;
    output.name = column.name;
    output.type = TypeOf(column);
    out->source->outputs.push_back(std::move(output));
    out->source_columns.push_back({NewColumn(nullptr, column.name), column.name, TypeOf(column)});
    out->values[static_cast<size_t>(positions[i])] =
        sql::MakeColumn(static_cast<uint32_t>(out->source_columns[i].id), TypeOf(column));
  }
  out->source->visible = positions.size();
  out->source->values.push_back(std::move(row));
  FillDefaults(out);
  out->new_columns = NewRow(*table, out->alias);
  out->checks = BindChecks(table, out->new_columns);
}

}  // namespace borealis::binder
