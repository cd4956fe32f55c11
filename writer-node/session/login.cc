// From the first byte to ReadyForQuery. docs/design/authentication.md.
#include <algorithm>
#include <cctype>

#include "writer-node/pgwire/scram.h"
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

// How long a login waits for the members to say which catalog is the newest; then the one at hand
// counts, so that logins work while there is no quorum.
constexpr std::chrono::milliseconds kFreshCatalogTimeout{1000};

std::string MakeNonce(env::Random& random) {
  return pgwire::Base64Encode(random.FillBytes(pgwire::kScramNonceBytes));
}

const std::string* FindParameter(const pgwire::StartupPacket& packet, std::string_view name) {
  for (const auto& [key, value] : packet.parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

// "-c name=value --name=value -cname=value", with backslash escapes: the options parameter.
std::optional<std::vector<std::pair<std::string, std::string>>> ParseOptions(
    std::string_view text) {
  std::vector<std::string> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else if (text[i] == ' ' || text[i] == '\t') {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  if (words.back().empty()) words.pop_back();
  std::vector<std::pair<std::string, std::string>> out;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string setting;
    if (words[i] == "-c" && i + 1 < words.size()) {
      setting = words[++i];
    } else if (words[i].starts_with("-c") || words[i].starts_with("--")) {
      setting = words[i].substr(2);
    } else {
      return std::nullopt;
    }
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) return std::nullopt;
    std::string name = setting.substr(0, equals);
    std::replace(name.begin(), name.end(), '-', '_');
    out.emplace_back(std::move(name), setting.substr(equals + 1));
  }
  return out;
}

}  // namespace

bool Session::Refuse(std::string sqlstate, std::string message) {
  manager_->metrics().login_failures.Add();
  SendFatal(std::move(sqlstate), std::move(message));
  return false;
}

bool Session::Login() {
  connection_.set_read_deadline(services_.loop->clock().Monotonic() +
                                manager_->options().authentication_timeout);
  pgwire::StartupPacket packet;
  if (!ReadStartup(&packet)) return false;
  const std::string* user = FindParameter(packet, "user");
  if (user == nullptr || user->empty()) {
    return Refuse("28000", "no PostgreSQL user name specified in startup packet");
  }
  if (!pgwire::ValidUtf8(*user))
    return Refuse("22021", "invalid byte sequence for encoding \"UTF8\"");
  if (manager_->draining()) return Refuse("57P03", "the database system is shutting down");
  if (!manager_->serving()) return Refuse("57P03", "the database system is starting up");
  if (packet.version_minor > 0 || !packet.unknown_options.empty()) {
    connection_.out().NegotiateProtocolVersion(0, packet.unknown_options);
  }
  catalog::RolePtr role;
  if (!Authenticate(*user, &role)) return false;

  user_ = role->name;
  role_oid_ = role->oid;
  superuser_ = role->superuser;
  if (!manager_->TakeSlot(superuser_)) return Refuse("53300", "sorry, too many clients already");
  slot_taken_ = true;
  const std::string* database = FindParameter(packet, "database");
  database_ = database == nullptr || database->empty() ? user_ : *database;
  if (database_ != services_.catalog->Latest()->database().name) {
    return Refuse("3D000", "database \"" + database_ + "\" does not exist");
  }
  connection_.set_logged_in();
  if (!ApplyStartupParameters(packet)) return false;
  Greet();
  return true;
}

// Answers SSLRequest and GSSENCRequest (each once), and CancelRequest, which has no answer.
bool Session::ReadStartup(pgwire::StartupPacket* packet) {
  bool ssl_asked = false, gss_asked = false;
  while (true) {
    Result<ByteView> body = connection_.ReadStartupPacket();
    if (!body.ok()) {
      if (body.code() == Code::kCorruption) ProtocolError(body.status().message());
      return false;
    }
    Result<pgwire::StartupPacket> decoded = pgwire::DecodeStartup(*body);
    if (!decoded.ok()) {
      const bool version = decoded.code() == Code::kUnsupported;
      SendFatal(version ? "0A000" : "08P01", decoded.status().message());
      return false;
    }
    switch (decoded->kind) {
      case pgwire::StartupPacket::Kind::kStartup:
        *packet = *std::move(decoded);
        return true;
      case pgwire::StartupPacket::Kind::kCancel:
        manager_->Cancel(decoded->cancel_pid, decoded->cancel_secret);
        return false;
      case pgwire::StartupPacket::Kind::kSsl:
      case pgwire::StartupPacket::Kind::kGss: {
        bool& asked = decoded->kind == pgwire::StartupPacket::Kind::kSsl ? ssl_asked : gss_asked;
        // What was sent before the answer could have been put there by somebody in between.
        if (asked || connection_.has_buffered_input()) {
          ProtocolError("received unencrypted data after an encryption request");
          return false;
        }
        asked = true;
        connection_.SendByte('N');
      }
    }
  }
}

