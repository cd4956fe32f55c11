#include "writer-node/pgwire/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "common/base/check.h"

namespace borealis::pgwire {
namespace {

const unsigned char* U(ByteView v) {
  return reinterpret_cast<const unsigned char*>(v.data());
}

Bytes Hmac(ByteView key, ByteView data) {
  Bytes out(kScramKeyBytes, '\0');
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), U(data), data.size(),
           reinterpret_cast<unsigned char*>(out.data()), &size);
  BOREALIS_CHECK(done != nullptr && size == kScramKeyBytes);
  return out;
}

Bytes Sha256(ByteView data) {
  Bytes out(kScramKeyBytes, '\0');
  SHA256(U(data), data.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

Bytes Xor(ByteView a, ByteView b) {
  Bytes out(a);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

Bytes SaltedPassword(std::string_view password, ByteView salt, int iterations) {
  Bytes out(kScramKeyBytes, '\0');
  int done = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), U(salt),
                               static_cast<int>(salt.size()), iterations, EVP_sha256(),
                               static_cast<int>(kScramKeyBytes),
                               reinterpret_cast<unsigned char*>(out.data()));
  BOREALIS_CHECK(done == 1);
  return out;
}

ScramVerifier VerifierFrom(std::string_view password, ByteView salt, int iterations) {
  Bytes salted = SaltedPassword(password, salt, iterations);
  ScramVerifier v;
  v.iterations = iterations;
  v.salt = Bytes(salt);
  v.stored_key = Sha256(Hmac(salted, "Client Key"));
  v.server_key = Hmac(salted, "Server Key");
  OPENSSL_cleanse(salted.data(), salted.size());
  return v;
}

// "r=value" at the front of `text`, taken off together with the comma after it.
bool TakeAttribute(std::string_view* text, char name, std::string_view* value) {
  if (text->size() < 2 || (*text)[0] != name || (*text)[1] != '=') return false;
  size_t end = std::min(text->find(','), text->size());
  *value = text->substr(2, end - 2);
  text->remove_prefix(std::min(end + 1, text->size()));
  return true;
}

bool PrintableNonce(std::string_view nonce) {
  return !nonce.empty() && std::all_of(nonce.begin(), nonce.end(),
                                       [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

Status Malformed(std::string_view what) {
  return Corruption("malformed SCRAM message: " + std::string(what));
}

}  // namespace

std::string Base64Encode(ByteView bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), U(bytes),
                          static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

Result<Bytes> Base64Decode(std::string_view text) {
  size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  auto digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  if (text.size() % 4 != 0 || text.size() > 1 << 20 ||
      !std::all_of(text.begin(), text.end() - static_cast<ptrdiff_t>(padding), digit)) {
    return InvalidArgument("not base64");
  }
  Bytes out(text.size() / 4 * 3, '\0');
  int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), U(text),
                          static_cast<int>(text.size()));
  if (n < 0) return InvalidArgument("not base64");
  out.resize(static_cast<size_t>(n) - padding);
  return out;
}

std::string ScramVerifier::ToString() const {
  return std::string(kScramMechanism) + "$" + std::to_string(iterations) + ":" +
         Base64Encode(salt) + "$" + Base64Encode(stored_key) + ":" + Base64Encode(server_key);
}

Result<ScramVerifier> ScramVerifier::Parse(std::string_view text) {
  const Status wrong = InvalidArgument("not a SCRAM-SHA-256 verifier");
  auto cut = [&text](char separator, std::string_view* part) {
    size_t at = text.find(separator);
    if (at == std::string_view::npos) return false;
    *part = text.substr(0, at);
    text.remove_prefix(at + 1);
    return true;
  };
  std::string_view mechanism, iterations, salt, stored;
  if (!cut('$', &mechanism) || mechanism != kScramMechanism || !cut(':', &iterations) ||
      !cut('$', &salt) || !cut(':', &stored)) {
    return wrong;
  }
  ScramVerifier v;
  const char* end = iterations.data() + iterations.size();
  auto [last, error] = std::from_chars(iterations.data(), end, v.iterations);
  // The upper bound keeps a made-up verifier from stalling clients.
  if (error != std::errc() || last != end || v.iterations < 1 || v.iterations > 10'000'000) {
    return wrong;
  }
  Result<Bytes> salt_bytes = Base64Decode(salt);
  Result<Bytes> stored_key = Base64Decode(stored);
  Result<Bytes> server_key = Base64Decode(text);
  if (!salt_bytes.ok() || !stored_key.ok() || !server_key.ok() || salt_bytes->empty() ||
      stored_key->size() != kScramKeyBytes || server_key->size() != kScramKeyBytes) {
    return wrong;
  }
  v.salt = *std::move(salt_bytes);
  v.stored_key = *std::move(stored_key);
  v.server_key = *std::move(server_key);
  return v;
}

Result<ScramVerifier> MakeScramVerifier(std::string_view password, ByteView salt, int iterations) {
  if (password.empty()) return InvalidArgument("the password is empty");
  bool ascii =
      std::all_of(password.begin(), password.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (!ascii) return Unsupported("a plain-text password with characters other than ASCII");
  return VerifierFrom(password, salt, iterations);
}

bool VerifierMatchesPassword(const ScramVerifier& verifier, std::string_view password) {
  ScramVerifier made = VerifierFrom(password, verifier.salt, verifier.iterations);
  return CRYPTO_memcmp(made.stored_key.data(), verifier.stored_key.data(), kScramKeyBytes) == 0;
}

ScramVerifier MockVerifier(std::string_view user, ByteView server_secret) {
  ScramVerifier v;
  v.salt = Hmac(server_secret, "salt:" + Bytes(user)).substr(0, kScramSaltBytes);
  v.stored_key = Hmac(server_secret, "stored:" + Bytes(user));
  v.server_key = Hmac(server_secret, "server:" + Bytes(user));
  return v;
}

ScramServer::ScramServer(ScramVerifier verifier, bool genuine, std::string nonce)
    : verifier_(std::move(verifier)), genuine_(genuine), server_nonce_(std::move(nonce)) {}

// client-first-message = gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username "," nonce
// ["," extensions]
Result<Bytes> ScramServer::First(ByteView client_first) {
  std::string_view text = client_first;
  if (text.size() < 3) return Malformed("too short");
  if (text[0] == 'p') return Malformed("channel binding was not offered");
  if ((text[0] != 'n' && text[0] != 'y') || text[1] != ',') {
    return Malformed("unexpected channel-binding flag");
  }
  if (text[2] != ',') return Malformed("an authorization identity is not supported");
  gs2_header_ = text.substr(0, 3);
  text.remove_prefix(3);
  client_first_bare_ = text;

  std::string_view user, client_nonce;
  if (text.starts_with("m=")) return Malformed("a mandatory extension is not supported");
  // The name counts that came in the startup packet; this one is ignored, as PostgreSQL does.
  if (!TakeAttribute(&text, 'n', &user)) return Malformed("no user name");
  if (!TakeAttribute(&text, 'r', &client_nonce)) return Malformed("no nonce");
  if (!PrintableNonce(client_nonce)) return Malformed("non-printable nonce");
  nonce_ = std::string(client_nonce) + server_nonce_;
  server_first_ = "r=" + nonce_ + ",s=" + Base64Encode(verifier_.salt) +
                  ",i=" + std::to_string(verifier_.iterations);
  return server_first_;
}

// client-final-message = channel-binding "," nonce ["," extensions] "," proof
Result<Bytes> ScramServer::Final(ByteView client_final) {
  std::string_view text = client_final;
  size_t proof_at = text.rfind(",p=");
  if (proof_at == std::string_view::npos) return Malformed("no proof");
  std::string_view without_proof = text.substr(0, proof_at);
  std::string_view proof_text = text.substr(proof_at + 3);

  std::string_view rest = without_proof, binding, nonce;
  if (!TakeAttribute(&rest, 'c', &binding)) return Malformed("no channel binding");
  if (!TakeAttribute(&rest, 'r', &nonce)) return Malformed("no nonce");
  if (binding != Base64Encode(gs2_header_)) return Malformed("unexpected channel binding");
  if (nonce != nonce_) return Malformed("the nonce does not match");
  Result<Bytes> proof = Base64Decode(proof_text);
  if (!proof.ok() || proof->size() != kScramKeyBytes) return Malformed("the proof is not valid");

  // One path for all: who does not exist is told apart only by `genuine_`, looked at last.
  std::string auth = client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  Bytes client_key = Xor(*proof, Hmac(verifier_.stored_key, auth));
  Bytes stored_key = Sha256(client_key);
  bool same = CRYPTO_memcmp(stored_key.data(), verifier_.stored_key.data(), kScramKeyBytes) == 0;
  Bytes signature = Hmac(verifier_.server_key, auth);
  if (!(same & genuine_)) return Status(Code::kUnauthenticated, "wrong proof");
  return "v=" + Base64Encode(signature);
}

std::string ScramClientFinal(std::string_view password, std::string_view client_first_bare,
                             std::string_view server_first) {
  std::string_view rest = server_first, nonce, salt_text, iterations;
  BOREALIS_CHECK(TakeAttribute(&rest, 'r', &nonce) && TakeAttribute(&rest, 's', &salt_text) &&
                 TakeAttribute(&rest, 'i', &iterations));
  Result<Bytes> salt = Base64Decode(salt_text);
  BOREALIS_CHECK(salt.ok());
  Bytes salted = SaltedPassword(password, *salt, std::stoi(std::string(iterations)));
  Bytes client_key = Hmac(salted, "Client Key");
  std::string without_proof = "c=biws,r=" + std::string(nonce);
  std::string auth =
      std::string(client_first_bare) + "," + std::string(server_first) + "," + without_proof;
  Bytes proof = Xor(client_key, Hmac(Sha256(client_key), auth));
  return without_proof + ",p=" + Base64Encode(proof);
}

}  // namespace borealis::pgwire
