// The client against members that speak real frames over loopback; what they decide comes from
// FakeCluster.
#include "writer-node/storage_client/storage_client.h"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "writer-node/fake_storage/fake_storage.h"

namespace borealis::storage_client {
namespace {

using fake_storage::FakeCluster;
using fake_storage::FakeStorage;
using wire::FrameType;

const ClusterId kCluster = ClusterId::Parse("11111111-2222-4333-8444-555555555555").value();
const Bytes kPrefix = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(9), IndexId(1));

// Shared by the members of one test.
struct Group {
  explicit Group(env::Loop* loop) : cluster(loop) {}
  FakeCluster cluster;
  MemberId leader{1};
};

class FakeMember : public rpc::ChannelHandler, public StreamObserver {
 public:
  FakeMember(Group* group, env::Network& network, MemberId id)
      : group_(group), id_(id), view_(&group->cluster, "member") {
    view_.AddObserver(this);
    rpc::Hello hello;
    hello.cluster = kCluster;
    hello.id = id.value();
    auto server = rpc::ChannelServer::Start(
        network, "127.0.0.1:0", [hello] { return hello; },
        [this](std::unique_ptr<rpc::Channel> channel) {
          channel->SetHandler(this);
          channels_.push_back(std::move(channel));
        });
    BOREALIS_CHECK(server.ok());
    server_ = std::move(*server);
    address = "127.0.0.1:" + std::to_string(server_->port());
  }
  ~FakeMember() override { view_.RemoveObserver(this); }

  void Kill() {
    server_.reset();
    channels_.clear();
    subscribers_.clear();
  }
  // Answers nothing and streams nothing any more, as a stopped process.
  bool mute = false;
  // Certifies, but the verdicts get lost with the channel.
  bool lose_verdicts = false;
  int read_indexes = 0;
  int commit_frames = 0;
  int subscriptions = 0;
  std::string address;

  void OnFrame(rpc::Channel& channel, uint8_t type, uint64_t id, ByteView payload) override {
    if (mute) return;
    auto reply = [&](FrameType t, Bytes bytes) {
      channel.Send(static_cast<uint8_t>(t), id, std::move(bytes));
    };
    const bool leads = group_->leader == id_;
    auto not_leader = [&] {
      reply(FrameType::kError,
            wire::EncodeError({Code::kNotLeader, group_->leader, "not the leader"}));
    };
    switch (static_cast<FrameType>(type)) {
      case FrameType::kCommitBatch:
        return Commit(channel, id, payload);
      case FrameType::kReadIndex:
        ++read_indexes;
        return reply(FrameType::kReadIndexReply,
                     wire::EncodeReadIndexReply(
                         {leads, leads ? group_->cluster.version() : Version(), group_->leader}));
      case FrameType::kGet: {
        auto request = wire::DecodeGet(payload);
        auto values =
            view_.MultiGet(request->version, {request->keys.begin(), request->keys.end()});
        wire::GetReply out;
        for (const auto& v : *values)
          out.values.push_back({v.has_value(), v ? ByteView(*v) : ByteView()});
        return reply(FrameType::kGetReply, wire::EncodeGetReply(out));
      }
      case FrameType::kScan: {
        auto request = wire::DecodeScan(payload);
        auto page =
            view_.Scan(request->version, {Bytes(request->start), Bytes(request->end),
                                          request->reverse, request->rows_max, request->bytes_max});
        wire::ScanReply out;
        out.more = page->more;
        out.resume = page->resume;
        for (const auto& row : page->rows) out.rows.push_back({row.key, row.value});
        return reply(FrameType::kScanReply, wire::EncodeScanReply(out));
      }
      case FrameType::kSubscribe: {
        ++subscriptions;
        auto request = wire::DecodeSubscribe(payload);
        subscribers_.push_back({&channel, id, request->after, request->origin});
        return Pump();
      }
      case FrameType::kAllocateIncarnation:
        if (!leads) return not_leader();
        return reply(FrameType::kAllocateIncarnationReply,
                     wire::EncodeIncarnationId(group_->cluster.Allocate()));
      case FrameType::kResolveTxn: {
        if (!leads) return not_leader();
        Bytes out;
        wire::AppendVerdict(&out, group_->cluster.Resolve(*wire::DecodeResolveTxn(payload)));
        return reply(FrameType::kResolveTxnReply, out);
      }
      default:
        return;
    }
  }
  void OnClose(rpc::Channel& channel, const Status&) override {
    std::erase_if(subscribers_, [&](const Subscriber& s) { return s.channel == &channel; });
    std::erase_if(channels_, [&](const auto& c) { return c.get() == &channel; });
  }
  void OnApplied(const wire::StreamRequest& request) override {
    Logged logged{request.version, request.txn, {}};
    for (const auto& a : request.accesses)
      logged.accesses.emplace_back(a.op, Bytes(a.key), Bytes(a.value));
    log_.push_back(std::move(logged));
  }
  void OnAdvanced(Version) override { Pump(); }
  void OnGap(Version) override {}

