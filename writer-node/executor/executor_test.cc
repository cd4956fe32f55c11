// SQL through parser, binder, planner and executor over writers of one fake cluster:
// writer-node/executor/testdata.
//
//   sql [session=s] [writer=n]   statements, each ended by ';' at the end of a line; sessions keep
//   their transaction explain                      plans, without costs
//
// A session is made at its first use, on writer n (0). BEGIN [READ COMMITTED], COMMIT and ROLLBACK
// are the runner's. Rows are printed as a|b, sorted when the statement has no ORDER BY; a null is
// NULL.
#include "writer-node/executor/executor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/sql/io.h"
#include "common/testing/datadriven.h"
#include "writer-node/binder/binder.h"
#include "writer-node/catalog/ddl.h"
#include "writer-node/fake_storage/fake_storage.h"
#include "writer-node/parser/parser.h"
#include "writer-node/planner/planner.h"

namespace borealis::executor {
namespace {

using sql::SqlResult;
using sql::SqlStatus;

struct Writer {
  Writer(fake_storage::FakeCluster* cluster, const std::string& name)
      : storage(cluster, name), reader(&storage), manager(&storage, &reader), catalog(&manager) {
    catalog::BootstrapOptions options;
    const Status started = catalog.Start(options);
    EXPECT_TRUE(started.ok()) << started.ToString();
    const Status registered = manager.RegisterWriter(std::chrono::milliseconds(1000));
    EXPECT_TRUE(registered.ok()) << registered.ToString();
  }
  fake_storage::FakeStorage storage;
  buffer_pool::PassThrough reader;
  txn::TxnManager manager;
  catalog::Catalog catalog;
};

class TestContext : public sql::SessionContext {
 public:
  TestContext(catalog::Catalog* catalog, txn::Txn* txn, catalog::SnapshotPtr snapshot)
      : catalog_(catalog), txn_(txn), snapshot_(std::move(snapshot)) {}
  std::optional<std::string> RoleName(uint32_t oid) override {
    auto role = snapshot_->FindRoleByOid(oid);
    if (role == nullptr) return std::nullopt;
    return role->name;
  }
  int64_t TransactionTimestamp() override { return 762525296000000; }
  SqlResult<int64_t> NextVal(uint32_t oid) override {
    auto sequence = snapshot_->FindSequenceByOid(oid);
    if (sequence == nullptr) return SqlStatus("42P01", "no such sequence");
    SQL_ASSIGN_OR_RETURN_BASE(int64_t v, catalog_->NextVal(txn_, *sequence));
    return v;
  }
  std::optional<uint32_t> FindRelation(const std::vector<std::string>& name) override {
    if (auto table = snapshot_->FindTable("public", name.back())) return table->oid;
    if (auto sequence = snapshot_->FindSequence("public", name.back())) return sequence->oid;
    return std::nullopt;
  }

 private:
  catalog::Catalog* const catalog_;
  txn::Txn* const txn_;
  const catalog::SnapshotPtr snapshot_;
};

class TestSession {
 public:
  explicit TestSession(Writer* writer) : writer_(writer) {}

  std::string Run(const std::string& text) {
    if (text.rfind("BEGIN", 0) == 0) return Begin(text);
    if (text == "COMMIT") return Commit();
    if (text == "ROLLBACK") {
      txn_.reset();
      failed_ = false;
      return "ROLLBACK\n";
    }
    if (failed_) return "ERROR 25P02: current transaction is aborted\n";
    const bool auto_commit = txn_ == nullptr;
    if (auto_commit) MakeTxn(false);
    const txn::Savepoint savepoint = txn_->SetSavepoint();
    auto result = RunStatement(text, auto_commit);
    if (!result.ok()) {
      if (auto_commit)
        txn_.reset();
      else if (txn_->active())
        txn_->RollbackTo(savepoint);
      failed_ = !auto_commit;
      return result.status().ToString() + "\n";
    }
    if (!auto_commit) return *result;
    const std::string committed = Commit();
    return committed == "COMMIT\n" ? *result : committed;
  }

  std::string Explain(const std::string& text) {
    MakeTxn(false);
    txn_->BeginStatement();
    auto plan = MakePlanOf(text);
    txn_.reset();
    if (!plan.ok()) return plan.status().ToString() + "\n";
    std::string out;
    for (const std::string& line : planner::ExplainPlan(**plan, false)) out += line + "\n";
    return out;
  }

 private:
  std::string Begin(const std::string& text) {
    MakeTxn(text.find("READ COMMITTED") != std::string::npos);
    return "BEGIN\n";
  }

  std::string Commit() {
    if (txn_ == nullptr) return "COMMIT\n";
    auto committed = txn_->Commit();
    std::string out = "COMMIT\n";
    if (!committed.ok())
      out = FromTxn(committed.status(), *txn_, writer_->catalog.Latest().get()).ToString() + "\n";
    if (failed_) out = "ROLLBACK\n";
    txn_.reset();
    failed_ = false;
    return out;
  }

  void MakeTxn(bool read_committed) {
    txn::TxnOptions options;
    if (read_committed) options.isolation = txn::Isolation::kReadCommitted;
    options.lock_timeout = std::chrono::milliseconds(20);
    txn_ = writer_->manager.Begin(options);
  }

  binder::BindOptions Options(const std::string& text) {
    binder::BindOptions options;
    options.catalog = snapshot_;
    options.text = text;
    return options;
  }

