// Runs common/sql/testdata/*: each input line is one call over typed literals, its output one line.
//
//   eval
//   op / numeric:10 numeric:3        an operator; one argument: prefix
//   fn round numeric:1.5             a function
//   cast int4:5 numeric(5,2)         an explicit cast; castassign, castimplicit likewise
//
// Arguments are split at blanks; type:'with blanks' is quoted; unknown:x is an untyped literal,
// type:NULL null. The output is `type value`, or `ERROR sqlstate message`. What PostgreSQL 15 has
// too was compared with it.
#include <gtest/gtest.h>

#include "common/sql/coerce.h"
#include "common/sql/io.h"
#include "common/sql/session_context.h"
#include "common/testing/datadriven.h"

namespace borealis::sql {
namespace {

class TestSession : public SessionContext {
 public:
  int64_t TransactionTimestamp() override { return FromCivil({2024, 2, 29, 12, 34, 56, 789000}); }
  uint64_t RandomBits() override { return 1ull << 63; }
  std::string WriterName() override { return "shop-w-1"; }
  std::optional<uint32_t> FindRelation(const std::vector<std::string>& name) override {
    if (name.back() == "t") return 16384;
    return std::nullopt;
  }
  std::optional<RelationName> FindRelationName(uint32_t oid) override {
    if (oid == 16384) return RelationName{"public", "t", true};
    return std::nullopt;
  }
};

std::vector<std::string> SplitLine(const std::string& line) {
  std::vector<std::string> words;
  for (size_t i = 0; i < line.size();) {
    if (line[i] == ' ') {
      ++i;
      continue;
    }
    std::string word;
    while (i < line.size() && line[i] != ' ') {
      if (line[i] != '\'') {
        word += line[i++];
        continue;
      }
      for (++i; i < line.size() && line[i] != '\''; ++i) word += line[i];
      ++i;
    }
    words.push_back(word);
  }
  return words;
}

SqlResult<Type> ParseType(const std::string& text) {
  const size_t paren = text.find('(');
  std::string name = text.substr(0, paren);
  std::vector<int32_t> modifiers;
  if (paren != std::string::npos) {
    std::string rest = text.substr(paren + 1);
    for (char* at = rest.data(); *at != '\0' && *at != ')';) {
      modifiers.push_back(static_cast<int32_t>(std::strtol(at, &at, 10)));
      if (*at == ',') ++at;
    }
  }
  if (name.size() > 2 && name.substr(name.size() - 2) == "[]")
    name = "_" + name.substr(0, name.size() - 2);
  const TypeInfo* info = FindType(std::string_view(name));
  if (info == nullptr) return SqlStatus("42704", "no type " + name);
  SQL_ASSIGN_OR_RETURN(int32_t typmod, MakeTypmod(info->oid, modifiers));
  return Type{info->oid, typmod};
}

SqlResult<ExprPtr> ParseArgument(const std::string& word) {
  const size_t colon = word.find(':');
  SQL_ASSIGN_OR_RETURN(Type type, ParseType(word.substr(0, colon)));
  const std::string text = word.substr(colon + 1);
  if (text == "NULL") return MakeNull(type);
  TestSession session;
  IoContext io;
  io.session = &session;
  SQL_ASSIGN_OR_RETURN(Datum value, TextInput(type, text, io));
  return MakeConst(type, std::move(value));
}

SqlResult<ExprPtr> Build(const std::vector<std::string>& words) {
  std::vector<ExprPtr> args;
  const bool cast = words[0].rfind("cast", 0) == 0;
  const size_t first = cast ? 1 : 2;
  for (size_t i = first; i < words.size() - (cast ? 1 : 0); ++i) {
    SQL_ASSIGN_OR_RETURN(ExprPtr arg, ParseArgument(words[i]));
    args.push_back(std::move(arg));
  }
  if (cast) {
    SQL_ASSIGN_OR_RETURN(Type target, ParseType(words.back()));
    return Coerce(std::move(args[0]), target,
                  words[0] == "cast"         ? CastContext::kExplicit
                  : words[0] == "castassign" ? CastContext::kAssignment
                                             : CastContext::kImplicit);
  }
  if (words[0] == "fn") return BuildCall(words[1], std::move(args));
  if (words[0] == "op" && args.size() == 1)
    return BuildOperator(words[1], nullptr, std::move(args[0]));
  if (words[0] == "op") return BuildOperator(words[1], std::move(args[0]), std::move(args[1]));
  return SqlStatus("42601", "unknown line");
}

std::string EvalLine(const std::string& line, bool fold) {
  const std::vector<std::string> words = SplitLine(line);
  auto expr = Build(words);
  if (!expr.ok()) return "ERROR " + std::string(expr.sqlstate()) + " " + expr.status().message();
  if (fold) FoldConstants(&*expr);
  TestSession session;
  EvalContext context;
  context.session = &session;
  auto value = Eval(**expr, context, nullptr);
  if (!value.ok()) return "ERROR " + std::string(value.sqlstate()) + " " + value.status().message();
  const Type type = (*expr)->type;
  IoContext io;
  io.session = &session;
  return FormatType(type.oid, type.typmod) + " " +
         (value->is_null() ? "NULL" : ToText(type, *value, io));
}

TEST(Eval, TestData) {
  testing::WalkDataDriven("common/sql/testdata", [](const std::string&) {
    return [](const testing::TestCase& test) {
      std::string out;
      for (const std::string& line : test.InputLines()) {
        const std::string plain = EvalLine(line, false);
        EXPECT_EQ(plain, EvalLine(line, true)) << "folding changes " << line;
        out += plain + "\n";
      }
      return out;
    };
  });
}

TEST(Eval, BooleanLogicHasThreeValues) {
  const auto value = [](int v) { return v == 2 ? MakeNull({oid::kBool, -1}) : MakeBool(v == 1); };
  EvalContext context;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      std::vector<ExprPtr> both;
      both.push_back(value(a));
      both.push_back(value(b));
      std::vector<ExprPtr> again;
      again.push_back(value(a));
      again.push_back(value(b));
      const Datum conjunction = *Eval(*MakeAnd(std::move(both)), context, nullptr);
      const Datum disjunction = *Eval(*MakeOr(std::move(again)), context, nullptr);
      const bool and_null = a != 0 && b != 0 && (a == 2 || b == 2);
      const bool or_null = a != 1 && b != 1 && (a == 2 || b == 2);
      EXPECT_EQ(conjunction.is_null(), and_null);
      EXPECT_EQ(disjunction.is_null(), or_null);
      if (!and_null) {
        EXPECT_EQ(conjunction.bool_value(), a == 1 && b == 1);
      }
      if (!or_null) {
        EXPECT_EQ(disjunction.bool_value(), a == 1 || b == 1);
      }
    }
  }
}

