#include "writer-node/txn/txn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/env/fiber.h"
#include "writer-node/fake_storage/fake_storage.h"

namespace borealis::txn {
namespace {

using fake_storage::FakeCluster;
using fake_storage::FakeStorage;
using fake_storage::RunInFiber;
using wire::AccessKind;

const Bytes kPrefix = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(9), IndexId(1));
Bytes K(const std::string& suffix) {
  return kPrefix + suffix;
}

struct Writer {
  Writer(FakeCluster* cluster, const std::string& name)
      : storage(cluster, name), reader(&storage), manager(&storage, &reader) {}
  std::unique_ptr<Txn> Begin(TxnOptions options = {}) {
    auto txn = manager.Begin(options);
    txn->BeginStatement();
    return txn;
  }
  void Set(const std::string& key, const std::string& value) {
    auto txn = Begin();
    ASSERT_TRUE(txn->Put(K(key), value, AccessKind::kUpdate).ok());
    ASSERT_TRUE(txn->Commit().ok());
  }
  std::string Read(const std::string& key) {
    auto value = Begin()->Get(K(key));
    return value.ok() ? value->value_or("<none>") : value.status().ToString();
  }
  FakeStorage storage;
  buffer_pool::PassThrough reader;
  TxnManager manager;
};

std::string Get(Txn* txn, const std::string& key) {
  auto value = txn->Get(K(key));
  return value.ok() ? value->value_or("<none>") : value.status().ToString();
}

TxnOptions ReadCommitted() {
  TxnOptions options;
  options.isolation = Isolation::kReadCommitted;
  return options;
}

#define EXPECT_OK(expr) EXPECT_TRUE((expr).ok())

TEST(Txn, RepeatableReadKeepsItsSnapshotReadCommittedDoesNot) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.Set("x", "1");
    auto rr = b.Begin();
    auto rc = b.Begin(ReadCommitted());
    EXPECT_EQ(Get(rr.get(), "x"), "1");
    EXPECT_EQ(Get(rc.get(), "x"), "1");
    a.Set("x", "2");
    EXPECT_EQ(Get(rc.get(), "x"), "1");
    rr->BeginStatement();
    rc->BeginStatement();
    EXPECT_EQ(Get(rr.get(), "x"), "1");
    EXPECT_EQ(Get(rc.get(), "x"), "2");
  });
}

TEST(Txn, SecondCommitterLosesAndIsToldTheKeyAndTheWinner) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    EXPECT_OK(a.manager.RegisterWriter(std::chrono::seconds(1)));
    EXPECT_OK(b.manager.RegisterWriter(std::chrono::seconds(1)));
    a.Set("x", "0");
    auto first = a.Begin();
    auto second = b.Begin();
    EXPECT_EQ(Get(first.get(), "x"), "0");
    EXPECT_EQ(Get(second.get(), "x"), "0");
    EXPECT_OK(first->Put(K("x"), "a", AccessKind::kNoKeyUpdate));
    EXPECT_OK(second->Put(K("x"), "b", AccessKind::kNoKeyUpdate));
    EXPECT_OK(first->Commit());
    auto lost = second->Commit();
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.code(), Code::kConflict);
    EXPECT_EQ(second->failure(), FailureKind::kSerialization);
    ASSERT_TRUE(second->conflict());
    EXPECT_EQ(second->conflict()->key, K("x"));
    EXPECT_EQ(second->conflict()->prefix.table, TableId(9));
    EXPECT_EQ(second->conflict()->winner_writer, "w-0");
    EXPECT_EQ(a.Read("x"), "a");
  });
}

TEST(Txn, KindsDecideWhoConflicts) {
  struct Case {
    AccessKind first;
    AccessKind second;
    bool both;
  };
  const Case cases[] = {
      {AccessKind::kKeyShare, AccessKind::kNoKeyUpdate, true},
      {AccessKind::kKeyShare, AccessKind::kUpdate, false},
      {AccessKind::kShare, AccessKind::kShare, true},
      {AccessKind::kUpdate, AccessKind::kKeyShare, false},
      {AccessKind::kNoKeyUpdate, AccessKind::kKeyShare, true},
  };
  for (const Case& c : cases) {
    RunInFiber([&](env::Loop& loop) {
      FakeCluster cluster(&loop);
      Writer a(&cluster, "w-0"), b(&cluster, "w-1");
      a.Set("x", "0");
      auto first = a.Begin(), second = b.Begin();
      EXPECT_EQ(Get(first.get(), "x") + Get(second.get(), "x"), "00");
      EXPECT_OK(first->Lock(K("x"), c.first));
      EXPECT_OK(second->Lock(K("x"), c.second));
      EXPECT_OK(first->Commit());
      EXPECT_EQ(second->Commit().ok(), c.both)
          << AccessKindName(c.first) << " " << AccessKindName(c.second);
    });
  }
}

