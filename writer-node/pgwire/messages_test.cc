#include "writer-node/pgwire/messages.h"

#include <gtest/gtest.h>

#include <random>

namespace borealis::pgwire {
namespace {

using std::string_literals::operator""s;

TEST(Decode, Parse) {
  const std::string body = "s1\0SELECT $1\0\0\2\0\0\0\x17\0\0\0\0"s;
  Result<ParseMessage> m = DecodeParse(body);
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m->name, "s1");
  EXPECT_EQ(m->query, "SELECT $1");
  EXPECT_EQ(m->types, (std::vector<uint32_t>{23, 0}));
}

TEST(Decode, BindWithNullsAndFormats) {
  const std::string text = "p\0s\0\0\1\0\1\0\2\0\0\0\3abc\xff\xff\xff\xff\0\2\0\0\0\1"s;
  Result<BindMessage> m = DecodeBind(text);
  ASSERT_TRUE(m.ok()) << m.status().ToString();
  EXPECT_EQ(m->portal, "p");
  EXPECT_EQ(m->statement, "s");
  ASSERT_EQ(m->params.size(), 2u);
  EXPECT_EQ(m->params[0], "abc");
  EXPECT_FALSE(m->params[1].has_value());
  EXPECT_EQ(BindMessage::FormatOf(m->param_formats, 1), Format::kBinary);
  EXPECT_EQ(BindMessage::FormatOf(m->result_formats, 0), Format::kText);
  EXPECT_EQ(BindMessage::FormatOf(m->result_formats, 1), Format::kBinary);
}

TEST(Decode, ExecuteTreatsNegativeLimitsAsNone) {
  EXPECT_EQ(DecodeExecute("p\0\0\0\0\5"s)->rows_max, 5);
  EXPECT_EQ(DecodeExecute("p\0\xff\xff\xff\xff"s)->rows_max, 0);
}

TEST(Decode, Startup) {
  Result<StartupPacket> p = DecodeStartup("\0\3\0\0user\0ann\0database\0shop\0_pq_.x\0001\0\0"s);
  ASSERT_TRUE(p.ok()) << p.status().ToString();
  EXPECT_EQ(p->kind, StartupPacket::Kind::kStartup);
  ASSERT_EQ(p->parameters.size(), 2u);
  EXPECT_EQ(p->parameters[1], (std::pair<std::string, std::string>("database", "shop")));
  EXPECT_EQ(p->unknown_options, std::vector<std::string>{"_pq_.x"});
  EXPECT_EQ(DecodeStartup("\x04\xd2\x16\x2f"s)->kind, StartupPacket::Kind::kSsl);
  EXPECT_EQ(DecodeStartup("\x04\xd2\x16\x30"s)->kind, StartupPacket::Kind::kGss);
  Result<StartupPacket> cancel = DecodeStartup("\x04\xd2\x16\x2e\0\0\0\7\0\0\0\x9"s);
  ASSERT_TRUE(cancel.ok());
  EXPECT_EQ(cancel->kind, StartupPacket::Kind::kCancel);
  EXPECT_EQ(cancel->cancel_pid, 7);
  EXPECT_EQ(cancel->cancel_secret, 9);
}

TEST(Decode, RefusesMalformedBodies) {
  EXPECT_FALSE(DecodeQuery("SELECT 1").ok());             // no terminator
  EXPECT_FALSE(DecodeQuery("SELECT 1\0x"s).ok());         // something after it
  EXPECT_FALSE(DecodeParse("s\0q\0\0\2\0\0\0\1"s).ok());  // fewer types than announced
  EXPECT_FALSE(DecodeParse("s\0q\0\xff\xff"s).ok());
  EXPECT_FALSE(DecodeBind("p\0s\0\0\0\0\1\0\0\0\x10short\0\0"s).ok());
  EXPECT_FALSE(DecodeBind("p\0s\0\0\1\0\2\0\0\0\0"s).ok());  // format code 2
  EXPECT_FALSE(
      DecodeBind("p\0s\0\0\2\0\0\0\1\0\1\xff\xff\xff\xff\0\0"s).ok());  // 2 formats, 1 value
  EXPECT_FALSE(DecodeBind("p\0s\0\0\0\0\1\xff\xff\xff\xfe\0\0"s).ok());
  EXPECT_FALSE(DecodeNamed("Xname\0"s).ok());
  EXPECT_FALSE(DecodeExecute("p\0\0\0"s).ok());
  EXPECT_FALSE(DecodeEmpty("x").ok());
  EXPECT_FALSE(DecodeStartup("\0\3").ok());
  EXPECT_FALSE(DecodeStartup("\0\3\0\0user\0ann"s).ok());
  EXPECT_FALSE(DecodeStartup("\0\3\0\0user\0ann\0\0junk"s).ok());
  EXPECT_EQ(DecodeStartup("\0\2\0\0"s).code(), Code::kUnsupported);
  EXPECT_FALSE(DecodeSaslInitial("SCRAM-SHA-256\0\0\0\0\x9n,,"s).ok());
}

// Whatever comes, decoders answer or refuse. Run under the sanitizers too.
TEST(Decode, SurvivesRandomBytes) {
  std::mt19937 random(7);
  size_t accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string body(random() % 40, '\0');
    for (char& c : body) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 4);
    accepted += DecodeParse(body).ok() + DecodeBind(body).ok() + DecodeNamed(body).ok() +
                DecodeExecute(body).ok() + DecodeStartup(body).ok() + DecodeSaslInitial(body).ok();
    ValidUtf8(body);
  }
  EXPECT_GT(accepted, 0u);
}

