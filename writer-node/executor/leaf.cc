// Leaves that read no stored table: Result, Values, table functions, and the virtual tables of the
// catalog.
#include "common/sql/functions.h"
#include "writer-node/catalog/virtual_tables.h"
#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

SqlStatus EvalAll(ExecState* state, const std::vector<sql::ExprPtr>& exprs, Row* row) {
  row->resize(exprs.size());
  for (size_t i = 0; i < exprs.size(); i++) {
    SQL_RETURN_IF_ERROR(sql::EvalInto(*exprs[i], state->eval, nullptr, &(*row)[i]));
  }
  return {};
}

class ResultOp final : public Operator {
 public:
  ResultOp(ExecState* state, const planner::Result& node) : state_(state), node_(node) {}

  SqlStatus Open() override {
    static const Row kNoColumns;
    SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, kNoColumns));
    done_ = !passes;
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    if (std::exchange(done_, true)) return false;
    SQL_RETURN_IF_ERROR(EvalAll(state_, node_.exprs, row));
    return true;
  }

 private:
  ExecState* const state_;
  const planner::Result& node_;
  bool done_ = false;
};

class ValuesOp final : public Operator {
 public:
  ValuesOp(ExecState* state, const planner::Values& node) : state_(state), node_(node) {}
  SqlStatus Open() override {
    position_ = 0;
    return {};
  }
  SqlResult<bool> Next(Row* row) override {
    if (position_ == node_.rows_exprs.size()) return false;
    SQL_RETURN_IF_ERROR(state_->CheckCancel());
    SQL_RETURN_IF_ERROR(EvalAll(state_, node_.rows_exprs[position_++], row));
    return true;
  }

 private:
  ExecState* const state_;
  const planner::Values& node_;
  size_t position_ = 0;
};

class FunctionScanOp final : public Operator {
 public:
  FunctionScanOp(ExecState* state, const planner::FunctionScan& node)
      : state_(state), node_(node) {}

  SqlStatus Open() override {
    ordinal_ = 0;
    rows_.reset();
    if (node_.function == nullptr) return {};
    std::vector<Datum> args;
    bool null_argument = false;
    for (const auto& arg : node_.args) {
      SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*arg));
      null_argument |= value.is_null();
      args.push_back(std::move(value));
    }
    if (node_.function->strict && null_argument) return {};
    SQL_ASSIGN_OR_RETURN(rows_,
                         sql::OpenTableFunction(*node_.function, std::move(args), node_.arg_types));
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    SQL_RETURN_IF_ERROR(state_->CheckCancel());
    if (node_.function != nullptr) {
      if (rows_ == nullptr) return false;
      SQL_ASSIGN_OR_RETURN(bool more, rows_->Next(row));
      if (!more) return false;
    } else {
      if (ordinal_ > 0) return false;
      row->resize(1);
      SQL_RETURN_IF_ERROR(sql::EvalInto(*node_.scalar, state_->eval, nullptr, &(*row)[0]));
    }
    ordinal_++;
    if (node_.ordinality) row->push_back(Datum::Int(ordinal_));
    return true;
  }

 private:
  ExecState* const state_;
  const planner::FunctionScan& node_;
  std::unique_ptr<sql::TableFunctionRows> rows_;
  int64_t ordinal_ = 0;
};

class VirtualScanOp final : public Operator {
 public:
  VirtualScanOp(ExecState* state, const planner::VirtualScan& node) : state_(state), node_(node) {}

  SqlStatus Open() override {
    position_ = 0;
    catalog::VirtualContext context;
    if (state_->context.virtual_tables != nullptr) context = *state_->context.virtual_tables;
    context.catalog = state_->context.snapshot.get();
    rows_ = catalog::VirtualRows(*node_.table, context);
    return {};
  }

  SqlResult<bool> Next(Row* row) override {
    while (position_ < rows_.size()) {
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      *row = rows_[position_++];
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, *row));
      if (passes) return true;
    }
    return false;
  }

 private:
  ExecState* const state_;
  const planner::VirtualScan& node_;
  std::vector<Row> rows_;
  size_t position_ = 0;
};

}  // namespace

OperatorPtr BuildLeaf(ExecState* state, const planner::PlanNode& node) {
  switch (node.kind) {
    case planner::NodeKind::kResult:
      return std::make_unique<ResultOp>(state, static_cast<const planner::Result&>(node));
    case planner::NodeKind::kValues:
      return std::make_unique<ValuesOp>(state, static_cast<const planner::Values&>(node));
    case planner::NodeKind::kFunctionScan:
      return std::make_unique<FunctionScanOp>(state,
                                              static_cast<const planner::FunctionScan&>(node));
    default:
      return std::make_unique<VirtualScanOp>(state, static_cast<const planner::VirtualScan&>(node));
  }
}

}  // namespace borealis::executor
