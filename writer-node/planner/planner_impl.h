// The planner's inside. Private to this module.
//
// How it goes. A query's FROM is taken apart into leaves (tables, sub-selects, functions, and outer
// joins as one leaf each) and conditions. Conditions on one leaf go to it, where an access path is
// chosen; the leaves are then joined greedily, the cheapest step first. Above come aggregation,
// projection, distinct, sort, limit.
//
// Columns have numbers (binder/bound.h) until an expression is lowered onto the layout of the row
// it is evaluated over. A number that the layout lacks belongs to an outer query or to the left
// side of a nested loop: it becomes an internal parameter of the innermost Context, whose owner
// binds it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/sql/coerce.h"
#include "common/sql/functions.h"
#include "writer-node/binder/bound_walk.h"
#include "writer-node/planner/planner.h"

namespace borealis::planner {

struct PlanFailure {
  sql::SqlStatus status;
};

// One sub-select or inner side that is being planned: the outer columns it reads.
struct Context {
  std::map<int, int> param_of;  // column number -> internal parameter
  std::vector<std::pair<int, sql::Type>> order;
};

struct OrderedColumn {
  int id = -1;
  bool descending = false;
  bool nulls_first = false;
  bool not_null = false;
};

// A planned part with the column numbers of its slots (-1: none of interest).
struct Rel {
  PlanPtr node;
  std::vector<int> ids;
  std::vector<OrderedColumn> order;  // how its rows come
  std::set<int> constant;            // columns with one value in all rows
};

// A condition and what it reads.
struct Conjunct {
  const sql::Expr* expr = nullptr;
  std::set<int> ids;    // all numbers, sub-selects included
  bool used = false;    // applied somewhere
  bool movable = true;  // not volatile
};

// One access path of a table.
struct AccessPath {
  const catalog::IndexDescriptor* index = nullptr;  // null: full scan
  bool point = false;
  bool backward = false;
  std::vector<const Conjunct*> equal;  // for each leading column
  std::vector<ExprPtr> equal_values;
  const Conjunct* in_list = nullptr;  // for the column at in_position
  int in_position = -1;
  const Conjunct* lower = nullptr;
  const Conjunct* upper = nullptr;
  ExprPtr lower_value;
  ExprPtr upper_value;
  bool lower_inclusive = true;
  bool upper_inclusive = true;
  double rows = 0;
  double cost = 0;
};

struct SortRequest {
  std::vector<OrderedColumn> columns;
  bool limited = false;  // a LIMIT stands above: an ordered path ends early
};

class Planner {
 public:
  Planner(binder::Statement* statement, const PlannerOptions& options);
  std::shared_ptr<Plan> Run();

 private:
  // lower.cc
  ExprPtr Lower(const sql::Expr& expr, const std::vector<int>& ids);
  std::vector<ExprPtr> LowerAll(const std::vector<ExprPtr>& exprs, const std::vector<int>& ids);
  ExprPtr ParamFor(int id, sql::Type type);
  std::vector<ParamBinding> Bindings(const Context& inner, const std::vector<int>& outer_ids);
  uint32_t PlanSubquery(uint32_t subquery, const std::vector<int>& ids);

  // access.cc
  Rel PlanTable(const binder::From& from, std::vector<Conjunct*> conjuncts,
                const SortRequest* sort);
  AccessPath FullScan(const catalog::TableDescriptor& table, double rows);
  std::optional<AccessPath> PathOf(const binder::From& from, const catalog::IndexDescriptor& index,
                                   double rows, const std::vector<Conjunct*>& conjuncts);
  void AddRange(const binder::From& from, const catalog::IndexDescriptor& index,
                const std::vector<Conjunct*>& conjuncts, AccessPath* path);
  ExprPtr KeyValue(const binder::From& from, int position, const Conjunct& conjunct,
                   std::string_view wanted, bool* flipped);
  std::vector<OrderedColumn> OrderOf(const binder::From& from,
                                     const catalog::IndexDescriptor& index, bool backward);
  Rel MakeTableRel(const binder::From& from, AccessPath path,
                   const std::vector<Conjunct*>& conjuncts);
  void FillAccess(const binder::From& from, TableAccess* access, PlanNode* node);
  double RowCount(const catalog::TableDescriptor& table);

