// Three real members on loopback, killed with SIGKILL.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <set>

#include "common/env/thread.h"
#include "common/rpc/admin_client.h"
#include "proto/admin.pb.h"
#include "storage-node/main/test_cluster.h"

namespace borealis::storage_main {
namespace {

using wire::AccessKind;
using wire::Op;
using wire::VerdictKind;

Bytes Key(const std::string& name) {
  return wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(1), IndexId(1)) + name;
}

Bytes Put(TxnId txn, const std::string& key, Version base, const std::string& value,
          AccessKind kind = AccessKind::kUpdate) {
  wire::RequestBuilder builder;
  builder.AddPoint(kind, Op::kPut, Key(key), value, base);
  return builder.Finish(txn, 0);
}

// The value at a strong version, read on that member.
std::string StrongRead(TestCluster& cluster, int member, const std::string& key) {
  const int leader = cluster.Leader();
  if (leader == 0) return "no leader";
  const auto version = cluster.Client(leader)->ReadIndex();
  if (!version.ok()) return version.status().ToString();
  const auto value = cluster.Client(member)->Get(Key(key), *version);
  if (!value.ok()) return value.status().ToString();
  return *value ? **value : "none";
}

TEST(ClusterTest, CommitsConflictsAndReadsOnEveryMember) {
  TestCluster cluster(3);
  const Incarnation w1 = cluster.Allocate("w1", 1);
  const Incarnation w2 = cluster.Allocate("w2", 2);
  ASSERT_TRUE(w1);
  ASSERT_NE(w1, w2);
  EXPECT_EQ(cluster.Allocate("w1", 1), w1) << "a resent allocation";

  const auto first = cluster.CommitAnywhere(Put({w1, 1}, "a", Version(0), "one"));
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->kind, VerdictKind::kAccepted);
  EXPECT_EQ(first->version, Version(1));
  const auto lost = cluster.CommitAnywhere(Put({w2, 1}, "a", Version(0), "two"));
  ASSERT_TRUE(lost.ok());
  EXPECT_EQ(lost->kind, VerdictKind::kConflict);
  EXPECT_EQ(lost->winner, (TxnId{w1, 1}));
  const auto again = cluster.CommitAnywhere(Put({w1, 1}, "a", Version(0), "one"));
  EXPECT_EQ(again->version, Version(1)) << "resent: its first verdict";
  const auto other = cluster.CommitAnywhere(Put({w2, 2}, "b", Version(0), "two"));
  EXPECT_EQ(other->version, Version(2));

  for (int member = 1; member <= 3; ++member) {
    EXPECT_EQ(StrongRead(cluster, member, "a"), "one");
    EXPECT_EQ(StrongRead(cluster, member, "b"), "two");
    EXPECT_EQ(StrongRead(cluster, member, "c"), "none");
  }

  // A scan in pages, backwards.
  auto client = cluster.Client(2);
  wire::ScanRequest scan;
  scan.version = Version(2);
  const Bytes start = Key("");
  const Bytes end = Key("z");
  scan.start = start;
  scan.end = end;
  scan.reverse = true;
  scan.rows_max = 1;
  auto frame = client->Call(wire::FrameType::kScan, wire::EncodeScan(scan));
  ASSERT_TRUE(frame.ok());
  ASSERT_EQ(frame->type, wire::FrameType::kScanReply);
  auto page = wire::DecodeScanReply(frame->payload);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_EQ(page->rows[0].value, "two");
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->resume, Key("b"));

  // Only the leader answers for strong reads; the others say so.
  const int leader = cluster.Leader();
  for (int member = 1; member <= 3; ++member) {
    const auto version = cluster.Client(member)->ReadIndex();
    if (member == leader) {
      ASSERT_TRUE(version.ok());
      EXPECT_EQ(*version, Version(2));
    } else {
      EXPECT_EQ(version.code(), Code::kNotLeader);
    }
  }
  // A version that does not exist yet: an error after the wait, not a wrong answer.
  EXPECT_EQ(client->Get(Key("a"), Version(99)).code(), Code::kUnavailable);
}

