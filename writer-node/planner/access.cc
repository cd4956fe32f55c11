// Access paths of one table.
#include <algorithm>
#include <cmath>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {
namespace {

namespace oid = sql::oid;
using sql::ExprKind;

// Expected shares of rows that pass a condition.
constexpr double kEqualShare = 0.01;
constexpr double kRangeShare = 0.3;
constexpr double kBothRangeShare = 0.05;
constexpr double kOtherShare = 0.3;

bool IsInt(sql::TypeOid type) {
  return type == oid::kInt2 || type == oid::kInt4 || type == oid::kInt8;
}

// A relabelling that keeps equality and order: varchar as text.
const sql::Expr& StripRelabel(const sql::Expr& e) {
  const sql::Expr* at = &e;
  while (at->kind == ExprKind::kRelabel &&
         (at->args[0]->type.oid == oid::kVarchar || at->args[0]->type.oid == oid::kText) &&
         (at->type.oid == oid::kText || at->type.oid == oid::kVarchar)) {
    at = at->args[0].get();
  }
  return *at;
}

bool IsComparison(std::string_view op) {
  return op == "=" || op == "<" || op == "<=" || op == ">" || op == ">=";
}

int BitsOf(sql::TypeOid type) {
  return type == oid::kInt2 ? 16 : type == oid::kInt4 ? 32 : 64;
}

// The value as the column's type, so that an index key can be made of it. Null when it cannot be
// done exactly. A wider integer that does not fit equals nothing: it becomes NULL, which finds
// nothing; that holds for equality only.
ExprPtr AsColumnType(ExprPtr value, sql::TypeOid column, bool equality) {
  const sql::TypeOid from = value->type.oid;
  if (from == column) return value;
  const auto text_like = [](sql::TypeOid t) { return t == oid::kText || t == oid::kVarchar; };
  if (text_like(from) && text_like(column)) {
    auto out = std::make_unique<sql::Expr>(ExprKind::kRelabel);
    out->type = {column, -1};
    out->args.push_back(std::move(value));
    return out;
  }
  if (!IsInt(from) || !IsInt(column)) return nullptr;
  if (BitsOf(from) < BitsOf(column)) {
    auto wide = sql::Coerce(std::move(value), {column, -1}, sql::CastContext::kImplicit);
    return wide.ok() ? std::move(wide).value() : nullptr;
  }
  const int64_t high = (int64_t{1} << (BitsOf(column) - 1)) - 1;
  if (value->kind == ExprKind::kConst && !value->value.is_null()) {
    const int64_t v = value->value.int_value();
    if (v <= high && v >= -high - 1) return sql::MakeConst({column, -1}, sql::Datum::Int(v));
    return equality ? sql::MakeNull({column, -1}) : nullptr;
  }
  if (!equality) return nullptr;
  // CASE WHEN value BETWEEN low AND high THEN value::column END
  const auto bound = [&](int64_t b) {
    return sql::MakeConst({oid::kInt8, -1}, sql::Datum::Int(b));
  };
  auto low_ok = sql::BuildOperator(">=", sql::Clone(*value), bound(-high - 1));
  auto high_ok = sql::BuildOperator("<=", sql::Clone(*value), bound(high));
  auto narrow = sql::Coerce(std::move(value), {column, -1}, sql::CastContext::kAssignment);
  if (!low_ok.ok() || !high_ok.ok() || !narrow.ok()) return nullptr;
  std::vector<ExprPtr> both;
  both.push_back(std::move(low_ok).value());
  both.push_back(std::move(high_ok).value());
  std::vector<std::pair<ExprPtr, ExprPtr>> whens;
  whens.emplace_back(sql::MakeAnd(std::move(both)), std::move(narrow).value());
  auto out = sql::BuildCase(nullptr, std::move(whens), nullptr);
  return out.ok() ? std::move(out).value() : nullptr;
}

bool ReadsAny(const sql::Expr& e, const std::vector<binder::BoundColumn>& columns) {
  bool found = false;
  sql::Visit(e, [&](const sql::Expr& x) {
    if (x.kind == ExprKind::kColumn) {
      for (const auto& c : columns) found |= c.id == static_cast<int>(x.slot);
    }
    return !found;
  });
  return found;
}

double ShareOf(const std::vector<Conjunct*>& conjuncts) {
  double share = 1;
  for (const Conjunct* c : conjuncts) {
    const bool equal = c->expr->kind == ExprKind::kCall && c->expr->function != nullptr &&
                       c->expr->function->op == "=";
    share *= equal ? kEqualShare * 5 : kOtherShare;
  }
  return share;
}

}  // namespace

