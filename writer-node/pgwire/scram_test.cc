#include "writer-node/pgwire/scram.h"

#include <gtest/gtest.h>

namespace borealis::pgwire {
namespace {

// RFC 7677, section 3: user "user", password "pencil".
constexpr std::string_view kClientFirstBare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramVerifier PencilVerifier() {
  Result<ScramVerifier> v = MakeScramVerifier("pencil", *Base64Decode("W22ZaJ0SNY7soEsUEjb6gQ=="));
  EXPECT_TRUE(v.ok()) << v.status().ToString();
  return *v;
}

ScramServer PencilServer(bool genuine = true) {
  return ScramServer(PencilVerifier(), genuine, std::string(kServerNonce));
}

TEST(Scram, SpeaksTheExchangeOfRfc7677) {
  ScramServer server = PencilServer();
  Result<Bytes> first = server.First("n,," + std::string(kClientFirstBare));
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(*first, kServerFirst);
  Result<Bytes> last = server.Final(kClientFinal);
  ASSERT_TRUE(last.ok()) << last.status().ToString();
  EXPECT_EQ(*last, kServerFinal);
  EXPECT_EQ(ScramClientFinal("pencil", kClientFirstBare, kServerFirst), kClientFinal);
}

TEST(Scram, RefusesAWrongPasswordAndAMockAlike) {
  ScramServer wrong = PencilServer();
  Result<Bytes> first = wrong.First("n,," + std::string(kClientFirstBare));
  std::string proof = ScramClientFinal("pencils", kClientFirstBare, *first);
  Result<Bytes> answer = wrong.Final(proof);
  EXPECT_EQ(answer.code(), Code::kUnauthenticated);

  // Even the right proof is refused when the user is not there.
  ScramServer mock = PencilServer(false);
  ASSERT_TRUE(mock.First("n,," + std::string(kClientFirstBare)).ok());
  Result<Bytes> mock_answer = mock.Final(kClientFinal);
  EXPECT_EQ(mock_answer.status(), answer.status());
}

TEST(Scram, MockVerifiersAreStableAndDiffer) {
  ScramVerifier a = MockVerifier("alice", "secret");
  EXPECT_EQ(a.salt, MockVerifier("alice", "secret").salt);
  EXPECT_EQ(a.salt.size(), kScramSaltBytes);
  EXPECT_EQ(a.iterations, kScramIterations);
  EXPECT_NE(a.salt, MockVerifier("bob", "secret").salt);
  EXPECT_NE(a.salt, MockVerifier("alice", "other secret").salt);
}

TEST(Scram, RefusesMalformedFirstMessages) {
  for (std::string_view text :
       {"", "n", "n,", "n,,", "x,,n=,r=abc", "p=tls-server-end-point,,n=,r=abc",
        "n,a=admin,n=,r=abc", "n,,m=ext,n=,r=abc", "n,,r=abc", "n,,n=", "n,,n=,r=", "n,,n=,r=a\tb",
        "n,,n=user", "nn,n=,r=a"}) {
    ScramServer server = PencilServer();
    EXPECT_EQ(server.First(text).code(), Code::kCorruption) << text;
  }
}

TEST(Scram, RefusesMalformedFinalMessages) {
  std::string nonce = "r=rOprNGfwEbeRWgbNEkqO" + std::string(kServerNonce);
  std::string proof = ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  for (const std::string& text :
       {std::string(), "c=biws," + nonce, "c=eSws," + nonce + proof, "c=biws,r=x" + proof,
        nonce + proof, "c=biws," + nonce + ",p=", "c=biws," + nonce + ",p=dHzb",
        "c=biws," + nonce + ",p=????", "c=biws" + proof}) {
    ScramServer server = PencilServer();
    ASSERT_TRUE(server.First("n,," + std::string(kClientFirstBare)).ok());
    EXPECT_EQ(server.Final(text).code(), Code::kCorruption) << text;
  }
  // A client that supports channel binding and saw none offered says "y".
  ScramServer server = PencilServer();
  ASSERT_TRUE(server.First("y,," + std::string(kClientFirstBare)).ok());
  EXPECT_EQ(server.Final("c=eSws," + nonce + proof).code(), Code::kUnauthenticated);
  EXPECT_EQ(server.Final("c=biws," + nonce + proof).code(), Code::kCorruption);
}

TEST(Scram, VerifiersAreReadAsPostgresqlWritesThem) {
  // Made by PostgreSQL 15's algorithm for "pencil" with RFC 7677's salt.
  ScramVerifier made = PencilVerifier();
  Result<ScramVerifier> read = ScramVerifier::Parse(made.ToString());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->ToString(), made.ToString());
  EXPECT_TRUE(VerifierMatchesPassword(*read, "pencil"));
  EXPECT_FALSE(VerifierMatchesPassword(*read, "Pencil"));

  const std::string good = made.ToString();
  for (const std::string& text :
       {std::string(), std::string("md5abcdef"), good.substr(0, good.size() - 1), good + "=",
        "SCRAM-SHA-512" + good.substr(13), std::string("SCRAM-SHA-256$0:AAAA$AAAA:AAAA"),
        std::string("SCRAM-SHA-256$4096x:AAAA$AAAA:AAAA"), std::string("SCRAM-SHA-256$4096:$:")}) {
    EXPECT_FALSE(ScramVerifier::Parse(text).ok()) << text;
  }
}

TEST(Scram, PlainPasswordsMustBeAscii) {
  EXPECT_EQ(MakeScramVerifier("", "saltsaltsaltsalt").code(), Code::kInvalidArgument);
  EXPECT_EQ(MakeScramVerifier("gr\xc3\xbc\xc3\x9f", "saltsaltsaltsalt").code(), Code::kUnsupported);
  EXPECT_EQ(MakeScramVerifier("tab\there", "saltsaltsaltsalt").code(), Code::kUnsupported);
}

TEST(Base64, RoundTripsAndRefuses) {
  for (std::string_view bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    Result<Bytes> back = Base64Decode(Base64Encode(bytes));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, bytes);
  }
  EXPECT_EQ(Base64Encode("foobar"), "Zm9vYmFy");
  for (std::string_view text : {"Zg", "Zg=", "Z===", "Zg==Zg==", "Z g=", " Zg=", "Zm9v\n"}) {
    EXPECT_FALSE(Base64Decode(text).ok()) << text;
  }
}

}  // namespace
}  // namespace borealis::pgwire
