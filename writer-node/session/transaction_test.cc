#include "writer-node/session/transaction.h"

#include <gtest/gtest.h>

#include "writer-node/buffer_pool/buffer_pool.h"
#include "writer-node/fake_storage/fake_storage.h"

namespace borealis::session {
namespace {

using State = TransactionBlock::State;

// A block over one writer of a fake cluster; the warnings it gave.
struct Bench {
  explicit Bench(env::Loop& loop)
      : cluster(&loop),
        storage(&cluster, "w-1"),
        reader(&storage),
        txns(&storage, &reader),
        block(&txns, &settings, &loop.clock(),
              [this](std::string code, std::string) { warnings.push_back(std::move(code)); }) {}

  std::string Commit() {
    std::string tag;
    sql::SqlStatus status = block.Commit(false, nullptr, &tag);
    return status.ok() ? tag : std::string(status.sqlstate());
  }
  sql::SqlStatus Put(const std::string& key) {
    block.txn()->BeginStatement();
    Bytes full = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(9), IndexId(1)) + key;
    return sql::FromStatus(block.txn()->Put(full, "value", wire::AccessKind::kUpdate));
  }

  fake_storage::FakeCluster cluster;
  fake_storage::FakeStorage storage;
  buffer_pool::PassThrough reader;
  txn::TxnManager txns;
  Settings settings;
  std::vector<std::string> warnings;
  TransactionBlock block;
};

void WithBench(const std::function<void(Bench&)>& body) {
  fake_storage::RunInFiber([&](env::Loop& loop) {
    Bench bench(loop);
    body(bench);
  });
}

TEST(TransactionBlock, ImplicitCommitsAndRollsBack) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.block.StartImplicit().ok());
    EXPECT_EQ(b.block.status(), pgwire::TransactionStatus::kIdle);
    ASSERT_TRUE(b.Put("a").ok());
    ASSERT_TRUE(b.block.CommitImplicit(nullptr).ok());
    EXPECT_EQ(b.cluster.Dump().size(), 1u);
    ASSERT_TRUE(b.block.StartImplicit().ok());
    ASSERT_TRUE(b.Put("b").ok());
    b.block.Fail();
    EXPECT_EQ(b.block.state(), State::kIdle);
    EXPECT_EQ(b.cluster.Dump().size(), 1u);
  });
}

TEST(TransactionBlock, FailedBlockAcceptsOnlyItsEnd) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.block.Begin({}).ok());
    ASSERT_TRUE(b.Put("a").ok());
    b.block.Fail();
    EXPECT_EQ(b.block.state(), State::kFailed);
    EXPECT_EQ(b.block.CheckUsable().sqlstate(), "25P02");
    EXPECT_EQ(b.block.txn(), nullptr);
    EXPECT_EQ(b.Commit(), "ROLLBACK");
    EXPECT_EQ(b.block.state(), State::kIdle);
    EXPECT_TRUE(b.cluster.Dump().empty());
  });
}

TEST(TransactionBlock, SavepointBringsAFailedBlockBack) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.block.Begin({}).ok());
    ASSERT_TRUE(b.Put("a").ok());
    ASSERT_TRUE(b.block.SetSavepoint("s").ok());
    ASSERT_TRUE(b.Put("b").ok());
    b.block.Fail();
    EXPECT_EQ(b.block.RollbackTo("other").sqlstate(), "3B001");
    ASSERT_TRUE(b.block.RollbackTo("s").ok());
    ASSERT_TRUE(b.Put("c").ok());
    ASSERT_TRUE(b.block.Release("s").ok());
    EXPECT_EQ(b.block.Release("s").sqlstate(), "3B001");
    EXPECT_EQ(b.Commit(), "COMMIT");
    EXPECT_EQ(b.cluster.Dump().size(), 2u);
  });
}

TEST(TransactionBlock, WarnsWhereThereIsNothingToDo) {
  WithBench([](Bench& b) {
    EXPECT_EQ(b.Commit(), "COMMIT");
    EXPECT_TRUE(b.block.Rollback(false).ok());
    ASSERT_TRUE(b.block.Begin({}).ok());
    ASSERT_TRUE(b.block.Begin({}).ok());
    EXPECT_EQ(b.warnings, (std::vector<std::string>{"25P01", "25P01", "25001"}));
    EXPECT_EQ(b.block.SetSavepoint("s").ok(), true);
    EXPECT_TRUE(b.block.Rollback(false).ok());
    EXPECT_EQ(b.block.SetSavepoint("s").sqlstate(), "25P01");
  });
}