TEST(Eval, InListWithNullIsUnknownUnlessFound) {
  EvalContext context;
  const auto in = [&](int64_t left, bool negated) {
    std::vector<ExprPtr> list;
    list.push_back(MakeConst({oid::kInt4, -1}, Datum::Int(1)));
    list.push_back(MakeNull({oid::kInt4, -1}));
    auto e = BuildInList(MakeConst({oid::kInt4, -1}, Datum::Int(left)), std::move(list), negated);
    return *Eval(**e, context, nullptr);
  };
  EXPECT_TRUE(in(1, false).is_true());
  EXPECT_TRUE(in(2, false).is_null());
  EXPECT_FALSE(in(1, true).is_true());
  EXPECT_TRUE(in(2, true).is_null());
}

TEST(Eval, ErrorInABranchNotTakenIsNotRaised) {
  // CASE WHEN false THEN 1/0 ELSE 7 END: neither folding nor evaluation may divide.
  auto division = BuildOperator("/", MakeConst({oid::kInt4, -1}, Datum::Int(1)),
                                MakeConst({oid::kInt4, -1}, Datum::Int(0)));
  std::vector<std::pair<ExprPtr, ExprPtr>> whens;
  whens.emplace_back(MakeBool(false), std::move(*division));
  auto e = BuildCase(nullptr, std::move(whens), MakeConst({oid::kInt4, -1}, Datum::Int(7)));
  ASSERT_TRUE(e.ok());
  FoldConstants(&*e);
  EvalContext context;
  EXPECT_EQ(Eval(**e, context, nullptr)->int_value(), 7);
}

