#include "writer-node/catalog/descriptors.h"

#include <algorithm>

namespace borealis::catalog {

const ColumnDescriptor* TableDescriptor::FindColumn(std::string_view column) const {
  for (const ColumnDescriptor& c : columns) {
    if (c.name == column && !c.hidden) return &c;
  }
  return nullptr;
}

const ColumnDescriptor* TableDescriptor::FindColumn(ColumnId column) const {
  const int position = ColumnPosition(column);
  return position < 0 ? nullptr : &columns[static_cast<size_t>(position)];
}

int TableDescriptor::ColumnPosition(ColumnId column) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].id == column) return static_cast<int>(i);
  }
  return -1;
}

const IndexDescriptor* TableDescriptor::FindIndex(IndexId index) const {
  if (primary.id == index) return &primary;
  for (const IndexDescriptor& i : secondary) {
    if (i.id == index) return &i;
  }
  return nullptr;
}

const IndexDescriptor* TableDescriptor::FindIndex(std::string_view index) const {
  if (has_primary_key() && primary.name == index) return &primary;
  for (const IndexDescriptor& i : secondary) {
    if (i.name == index) return &i;
  }
  return nullptr;
}

const ConstraintDescriptor* TableDescriptor::FindConstraint(std::string_view constraint) const {
  for (const ConstraintDescriptor& c : constraints) {
    if (c.name == constraint) return &c;
  }
  return nullptr;
}

const ConstraintDescriptor* TableDescriptor::ConstraintOf(IndexId index) const {
  for (const ConstraintDescriptor& c : constraints) {
    const bool backed = c.type == ConstraintType::kPrimaryKey || c.type == ConstraintType::kUnique;
    if (backed && c.index == index) return &c;
  }
  return nullptr;
}

bool TableDescriptor::has_primary_key() const {
  return std::any_of(constraints.begin(), constraints.end(), [](const ConstraintDescriptor& c) {
    return c.type == ConstraintType::kPrimaryKey;
  });
}

size_t TableDescriptor::visible_columns() const {
  return static_cast<size_t>(std::count_if(columns.begin(), columns.end(),
                                           [](const ColumnDescriptor& c) { return !c.hidden; }));
}

}  // namespace borealis::catalog