TEST(Txn, ReadRangeSeesPhantoms) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    auto ddl = a.Begin();
    EXPECT_OK(ddl->AddReadRange(K("a"), K("m")));
    EXPECT_OK(ddl->Put(K("z"), "done", AccessKind::kUpdate));
    b.Set("c", "phantom");
    EXPECT_EQ(ddl->Commit().code(), Code::kConflict);
    EXPECT_TRUE(ddl->conflict()->range);
    auto again = a.Begin();
    EXPECT_OK(again->AddReadRange(K("a"), K("m")));
    EXPECT_OK(again->Put(K("z"), "done", AccessKind::kUpdate));
    b.Set("n", "outside");
    EXPECT_OK(again->Commit());
  });
}

TEST(Txn, ReadsItsOwnWrites) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    for (const char* key : {"a", "c", "e"}) a.Set(key, "old");
    auto txn = a.Begin();
    EXPECT_OK(txn->Put(K("b"), "new", AccessKind::kUpdate));
    EXPECT_OK(txn->Delete(K("c"), AccessKind::kUpdate));
    EXPECT_OK(txn->Put(K("e"), "changed", AccessKind::kNoKeyUpdate));
    EXPECT_EQ(Get(txn.get(), "c"), "<none>");
    auto values = txn->MultiGet({K("e"), K("a"), K("c")});
    EXPECT_THAT(*values, testing::ElementsAre("changed", "old", std::nullopt));
    EXPECT_OK(txn->Commit());
    EXPECT_EQ(a.Read("e"), "changed");
    EXPECT_EQ(a.Read("c"), "<none>");
  });
}

// Random own writes over random stored rows, every page size, both directions, against a plain map.
TEST(Txn, ScanMergesPagesExactly) {
  RunInFiber([](env::Loop& loop) {
    std::mt19937 random(7);
    for (int round = 0; round < 60; ++round) {
      FakeCluster cluster(&loop);
      Writer a(&cluster, "w-0");
      std::map<Bytes, Bytes> model;
      auto fill = a.Begin();
      for (int i = 0; i < 20; ++i) {
        const Bytes key = K(std::string(1, static_cast<char>('a' + random() % 26)));
        EXPECT_OK(fill->Put(key, "s", AccessKind::kUpdate));
        model[key] = "s";
      }
      EXPECT_OK(fill->Commit());
      auto txn = a.Begin();
      for (int i = 0; i < 12; ++i) {
        const Bytes key = K(std::string(1, static_cast<char>('a' + random() % 26)));
        if (random() % 2 == 0) {
          EXPECT_OK(txn->Delete(key, AccessKind::kUpdate));
          model.erase(key);
        } else {
          EXPECT_OK(txn->Put(key, "o", AccessKind::kUpdate));
          model[key] = "o";
        }
      }
      for (uint32_t page_rows : {0u, 1u, 2u, 5u}) {
        for (bool reverse : {false, true}) {
          ScanSpec spec{K("c"), K("x"), reverse, page_rows, 0};
          std::vector<std::pair<Bytes, Bytes>> got;
          for (int pages = 0; pages < 100; ++pages) {
            auto page = txn->Scan(spec);
            ASSERT_TRUE(page.ok());
            if (page_rows != 0) {
              EXPECT_LE(page->rows.size(), page_rows);
            }
            for (const KeyValue& row : page->rows) got.emplace_back(row.key, row.value);
            if (!page->more) break;
            (reverse ? spec.end : spec.start) = page->resume;
          }
          std::vector<std::pair<Bytes, Bytes>> want(model.lower_bound(K("c")),
                                                    model.lower_bound(K("x")));
          if (reverse) std::reverse(want.begin(), want.end());
          EXPECT_EQ(got, want) << "round " << round << " page " << page_rows << " rev " << reverse;
        }
      }
    }
  });
}

