#include "storage-node/log/log.h"

#include <gtest/gtest.h>

#include "common/testing/datadriven.h"
#include "common/testing/sim_file.h"
#include "storage-node/log/format.h"
#include "storage-node/log/log_test_util.h"
#include "storage-node/raft/raft.h"

namespace borealis::log::test {
namespace {

using testing::FileOp;
using testing::SimFileSystem;

TEST(Log, KeepsEntriesAndHardStateAcrossReopening) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    EXPECT_EQ(log->recovered().boot_number, 1u);
    EXPECT_EQ(log->FirstIndex(), LogIndex(1));
    EXPECT_EQ(log->LastIndex(), LogIndex(0));
    Batch batch = MakeBatch(1, 1, 3);
    batch.hard_state = raft::HardState{Term(1), MemberId(2), LogIndex(0)};
    batch.peer_memory = {{MemberId(5), 7, LogIndex(9)}};
    ASSERT_TRUE(log->WriteBatch(batch).ok());
    ASSERT_TRUE(log->WriteBatch(MakeBatch(2, 4, 2)).ok());
  }
  fs.Crash();
  auto log = MustOpen(&fs);
  EXPECT_EQ(log->recovered().boot_number, 2u);
  EXPECT_EQ(log->recovered().hard_state, (raft::HardState{Term(1), MemberId(2), LogIndex(0)}));
  ASSERT_EQ(log->recovered().peer_memory.size(), 1u);
  EXPECT_EQ(log->recovered().peer_memory[0], (raft::PeerMemory{MemberId(5), 7, LogIndex(9)}));
  EXPECT_EQ(log->LastIndex(), LogIndex(5));
  EXPECT_EQ(*log->TermOf(LogIndex(0)), Term(0));
  EXPECT_EQ(*log->TermOf(LogIndex(3)), Term(1));
  EXPECT_EQ(*log->TermOf(LogIndex(4)), Term(2));
  EXPECT_EQ(log->TermOf(LogIndex(6)).code(), Code::kNotFound);
  ExpectEntries(
      *log, 1,
      {MakeEntry(1, 1), MakeEntry(1, 2), MakeEntry(1, 3), MakeEntry(2, 4), MakeEntry(2, 5)});
}

TEST(Log, ALaterRecordWithALowerIndexReplacesTheRest) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 1, 10)).ok());
    ASSERT_TRUE(log->WriteBatch(MakeBatch(3, 6, 2)).ok());
    EXPECT_EQ(log->LastIndex(), LogIndex(7));
    EXPECT_EQ(*log->TermOf(LogIndex(6)), Term(3));
  }
  fs.Crash();
  auto log = MustOpen(&fs);
  EXPECT_EQ(log->LastIndex(), LogIndex(7));
  ExpectEntries(*log, 5, {MakeEntry(1, 5), MakeEntry(3, 6), MakeEntry(3, 7)});
}

TEST(Log, EntriesReadFromDiskAndFromTheCacheAreTheSame) {
  SimFileSystem fs;
  Options options = TestOptions();
  options.cache_bytes_max = 300;
  auto log = MustOpen(&fs, options);
  for (uint64_t i = 1; i <= 50; i++) ASSERT_TRUE(log->WriteBatch(MakeBatch(1, i, 1)).ok());
  std::vector<raft::Entry> expected;
  for (uint64_t i = 1; i <= 50; i++) expected.push_back(MakeEntry(1, i));
  ExpectEntries(*log, 1, expected);
  EXPECT_GT(log->counters().reads_from_disk.load(), 0u);
  // As many as fit, at least one.
  size_t one = MakeEntry(1, 1).Size();
  EXPECT_EQ(log->Entries(LogIndex(1), LogIndex(51), 3 * one)->size(), 3u);
  EXPECT_EQ(log->Entries(LogIndex(1), LogIndex(51), 1)->size(), 1u);
  EXPECT_EQ(log->Entries(LogIndex(50), LogIndex(51), 1)->size(), 1u);
  EXPECT_EQ(log->Entries(LogIndex(50), LogIndex(52), 1).code(), Code::kNotFound);
}