double Planner::RowCount(const catalog::TableDescriptor& table) {
  const TableStats stats = options_.stats ? options_.stats(table) : TableStats{};
  return std::max(1.0, stats.row_count);
}

// The other side of a comparison of the column at `position` by `wanted` ("=": equality; "<": any
// of the inequalities), as the column's type; null if the condition is none. `flipped`: the column
// is on the right.
ExprPtr Planner::KeyValue(const binder::From& from, int position, const Conjunct& conjunct,
                          std::string_view wanted, bool* flipped) {
  const sql::Expr& e = *conjunct.expr;
  if (!conjunct.movable || e.kind != ExprKind::kCall || e.function == nullptr ||
      e.args.size() != 2 || !IsComparison(e.function->op)) {
    return nullptr;
  }
  if ((e.function->op == "=") != (wanted == "=")) return nullptr;
  const binder::BoundColumn& column = from.columns[static_cast<size_t>(position)];
  for (size_t side = 0; side < 2; ++side) {
    const sql::Expr& key = StripRelabel(*e.args[side]);
    const sql::Expr& other = *e.args[1 - side];
    if (key.kind != ExprKind::kColumn || static_cast<int>(key.slot) != column.id) continue;
    if (ReadsAny(other, from.columns) || sql::HasSubplans(other)) continue;
    if (e.args[side]->type.oid != column.type.oid &&
        !(IsInt(e.args[side]->type.oid) && IsInt(column.type.oid)) &&
        StripRelabel(*e.args[side]).type.oid != column.type.oid) {
      continue;
    }
    *flipped = side == 1;
    ExprPtr value = sql::Clone(other);
    sql::FoldConstants(&value);
    return AsColumnType(std::move(value), column.type.oid, wanted == "=");
  }
  return nullptr;
}

AccessPath Planner::FullScan(const catalog::TableDescriptor& table, double rows) {
  (void)table;
  AccessPath path;
  path.rows = rows;
  path.cost = rows;
  return path;
}

void Planner::AddRange(const binder::From& from, const catalog::IndexDescriptor& index,
                       const std::vector<Conjunct*>& conjuncts, AccessPath* path) {
  const size_t at = path->equal.size();
  if (at >= index.columns.size()) return;
  const int position = from.table->ColumnPosition(index.columns[at].column);
  for (Conjunct* c : conjuncts) {
    bool flipped = false;
    ExprPtr value = KeyValue(from, position, *c, "<", &flipped);
    if (value == nullptr) continue;
    const std::string_view op = c->expr->function->op;
    const bool upper = (op[0] == '<') != flipped;
    const bool inclusive = op.size() == 2;
    if (upper && path->upper == nullptr) {
      path->upper = c;
      path->upper_value = std::move(value);
      path->upper_inclusive = inclusive;
    } else if (!upper && path->lower == nullptr) {
      path->lower = c;
      path->lower_value = std::move(value);
      path->lower_inclusive = inclusive;
    }
  }
}

