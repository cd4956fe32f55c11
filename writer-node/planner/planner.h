// The planner: from a bound statement to a plan. Pure: no I/O, no clock, no randomness; the same
// input gives the same plan.
#pragma once

#include <functional>
#include <memory>

#include "common/sql/error.h"
#include "writer-node/binder/bound.h"
#include "writer-node/planner/plan.h"

namespace borealis::planner {

struct TableStats {
  double row_count = 1000;
};

struct PlannerOptions {
  // Null: the default for every table.
  std::function<TableStats(const catalog::TableDescriptor&)> stats;
};

// Errors: 0A000, 54001.
sql::SqlResult<PlanRef> MakePlan(std::unique_ptr<binder::Statement> statement,
                                 const PlannerOptions& options = {});

}  // namespace borealis::planner
