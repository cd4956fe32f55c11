// What the log's tests share. Test code only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/env/clock.h"
#include "common/env/file.h"
#include "storage-node/log/log.h"

namespace borealis::log::test {

inline Options TestOptions() {
  Options options;
  options.dir = "/log";
  options.cluster_id = *ClusterId::Parse("00112233-4455-4677-8899-aabbccddeeff");
  options.member_id = MemberId(7);
  options.segment_bytes = 64 << 10;
  return options;
}

inline Result<std::unique_ptr<Log>> OpenLog(env::FileSystem* fs, Options options = TestOptions()) {
  return Log::Open(fs, &env::SystemClock(), std::move(options));
}

inline std::unique_ptr<Log> MustOpen(env::FileSystem* fs, Options options = TestOptions()) {
  auto log = OpenLog(fs, std::move(options));
  EXPECT_TRUE(log.ok()) << log.status().ToString();
  return log.ok() ? std::move(log).value() : nullptr;
}

// The payload follows from term and index, so that a mix-up shows.
inline raft::Entry MakeEntry(uint64_t term, uint64_t index, size_t bytes = 20) {
  Bytes payload = "t" + std::to_string(term) + "i" + std::to_string(index) + ".";
  while (payload.size() < bytes) payload += static_cast<char>('a' + payload.size() % 26);
  payload.resize(bytes);
  return raft::Entry{Term(term), LogIndex(index), raft::EntryType::kData, raft::Payload(payload)};
}

inline Batch MakeBatch(uint64_t term, uint64_t first, uint64_t count, size_t bytes = 20) {
  Batch batch;
  for (uint64_t i = 0; i < count; i++) batch.entries.push_back(MakeEntry(term, first + i, bytes));
  return batch;
}

// The log holds exactly `expected` from `first` to its end.
inline void ExpectEntries(const Log& log, uint64_t first,
                          const std::vector<raft::Entry>& expected) {
  ASSERT_EQ(log.LastIndex().value(), first + expected.size() - 1);
  LogIndex at(first);
  while (at <= log.LastIndex()) {
    auto entries = log.Entries(at, log.LastIndex().Next(), 1 << 20);
    ASSERT_TRUE(entries.ok()) << entries.status().ToString();
    for (const raft::Entry& entry : *entries) {
      ASSERT_EQ(entry, expected[at.value() - first]) << "at " << at;
      EXPECT_EQ(*log.TermOf(at), entry.term);
      at = at.Next();
    }
  }
}

}  // namespace borealis::log::test