  // joins.cc
  struct Leaf {
    const binder::From* from = nullptr;
    std::set<int> ids;
    std::set<int> needs;  // numbers of other leaves that it reads (LATERAL)
    std::vector<Conjunct*> own;
    bool joined = false;
  };
  Rel PlanFrom(const std::vector<const binder::From*>& items, std::vector<Conjunct>* conjuncts,
               const SortRequest* sort);
  void Flatten(const binder::From& from, std::vector<Leaf>* leaves,
               std::vector<Conjunct>* conjuncts);
  Rel PlanLeaf(Leaf* leaf, std::vector<Conjunct>* conjuncts, const SortRequest* sort);
  Rel PlanOuterJoin(const binder::From& from, std::vector<Conjunct>* conjuncts);
  Rel JoinLeaf(Rel left, Leaf* leaf, std::vector<Conjunct>* conjuncts);
  Rel Join(Rel left, const binder::From& right, JoinKind kind, std::vector<Conjunct*> on,
           std::vector<Conjunct*> right_only);
  std::optional<Rel> TryLookup(Rel* left, const binder::From& right, JoinKind kind,
                               const std::vector<Conjunct*>& on,
                               const std::vector<Conjunct*>& right_only);
  Rel HashOrLoop(Rel left, Rel right, JoinKind kind, const std::vector<Conjunct*>& on);
  Rel LateralLoop(Rel left, const binder::From& right, JoinKind kind,
                  const std::vector<Conjunct*>& on, const std::vector<Conjunct*>& right_only);
  Rel PlanItem(const binder::From& from, std::vector<Conjunct*> own, const SortRequest* sort);
  Rel AddFilter(Rel rel, const std::vector<Conjunct*>& conjuncts);
  void AddConjuncts(const sql::Expr& expr, std::vector<Conjunct>* out);
  ExprPtr AndOf(const std::vector<Conjunct*>& conjuncts, const std::vector<int>& ids);

  // query.cc
  Rel PlanQuery(const binder::Query& query, bool trim);
  Rel PlanSelect(const binder::Query& query, bool* sorted);
  Rel PlanAggregate(const binder::Query& query, Rel input);
  bool FirstRowDecides(const binder::Query& query, SortRequest* sort);
  Rel PlanValues(const binder::Query& query);
  Rel PlanSetOp(const binder::Query& query);
  Rel Finish(const binder::Query& query, Rel rel, bool sorted, bool trim);
  Rel ProjectOutputs(const binder::Query& query, Rel input, std::vector<LockTarget>* locks);
  std::optional<SortRequest> SortOf(const binder::Query& query);
  bool Satisfies(const Rel& rel, const SortRequest& sort);

  // dml.cc
  void PlanInsert(const binder::BoundInsert& insert);
  void PlanUpdate(const binder::BoundUpdate& update);
  void PlanDelete(const binder::BoundDelete& remove);
  Rel PlanTarget(const std::vector<binder::FromPtr>& from, const ExprPtr& where);
  void FillDml(const catalog::TablePtr& table, const std::set<ColumnId>* changed, DmlNode* node);
  void SetReturning(const std::vector<binder::OutputColumn>& list, const std::vector<int>& ids,
                    DmlNode* node);
  std::vector<CheckConstraint> LowerChecks(const std::vector<binder::BoundCheck>& checks,
                                           const std::vector<binder::BoundColumn>& row);

  bool PointOnly(const PlanNode& node, int* gets) const;

  binder::Statement* statement_;
  const PlannerOptions& options_;
  std::shared_ptr<Plan> plan_;
  std::vector<Context*> contexts_;
  std::set<int> used_;  // numbers read anywhere
  int depth_ = 0;
  std::set<int> whole_rows_;  // first column numbers of tables whose whole row is wanted
};

// The children of a node, left first.
std::vector<const PlanNode*> Children(const PlanNode& node);
std::vector<int> IdsOf(const std::vector<binder::BoundColumn>& columns);

}  // namespace borealis::planner
