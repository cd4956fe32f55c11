// Operators with one child: Filter, Project, Sort, Limit, Distinct, Materialize, LockRows.
#include <algorithm>
#include <unordered_set>

#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

class FilterOp final : public Operator {
 public:
  FilterOp(ExecState* state, const planner::Filter& node)
      : state_(state), node_(node), child_(Build(state, *node.child)) {}
  SqlStatus Open() override { return child_->Open(); }
  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(row));
      if (!more) return false;
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.condition, *row));
      if (passes) return true;
    }
  }

 private:
  ExecState* const state_;
  const planner::Filter& node_;
  OperatorPtr child_;
};

class ProjectOp final : public Operator {
 public:
  ProjectOp(ExecState* state, const planner::Project& node)
      : state_(state), node_(node), child_(Build(state, *node.child)) {}
  SqlStatus Open() override { return child_->Open(); }
  SqlResult<bool> Next(Row* row) override {
    SQL_ASSIGN_OR_RETURN(bool more, child_->Next(&input_));
    if (!more) return false;
    row->resize(node_.exprs.size());
    for (size_t i = 0; i < node_.exprs.size(); i++) {
      SQL_RETURN_IF_ERROR(sql::EvalInto(*node_.exprs[i], state_->eval, input_.data(), &(*row)[i]));
    }
    return true;
  }

 private:
  ExecState* const state_;
  const planner::Project& node_;
  OperatorPtr child_;
  Row input_;
};

// LIMIT's and OFFSET's values: none for NULL; 2201W and 2201X for negative ones.
SqlResult<std::optional<int64_t>> EvalCount(ExecState* state, const sql::ExprPtr& expr,
                                            bool limit) {
  if (expr == nullptr) return std::optional<int64_t>();
  SQL_ASSIGN_OR_RETURN(Datum value, state->Eval(*expr));
  if (value.is_null()) return std::optional<int64_t>();
  if (value.int_value() < 0) {
    return limit ? SqlStatus("2201W", "LIMIT must not be negative")
                 : SqlStatus("2201X", "OFFSET must not be negative");
  }
  return std::optional<int64_t>(value.int_value());
}

class LimitOp final : public Operator {
 public:
  LimitOp(ExecState* state, const planner::Limit& node)
      : state_(state), node_(node), child_(Build(state, *node.child)) {}
  SqlStatus Open() override {
    SQL_ASSIGN_OR_RETURN(limit_, EvalCount(state_, node_.limit, true));
    SQL_ASSIGN_OR_RETURN(auto offset, EvalCount(state_, node_.offset, false));
    skip_ = offset.value_or(0);
    given_ = 0;
    return limit_ == 0 ? SqlStatus() : child_->Open();
  }
  SqlResult<bool> Next(Row* row) override {
    if (limit_.has_value() && given_ >= *limit_) return false;
    for (; skip_ > 0; skip_--) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(row));
      if (!more) return false;
    }
    given_++;
    return child_->Next(row);
  }

 private:
  ExecState* const state_;
  const planner::Limit& node_;
  OperatorPtr child_;
  std::optional<int64_t> limit_;
  int64_t skip_ = 0;
  int64_t given_ = 0;
};

// Sorts in memory; with a limit it keeps the best rows in a heap.
class SortOp final : public Operator {
 public:
  SortOp(ExecState* state, const planner::Sort& node)
      : state_(state), node_(node), child_(Build(state, *node.child)) {}

  SqlStatus Open() override {
    Clear();
    SQL_ASSIGN_OR_RETURN(auto limit, EvalCount(state_, node_.limit, true));
    SQL_ASSIGN_OR_RETURN(auto offset, EvalCount(state_, node_.offset, false));
    // Beyond that a heap is not smaller than the input in any sensible case.
    constexpr int64_t kHeapMax = 1 << 20;
    bool heap = limit.has_value() && *limit <= kHeapMax && offset.value_or(0) <= kHeapMax;
    size_t keep = heap ? static_cast<size_t>(*limit + offset.value_or(0)) : SIZE_MAX;
    auto less = [this](const Row& a, const Row& b) { return Compare(a, b) < 0; };
    SQL_RETURN_IF_ERROR(child_->Open());
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(&row));
      if (!more) break;
      if (rows_.size() < keep) {
        SQL_RETURN_IF_ERROR(Charge(row));
        rows_.push_back(row);
        if (heap) std::push_heap(rows_.begin(), rows_.end(), less);
      } else if (keep > 0 && less(row, rows_.front())) {
        std::pop_heap(rows_.begin(), rows_.end(), less);
        rows_.back() = row;
        std::push_heap(rows_.begin(), rows_.end(), less);
      }
    }
    std::sort(rows_.begin(), rows_.end(), less);
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    if (position_ == rows_.size()) return false;
    row->swap(rows_[position_++]);
    return true;
  }

 private:
  int Compare(const Row& a, const Row& b) const {
    for (const planner::SortKey& key : node_.keys) {
      size_t slot = static_cast<size_t>(key.slot);
      int order = sql::CompareForSort(a[slot], b[slot], key.descending, key.nulls_first);
      if (order != 0) return order;
    }
    return 0;
  }
  SqlStatus Charge(const Row& row) {
    size_t bytes = MemoryOf(row);
    charged_ += bytes;
    return state_->Charge(bytes);
  }
  void Clear() {
    rows_.clear();
    position_ = 0;
    state_->Release(std::exchange(charged_, 0));
  }

  ExecState* const state_;
  const planner::Sort& node_;
  OperatorPtr child_;
  std::vector<Row> rows_;
  size_t position_ = 0;
  size_t charged_ = 0;
};

