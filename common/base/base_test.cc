#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace borealis {
namespace {

TEST(Crc32c, MatchesThePublishedCheckValue) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32c, ExtendsAcrossAnySplit) {
  std::string text = "the quick brown fox jumps over the lazy dog, twice";
  for (size_t i = 0; i <= text.size(); i++) {
    EXPECT_EQ(Crc32cExtend(Crc32c(text.substr(0, i)), text.substr(i)), Crc32c(text));
  }
}

TEST(Hash64, IsTheSameOnEveryMachineAndRelease) {
  EXPECT_EQ(Hash64(""), 0x2D06800538D394C2ull);  // XXH3's published value for no bytes, seed 0
}

TEST(ByteReader, ReadsBackWhatWasWritten) {
  Bytes out;
  PutU8(&out, 7);
  PutU16(&out, 0x1234);
  PutU32BE(&out, 0xDEADBEEF);
  PutU64(&out, ~0ull);
  PutVarint(&out, 300);
  PutVarint(&out, ~0ull);
  PutString(&out, "abc");
  ByteReader in(out);
  EXPECT_EQ(in.U8(), 7);
  EXPECT_EQ(in.U16(), 0x1234);
  EXPECT_EQ(in.U32BE(), 0xDEADBEEFu);
  EXPECT_EQ(in.U64(), ~0ull);
  EXPECT_EQ(in.Varint(), 300u);
  EXPECT_EQ(in.Varint(), ~0ull);
  EXPECT_EQ(in.String(), "abc");
  EXPECT_TRUE(in.done());
}

TEST(ByteReader, FailsOnceAndStaysFailed) {
  ByteReader in(ByteView("\x05\0\0\0ab", 6));
  EXPECT_EQ(in.String(), "");
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.U8(), 0);
  EXPECT_FALSE(in.done());
}

TEST(ByteReader, RefusesAVarintOfMoreThan64Bits) {
  ByteReader in("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  in.Varint();
  EXPECT_FALSE(in.ok());
}

TEST(ClusterId, ParsesAndPrintsTheSameText) {
  std::string text = "123e4567-e89b-42d3-a456-426614174000";
  auto id = ClusterId::Parse(text);
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->ToString(), text);
}

TEST(ClusterId, RefusesAnythingElse) {
  for (const char* text :
       {"", "x", "123e4567-e89b-42d3-a456-42661417400", "123e4567ee89b-42d3-a456-426614174000",
        "123e4567-e89b-42d3-a456-42661417400g"}) {
    EXPECT_EQ(ClusterId::Parse(text).code(), Code::kInvalidArgument) << text;
  }
}

TEST(Status, AddsContextInFront) {
  Status s = IoError("fdatasync: no space left on device").WithContext("log segment 7");
  EXPECT_EQ(s.ToString(), "io_error: log segment 7: fdatasync: no space left on device");
  EXPECT_TRUE(Status::Ok().WithContext("x").ok());
}

}  // namespace
}  // namespace borealis
