#include "writer-node/planner/planner.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include "common/testing/datadriven.h"
#include "writer-node/binder/test_catalog.h"

namespace borealis::planner {
namespace {

using binder::TestCatalog;

sql::SqlResult<PlanRef> PlanOf(const std::string& text, const TestCatalog& catalog) {
  auto parsed = parser::Parse(text);
  if (!parsed.ok()) return parsed.status();
  binder::BindOptions options;
  options.catalog = catalog.snapshot();
  options.text = text;
  auto bound = binder::Bind(*parsed->front().statement, options);
  if (!bound.ok()) return bound.status();
  PlannerOptions planner;
  planner.stats = [](const catalog::TableDescriptor& table) {
    return TableStats{table.name.rfind("big", 0) == 0 ? 1e6 : 1000.0};
  };
  return MakePlan(std::move(*bound), planner);
}

std::string PlanCase(const testing::TestCase& c, const TestCatalog& catalog) {
  std::string text = c.input;
  auto plan = PlanOf(text, catalog);
  if (!plan.ok()) return plan.status().ToString();
  std::string out;
  for (const std::string& line : ExplainPlan(**plan, c.Has("costs"), c.Has("verbose"))) {
    out += line + "\n";
  }
  if ((*plan)->point_access_only) out += "point access only\n";
  if (!(*plan)->read_only) out += "writes\n";
  return out;
}

TEST(PlannerTest, Goldens) {
  testing::WalkDataDriven("writer-node/planner/testdata", [](const std::string&) {
    auto catalog = std::make_shared<TestCatalog>();
    return [catalog](const testing::TestCase& c) {
      return c.command == "ddl" ? catalog->Run(c.input) : PlanCase(c, *catalog);
    };
  });
}

// Every expression of a plan must read slots that its input row has and parameters that are set.
class PlanChecker {
 public:
  explicit PlanChecker(const Plan& plan) : plan_(plan) {}

  void Check(const PlanNode& node) {
    switch (node.kind) {
      case NodeKind::kFilter:
        Expr(static_cast<const Filter&>(node).condition, Width(Child(node)));
        break;
      case NodeKind::kProject:
        for (const auto& e : static_cast<const Project&>(node).exprs) Expr(e, Width(Child(node)));
        EXPECT_EQ(static_cast<const Project&>(node).exprs.size(), node.columns.size());
        break;
      case NodeKind::kTableScan:
        Access(static_cast<const TableScan&>(node), node);
        break;
      case NodeKind::kIndexScan: {
        auto& scan = static_cast<const IndexScan&>(node);
        Access(scan, node);
        for (const auto& e : scan.equal) Expr(e, 0);
        break;
      }
      case NodeKind::kPointGet: {
        auto& get = static_cast<const PointGet&>(node);
        Access(get, node);
        for (const auto& key : get.keys) {
          EXPECT_EQ(key.size(), get.table->FindIndex(get.index)->columns.size());
          for (const auto& e : key) Expr(e, 0);
        }
        break;
      }
      case NodeKind::kVirtualScan:
        Access(static_cast<const VirtualScan&>(node), node);
        break;
      case NodeKind::kNestedLoop: {
        auto& join = static_cast<const NestedLoop&>(node);
        Expr(join.condition, Width(*join.left) + Width(*join.right));
        for (const auto& binding : join.bindings) Expr(binding.expr, Width(*join.left));
        EXPECT_EQ(node.columns.size(), Width(*join.left) + Width(*join.right));
        Check(*join.left);
        Check(*join.right);
        return;
      }
      case NodeKind::kHashJoin: {
        auto& join = static_cast<const HashJoin&>(node);
        Expr(join.condition, Width(*join.left) + Width(*join.right));
        for (const auto& e : join.left_keys) Expr(e, Width(*join.left));
        for (const auto& e : join.right_keys) Expr(e, Width(*join.right));
        EXPECT_EQ(node.columns.size(), Width(*join.left) + Width(*join.right));
        Check(*join.left);
        Check(*join.right);
        return;
      }
      case NodeKind::kLookupJoin: {
        auto& join = static_cast<const LookupJoin&>(node);
        for (const auto& e : join.keys) Expr(e, Width(*join.left));
        Expr(join.filter, join.table->columns.size());
        Expr(join.condition, Width(*join.left) + join.table->columns.size());
        EXPECT_EQ(node.columns.size(), Width(*join.left) + join.table->columns.size());
        Check(*join.left);
        return;
      }
      case NodeKind::kSort:
        for (const auto& key : static_cast<const Sort&>(node).keys) {
          EXPECT_LT(static_cast<size_t>(key.slot), Width(Child(node)));
        }
        break;
      case NodeKind::kAggregate: {
        auto& aggregate = static_cast<const Aggregate&>(node);
        for (const auto& e : aggregate.keys) Expr(e, Width(Child(node)));
        for (const auto& call : aggregate.calls) {
          for (const auto& e : call.args) Expr(e, Width(Child(node)));
        }
        EXPECT_EQ(node.columns.size(), aggregate.keys.size() + aggregate.calls.size());
        break;
      }
      case NodeKind::kSetOp: {
        auto& op = static_cast<const SetOp&>(node);
        EXPECT_EQ(Width(*op.left), Width(*op.right));
        Check(*op.left);
        Check(*op.right);
        return;
      }
      case NodeKind::kInsert: {
        auto& insert = static_cast<const Insert&>(node);
        EXPECT_EQ(insert.values.size(), insert.table->columns.size());
        for (const auto& e : insert.values) Expr(e, Width(Child(node)));
        break;
      }
      case NodeKind::kUpdate: {
        auto& update = static_cast<const Update&>(node);
        EXPECT_GE(Width(Child(node)), update.table->columns.size());
        for (const auto& [position, e] : update.set) Expr(e, Width(Child(node)));
        break;
      }
      default:
        break;
    }
    if (HasChild(node)) Check(Child(node));
  }

