// SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it: verifiers as they stand in the
// catalog, and the server's side of an exchange. docs/design/authentication.md. Pure: nonces and
// salts are passed in.
//
// Passwords are compared after SASLprep (RFC 4013) by both sides. It leaves printable ASCII as it
// is, and only that is accepted here when a verifier is made from a plain text; a client that makes
// the verifier itself (psql's \password does) may use any password.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace borealis::pgwire {

inline constexpr int kScramIterations = 4096;  // PostgreSQL 15's
inline constexpr size_t kScramSaltBytes = 16;
inline constexpr size_t kScramKeyBytes = 32;
inline constexpr size_t kScramNonceBytes = 18;
inline constexpr std::string_view kScramMechanism = "SCRAM-SHA-256";

// What the server keeps of a password: enough to check it, not enough to log in elsewhere.
struct ScramVerifier {
  int iterations = kScramIterations;
  Bytes salt;
  Bytes stored_key;
  Bytes server_key;

  // "SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>", as in pg_authid.rolpassword.
  std::string ToString() const;
  // kInvalidArgument for anything else.
  static Result<ScramVerifier> Parse(std::string_view text);
};

// kUnsupported for a password with characters other than printable ASCII, kInvalidArgument for an
// empty one. Takes a few milliseconds.
Result<ScramVerifier> MakeScramVerifier(std::string_view password, ByteView salt,
                                        int iterations = kScramIterations);
// True when the password makes this verifier. Takes as long as MakeScramVerifier.
bool VerifierMatchesPassword(const ScramVerifier& verifier, std::string_view password);

// The verifier that a user who does not exist (or has no password) is asked against. Its salt is
// the same at each attempt and looks like any other, so the answers do not tell who exists.
ScramVerifier MockVerifier(std::string_view user, ByteView server_secret);

// One exchange. First, then Final; an error ends it. kCorruption: malformed (08P01);
// kUnauthenticated: the proof is wrong, or `genuine` was false.
class ScramServer {
 public:
  // `nonce`: printable ASCII without comma, fresh for each exchange.
  ScramServer(ScramVerifier verifier, bool genuine, std::string nonce);
  Result<Bytes> First(ByteView client_first);
  Result<Bytes> Final(ByteView client_final);

 private:
  const ScramVerifier verifier_;
  const bool genuine_;
  const std::string server_nonce_;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string nonce_;  // both parts
};

// The client's side, for tests: the proof that answers `server_first`.
std::string ScramClientFinal(std::string_view password, std::string_view client_first_bare,
                             std::string_view server_first);

std::string Base64Encode(ByteView bytes);
// Strict: padding required, no white space. kInvalidArgument otherwise.
Result<Bytes> Base64Decode(std::string_view text);

}  // namespace borealis::pgwire
