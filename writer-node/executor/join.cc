// Joins: nested loop, look-up by index, hash.
#include <unordered_map>

#include "writer-node/executor/row_source.h"

namespace borealis::executor {

namespace {

using planner::JoinKind;

void Concat(const Row& left, const Row& right, Row* out) {
  out->resize(left.size() + right.size());
  std::copy(left.begin(), left.end(), out->begin());
  std::copy(right.begin(), right.end(), out->begin() + std::ssize(left));
}

void ConcatNulls(const Row& left, size_t right_columns, Row* out) {
  out->assign(left.size() + right_columns, Datum());
  std::copy(left.begin(), left.end(), out->begin());
}

class NestedLoopOp final : public Operator {
 public:
  NestedLoopOp(ExecState* state, const planner::NestedLoop& node)
      : state_(state),
        node_(node),
        left_(Build(state, *node.left)),
        right_(Build(state, *node.right)) {}

  SqlStatus Open() override {
    have_left_ = false;
    return left_->Open();
  }

  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      if (!have_left_) {
        SQL_ASSIGN_OR_RETURN(have_left_, left_->Next(&left_row_));
        if (!have_left_) return false;
        matched_ = false;
        SQL_RETURN_IF_ERROR(state_->Bind(node_.bindings, left_row_.data()));
        SQL_RETURN_IF_ERROR(right_->Open());
      }
      SQL_ASSIGN_OR_RETURN(bool more, right_->Next(&right_row_));
      if (!more) {
        have_left_ = false;
        if (!matched_ && node_.join == JoinKind::kLeft) {
          ConcatNulls(left_row_, node_.right->columns.size(), row);
          return true;
        }
        if (!matched_ && node_.join == JoinKind::kAnti) {
          *row = left_row_;
          return true;
        }
        continue;
      }
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      Concat(left_row_, right_row_, &joined_);
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.condition, joined_));
      if (!passes) continue;
      matched_ = true;
      if (node_.join == JoinKind::kAnti) {
        have_left_ = false;
        continue;
      }
      if (node_.join == JoinKind::kSemi) {
        have_left_ = false;
        *row = left_row_;
        return true;
      }
      *row = joined_;
      return true;
    }
  }

 private:
  ExecState* const state_;
  const planner::NestedLoop& node_;
  OperatorPtr left_;
  OperatorPtr right_;
  bool have_left_ = false;
  bool matched_ = false;
  Row left_row_, right_row_, joined_;
};

// Left rows are taken in batches, whose look-ups travel to storage together when the index is
// unique.
class LookupJoinOp final : public Operator {
 public:
  LookupJoinOp(ExecState* state, const planner::LookupJoin& node)
      : state_(state),
        node_(node),
        left_(Build(state, *node.left)),
        reader_(state, node),
        index_(reader_.codec().index(node.index)),
        walker_(&reader_, &index_, false) {}

  SqlStatus Open() override {
    left_done_ = false;
    batch_.clear();
    output_.clear();
    return left_->Open();
  }

  SqlResult<bool> Next(Row* row) override {
    for (;;) {
      if (!output_.empty()) {
        row->swap(output_.front());
        output_.pop_front();
        return true;
      }
      if (left_done_) return false;
      SQL_RETURN_IF_ERROR(LoadBatch());
      SQL_RETURN_IF_ERROR(node_.unique && node_.keys.size() == index_.column_count()
                              ? JoinByPoints()
                              : JoinByRanges());
    }
  }

 private:
  static constexpr size_t kBatchRows = 256;

  SqlStatus LoadBatch() {
    batch_.clear();
    Row row;
    while (batch_.size() < kBatchRows) {
      SQL_ASSIGN_OR_RETURN(bool more, left_->Next(&row));
      if (!more) {
        left_done_ = true;
        break;
      }
      batch_.push_back(row);
    }
    return {};
  }

