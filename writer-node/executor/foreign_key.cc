// Foreign keys, both directions, checked at the end of the statement.
//
// Why certification makes them hold across writers: a child takes KEY SHARE on the entry of the
// unique index that it points at, and that lock is recorded. Who deletes the parent, or changes its
// key, takes UPDATE on the same entry. The two modes conflict, so whichever commits second with a
// snapshot older than the first loses (40001). If its snapshot is newer it sees the other's rows,
// and the check below decides. A parent's update that leaves the key alone takes NO KEY UPDATE on
// the row only, which does not conflict with KEY SHARE.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "writer-node/executor/dml.h"
#include "writer-node/executor/row_source.h"

namespace borealis::executor {

namespace {

// The values that `columns` of a child row name, or none when one is NULL (MATCH SIMPLE).
std::optional<std::vector<Datum>> ReferenceOf(const catalog::TableDescriptor& table,
                                              const std::vector<ColumnId>& columns,
                                              const Row& row) {
  std::vector<Datum> values;
  for (ColumnId id : columns) {
    const Datum& value = row[static_cast<size_t>(table.ColumnPosition(id))];
    if (value.is_null()) return std::nullopt;
    values.push_back(value);
  }
  return values;
}

// Orders `values`, given for `columns`, by the columns of an index that has the same columns.
std::vector<Datum> InIndexOrder(const catalog::IndexDescriptor& index,
                                const std::vector<ColumnId>& columns,
                                const std::vector<Datum>& values) {
  std::vector<Datum> ordered;
  for (const catalog::IndexColumn& column : index.columns) {
    for (size_t i = 0; i < columns.size(); i++) {
      if (columns[i] == column.column) ordered.push_back(values[i]);
    }
  }
  return ordered;
}

SqlStatus Violation(const std::string& message, const std::string& detail,
                    const catalog::TableDescriptor& child,
                    const catalog::ConstraintDescriptor& constraint) {
  SqlStatus error("23503", message);
  error.set_detail(detail);
  error.mutable_error().schema_name = child.schema;
  error.mutable_error().table_name = child.name;
  error.mutable_error().constraint_name = constraint.name;
  return error;
}

// Any row of the child that refers to one of the keys. By an index whose first columns are those of
// the foreign key when there is one, else by one walk over the table.
class ChildSearch {
 public:
  ChildSearch(ExecState* state, const catalog::InboundForeignKey& key)
      : state_(state), child_(*key.child), constraint_(child_.constraints[key.constraint]) {
    access_.table = key.child;
    access_.needed.assign(child_.columns.size(), false);
    for (ColumnId id : constraint_.columns) {
      access_.needed[static_cast<size_t>(child_.ColumnPosition(id))] = true;
    }
    reader_ = std::make_unique<RowReader>(state, access_);
    index_ = FindIndex();
  }

  // The first of `keys` (values in the constraint's order) that some child row has; none: nobody
  // refers to them.
  SqlResult<std::optional<size_t>> Find(const std::vector<std::vector<Datum>>& keys) {
    return index_ != nullptr ? FindByIndex(keys) : FindByScan(keys);
  }

 private:
  const catalog::IndexDescriptor* FindIndex() const {
    auto covers = [&](const catalog::IndexDescriptor& index) {
      if (index.columns.size() < constraint_.columns.size()) return false;
      if (index.state != catalog::IndexState::kPublic) return false;
      for (size_t i = 0; i < constraint_.columns.size(); i++) {
        const auto& columns = constraint_.columns;
        if (std::find(columns.begin(), columns.end(), index.columns[i].column) == columns.end()) {
          return false;
        }
      }
      return true;
    };
    if (covers(child_.primary)) return &child_.primary;
    for (const catalog::IndexDescriptor& index : child_.secondary) {
      if (covers(index)) return &index;
    }
    return nullptr;
  }

  SqlResult<std::optional<size_t>> FindByIndex(const std::vector<std::vector<Datum>>& keys) {
    const catalog::IndexCodec& codec = reader_->codec().index(index_->id);
    for (size_t i = 0; i < keys.size(); i++) {
      RangeValues values;
      for (size_t c = 0; c < constraint_.columns.size(); c++) {
        for (size_t k = 0; k < constraint_.columns.size(); k++) {
          if (constraint_.columns[k] == index_->columns[c].column)
            values.equal.push_back(keys[i][k]);
        }
      }
      Bytes start, end;
      if (!MakeRange(codec, values, &start, &end)) continue;
      txn::ScanSpec spec;
      spec.start = std::move(start);
      spec.end = std::move(end);
      spec.rows_max = 1;
      for (;;) {
        auto page = state_->txn().Scan(spec);
        if (!page.ok()) return state_->TxnError(page.status());
        if (!page->rows.empty()) return std::optional<size_t>(i);
        if (!page->more) break;
        spec.start = page->resume;
      }
    }
    return std::optional<size_t>();
  }

