#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "common/env/fiber.h"
#include "common/testing/datadriven.h"
#include "common/testing/sim_file.h"
#include "common/testing/sim_loop.h"

namespace borealis::testing {
namespace {

using env::Duration;
using env::OpenMode;

constexpr char kSample[] =
    "# comment\n"
    "\n"
    "set key=1 quiet list=(a, \"b c\")\n"
    "line one\n"
    "\n"
    "line three\n"
    "----\n"
    "ok\n"
    "\n"
    "# between\n"
    "get \"the key\"\n"
    "----\n"
    "----\n"
    "1\n"
    "\n"
    "2\n"
    "----\n"
    "----\n"
    "\n"
    "nothing\n"
    "----\n";

TEST(DataDriven, ParsesCommandsInputsAndExpectations) {
  auto cases = ParseDataDriven("f", kSample);
  ASSERT_TRUE(cases.ok()) << cases.status().ToString();
  ASSERT_EQ(cases->size(), 3u);
  const TestCase& first = (*cases)[0];
  EXPECT_EQ(first.command, "set");
  EXPECT_EQ(first.line, 3);
  EXPECT_EQ(first.GetUint("key"), 1u);
  EXPECT_EQ(first.GetUint("none", 9), 9u);
  EXPECT_EQ(first.GetList("list"), (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(first.Positional(), std::vector<std::string>{"quiet"});
  EXPECT_EQ(first.input, "line one\n\nline three\n");
  EXPECT_EQ(first.expected, "ok\n");
  EXPECT_EQ((*cases)[1].Positional(), std::vector<std::string>{"the key"});
  EXPECT_EQ((*cases)[1].expected, "1\n\n2\n");
  EXPECT_EQ((*cases)[2].expected, "");
}

TEST(DataDriven, ErrorsSayFileAndLine) {
  EXPECT_EQ(ParseDataDriven("f", "\ncmd\ninput\n").status().message(), "f:2: cmd: no ---- follows");
  EXPECT_EQ(ParseDataDriven("f", "----\n").status().message(), "f:1: ---- without a command");
  EXPECT_EQ(ParseDataDriven("f", "c k=(a\n----\n").status().message(), "f:1: a list without end");
  EXPECT_EQ(ParseDataDriven("f", "c \"a\n----\n").status().message(), "f:1: a quote without end");
  EXPECT_EQ(ParseDataDriven("f", "c\n----\n----\nx\n").status().message(),
            "f:3: ---- ---- without end");
}

TEST(DataDriven, RewriteKeepsAllButTheExpectations) {
  int calls = 0;
  auto handler = [&](const TestCase& test) -> std::string {
    ++calls;
    if (test.command == "set") return "new\n\nblank";
    if (test.command == "get") return "";
    return "something";
  };
  auto rewritten = RewriteDataDriven("f", kSample, handler);
  ASSERT_TRUE(rewritten.ok());
  auto cases = ParseDataDriven("f", *rewritten);
  ASSERT_TRUE(cases.ok());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ((*cases)[0].expected, "new\n\nblank\n");
  EXPECT_EQ((*cases)[0].input, "line one\n\nline three\n");
  EXPECT_EQ((*cases)[1].expected, "");
  EXPECT_EQ((*cases)[2].expected, "something\n");
  EXPECT_NE(rewritten->find("# between\n"), std::string::npos);
  EXPECT_EQ(*RewriteDataDriven("f", *rewritten, handler), *rewritten);
}

TEST(DataDriven, ADifferenceFailsWithPositionAndBothTexts) {
  static const std::string path = ::testing::TempDir() + "borealis_datadriven_test";
  ASSERT_TRUE(env::PosixFileSystem().WriteFileAtomic(path, "cmd\n----\nexpected\n").ok());
  EXPECT_NONFATAL_FAILURE(RunDataDriven(path, [](const TestCase&) { return "actual"; }), ":1: cmd");
  RunDataDriven(path, [](const TestCase&) { return "expected"; });
  EXPECT_FATAL_FAILURE(RunDataDriven("/nowhere", [](const TestCase&) { return ""; }), "not_found");
  ASSERT_TRUE(env::PosixFileSystem().Remove(path).ok());
}

TEST(SimLoop, RunsTasksTimersAndTurnEndInVirtualTime) {
  SimLoop loop;
  std::string order;
  loop.RunAfter(std::chrono::hours(1), [&] { order += 'h'; });
  env::TimerId cancelled = loop.RunAfter(Duration(5), [&] { order += 'x'; });
  loop.RunAfter(Duration(10), [&] { order += 't'; });
  loop.PostAtTurnEnd([&] { order += 'e'; });
  loop.Post([&] {
    order += 'a';
    loop.Post([&] { order += 'b'; });
  });
  EXPECT_TRUE(loop.Cancel(cancelled));
  loop.RunUntilIdle();
  EXPECT_EQ(order, "abe");
  const env::MonotonicTime before = loop.clock().Monotonic();
  loop.RunFor(Duration(100));
  EXPECT_EQ(order, "abet");
  EXPECT_EQ(loop.clock().Monotonic() - before, Duration(100));
  EXPECT_TRUE(loop.world().RunNextTimer());
  EXPECT_EQ(order, "abeth");
  EXPECT_FALSE(loop.world().RunNextTimer());
}

TEST(SimLoop, FibersRunOnIt) {
  SimLoop loop;
  std::string order;
  env::FiberEvent event(loop);
  env::Spawn(loop, "sleeper", [&] {
    EXPECT_TRUE(env::FiberSleep(std::chrono::seconds(3)).ok());
    order += 's';
    event.Notify();
  });
  env::Spawn(loop, "waiter", [&] {
    EXPECT_EQ(event.WaitFor(std::chrono::seconds(1)).code(), Code::kDeadlineExceeded);
    order += 'w';
    EXPECT_TRUE(event.Wait().ok());
    order += 'W';
  });
  loop.RunFor(std::chrono::seconds(10));
  EXPECT_EQ(order, "wsW");
}

std::string Interleaving(std::optional<uint64_t> seed) {
  auto world = seed ? std::make_unique<SimWorld>(*seed) : std::make_unique<SimWorld>();
  SimLoop a(*world, "a"), b(*world, "b"), c(*world, "c");
  std::string order;
  for (int i = 0; i < 10; ++i) {
    a.RunAfter(Duration(i), [&] { order += 'a'; });
    b.RunAfter(Duration(i), [&] { order += 'b'; });
    c.RunAfter(Duration(i), [&] { order += 'c'; });
  }
  world->RunFor(Duration(100));
  return order;
}

TEST(SimLoop, OrderDependsOnTheSeedOnly) {
  EXPECT_EQ(Interleaving(std::nullopt), "abcabcabcabcabcabcabcabcabcabc");
  EXPECT_EQ(Interleaving(7), Interleaving(7));
  EXPECT_NE(Interleaving(7), Interleaving(8));
}

TEST(SimLoop, APausedLoopCatchesUpLater) {
  SimWorld world;
  SimLoop a(world, "a");
  int ran = 0;
  a.RunAfter(Duration(10), [&] { ++ran; });
  a.SetPaused(true);
  world.RunFor(Duration(100));
  EXPECT_EQ(ran, 0);
  a.SetPaused(false);
  world.RunUntilIdle();
  EXPECT_EQ(ran, 1);
}

class SimFileTest : public ::testing::Test {
 protected:
  SimFileTest() { EXPECT_TRUE(fs_.MakeDirs("d").ok()); }
  std::unique_ptr<env::File> Create(const std::string& path) {
    auto file = fs_.Open(path, OpenMode::kCreate);
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    return std::move(*file);
  }
  SimFileSystem fs_;
};

TEST_F(SimFileTest, ACrashTakesWhatWasNotSynced) {
  auto file = Create("d/f");
  ASSERT_TRUE(file->Write(0, "durable").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(fs_.SyncDir("d").ok());
  ASSERT_TRUE(file->Write(0, "LOST").ok());
  auto other = Create("d/other");
  ASSERT_TRUE(other->Write(0, "x").ok());
  ASSERT_TRUE(other->Sync().ok());  // but its name is not
  EXPECT_EQ(*file->ReadExactly(0, 7), "LOSTble");
  fs_.Crash();
  EXPECT_EQ(file->Write(0, "late").code(), Code::kIoError);
  EXPECT_EQ(*fs_.ReadFile("d/f"), "durable");
  EXPECT_FALSE(*fs_.Exists("d/other"));
}

TEST_F(SimFileTest, RenameAndRemoveAreDurableAfterSyncDir) {
  ASSERT_TRUE(fs_.WriteFileAtomic("d/a", "old").ok());
  auto file = Create("d/a.new");
  ASSERT_TRUE(file->Write(0, "new").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(fs_.Rename("d/a.new", "d/a").ok());
  EXPECT_EQ(*fs_.ReadFile("d/a"), "new");
  fs_.Crash();
  EXPECT_EQ(*fs_.ReadFile("d/a"), "old");
  ASSERT_TRUE(fs_.Remove("d/a").ok());
  fs_.Crash();
  EXPECT_EQ(*fs_.ReadFile("d/a"), "old");
  ASSERT_TRUE(fs_.Remove("d/a").ok());
  ASSERT_TRUE(fs_.SyncDir("d").ok());
  fs_.Crash();
  EXPECT_FALSE(*fs_.Exists("d/a"));
}

TEST_F(SimFileTest, SeededCrashesTearWritesInManyWays) {
  std::set<Bytes> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimFileSystem fs;
    auto file = fs.CreateZeroFilled("f", 4096);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(fs.SyncDir(".").ok());
    ASSERT_TRUE((*file)->Write(0, Bytes(1024, 'a')).ok());
    ASSERT_TRUE((*file)->Write(1024, Bytes(1024, 'b')).ok());
    fs.Crash({.keep_unsynced_seed = seed});
    Bytes content = *fs.ReadFile("f");
    ASSERT_EQ(content.size(), 4096u);
    std::string sectors;
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(content.substr(i * 512, 512), Bytes(512, content[i * 512]));
      sectors += content[i * 512] == 0 ? '-' : content[i * 512];
    }
    outcomes.insert(sectors);
  }
  EXPECT_TRUE(outcomes.contains("----"));
  EXPECT_TRUE(outcomes.contains("aabb"));
  EXPECT_TRUE(outcomes.contains("aab-"));  // torn
  EXPECT_TRUE(outcomes.contains("--bb"));  // the later write alone
}

TEST_F(SimFileTest, TheNthCallFailsAndAFailedSyncNeverSaves) {
  auto file = Create("d/f");
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(fs_.SyncDir("d").ok());
  fs_.FailNth(FileOp::kWrite, 2, IoError("Input/output error"), 3);
  EXPECT_TRUE(file->Write(0, "aaaa").ok());
  Status failed = file->Write(4, "bbbb");
  EXPECT_EQ(failed.ToString(), "io_error: write d/f: Input/output error");
  EXPECT_EQ(*fs_.ReadFile("d/f"), "aaaabbb");
  EXPECT_TRUE(file->Write(4, "cccc").ok());
  EXPECT_EQ(fs_.Count(FileOp::kWrite), 3u);
  fs_.FailNth(FileOp::kSync, 1, IoError("Input/output error"));
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(*fs_.ReadFile("d/f"), "aaaacccc");
  fs_.Crash();
  EXPECT_EQ(*fs_.ReadFile("d/f"), "");
}

TEST_F(SimFileTest, StickyFaultsHooksBitFlipsAndAFullDisk) {
  auto file = Create("d/f");
  fs_.FailNth(FileOp::kSync, 1, IoError("gone"), 0, /*sticky=*/true);
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(file->Sync().ok());
  fs_.ClearFaults();
  fs_.SetFaultHook([](FileOp op, const std::string& path) {
    return op == FileOp::kSync && path == "d/f" ? IoError("hooked") : Status::Ok();
  });
  EXPECT_FALSE(file->Sync().ok());
  fs_.ClearFaults();
  ASSERT_TRUE(file->Write(0, "A").ok());
  ASSERT_TRUE(file->Sync().ok());
  fs_.FlipBit("d/f", 0, 1);
  EXPECT_EQ(*fs_.ReadFile("d/f"), "C");
  fs_.SetCapacity(10);
  EXPECT_EQ(*fs_.FreeBytes("d"), 9u);
  EXPECT_EQ(file->Write(1, Bytes(10, 'x')).code(), Code::kResourceExhausted);
  EXPECT_TRUE(file->Write(1, Bytes(9, 'x')).ok());
}

TEST_F(SimFileTest, BehavesLikeTheRealOneElsewhere) {
  EXPECT_EQ(fs_.Open("d/none", OpenMode::kRead).code(), Code::kNotFound);
  EXPECT_EQ(fs_.Open("none/f", OpenMode::kCreate).code(), Code::kNotFound);
  Create("d/f");
  EXPECT_EQ(fs_.Open("d/f", OpenMode::kCreateNew).code(), Code::kAlreadyExists);
  ASSERT_TRUE(fs_.MakeDirs("d/sub/deep").ok());
  EXPECT_EQ(*fs_.ListDir("d"), (std::vector<std::string>{"f", "sub"}));
  auto lock = fs_.Lock("d/LOCK");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(fs_.Lock("d/LOCK").code(), Code::kUnavailable);
  fs_.Crash();
  EXPECT_TRUE(fs_.Lock("d/LOCK").ok());
  lock->reset();
  ASSERT_TRUE(fs_.RemoveTree("d").ok());
  EXPECT_FALSE(*fs_.Exists("d/sub"));
}

}  // namespace
}  // namespace borealis::testing
