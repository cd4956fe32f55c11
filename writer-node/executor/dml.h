// INSERT, UPDATE and DELETE. Internal to the executor.
//
// Each works in phases, over all rows of the statement: compute the new rows from the child (so
// that a statement never sees its own changes), take locks and check uniqueness, write, and at the
// end check foreign keys (as PostgreSQL does, a statement may break them on its way). RETURNING's
// rows are kept and handed out afterwards.
//
// Accesses (docs/design/transactions.md): a row that is inserted or deleted, or whose unique
// columns change, takes UPDATE on the row and on each unique entry that appears or goes; other
// updates take NO KEY UPDATE on the row; entries of non-unique indexes are written unchecked; a
// foreign key takes KEY SHARE on the entry it points at; the table's descriptor is READ.
#pragma once

#include <unordered_set>

#include "writer-node/executor/state.h"

namespace borealis::executor {

class DmlOp : public Operator {
 public:
  DmlOp(ExecState* state, const planner::DmlNode& node);
  SqlStatus Open() final;
  SqlResult<bool> Next(Row* row) final;

 protected:
  // All phases; fills returned_ and counts rows_affected.
  virtual SqlStatus Run() = 0;

  ExecState& state() { return *state_; }
  txn::Txn& txn() { return state_->txn(); }
  const catalog::TableDescriptor& table() const { return *node_.table; }
  const catalog::TableCodec& codec() const { return codec_; }
  // The child's rows, all of them.
  SqlResult<std::vector<Row>> ChildRows();

  // NOT NULL and CHECK of a complete row.
  SqlStatus CheckRow(const Row& row);
  // The DETAIL of a row that breaks a constraint.
  std::string FailingRow(const Row& row) const;
  // Appends what RETURNING says of a row (`row` followed by the child's row).
  SqlStatus Return(const Row& row, const Row& child);

  // Locks and looks up keys that must be free; 23505 for one that is taken, or that stands in the
  // list twice. names[i] is the index of keys[i], rows[i] the new row.
  struct NewKey {
    Bytes key;
    const catalog::IndexDescriptor* index = nullptr;
    const Row* row = nullptr;
  };
  SqlStatus RequireFree(const std::vector<NewKey>& keys);
  SqlStatus DuplicateKey(const NewKey& key) const;
  SqlStatus Put(const Bytes& key, const Bytes& value, txn::AccessKind kind);
  SqlStatus Delete(const Bytes& key, txn::AccessKind kind);
  // Writes the row and its entries. Uniqueness was checked.
  SqlStatus WriteNew(const Row& row);
  // Deletes the row and its entries.
  SqlStatus EraseOld(const Row& row);

  ExecState* const state_;
  const planner::DmlNode& node_;
  const catalog::TableCodec& codec_;

 private:
  OperatorPtr child_;
  std::vector<Row> returned_;
  size_t position_ = 0;
};

// Foreign keys of new rows: each takes KEY SHARE on the entry it points at, which must be there
// (23503).
SqlStatus CheckOutbound(ExecState* state, const planner::DmlNode& node,
                        const std::vector<const Row*>& rows);
// Foreign keys that point at rows whose key goes away: nobody may still hold one (23503).
SqlStatus CheckInbound(ExecState* state, const planner::DmlNode& node,
                       const std::vector<const Row*>& old_rows);

OperatorPtr BuildInsert(ExecState* state, const planner::Insert& node);
OperatorPtr BuildUpdate(ExecState* state, const planner::Update& node);
OperatorPtr BuildDelete(ExecState* state, const planner::Delete& node);

// "Key (a, b)=(1, x)" of a row's columns.
std::string KeyText(const catalog::TableDescriptor& table, const std::vector<ColumnId>& columns,
                    const Row& row);

}  // namespace borealis::executor
