// UNION, INTERSECT, EXCEPT, each with and without ALL.
#include <unordered_map>

#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

class AppendOp final : public Operator {
 public:
  AppendOp(ExecState* state, const planner::SetOp& node)
      : left_(Build(state, *node.left)), right_(Build(state, *node.right)) {}
  SqlStatus Open() override {
    on_right_ = false;
    SQL_RETURN_IF_ERROR(left_->Open());
    return right_->Open();
  }
  SqlResult<bool> Next(Row* row) override {
    if (!on_right_) {
      SQL_ASSIGN_OR_RETURN(bool more, left_->Next(row));
      if (more) return true;
      on_right_ = true;
    }
    return right_->Next(row);
  }

 private:
  OperatorPtr left_;
  OperatorPtr right_;
  bool on_right_ = false;
};

// Counts each row on both sides, then gives it as often as the operation says.
class CountingSetOp final : public Operator {
 public:
  CountingSetOp(ExecState* state, const planner::SetOp& node)
      : state_(state),
        node_(node),
        left_(Build(state, *node.left)),
        right_(Build(state, *node.right)),
        counts_(0, RowHash(), RowEqual(TypesOf(node.columns))) {}

  SqlStatus Open() override {
    counts_.clear();
    state_->Release(std::exchange(charged_, 0));
    SQL_RETURN_IF_ERROR(Count(left_.get(), true));
    SQL_RETURN_IF_ERROR(Count(right_.get(), false));
    next_ = counts_.begin();
    left_to_give_ = next_ == counts_.end() ? 0 : Times(next_->second);
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    while (next_ != counts_.end()) {
      if (left_to_give_ > 0) {
        left_to_give_--;
        *row = next_->first;
        return true;
      }
      ++next_;
      if (next_ != counts_.end()) left_to_give_ = Times(next_->second);
    }
    return false;
  }

 private:
  struct Sides {
    uint64_t left = 0;
    uint64_t right = 0;
  };

  SqlStatus Count(Operator* side, bool left) {
    SQL_RETURN_IF_ERROR(side->Open());
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, side->Next(&row));
      if (!more) return {};
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      auto found = counts_.find(row);
      if (found == counts_.end()) {
        size_t bytes = MemoryOf(row) + sizeof(Sides);
        charged_ += bytes;
        SQL_RETURN_IF_ERROR(state_->Charge(bytes));
        found = counts_.emplace(row, Sides{}).first;
      }
      (left ? found->second.left : found->second.right)++;
    }
  }

  uint64_t Times(const Sides& sides) const {
    switch (node_.op) {
      case parser::SetOp::kIntersect: {
        uint64_t both = std::min(sides.left, sides.right);
        return node_.all ? both : std::min<uint64_t>(both, 1);
      }
      case parser::SetOp::kExcept:
        if (node_.all) return sides.left > sides.right ? sides.left - sides.right : 0;
        return sides.left > 0 && sides.right == 0 ? 1 : 0;
      default:
        return 1;  // UNION
    }
  }

  ExecState* const state_;
  const planner::SetOp& node_;
  OperatorPtr left_;
  OperatorPtr right_;
  std::unordered_map<Row, Sides, RowHash, RowEqual> counts_;
  std::unordered_map<Row, Sides, RowHash, RowEqual>::iterator next_;
  uint64_t left_to_give_ = 0;
  size_t charged_ = 0;
};

}  // namespace

OperatorPtr BuildSetOp(ExecState* state, const planner::SetOp& node) {
  if (node.op == parser::SetOp::kUnion && node.all) return std::make_unique<AppendOp>(state, node);
  return std::make_unique<CountingSetOp>(state, node);
}

}  // namespace borealis::executor