 private:
  struct Subscriber {
    rpc::Channel* channel;
    uint64_t id;
    Version after;
    Incarnation origin;
  };
  struct Logged {
    Version version;
    TxnId txn;
    std::vector<std::tuple<wire::Op, Bytes, Bytes>> accesses;
  };

  void Commit(rpc::Channel& channel, uint64_t id, ByteView payload) {
    ++commit_frames;
    std::vector<wire::Verdict> verdicts;
    const Result<std::vector<ByteView>> requests = wire::ParseCommitBody(payload);
    for (ByteView request : *requests) {
      if (group_->leader == id_) {
        verdicts.push_back(group_->cluster.Certify(request));
      } else {
        wire::Verdict verdict;
        verdict.txn = wire::RequestView::Parse(request)->txn_id();
        verdict.leader = group_->leader;
        verdicts.push_back(verdict);
      }
    }
    if (!lose_verdicts) {
      channel.Send(static_cast<uint8_t>(FrameType::kVerdicts), id, wire::EncodeVerdicts(verdicts));
    } else {
      lose_verdicts = false;
      channel.loop().Post([this] {
        channels_.clear();
        subscribers_.clear();
      });
    }
  }
  void Pump() {
    if (mute) return;
    for (Subscriber& s : subscribers_) {
      wire::StreamBatch batch;
      batch.certified_up_to = group_->cluster.version();
      for (const Logged& logged : log_) {
        if (logged.version <= s.after) continue;
        wire::StreamRequest request{
            logged.version, logged.txn, logged.txn.incarnation == s.origin, {}};
        if (!request.own) {
          for (const auto& [op, key, value] : logged.accesses)
            request.accesses.push_back({op, key, value});
        }
        batch.requests.push_back(std::move(request));
        s.after = logged.version;
      }
      s.channel->Send(static_cast<uint8_t>(FrameType::kStreamBatch), s.id,
                      wire::EncodeStreamBatch(batch));
    }
  }

  Group* const group_;
  const MemberId id_;
  FakeStorage view_;
  std::vector<Logged> log_;
  std::unique_ptr<rpc::ChannelServer> server_;
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
  std::vector<Subscriber> subscribers_;
};

// Notes what the stream brings.
struct Recorder : StreamObserver {
  void OnApplied(const wire::StreamRequest& request) override {
    versions.push_back(request.version.value());
    for (const auto& a : request.accesses) rows[Bytes(a.key)] = Bytes(a.value);
  }
  void OnAdvanced(Version) override {}
  void OnGap(Version) override { ++gaps; }
  std::vector<uint64_t> versions;
  std::map<Bytes, Bytes> rows;
  int gaps = 0;
};

struct Fixture {
  Fixture(env::Loop& loop, env::Network& network) : loop(loop), group(&loop), random(1) {
    for (uint64_t id = 1; id <= 3; ++id) {
      members.push_back(std::make_unique<FakeMember>(&group, network, MemberId(id)));
    }
    StorageClientOptions options;
    options.cluster = kCluster;
    options.writer_name = "w-0";
    options.zone = "z2";
    options.read_timeout = Milliseconds(1500);
    options.resolve_timeout = Milliseconds(200);
    for (uint64_t id = 1; id <= 3; ++id) {
      options.members.push_back({MemberId(id), members[id - 1]->address, "z" + std::to_string(id)});
    }
    client =
        std::make_unique<StorageClient>(loop, network, random, obs::Logger(), &metrics, options);
    client->AddObserver(&recorder);
    // The stream is to come from the member of the writer's zone: it must be there first.
    for (int i = 0; i < 500 && client->members_up() < 3; ++i) {
      EXPECT_TRUE(env::FiberSleep(std::chrono::milliseconds(2)).ok());
    }
    const Status opened = client->Open(Milliseconds(3000));
    EXPECT_TRUE(opened.ok()) << opened.ToString();
  }
  ~Fixture() { client->Stop(); }