class DistinctOp final : public Operator {
 public:
  DistinctOp(ExecState* state, const planner::Distinct& node)
      : state_(state),
        node_(node),
        child_(Build(state, *node.child)),
        seen_(0, RowHash(), RowEqual(TypesOf(node.child->columns, node.slots))) {}
  SqlStatus Open() override {
    seen_.clear();
    state_->Release(std::exchange(charged_, 0));
    return child_->Open();
  }
  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(row));
      if (!more) return false;
      Row key;
      if (node_.slots.empty()) {
        key = *row;
      } else {
        for (int slot : node_.slots) key.push_back((*row)[static_cast<size_t>(slot)]);
      }
      size_t bytes = MemoryOf(key);
      if (!seen_.insert(std::move(key)).second) continue;
      charged_ += bytes;
      SQL_RETURN_IF_ERROR(state_->Charge(bytes));
      return true;
    }
  }

 private:
  ExecState* const state_;
  const planner::Distinct& node_;
  OperatorPtr child_;
  std::unordered_set<Row, RowHash, RowEqual> seen_;
  size_t charged_ = 0;
};

// Keeps its rows while the internal parameters stay what they are.
class MaterializeOp final : public Operator {
 public:
  MaterializeOp(ExecState* state, const planner::Materialize& node)
      : state_(state), child_(Build(state, *node.child)) {}

  SqlStatus Open() override {
    position_ = 0;
    Row internal(state_->params.begin() +
                     std::min<ptrdiff_t>(state_->plan.user_params, std::ssize(state_->params)),
                 state_->params.end());
    if (loaded_ && internal.size() == internal_.size() && RowEqual()(internal, internal_))
      return {};
    internal_ = std::move(internal);
    rows_.clear();
    state_->Release(std::exchange(charged_, 0));
    SQL_RETURN_IF_ERROR(child_->Open());
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(&row));
      if (!more) break;
      size_t bytes = MemoryOf(row);
      charged_ += bytes;
      SQL_RETURN_IF_ERROR(state_->Charge(bytes));
      rows_.push_back(row);
    }
    loaded_ = true;
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    if (position_ == rows_.size()) return false;
    *row = rows_[position_++];
    return true;
  }

 private:
  ExecState* const state_;
  OperatorPtr child_;
  bool loaded_ = false;
  Row internal_;
  std::vector<Row> rows_;
  size_t position_ = 0;
  size_t charged_ = 0;
};

txn::AccessKind KindOf(parser::LockStrength strength) {
  switch (strength) {
    case parser::LockStrength::kKeyShare:
      return txn::AccessKind::kKeyShare;
    case parser::LockStrength::kShare:
      return txn::AccessKind::kShare;
    case parser::LockStrength::kNoKeyUpdate:
      return txn::AccessKind::kNoKeyUpdate;
    default:
      return txn::AccessKind::kUpdate;
  }
}

txn::WaitPolicy PolicyOf(parser::LockWait wait) {
  switch (wait) {
    case parser::LockWait::kError:
      return txn::WaitPolicy::kNoWait;
    case parser::LockWait::kSkip:
      return txn::WaitPolicy::kSkipLocked;
    default:
      return txn::WaitPolicy::kWait;
  }
}

class LockRowsOp final : public Operator {
 public:
  LockRowsOp(ExecState* state, const planner::LockRows& node)
      : state_(state), node_(node), child_(Build(state, *node.child)) {}
  SqlStatus Open() override { return child_->Open(); }
  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(row));
      if (!more) return false;
      SQL_ASSIGN_OR_RETURN(bool locked, LockAll(*row));
      if (locked) return true;
    }
  }

 private:
  // False: SKIP LOCKED passed over it.
  SqlResult<bool> LockAll(const Row& row) {
    for (const planner::LockTarget& target : node_.targets) {
      std::vector<Datum> key;
      bool absent = false;  // the NULL side of an outer join
      for (int slot : target.key_slots) {
        key.push_back(row[static_cast<size_t>(slot)]);
        absent |= key.back().is_null();
      }
      if (absent) continue;
      Bytes bytes = state_->codec(target.table).primary().KeyOfValues(key);
      auto locked = state_->txn().Lock(bytes, KindOf(target.strength), PolicyOf(target.wait));
      if (!locked.ok()) return state_->TxnError(locked.status());
      if (!*locked) return false;
    }
    return true;
  }

  ExecState* const state_;
  const planner::LockRows& node_;
  OperatorPtr child_;
};

}  // namespace

OperatorPtr BuildUnary(ExecState* state, const planner::PlanNode& node) {
  using planner::NodeKind;
  switch (node.kind) {
    case NodeKind::kFilter:
      return std::make_unique<FilterOp>(state, static_cast<const planner::Filter&>(node));
    case NodeKind::kProject:
      return std::make_unique<ProjectOp>(state, static_cast<const planner::Project&>(node));
    case NodeKind::kSort:
      return std::make_unique<SortOp>(state, static_cast<const planner::Sort&>(node));
    case NodeKind::kLimit:
      return std::make_unique<LimitOp>(state, static_cast<const planner::Limit&>(node));
    case NodeKind::kDistinct:
      return std::make_unique<DistinctOp>(state, static_cast<const planner::Distinct&>(node));
    case NodeKind::kMaterialize:
      return std::make_unique<MaterializeOp>(state, static_cast<const planner::Materialize&>(node));
    case NodeKind::kLockRows:
      return std::make_unique<LockRowsOp>(state, static_cast<const planner::LockRows&>(node));
    default:
      CheckFailed("a node with one child", __FILE__, __LINE__);
  }
}

}  // namespace borealis::executor