// Everybody waits for the same answers and works for the same time: the exchange of a user who does
// not exist differs from a wrong password's in nothing but a flag that is looked at last.
catalog::SnapshotPtr Session::CatalogForLogin() {
  Result<Version> version = services_.txns->storage()->ReadIndex(kFreshCatalogTimeout);
  if (version.ok()) {
    Result<catalog::SnapshotPtr> snapshot = services_.catalog->At(*version);
    if (snapshot.ok()) return *snapshot;
  }
  return services_.catalog->Latest();
}

Result<ByteView> Session::ReadSasl() {
  Status flushed = connection_.Flush();
  if (!flushed.ok()) return flushed;
  Result<pgwire::Message> message = connection_.ReadMessage();
  if (!message.ok()) return message.status();
  return message->body;
}

bool Session::Authenticate(const std::string& user, catalog::RolePtr* role) {
  catalog::SnapshotPtr catalog = CatalogForLogin();
  *role = catalog->FindRole(user);
  // A secret that all writers share and no client knows: the bootstrap role's verifier.
  catalog::RolePtr first = catalog->FindRoleByOid(catalog::kBootstrapRoleOid);
  const bool shared = first != nullptr && !first->scram_verifier.empty();
  pgwire::ScramVerifier verifier = pgwire::MockVerifier(
      user, shared ? ByteView(first->scram_verifier) : ByteView(manager_->mock_secret()));
  bool genuine = false;
  Result<pgwire::ScramVerifier> stored =
      pgwire::ScramVerifier::Parse(*role == nullptr ? "" : (*role)->scram_verifier);
  if (stored.ok()) {
    verifier = *std::move(stored);
    genuine = true;
  }
  pgwire::ScramServer scram(std::move(verifier), genuine, MakeNonce(*services_.random));

  auto failed = [&](const Status& status) {
    if (status.code() == Code::kCorruption) {
      ProtocolError(status.message());
      return false;
    }
    if (status.code() != Code::kUnauthenticated) return false;  // gone, or too late
    services_.logger.Warning("a login failed",
                             {{"user", user}, {"peer", connection_.peer_address()}});
    return Refuse("28P01", "password authentication failed for user \"" + user + "\"");
  };
  connection_.out().AuthenticationSasl({std::string(pgwire::kScramMechanism)});
  Result<ByteView> body = ReadSasl();
  if (!body.ok()) return failed(body.status());
  Result<pgwire::SaslInitialResponse> initial = pgwire::DecodeSaslInitial(*body);
  if (!initial.ok() || initial->mechanism != pgwire::kScramMechanism || !initial->response) {
    return failed(Corruption("client selected an invalid SASL authentication mechanism"));
  }
  Result<Bytes> answer = scram.First(*initial->response);
  if (!answer.ok()) return failed(answer.status());
  connection_.out().AuthenticationSaslContinue(*answer);
  body = ReadSasl();
  if (!body.ok()) return failed(body.status());
  answer = scram.Final(*body);
  if (!answer.ok()) return failed(answer.status());
  connection_.out().AuthenticationSaslFinal(*answer);
  if (!(*role)->can_login) {
    return Refuse("28000", "role \"" + user + "\" is not permitted to log in");
  }
  return true;
}

bool Session::ApplyStartupParameters(const pgwire::StartupPacket& packet) {
  settings_.SetInternal(SettingId::kServerVersion, ServerVersion());
  settings_.SetInternal(SettingId::kWriter, manager_->options().writer_name);
  settings_.SetInternal(SettingId::kIsSuperuser, superuser_ ? "on" : "off");
  settings_.SetInternal(SettingId::kSessionAuthorization, user_);
  settings_.SetInternal(SettingId::kMaxConnections,
                        std::to_string(manager_->options().connections_max));
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [name, value] : packet.parameters) {
    if (name == "user" || name == "database") continue;
    if (name == "replication") {
      if (value == "false" || value == "off" || value == "no" || value == "0") continue;
      return Refuse("0A000", "replication connections are not supported");
    }
    if (name != "options") {
      all.emplace_back(name, value);
      continue;
    }
    auto options = ParseOptions(value);
    if (!options) return Refuse("42601", "invalid command-line arguments for server process");
    all.insert(all.end(), options->begin(), options->end());
  }
  for (const auto& [name, value] : all) {
    if (!pgwire::ValidUtf8(value))
      return Refuse("22021", "invalid byte sequence for encoding \"UTF8\"");
    SqlStatus status = settings_.SetAtStartup(name, value);
    if (status.ok()) continue;
    // Drivers send the machine's own zone and style unasked: that must not lock them out. The
    // session stays with UTC and ISO, and ParameterStatus says so.
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool tolerated =
        status.sqlstate() == "0A000" && (lower == "timezone" || lower == "datestyle");
    if (!tolerated) {
      manager_->metrics().login_failures.Add();
      connection_.out().Error(ToFields(status, pgwire::Severity::kFatal));
      closed_ = true;
      return false;
    }
    Warn(std::string(status.sqlstate()), status.message());
  }
  return true;
}

void Session::Greet() {
  connection_.out().AuthenticationOk();
  ReportSettings();
  connection_.out().BackendKeyData(pid_, secret_);
}

}  // namespace borealis::session
