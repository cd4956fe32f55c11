// The keys of a PointGet, before anything is read. Internal to the executor: the scan reads them,
// and DML locks them first.
#pragma once

#include "writer-node/executor/state.h"

namespace borealis::executor {

// Each once; those with a NULL are left out. Of a secondary index they are keys of entries.
SqlResult<std::vector<Bytes>> PointKeys(ExecState* state, const planner::PointGet& node);

}  // namespace borealis::executor
