#include "writer-node/parser/parser.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/testing/datadriven.h"
#include "writer-node/parser/deparse.h"
// Last: PostgreSQL's headers.
#include "writer-node/parser/pg_nodes.h"

namespace borealis::parser {
namespace {

const char* KindName(StatementKind kind) {
  static const char* const kNames[] = {
      "select",      "insert",  "update",   "delete",     "create table", "drop",
      "alter table", "rename",  "index",    "create seq", "alter seq",    "truncate",
      "transaction", "set",     "show",     "prepare",    "execute",      "deallocate",
      "declare",     "fetch",   "close",    "discard",    "copy",         "vacuum",
      "checkpoint",  "explain", "add role", "alter role", "drop role"};
  return kNames[static_cast<int>(kind)];
}

// One line a statement, or the error.
std::string ParseCase(const std::string& sql) {
  auto parsed = Parse(sql);
  if (!parsed.ok()) {
    return parsed.status().ToString() + " at " + std::to_string(parsed.status().position());
  }
  std::string out;
  for (const ParsedStatement& s : *parsed) {
    out += std::string(KindName(s.statement->kind)) + " @" + std::to_string(s.location) + " [" +
           std::string(s.text) + "]\n";
  }
  return out.empty() ? "nothing" : out;
}

// The expression's text, which must read back as itself.
std::string ExpressionCase(const std::string& sql) {
  auto parsed = ParseExpression(sql);
  if (!parsed.ok()) return parsed.status().ToString();
  const std::string text = ExprText(**parsed);
  auto again = ParseExpression(text);
  if (!again.ok()) return "does not read back: " + text;
  if (ExprText(**again) != text) return "reads back differently: " + ExprText(**again);
  return text;
}

TEST(ParserTest, Goldens) {
  testing::WalkDataDriven("writer-node/parser/testdata", [](const std::string&) {
    return [](const testing::TestCase& c) {
      std::string input = c.input;
      if (!input.empty() && input.back() == '\n') input.pop_back();
      if (c.command == "parse") return ParseCase(input);
      if (c.command == "expr") return ExpressionCase(input);
      return std::string("unknown command");
    };
  });
}

// The library was built with its own copy of PostgreSQL's headers. If its node tags or the layout
// of what we read differed from the headers that we compile against, this would show.
TEST(ParserTest, TheLibrarysTreeHasTheLayoutOfOurHeaders) {
  void* context = pg_query_enter_memory_context();
  auto raw = pg_query_raw_parse(
      "SELECT DISTINCT a.b AS c, 7 FROM s.t AS a WHERE x = $3 GROUP BY d HAVING e ORDER BY f DESC "
      "LIMIT 1 OFFSET 2 FOR UPDATE; CREATE UNIQUE INDEX i ON t (k); "
      "CREATE TABLE IF NOT EXISTS t (a int CONSTRAINT n NOT NULL REFERENCES p (q) ON DELETE "
      "CASCADE)");
  ASSERT_EQ(raw.error, nullptr);
  auto* list = static_cast<::List*>(raw.tree);
  ASSERT_EQ(list->type, T_List);
  ASSERT_EQ(list->length, 3);
  auto* statement = static_cast<::RawStmt*>(list->elements[0].ptr_value);
  ASSERT_EQ(statement->type, T_RawStmt);
  EXPECT_EQ(statement->stmt_location, 0);
  ASSERT_EQ(statement->stmt->type, T_SelectStmt);
  auto* select = reinterpret_cast<::SelectStmt*>(statement->stmt);
  EXPECT_EQ(select->targetList->length, 2);
  auto* target = static_cast<::ResTarget*>(select->targetList->elements[0].ptr_value);
  EXPECT_STREQ(target->name, "c");
  EXPECT_EQ(target->location, 16);
  auto* constant = reinterpret_cast<::A_Const*>(
      static_cast<::ResTarget*>(select->targetList->elements[1].ptr_value)->val);
  ASSERT_EQ(constant->type, T_A_Const);
  EXPECT_EQ(constant->val.ival.ival, 7);
  auto* table = static_cast<::RangeVar*>(select->fromClause->elements[0].ptr_value);
  ASSERT_EQ(table->type, T_RangeVar);
  EXPECT_STREQ(table->schemaname, "s");
  EXPECT_STREQ(table->alias->aliasname, "a");
  auto* where = reinterpret_cast<::A_Expr*>(select->whereClause);
  ASSERT_EQ(where->type, T_A_Expr);
  EXPECT_EQ(reinterpret_cast<::ParamRef*>(where->rexpr)->number, 3);
  EXPECT_EQ(select->groupClause->length, 1);
  EXPECT_EQ(select->havingClause->type, T_ColumnRef);
  EXPECT_EQ(static_cast<::SortBy*>(select->sortClause->elements[0].ptr_value)->sortby_dir,
            SORTBY_DESC);
  EXPECT_EQ(select->limitCount->type, T_A_Const);
  EXPECT_EQ(select->lockingClause->length, 1);
  EXPECT_EQ(select->op, SETOP_NONE);
  EXPECT_EQ(static_cast<int>(select->limitOption), kLibraryLimitCount);
  auto* index =
      reinterpret_cast<::IndexStmt*>(static_cast<::RawStmt*>(list->elements[1].ptr_value)->stmt);
  ASSERT_EQ(index->type, T_IndexStmt);
  EXPECT_TRUE(index->unique);
  auto* create =
      reinterpret_cast<::CreateStmt*>(static_cast<::RawStmt*>(list->elements[2].ptr_value)->stmt);
  ASSERT_EQ(create->type, T_CreateStmt);
  EXPECT_TRUE(create->if_not_exists);
  auto* column = static_cast<::ColumnDef*>(create->tableElts->elements[0].ptr_value);
  ASSERT_EQ(column->constraints->length, 2);
  auto* foreign = static_cast<::Constraint*>(column->constraints->elements[1].ptr_value);
  EXPECT_EQ(foreign->contype, CONSTR_FOREIGN);
  EXPECT_EQ(foreign->fk_del_action, FKCONSTR_ACTION_CASCADE);
  EXPECT_STREQ(foreign->pktable->relname, "p");
  raw = pg_query_raw_parse("SELECT 1 ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES");
  auto* ties = reinterpret_cast<::SelectStmt*>(
      static_cast<::RawStmt*>(static_cast<::List*>(raw.tree)->elements[0].ptr_value)->stmt);
  EXPECT_EQ(static_cast<int>(ties->limitOption), kLibraryLimitWithTies);
  pg_query_exit_memory_context(context);
}

TEST(ParserTest, DeepStatementsAreRefused) {
  std::string sum = "SELECT 1";
  for (int i = 0; i < 200000; ++i) sum += "+1";
  EXPECT_EQ(Parse(sum).sqlstate(), "54001");
  std::string unions = "SELECT 1";
  for (int i = 0; i < 20000; ++i) unions += " UNION ALL SELECT 1";
  EXPECT_EQ(Parse(unions).sqlstate(), "54001");
  EXPECT_EQ(Parse("SELECT " + std::string(100000, '(')).sqlstate(), "54001");
  EXPECT_EQ(Parse("SELECT " + std::string(100000, '-') + "1").sqlstate(), "00000");  // a comment
  std::string nots = "SELECT ";
  for (int i = 0; i < 5000; ++i) nots += "NOT ";
  EXPECT_EQ(Parse(nots + "true").sqlstate(), "54001");
  std::string joins = "SELECT * FROM t";
  for (int i = 0; i < 5000; ++i) joins += " JOIN t ON true";
  EXPECT_EQ(Parse(joins).sqlstate(), "54001");
  std::string allowed = "SELECT 1";
  for (int i = 0; i < kMaxDepth - 10; ++i) allowed += "+1";
  EXPECT_TRUE(Parse(allowed).ok());
  // A chain of AND is one node, however long.
  std::string ands = "SELECT true";
  for (int i = 0; i < 20000; ++i) ands += " AND true";
  EXPECT_TRUE(Parse(ands).ok());
}

TEST(ParserTest, RefusesWhatIsNotUtf8) {
  const char* const bad[] = {"SELECT '\xc3('",           "SELECT '\xff'",    "SELECT '\xc0\xaf'",
                             "SELECT '\xed\xa0\x80'",    "SELECT '\xf5...'", "SELECT '\xe2\x82'",
                             "SELECT '\xf0\x8f\xbf\xbf'"};
  for (const char* sql : bad) {
    EXPECT_EQ(Parse(sql).sqlstate(), "22021") << sql;
    EXPECT_EQ(Parse(sql).status().position(), 9) << sql;
  }
  EXPECT_EQ(Parse(std::string_view("SELECT \0 1", 10)).sqlstate(), "22021");
  EXPECT_TRUE(Parse("SELECT '\xe2\x82\xac \xf0\x9f\x98\x80'").ok());
}

// Cuts and damaged copies of real statements: any answer will do, but there must be one.
TEST(ParserTest, DamagedTextNeverCrashes) {
  const std::string sql =
      "WITH w (a) AS (SELECT 1) SELECT DISTINCT ON (x) x, count(*) FILTER (WHERE y > 1), "
      "CASE WHEN a IN (1, 2) THEN ARRAY[1] ELSE NULL END[1] FROM w LEFT JOIN LATERAL (VALUES (1)) "
      "v(b) USING (a) WHERE a BETWEEN SYMMETRIC 1 AND 2 GROUP BY 1 ORDER BY 1 DESC NULLS LAST; "
      "INSERT INTO t (a) VALUES (DEFAULT) ON CONFLICT (a) DO UPDATE SET a = excluded.a RETURNING *";
  for (size_t i = 0; i <= sql.size(); ++i) {
    (void)Parse(sql.substr(0, i));
    (void)Parse(sql.substr(i));
    std::string damaged = sql;
    if (i < damaged.size()) damaged[i] = static_cast<char>(1 + (i * 37) % 126);
    (void)Parse(damaged);
  }
}

TEST(ParserTest, ThreadsParseAtTheSameTime) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        if (Parse("SELECT a FROM t WHERE b = " + std::to_string(i)).ok()) ++good;
        if (!Parse("SELECT FROM WHERE").ok()) ++good;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 4000);
}

}  // namespace
}  // namespace borealis::parser