std::optional<AccessPath> Planner::PathOf(const binder::From& from,
                                          const catalog::IndexDescriptor& index, double rows,
                                          const std::vector<Conjunct*>& conjuncts) {
  if (index.state != catalog::IndexState::kPublic) return std::nullopt;
  AccessPath path;
  path.index = &index;
  for (const catalog::IndexColumn& part : index.columns) {
    const int position = from.table->ColumnPosition(part.column);
    bool found = false;
    for (Conjunct* c : conjuncts) {
      bool flipped = false;
      ExprPtr value = KeyValue(from, position, *c, "=", &flipped);
      if (value == nullptr) continue;
      path.equal.push_back(c);
      path.equal_values.push_back(std::move(value));
      found = true;
      break;
    }
    if (found) continue;
    // One column of a unique index may have a list instead.
    for (Conjunct* c : conjuncts) {
      const sql::Expr& e = *c->expr;
      const bool in = e.kind == ExprKind::kInList && !e.negated;
      const bool any = e.kind == ExprKind::kAnyAll && !e.all;
      if ((!in && !any) || !index.unique || path.in_list != nullptr || !c->movable) continue;
      if (e.function == nullptr || e.function->op != "=") continue;
      const sql::Expr& key = StripRelabel(*e.args[0]);
      const auto& column = from.columns[static_cast<size_t>(position)];
      if (key.kind != ExprKind::kColumn || static_cast<int>(key.slot) != column.id) continue;
      bool usable = true;
      for (size_t i = 1; i < e.args.size(); ++i) {
        const sql::TypeOid type =
            any ? sql::FindType(e.args[i]->type.oid)->element : e.args[i]->type.oid;
        usable = usable && type == column.type.oid && !ReadsAny(*e.args[i], from.columns) &&
                 !sql::HasSubplans(*e.args[i]) && e.args[0]->type.oid == column.type.oid;
      }
      if (!usable) continue;
      path.in_list = c;
      path.in_position = static_cast<int>(path.equal.size());
      path.equal.push_back(c);
      path.equal_values.push_back(nullptr);
      found = true;
      break;
    }
    if (!found) break;
  }
  const bool whole = path.equal.size() == index.columns.size();
  if (whole && index.unique) {
    path.point = true;
    const double keys = path.in_list == nullptr ? 1.0
                        : path.in_list->expr->kind == ExprKind::kInList
                            ? static_cast<double>(path.in_list->expr->args.size() - 1)
                            : 10.0;
    path.rows = std::min(rows, keys);
    path.cost = keys;
    return path;
  }
  if (path.in_list != nullptr) {  // a list serves whole keys only
    path.equal.resize(static_cast<size_t>(path.in_position));
    path.equal_values.resize(static_cast<size_t>(path.in_position));
    path.in_list = nullptr;
    path.in_position = -1;
  }
  AddRange(from, index, conjuncts, &path);
  double share = std::pow(kEqualShare, static_cast<double>(path.equal.size()));
  if (path.lower != nullptr && path.upper != nullptr) {
    share *= kBothRangeShare;
  } else if (path.lower != nullptr || path.upper != nullptr) {
    share *= kRangeShare;
  }
  path.rows = std::max(1.0, rows * share);
  const bool rows_inside = index.id == from.table->primary.id;
  path.cost = path.rows * (rows_inside ? 1.0 : 2.0);
  return path;
}

std::vector<OrderedColumn> Planner::OrderOf(const binder::From& from,
                                            const catalog::IndexDescriptor& index, bool backward) {
  std::vector<OrderedColumn> out;
  const auto add = [&](const catalog::IndexColumn& part) {
    const int position = from.table->ColumnPosition(part.column);
    OrderedColumn column;
    column.id = from.columns[static_cast<size_t>(position)].id;
    column.descending = part.descending != backward;
    column.nulls_first = part.nulls_first != backward;
    column.not_null = from.table->columns[static_cast<size_t>(position)].not_null;
    out.push_back(column);
  };
  for (const auto& part : index.columns) add(part);
  // Entries with equal columns come in the order of the primary key, which non-unique indexes
  // append.
  if (!index.unique) {
    for (const auto& part : from.table->primary.columns) add({part.column, false, false});
  }
  return out;
}

void Planner::FillAccess(const binder::From& from, TableAccess* access, PlanNode* node) {
  access->table = from.table;
  access->alias = from.alias;
  const bool whole = !from.columns.empty() && whole_rows_.count(from.columns[0].id) > 0;
  for (size_t i = 0; i < from.columns.size(); ++i) {
    access->needed.push_back(whole || used_.count(from.columns[i].id) > 0);
    node->columns.push_back({from.columns[i].name, from.columns[i].type});
  }
}

