// Grouping by hash, and aggregates with DISTINCT, FILTER and ORDER BY.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "common/sql/functions.h"
#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

// One aggregate call over one group.
class CallState {
 public:
  CallState(const planner::AggregateCall& call)
      : call_(call),
        state_(sql::MakeAggregateState(*call.aggregate, call.arg_types)),
        seen_(0, RowHash(), RowEqual(TypesOf(call.args))) {}

  SqlStatus Add(ExecState* exec, const Row& input) {
    SQL_ASSIGN_OR_RETURN(bool passes, exec->Passes(call_.filter, input));
    if (!passes) return {};
    Row args;
    for (const auto& arg : call_.args) {
      SQL_ASSIGN_OR_RETURN(Datum value, exec->Eval(*arg, input));
      args.push_back(std::move(value));
    }
    if (call_.distinct) {
      if (!seen_.insert(args).second) return {};
      SQL_RETURN_IF_ERROR(exec->Charge(MemoryOf(args)));
    }
    if (call_.order_by.empty()) return state_->Add(args.data());
    Row keyed;
    for (const auto& key : call_.order_by) {
      SQL_ASSIGN_OR_RETURN(Datum value, exec->Eval(*key, input));
      keyed.push_back(std::move(value));
    }
    keyed.insert(keyed.end(), args.begin(), args.end());
    SQL_RETURN_IF_ERROR(exec->Charge(MemoryOf(keyed)));
    ordered_.push_back(std::move(keyed));
    return {};
  }

  SqlResult<Datum> Finish() {
    if (!ordered_.empty()) {
      auto less = [this](const Row& a, const Row& b) {
        for (const planner::SortKey& key : call_.order_keys) {
          size_t slot = static_cast<size_t>(key.slot);
          int order = sql::CompareForSort(a[slot], b[slot], key.descending, key.nulls_first);
          if (order != 0) return order < 0;
        }
        return false;
      };
      std::stable_sort(ordered_.begin(), ordered_.end(), less);
      for (const Row& keyed : ordered_) {
        SQL_RETURN_IF_ERROR(state_->Add(keyed.data() + call_.order_by.size()));
      }
    }
    return state_->Finish();
  }

 private:
  const planner::AggregateCall& call_;
  std::unique_ptr<sql::AggregateState> state_;
  std::unordered_set<Row, RowHash, RowEqual> seen_;
  std::vector<Row> ordered_;
};

class AggregateOp final : public Operator {
 public:
  AggregateOp(ExecState* state, const planner::Aggregate& node)
      : state_(state),
        node_(node),
        child_(Build(state, *node.child)),
        groups_(0, RowHash(), RowEqual(TypesOf(node.keys))) {}

  SqlStatus Open() override {
    groups_.clear();
    state_->Release(std::exchange(charged_, 0));
    if (node_.keys.empty()) SQL_RETURN_IF_ERROR(GroupOf(Row()).status());
    SQL_RETURN_IF_ERROR(child_->Open());
    Row input;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, child_->Next(&input));
      if (!more) break;
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      Row key;
      for (const auto& expr : node_.keys) {
        SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*expr, input));
        key.push_back(std::move(value));
      }
      SQL_ASSIGN_OR_RETURN(std::vector<CallState> * calls, GroupOf(std::move(key)));
      for (CallState& call : *calls) SQL_RETURN_IF_ERROR(call.Add(state_, input));
    }
    next_ = groups_.begin();
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    if (next_ == groups_.end()) return false;
    *row = next_->first;
    for (CallState& call : next_->second) {
      SQL_ASSIGN_OR_RETURN(Datum value, call.Finish());
      row->push_back(std::move(value));
    }
    ++next_;
    return true;
  }

 private:
  using Groups = std::unordered_map<Row, std::vector<CallState>, RowHash, RowEqual>;

  SqlResult<std::vector<CallState>*> GroupOf(Row key) {
    auto found = groups_.find(key);
    if (found != groups_.end()) return &found->second;
    size_t bytes = MemoryOf(key) + 128 * (node_.calls.size() + 1);
    charged_ += bytes;
    SQL_RETURN_IF_ERROR(state_->Charge(bytes));
    std::vector<CallState> calls;
    calls.reserve(node_.calls.size());
    for (const planner::AggregateCall& call : node_.calls) calls.emplace_back(call);
    return &groups_.emplace(std::move(key), std::move(calls)).first->second;
  }

  ExecState* const state_;
  const planner::Aggregate& node_;
  OperatorPtr child_;
  Groups groups_;
  Groups::iterator next_;
  size_t charged_ = 0;
};

}  // namespace

OperatorPtr BuildAggregate(ExecState* state, const planner::Aggregate& node) {
  return std::make_unique<AggregateOp>(state, node);
}

}  // namespace borealis::executor