TEST(ClusterTest, ResolveAndFenceDecideForGood) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  auto client = cluster.Client(cluster.Leader());
  const auto resolve = [&](TxnId txn) {
    const auto frame = client->Call(wire::FrameType::kResolveTxn, wire::EncodeResolveTxn(txn));
    EXPECT_TRUE(frame.ok());
    EXPECT_EQ(frame->type, wire::FrameType::kResolveTxnReply);
    return wire::DecodeVerdict(frame->payload)->kind;
  };
  EXPECT_EQ(resolve({w, 1}), VerdictKind::kAborted);
  EXPECT_EQ(client->Commit(Put({w, 1}, "a", Version(0), "x"))->kind, VerdictKind::kAborted);
  EXPECT_EQ(client->Commit(Put({w, 2}, "a", Version(0), "x"))->kind, VerdictKind::kAccepted);
  EXPECT_EQ(resolve({w, 2}), VerdictKind::kAccepted);
  const auto fenced =
      client->Call(wire::FrameType::kFenceIncarnation, wire::EncodeIncarnationId(w));
  ASSERT_TRUE(fenced.ok());
  EXPECT_EQ(fenced->type, wire::FrameType::kFenceIncarnationReply);
  EXPECT_EQ(client->Commit(Put({w, 3}, "a", Version(1), "y"))->kind, VerdictKind::kFenced);
  const auto unknown =
      client->Call(wire::FrameType::kFenceIncarnation, wire::EncodeIncarnationId(Incarnation(77)));
  ASSERT_TRUE(unknown.ok());
  EXPECT_EQ(unknown->type, wire::FrameType::kError);
}

TEST(ClusterTest, BadFramesAreAnsweredAndHarmNothing) {
  TestCluster cluster(1);
  const Incarnation w = cluster.Allocate("w", 1);
  auto client = cluster.Client(1);
  for (const auto type :
       {wire::FrameType::kCommitBatch, wire::FrameType::kGet, wire::FrameType::kScan,
        wire::FrameType::kSubscribe, wire::FrameType::kAllocateIncarnation,
        wire::FrameType::kResolveTxn, wire::FrameType::kRaft, static_cast<wire::FrameType>(200)}) {
    const auto frame = client->Call(type, "\x07garbage");
    ASSERT_TRUE(frame.ok()) << static_cast<int>(type) << frame.status().ToString();
    EXPECT_EQ(frame->type, wire::FrameType::kError) << static_cast<int>(type);
  }
  EXPECT_EQ(client->Commit("not a request")->kind, VerdictKind::kMalformed);
  EXPECT_EQ(client->Commit(Put({w, 1}, "a", Version(0), "x"))->kind, VerdictKind::kAccepted);
}

// Reads a stream for as long as it brings versions; checks that they are dense.
void CheckStream(TestClient& client, uint64_t id, Version after, Version until,
                 Incarnation origin) {
  while (after < until) {
    const auto frame = client.NextOf(id, 5000);
    ASSERT_TRUE(frame) << "the stream ended at " << after;
    ASSERT_EQ(frame->type, wire::FrameType::kStreamBatch);
    const auto batch = wire::DecodeStreamBatch(frame->payload);
    ASSERT_TRUE(batch.ok());
    for (const auto& request : batch->requests) {
      ASSERT_EQ(request.version, after.Next());
      after = request.version;
      ASSERT_EQ(request.own, request.txn.incarnation == origin);
      ASSERT_EQ(request.accesses.size(), request.own ? 0u : 1u);
    }
  }
}

TEST(ClusterTest, TheStreamBringsEveryVersionOnceAndInOrder) {
  TestCluster cluster(3);
  const Incarnation w1 = cluster.Allocate("w1", 1);
  const Incarnation w2 = cluster.Allocate("w2", 2);
  auto early = cluster.Client(1);
  const uint64_t early_id = early->Subscribe({Version(0), w1});
  for (uint64_t i = 1; i <= 100; ++i) {
    ASSERT_EQ(cluster.CommitAnywhere(Put({w1, i}, "a" + std::to_string(i), Version(0), "x"))->kind,
              VerdictKind::kAccepted);
    ASSERT_EQ(cluster.CommitAnywhere(Put({w2, i}, "b" + std::to_string(i), Version(0), "x"))->kind,
              VerdictKind::kAccepted);
  }
  CheckStream(*early, early_id, Version(0), Version(200), w1);
  auto late = cluster.Client(2);
  CheckStream(*late, late->Subscribe({Version(37), w2}), Version(37), Version(200), w2);
  // Another subscription on the same connection takes the place of the first: nothing comes for
  // that.
  const uint64_t first_id = 1;
  CheckStream(*late, late->Subscribe({Version(100), w2}), Version(100), Version(200), w2);
  ASSERT_EQ(cluster.CommitAnywhere(Put({w1, 101}, "c", Version(0), "x"))->kind,
            VerdictKind::kAccepted);
  EXPECT_FALSE(late->NextOf(first_id, 300));
}