Rel Planner::MakeTableRel(const binder::From& from, AccessPath path,
                          const std::vector<Conjunct*>& conjuncts) {
  Rel rel;
  rel.ids = IdsOf(from.columns);
  std::vector<Conjunct*> rest;
  for (Conjunct* c : conjuncts) {
    const bool taken = std::find(path.equal.begin(), path.equal.end(), c) != path.equal.end() ||
                       c == path.lower || c == path.upper;
    if (!taken) rest.push_back(c);
    c->used = true;
  }
  const double rows = std::max(1.0, path.rows * ShareOf(rest));
  TableAccess* access = nullptr;
  static const std::vector<int> kNoColumns;
  if (from.table->is_virtual) {
    auto scan = std::make_unique<VirtualScan>();
    access = scan.get();
    rel.node = std::move(scan);
  } else if (path.index == nullptr ||
             (path.equal.empty() && path.lower == nullptr && path.upper == nullptr &&
              path.index->id == from.table->primary.id)) {
    auto scan = std::make_unique<TableScan>();
    scan->backward = path.backward;
    access = scan.get();
    rel.order = OrderOf(from, from.table->primary, path.backward);
    rel.node = std::move(scan);
  } else if (path.point) {
    auto get = std::make_unique<PointGet>();
    get->index = path.index->id;
    if (path.in_list == nullptr) {
      get->keys.push_back(LowerAll(path.equal_values, kNoColumns));
    } else {
      const sql::Expr& list = *path.in_list->expr;
      const bool array = list.kind == ExprKind::kAnyAll;
      if (array) get->array_column = path.in_position;
      for (size_t i = 1; i < list.args.size(); ++i) {
        std::vector<ExprPtr> key;
        for (size_t j = 0; j < path.equal_values.size(); ++j) {
          key.push_back(static_cast<int>(j) == path.in_position
                            ? Lower(*list.args[i], kNoColumns)
                            : Lower(*path.equal_values[j], kNoColumns));
        }
        get->keys.push_back(std::move(key));
      }
    }
    access = get.get();
    rel.node = std::move(get);
  } else {
    auto scan = std::make_unique<IndexScan>();
    scan->index = path.index->id;
    scan->equal = LowerAll(path.equal_values, kNoColumns);
    if (path.lower_value) {
      scan->lower = RangeBound{Lower(*path.lower_value, kNoColumns), path.lower_inclusive};
    }
    if (path.upper_value) {
      scan->upper = RangeBound{Lower(*path.upper_value, kNoColumns), path.upper_inclusive};
    }
    scan->backward = path.backward;
    rel.order = OrderOf(from, *path.index, path.backward);
    access = scan.get();
    rel.node = std::move(scan);
  }
  for (size_t i = 0; i < path.equal.size(); ++i) {
    if (static_cast<int>(i) == path.in_position) continue;
    const int position = from.table->ColumnPosition(path.index->columns[i].column);
    rel.constant.insert(from.columns[static_cast<size_t>(position)].id);
  }
  FillAccess(from, access, rel.node.get());
  access->filter = AndOf(rest, rel.ids);
  if (rel.node->kind == NodeKind::kIndexScan) {
    auto* scan = static_cast<IndexScan*>(rel.node.get());
    scan->index_only = path.index->id != from.table->primary.id;
    for (size_t i = 0; i < access->needed.size() && scan->index_only; ++i) {
      if (!access->needed[i]) continue;
      const ColumnId id = from.table->columns[i].id;
      const auto has = [&](const std::vector<catalog::IndexColumn>& parts) {
        return std::any_of(parts.begin(), parts.end(),
                           [&](const auto& part) { return part.column == id; });
      };
      // char(n) and numeric keys leave out padding and scale: read those from the row.
      const sql::TypeOid type = from.table->columns[i].type_oid;
      scan->index_only = (has(path.index->columns) || has(from.table->primary.columns)) &&
                         type != oid::kNumeric && type != oid::kBpchar;
    }
  }
  rel.node->rows = rows;
  rel.node->cost = path.cost;
  return rel;
}

Rel Planner::PlanTable(const binder::From& from, std::vector<Conjunct*> conjuncts,
                       const SortRequest* sort) {
  const double rows = RowCount(*from.table);
  std::vector<AccessPath> paths;
  paths.push_back(FullScan(*from.table, rows));
  if (!from.table->is_virtual) {
    std::vector<const catalog::IndexDescriptor*> indexes = {&from.table->primary};
    for (const auto& index : from.table->secondary) indexes.push_back(&index);
    for (const auto* index : indexes) {
      if (auto path = PathOf(from, *index, rows, conjuncts)) paths.push_back(std::move(*path));
    }
  }
  // A path whose order is asked for saves the sort, and ends early below a LIMIT.
  AccessPath* best = nullptr;
  double best_cost = 0;
  for (AccessPath& path : paths) {
    double cost = path.cost;
    if (sort != nullptr && !path.point) {
      const catalog::IndexDescriptor& index =
          path.index == nullptr ? from.table->primary : *path.index;
      bool satisfied = false;
      for (const bool backward : {false, true}) {
        Rel probe;
        if (from.table->is_virtual) break;
        probe.order = OrderOf(from, index, backward);
        for (size_t i = 0; i < path.equal.size(); ++i) {
          const int position = from.table->ColumnPosition(index.columns[i].column);
          probe.constant.insert(from.columns[static_cast<size_t>(position)].id);
        }
        if (satisfied || !Satisfies(probe, *sort)) continue;
        satisfied = true;
        path.backward = backward;
      }
      if (satisfied && sort->limited) cost *= 0.1;
      if (!satisfied) cost += path.rows * std::log2(path.rows + 2) * 0.5;
    }
    if (best == nullptr || cost < best_cost) {
      best = &path;
      best_cost = cost;
    }
  }
  return MakeTableRel(from, std::move(*best), conjuncts);
}

}  // namespace borealis::planner
