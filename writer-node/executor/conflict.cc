// What a failed transaction means to a client.
#include "common/sql/io.h"
#include "writer-node/executor/executor.h"
#include "writer-node/executor/state.h"

namespace borealis::executor {

namespace {

SqlStatus Serialization(const Status& status, const txn::Txn& txn,
                        const catalog::CatalogSnapshot* snapshot) {
  SqlStatus error("40001", "could not serialize access due to concurrent update");
  error.set_hint("Run the transaction again.");
  const auto& conflict = txn.conflict();
  if (!conflict.has_value()) {
    if (!status.message().empty()) error.set_detail(status.message());
    return error;
  }
  std::string who =
      conflict->winner_writer.empty()
          ? (conflict->winner ? "a writer whose name is not known" : "an earlier writer")
          : "writer " + conflict->winner_writer;
  catalog::TablePtr table =
      snapshot != nullptr && conflict->prefix.keyspace == wire::Keyspace::kUser
          ? snapshot->FindTable(conflict->prefix.table)
          : nullptr;
  if (table == nullptr) {
    error.set_detail(conflict->prefix.keyspace == wire::Keyspace::kSystem
                         ? "The definition of a table or another catalog object was changed by " +
                               who + "."
                         : "A row was changed by " + who + ".");
    return error;
  }
  error.mutable_error().schema_name = table->schema;
  error.mutable_error().table_name = table->name;
  std::string key = DescribeKey(*table, conflict->prefix.index, conflict->key);
  error.set_detail((conflict->range ? "Rows of table \"" + table->name + "\" from key "
                                    : "Table \"" + table->name + "\", key ") +
                   key + ": changed by " + who + ".");
  return error;
}

}  // namespace

std::string DescribeKey(const catalog::TableDescriptor& table, IndexId index, ByteView key) {
  const catalog::IndexDescriptor* descriptor = table.FindIndex(index);
  if (descriptor == nullptr) return ToHex(key);
  std::string names, values;
  ByteView rest = wire::KeySuffix(key);
  for (const catalog::IndexColumn& column : descriptor->columns) {
    const catalog::ColumnDescriptor* definition = table.FindColumn(column.column);
    if (definition == nullptr) return ToHex(key);
    sql::Type type{definition->type_oid, definition->typmod};
    sql::Datum value;
    if (rest.empty()) break;  // the start of a range may name the first columns only
    if (!sql::DecodeKeyColumn({type, column.descending, column.nulls_first}, &rest, &value).ok()) {
      return ToHex(key);
    }
    if (!names.empty()) names += ", ", values += ", ";
    names += definition->hidden ? "row id" : definition->name;
    values += value.is_null() ? "null" : sql::ToText(type, value);
  }
  return "(" + names + ")=(" + values + ")";
}

sql::SqlStatus FromTxn(const Status& status, const txn::Txn& txn,
                       const catalog::CatalogSnapshot* snapshot) {
  if (status.ok()) return {};
  switch (txn.failure()) {
    case txn::FailureKind::kSerialization:
    case txn::FailureKind::kStaleStatement:
      return Serialization(status, txn, snapshot);
    case txn::FailureKind::kDeadlock:
      return SqlStatus("40P01", "deadlock detected")
          .WithDetail("Sessions of this writer wait for each other's row locks.")
          .WithHint("Run the transaction again.");
    case txn::FailureKind::kLockNotAvailable:
      return SqlStatus("55P03", status.message());
    case txn::FailureKind::kTooLarge:
      return SqlStatus("54000", status.message());
    case txn::FailureKind::kReadOnly:
      return SqlStatus("25006", status.message());
    case txn::FailureKind::kCancelled:
      return SqlStatus("57014", "canceling statement due to user request");
    case txn::FailureKind::kNone:
      break;
  }
  if (status.code() == Code::kConflict) return Serialization(status, txn, snapshot);
  return sql::FromStatus(status);
}

}  // namespace borealis::executor