TEST(ClusterTest, NothingIsLostOrDoubledWhenLeadersAreKilled) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  const uint64_t kCommits = 300;
  std::set<uint64_t> versions;
  Version last;
  for (uint64_t i = 1; i <= kCommits; ++i) {
    if (i % 60 == 30) {
      const int leader = cluster.Leader();
      ASSERT_NE(leader, 0);
      // A request on its way when the leader dies: its fate is open, and it is sent again below.
      auto client = cluster.Client(leader);
      env::Thread racing("racing", [&] {
        (void)client->Commit(Put({w, i}, "counter", last, std::to_string(i)), 300);
      });
      cluster.Kill(leader, SIGKILL);
      racing.Join();
      cluster.Start(leader);
    }
    const auto verdict = cluster.CommitAnywhere(Put({w, i}, "counter", last, std::to_string(i)));
    ASSERT_TRUE(verdict.ok()) << i << " " << verdict.status().ToString();
    // Each is based on the one before: a lost or doubled one would conflict or skip a version.
    ASSERT_EQ(verdict->kind, VerdictKind::kAccepted) << i;
    ASSERT_EQ(verdict->version, last.Next()) << i;
    last = verdict->version;
    versions.insert(last.value());
  }
  EXPECT_EQ(versions.size(), kCommits);
  for (int member = 1; member <= 3; ++member) {
    EXPECT_EQ(StrongRead(cluster, member, "counter"), std::to_string(kCommits));
    const auto old = cluster.Client(member)->Get(Key("counter"), Version(7));
    EXPECT_EQ(**old, "7");
  }
}

// Many writers increment few counters, each by a strong read and a commit based on it, while
// leaders are killed. Every accepted increment counts exactly once.
TEST(ClusterTest, ConcurrentIncrementsAddUpWhileLeadersAreKilled) {
  TestCluster cluster(3);
  constexpr int kWriters = 8;
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0}, resent{0}, conflicts{0}, failures{0};
  std::vector<env::Thread> threads;
  std::vector<Incarnation> incarnations;
  for (int n = 0; n < kWriters; ++n) {
    incarnations.push_back(cluster.Allocate("w" + std::to_string(n), 1));
  }
  for (int n = 0; n < kWriters; ++n) {
    threads.emplace_back("writer", [&, n] {
      TestWriter writer(cluster);
      uint64_t sequence = 0;
      while (!stop) {
        const std::string key =
            "counter" + std::to_string((static_cast<uint64_t>(n) + sequence) % 3);
        Version version;
        const auto value = writer.Read(Key(key), &version);
        if (!value.ok()) break;
        const int before = *value ? std::stoi(**value) : 0;
        const auto verdict = writer.Commit(Put({incarnations[static_cast<size_t>(n)], ++sequence},
                                               key, version, std::to_string(before + 1)));
        if (verdict.ok() && verdict->kind == VerdictKind::kAccepted) {
          ++accepted;
        } else if (verdict.ok() && verdict->kind == VerdictKind::kConflict) {
          ++conflicts;
        } else {
          break;
        }
      }
      if (!stop) ++failures;
      resent += writer.resent();
    });
  }
  for (int kill = 0; kill < 4; ++kill) {
    env::BlockThreadFor(std::chrono::milliseconds(400));
    const int leader = cluster.Leader();
    if (leader == 0) continue;
    // Away from the question's own round, so that deaths meet writers in all their steps.
    env::BlockThreadFor(std::chrono::microseconds(700 * kill));
    cluster.Kill(leader, SIGKILL);
    cluster.Start(leader);
  }
  stop = true;
  for (env::Thread& thread : threads) thread.Join();
  EXPECT_EQ(failures, 0);
  EXPECT_GT(conflicts, 0);
  int sum = 0;
  for (int n = 0; n < 3; ++n) {
    const std::string text = StrongRead(cluster, 1 + n, "counter" + std::to_string(n));
    ASSERT_FALSE(text.empty());
    sum += std::stoi(text);
  }
  EXPECT_EQ(sum, accepted);
  RecordProperty("accepted", accepted);
  RecordProperty("resent", resent);
  RecordProperty("conflicts", conflicts);
}