TEST(Log, RefusesWhatDoesNotFit) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  EXPECT_EQ(log->WriteBatch(MakeBatch(1, 2, 1)).code(), Code::kInvalidArgument);
  ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 1, 2)).ok());
  EXPECT_EQ(log->WriteBatch(MakeBatch(1, 0, 1)).code(), Code::kInvalidArgument);
  Batch gap = MakeBatch(1, 3, 2);
  gap.entries[1].index = LogIndex(9);
  EXPECT_EQ(log->WriteBatch(gap).code(), Code::kInvalidArgument);
  EXPECT_EQ(log->TrimPrefix(LogIndex(4)).code(), Code::kInvalidArgument);
  // None of that was an I/O error: the log goes on.
  EXPECT_TRUE(log->WriteBatch(MakeBatch(1, 3, 1)).ok());
}

TEST(Log, RecordLargerThanASegmentGetsOneOfItsOwnSize) {
  SimFileSystem fs;
  Batch large;
  large.entries = {MakeEntry(1, 2, 300000)};
  {
    auto log = MustOpen(&fs);
    ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 1, 1)).ok());
    ASSERT_TRUE(log->WriteBatch(large).ok());
    ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 3, 1)).ok());
  }
  fs.Crash();
  auto log = MustOpen(&fs);
  ExpectEntries(*log, 1, {MakeEntry(1, 1), large.entries[0], MakeEntry(1, 3)});
}

TEST(Log, SecondHolderOtherClusterAndOtherMemberAreRefused) {
  SimFileSystem fs;
  Options options = TestOptions();
  auto log = MustOpen(&fs, options);
  EXPECT_EQ(OpenLog(&fs, options).code(), Code::kUnavailable);
  log.reset();
  options.member_id = MemberId(9);
  EXPECT_EQ(OpenLog(&fs, options).code(), Code::kInvalidArgument);
  options = TestOptions();
  options.cluster_id = *ClusterId::Parse("00000000-0000-4000-8000-0000000000ff");
  EXPECT_EQ(OpenLog(&fs, options).code(), Code::kInvalidArgument);
  options = TestOptions();
  options.segment_bytes = 1000;
  EXPECT_EQ(OpenLog(&fs, options).code(), Code::kInvalidArgument);
}

TEST(Log, TrimmingRecyclesSegmentsAndStaleRecordsAreNeverRead) {
  SimFileSystem fs;
  Options options = TestOptions();
  auto log = MustOpen(&fs, options);
  // Each record has the same size, so the old ones in a recycled file begin exactly where new ones
  // would, with right CRCs, and some even with the index that would come next.
  uint64_t index = 1;
  uint64_t recycled = 0;
  for (int round = 0; round < 60; round++) {
    for (int i = 0; i < 20; i++, index++) {
      Batch batch;
      batch.entries = {MakeEntry(1, index, 1000)};
      ASSERT_TRUE(log->WriteBatch(batch).ok());
    }
    ASSERT_TRUE(log->TrimPrefix(LogIndex(index - 5)).ok());
    uint64_t first = log->FirstIndex().value();
    EXPECT_LE(first, index - 5);
    if (round % 7 != 0) continue;
    recycled += log->counters().segments_recycled.load();
    log.reset();
    fs.Crash();
    log = MustOpen(&fs, options);
    ASSERT_EQ(log->LastIndex(), LogIndex(index - 1));
    ASSERT_EQ(log->FirstIndex(), LogIndex(first));
    EXPECT_EQ(*log->TermOf(LogIndex(first - 1)), Term(first == 1 ? 0 : 1));
    std::vector<raft::Entry> expected;
    for (uint64_t i = first; i < index; i++) expected.push_back(MakeEntry(1, i, 1000));
    ExpectEntries(*log, first, expected);
  }
  EXPECT_EQ(log->Entries(LogIndex(1), LogIndex(2), 1).code(), Code::kNotFound);
  EXPECT_GT(recycled, 10u);
  EXPECT_LE(log->DiskBytes(), 6 * options.segment_bytes);
}