TEST(Txn, SavepointsUndoWritesAndLocksButKeepReads) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.Set("x", "1");
    auto txn = a.Begin();
    EXPECT_OK(txn->Put(K("x"), "2", AccessKind::kNoKeyUpdate));
    const Savepoint sp = txn->SetSavepoint();
    EXPECT_OK(txn->Put(K("x"), "3", AccessKind::kNoKeyUpdate));
    EXPECT_OK(txn->Put(K("y"), "3", AccessKind::kUpdate));
    EXPECT_OK(txn->AddRead(K("r")));
    EXPECT_EQ(a.manager.locks().locked_keys(), 2u);
    txn->RollbackTo(sp);
    EXPECT_EQ(a.manager.locks().locked_keys(), 1u);
    EXPECT_EQ(Get(txn.get(), "x"), "2");
    EXPECT_EQ(Get(txn.get(), "y"), "<none>");
    txn->RollbackTo(sp);  // stays usable
    b.Set("r", "modified");
    EXPECT_EQ(txn->Commit().code(), Code::kConflict);
    EXPECT_EQ(txn->conflict()->key, K("r"));
    EXPECT_EQ(a.manager.locks().locked_keys(), 0u);
  });
}

TEST(Txn, ReadOnlyWorkNeverCertifies) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    a.Set("x", "1");
    const uint64_t before = a.storage.commits();
    auto txn = a.Begin();
    Get(txn.get(), "x");
    EXPECT_OK(txn->AddRead(K("x")));
    EXPECT_FALSE(txn->Commit()->txn);
    EXPECT_EQ(a.storage.commits(), before);
    TxnOptions read_only;
    read_only.read_only = true;
    auto refused = a.Begin(read_only);
    EXPECT_FALSE(refused->Put(K("x"), "2", AccessKind::kUpdate).ok());
    EXPECT_EQ(refused->failure(), FailureKind::kReadOnly);
    auto locks = a.Begin();
    EXPECT_OK(locks->Lock(K("x"), AccessKind::kUpdate));
    EXPECT_TRUE(locks->Commit()->txn);
  });
}

TEST(Txn, StartLocalUsesNoReadIndexAndIsProvenByCertification) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.Set("x", "1");
    b.storage.HoldStream(true);
    a.Set("x", "2");
    const uint64_t reads = b.storage.read_indexes();
    auto txn = b.manager.Begin({});
    txn->BeginStatement({.start_local = true});
    EXPECT_OK(txn->Lock(K("x"), AccessKind::kNoKeyUpdate));
    EXPECT_EQ(Get(txn.get(), "x"), "1");  // stale
    EXPECT_FALSE(txn->snapshot_is_strong());
    EXPECT_OK(txn->Put(K("x"), "3", AccessKind::kNoKeyUpdate));
    EXPECT_EQ(b.storage.read_indexes(), reads);
    EXPECT_EQ(*txn->EnsureStrong(), Txn::StrongCheck::kRunAgain);
    EXPECT_FALSE(txn->has_writes());
    EXPECT_EQ(Get(txn.get(), "x"), "2");
    EXPECT_EQ(*txn->EnsureStrong(), Txn::StrongCheck::kStands);
    EXPECT_OK(txn->Put(K("x"), "3", AccessKind::kNoKeyUpdate));
    EXPECT_OK(txn->Commit());

    auto stale = b.manager.Begin({});
    stale->BeginStatement({.start_local = true});
    EXPECT_OK(stale->Lock(K("y"), AccessKind::kUpdate));
    Get(stale.get(), "y");
    a.Set("y", "theirs");
    EXPECT_OK(stale->Put(K("y"), "mine", AccessKind::kUpdate));
    EXPECT_EQ(stale->Commit().code(), Code::kConflict);
  });
}

// What an earlier statement's snapshot was does not speak for the next one, which has none yet.
TEST(Txn, AStatementsSnapshotIsNotStrongBeforeItIsTaken) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.Set("x", "1");
    b.storage.HoldStream(true);
    a.Set("x", "2");
    auto txn = b.manager.Begin(ReadCommitted());
    txn->BeginStatement();
    EXPECT_EQ(Get(txn.get(), "x"), "2");
    EXPECT_TRUE(txn->snapshot_is_strong());
    txn->BeginStatement({.start_local = true});
    EXPECT_FALSE(txn->snapshot_is_strong());
    EXPECT_EQ(Get(txn.get(), "x"), "1");
  });
}