  SqlResult<std::optional<size_t>> FindByScan(const std::vector<std::vector<Datum>>& keys) {
    std::vector<sql::TypeOid> types;
    for (ColumnId id : constraint_.columns) {
      types.push_back(child_.columns[static_cast<size_t>(child_.ColumnPosition(id))].type_oid);
    }
    std::unordered_map<Row, size_t, RowHash, RowEqual> wanted(0, RowHash(), RowEqual(types));
    for (size_t i = 0; i < keys.size(); i++) wanted.emplace(keys[i], i);
    const catalog::IndexCodec& primary = reader_->codec().primary();
    RangeWalker walker(reader_.get(), &primary, false);
    Bytes prefix(primary.prefix());
    walker.Start(prefix, wire::PrefixEnd(prefix), false);
    Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, walker.Next(&row));
      if (!more) return std::optional<size_t>();
      auto reference = ReferenceOf(child_, constraint_.columns, row);
      if (!reference.has_value()) continue;
      auto found = wanted.find(*reference);
      if (found != wanted.end()) return std::optional<size_t>(found->second);
    }
  }

  ExecState* const state_;
  const catalog::TableDescriptor& child_;
  const catalog::ConstraintDescriptor& constraint_;
  planner::TableAccess access_;
  std::unique_ptr<RowReader> reader_;
  const catalog::IndexDescriptor* index_ = nullptr;
};

}  // namespace

SqlStatus CheckOutbound(ExecState* state, const planner::DmlNode& node,
                        const std::vector<const Row*>& rows) {
  for (const auto& outbound : node.outbound) {
    const catalog::TableDescriptor& child = *node.table;
    const catalog::TableDescriptor& parent = *outbound.parent;
    const catalog::ConstraintDescriptor& constraint = child.constraints[outbound.constraint];
    const catalog::IndexDescriptor* index = parent.FindIndex(constraint.index);
    if (index == nullptr) return sql::InternalError("a foreign key points at no index");
    Status used = catalog::Catalog::UseTable(state->context.txn, parent);
    if (!used.ok()) return state->TxnError(used);
    const catalog::IndexCodec& codec = state->codec(outbound.parent).index(index->id);
    std::map<Bytes, const Row*> keys;
    for (const Row* row : rows) {
      auto reference = ReferenceOf(child, constraint.columns, *row);
      if (!reference.has_value()) continue;
      keys.emplace(codec.KeyOfValues(InIndexOrder(*index, constraint.ref_columns, *reference)),
                   row);
    }
    std::vector<Bytes> bytes;
    for (const auto& [key, row] : keys) {
      auto locked = state->txn().Lock(key, txn::AccessKind::kKeyShare);
      if (!locked.ok()) return state->TxnError(locked.status());
      bytes.push_back(key);
    }
    if (bytes.empty()) continue;
    auto found = state->txn().MultiGet(bytes);
    if (!found.ok()) return state->TxnError(found.status());
    size_t i = 0;
    for (const auto& [key, row] : keys) {
      if ((*found)[i++].has_value()) continue;
      return Violation("insert or update on table \"" + child.name +
                           "\" violates foreign key constraint \"" + constraint.name + "\"",
                       KeyText(child, constraint.columns, *row) + " is not present in table \"" +
                           parent.name + "\".",
                       child, constraint);
    }
  }
  return {};
}

SqlStatus CheckInbound(ExecState* state, const planner::DmlNode& node,
                       const std::vector<const Row*>& old_rows) {
  if (old_rows.empty()) return {};
  const catalog::TableDescriptor& parent = *node.table;
  for (const catalog::InboundForeignKey& inbound : node.inbound) {
    const catalog::ConstraintDescriptor& constraint =
        inbound.child->constraints[inbound.constraint];
    const catalog::IndexDescriptor* index = parent.FindIndex(constraint.index);
    if (index == nullptr) return sql::InternalError("a foreign key points at no index");
    const catalog::IndexCodec& codec = state->codec(node.table).index(index->id);
    std::vector<Bytes> entry_keys;
    std::vector<std::vector<Datum>> values;
    std::vector<const Row*> rows;
    for (const Row* row : old_rows) {
      auto reference = ReferenceOf(parent, constraint.ref_columns, *row);
      if (!reference.has_value()) continue;
      entry_keys.push_back(
          codec.KeyOfValues(InIndexOrder(*index, constraint.ref_columns, *reference)));
      values.push_back(std::move(*reference));
      rows.push_back(row);
    }
    if (entry_keys.empty()) continue;
    auto still = state->txn().MultiGet(entry_keys);
    if (!still.ok()) return state->TxnError(still.status());
    std::vector<std::vector<Datum>> gone;
    std::vector<const Row*> gone_rows;
    for (size_t i = 0; i < rows.size(); i++) {
      if ((*still)[i].has_value()) continue;  // unchanged, or another row has the key now
      gone.push_back(std::move(values[i]));
      gone_rows.push_back(rows[i]);
    }
    if (gone.empty()) continue;
    Status used = catalog::Catalog::UseTable(state->context.txn, *inbound.child);
    if (!used.ok()) return state->TxnError(used);
    SQL_ASSIGN_OR_RETURN(auto found, ChildSearch(state, inbound).Find(gone));
    if (!found.has_value()) continue;
    return Violation("update or delete on table \"" + parent.name +
                         "\" violates foreign key constraint \"" + constraint.name +
                         "\" on table \"" + inbound.child->name + "\"",
                     KeyText(parent, constraint.ref_columns, *gone_rows[*found]) +
                         " is still referenced from table \"" + inbound.child->name + "\".",
                     *inbound.child, constraint);
  }
  return {};
}

}  // namespace borealis::executor