TEST(ClusterTest, EverythingIsThereAfterAllMembersDieAtOnce) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  for (int round = 0; round < 3; ++round) {
    for (uint64_t i = 1; i <= 50; ++i) {
      const uint64_t n = static_cast<uint64_t>(round) * 50 + i;
      const auto verdict =
          cluster.CommitAnywhere(Put({w, n}, "k" + std::to_string(n), Version(0), "v"));
      ASSERT_TRUE(verdict.ok());
      ASSERT_EQ(verdict->version, Version(n));
    }
    // SIGKILL, and once a clean stop, after which the store has everything flushed.
    for (int member = 1; member <= 3; ++member)
      cluster.Kill(member, round == 1 ? SIGTERM : SIGKILL);
    for (int member = 1; member <= 3; ++member) cluster.Start(member);
  }
  for (uint64_t n = 1; n <= 150; n += 7) {
    EXPECT_EQ(StrongRead(cluster, 1 + static_cast<int>(n % 3), "k" + std::to_string(n)), "v") << n;
  }
  // The window and the verdicts are back too.
  const auto conflict = cluster.CommitAnywhere(Put({w, 151}, "k150", Version(10), "x"));
  EXPECT_EQ(conflict->kind, VerdictKind::kConflict);
  EXPECT_EQ(conflict->winner, (TxnId{w, 150}));
  EXPECT_EQ(cluster.CommitAnywhere(Put({w, 3}, "k3", Version(0), "v"))->version, Version(3));
}

TEST(ClusterTest, WritesGoOnSoonAfterTheLeadersDeath) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  ASSERT_TRUE(cluster.CommitAnywhere(Put({w, 1}, "a", Version(0), "x")).ok());
  cluster.Kill(cluster.Leader(), SIGKILL);
  const auto killed = env::SystemClock().Monotonic();
  ASSERT_EQ(cluster.CommitAnywhere(Put({w, 2}, "b", Version(0), "x"))->kind,
            VerdictKind::kAccepted);
  const auto gap = env::SystemClock().Monotonic() - killed;
  RecordProperty("gap_ms", static_cast<int>(gap.count() / 1000));
  EXPECT_LT(gap, std::chrono::seconds(5));
}

TEST(ClusterTest, SigtermHandsLeadershipOver) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  const int leader = cluster.Leader();
  cluster.Kill(leader, SIGTERM);
  EXPECT_NE(cluster.LogOf(leader).find("handing over leadership"), std::string::npos);
  EXPECT_EQ(cluster.CommitAnywhere(Put({w, 1}, "a", Version(0), "x"))->kind,
            VerdictKind::kAccepted);
}

TEST(ClusterTest, AdministrationAndHealth) {
  TestCluster cluster(3);
  const int leader = cluster.Leader();
  ASSERT_NE(leader, 0);
  rpc::AdminClient admin;
  const auto status = [&](int member) {
    return admin.Call<v1::StorageStatusRequest, v1::StorageStatusResponse>(
        cluster.admin_address(member), "/borealis.v1.StorageAdmin/Status", {},
        std::chrono::seconds(5));
  };
  auto answer = status(leader);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->role(), "leader");
  EXPECT_EQ(answer->leader_id(), static_cast<uint64_t>(leader));
  EXPECT_EQ(answer->cluster_id(), cluster.cluster().ToString());
  EXPECT_EQ(answer->peers_size(), 2);
  EXPECT_TRUE(answer->serving());
  EXPECT_EQ(answer->boot_number(), 1u);
  EXPECT_NE(cluster.HttpGet(leader, "/healthz").find("200"), std::string::npos);
  EXPECT_NE(cluster.HttpGet(leader, "/readyz").find("200"), std::string::npos);
  EXPECT_NE(cluster.HttpGet(leader, "/metrics").find("borealis_storage_log_syncs"),
            std::string::npos);

  const int target = leader % 3 + 1;
  v1::TransferLeadershipRequest transfer;
  transfer.set_target_member_id(static_cast<uint64_t>(target));
  const auto moved = admin.Call<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
      cluster.admin_address(leader), "/borealis.v1.StorageAdmin/TransferLeadership", transfer,
      std::chrono::seconds(5));
  ASSERT_TRUE(moved.ok()) << moved.status().ToString();
  for (int i = 0; i < 100 && cluster.Leader() != target; ++i) {
  }
  EXPECT_EQ(cluster.Leader(), target);

  // A paused leader is replaced, and follows when it wakes.
  const Incarnation w = cluster.Allocate("w", 1);
  v1::PauseRequest pause;
  pause.set_duration_ms(2500);
  const auto paused = admin.Call<v1::PauseRequest, v1::PauseResponse>(
      cluster.admin_address(target), "/borealis.v1.StorageAdmin/Pause", pause,
      std::chrono::seconds(5));
  ASSERT_TRUE(paused.ok()) << paused.status().ToString();
  ASSERT_EQ(cluster.CommitAnywhere(Put({w, 1}, "a", Version(0), "x"))->kind,
            VerdictKind::kAccepted);
  EXPECT_NE(cluster.Leader(), target);
  EXPECT_EQ(StrongRead(cluster, target, "a"), "x");
  answer = status(target);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->role(), "follower");
  EXPECT_TRUE(answer->serving());
}

