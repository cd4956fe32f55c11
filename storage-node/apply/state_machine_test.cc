#include "storage-node/apply/state_machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "common/wire/log_entry.h"
#include "storage-node/apply/applier.h"

namespace borealis::apply {
namespace {

using wire::AccessKind;
using wire::Op;
using wire::Verdict;
using wire::VerdictKind;

Bytes Key(int n) {
  return wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(1), IndexId(1)) + std::to_string(n);
}

Bytes Put(TxnId txn, int key, uint64_t base, const std::string& value, uint64_t acked = 0) {
  wire::RequestBuilder builder;
  builder.AddPoint(AccessKind::kUpdate, Op::kPut, Key(key), value, Version(base));
  return builder.Finish(txn, acked);
}

// A log of entries, decided as they come, with the verdicts that the store would hold.
class Log {
 public:
  Log() : machine_(certifier::Options{.window_keys_max = 50, .bucket_bits = 8}) {}

  Decided Add(const Bytes& payload) {
    auto owner = std::make_shared<const Bytes>(payload);
    auto decided = machine_.Decide(machine_.index().Next(), owner, *owner);
    EXPECT_TRUE(decided.ok()) << decided.status().ToString();
    payloads_.push_back(payload);
    stored_.push_back(decided->entry->stored_verdicts);
    return std::move(*decided);
  }
  std::vector<Verdict> Commit(const std::vector<Bytes>& requests) {
    wire::CommitBodyBuilder body;
    for (const Bytes& request : requests) body.Add(request);
    return Add(wire::EncodeEntry(wire::EntryType::kCommit, body.Take())).verdicts;
  }
  Verdict CommitOne(const Bytes& request) { return Commit({request}).at(0); }
  Incarnation Allocate(const std::string& name, uint64_t nonce) {
    wire::IncarnationEntry entry;
    entry.nonce = nonce;
    entry.writer_name = name;
    return Add(wire::EncodeIncarnation(entry)).allocated;
  }
  void Fence(Incarnation incarnation) {
    wire::IncarnationEntry entry;
    entry.action = wire::IncarnationEntry::Action::kFence;
    entry.target = incarnation;
    EXPECT_TRUE(Add(wire::EncodeIncarnation(entry)).fenced);
  }
  Verdict Resolve(TxnId txn) { return Add(wire::EncodeResolve(txn)).verdicts.at(0); }

  StateMachine& machine() { return machine_; }
  const std::vector<Bytes>& payloads() const { return payloads_; }
  const std::vector<Bytes>& stored() const { return stored_; }

 private:
  StateMachine machine_;
  std::vector<Bytes> payloads_, stored_;
};

TEST(StateMachineTest, AResentRequestGetsItsFirstVerdict) {
  Log log;
  const Incarnation w1 = log.Allocate("w1", 11);
  const Incarnation w2 = log.Allocate("w2", 22);
  const Bytes first = Put({w1, 1}, 1, 0, "a");
  EXPECT_EQ(log.CommitOne(first).version, Version(1));
  const Bytes loser = Put({w2, 1}, 1, 0, "b");
  const Verdict lost = log.CommitOne(loser);
  EXPECT_EQ(lost.kind, VerdictKind::kConflict);
  EXPECT_EQ(lost.winner, (TxnId{w1, 1}));
  EXPECT_EQ(lost.winner_kind, AccessKind::kUpdate);
  EXPECT_EQ(log.CommitOne(Put({w1, 2}, 1, 1, "c")).version, Version(2));
  // Twice in one batch, and again later: no new version, the same answers.
  const auto again = log.Commit({first, first, loser});
  EXPECT_EQ(again[0].version, Version(1));
  EXPECT_EQ(again[1].version, Version(1));
  EXPECT_EQ(again[2], lost);
  EXPECT_EQ(log.machine().version(), Version(2));
}

TEST(StateMachineTest, BelowTheWatermarkNothingIsEvaluated) {
  Log log;
  const Incarnation w = log.Allocate("w", 1);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kAccepted);
  EXPECT_EQ(log.CommitOne(Put({w, 3}, 2, 0, "b", 2)).kind, VerdictKind::kAccepted);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kStale);
  EXPECT_EQ(log.CommitOne(Put({w, 2}, 5, 0, "a")).kind, VerdictKind::kStale);
  EXPECT_EQ(log.CommitOne(Put({w, 3}, 2, 0, "b", 2)).version, Version(2));
  EXPECT_EQ(log.CommitOne(Put({w, 4}, 3, 2, "b", 3)).version, Version(3));
  EXPECT_EQ(log.CommitOne(Put({w, 4}, 3, 2, "b", 3)).version, Version(3));
  EXPECT_EQ(log.CommitOne(Put({w, 5}, 4, 3, "b", 5)).kind, VerdictKind::kMalformed)
      << "a watermark that covers the request itself";
  EXPECT_EQ(log.machine().verdict_table().kept(), 1u);
}