  void Expr(const ExprPtr& e, size_t width) {
    if (e == nullptr) return;
    sql::Visit(*e, [&](const sql::Expr& x) {
      if (x.kind == sql::ExprKind::kColumn) {
        EXPECT_LT(x.slot, width);
      }
      if (x.kind == sql::ExprKind::kParam) {
        EXPECT_LT(static_cast<int>(x.slot), plan_.total_params);
      }
      if (x.kind == sql::ExprKind::kSubplan) {
        EXPECT_LT(x.slot, plan_.subplans.size());
        for (const auto& binding : plan_.subplans[x.slot].bindings) Expr(binding.expr, width);
      }
      EXPECT_NE(x.kind, sql::ExprKind::kOuterColumn);
      return true;
    });
  }

 private:
  void Access(const TableAccess& access, const PlanNode& node) {
    EXPECT_EQ(access.needed.size(), access.table->columns.size());
    EXPECT_EQ(node.columns.size(), access.table->columns.size());
    Expr(access.filter, node.columns.size());
  }
  static size_t Width(const PlanNode& node) { return node.columns.size(); }
  static bool HasChild(const PlanNode& node) {
    return dynamic_cast<const UnaryNode*>(&node) != nullptr;
  }
  static const PlanNode& Child(const PlanNode& node) {
    return *static_cast<const UnaryNode&>(node).child;
  }
  const Plan& plan_;
};

TEST(PlannerTest, ExpressionsReadSlotsThatExist) {
  TestCatalog catalog;
  ASSERT_EQ(catalog.Run("CREATE TABLE a (id int PRIMARY KEY, x int, y text); "
                        "CREATE TABLE b (id bigint PRIMARY KEY, a_id int, z numeric); "
                        "CREATE INDEX ON b (a_id)"),
            "");
  const char* const statements[] = {
      "SELECT * FROM a, b WHERE a.id = b.a_id AND b.z > 1 ORDER BY a.y, b.z LIMIT 3",
      "SELECT a.y, count(*), sum(b.z) FROM a LEFT JOIN b ON b.a_id = a.id GROUP BY a.id",
      "SELECT (SELECT max(z) FROM b WHERE a_id = a.id AND z > a.x) FROM a WHERE EXISTS (SELECT 1 "
      "FROM b WHERE b.a_id = a.id)",
      "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.a_id = a.id LIMIT 2) q",
      "SELECT * FROM a RIGHT JOIN b USING (id) WHERE a.x IS NULL",
      "SELECT * FROM a FULL JOIN b ON a.id = b.id",
      "SELECT x FROM a UNION SELECT a_id FROM b ORDER BY 1",
      "UPDATE a SET x = b.a_id FROM b WHERE b.id = a.id RETURNING a.*, b.z",
      "DELETE FROM a USING b WHERE b.id = a.id RETURNING a.y, z",
      "INSERT INTO a SELECT id, a_id, z FROM b ON CONFLICT (id) DO UPDATE SET x = excluded.x "
      "RETURNING *",
      "SELECT g, (SELECT count(*) FROM generate_series(1, g) h WHERE h > a.x) FROM a, "
      "generate_series(a.x, a.id) g",
      "SELECT DISTINCT ON (x) y FROM a ORDER BY x, id",
  };
  for (const char* text : statements) {
    SCOPED_TRACE(text);
    auto plan = PlanOf(text, catalog);
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    PlanChecker checker(**plan);
    checker.Check(*(*plan)->root);
    for (const Subplan& subplan : (*plan)->subplans) checker.Check(*subplan.plan);
    EXPECT_EQ((*plan)->dependencies.size(),
              std::string(text).find(" b") == std::string::npos ? 1u : 2u);
  }
}

struct DeepCase {
  const TestCatalog* catalog;
  std::string text;
  bool ok = false;
  std::string sqlstate;
};

void* RunDeepCase(void* arg) {
  auto* deep = static_cast<DeepCase*>(arg);
  auto plan = PlanOf(deep->text, *deep->catalog);
  deep->ok = plan.ok();
  deep->sqlstate = std::string(plan.sqlstate());
  return nullptr;
}

std::string Repeat(const std::string& text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

// A statement runs on a fiber whose stack must be 1 MiB. Each form of nesting is tried up to and
// beyond the parser's limit: the answer is a plan or 54001, never the end of the stack.
TEST(PlannerTest, TheDeepestStatementsFitASmallStack) {
  TestCatalog catalog;
  ASSERT_EQ(catalog.Run("CREATE TABLE t (a int PRIMARY KEY, b int)"), "");
  const auto text_of = [](int form, int n) -> std::string {
    switch (form) {
      case 0:
        return "SELECT a" + Repeat("+1", n) + " FROM t";
      case 1:
        return "SELECT " + Repeat("coalesce(1,", n) + "a" + Repeat(")", n) + " FROM t";
      case 2:
        return "SELECT 1" + Repeat(" UNION ALL SELECT 1", n);
      case 3:
        return "SELECT 1 WHERE EXISTS " + Repeat("(SELECT 1 WHERE EXISTS ", n) + "(SELECT 1)" +
               Repeat(")", n);
      case 4:
        return "SELECT * FROM " + Repeat("(SELECT * FROM ", n) + "t" + Repeat(") q", n);
      case 5: {
        std::string joins = "SELECT 1 FROM t";
        for (int i = 0; i < n; ++i) {
          joins += " LEFT JOIN t t" + std::to_string(i) + " ON t.a = t" + std::to_string(i) + ".b";
        }
        return joins;
      }
      default:
        return "SELECT " + Repeat("CASE WHEN a > 1 THEN ", n) + "1" + Repeat(" END", n) + " FROM t";
    }
  };
  for (int form = 0; form < 7; ++form) {
    bool refused = false;
    for (int n : {10, 20, 40, 45, 48, 60, 100, 120, 140, 160, 240, 300, 400, 480, 498, 600}) {
      DeepCase deep{&catalog, text_of(form, n), false, ""};
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      ASSERT_EQ(pthread_attr_setstacksize(&attributes, 1024 * 1024), 0);
      pthread_t thread;
      ASSERT_EQ(pthread_create(&thread, &attributes, RunDeepCase, &deep), 0);
      pthread_join(thread, nullptr);
      pthread_attr_destroy(&attributes);
      EXPECT_TRUE(deep.ok || deep.sqlstate == "54001") << form << " " << n << deep.sqlstate;
      refused = refused || deep.sqlstate == "54001";
    }
    EXPECT_TRUE(refused) << form;
  }
}

}  // namespace
}  // namespace borealis::planner