// The answer of the member's administration to Crash; kUnavailable when it died of it.
Code Crash(const TestCluster& cluster, int member) {
  rpc::AdminClient admin;
  return admin
      .Call<v1::CrashRequest, v1::CrashResponse>(cluster.admin_address(member),
                                                 "/borealis.v1.StorageAdmin/Crash", {},
                                                 std::chrono::seconds(5))
      .code();
}

TEST(ClusterTest, CrashIsADeathBySigkill) {
  TestCluster cluster(3);
  const Incarnation w = cluster.Allocate("w", 1);
  const int leader = cluster.Leader();
  ASSERT_NE(leader, 0);
  EXPECT_EQ(Crash(cluster, leader), Code::kUnavailable);
  EXPECT_EQ(cluster.WaitForExit(leader), 128 + SIGKILL);
  EXPECT_EQ(cluster.LogOf(leader).find("handing over leadership"), std::string::npos);
  EXPECT_EQ(cluster.CommitAnywhere(Put({w, 1}, "a", Version(0), "x"))->kind,
            VerdictKind::kAccepted);
}

TEST(ClusterTest, CrashIsRefusedWithoutItsFlag) {
  TestCluster cluster(1, {});
  ASSERT_EQ(cluster.Leader(), 1);
  EXPECT_EQ(Crash(cluster, 1), Code::kUnsupported);
  EXPECT_EQ(cluster.Leader(), 1);
  cluster.Kill(1, SIGTERM);
}

TEST(ProgramTest, WrongFlagsAndFoldersAreRefused) {
  std::string out;
  EXPECT_EQ(RunStorage({"--no-such-flag=1"}, &out), 2) << out;
  EXPECT_NE(out.find("no-such-flag"), std::string::npos) << out;
  EXPECT_EQ(RunStorage({"--member-id=1"}, &out), 2) << out;
  const std::vector<std::string> good = {"--member-id=1",
                                         "--cluster-id=6f9619ff-8b86-4011-b42d-00c04fc964ff",
                                         "--data-dir=/tmp/borealis-none", "--listen=127.0.0.1:0"};
  auto args = good;
  args.push_back("--peer=nonsense");
  EXPECT_EQ(RunStorage(args, &out), 2) << out;
  EXPECT_NE(out.find("nonsense"), std::string::npos);
  args.back() = "--peer=2=127.0.0.1:7100";
  EXPECT_EQ(RunStorage(args, &out), 2) << out;

  // An address, or a folder, that another process has.
  TestCluster cluster(1);
  ASSERT_NE(cluster.Leader(), 0);
  args = {"--member-id=1",
          "--cluster-id=" + cluster.cluster().ToString(),
          "--data-dir=" + cluster.folder() + "/other",
          "--listen=" + cluster.address(1),
          "--admin-listen=127.0.0.1:0",
          "--http-listen=127.0.0.1:0",
          "--peer=1=" + cluster.address(1)};
  EXPECT_EQ(RunStorage(args, &out), 75) << out;
  args[2] = "--data-dir=" + cluster.folder() + "/1";
  args[3] = "--listen=127.0.0.1:0";
  EXPECT_EQ(RunStorage(args, &out), 75) << out;

  // Another cluster's data, and a member id that is not the folder's.
  cluster.Kill(1, SIGTERM);
  args = {"--member-id=1",
          "--cluster-id=00000000-8b86-4011-b42d-00c04fc964ff",
          "--data-dir=" + cluster.folder() + "/1",
          "--listen=127.0.0.1:0",
          "--admin-listen=127.0.0.1:0",
          "--http-listen=127.0.0.1:0",
          "--peer=1=127.0.0.1:7100"};
  EXPECT_EQ(RunStorage(args, &out), 78) << out;
  args[0] = "--member-id=2";
  args[1] = "--cluster-id=" + cluster.cluster().ToString();
  args.back() = "--peer=2=127.0.0.1:7100";
  EXPECT_EQ(RunStorage(args, &out), 78) << out;
}

}  // namespace
}  // namespace borealis::storage_main