  FakeMember& member(uint64_t id) { return *members[id - 1]; }
  Result<wire::Verdict> Put(const std::string& key, const std::string& value,
                            Milliseconds timeout = Milliseconds(3000)) {
    wire::RequestBuilder builder;
    builder.AddPoint(wire::AccessKind::kUpdate, wire::Op::kPut, kPrefix + key, value,
                     group.cluster.version());
    return client->Commit(client->NextTxnId(), builder, timeout);
  }

  env::Loop& loop;
  Group group;
  env::SeededRandom random;
  obs::Registry metrics;
  Recorder recorder;
  std::vector<std::unique_ptr<FakeMember>> members;
  std::unique_ptr<StorageClient> client;
};

void WithMembers(const std::function<void(Fixture&)>& body) {
  env::AsioLoop loop("test");
  std::unique_ptr<env::Network> network = env::MakeAsioNetwork(loop);
  std::promise<void> done;
  loop.Post([&] {
    env::Spawn(loop, "test", [&] {
      {
        Fixture fixture(loop, *network);
        body(fixture);
      }
      loop.Post([&] { done.set_value(); });
    });
  });
  loop.Start();
  done.get_future().wait();
  loop.Stop();
}

TEST(StorageClient, CommitsReadsAndFollowsTheStream) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.client->incarnation());
    EXPECT_EQ(f.client->stream_source(), MemberId(2));  // of its zone
    auto verdict = f.Put("a", "1");
    ASSERT_TRUE(verdict.ok());
    ASSERT_EQ(verdict->kind, wire::VerdictKind::kAccepted);
    EXPECT_TRUE(f.client->WaitForLocal(verdict->version, Milliseconds(1000)).ok());
    EXPECT_EQ(f.recorder.rows[kPrefix + "a"], "1");  // its own, with the accesses
    EXPECT_EQ(*f.client->ReadIndex(Milliseconds(1000)), verdict->version);
    auto values = f.client->MultiGet(verdict->version, {kPrefix + "a", kPrefix + "b"});
    ASSERT_TRUE(values.ok());
    EXPECT_EQ((*values)[0], "1");
    EXPECT_FALSE((*values)[1].has_value());
    auto page = f.client->Scan(verdict->version, {kPrefix, wire::PrefixEnd(kPrefix), false, 10, 0});
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->rows.size(), 1u);
    // Another writer's commit arrives as well.
    FakeStorage other(&f.group.cluster, "w-1");
    wire::RequestBuilder builder;
    builder.AddPoint(wire::AccessKind::kUpdate, wire::Op::kPut, kPrefix + "b", "2",
                     verdict->version);
    EXPECT_TRUE(other.Commit(other.NextTxnId(), builder, {}).ok());
    EXPECT_TRUE(f.client->WaitForLocal(f.group.cluster.version(), Milliseconds(1000)).ok());
    EXPECT_EQ(f.recorder.rows[kPrefix + "b"], "2");
  });
}

TEST(StorageClient, OneTurnIsOneBatchAndReadIndexesAreShared) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.Put("warm", "1").ok());
    const int frames = f.member(1).commit_frames;
    const int reads = f.member(1).read_indexes;
    std::vector<env::FiberHandle> fibers;
    int committed = 0, read = 0;
    for (int i = 0; i < 50; ++i) {
      fibers.push_back(
          env::Spawn(f.loop, "c", [&, i] { committed += f.Put(std::to_string(i), "x").ok(); }));
      fibers.push_back(
          env::Spawn(f.loop, "r", [&] { read += f.client->ReadIndex(Milliseconds(1000)).ok(); }));
    }
    for (auto& fiber : fibers) fiber.Join();
    EXPECT_EQ(committed, 50);
    EXPECT_EQ(read, 50);
    EXPECT_LE(f.member(1).commit_frames - frames, 3);
    EXPECT_LE(f.member(1).read_indexes - reads, 3);
  });
}