TEST(StateMachineTest, FencedAndUnknownWritersAreRefused) {
  Log log;
  const Incarnation w = log.Allocate("w", 1);
  EXPECT_EQ(log.Allocate("w", 1), w);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kAccepted);
  EXPECT_EQ(log.CommitOne(Put({Incarnation(9), 1}, 1, 0, "a")).kind, VerdictKind::kFenced);
  log.Fence(w);
  EXPECT_EQ(log.CommitOne(Put({w, 2}, 2, 1, "a")).kind, VerdictKind::kFenced);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).version, Version(1)) << "its first verdict";
  EXPECT_EQ(log.Resolve({w, 7}).kind, VerdictKind::kFenced);
  EXPECT_NE(log.Allocate("w", 1), w);
  EXPECT_EQ(log.machine().version(), Version(1));
}

TEST(StateMachineTest, ResolveDecidesWhatIsNotDecided) {
  Log log;
  const Incarnation w = log.Allocate("w", 1);
  EXPECT_EQ(log.Resolve({w, 1}).kind, VerdictKind::kAborted);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kAborted);
  EXPECT_EQ(log.CommitOne(Put({w, 2}, 1, 0, "a")).kind, VerdictKind::kAccepted);
  EXPECT_EQ(log.Resolve({w, 2}).kind, VerdictKind::kAccepted);
}

TEST(StateMachineTest, VerdictsOfFencedWritersAreForgottenByLogLength) {
  Log log;
  log.Add(wire::EncodeLimits({{{wire::LimitId::kFencedVerdictEntries, 5}}}));
  const Incarnation w = log.Allocate("w", 1);
  log.CommitOne(Put({w, 1}, 1, 0, "a"));
  log.Fence(w);
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kAccepted);
  for (int i = 0; i < 6; ++i) log.Add(wire::EncodeNoop());
  // It was accepted once: kFenced would deny that.
  EXPECT_EQ(log.CommitOne(Put({w, 1}, 1, 0, "a")).kind, VerdictKind::kStale);
  EXPECT_EQ(log.Resolve({w, 1}).kind, VerdictKind::kStale);
  EXPECT_EQ(log.machine().verdict_table().kept(), 0u);
}

TEST(StateMachineTest, StopsAtWhatItDoesNotKnow) {
  const auto decide = [](const Bytes& payload) {
    StateMachine machine{certifier::Options{}};
    auto owner = std::make_shared<const Bytes>(payload);
    const auto decided = machine.Decide(LogIndex(1), owner, *owner);
    return decided.ok() ? Code::kOk : decided.code();
  };
  EXPECT_EQ(decide(""), Code::kOk);
  EXPECT_EQ(decide(wire::EncodeNoop()), Code::kOk);
  EXPECT_EQ(decide(wire::EncodeLevel(1)), Code::kOk);
  EXPECT_EQ(decide(wire::EncodeLevel(2)), Code::kUnsupported);
  EXPECT_EQ(decide(wire::EncodeConfig({})), Code::kUnsupported);
  EXPECT_EQ(decide(wire::EncodeCommitChunk({})), Code::kUnsupported);
  EXPECT_EQ(decide(wire::EncodeCommitFinal({})), Code::kUnsupported);
  EXPECT_EQ(decide(wire::EncodeLock({})), Code::kUnsupported);
  EXPECT_EQ(decide(wire::EncodeLimits({{{wire::LimitId::kWindowBytes, 1}}})), Code::kUnsupported);
  EXPECT_EQ(decide(Bytes("\x63\x01\x00\x00", 4)), Code::kUnsupported) << "type 99";
  EXPECT_EQ(decide(Bytes("\x01\x02\x00\x00", 4)), Code::kUnsupported) << "format 2";
  EXPECT_EQ(decide("xx"), Code::kCorruption);
  EXPECT_EQ(decide(wire::EncodeHorizon(Version(1))), Code::kCorruption);
}

TEST(StateMachineTest, MalformedRequestsAreAnsweredAndChangeNothing) {
  Log log;
  const Incarnation w = log.Allocate("w", 1);
  Bytes bad = Put({w, 1}, 1, 0, "a");
  bad.pop_back();
  const auto verdicts = log.Commit({bad, "x", Put({w, 2}, 1, 0, "a"), Put({w, 0}, 1, 1, "z")});
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kMalformed);
  EXPECT_EQ(verdicts[0].txn, (TxnId{w, 1}));
  EXPECT_EQ(verdicts[1].kind, VerdictKind::kMalformed);
  EXPECT_EQ(verdicts[2].version, Version(1));
  EXPECT_EQ(verdicts[3].kind, VerdictKind::kMalformed);
  EXPECT_EQ(log.CommitOne(Put({w, 3}, 2, 77, "a")).kind, VerdictKind::kMalformed)
      << "a base above the version";
}

