#include "writer-node/executor/state.h"

#include "writer-node/executor/subplan.h"

namespace borealis::executor {

using planner::NodeKind;

ExecState::ExecState(const planner::Plan& p, const ExecContext& c) : plan(p), context(c) {
  if (c.params != nullptr) params = *c.params;
  params.resize(static_cast<size_t>(std::max(plan.total_params, static_cast<int>(params.size()))));
  eval.session = c.session;
  eval.params = &params;
  eval.subplans = this;
  eval.extra_float_digits = c.extra_float_digits;
  subplans_.resize(plan.subplans.size());
}

ExecState::~ExecState() = default;

const catalog::TableCodec& ExecState::codec(const catalog::TablePtr& table) {
  auto& codec = codecs_[table.get()];
  if (codec == nullptr) codec = std::make_unique<catalog::TableCodec>(*table);
  return *codec;
}

SqlStatus ExecState::Charge(size_t bytes) {
  memory_used_ += bytes;
  if (memory_used_ <= context.memory_max) return {};
  return SqlStatus("53200", "out of memory")
      .WithDetail("The statement needs more than " + std::to_string(context.memory_max >> 20) +
                  " MiB for sorting, hashing or changed rows.");
}

SqlStatus ExecState::CheckCancel() {
  if (++cancel_calls_ % 256 != 0 || context.session == nullptr) return {};
  return context.session->CheckCancel();
}

SqlStatus ExecState::CertifyReads(const planner::PlanNode& node, const std::vector<Bytes>& keys) {
  if (!certify_reads || &node == locked_target) return {};
  for (const Bytes& key : keys) {
    Status status = txn().AddRead(key);
    if (!status.ok()) return TxnError(status);
  }
  return {};
}

SqlResult<bool> ExecState::Passes(const sql::ExprPtr& condition, const Row& row) {
  if (condition == nullptr) return true;
  bool passes = false;
  SQL_RETURN_IF_ERROR(sql::EvalPredicate(*condition, eval, row.data(), &passes));
  return passes;
}

SqlStatus ExecState::Bind(const std::vector<planner::ParamBinding>& bindings, const Datum* row) {
  for (const planner::ParamBinding& binding : bindings) {
    SQL_ASSIGN_OR_RETURN(Datum value, sql::Eval(*binding.expr, eval, row));
    params[static_cast<size_t>(binding.number - 1)] = std::move(value);
  }
  return {};
}

SqlStatus ExecState::RunSubplan(const sql::Expr& subplan, sql::EvalContext& eval_context,
                                const Datum* row, Datum* out) {
  auto& state = subplans_[subplan.slot];
  if (state == nullptr) {
    state = std::make_unique<SubplanState>(this, plan.subplans[subplan.slot]);
  }
  return state->Run(subplan, eval_context, row, out);
}

size_t MemoryOf(const Row& row) {
  size_t bytes = sizeof(Row);
  for (const Datum& value : row) bytes += value.memory_bytes();
  return bytes;
}

size_t RowHash::operator()(const Row& row) const {
  uint64_t hash = 0;
  for (const Datum& value : row) {
    hash = (hash ^ sql::HashDatum(value)) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

RowEqual::RowEqual(std::vector<sql::TypeOid> types) : types_(std::move(types)) {
  if (std::find(types_.begin(), types_.end(), sql::oid::kBpchar) == types_.end()) types_.clear();
}

bool RowEqual::operator()(const Row& a, const Row& b) const {
  for (size_t i = 0; i < a.size(); i++) {
    const bool same =
        types_.empty() ? sql::NotDistinct(a[i], b[i]) : sql::NotDistinct(types_[i], a[i], b[i]);
    if (!same) return false;
  }
  return true;
}

std::vector<sql::TypeOid> TypesOf(const std::vector<planner::OutputColumn>& columns,
                                  const std::vector<int>& slots) {
  std::vector<sql::TypeOid> types;
  if (slots.empty()) {
    for (const planner::OutputColumn& column : columns) types.push_back(column.type.oid);
  }
  for (int slot : slots) types.push_back(columns[static_cast<size_t>(slot)].type.oid);
  return types;
}

std::vector<sql::TypeOid> TypesOf(const std::vector<sql::ExprPtr>& exprs) {
  std::vector<sql::TypeOid> types;
  for (const sql::ExprPtr& expr : exprs) types.push_back(expr->type.oid);
  return types;
}

OperatorPtr Build(ExecState* state, const planner::PlanNode& node) {
  switch (node.kind) {
    case NodeKind::kTableScan:
    case NodeKind::kIndexScan:
    case NodeKind::kPointGet:
      return BuildScan(state, node);
    case NodeKind::kResult:
    case NodeKind::kValues:
    case NodeKind::kVirtualScan:
    case NodeKind::kFunctionScan:
      return BuildLeaf(state, node);
    case NodeKind::kNestedLoop:
    case NodeKind::kLookupJoin:
    case NodeKind::kHashJoin:
      return BuildJoin(state, node);
    case NodeKind::kAggregate:
      return BuildAggregate(state, static_cast<const planner::Aggregate&>(node));
    case NodeKind::kSetOp:
      return BuildSetOp(state, static_cast<const planner::SetOp&>(node));
    case NodeKind::kInsert:
    case NodeKind::kUpdate:
    case NodeKind::kDelete:
      return BuildDml(state, static_cast<const planner::DmlNode&>(node));
    default:
      return BuildUnary(state, node);
  }
}

}  // namespace borealis::executor