// A local lock outlives the commit until the stream has it: the next start-local writer is not
// stale.
TEST(Txn, LocksLingerUntilTheStreamHasTheCommit) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    a.Set("x", "1");
    a.storage.HoldStream(true);
    a.Set("x", "2");
    std::string seen;
    bool committed = false;
    env::FiberHandle waiter = env::Spawn(loop, "waiter", [&] {
      auto txn = a.manager.Begin({});
      txn->BeginStatement({.start_local = true});
      EXPECT_OK(txn->Lock(K("x"), AccessKind::kNoKeyUpdate));
      seen = Get(txn.get(), "x");
      EXPECT_OK(txn->Put(K("x"), seen + "+", AccessKind::kNoKeyUpdate));
      committed = txn->Commit().ok();
    });
    for (int i = 0; i < 5; ++i) env::FiberYield();
    EXPECT_EQ(seen, "");
    a.storage.HoldStream(false);
    waiter.Join();
    EXPECT_EQ(seen, "2");
    EXPECT_TRUE(committed);
    EXPECT_EQ(a.manager.locks().locked_keys(), 0u);
  });
}

TEST(Txn, LocalWriterWaitsThenFirstCommitterWins) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    a.Set("x", "1");
    auto holder = a.Begin();
    EXPECT_OK(holder->Put(K("x"), "2", AccessKind::kNoKeyUpdate));
    FailureKind rr_failure = FailureKind::kNone, rc_failure = FailureKind::kNone;
    std::string rc_value;
    env::FiberHandle rr = env::Spawn(loop, "rr", [&] {
      auto txn = a.Begin();
      EXPECT_EQ(Get(txn.get(), "x"), "1");
      txn->BeginStatement();
      EXPECT_FALSE(txn->Lock(K("x"), AccessKind::kNoKeyUpdate).ok());
      rr_failure = txn->failure();
      EXPECT_EQ(txn->conflict()->winner_writer, "w-0");
    });
    env::FiberHandle rc = env::Spawn(loop, "rc", [&] {
      auto txn = a.Begin(ReadCommitted());
      EXPECT_EQ(Get(txn.get(), "x"), "1");
      auto locked = txn->Lock(K("x"), AccessKind::kNoKeyUpdate);
      EXPECT_FALSE(locked.ok());
      rc_failure = txn->failure();
      txn->RestartStatement();
      rc_value = Get(txn.get(), "x");
      EXPECT_OK(txn->Put(K("x"), rc_value + "+", AccessKind::kNoKeyUpdate));
      EXPECT_OK(txn->Commit());
    });
    for (int i = 0; i < 10; ++i) env::FiberYield();
    EXPECT_EQ(a.manager.locks().waiters(), 2u);
    EXPECT_OK(holder->Commit());
    rr.Join();
    rc.Join();
    EXPECT_EQ(rr_failure, FailureKind::kSerialization);
    EXPECT_EQ(rc_failure, FailureKind::kStaleStatement);
    EXPECT_EQ(rc_value, "2");
    EXPECT_EQ(a.Read("x"), "2+");
  });
}

TEST(Txn, HolderThatRollsBackLetsTheWaiterThrough) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    a.Set("x", "1");
    auto holder = a.Begin();
    EXPECT_OK(holder->Put(K("x"), "2", AccessKind::kNoKeyUpdate));
    env::FiberHandle waiter = env::Spawn(loop, "waiter", [&] {
      auto txn = a.Begin();
      EXPECT_EQ(Get(txn.get(), "x"), "1");
      EXPECT_OK(txn->Put(K("x"), "3", AccessKind::kNoKeyUpdate));
      EXPECT_OK(txn->Commit());
    });
    for (int i = 0; i < 10; ++i) env::FiberYield();
    holder->Rollback();
    waiter.Join();
    EXPECT_EQ(a.Read("x"), "3");
  });
}

