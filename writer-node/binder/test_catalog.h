// A catalog for tests, made from CREATE statements by the binder itself. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "writer-node/binder/binder.h"
#include "writer-node/catalog/encoding.h"
#include "writer-node/parser/parser.h"

namespace borealis::binder {

class TestCatalog {
 public:
  TestCatalog() {
    Put(catalog::SchemaKey(catalog::kPublicSchemaOid),
        catalog::Encode(catalog::SchemaDescriptor{catalog::kPublicSchemaOid, "public", 10}));
    Put(catalog::RoleKey(10), [] {
      catalog::RoleDescriptor role;
      role.oid = 10;
      role.name = "postgres";
      return catalog::Encode(role);
    }());
    Apply();
  }

  const catalog::SnapshotPtr& snapshot() const { return snapshot_; }

  // CREATE TABLE, INDEX and SEQUENCE; "" or the error.
  std::string Run(const std::string& sql) {
    auto parsed = parser::Parse(sql);
    if (!parsed.ok()) return parsed.status().ToString();
    for (const auto& one : *parsed) {
      BindOptions options;
      options.catalog = snapshot_;
      options.text = sql;
      auto bound = BindDdl(*one.statement, options);
      if (!bound.ok()) return bound.status().ToString();
      if (auto* table = std::get_if<catalog::NewTable>(&bound->action)) AddTable(*table);
      if (auto* index = std::get_if<catalog::NewIndex>(&bound->action)) AddIndex(*index);
      if (auto* sequence = std::get_if<catalog::NewSequence>(&bound->action)) {
        AddSequence(sequence->name);
      }
      Apply();
    }
    return "";
  }

 private:
  void Put(Bytes key, Bytes value) { rows_.emplace_back(std::move(key), std::move(value)); }

  void Apply() {
    std::vector<catalog::CatalogSnapshot::Change> changes;
    for (const auto& [key, value] : rows_) changes.emplace_back(ByteView(key), ByteView(value));
    auto next = catalog::CatalogSnapshot().With(changes);
    ASSERT_TRUE(next.ok()) << next.status().ToString();
    snapshot_ = *next;
  }

  TableId AddSequence(const std::string& name) {
    catalog::SequenceDescriptor sequence;
    sequence.id = TableId(next_id_);
    sequence.oid = 16384 + next_id_++;
    sequence.name = name;
    Put(catalog::SequenceKey(sequence.id), catalog::Encode(sequence));
    return sequence.id;
  }

  static ColumnId Find(const catalog::TableDescriptor& table, const std::string& name) {
    const auto* column = table.FindColumn(name);
    EXPECT_NE(column, nullptr) << name;
    return column == nullptr ? ColumnId() : column->id;
  }

  catalog::IndexDescriptor Index(catalog::TableDescriptor* table, const std::string& name,
                                 const std::vector<std::string>& columns, bool unique) {
    catalog::IndexDescriptor index;
    index.id = table->next_index;
    table->next_index = table->next_index.Next();
    index.oid = 26384 + 100 * table->id.value() + index.id.value();
    index.name = name;
    index.unique = unique;
    for (const auto& column : columns) index.columns.push_back({Find(*table, column)});
    return index;
  }

  void AddTable(const catalog::NewTable& make) {
    catalog::TableDescriptor table;
    table.id = TableId(next_id_);
    table.oid = 16384 + next_id_++;
    table.name = make.name;
    for (const auto& column : make.columns) {
      catalog::ColumnDescriptor c;
      c.id = table.next_column;
      table.next_column = table.next_column.Next();
      c.name = column.name;
      c.type_oid = column.type_oid;
      c.typmod = column.typmod;
      c.not_null = column.not_null;
      c.default_sql = column.default_sql;
      c.identity = column.identity;
      if (column.serial || column.identity != 0) {
        const std::string sequence = make.name + "_" + column.name + "_seq";
        c.sequence = AddSequence(sequence);
        if (column.serial) c.default_sql = "nextval('" + sequence + "'::regclass)";
      }
      table.columns.push_back(c);
    }
    std::vector<std::string> key = make.primary_key;
    if (key.empty()) {
      catalog::ColumnDescriptor hidden;
      hidden.id = table.next_column;
      table.next_column = table.next_column.Next();
      hidden.name = "rowid";
      hidden.type_oid = 20;
      hidden.not_null = true;
      table.columns.push_back(hidden);
      table.primary = Index(&table, make.name + "_rowid", {"rowid"}, true);
      table.columns.back().hidden = true;
    } else {
      table.primary = Index(&table, make.name + "_pkey", key, true);
      for (auto& column : table.columns) {
        for (const auto& name : key) column.not_null |= column.name == name;
      }
      AddConstraint(&table, catalog::ConstraintType::kPrimaryKey, table.primary);
    }
    table.primary.primary = true;
    for (const auto& unique : make.uniques) {
      std::string name = make.name;
      for (const auto& column : unique.columns) name += "_" + column;
      table.secondary.push_back(Index(&table, name + "_key", unique.columns, true));
      AddConstraint(&table, catalog::ConstraintType::kUnique, table.secondary.back());
    }
    for (const auto& check : make.checks) {
      catalog::ConstraintDescriptor c;
      const std::string column = check.column.empty() ? "" : "_" + check.column;
      c.name = check.name.empty() ? make.name + column + "_check" : check.name;
      c.check_sql = check.sql;
      table.constraints.push_back(c);
    }
    for (const auto& key_def : make.foreign_keys) AddForeignKey(&table, key_def);
    Put(catalog::TableKey(table.id), catalog::Encode(table));
  }

  void AddConstraint(catalog::TableDescriptor* table, catalog::ConstraintType type,
                     const catalog::IndexDescriptor& index) {
    catalog::ConstraintDescriptor c;
    c.name = index.name;
    c.type = type;
    c.index = index.id;
    for (const auto& part : index.columns) c.columns.push_back(part.column);
    table->constraints.push_back(c);
  }

  void AddForeignKey(catalog::TableDescriptor* table, const catalog::NewForeignKey& key) {
    catalog::ConstraintDescriptor c;
    c.name = table->name + "_fkey";
    c.type = catalog::ConstraintType::kForeignKey;
    for (const auto& column : key.columns) c.columns.push_back(Find(*table, column));
    auto parent = snapshot_->FindTable("public", key.ref_table);
    ASSERT_NE(parent, nullptr);
    c.ref_table = parent->id;
    c.index = parent->primary.id;
    for (const auto& part : parent->primary.columns) c.ref_columns.push_back(part.column);
    table->constraints.push_back(c);
  }

  void AddIndex(const catalog::NewIndex& make) {
    catalog::TableDescriptor table = *snapshot_->FindTable("public", make.table);
    std::vector<std::string> columns;
    std::string name = make.table;
    for (const auto& column : make.columns) {
      columns.push_back(column.name);
      name += "_" + column.name;
    }
    auto index = Index(&table, make.name.empty() ? name + "_idx" : make.name, columns, make.unique);
    for (size_t i = 0; i < make.columns.size(); ++i) {
      index.columns[i].descending = make.columns[i].descending;
      index.columns[i].nulls_first = make.columns[i].nulls_first;
    }
    table.secondary.push_back(index);
    table.schema_version++;
    Put(catalog::TableKey(table.id), catalog::Encode(table));
  }

  uint32_t next_id_ = 100;
  std::vector<std::pair<Bytes, Bytes>> rows_;
  catalog::SnapshotPtr snapshot_;
};

}  // namespace borealis::binder