TEST(TransactionBlock, BeginInsideAnImplicitOneTakesItOver) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.block.StartImplicit().ok());
    ASSERT_TRUE(b.Put("a").ok());
    ASSERT_TRUE(b.block.Begin({}).ok());
    EXPECT_EQ(b.block.state(), State::kBlock);
    ASSERT_TRUE(b.block.CommitImplicit(nullptr).ok());  // not its to end
    EXPECT_EQ(b.block.state(), State::kBlock);
    EXPECT_EQ(b.Commit(), "COMMIT");
    EXPECT_EQ(b.cluster.Dump().size(), 1u);
  });
}

TEST(TransactionBlock, ModesAndTheirMoments) {
  WithBench([](Bench& b) {
    parser::TransactionModes serializable;
    serializable.isolation = parser::Isolation::kSerializable;
    EXPECT_EQ(b.block.Begin(serializable).sqlstate(), "0A000");
    EXPECT_EQ(b.block.state(), State::kIdle);
    parser::TransactionModes modes;
    modes.isolation = parser::Isolation::kReadUncommitted;
    modes.read_only = true;
    ASSERT_TRUE(b.block.Begin(modes).ok());
    EXPECT_EQ(b.block.isolation(), txn::Isolation::kReadCommitted);
    EXPECT_TRUE(b.block.read_only());
    EXPECT_EQ(b.settings.Text(SettingId::kTransactionIsolation), "read uncommitted");
    ASSERT_TRUE(b.block.txn()->EnsureSnapshot().ok());
    parser::TransactionModes late;
    late.isolation = parser::Isolation::kRepeatableRead;
    EXPECT_EQ(b.block.SetModes(late).sqlstate(), "25001");
    EXPECT_TRUE(b.block.Rollback(false).ok());
  });
}

TEST(TransactionBlock, ChainKeepsTheModes) {
  WithBench([](Bench& b) {
    parser::TransactionModes modes;
    modes.isolation = parser::Isolation::kReadCommitted;
    modes.read_only = true;
    ASSERT_TRUE(b.block.Begin(modes).ok());
    std::string tag;
    ASSERT_TRUE(b.block.Commit(true, nullptr, &tag).ok());
    EXPECT_EQ(b.block.state(), State::kBlock);
    EXPECT_EQ(b.block.isolation(), txn::Isolation::kReadCommitted);
    EXPECT_TRUE(b.block.read_only());
    EXPECT_TRUE(b.block.Rollback(false).ok());
    EXPECT_EQ(b.block.Rollback(true).sqlstate(), "25P01");
  });
}

TEST(TransactionBlock, LocalReadsSeeTheSessionsOwnCommits) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.settings.Set("borealis.read_consistency", {"local"}, false).ok());
    b.storage.HoldStream(true);
    ASSERT_TRUE(b.block.StartImplicit().ok());
    ASSERT_TRUE(b.Put("a").ok());
    ASSERT_TRUE(b.block.CommitImplicit(nullptr).ok());
    ASSERT_TRUE(b.block.StartImplicit().ok());
    Bytes key = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(9), IndexId(1)) + "a";
    auto value = b.block.txn()->Get(key);
    ASSERT_TRUE(value.ok());
    EXPECT_TRUE(value->has_value());
    b.block.Abandon();
    b.storage.HoldStream(false);
  });
}

TEST(TransactionBlock, ALostCommitIsOverAndSaysSo) {
  WithBench([](Bench& b) {
    ASSERT_TRUE(b.block.Begin({}).ok());
    ASSERT_TRUE(b.block.txn()->EnsureSnapshot().ok());
    ASSERT_TRUE(b.Put("a").ok());
    fake_storage::FakeStorage other(&b.cluster, "w-2");
    buffer_pool::PassThrough other_reader(&other);
    txn::TxnManager others(&other, &other_reader);
    Bytes key = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(9), IndexId(1)) + "a";
    auto winner = others.Begin({});
    winner->BeginStatement();
    ASSERT_TRUE(winner->Put(key, "first", wire::AccessKind::kUpdate).ok());
    ASSERT_TRUE(winner->Commit().ok());
    EXPECT_EQ(b.Commit(), "40001");
    EXPECT_EQ(b.block.state(), State::kIdle);
  });
}

}  // namespace
}  // namespace borealis::session
