// A sub-select inside an expression: EXISTS, scalar, ANY, ALL, ARRAY. Internal to the executor.
#pragma once

#include <unordered_set>

#include "writer-node/executor/state.h"

namespace borealis::executor {

struct ExecState::SubplanState {
  SubplanState(ExecState* state, const planner::Subplan& plan) : state(state), subplan(plan) {}

  // The value of the node over the row of the expression.
  SqlStatus Run(const sql::Expr& expr, sql::EvalContext& context, const Datum* row, Datum* out);

 private:
  SqlStatus Open(const Datum* row);
  SqlResult<bool> Next(Row* row);
  SqlStatus Compare(const sql::Expr& expr, sql::EvalContext& context, const Datum* row, Datum* out);
  // = ANY and <> ALL over rows that are the same for each row of the expression: by a set of the
  // values.
  SqlStatus CompareHashed(const sql::Expr& expr, sql::EvalContext& context, const Datum* row,
                          Datum* out);
  SqlStatus LoadValues(sql::TypeOid type);

  ExecState* const state;
  const planner::Subplan& subplan;
  OperatorPtr root;
  // Without bindings the rows are the same for every row of the expression: they are kept.
  bool kept = false;
  std::vector<Row> kept_rows;
  size_t position = 0;
  // What CompareHashed keeps instead of the rows, once loaded: the values that are not NULL.
  std::unordered_set<Row, RowHash, RowEqual> values;
  bool values_loaded = false;
  bool has_null_value = false;
};

}  // namespace borealis::executor
