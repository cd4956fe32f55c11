#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/wire/keys.h"
#include "common/wire/log_entry.h"
#include "common/wire/messages.h"
#include "common/wire/request.h"

namespace borealis::wire {
namespace {

const Bytes kPrefix = MakeKeyPrefix(Keyspace::kUser, TableId(7), IndexId(1));

Bytes SampleRequest() {
  RequestBuilder b;
  b.AddPoint(AccessKind::kUpdate, Op::kPut, kPrefix + "k", "value", Version(41));
  b.AddReadRange(kPrefix + "a", kPrefix + "c", Version(42));
  return b.Finish({Incarnation(3), 9}, 8);
}

TEST(Keys, PrefixSortsAndParses) {
  EXPECT_EQ(ToHex(kPrefix), "020000000700000001");
  EXPECT_EQ(ParseKeyPrefix(kPrefix + "xyz")->table, TableId(7));
  EXPECT_FALSE(ParseKeyPrefix("short"));
  EXPECT_FALSE(ParseKeyPrefix(Bytes(9, '\x07')));
  EXPECT_EQ(KeySuffix(kPrefix + "xyz"), "xyz");
  EXPECT_LT(kPrefix + Bytes(100, '\xff'), PrefixEnd(kPrefix));
  EXPECT_EQ(PrefixEnd(Bytes("\x01\xff\xff", 3)), Bytes("\x02", 1));
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_LT(Bytes("a"), KeyAfter("a"));
}

// The bytes are a format on disk: this text changes only together with kRequestFormat.
TEST(Request, GoldenBytes) {
  EXPECT_EQ(ToHex(SampleRequest()),
            "01000000"
            "02000000"
            "0300000000000000"
            "0900000000000000"
            "0800000000000000"
            "1e000000"
            "05000000"
            "00040100"
            "0a000000"
            "00000000"
            "05000000"
            "2900000000000000"
            "01050000"
            "0a000000"
            "0a000000"
            "00000000"
            "2a00000000000000"
            "0200000007000000016b"
            "02000000070000000161"
            "02000000070000000163"
            "76616c7565");
}

TEST(Request, RoundTrip) {
  const Bytes bytes = SampleRequest();
  Result<RequestView> view = RequestView::Parse(bytes);
  ASSERT_TRUE(view.ok()) << view.status().ToString();
  EXPECT_EQ(view->txn_id(), (TxnId{Incarnation(3), 9}));
  EXPECT_EQ(view->acked_watermark(), 8u);
  const std::vector<Access> accesses = view->Decode();
  ASSERT_EQ(accesses.size(), 2u);
  EXPECT_EQ(accesses[0].value, "value");
  EXPECT_EQ(accesses[0].base_version, Version(41));
  EXPECT_EQ(accesses[1].shape, AccessShape::kRange);
  EXPECT_EQ(accesses[1].end, kPrefix + "c");
  EXPECT_EQ(view->At(1)->key, kPrefix + "a");
  EXPECT_FALSE(view->At(2).ok());
}

TEST(Request, RefusesWhatIsWrong) {
  struct Case {
    const char* what;
    size_t offset;
    uint8_t value;
    Code code;
  };
  const Case cases[] = {
      {"newer format", 0, 2, Code::kUnsupported},
      {"format zero", 0, 0, Code::kCorruption},
      {"flags", 1, 1, Code::kCorruption},
      {"reserved", 2, 1, Code::kCorruption},
      {"count too large", 7, 0xff, Code::kCorruption},
      {"count too small", 4, 1, Code::kCorruption},
      {"no incarnation", 8, 0, Code::kCorruption},
      {"watermark covers itself", 24, 9, Code::kCorruption},
      {"keys_bytes", 35, 0xff, Code::kCorruption},
      {"shape", 40, 2, Code::kCorruption},
      {"kind zero", 41, 0, Code::kCorruption},
      {"kind seven", 41, 7, Code::kCorruption},
      {"read with put", 41, 5, Code::kCorruption},
      {"key share with put", 41, 1, Code::kCorruption},
      {"op delta", 42, 3, Code::kUnsupported},
      {"op message", 42, 4, Code::kUnsupported},
      {"op five", 42, 5, Code::kCorruption},
      {"reserved of record", 43, 1, Code::kCorruption},
      {"key length", 44, 0xff, Code::kCorruption},
      {"value length", 52, 4, Code::kCorruption},
      {"range that updates", 65, 4, Code::kCorruption},
      {"keyspace", 88, 9, Code::kCorruption},
      {"end in another index", 116, 9, Code::kCorruption},
      {"start after end", 107, 'd', Code::kCorruption},
  };
  for (const Case& c : cases) {
    Bytes bytes = SampleRequest();
    ASSERT_LT(c.offset, bytes.size());
    bytes[c.offset] = static_cast<char>(c.value);
    Result<RequestView> view = RequestView::Parse(bytes);
    ASSERT_FALSE(view.ok()) << c.what;
    EXPECT_EQ(view.code(), c.code) << c.what;
  }
  for (size_t n = 0; n < SampleRequest().size(); ++n) {
    EXPECT_FALSE(RequestView::Parse(SampleRequest().substr(0, n)).ok()) << n;
  }
  EXPECT_FALSE(RequestView::Parse(SampleRequest() + "x").ok());
}

TEST(Request, LockMatrixIsPostgreSQLs) {
  using K = AccessKind;
  const K modes[] = {K::kKeyShare, K::kShare, K::kNoKeyUpdate, K::kUpdate};
  const bool expected[4][4] = {{false, false, false, true},
                               {false, false, true, true},
                               {false, true, true, true},
                               {true, true, true, true}};
  for (int a = 0; a < 4; ++a) {
    for (int b = 0; b < 4; ++b) EXPECT_EQ(LocksConflict(modes[a], modes[b]), expected[a][b]);
  }
  EXPECT_TRUE(AccessConflicts(K::kRead, K::kNoKeyUpdate, Op::kPut));
  EXPECT_TRUE(AccessConflicts(K::kRead, K::kWriteUnchecked, Op::kDelete));
  EXPECT_FALSE(AccessConflicts(K::kRead, K::kUpdate, Op::kNone));
  EXPECT_FALSE(AccessConflicts(K::kWriteUnchecked, K::kUpdate, Op::kPut));
}

TEST(LogEntry, GoldenBytesAndRoundTrips) {
  EXPECT_EQ(ToHex(EncodeNoop()), "01010000");
  EXPECT_EQ(ToHex(EncodeResolve({Incarnation(3), 9})), "0601000003000000000000000900000000000000");
  EXPECT_EQ(ToHex(EncodeIncarnation({IncarnationEntry::Action::kAllocate, 5, {}, "w"})),
            "0701000001050000000000000000000000000000000100000077");
  EXPECT_EQ(ToHex(EncodeHorizon(Version(6))), "080100000600000000000000");
  EXPECT_EQ(ToHex(EncodeLevel(2)), "0c01000002000000");
  CommitBodyBuilder commit;
  commit.Add("ab");
  CommitBodyBuilder other;
  other.Add("c");
  commit.AddBody(other.body());
  const Bytes entry = EncodeEntry(EntryType::kCommit, commit.Take());
  EXPECT_EQ(ToHex(entry),
            "03010000"
            "02000000"
            "02000000"
            "6162"
            "01000000"
            "63");
  EXPECT_EQ(commit.count(), 0u);
  Result<EntryView> view = ParseEntry(entry);
  ASSERT_TRUE(view.ok());
  EXPECT_THAT(*ParseCommitBody(view->body), testing::ElementsAre("ab", "c"));

  const Bytes config =
      EncodeConfig({{{MemberId(1), 1, "a:1", "z1"}, {MemberId(2), 2, "b:1", "z2"}}});
  Result<ConfigEntry> decoded = DecodeConfig(ParseEntry(config)->body);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->members[1].zone, "z2");
  const Bytes lock = EncodeLock({LockEntry::Action::kAcquire, 3, Incarnation(4), 5, "obj"});
  EXPECT_EQ(DecodeLock(ParseEntry(lock)->body)->object, "obj");
  const Bytes limits = EncodeLimits({{{LimitId::kWindowBytes, 77}}});
  EXPECT_EQ(DecodeLimits(ParseEntry(limits)->body)->limits[0].second, 77u);
  const Bytes chunk = EncodeCommitChunk({{Incarnation(1), 2}, 3, "req"});
  EXPECT_EQ(DecodeCommitChunk(ParseEntry(chunk)->body)->request, "req");
  const Bytes final_entry = EncodeCommitFinal({{Incarnation(1), 2}, 3, false});
  EXPECT_FALSE(DecodeCommitFinal(ParseEntry(final_entry)->body)->commit);
  const Bytes mark = EncodeVerdictWatermark({Incarnation(1), 2});
  EXPECT_EQ(DecodeVerdictWatermark(ParseEntry(mark)->body)->sequence, 2u);
}

TEST(LogEntry, NewerThingsAreUnsupportedNotSkipped) {
  EXPECT_EQ(ParseEntry(Bytes("\x0d\x01\0\0", 4)).code(), Code::kUnsupported);
  EXPECT_EQ(ParseEntry(Bytes("\x01\x02\0\0", 4)).code(), Code::kUnsupported);
  EXPECT_EQ(ParseEntry(Bytes("\x01\x01\x01\0", 4)).code(), Code::kCorruption);
  EXPECT_EQ(ParseEntry("\x01").code(), Code::kCorruption);
}

TEST(Messages, RoundTrips) {
  Verdict v;
  v.txn = {Incarnation(1), 2};
  v.kind = VerdictKind::kConflict;
  v.access_index = 3;
  v.winner_kind = AccessKind::kNoKeyUpdate;
  v.winner = {Incarnation(4), 5};
  Bytes one;
  AppendVerdict(&one, v);
  EXPECT_EQ(one.size(), kVerdictBytes);
  EXPECT_EQ(ToHex(one),
            "01000000000000000200000000000000"
            "0203000003000000"
            "0000000000000000"
            "04000000000000000500000000000000"
            "0000000000000000");
  EXPECT_EQ(*DecodeVerdict(one), v);
  EXPECT_THAT(*DecodeVerdicts(EncodeVerdicts({v, v})), testing::ElementsAre(v, v));
  EXPECT_EQ(DecodeReadIndexReply(EncodeReadIndexReply({true, Version(7), {}}))->version,
            Version(7));
  const Bytes get = EncodeGet({Version(3), {"a", "bc"}});
  EXPECT_THAT(DecodeGet(get)->keys, testing::ElementsAre("a", "bc"));
  const Bytes get_reply = EncodeGetReply({{{true, "x"}, {false, ""}}});
  EXPECT_EQ(DecodeGetReply(get_reply)->values[0].value, "x");
  EXPECT_FALSE(DecodeGetReply(get_reply)->values[1].found);
  const Bytes scan = EncodeScan({Version(3), "a", "b", true, 5, 6});
  EXPECT_TRUE(DecodeScan(scan)->reverse);
  EXPECT_EQ(DecodeScan(scan)->bytes_max, 6u);
  const Bytes scan_reply = EncodeScanReply({{{"k", "v"}}, true, "r"});
  EXPECT_EQ(DecodeScanReply(scan_reply)->rows[0].value, "v");
  EXPECT_EQ(DecodeScanReply(scan_reply)->resume, "r");
  const Bytes stream = EncodeStreamBatch(
      {Version(9),
       {{Version(9), {Incarnation(1), 2}, false, {{Op::kPut, "k", "v"}, {Op::kDelete, "d", ""}}},
        {Version(10), {Incarnation(3), 4}, true, {}}}});
  Result<StreamBatch> batch = DecodeStreamBatch(stream);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->requests[0].accesses[1].op, Op::kDelete);
  EXPECT_TRUE(batch->requests[1].own);
  EXPECT_EQ(DecodeSubscribe(EncodeSubscribe({Version(1), Incarnation(2)}))->origin, Incarnation(2));
  EXPECT_EQ(DecodeAllocateIncarnation(EncodeAllocateIncarnation({8, "w"}))->writer_name, "w");
  EXPECT_EQ(*DecodeIncarnationId(EncodeIncarnationId(Incarnation(4))), Incarnation(4));
  EXPECT_EQ(DecodeResolveTxn(EncodeResolveTxn({Incarnation(1), 2}))->sequence, 2u);
  const Bytes error = EncodeError({Code::kNotLeader, MemberId(3), "no"});
  EXPECT_EQ(DecodeError(error)->leader, MemberId(3));
  EXPECT_EQ(DecodeError(Bytes("\xc8") + error.substr(1))->code, Code::kInternal);
}

