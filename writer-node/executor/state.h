// What all operators of one execution share, and what an operator is. Internal to the executor.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "common/sql/expr.h"
#include "writer-node/catalog/row_keys.h"
#include "writer-node/executor/executor.h"

namespace borealis::executor {

using sql::Datum;
using sql::Row;
using sql::SqlResult;
using sql::SqlStatus;

// A node of a running plan. Open() may be called again: the node then starts over, with the
// internal parameters as they are now. Next() after its end, or before Open(), is not called.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual SqlStatus Open() = 0;
  // False at the end. The row is overwritten; its storage is reused from call to call.
  virtual SqlResult<bool> Next(Row* row) = 0;
};
using OperatorPtr = std::unique_ptr<Operator>;

class ExecState : public sql::SubplanRunner {
 public:
  ExecState(const planner::Plan& plan, const ExecContext& context);
  ~ExecState() override;

  const planner::Plan& plan;
  ExecContext context;
  std::vector<Datum> params;  // the client's, then the internal ones
  sql::EvalContext eval;
  uint64_t rows_affected = 0;
  // The snapshot is the local version: what is read must be certified, so it joins the access list.
  bool certify_reads = false;
  // The point get whose keys were locked before it is opened: they are in the access list already.
  const planner::PlanNode* locked_target = nullptr;

  txn::Txn& txn() const { return *context.txn; }
  // The table's codec, made at first use; lives as long as the execution.
  const catalog::TableCodec& codec(const catalog::TablePtr& table);

  // Counts memory that grows with the data; 53200 beyond ExecContext::memory_max. Released with the
  // execution.
  SqlStatus Charge(size_t bytes);
  void Release(size_t bytes) { memory_used_ -= std::min(memory_used_, bytes); }
  // 57014 once the statement was cancelled. Cheap: asks the session every 256 calls.
  SqlStatus CheckCancel();
  // A transaction's failure as the client sees it.
  SqlStatus TxnError(const Status& status) const {
    return FromTxn(status, *context.txn, context.snapshot.get());
  }

  // Records the keys that `node` is about to read, if reads have to be certified.
  SqlStatus CertifyReads(const planner::PlanNode& node, const std::vector<Bytes>& keys);

  SqlResult<Datum> Eval(const sql::Expr& expr, const Row& row) {
    return sql::Eval(expr, eval, row.data());
  }
  // Over parameters alone.
  SqlResult<Datum> Eval(const sql::Expr& expr) { return sql::Eval(expr, eval, nullptr); }
  // A null expression is true.
  SqlResult<bool> Passes(const sql::ExprPtr& condition, const Row& row);
  SqlStatus Bind(const std::vector<planner::ParamBinding>& bindings, const Datum* row);

  // sql::SubplanRunner
  SqlStatus RunSubplan(const sql::Expr& subplan, sql::EvalContext& context, const Datum* row,
                       Datum* out) override;

 private:
  struct SubplanState;
  std::map<const catalog::TableDescriptor*, std::unique_ptr<catalog::TableCodec>> codecs_;
  std::vector<std::unique_ptr<SubplanState>> subplans_;
  size_t memory_used_ = 0;
  uint32_t cancel_calls_ = 0;
};

size_t MemoryOf(const Row& row);
// Hash and equality of some values of a row: grouping's, where NULL equals NULL.
struct RowHash {
  size_t operator()(const Row& row) const;
};
struct RowEqual {
  // Of rows without char(n), or whose char(n) are all of one length.
  RowEqual() = default;
  // char(n) is compared without trailing blanks. As many types as a row has values.
  explicit RowEqual(std::vector<sql::TypeOid> types);
  bool operator()(const Row& a, const Row& b) const;

 private:
  std::vector<sql::TypeOid> types_;  // empty: none of them is char(n)
};
// The types of the columns: all of them, or those in `slots` unless that is empty.
std::vector<sql::TypeOid> TypesOf(const std::vector<planner::OutputColumn>& columns,
                                  const std::vector<int>& slots = {});
std::vector<sql::TypeOid> TypesOf(const std::vector<sql::ExprPtr>& exprs);

// operators by family; each file of the executor implements one of these
OperatorPtr Build(ExecState* state, const planner::PlanNode& node);
OperatorPtr BuildScan(ExecState* state, const planner::PlanNode& node);        // scan.cc
OperatorPtr BuildLeaf(ExecState* state, const planner::PlanNode& node);        // leaf.cc
OperatorPtr BuildUnary(ExecState* state, const planner::PlanNode& node);       // unary.cc
OperatorPtr BuildJoin(ExecState* state, const planner::PlanNode& node);        // join.cc
OperatorPtr BuildAggregate(ExecState* state, const planner::Aggregate& node);  // aggregate.cc
OperatorPtr BuildSetOp(ExecState* state, const planner::SetOp& node);          // set_op.cc
OperatorPtr BuildDml(ExecState* state, const planner::DmlNode& node);          // dml.cc

}  // namespace borealis::executor
