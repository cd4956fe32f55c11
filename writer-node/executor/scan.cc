// Scans of stored tables: whole, by a range of an index, by whole unique keys.
#include <unordered_set>

#include "writer-node/executor/point_keys.h"
#include "writer-node/executor/row_source.h"

namespace borealis::executor {

namespace {

class TableScanOp final : public Operator {
 public:
  TableScanOp(ExecState* state, const planner::TableScan& node)
      : state_(state),
        node_(node),
        reader_(state, node),
        walker_(&reader_, &reader_.codec().primary(), false) {}

  SqlStatus Open() override {
    Bytes prefix(reader_.codec().primary().prefix());
    walker_.Start(prefix, wire::PrefixEnd(prefix), node_.backward);
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, walker_.Next(row));
      if (!more) return false;
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, *row));
      if (passes) return true;
    }
  }

 private:
  ExecState* const state_;
  const planner::TableScan& node_;
  RowReader reader_;
  RangeWalker walker_;
};

class IndexScanOp final : public Operator {
 public:
  IndexScanOp(ExecState* state, const planner::IndexScan& node)
      : state_(state),
        node_(node),
        reader_(state, node),
        index_(reader_.codec().index(node.index)),
        walker_(&reader_, &index_, node.index_only) {}

  SqlStatus Open() override {
    RangeValues values;
    for (const auto& expr : node_.equal) {
      SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*expr));
      values.equal.push_back(std::move(value));
    }
    SQL_RETURN_IF_ERROR(EvalBound(node_.lower, &values.lower, &values.lower_inclusive));
    SQL_RETURN_IF_ERROR(EvalBound(node_.upper, &values.upper, &values.upper_inclusive));
    Bytes start, end;
    empty_ = !MakeRange(index_, values, &start, &end);
    if (!empty_) walker_.Start(std::move(start), std::move(end), node_.backward);
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    while (!empty_) {
      SQL_ASSIGN_OR_RETURN(bool more, walker_.Next(row));
      if (!more) break;
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, *row));
      if (passes) return true;
    }
    return false;
  }

 private:
  SqlStatus EvalBound(const std::optional<planner::RangeBound>& bound, std::optional<Datum>* value,
                      bool* inclusive) {
    if (!bound.has_value()) return {};
    SQL_ASSIGN_OR_RETURN(Datum evaluated, state_->Eval(*bound->value));
    *value = std::move(evaluated);
    *inclusive = bound->inclusive;
    return {};
  }

  ExecState* const state_;
  const planner::IndexScan& node_;
  RowReader reader_;
  const catalog::IndexCodec& index_;
  RangeWalker walker_;
  bool empty_ = false;
};

class PointGetOp final : public Operator {
 public:
  PointGetOp(ExecState* state, const planner::PointGet& node)
      : state_(state), node_(node), reader_(state, node) {}

  SqlStatus Open() override {
    position_ = 0;
    rows_.clear();
    SQL_ASSIGN_OR_RETURN(std::vector<Bytes> keys, PointKeys(state_, node_));
    SQL_RETURN_IF_ERROR(state_->CertifyReads(node_, keys));
    const catalog::IndexCodec& index = reader_.codec().index(node_.index);
    if (&index != &reader_.codec().primary()) {
      SQL_ASSIGN_OR_RETURN(auto row_keys, reader_.ResolveEntries(index, keys));
      keys.clear();
      for (auto& key : row_keys) {
        if (key.has_value()) keys.push_back(std::move(*key));
      }
      SQL_RETURN_IF_ERROR(state_->CertifyReads(node_, keys));
    }
    SQL_ASSIGN_OR_RETURN(auto found, reader_.Fetch(keys));
    for (auto& row : found) {
      if (row.has_value()) rows_.push_back(std::move(*row));
    }
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    while (position_ < rows_.size()) {
      SQL_RETURN_IF_ERROR(reader_.Decode(rows_[position_++], row));
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, *row));
      if (passes) return true;
    }
    return false;
  }

 private:
  ExecState* const state_;
  const planner::PointGet& node_;
  RowReader reader_;
  std::vector<Bytes> rows_;
  size_t position_ = 0;
};

}  // namespace

SqlResult<std::vector<Bytes>> PointKeys(ExecState* state, const planner::PointGet& node) {
  const catalog::IndexCodec& index = state->codec(node.table).index(node.index);
  std::vector<Bytes> keys;
  std::unordered_set<std::string> seen;
  auto add = [&](const std::vector<Datum>& values) {
    for (const Datum& value : values) {
      if (value.is_null()) return;
    }
    Bytes key = index.KeyOfValues(values);
    if (node.keys.size() == 1 && node.array_column < 0) {
      keys.push_back(std::move(key));
    } else if (seen.insert(key).second) {
      keys.push_back(std::move(key));
    }
  };
  for (const auto& exprs : node.keys) {
    std::vector<Datum> values;
    for (const auto& expr : exprs) {
      SQL_ASSIGN_OR_RETURN(Datum value, state->Eval(*expr));
      values.push_back(std::move(value));
    }
    if (node.array_column < 0) {
      add(values);
      continue;
    }
    Datum array = values[static_cast<size_t>(node.array_column)];
    if (array.is_null()) continue;
    for (const Datum& element : array.array_value().elements) {
      values[static_cast<size_t>(node.array_column)] = element;
      add(values);
    }
  }
  return keys;
}

OperatorPtr BuildScan(ExecState* state, const planner::PlanNode& node) {
  switch (node.kind) {
    case planner::NodeKind::kTableScan:
      return std::make_unique<TableScanOp>(state, static_cast<const planner::TableScan&>(node));
    case planner::NodeKind::kIndexScan:
      return std::make_unique<IndexScanOp>(state, static_cast<const planner::IndexScan&>(node));
    default:
      return std::make_unique<PointGetOp>(state, static_cast<const planner::PointGet&>(node));
  }
}

}  // namespace borealis::executor