  // None: one of them is NULL, which finds nothing.
  SqlResult<std::optional<std::vector<Datum>>> KeyOf(const Row& left) {
    std::vector<Datum> key;
    for (const auto& expr : node_.keys) {
      SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*expr, left));
      if (value.is_null()) return std::optional<std::vector<Datum>>();
      key.push_back(std::move(value));
    }
    return std::optional(std::move(key));
  }

  SqlStatus JoinByPoints() {
    std::vector<Bytes> keys;
    std::vector<int> key_of_row(batch_.size(), -1);
    for (size_t i = 0; i < batch_.size(); i++) {
      SQL_ASSIGN_OR_RETURN(auto key, KeyOf(batch_[i]));
      if (!key.has_value()) continue;
      key_of_row[i] = static_cast<int>(keys.size());
      keys.push_back(index_.KeyOfValues(*key));
    }
    SQL_RETURN_IF_ERROR(state_->CertifyReads(node_, keys));
    if (&index_ != &reader_.codec().primary()) {
      SQL_ASSIGN_OR_RETURN(auto row_keys, reader_.ResolveEntries(index_, keys));
      for (int& position : key_of_row) {
        if (position >= 0 && !row_keys[static_cast<size_t>(position)].has_value()) position = -1;
      }
      for (size_t i = 0; i < keys.size(); i++) keys[i] = row_keys[i].value_or(keys[i]);
      SQL_RETURN_IF_ERROR(state_->CertifyReads(node_, keys));
    }
    SQL_ASSIGN_OR_RETURN(auto found, reader_.Fetch(keys));
    Row right;
    for (size_t i = 0; i < batch_.size(); i++) {
      bool matched = false;
      if (key_of_row[i] >= 0 && found[static_cast<size_t>(key_of_row[i])].has_value()) {
        SQL_RETURN_IF_ERROR(reader_.Decode(*found[static_cast<size_t>(key_of_row[i])], &right));
        SQL_RETURN_IF_ERROR(Match(batch_[i], right, &matched));
      }
      Finish(batch_[i], matched);
    }
    return {};
  }

  SqlStatus JoinByRanges() {
    Row right;
    for (const Row& left : batch_) {
      bool matched = false;
      SQL_ASSIGN_OR_RETURN(auto key, KeyOf(left));
      if (key.has_value()) {
        RangeValues values;
        values.equal = std::move(*key);
        Bytes start, end;
        if (MakeRange(index_, values, &start, &end)) {
          walker_.Start(std::move(start), std::move(end), false);
          for (;;) {
            SQL_ASSIGN_OR_RETURN(bool more, walker_.Next(&right));
            if (!more) break;
            SQL_RETURN_IF_ERROR(Match(left, right, &matched));
            if (matched && (node_.join == JoinKind::kSemi || node_.join == JoinKind::kAnti)) break;
          }
        }
      }
      Finish(left, matched);
    }
    return {};
  }

  SqlStatus Match(const Row& left, const Row& right, bool* matched) {
    SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.filter, right));
    if (!passes) return {};
    Row joined;
    Concat(left, right, &joined);
    SQL_ASSIGN_OR_RETURN(passes, state_->Passes(node_.condition, joined));
    if (!passes) return {};
    *matched = true;
    if (node_.join == JoinKind::kInner || node_.join == JoinKind::kLeft) {
      output_.push_back(std::move(joined));
    }
    return {};
  }

  // What a left row yields once its matches are known.
  void Finish(const Row& left, bool matched) {
    if (node_.join == JoinKind::kLeft && !matched) {
      Row row;
      ConcatNulls(left, node_.table->columns.size(), &row);
      output_.push_back(std::move(row));
    } else if ((node_.join == JoinKind::kSemi && matched) ||
               (node_.join == JoinKind::kAnti && !matched)) {
      output_.push_back(left);
    }
  }

  ExecState* const state_;
  const planner::LookupJoin& node_;
  OperatorPtr left_;
  RowReader reader_;
  const catalog::IndexCodec& index_;
  RangeWalker walker_;
  bool left_done_ = false;
  std::vector<Row> batch_;
  std::deque<Row> output_;
};

class HashJoinOp final : public Operator {
 public:
  HashJoinOp(ExecState* state, const planner::HashJoin& node)
      : state_(state),
        node_(node),
        left_(Build(state, *node.left)),
        right_(Build(state, *node.right)),
        table_(0, RowHash(), RowEqual(TypesOf(node.right_keys))) {}

  SqlStatus Open() override {
    state_->Release(std::exchange(charged_, 0));
    table_.clear();
    rows_.clear();
    have_left_ = left_done_ = right_has_null_ = false;
    unmatched_ = 0;
    SQL_RETURN_IF_ERROR(LoadRight());
    return left_->Open();
  }

  SqlResult<bool> Next(Row* row) override {
    while (!left_done_) {
      if (!have_left_) {
        SQL_ASSIGN_OR_RETURN(have_left_, left_->Next(&left_row_));
        if (!have_left_) {
          left_done_ = true;
          break;
        }
        SQL_RETURN_IF_ERROR(StartLeft());
      }
      SQL_ASSIGN_OR_RETURN(bool given, NextOfLeft(row));
      if (given) return true;
    }
    return NextUnmatchedRight(row);
  }

 private:
  struct Entry {
    Row row;
    bool matched = false;
  };