TEST(StorageClient, FollowsANewLeader) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.Put("a", "1").ok());
    f.group.leader = MemberId(3);
    EXPECT_EQ(f.Put("a", "2")->kind, wire::VerdictKind::kAccepted);
    EXPECT_EQ(f.client->leader(), MemberId(3));
    f.group.leader = MemberId(2);
    EXPECT_TRUE(f.client->ReadIndex(Milliseconds(1000)).ok());
    EXPECT_EQ(f.client->leader(), MemberId(2));
  });
}

TEST(StorageClient, LeavesAHungLeader) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.Put("a", "1").ok());
    f.member(1).mute = true;
    f.group.leader = MemberId(3);
    EXPECT_EQ(f.Put("a", "2")->kind, wire::VerdictKind::kAccepted);
    EXPECT_TRUE(f.client->ReadIndex(Milliseconds(2000)).ok());
  });
}

TEST(StorageClient, LostVerdictIsAskedForAgainAndCommitsOnce) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.Put("a", "1").ok());
    const Version before = f.group.cluster.version();
    f.member(1).lose_verdicts = true;
    auto verdict = f.Put("a", "2");
    ASSERT_TRUE(verdict.ok());
    EXPECT_EQ(verdict->kind, wire::VerdictKind::kAccepted);
    EXPECT_EQ(f.group.cluster.version(), before.Next());
  });
}

TEST(StorageClient, StreamMovesFromASilentMemberWithoutGapOrRepeat) {
  WithMembers([](Fixture& f) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(f.Put("k" + std::to_string(i), "v").ok());
    ASSERT_EQ(f.client->stream_source(), MemberId(2));
    f.member(2).mute = true;
    for (int i = 5; i < 10; ++i) EXPECT_TRUE(f.Put("k" + std::to_string(i), "v").ok());
    EXPECT_TRUE(f.client->WaitForLocal(f.group.cluster.version(), Milliseconds(2000)).ok());
    EXPECT_NE(f.client->stream_source(), MemberId(2));
    f.members[2]->Kill();
    f.members[0]->mute = false;
    EXPECT_TRUE(f.Put("last", "v").ok());
    EXPECT_TRUE(f.client->WaitForLocal(f.group.cluster.version(), Milliseconds(2000)).ok());
    for (size_t i = 1; i < f.recorder.versions.size(); ++i) {
      EXPECT_EQ(f.recorder.versions[i], f.recorder.versions[i - 1] + 1);
    }
    EXPECT_EQ(f.recorder.versions.size(), 11u);
    EXPECT_EQ(f.recorder.gaps, 0);
  });
}

TEST(StorageClient, ReadsGoToAnotherMember) {
  WithMembers([](Fixture& f) {
    auto verdict = f.Put("a", "1");
    ASSERT_TRUE(verdict.ok());
    f.member(2).mute = true;
    auto values = f.client->MultiGet(verdict->version, {kPrefix + "a"});
    ASSERT_TRUE(values.ok()) << values.status().ToString();
    EXPECT_EQ((*values)[0], "1");
  });
}

TEST(StorageClient, SaysWhatItKnowsWhenThereIsNoQuorum) {
  WithMembers([](Fixture& f) {
    EXPECT_TRUE(f.Put("a", "1").ok());
    // All refuse, as in an election that does not end: nothing was taken by anyone.
    f.group.leader = MemberId();
    EXPECT_EQ(f.Put("b", "1", Milliseconds(100)).code(), Code::kUnavailable);
    for (auto& member : f.members) member->mute = true;
    EXPECT_EQ(f.client->ReadIndex(Milliseconds(100)).code(), Code::kUnavailable);
    // Something was sent: nobody knows.
    EXPECT_EQ(f.Put("b", "1", Milliseconds(100)).code(), Code::kOutcomeUnknown);
    for (auto& member : f.members) member->Kill();
    while (f.client->members_up() > 0)
      EXPECT_TRUE(env::FiberSleep(std::chrono::milliseconds(2)).ok());
    // Nothing was sent: it did not happen.
    EXPECT_EQ(f.Put("c", "1", Milliseconds(100)).code(), Code::kUnavailable);
  });
}

}  // namespace
}  // namespace borealis::storage_client
