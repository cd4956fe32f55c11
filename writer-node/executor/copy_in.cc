#include "common/sql/io.h"
#include "writer-node/executor/copy_parse.h"
#include "writer-node/executor/insert_rows.h"

namespace borealis::executor {

namespace {

constexpr size_t kBatchRows = 1024;

// The INSERT at the top of the plan.
const planner::Insert& InsertOf(const planner::Plan& plan) {
  const planner::PlanNode* node = plan.root.get();
  while (node->kind == planner::NodeKind::kProject) {
    node = static_cast<const planner::Project*>(node)->child.get();
  }
  BOREALIS_CHECK(node->kind == planner::NodeKind::kInsert);
  return static_cast<const planner::Insert&>(*node);
}

class CopyInImpl final : public CopyIn {
 public:
  CopyInImpl(planner::PlanRef plan, std::vector<sql::Type> types, std::vector<std::string> names,
             const CopyOptions& options, const ExecContext& context)
      : plan_(std::move(plan)),
        types_(std::move(types)),
        names_(std::move(names)),
        options_(options),
        state_(*plan_, context),
        inserter_(MakeRowInserter(&state_, InsertOf(*plan_))),
        parser_(options_, types_.size(), [this](CopyFields& fields) { return AddRow(fields); }) {}

  SqlStatus Begin() {
    savepoint_ = state_.txn().SetSavepoint();
    Status used = catalog::Catalog::UseTable(state_.context.txn, *InsertOf(*plan_).table);
    return used.ok() ? SqlStatus() : state_.TxnError(used);
  }

  SqlStatus Data(ByteView bytes) override {
    if (!failed_.ok()) return failed_;
    return Guard(parser_.Data(bytes));
  }

  SqlResult<uint64_t> Finish() override {
    if (!failed_.ok()) return failed_;
    SQL_RETURN_IF_ERROR(Guard(parser_.Finish()));
    SQL_RETURN_IF_ERROR(Guard(Flush()));
    SQL_RETURN_IF_ERROR(Guard(inserter_->CheckForeignKeys()));
    return inserter_->count();
  }

 private:
  // The first error ends the COPY: its rows are undone and its place is named.
  SqlStatus Guard(SqlStatus status) {
    if (status.ok()) return status;
    if (status.error().context.empty()) {
      status.mutable_error().context =
          "COPY " + InsertOf(*plan_).table->name + ", line " + std::to_string(parser_.line());
    }
    if (state_.txn().active()) state_.txn().RollbackTo(savepoint_);
    failed_ = status;
    return status;
  }

  SqlResult<Datum> ReadField(size_t column, const std::string& text) {
    if (options_.format == CopyFormat::kBinary) return sql::BinaryInput(types_[column], text);
    if (!sql::IsValidText(text)) {
      return SqlStatus("22021", "invalid byte sequence for encoding \"UTF8\"");
    }
    sql::IoContext io;
    io.session = state_.context.session;
    if (io.session != nullptr) io.now_micros = io.session->TransactionTimestamp();
    return sql::TextInput(types_[column], text, io);
  }

  SqlStatus AddRow(CopyFields& fields) {
    Row row(fields.size());
    for (size_t i = 0; i < fields.size(); i++) {
      if (!fields[i].has_value()) continue;
      auto value = ReadField(i, *fields[i]);
      if (!value.ok()) {
        SqlStatus error = value.status();
        error.mutable_error().context =
            "COPY " + InsertOf(*plan_).table->name + ", line " + std::to_string(parser_.line()) +
            ", column " + names_[i] +
            (options_.format == CopyFormat::kBinary ? ""
                                                    : ": \"" + fields[i]->substr(0, 100) + "\"");
        return error;
      }
      row[i] = std::move(*value);
    }
    rows_.push_back(std::move(row));
    return rows_.size() < kBatchRows ? SqlStatus() : Flush();
  }

  SqlStatus Flush() {
    SQL_RETURN_IF_ERROR(state_.CheckCancel());
    SqlStatus status = inserter_->InsertAll(rows_);
    rows_.clear();
    return status;
  }

  const planner::PlanRef plan_;
  const std::vector<sql::Type> types_;
  const std::vector<std::string> names_;
  const CopyOptions options_;
  ExecState state_;
  std::unique_ptr<RowInserter> inserter_;
  CopyParser parser_;
  txn::Savepoint savepoint_ = 0;
  std::vector<Row> rows_;
  SqlStatus failed_;
};

}  // namespace

SqlResult<std::unique_ptr<CopyIn>> CopyIn::Start(planner::PlanRef plan,
                                                 std::vector<sql::Type> column_types,
                                                 std::vector<std::string> column_names,
                                                 const CopyOptions& options,
                                                 const ExecContext& context) {
  auto copy = std::make_unique<CopyInImpl>(std::move(plan), std::move(column_types),
                                           std::move(column_names), options, context);
  SQL_RETURN_IF_ERROR(copy->Begin());
  return std::unique_ptr<CopyIn>(std::move(copy));
}

}  // namespace borealis::executor