TEST(Log, StateSurvivesTrimmingTheSegmentsThatHeldIt) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    Batch state;
    state.hard_state = raft::HardState{Term(4), MemberId(3), LogIndex(0)};
    state.peer_memory = {{MemberId(2), 1, LogIndex(5)}};
    ASSERT_TRUE(log->WriteBatch(state).ok());
    for (uint64_t i = 1; i <= 200; i++) {
      Batch batch;
      batch.entries = {MakeEntry(4, i, 1000)};
      ASSERT_TRUE(log->WriteBatch(batch).ok());
    }
    ASSERT_TRUE(log->TrimPrefix(LogIndex(201)).ok());
  }
  fs.Crash();
  auto log = MustOpen(&fs);
  EXPECT_GT(log->FirstIndex(), LogIndex(100));
  EXPECT_EQ(log->recovered().hard_state.vote, MemberId(3));
  EXPECT_EQ(log->recovered().peer_memory.size(), 1u);
}

// --- Damage ---

// Batches of one entry each; returns the offset of each in the segment.
std::vector<uint64_t> BatchOffsets(SimFileSystem* fs, const std::string& path) {
  Bytes data = *fs->ReadFile(path);
  uint32_t chain = 0;
  SegmentHeader header = *DecodeSegmentHeader(data, &chain);
  std::vector<uint64_t> offsets;
  uint64_t offset = kSegmentHeaderBytes;
  while (auto batch = ParseBatch(data, header.sequence, offset, chain)) {
    offsets.push_back(offset);
    offset += batch->header.batch_bytes;
    chain = batch->chain;
  }
  offsets.push_back(offset);
  return offsets;
}

TEST(LogDamage, BelowTheDurableOffsetIsCorruptionAndAboveItIsCut) {
  const std::string path = "/log/" + SegmentName(1);
  auto fill = [](SimFileSystem* fs) {
    auto log = MustOpen(fs);
    for (uint64_t i = 1; i <= 5; i++) EXPECT_TRUE(log->WriteBatch(MakeBatch(1, i, 1)).ok());
  };
  SimFileSystem sample;
  fill(&sample);
  std::vector<uint64_t> offsets = BatchOffsets(&sample, path);
  ASSERT_EQ(offsets.size(), 6u);

  int cut = 0;
  for (uint64_t at = 0; at < offsets.back(); at += at < kSegmentHeaderBytes ? 13 : 3) {
    // The rest of the header page is unused.
    if (at >= 96 && at < kSegmentHeaderBytes) continue;
    SimFileSystem fs;
    fill(&fs);
    fs.FlipBit(path, at, static_cast<int>(at % 8));
    auto log = OpenLog(&fs);
    if (at < offsets[4]) {
      ASSERT_FALSE(log.ok()) << at;
      // A flipped version number reads as a later format; everything else is damage and says where.
      bool expected =
          log.code() == Code::kCorruption || (at < 10 && log.code() == Code::kUnsupported);
      EXPECT_TRUE(expected) << at << " " << log.status().ToString();
      EXPECT_NE(log.status().message().find(path), std::string::npos);
      continue;
    }
    // Nothing behind the last batch says that it was durable: it counts as torn.
    ASSERT_TRUE(log.ok()) << at << " " << log.status().ToString();
    uint64_t last = log.value()->LastIndex().value();
    EXPECT_EQ(last, 4u) << at;
    cut++;
    // And the log goes on there.
    ASSERT_TRUE(log.value()->WriteBatch(MakeBatch(2, last + 1, 2)).ok());
    log = Status(Code::kInternal, "closed");
    auto again = MustOpen(&fs);
    EXPECT_EQ(again->LastIndex(), LogIndex(last + 2));
  }
  EXPECT_GT(cut, 10);
}

TEST(LogDamage, InASegmentThatIsNotTheLastIsCorruption) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    for (uint64_t i = 1; i <= 100; i++) {
      Batch batch;
      batch.entries = {MakeEntry(1, i, 1000)};
      ASSERT_TRUE(log->WriteBatch(batch).ok());
    }
  }
  std::vector<uint64_t> offsets = BatchOffsets(&fs, "/log/" + SegmentName(1));
  // Its last batch, too: the next segment's header says where it must end.
  fs.FlipBit("/log/" + SegmentName(1), offsets[offsets.size() - 2] + 50, 0);
  EXPECT_EQ(OpenLog(&fs).code(), Code::kCorruption);
  fs.FlipBit("/log/" + SegmentName(1), offsets[offsets.size() - 2] + 50, 0);
  EXPECT_TRUE(OpenLog(&fs).ok());
  ASSERT_TRUE(fs.Remove("/log/" + SegmentName(1)).ok());
  auto trimmed = OpenLog(&fs);
  EXPECT_TRUE(trimmed.ok());  // as after trimming: the rest stands for itself
}

