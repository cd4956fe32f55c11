#include "common/env/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace borealis::env {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest() : dir_(::testing::TempDir() + "borealis_file_test_" + std::to_string(getpid())) {
    EXPECT_TRUE(fs_.MakeDirs(dir_ + "/a/b").ok());
  }
  ~FileTest() override { EXPECT_TRUE(fs_.RemoveTree(dir_).ok()); }
  FileSystem& fs_ = PosixFileSystem();
  const std::string dir_;
};

TEST_F(FileTest, WritesReadsAndTruncates) {
  auto file = fs_.Open(dir_ + "/f", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->Write(2, "hello").ok());
  const ByteView parts[] = {"one", "", "two", "three"};
  EXPECT_TRUE((*file)->WriteParts(7, parts).ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(*(*file)->Size(), 18u);
  EXPECT_EQ(*(*file)->ReadExactly(2, 16), "helloonetwothree");
  EXPECT_EQ((*file)->ReadExactly(2, 17).code(), Code::kCorruption);
  char buffer[64];
  EXPECT_EQ(*(*file)->Read(15, buffer, sizeof(buffer)), 3u);
  EXPECT_EQ(*(*file)->Read(99, buffer, sizeof(buffer)), 0u);
  EXPECT_TRUE((*file)->Truncate(4).ok());
  EXPECT_EQ(*fs_.ReadFile(dir_ + "/f"), std::string("\0\0he", 4));
}

TEST_F(FileTest, WritePartsCopesWithMoreThanOneCallTakes) {
  auto file = fs_.Open(dir_ + "/parts", OpenMode::kCreateNew);
  ASSERT_TRUE(file.ok());
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 3000; ++i) all += texts.emplace_back(std::to_string(i));
  std::vector<ByteView> parts(texts.begin(), texts.end());
  ASSERT_TRUE((*file)->WriteParts(0, parts).ok());
  EXPECT_EQ(*fs_.ReadFile(dir_ + "/parts"), all);
}

TEST_F(FileTest, ZeroFilledFileHasItsBlocks) {
  auto file = fs_.CreateZeroFilled(dir_ + "/z", (1 << 20) + 5);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*(*file)->Size(), (1u << 20) + 5);
  EXPECT_EQ(*(*file)->ReadExactly(1 << 20, 5), std::string(5, '\0'));
}

TEST_F(FileTest, ErrorsNameOperationPathAndReason) {
  auto missing = fs_.Open(dir_ + "/none", OpenMode::kRead);
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_EQ(missing.status().message(), "open " + dir_ + "/none: No such file or directory");
  ASSERT_TRUE(fs_.Open(dir_ + "/x", OpenMode::kCreateNew).ok());
  EXPECT_EQ(fs_.Open(dir_ + "/x", OpenMode::kCreateNew).code(), Code::kAlreadyExists);
  EXPECT_EQ(fs_.Remove(dir_ + "/none").code(), Code::kNotFound);
  EXPECT_EQ(fs_.ListDir(dir_ + "/none").code(), Code::kNotFound);
  EXPECT_EQ(fs_.SyncDir(dir_ + "/x").code(), Code::kNotFound);
  auto full = fs_.Open("/dev/full", OpenMode::kReadWrite);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ((*full)->Write(0, "x").code(), Code::kResourceExhausted);
}

TEST_F(FileTest, DirectoriesListRenameAndRemove) {
  ASSERT_TRUE(fs_.WriteFileAtomic(dir_ + "/a/2", "two").ok());
  ASSERT_TRUE(fs_.WriteFileAtomic(dir_ + "/a/1", "one").ok());
  ASSERT_TRUE(fs_.WriteFileAtomic(dir_ + "/a/1", "ONE").ok());
  EXPECT_EQ(*fs_.ListDir(dir_ + "/a"), (std::vector<std::string>{"1", "2", "b"}));
  ASSERT_TRUE(fs_.Rename(dir_ + "/a/1", dir_ + "/a/2").ok());
  EXPECT_EQ(*fs_.ReadFile(dir_ + "/a/2"), "ONE");
  EXPECT_FALSE(*fs_.Exists(dir_ + "/a/1"));
  EXPECT_EQ(fs_.ReadFile(dir_ + "/a/2", 2).code(), Code::kResourceExhausted);
  ASSERT_TRUE(fs_.RemoveTree(dir_ + "/a").ok());
  ASSERT_TRUE(fs_.RemoveTree(dir_ + "/a").ok());
  EXPECT_FALSE(*fs_.Exists(dir_ + "/a/b"));
  EXPECT_GT(*fs_.FreeBytes(dir_), 0u);
}

TEST_F(FileTest, ALockIsExclusiveAlsoWithinTheProcess) {
  auto first = fs_.Lock(dir_ + "/LOCK");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(fs_.Lock(dir_ + "/LOCK").code(), Code::kUnavailable);
  first->reset();
  EXPECT_TRUE(fs_.Lock(dir_ + "/LOCK").ok());
}

TEST(Path, JoinsAndSplits) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(DirName("a/b/c"), "a/b");
  EXPECT_EQ(DirName("/a"), "/");
  EXPECT_EQ(DirName("a"), ".");
  EXPECT_EQ(DirName("/"), "/");
  EXPECT_EQ(DirName("a/b/"), "a");
}

}  // namespace
}  // namespace borealis::env