TEST(LockTable, DeadlockIsFoundAtOnceAndTheOtherGoesOn) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    auto one = a.Begin(), two = a.Begin(), three = a.Begin();
    EXPECT_OK(one->Lock(K("a"), AccessKind::kUpdate));
    EXPECT_OK(two->Lock(K("b"), AccessKind::kUpdate));
    EXPECT_OK(three->Lock(K("c"), AccessKind::kUpdate));
    bool one_got = false, two_got = false;
    env::FiberHandle f1 = env::Spawn(loop, "1", [&] {
      one_got = one->Lock(K("b"), AccessKind::kUpdate).ok();
      one->Rollback();
    });
    env::FiberHandle f2 = env::Spawn(loop, "2", [&] {
      two_got = two->Lock(K("c"), AccessKind::kUpdate).ok();
      two->Rollback();
    });
    for (int i = 0; i < 5; ++i) env::FiberYield();
    EXPECT_FALSE(three->Lock(K("a"), AccessKind::kKeyShare).ok());
    EXPECT_EQ(three->failure(), FailureKind::kDeadlock);
    three->Rollback();
    f1.Join();
    f2.Join();
    EXPECT_TRUE(one_got && two_got);
    EXPECT_EQ(a.manager.locks().locked_keys(), 0u);
  });
}

TEST(LockTable, TwoUpgradesDeadlockAndSharersCoexist) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    auto one = a.Begin(), two = a.Begin();
    EXPECT_OK(one->Lock(K("a"), AccessKind::kShare));
    EXPECT_OK(two->Lock(K("a"), AccessKind::kShare));
    bool got = false;
    env::FiberHandle f1 = env::Spawn(loop, "1", [&] {
      got = one->Lock(K("a"), AccessKind::kUpdate).ok();
      one->Rollback();
    });
    for (int i = 0; i < 5; ++i) env::FiberYield();
    EXPECT_FALSE(two->Lock(K("a"), AccessKind::kUpdate).ok());
    EXPECT_EQ(two->failure(), FailureKind::kDeadlock);
    two->Rollback();
    f1.Join();
    EXPECT_TRUE(got);
  });
}

TEST(LockTable, FifoNoWaitSkipTimeoutAndCancel) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    auto holder = a.Begin();
    EXPECT_OK(holder->Lock(K("a"), AccessKind::kUpdate));
    auto other = a.Begin();
    EXPECT_FALSE(other->Lock(K("a"), AccessKind::kKeyShare, WaitPolicy::kNoWait).ok());
    EXPECT_EQ(other->failure(), FailureKind::kLockNotAvailable);
    EXPECT_FALSE(*other->Lock(K("a"), AccessKind::kKeyShare, WaitPolicy::kSkipLocked));
    other->set_lock_timeout(std::chrono::milliseconds(20));
    EXPECT_FALSE(other->Lock(K("a"), AccessKind::kKeyShare).ok());
    EXPECT_EQ(other->failure(), FailureKind::kLockNotAvailable);
    other->set_lock_timeout(std::chrono::milliseconds(0));
    env::FiberHandle cancelled = env::Spawn(loop, "c", [&] {
      EXPECT_EQ(other->Lock(K("a"), AccessKind::kKeyShare).code(), Code::kCancelled);
      EXPECT_EQ(other->failure(), FailureKind::kCancelled);
    });
    env::FiberYield();
    other->Cancel();
    cancelled.Join();
    std::string order;
    std::vector<env::FiberHandle> fibers;
    for (int i = 0; i < 5; ++i) {
      fibers.push_back(env::Spawn(loop, "q", [&, i] {
        auto txn = a.Begin();
        EXPECT_OK(txn->Lock(K("a"), AccessKind::kUpdate));
        order += std::to_string(i);
      }));
    }
    for (int i = 0; i < 5; ++i) env::FiberYield();
    holder->Rollback();
    for (auto& fiber : fibers) fiber.Join();
    EXPECT_EQ(order, "01234");
    EXPECT_EQ(a.manager.locks().locked_keys(), 0u);
  });
}

TEST(Txn, TooLargeNamesTheParameter) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    TxnOptions options;
    options.bytes_max = 1000;
    auto txn = a.Begin(options);
    EXPECT_OK(txn->Put(K("a"), Bytes(500, 'x'), AccessKind::kUpdate));
    const Status status = txn->Put(K("b"), Bytes(500, 'x'), AccessKind::kUpdate);
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_THAT(status.message(), testing::HasSubstr("borealis.transaction_bytes_max"));
    EXPECT_EQ(txn->failure(), FailureKind::kTooLarge);
  });
}