TEST(LogDamage, MissingFilesAreCorruption) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    for (uint64_t i = 1; i <= 200; i++) {
      Batch batch;
      batch.entries = {MakeEntry(1, i, 1000)};
      ASSERT_TRUE(log->WriteBatch(batch).ok());
    }
  }
  ASSERT_TRUE(fs.Rename("/log/" + SegmentName(2), "/elsewhere").ok());
  EXPECT_EQ(OpenLog(&fs).code(), Code::kCorruption);
  ASSERT_TRUE(fs.Rename("/elsewhere", "/log/" + SegmentName(2)).ok());
  ASSERT_TRUE(fs.Rename("/log/meta", "/elsewhere").ok());
  EXPECT_EQ(OpenLog(&fs).code(), Code::kCorruption);
  ASSERT_TRUE(fs.Rename("/elsewhere", "/log/meta").ok());
  EXPECT_TRUE(OpenLog(&fs).ok());
}

TEST(LogDamage, FoundWhenReading) {
  SimFileSystem fs;
  Options options = TestOptions();
  options.cache_bytes_max = 1;
  auto log = MustOpen(&fs, options);
  for (uint64_t i = 1; i <= 5; i++) ASSERT_TRUE(log->WriteBatch(MakeBatch(1, i, 1)).ok());
  std::vector<uint64_t> offsets = BatchOffsets(&fs, "/log/" + SegmentName(1));
  fs.FlipBit("/log/" + SegmentName(1), offsets[2] - 10, 3);
  EXPECT_TRUE(log->Entries(LogIndex(1), LogIndex(2), 1).ok());
  EXPECT_EQ(log->Entries(LogIndex(2), LogIndex(3), 1).code(), Code::kCorruption);
}

// --- Errors ---

TEST(LogErrors, AreFinal) {
  for (FileOp op : {FileOp::kWrite, FileOp::kSync}) {
    SimFileSystem fs;
    auto log = MustOpen(&fs);
    ASSERT_TRUE(log->WriteBatch(MakeBatch(1, 1, 1)).ok());
    fs.FailNth(op, 1, IoError("injected"), 10);
    EXPECT_EQ(log->WriteBatch(MakeBatch(1, 2, 1)).code(), Code::kIoError);
    // The next call would succeed, but after a failed sync nothing is known.
    uint64_t syncs = fs.Count(FileOp::kSync);
    EXPECT_EQ(log->WriteBatch(MakeBatch(1, 2, 1)).code(), Code::kIoError);
    EXPECT_EQ(log->TrimPrefix(LogIndex(1)).code(), Code::kIoError);
    EXPECT_EQ(fs.Count(FileOp::kSync), syncs);
    EXPECT_EQ(log->LastIndex(), LogIndex(1));
  }
}

TEST(LogErrors, FullDisk) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  fs.SetCapacity(100000);
  Status status;
  uint64_t written = 0;
  for (uint64_t i = 1; i <= 200 && status.ok(); i++) {
    Batch batch;
    batch.entries = {MakeEntry(1, i, 1000)};
    status = log->WriteBatch(batch);
    written += status.ok();
    log->PrepareSpare(1000);
  }
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  log.reset();
  fs.Crash();
  fs.SetCapacity(1u << 30);
  EXPECT_EQ(MustOpen(&fs)->LastIndex(), LogIndex(written));
}

// --- Format ---

std::string Dump(ByteView bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 16) {
    ByteView line = bytes.substr(i, 16);
    if (line.find_first_not_of('\0') == ByteView::npos) continue;
    char offset[32];
    std::snprintf(offset, sizeof(offset), "%06zx ", i);
    out += offset + ToHex(line) + "\n";
  }
  return out;
}

