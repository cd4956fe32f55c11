// Keys order as values do; rows and keys keep their bytes for ever; garbage is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "common/sql/io.h"
#include "common/sql/key.h"
#include "common/sql/numeric.h"
#include "common/sql/row.h"

namespace borealis::sql {
namespace {

constexpr uint64_t kSeed = 20240229;

std::string RandomText(std::mt19937_64* random) {
  static constexpr char kAlphabet[] = {'\0',   '\x01', '\x02', 'a',   'b',
                                       '\x7f', '\x80', '\xfe', '\xff'};
  std::string out;
  for (uint64_t n = (*random)() % 5; n > 0; --n) out += kAlphabet[(*random)() % sizeof(kAlphabet)];
  return out;
}

std::vector<Datum> Samples(TypeOid type, std::mt19937_64* random) {
  std::vector<Datum> out{Datum()};
  for (int i = 0; i < 120; ++i) {
    const uint64_t r = (*random)();
    switch (type) {
      case oid::kBool:
        out.push_back(Datum::Bool(r & 1));
        break;
      case oid::kInt2:
        out.push_back(Datum::Int(static_cast<int16_t>(r)));
        break;
      case oid::kInt4:
        out.push_back(Datum::Int(static_cast<int32_t>(r) >> (r >> 32) % 32));
        break;
      case oid::kFloat8: {
        static constexpr double kSpecial[] = {0.0,    -0.0,    HUGE_VAL, -HUGE_VAL,
                                              1e-310, -1e-310, 1,        -1};
        out.push_back(Datum::Double(i < 8 ? kSpecial[i]
                                    : i == 8
                                        ? std::nan("")
                                        : std::ldexp(static_cast<double>(static_cast<int32_t>(r)),
                                                     static_cast<int>(r >> 58) - 32)));
        break;
      }
      case oid::kNumeric: {
        static const char* kSpecial[] = {"NaN", "Infinity", "-Infinity", "0",     "0.00",   "1",
                                         "1.0", "10",       "-1",        "1e100", "-1e-100"};
        if (i < 11)
          out.push_back(Datum::Of(*Numeric::Parse(kSpecial[i])));
        else
          out.push_back(Datum::Of(Numeric::FromScaled(static_cast<int64_t>(r) >> (r % 60),
                                                      static_cast<int>((r >> 32) % 25))));
        break;
      }
      case oid::kText:
        out.push_back(Datum::String(RandomText(random)));
        break;
      default:
        out.push_back(Datum::Int(static_cast<int64_t>(r) >> (r % 63)));
        break;
    }
  }
  return out;
}

class KeyOrder : public ::testing::TestWithParam<std::tuple<TypeOid, bool, bool>> {};

TEST_P(KeyOrder, BytesOrderAsValuesDo) {
  const auto [type, descending, nulls_first] = GetParam();
  const KeyColumn column{{type, -1}, descending, nulls_first};
  std::mt19937_64 random(kSeed);
  const std::vector<Datum> samples = Samples(type, &random);
  std::vector<Bytes> keys;
  for (const Datum& d : samples) {
    EncodeKeyColumn(column, d, &keys.emplace_back());
    ByteView in = keys.back();
    Datum back;
    ASSERT_TRUE(DecodeKeyColumn(column, &in, &back).ok());
    EXPECT_TRUE(in.empty());
    EXPECT_TRUE(NotDistinct(d, back)) << ToHex(keys.back());
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    for (size_t j = 0; j < samples.size(); ++j) {
      const int want = CompareForSort(samples[i], samples[j], descending, nulls_first);
      const int got = keys[i].compare(keys[j]);
      ASSERT_EQ(want < 0, got < 0) << ToHex(keys[i]) << " " << ToHex(keys[j]);
      ASSERT_EQ(want == 0, got == 0) << ToHex(keys[i]) << " " << ToHex(keys[j]);
      // Self-delimiting: no key of a value is a proper prefix of another's.
      if (keys[i].size() < keys[j].size()) {
        ASSERT_NE(keys[j].compare(0, keys[i].size(), keys[i]), 0);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, KeyOrder,
                         ::testing::Combine(::testing::Values(oid::kBool, oid::kInt2, oid::kInt4,
                                                              oid::kInt8, oid::kFloat8,
                                                              oid::kNumeric, oid::kText,
                                                              oid::kTimestamptz),
                                            ::testing::Bool(), ::testing::Bool()));

// docs/formats/keys.md shows these.
TEST(KeyFormat, Golden) {
  const auto hex = [](TypeOid type, const char* text, bool descending) {
    const KeyColumn column{{type, -1}, descending, descending};
    Bytes out;
    EncodeKeyColumn(column, text == nullptr ? Datum() : *TextInput({type, -1}, text), &out);
    return ToHex(out);
  };
  EXPECT_EQ(hex(oid::kInt4, "1", false), "0180000001");
  EXPECT_EQ(hex(oid::kInt4, "-1", false), "017fffffff");
  EXPECT_EQ(hex(oid::kInt4, "1", true), "017ffffffe");
  EXPECT_EQ(hex(oid::kInt2, "5", false), "018005");
  EXPECT_EQ(hex(oid::kInt8, "5", false), "018000000000000005");
  EXPECT_EQ(hex(oid::kInt4, nullptr, false), "02");
  EXPECT_EQ(hex(oid::kInt4, nullptr, true), "00");
  EXPECT_EQ(hex(oid::kBool, "t", false), "0101");
  EXPECT_EQ(hex(oid::kText, "ab", false), "0161620001");
  EXPECT_EQ(hex(oid::kBytea, "\\x6100", false), "016100ff0001");
  EXPECT_EQ(hex(oid::kFloat8, "1", false), "01bff0000000000000");
  EXPECT_EQ(hex(oid::kFloat8, "-1", false), "01400fffffffffffff");
  EXPECT_EQ(hex(oid::kNumeric, "12.5", false), "011c800000020d3300");
  EXPECT_EQ(hex(oid::kNumeric, "-12.5", false), "01147ffffffdf2ccff");
  EXPECT_EQ(hex(oid::kNumeric, "0.00", false), "0118");
}

TEST(KeyFormat, DamagedKeysAreRefused) {
  const auto code = [](TypeOid type, ByteView bytes) {
    Datum out;
    return DecodeKeyColumn({{type, -1}}, &bytes, &out).code();
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(code(oid::kInt4, ""sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kInt4, "\x03"sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kInt4, "\x01\x80\x00"sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kBool, "\x01\x02"sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kText,
                 "\x01"
                 "ab"sv),
            Code::kCorruption);
  EXPECT_EQ(code(oid::kText, "\x01\x00\x02"sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kNumeric, "\x01\x1c\x80\x00\x00\x01\x00"sv), Code::kCorruption);
  EXPECT_EQ(code(oid::kNumeric, "\x01\x1c\xff\x00\x00\x01\x02\x00"sv), Code::kCorruption);
}

TEST(KeyFormat, GarbageNeverCrashes) {
  std::mt19937_64 random(kSeed);
  for (TypeOid type : {oid::kBool, oid::kInt4, oid::kText, oid::kNumeric, oid::kFloat8}) {
    for (int i = 0; i < 20000; ++i) {
      std::string bytes;
      for (uint64_t n = random() % 12; n > 0; --n)
        bytes += static_cast<char>(random() % 4 == 0 ? random() : random() % 40);
      ByteView in = bytes;
      Datum out;
      const bool descending = (random() & 1) != 0;
      (void)DecodeKeyColumn({{type, -1}, descending, descending}, &in, &out).ok();
    }
  }
}

TEST(RowFormat, Golden) {
  const RowColumn columns[] = {
      {ColumnId(1), {oid::kInt4, -1}},   {ColumnId(2), {oid::kText, -1}},
      {ColumnId(3), {oid::kBool, -1}},   {ColumnId(5), {oid::kNumeric, -1}},
      {ColumnId(6), {oid::kFloat8, -1}}, {ColumnId(7), {oid::kText, -1}}};
  const Datum values[] = {Datum::Int(-3),    Datum::String("hi"),
                          Datum::Bool(true), Datum::Of(*Numeric::Parse("1.50")),
                          Datum::Double(1),  Datum()};
  Bytes row;
  EncodeRow(7, columns, values, &row);
  EXPECT_EQ(ToHex(row), "0107050a0514026869192d0600029600000033000000000000f03f");
  Datum back[6];
  ASSERT_TRUE(RowDecoder(columns).Decode(row, back).ok());
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(NotDistinct(values[i], back[i])) << i;
  EXPECT_EQ(*RowSchemaVersion(row), 7u);
  // A column that the row was written without, between two that it has, and after all.
  const RowColumn wanted[] = {{ColumnId(9), {oid::kInt4, -1}},
                              {ColumnId(4), {oid::kInt4, -1}},
                              {ColumnId(5), {oid::kNumeric, -1}}};
  Datum some[3] = {Datum::Int(1), Datum::Int(1), Datum()};
  ASSERT_TRUE(RowDecoder(wanted).Decode(row, some).ok());
  EXPECT_TRUE(some[0].is_null());
  EXPECT_TRUE(some[1].is_null());
  EXPECT_EQ(ToText({oid::kNumeric, -1}, some[2]), "1.50");
  EXPECT_EQ(RowDecoder(wanted).Decode("\x02", some).code(), Code::kUnsupported);
}

TEST(RowFormat, CutAndChangedRowsNeverCrash) {
  const RowColumn columns[] = {{ColumnId(1), {oid::kInt4, -1}},
                               {ColumnId(2), {oid::kText, -1}},
                               {ColumnId(3), {oid::kNumeric, -1}},
                               {ColumnId(4), {oid::kInt4Array, -1}}};
  const Datum values[] = {Datum::Int(12345),
                          Datum::String("a text that is longer than fourteen bytes"),
                          Datum::Of(*Numeric::Parse("-123456789012345678901234567890.5")),
                          Datum::Array(oid::kInt4, {Datum::Int(1), Datum()})};
  Bytes row;
  EncodeRow(1, columns, values, &row);
  const RowDecoder decoder(columns);
  Datum out[4];
  for (size_t n = 0; n < row.size(); ++n) {
    EXPECT_FALSE(decoder.Decode(ByteView(row).substr(0, n), out).ok()) << n;
  }
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 50000; ++i) {
    Bytes changed = row;
    for (uint64_t n = random() % 3 + 1; n > 0; --n)
      changed[random() % changed.size()] = static_cast<char>(random());
    (void)decoder.Decode(changed, out).ok();
  }
}

TEST(Datum, CopiesAndMovesShareOrTake) {
  const std::string text = "longer than the fourteen bytes that fit inline";
  Datum a = Datum::String(text);
  Datum b = a;
  Datum c = std::move(a);
  EXPECT_TRUE(a.is_null());
  EXPECT_EQ(b.string_value(), text);
  EXPECT_EQ(c.string_value(), text);
  b = Datum::Int(1);
  EXPECT_EQ(c.string_value(), text);
  c = c;  // NOLINT: self-assignment is what is tested
  EXPECT_EQ(c.string_value(), text);
  for (size_t n = 0; n <= 20; ++n) {
    const std::string s(n, 'x');
    EXPECT_EQ(Datum::String(s).string_value(), s);
  }
}

TEST(Numeric, ArithmeticAgreesWithWideIntegers) {
  std::mt19937_64 random(kSeed);
  const auto text = [](__int128 v) {
    if (v == 0) return std::string("0");
    const bool minus = v < 0;
    std::string s;
    for (; v != 0; v /= 10)
      s.insert(s.begin(), static_cast<char>('0' + std::abs(static_cast<int>(v % 10))));
    return minus ? "-" + s : s;
  };
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<int64_t>(random()) >> (random() % 60);
    const auto y = static_cast<int64_t>(random()) >> (random() % 60);
    const Numeric a = Numeric::FromInt(x), b = Numeric::FromInt(y);
    ASSERT_EQ(Numeric::Add(a, b)->ToString(), text(static_cast<__int128>(x) + y));
    ASSERT_EQ(Numeric::Subtract(a, b)->ToString(), text(static_cast<__int128>(x) - y));
    const Numeric product = *Numeric::Multiply(a, b);
    ASSERT_EQ(product.ToString(), text(static_cast<__int128>(x) * y));
    ASSERT_EQ(Numeric::Compare(a, b), x < y ? -1 : x > y ? 1 : 0);
    if (y != 0) {
      ASSERT_EQ(Numeric::Modulo(a, b)->ToString(), text(static_cast<__int128>(x) % y));
      // (x * y) / y is x again, whatever the scale.
      ASSERT_EQ(Numeric::Divide(product, b)->Round(0).ToString(), text(x));
    }
    Bytes stored, sent;
    product.EncodeTo(&stored);
    product.SendTo(&sent);
    Numeric back;
    ASSERT_TRUE(Numeric::Decode(stored, &back));
    ASSERT_EQ(back.ToString(), product.ToString());
    ASSERT_EQ(Numeric::Receive(sent)->ToString(), product.ToString());
  }
}

// Knuth's rare "add back" step and long operands: q * b + r == a with r < b, for operands built of
// extreme limbs.
TEST(Numeric, LongDivision) {
  std::mt19937_64 random(kSeed);
  const auto digits = [&](int groups) {
    static const char* kGroups[] = {"999999999", "000000000", "000000001", "500000000",
                                    "999999998"};
    std::string s = "1";
    for (int i = 0; i < groups; ++i) s += kGroups[random() % 5];
    return *Numeric::Parse(s);
  };
  for (int i = 0; i < 20000; ++i) {
    const Numeric a = digits(static_cast<int>(random() % 8)),
                  b = digits(static_cast<int>(random() % 5));
    const Numeric r = *Numeric::Modulo(a, b);
    ASSERT_LT(Numeric::Compare(r, b), 0);
    const Numeric whole = *Numeric::Subtract(a, r);
    const Numeric q = Numeric::Divide(whole, b)->Round(0);
    ASSERT_EQ(Numeric::Compare(*Numeric::Multiply(q, b), whole), 0)
        << a.ToString() << " / " << b.ToString();
  }
}

TEST(BinaryFormat, RoundTripsEveryType) {
  const std::pair<const char*, const char*> kValues[] = {
      {"bool", "t"},
      {"int2", "-7"},
      {"int4", "-70000"},
      {"int8", "9223372036854775807"},
      {"float4", "1.5"},
      {"float8", "-2.25"},
      {"numeric", "-1234.56780"},
      {"text", "h\xc3\xa9"},
      {"varchar", "x"},
      {"bytea", "\\x00ff"},
      {"oid", "4294967295"},
      {"date", "2024-02-29"},
      {"timestamptz", "2024-02-29 01:02:03.456+00"},
      {"interval", "1 mon 2 days 03:04:05"},
      {"_int4", "{1,NULL,3}"},
      {"_text", "{a,\"b c\"}"},
      {"int2vector", "1 2"}};
  for (const auto& [name, text] : kValues) {
    const Type type{FindType(std::string_view(name))->oid, -1};
    auto value = TextInput(type, text);
    ASSERT_TRUE(value.ok()) << name << " " << value.status().message();
    EXPECT_EQ(ToText(type, *value), text);
    Bytes bytes;
    ASSERT_TRUE(BinaryOutput(type, *value, &bytes).ok());
    auto back = BinaryInput(type, bytes);
    ASSERT_TRUE(back.ok()) << name << " " << back.status().message();
    EXPECT_EQ(ToText(type, *back), text);
    EXPECT_EQ(BinaryInput(type, bytes + "x").ok(),
              type.oid == oid::kText || type.oid == oid::kVarchar || type.oid == oid::kBytea)
        << name;
  }
}

}  // namespace
}  // namespace borealis::sql