TEST(Txn, OutcomesOfACommitThatFails) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0");
    auto lost = a.Begin();
    EXPECT_OK(lost->Put(K("a"), "1", AccessKind::kUpdate));
    a.storage.LoseNextAnswer();
    EXPECT_EQ(lost->Commit().code(), Code::kOutcomeUnknown);
    EXPECT_EQ(a.storage.Resolve(lost->id_if_assigned(), {})->kind, wire::VerdictKind::kAccepted);
    a.storage.SetUnavailable(true);
    auto never = a.Begin();
    EXPECT_OK(never->Put(K("b"), "1", AccessKind::kUpdate));
    EXPECT_EQ(never->Commit().code(), Code::kUnavailable);
    a.storage.SetUnavailable(false);
    EXPECT_EQ(a.Read("b"), "<none>");
    cluster.Fence(a.storage.incarnation());
    auto fenced = a.Begin();
    EXPECT_OK(fenced->Put(K("b"), "1", AccessKind::kUpdate));
    EXPECT_EQ(fenced->Commit().code(), Code::kFenced);
    // Every id ended: nothing holds back the watermark.
    EXPECT_EQ(a.storage.acked_watermark(), fenced->id_if_assigned().sequence);
  });
}

TEST(Txn, XactIdsAreReversible) {
  const TxnId id{Incarnation(77), 123456};
  const int64_t packed = *PackXactId(id);
  EXPECT_GT(packed, 0);
  EXPECT_EQ(*UnpackXactId(packed), id);
  EXPECT_FALSE(PackXactId({Incarnation(1u << 24), 1}).ok());
  EXPECT_FALSE(PackXactId({Incarnation(1), uint64_t{1} << 39}).ok());
  for (int64_t bad : {int64_t{0}, int64_t{-1}, int64_t{5}, int64_t{77} << 39}) {
    EXPECT_FALSE(UnpackXactId(bad).ok()) << bad;
  }
}

// Bank: concurrent transfers of several sessions on two writers; the total is right in every
// snapshot, and equals the sum at the end. Fails when any of lock waiting, certification or
// snapshots is wrong.
TEST(Txn, BankTotalHoldsUnderContention) {
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    constexpr int kAccounts = 4;
    for (int i = 0; i < kAccounts; ++i) a.Set(std::to_string(i), "100");
    int committed = 0, failed = 0;
    std::vector<env::FiberHandle> fibers;
    for (int session = 0; session < 8; ++session) {
      fibers.push_back(env::Spawn(loop, "s", [&, session] {
        std::mt19937 random(static_cast<unsigned>(session));
        Writer& w = session % 2 == 0 ? a : b;
        for (int i = 0; i < 40; ++i) {
          auto txn = w.Begin(random() % 2 == 0 ? TxnOptions() : ReadCommitted());
          const int from = static_cast<int>(random() % kAccounts);
          const int to = (from + 1 + static_cast<int>(random() % (kAccounts - 1))) % kAccounts;
          int total = 0;
          for (int k = 0; k < kAccounts; ++k) total += std::stoi(Get(txn.get(), std::to_string(k)));
          EXPECT_EQ(total, 100 * kAccounts);
          bool ok = true;
          for (auto [account, delta] : {std::pair(from, -1), std::pair(to, 1)}) {
            txn->BeginStatement();
            const Bytes key = K(std::to_string(account));
            auto locked = txn->Lock(key, AccessKind::kNoKeyUpdate);
            for (int tries = 0; !locked.ok() && txn->failure() == FailureKind::kStaleStatement;
                 ++tries) {
              ASSERT_LT(tries, 100);
              txn->RestartStatement();
              locked = txn->Lock(key, AccessKind::kNoKeyUpdate);
            }
            if (!(ok = locked.ok())) break;
            auto value = txn->Get(key);
            ASSERT_TRUE(value.ok());
            EXPECT_OK(txn->Put(key, std::to_string(std::stoi(**value) + delta),
                               AccessKind::kNoKeyUpdate));
          }
          ok = ok && txn->Commit().ok();
          (ok ? committed : failed)++;
        }
      }));
    }
    for (auto& fiber : fibers) fiber.Join();
    int total = 0;
    for (int k = 0; k < kAccounts; ++k) total += std::stoi(a.Read(std::to_string(k)));
    EXPECT_EQ(total, 100 * kAccounts);
    EXPECT_GT(committed, 50);
    EXPECT_GT(failed, 0);
    EXPECT_EQ(a.manager.locks().locked_keys() + b.manager.locks().locked_keys(), 0u);
    EXPECT_EQ(a.manager.active() + b.manager.active(), 0u);
  });
}

}  // namespace
}  // namespace borealis::txn