TEST(LogFormat, IsAsTheGoldenFileSays) {
  SimFileSystem fs;
  {
    auto log = MustOpen(&fs);
    Batch batch;
    batch.hard_state = raft::HardState{Term(3), MemberId(2), LogIndex(1)};
    batch.peer_memory = {{MemberId(4), 5, LogIndex(6)}};
    raft::Entry noop = MakeEntry(3, 1, 0);
    noop.type = raft::EntryType::kNoop;
    noop.payload = raft::Payload();
    batch.entries = {noop, MakeEntry(3, 2, 5)};
    ASSERT_TRUE(log->WriteBatch(batch).ok());
    ASSERT_TRUE(log->WriteBatch(MakeBatch(3, 3, 1)).ok());
  }
  testing::RunDataDriven("storage-node/log/testdata/format.txt",
                         [&](const testing::TestCase& test) {
                           auto bytes = fs.ReadFile("/log/" + test.Get("file"));
                           return bytes.ok() ? Dump(*bytes) : bytes.status().ToString();
                         });
}

TEST(LogFormat, LaterVersionsAreRefused) {
  SimFileSystem fs;
  MustOpen(&fs).reset();
  fs.FlipBit("/log/meta", 8, 1);
  EXPECT_EQ(OpenLog(&fs).code(), Code::kUnsupported);
}

// --- With the core, and with real files ---

TEST(Log, ServesTheRaftCore) {
  SimFileSystem fs;
  auto log = MustOpen(&fs);
  raft::Options options;
  options.id = MemberId(1);
  options.config.voters = {MemberId(1)};
  for (int boot = 0; boot < 3; boot++) {
    options.hard_state = log->recovered().hard_state;
    options.boot_number = log->recovered().boot_number;
    auto core = raft::Raft::Create(options, log.get());
    ASSERT_TRUE(core.ok()) << core.status().ToString();
    raft::Raft& raft = **core;
    ASSERT_TRUE(raft.Campaign().ok());
    uint64_t applied = 0;
    for (int i = 0; i < 10; i++) {
      if (raft.role() == raft::Role::kLeader) {
        ASSERT_TRUE(raft.Propose({{raft::EntryType::kData, raft::Payload("x")}}).ok());
      }
      while (raft.HasReady()) {
        raft::Ready ready = raft.TakeReady();
        applied += ready.committed.size();
        if (!ready.persist) continue;
        Batch batch{ready.persist->hard_state, ready.persist->peer_memory, ready.persist->entries,
                    ready.persist->must_sync};
        ASSERT_TRUE(log->WriteBatch(batch).ok());
        raft.OnDurable(ready.persist->sequence);
      }
    }
    EXPECT_EQ(applied, log->LastIndex().value());
    log.reset();
    fs.Crash();
    log = MustOpen(&fs);
  }
  EXPECT_GT(log->LastIndex(), LogIndex(27));
}

TEST(Log, WorksOnRealFiles) {
  std::string dir = ::testing::TempDir() + "/borealis_log_" + std::to_string(::getpid());
  env::FileSystem& fs = env::PosixFileSystem();
  Options options = TestOptions();
  options.dir = dir;
  for (uint64_t boot = 1; boot <= 3; boot++) {
    auto log = MustOpen(&fs, options);
    EXPECT_EQ(log->recovered().boot_number, boot);
    EXPECT_EQ(log->LastIndex(), LogIndex((boot - 1) * 100));
    for (uint64_t i = 1; i <= 100; i++) {
      Batch batch;
      batch.entries = {MakeEntry(boot, (boot - 1) * 100 + i, 1500)};
      ASSERT_TRUE(log->WriteBatch(batch).ok());
      log->PrepareSpare(1500);
    }
    ASSERT_TRUE(log->TrimPrefix(LogIndex(boot * 100 - 50)).ok());
    uint64_t first = log->FirstIndex().value();
    auto entries = log->Entries(LogIndex(first), LogIndex(first + 1), 1 << 20);
    ASSERT_TRUE(entries.ok());
    EXPECT_EQ(entries->at(0), MakeEntry(entries->at(0).term.value(), first, 1500));
  }
  EXPECT_TRUE(fs.RemoveTree(dir).ok());
}

}  // namespace
}  // namespace borealis::log::test