// Every decoder on random bytes, and on valid bytes with random damage: no crash, no huge
// allocation.
TEST(Messages, GarbageNeverCrashes) {
  std::mt19937_64 random(20260101);
  const std::vector<Bytes> seeds = {
      SampleRequest(),
      EncodeGet({Version(3), {"a", "bc"}}),
      EncodeScanReply({{{"k", "v"}}, true, "r"}),
      EncodeGetReply({{{true, "x"}}}),
      EncodeStreamBatch(
          {Version(9), {{Version(9), {Incarnation(1), 2}, false, {{Op::kPut, "k", "v"}}}}}),
      EncodeConfig({{{MemberId(1), 1, "a:1", "z1"}}}),
      EncodeError({Code::kNotLeader, {}, "m"})};
  int accepted = 0;
  for (int round = 0; round < 60000; ++round) {
    Bytes bytes;
    if (round % 2 == 0) {
      bytes.resize(random() % 160);
      for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
    } else {
      bytes = seeds[random() % seeds.size()];
      for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
      if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    }
    if (Result<RequestView> view = RequestView::Parse(bytes); view.ok()) {
      ++accepted;
      for (const Access& a : view->Decode()) EXPECT_GE(a.key.size(), kIndexPrefixBytes);
    }
    if (Result<EntryView> entry = ParseEntry(bytes); entry.ok()) ++accepted;
    accepted += ParseCommitBody(bytes).ok() + DecodeConfig(bytes).ok() + DecodeLock(bytes).ok() +
                DecodeLimits(bytes).ok() + DecodeCommitChunk(bytes).ok() +
                DecodeCommitFinal(bytes).ok() + DecodeIncarnation(bytes).ok() +
                DecodeVerdicts(bytes).ok() + DecodeReadIndexReply(bytes).ok() +
                DecodeGet(bytes).ok() + DecodeGetReply(bytes).ok() + DecodeScan(bytes).ok() +
                DecodeScanReply(bytes).ok() + DecodeStreamBatch(bytes).ok() +
                DecodeSubscribe(bytes).ok() + DecodeAllocateIncarnation(bytes).ok() +
                DecodeIncarnationId(bytes).ok() + DecodeResolveTxn(bytes).ok() +
                DecodeError(bytes).ok() + DecodeVerdict(bytes).ok();
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace borealis::wire
