#include "writer-node/binder/binder.h"

#include <gtest/gtest.h>

#include "common/testing/datadriven.h"
#include "writer-node/binder/test_catalog.h"

namespace borealis::binder {
namespace {

std::string Describe(const std::vector<OutputColumn>& outputs, size_t visible) {
  std::string out;
  for (size_t i = 0; i < visible && i < outputs.size(); ++i) {
    out += (i == 0 ? "" : ", ") + outputs[i].name + " " +
           sql::FormatType(outputs[i].type.oid, outputs[i].type.typmod);
  }
  return out;
}

std::string Error(const sql::SqlStatus& status) {
  std::string out = status.ToString();
  if (status.position() > 0) out += " at " + std::to_string(status.position());
  return out;
}

std::string DescribeStatement(const Statement& s) {
  std::string out;
  if (s.select != nullptr) {
    out = "select: " + Describe(s.select->outputs, s.select->visible);
  } else if (s.insert != nullptr) {
    for (size_t i = 0; i < s.insert->values.size(); ++i) {
      if (s.insert->values[i] == nullptr) continue;
      out += (out.empty() ? "insert: " : ", ") + s.insert->table->columns[i].name +
             " := " + sql::ToString(*s.insert->values[i]);
    }
    out += "\nreturning: " + Describe(s.insert->returning, s.insert->returning.size());
  } else if (s.update != nullptr) {
    for (const auto& [position, expr] : s.update->set) {
      out += (out.empty() ? "update: " : ", ") +
             s.update->from[0]->table->columns[static_cast<size_t>(position)].name +
             " := " + sql::ToString(*expr);
    }
    out += "\nreturning: " + Describe(s.update->returning, s.update->returning.size());
  } else {
    out = "delete\nreturning: " + Describe(s.remove->returning, s.remove->returning.size());
  }
  for (size_t i = 0; i < s.param_types.size(); ++i) {
    out += "\n$" + std::to_string(i + 1) + " " + sql::FormatType(s.param_types[i].oid);
  }
  return out;
}

std::string BindCase(const std::string& text, const TestCatalog& catalog) {
  auto parsed = parser::Parse(text);
  if (!parsed.ok()) return Error(parsed.status());
  std::string out;
  for (const auto& one : *parsed) {
    BindOptions options;
    options.catalog = catalog.snapshot();
    options.text = text;
    if (!out.empty()) out += "\n";
    if (one.statement->kind == parser::StatementKind::kCopy) {
      auto copy = BindCopy(static_cast<const parser::CopyStmt&>(*one.statement), options);
      if (!copy.ok()) return Error(copy.status());
      for (const auto& column : copy->columns) out += column + " ";
      out += DescribeStatement(*copy->statement);
      continue;
    }
    if (IsDdl(*one.statement)) {
      auto ddl = BindDdl(*one.statement, options);
      out += ddl.ok() ? ddl->tag : Error(ddl.status());
      continue;
    }
    auto bound = Bind(*one.statement, options);
    out += bound.ok() ? DescribeStatement(**bound) : Error(bound.status());
  }
  return out;
}

TEST(BinderTest, Goldens) {
  testing::WalkDataDriven("writer-node/binder/testdata", [](const std::string&) {
    auto catalog = std::make_shared<TestCatalog>();
    return [catalog](const testing::TestCase& c) {
      std::string input = c.input;
      if (!input.empty() && input.back() == '\n') input.pop_back();
      return c.command == "ddl" ? catalog->Run(input) : BindCase(input, *catalog);
    };
  });
}

TEST(BinderTest, ParameterTypesThatTheClientGaveAreKept) {
  TestCatalog catalog;
  ASSERT_EQ(catalog.Run("CREATE TABLE t (a int PRIMARY KEY, b text)"), "");
  const std::string text = "SELECT a FROM t WHERE a = $1";
  auto parsed = parser::Parse(text);
  BindOptions options;
  options.catalog = catalog.snapshot();
  options.text = text;
  options.param_types = {sql::oid::kInt8};
  auto bound = Bind(*parsed->front().statement, options);
  ASSERT_TRUE(bound.ok());
  EXPECT_EQ((*bound)->param_types[0].oid, sql::oid::kInt8);
}

}  // namespace
}  // namespace borealis::binder