  // The values of the keys; null_key says that one is NULL.
  SqlResult<Row> KeyOf(const std::vector<sql::ExprPtr>& exprs, const Row& row, bool* null_key) {
    Row key;
    *null_key = false;
    for (const auto& expr : exprs) {
      SQL_ASSIGN_OR_RETURN(Datum value, state_->Eval(*expr, row));
      *null_key |= value.is_null();
      key.push_back(std::move(value));
    }
    return key;
  }

  SqlStatus LoadRight() {
    SQL_RETURN_IF_ERROR(right_->Open());
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, right_->Next(&row));
      if (!more) return {};
      SQL_RETURN_IF_ERROR(state_->CheckCancel());
      bool null_key = false;
      SQL_ASSIGN_OR_RETURN(Row key, KeyOf(node_.right_keys, row, &null_key));
      right_has_null_ |= null_key;
      bool keeps_unmatched = node_.join == JoinKind::kRight || node_.join == JoinKind::kFull;
      if (null_key && !keeps_unmatched) continue;
      size_t bytes = MemoryOf(row) + MemoryOf(key) + 64;
      charged_ += bytes;
      SQL_RETURN_IF_ERROR(state_->Charge(bytes));
      if (!null_key) table_[std::move(key)].push_back(rows_.size());
      rows_.push_back({row, false});
    }
  }

  SqlStatus StartLeft() {
    matched_ = false;
    position_ = 0;
    candidates_ = nullptr;
    SQL_ASSIGN_OR_RETURN(Row key, KeyOf(node_.left_keys, left_row_, &left_null_));
    if (left_null_) return {};
    auto found = table_.find(key);
    if (found != table_.end()) candidates_ = &found->second;
    return {};
  }

  // The next row that the current left row yields; false: it is done with.
  SqlResult<bool> NextOfLeft(Row* row) {
    while (candidates_ != nullptr && position_ < candidates_->size()) {
      Entry& entry = rows_[(*candidates_)[position_++]];
      Concat(left_row_, entry.row, row);
      SQL_ASSIGN_OR_RETURN(bool passes, state_->Passes(node_.condition, *row));
      if (!passes) continue;
      matched_ = entry.matched = true;
      if (node_.join == JoinKind::kSemi || node_.join == JoinKind::kAnti) break;
      return true;
    }
    have_left_ = false;
    switch (node_.join) {
      case JoinKind::kSemi:
        if (matched_) *row = left_row_;
        return matched_;
      case JoinKind::kAnti:
        return AntiAnswer(row);
      case JoinKind::kLeft:
      case JoinKind::kFull:
        if (!matched_) ConcatNulls(left_row_, node_.right->columns.size(), row);
        return !matched_;
      default:
        return false;
    }
  }

  // NOT IN is unknown, so not true, when a NULL is in play and the right side is not empty.
  SqlResult<bool> AntiAnswer(Row* row) {
    if (matched_) return false;
    if (node_.null_aware) {
      bool right_empty = rows_.empty() && !right_has_null_;
      if (!right_empty && (left_null_ || right_has_null_)) return false;
    }
    *row = left_row_;
    return true;
  }

  SqlResult<bool> NextUnmatchedRight(Row* row) {
    if (node_.join != JoinKind::kRight && node_.join != JoinKind::kFull) return false;
    while (unmatched_ < rows_.size()) {
      Entry& entry = rows_[unmatched_++];
      if (entry.matched) continue;
      size_t left_columns = node_.left->columns.size();
      row->assign(left_columns + entry.row.size(), Datum());
      std::copy(entry.row.begin(), entry.row.end(),
                row->begin() + static_cast<ptrdiff_t>(left_columns));
      return true;
    }
    return false;
  }

  ExecState* const state_;
  const planner::HashJoin& node_;
  OperatorPtr left_;
  OperatorPtr right_;
  std::unordered_map<Row, std::vector<size_t>, RowHash, RowEqual> table_;
  std::vector<Entry> rows_;
  bool right_has_null_ = false;
  size_t charged_ = 0;
  bool have_left_ = false, left_done_ = false, left_null_ = false, matched_ = false;
  Row left_row_;
  const std::vector<size_t>* candidates_ = nullptr;
  size_t position_ = 0;
  size_t unmatched_ = 0;
};

}  // namespace

OperatorPtr BuildJoin(ExecState* state, const planner::PlanNode& node) {
  switch (node.kind) {
    case planner::NodeKind::kNestedLoop:
      return std::make_unique<NestedLoopOp>(state, static_cast<const planner::NestedLoop&>(node));
    case planner::NodeKind::kLookupJoin:
      return std::make_unique<LookupJoinOp>(state, static_cast<const planner::LookupJoin&>(node));
    default:
      return std::make_unique<HashJoinOp>(state, static_cast<const planner::HashJoin&>(node));
  }
}

}  // namespace borealis::executor