TEST(Utf8, AcceptsAndRefusesAsUnicodeSays) {
  for (std::string_view text : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(ValidUtf8(text)) << ToHex(text);
  }
  for (const std::string& text : {"\x80"s, "\xc3"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x9f\xbf"s,
                                  "\xed\xa0\x80"s, "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s,
                                  "\xf5\x80\x80\x80"s, "a\0b"s, "\xe2\x82"s, "\xff"s}) {
    EXPECT_FALSE(ValidUtf8(text)) << ToHex(text);
  }
}

TEST(Position, CountsCharacters) {
  EXPECT_EQ(CharacterPosition("SELECT", 0), 1);
  EXPECT_EQ(CharacterPosition("'\xc3\xa4' x", 5), 5);
  EXPECT_EQ(CharacterPosition("ab", 99), 3);
}

TEST(Encode, Messages) {
  Encoder e;
  e.ReadyForQuery(TransactionStatus::kInBlock);
  EXPECT_EQ(e.Take(), "Z\0\0\0\5T"s);
  e.CommandComplete("SELECT 1");
  EXPECT_EQ(e.Take(), "C\0\0\0\x0dSELECT 1\0"s);
  e.BackendKeyData(1, -1);
  EXPECT_EQ(e.Take(), "K\0\0\0\x0c\0\0\0\1\xff\xff\xff\xff"s);
  e.ParameterDescription({23});
  EXPECT_EQ(e.Take(), "t\0\0\0\x0a\0\1\0\0\0\x17"s);
  e.RowDescription({{"a", 16385, 1, 23, 4, -1, Format::kBinary}});
  EXPECT_EQ(e.Take(), "T\0\0\0\x1a\0\1a\0\0\0\x40\1\0\1\0\0\0\x17\0\4\xff\xff\xff\xff\0\1"s);
  e.CopyInResponse(Format::kText, 2);
  EXPECT_EQ(e.Take(), "G\0\0\0\x0b\0\0\2\0\0\0\0"s);
  EXPECT_EQ(e.size(), 0u);
}

TEST(Encode, RowsInPlace) {
  Encoder e;
  e.EmptyQueryResponse();
  e.BeginRow(3);
  e.NullColumn();
  e.Column("ab");
  e.BeginColumn()->append("xyz");
  e.EndColumn();
  e.EndRow();
  e.BeginRow(1);
  e.Column("dropped");
  e.AbortRow();
  EXPECT_EQ(e.Take(), "I\0\0\0\4"s + "D\0\0\0\x17\0\3\xff\xff\xff\xff\0\0\0\2ab\0\0\0\3xyz"s);
}

TEST(Encode, ErrorFieldsInOrderAndWithoutEmptyOnes) {
  Encoder e;
  ErrorFields f;
  f.severity = Severity::kFatal;
  f.sqlstate = "57P01";
  f.message = "bye\0hidden"s;
  f.hint = "come back";
  f.position = 12;
  f.table = "t";
  e.Error(f);
  EXPECT_EQ(e.Take(), "E\0\0\0\x31SFATAL\0VFATAL\0C57P01\0Mbye\0Hcome back\0P12\0tt\0\0"s);
  e.Notice({});
  EXPECT_EQ(e.Take(), "N\0\0\0\x29SERROR\0VERROR\0CXX000\0Munknown error\0\0"s);
}

}  // namespace
}  // namespace borealis::pgwire