TEST(Eval, NowIsNotFolded) {
  auto e = BuildCall("now", {});
  ASSERT_TRUE(e.ok());
  FoldConstants(&*e);
  EXPECT_EQ((*e)->kind, ExprKind::kCall);
  EXPECT_FALSE(IsConstant(**e));
}

TEST(Eval, ParameterTakesTheTypeThatIsWanted) {
  std::map<uint32_t, TypeOid> types;
  ScopedParamTyper typer([&](uint32_t param, TypeOid type) {
    types[param] = type;
    return SqlStatus();
  });
  auto e = BuildOperator("=", MakeColumn(0, {oid::kInt8, -1}), MakeParam(0, {oid::kUnknown, -1}));
  ASSERT_TRUE(e.ok());
  EXPECT_EQ(types[0], oid::kInt8);
  EvalContext context;
  const std::vector<Datum> params{Datum::Int(5)};
  context.params = &params;
  const Row row{Datum::Int(5)};
  EXPECT_TRUE(Eval(**e, context, row)->is_true());
}

TEST(Eval, LikeIsNotExponential) {
  std::string pattern, text(20000, 'a');
  for (int i = 0; i < 30; ++i) pattern += "%a";
  pattern += "%b";
  auto e = BuildOperator("~~", MakeConst({oid::kText, -1}, Datum::String(text)),
                         MakeConst({oid::kText, -1}, Datum::String(pattern)));
  EvalContext context;
  EXPECT_FALSE(Eval(**e, context, nullptr)->is_true());
}

Datum Aggregated(std::string_view name, TypeOid type, const std::vector<std::string>& values) {
  const TypeOid types[1] = {type};
  auto resolved = ResolveAggregate(name, false, types);
  BOREALIS_CHECK(resolved.ok());
  auto state = MakeAggregateState(*resolved->aggregate, resolved->arg_types);
  for (const std::string& v : values) {
    const Datum d = v == "NULL" ? Datum() : *TextInput({type, -1}, v);
    BOREALIS_CHECK(state->Add(&d).ok());
  }
  const Datum result = *state->Finish();
  return result.is_null() ? Datum::String("NULL")
                          : Datum::String(ToText({resolved->result, -1}, result));
}

TEST(Aggregates, ResultsAndTypes) {
  const auto text = [](std::string_view name, TypeOid type,
                       const std::vector<std::string>& values) {
    return std::string(Aggregated(name, type, values).string_value());
  };
  EXPECT_EQ(text("sum", oid::kInt4, {"2147483647", "2147483647", "NULL"}), "4294967294");
  EXPECT_EQ(text("sum", oid::kInt8, {"9223372036854775807", "9223372036854775807"}),
            "18446744073709551614");
  EXPECT_EQ(text("avg", oid::kInt4, {"1", "2"}), "1.5000000000000000");
  EXPECT_EQ(text("avg", oid::kNumeric, {"1.00", "2.5", "NULL"}), "1.7500000000000000");
  EXPECT_EQ(text("sum", oid::kNumeric, {}), "NULL");
  EXPECT_EQ(text("count", oid::kText, {"a", "NULL", "b"}), "2");
  EXPECT_EQ(text("count", oid::kText, {}), "0");
  EXPECT_EQ(text("max", oid::kText, {"a", "c", "b"}), "c");
  EXPECT_EQ(text("bool_and", oid::kBool, {"t", "NULL", "f"}), "f");
  EXPECT_EQ(text("array_agg", oid::kInt4, {"1", "NULL"}), "{1,NULL}");
  const TypeOid int4[1] = {oid::kInt4};
  EXPECT_EQ(ResolveAggregate("sum", false, int4)->result, oid::kInt8);
  const TypeOid int8[1] = {oid::kInt8};
  EXPECT_EQ(ResolveAggregate("sum", false, int8)->result, oid::kNumeric);
  EXPECT_EQ(ResolveAggregate("sum", false, std::vector<TypeOid>{oid::kText}).sqlstate(), "42883");
}

}  // namespace
}  // namespace borealis::sql