  SqlResult<planner::PlanRef> MakePlanOf(const std::string& text) {
    SQL_ASSIGN_OR_RETURN(auto parsed, parser::Parse(text));
    SQL_ASSIGN_OR_RETURN_BASE(snapshot_, writer_->catalog.ForTxn(txn_.get()));
    SQL_ASSIGN_OR_RETURN(auto bound, binder::Bind(*parsed[0].statement, Options(text)));
    return planner::MakePlan(std::move(bound));
  }

  SqlStatus Ddl(const parser::Statement& statement, const std::string& text) {
    txn_->BeginStatement();
    SQL_ASSIGN_OR_RETURN_BASE(snapshot_, writer_->catalog.ForTxn(txn_.get()));
    SQL_ASSIGN_OR_RETURN(auto bound, binder::BindDdl(statement, Options(text)));
    catalog::Ddl ddl(&writer_->catalog, txn_.get());
    Status status;
    if (auto* table = std::get_if<catalog::NewTable>(&bound.action)) {
      status = ddl.CreateTable(*table).status();
    } else if (auto* index = std::get_if<catalog::NewIndex>(&bound.action)) {
      status = ddl.CreateIndex(*index).status();
    } else {
      return SqlStatus("0A000", "not in this runner: " + bound.tag);
    }
    if (status.ok()) return {};
    return SqlStatus(ddl.sqlstate(), status.message());
  }

  SqlResult<std::string> RunStatement(const std::string& text, bool auto_commit) {
    SQL_ASSIGN_OR_RETURN(auto parsed, parser::Parse(text));
    if (parsed.size() != 1) return SqlStatus("42601", "one statement at a time");
    if (binder::IsDdl(*parsed[0].statement)) {
      SQL_RETURN_IF_ERROR(Ddl(*parsed[0].statement, text));
      return std::string("OK\n");
    }
    // As a session does for an auto-commit statement: the plan comes from the newest catalog, so
    // that the statement's snapshot is taken by the executor.
    if (auto_commit) {
      snapshot_ = writer_->catalog.Latest();
    } else {
      txn_->BeginStatement();
      SQL_ASSIGN_OR_RETURN_BASE(snapshot_, writer_->catalog.ForTxn(txn_.get()));
    }
    SQL_ASSIGN_OR_RETURN(auto bound, binder::Bind(*parsed[0].statement, Options(text)));
    SQL_ASSIGN_OR_RETURN(planner::PlanRef plan, planner::MakePlan(std::move(bound)));
    TestContext session(&writer_->catalog, txn_.get(), snapshot_);
    catalog::VirtualContext virtual_tables;
    virtual_tables.catalog = snapshot_.get();
    ExecContext context;
    context.txn = txn_.get();
    context.catalog = &writer_->catalog;
    context.snapshot = snapshot_;
    context.session = &session;
    context.virtual_tables = &virtual_tables;
    context.auto_commit = auto_commit;
    context.memory_max = 8u << 20;
    SQL_ASSIGN_OR_RETURN(auto run, Execution::Start(plan, context));
    std::vector<std::string> lines;
    sql::Row row;
    for (;;) {
      SQL_ASSIGN_OR_RETURN(bool more, run->Next(&row));
      if (!more) break;
      std::string line;
      for (size_t i = 0; i < plan->visible; ++i) {
        if (i > 0) line += "|";
        line += row[i].is_null() ? "NULL" : sql::ToText(plan->columns[i].type, row[i]);
      }
      lines.push_back(line.empty() ? "(empty)" : line);
    }
    if (text.find("ORDER BY") == std::string::npos) std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) out += line + "\n";
    if (plan->command != planner::CommandKind::kSelect)
      out += "OK " + std::to_string(run->rows_affected()) + "\n";
    else if (lines.empty())
      out += "(no rows)\n";
    return out;
  }

  Writer* const writer_;
  std::unique_ptr<txn::Txn> txn_;
  catalog::SnapshotPtr snapshot_;
  bool failed_ = false;
};

std::vector<std::string> Statements(const std::string& input) {
  std::vector<std::string> out;
  std::string current;
  for (size_t at = 0; at < input.size();) {
    const size_t end = input.find('\n', at);
    std::string line = input.substr(at, end - at);
    at = end + 1;
    current += (current.empty() ? "" : " ") + line;
    if (!line.empty() && line.back() == ';') {
      current.pop_back();
      out.push_back(current);
      current.clear();
    }
  }
  if (!current.empty()) out.push_back(current);
  return out;
}

TEST(Executor, TestData) {
  fake_storage::RunInFiber([](env::Loop& loop) {
    testing::WalkDataDriven("writer-node/executor/testdata", [&](const std::string&) {
      struct World {
        explicit World(env::Loop* loop) : cluster(loop) {}
        fake_storage::FakeCluster cluster;
        std::map<uint64_t, std::unique_ptr<Writer>> writers;
        std::map<std::string, std::unique_ptr<TestSession>> sessions;
      };
      auto world = std::make_shared<World>(&loop);
      return [world](const testing::TestCase& test) {
        const uint64_t number = test.GetUint("writer", 0);
        auto& writer = world->writers[number];
        if (writer == nullptr)
          writer = std::make_unique<Writer>(&world->cluster, "w-" + std::to_string(number));
        auto& session = world->sessions[test.Get("session", "w" + std::to_string(number))];
        if (session == nullptr) session = std::make_unique<TestSession>(writer.get());
        std::string out;
        for (const std::string& statement : Statements(test.input)) {
          out += test.command == "explain" ? session->Explain(statement) : session->Run(statement);
        }
        return out;
      };
    });
  });
}

}  // namespace
}  // namespace borealis::executor
