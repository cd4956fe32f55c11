// The insert path for rows that come in batches from outside a plan: COPY. Internal to the
// executor.
#pragma once

#include "writer-node/executor/state.h"

namespace borealis::executor {

class RowInserter {
 public:
  virtual ~RowInserter() = default;
  // Rows of the insert's child.
  virtual SqlStatus InsertAll(const std::vector<Row>& inputs) = 0;
  // Once, after the last batch.
  virtual SqlStatus CheckForeignKeys() = 0;
  virtual uint64_t count() const = 0;
};

std::unique_ptr<RowInserter> MakeRowInserter(ExecState* state, const planner::Insert& node);

}  // namespace borealis::executor