// A random history; then restarts at every prefix: what is rebuilt with the stored verdicts up to
// there goes on to decide the rest exactly as before.
TEST(StateMachineTest, ARestartAnywhereDecidesTheRestAlike) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    Log log;
    std::vector<Incarnation> writers = {log.Allocate("a", 1), log.Allocate("b", 2)};
    std::vector<Bytes> sent;
    uint64_t sequence = 0;
    for (int i = 0; i < 120; ++i) {
      const Incarnation w = writers[random() % writers.size()];
      const uint64_t now = log.machine().version().value();
      switch (random() % 8) {
        case 0:
          log.Resolve({w, 1 + random() % (sequence + 2)});
          break;
        case 1:
          if (random() % 5 == 0) {
            log.Fence(w);
            writers.push_back(log.Allocate("c", i));
          }
          break;
        default: {
          std::vector<Bytes> batch;
          for (uint64_t n = 0; n <= random() % 4; ++n) {
            if (!sent.empty() && random() % 4 == 0) {
              batch.push_back(sent[random() % sent.size()]);
              continue;
            }
            const uint64_t age = random() % 12;
            const uint64_t acked = random() % 6 == 0 && sequence > 20 ? sequence - 20 : 0;
            sent.push_back(Put({w, ++sequence}, static_cast<int>(random() % 30),
                               now > age ? now - age : 0, "v", acked));
            batch.push_back(sent.back());
          }
          log.Commit(batch);
        }
      }
    }
    const size_t entries = log.payloads().size();
    for (size_t cut = 0; cut <= entries; cut += 7) {
      StateMachine again(certifier::Options{.window_keys_max = 50, .bucket_bits = 8});
      for (size_t i = 0; i < entries; ++i) {
        const LogIndex index(i + 1);
        if (i < cut) {
          ASSERT_TRUE(again.Replay(index, log.payloads()[i], log.stored()[i]).ok());
          continue;
        }
        auto decided = again.Decide(index, nullptr, log.payloads()[i]);
        ASSERT_TRUE(decided.ok());
        ASSERT_EQ(decided->entry->stored_verdicts, log.stored()[i]) << "seed " << seed;
      }
      ASSERT_EQ(again.verdict_hash(), log.machine().verdict_hash()) << "seed " << seed;
      ASSERT_EQ(again.version(), log.machine().version());
      ASSERT_EQ(again.verdict_table().kept(), log.machine().verdict_table().kept());
    }
  }
}

TEST(StateMachineTest, ReplayRefusesVerdictsOfAnotherEntry) {
  Log log;
  const Incarnation w = log.Allocate("w", 1);
  log.CommitOne(Put({w, 1}, 1, 0, "a"));
  StateMachine again{certifier::Options{}};
  ASSERT_TRUE(again.Replay(LogIndex(1), log.payloads()[0], log.stored()[0]).ok());
  EXPECT_EQ(again.Replay(LogIndex(2), log.payloads()[1], "").code(), Code::kCorruption);
  StateMachine third{certifier::Options{}};
  ASSERT_TRUE(third.Replay(LogIndex(1), log.payloads()[0], log.stored()[0]).ok());
  EXPECT_EQ(third.Replay(LogIndex(2), log.payloads()[1], log.stored()[1] + "x").code(),
            Code::kCorruption);
}

TEST(ApplierTest, AppliesInOrderAndWakesReaders) {
  char name[] = "/tmp/borealis-apply-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  mvcc::Options options;
  options.directory = std::string(name) + "/store";
  options.cluster = *ClusterId::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff");
  {
    auto store = mvcc::Store::Open(options);
    ASSERT_TRUE(store.ok());
    Log log;
    Applier applier(store->get(), {.on_applied = [](LogIndex, Version) {},
                                   .on_error = [](const Status& s) { FAIL() << s.ToString(); }});
    std::mutex mu;
    std::condition_variable woken;
    bool seen = false;
    EXPECT_NE(applier.WhenApplied(Version(50),
                                  [&] {
                                    const std::lock_guard lock(mu);
                                    seen = true;
                                    woken.notify_one();
                                  }),
              0u);
    bool never = false;
    const uint64_t handle = applier.WhenApplied(Version(60), [&] { never = true; });
    applier.Forget(handle);
    const Incarnation w = log.Allocate("w", 1);
    const auto enqueue = [&](const Bytes& request) {
      wire::CommitBodyBuilder body;
      body.Add(request);
      applier.Enqueue(log.Add(wire::EncodeEntry(wire::EntryType::kCommit, body.Take())).entry);
    };
    for (uint64_t i = 1; i <= 100; ++i) {
      enqueue(Put({w, i}, static_cast<int>(i % 10), i - 1, std::to_string(i)));
    }
    {
      std::unique_lock lock(mu);
      ASSERT_TRUE(woken.wait_for(lock, std::chrono::seconds(20), [&] { return seen; }));
    }
    EXPECT_EQ(*(*store)->Get(Key(0), Version(50)), "50");
    EXPECT_TRUE(applier.Stop().ok());
    EXPECT_FALSE(never);
    EXPECT_EQ(*(*store)->Get(Key(0), Version(100)), "100");
    EXPECT_EQ(*(*store)->Get(Key(3), Version(92)), "83");
    EXPECT_EQ((*store)->applied().verdict_hash, log.machine().verdict_hash());
    EXPECT_EQ(*(*store)->VerdictsOf(LogIndex(101)), log.stored().back());
  }
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace borealis::apply
