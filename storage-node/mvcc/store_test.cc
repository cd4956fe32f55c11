#include "storage-node/mvcc/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

namespace borealis::mvcc {
namespace {

const ClusterId kCluster = *ClusterId::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff");

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/borealis-mvcc-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    Reopen();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Reopen() {
    store_.reset();
    Options options;
    options.directory = directory_ + "/store";
    options.cluster = kCluster;
    auto store = Store::Open(options);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = std::move(*store);
  }
  // One entry with one version: puts, or deletes where the value is "-".
  void Commit(const std::vector<std::pair<std::string, std::string>>& rows) {
    ++version_;
    ApplyBatch batch;
    for (const auto& [key, value] : rows) {
      const bool is_delete = value == "-";
      batch.mutations.push_back(
          {key, is_delete ? ByteView() : ByteView(value), Version(version_), is_delete});
    }
    batch.applied_index = LogIndex(version_ + 10);
    batch.applied_version = Version(version_);
    batch.horizon = horizon_;
    const std::string verdict = "verdict " + std::to_string(version_);
    batch.verdicts.push_back({batch.applied_index, verdict});
    ASSERT_TRUE(store_->Apply(batch).ok());
  }
  std::string Get(ByteView key, uint64_t version) {
    auto value = store_->Get(key, Version(version));
    if (!value.ok()) return std::string(CodeName(value.code()));
    return *value ? **value : "none";
  }
  std::string Scan(ByteView start, ByteView end, uint64_t version, bool reverse,
                   uint32_t rows = 100) {
    ScanRequest request{start, end, reverse, Version(version), rows, 1 << 20};
    std::string out;
    for (int page_number = 0; page_number < 1000; ++page_number) {
      auto page = store_->Scan(request);
      if (!page.ok()) return std::string(CodeName(page.code()));
      for (const Row& row : page->rows) out += row.key + "=" + row.value + " ";
      if (!page->more) return out;
      resume_ = page->resume;
      (reverse ? request.end : request.start) = resume_;
    }
    return "endless";
  }

  std::string directory_;
  std::unique_ptr<Store> store_;
  uint64_t version_ = 0;
  Version horizon_;
  Bytes resume_;
};

TEST_F(StoreTest, ReadsTheNewestVersionAtOrBelowTheOneAskedFor) {
  Commit({{"a", "1"}});
  Commit({{"b", "2"}});
  Commit({{"a", "3"}});
  Commit({{"a", "-"}});
  EXPECT_EQ(Get("a", 0), "none");
  EXPECT_EQ(Get("a", 1), "1");
  EXPECT_EQ(Get("a", 2), "1");
  EXPECT_EQ(Get("a", 3), "3");
  EXPECT_EQ(Get("a", 4), "none");
  EXPECT_EQ(Get("b", 4), "2");
  EXPECT_EQ(Get("c", 4), "none");
  EXPECT_EQ(Get("a", 5), "unavailable");
  auto many = store_->MultiGet({"b", "zz", "a"}, Version(3));
  ASSERT_TRUE(many.ok());
  EXPECT_EQ((*many)[0], "2");
  EXPECT_EQ((*many)[1], std::nullopt);
  EXPECT_EQ((*many)[2], "3");
}

TEST_F(StoreTest, KeysThatArePrefixesOfOthersDoNotMix) {
  const std::string zero(1, '\0');
  const std::string ones(9, '\xff');
  Commit({{"k", "short"}, {"k" + zero, "zero"}, {"k" + ones, "ones"}, {"k" + ones + ones, "more"}});
  Commit({{"k", "short2"}});
  EXPECT_EQ(Get("k", 1), "short");
  EXPECT_EQ(Get("k", 2), "short2");
  EXPECT_EQ(Get("k" + zero, 2), "zero");
  EXPECT_EQ(Get("k" + ones, 2), "ones");
  EXPECT_EQ(Scan("k", "l", 2, false),
            "k=short2 k" + zero + "=zero k" + ones + "=ones k" + ones + ones + "=more ");
  EXPECT_EQ(Scan("k", "l", 2, true, 1),
            "k" + ones + ones + "=more k" + ones + "=ones k" + zero + "=zero k=short2 ");
}

TEST_F(StoreTest, RefusesVersionsBelowTheHorizon) {
  Commit({{"a", "1"}});
  Commit({{"a", "2"}});
  horizon_ = Version(2);
  Commit({{"a", "3"}});
  EXPECT_EQ(Get("a", 1), "below_horizon");
  EXPECT_EQ(Scan("a", "", 1, false), "below_horizon");
  EXPECT_EQ(Get("a", 2), "2");
}

TEST_F(StoreTest, KeepsExactlyWhatWasFlushed) {
  Commit({{"a", "1"}});
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(store_->flushed_index(), LogIndex(11));
  Commit({{"a", "2"}});
  EXPECT_EQ(store_->flushed_index(), LogIndex(11));
  const ApplyState before = store_->applied();
  EXPECT_EQ(before.index, LogIndex(12));
  ASSERT_TRUE(store_->Flush().ok());
  Reopen();
  EXPECT_EQ(store_->applied(), before);
  EXPECT_EQ(store_->flushed_index(), LogIndex(12));
  EXPECT_EQ(Get("a", 2), "2");
  EXPECT_EQ(*store_->VerdictsOf(LogIndex(12)), "verdict 2");
  EXPECT_EQ(store_->VerdictsOf(LogIndex(13)).code(), Code::kNotFound);
}

TEST_F(StoreTest, RefusesAnotherClustersDirectory) {
  store_.reset();
  Options options;
  options.directory = directory_ + "/store";
  options.cluster = *ClusterId::Parse("00000000-8b86-4011-b42d-00c04fc964ff");
  EXPECT_EQ(Store::Open(options).code(), Code::kInvalidArgument);
}

TEST_F(StoreTest, AgreesWithAModelOnRandomHistories) {
  std::mt19937_64 random(20260731);
  std::vector<std::map<std::string, std::string>> states(1);
  for (int commit = 0; commit < 300; ++commit) {
    std::map<std::string, std::string> changes;
    for (uint64_t i = 0; i <= random() % 4; ++i) {
      std::string key;
      for (uint64_t n = 0; n <= random() % 3; ++n) key.push_back("\0a\xff"[random() % 3]);
      changes[key] = random() % 3 == 0 ? "-" : std::to_string(random() % 1000);
    }
    Commit({changes.begin(), changes.end()});
    states.push_back(states.back());
    for (const auto& [key, value] : changes) {
      if (value == "-")
        states.back().erase(key);
      else
        states.back()[key] = value;
    }
    if (random() % 50 == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
  }
  for (int check = 0; check < 500; ++check) {
    const uint64_t version = random() % states.size();
    const auto& state = states[version];
    const std::string from(random() % 3, "\0a\xff"[random() % 3]);
    std::string to(1 + random() % 3, "\0a\xff"[random() % 3]);
    if (to <= from) to.clear();
    std::string forward, backward;
    for (const auto& [key, value] : state) {
      if (key < from || (!to.empty() && key >= to)) continue;
      forward += key + "=" + value + " ";
      backward = key + "=" + value + " " + backward;
    }
    const uint32_t rows = 1 + random() % 5;
    ASSERT_EQ(Scan(from, to, version, false, rows), forward);
    ASSERT_EQ(Scan(from, to, version, true, rows), backward);
    for (const auto& [key, value] : state) ASSERT_EQ(Get(key, version), value);
  }
}

}  // namespace
}  // namespace borealis::mvcc
