#include "writer-node/main/flags.h"

#include <cstdio>
#include <cstdlib>
#include <set>

#include "common/env/net.h"

namespace borealis::writer_main {
namespace {

constexpr size_t kPasswordBytesMax = 1024;

config::Spec Named(std::string name, std::string description) {
  config::Spec spec;
  spec.name = std::move(name);
  spec.description = std::move(description);
  return spec;
}

config::Spec Needed(std::string name, std::string description) {
  config::Spec spec = Named(std::move(name), std::move(description));
  spec.required = true;
  return spec;
}

[[noreturn]] void Refuse(const std::string& message) {
  std::fprintf(stderr, "borealis-writer: %s\ntry --help\n", message.c_str());
  std::exit(2);
}

// Takes the repeated --member flags out of the command line; the rest goes to the registry.
std::vector<std::string> TakeMembers(int argc, char** argv, std::vector<char*>* rest) {
  std::vector<std::string> members;
  for (int i = 0; i < argc; ++i) {
    const std::string arg = argv[i];
    if (i > 0 && arg.starts_with("--member=")) {
      members.push_back(arg.substr(9));
    } else if (i > 0 && arg == "--member") {
      if (i + 1 == argc) Refuse("--member needs a value: id=host:port@zone");
      members.push_back(argv[++i]);
    } else {
      rest->push_back(argv[i]);
    }
  }
  return members;
}

void AddMembers(const std::vector<std::string>& texts, storage_client::StorageClientOptions* out) {
  for (const std::string& text : texts) {
    Result<storage_client::MemberAddress> member = ParseMember(text);
    if (!member.ok()) Refuse(member.status().message());
    for (const auto& other : out->members) {
      if (other.id == member->id)
        Refuse("member " + std::to_string(member->id.value()) + " is given twice");
    }
    out->members.push_back(*std::move(member));
  }
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t start = 0; start < text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) parts.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return parts;
}

std::optional<std::string> ReadPassword(const std::string& path) {
  if (path.empty()) return std::nullopt;
  Result<Bytes> text = env::PosixFileSystem().ReadFile(path, kPasswordBytesMax);
  if (!text.ok()) Refuse("--superuser-password-file: " + text.status().message());
  std::string password = *std::move(text);
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r'))
    password.pop_back();
  if (password.empty()) Refuse("--superuser-password-file: " + path + " is empty");
  return password;
}

}  // namespace

Result<storage_client::MemberAddress> ParseMember(const std::string& text) {
  const Status wrong =
      InvalidArgument("member \"" + text + "\" is not id=host:port or id=host:port@zone");
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals > 18) return wrong;
  const std::string id = text.substr(0, equals);
  if (id.find_first_not_of("0123456789") != std::string::npos) return wrong;
  storage_client::MemberAddress member;
  member.id = MemberId(std::stoull(id));
  const size_t at = text.find('@', equals);
  member.address = text.substr(equals + 1, at == std::string::npos ? at : at - equals - 1);
  if (at != std::string::npos) member.zone = text.substr(at + 1);
  const Result<env::HostPort> parsed = env::ParseHostPort(member.address);
  if (!member.id || !parsed.ok() || parsed->host.empty() || parsed->port == 0) return wrong;
  return member;
}

Flags ParseFlagsOrExit(int argc, char** argv) {
  using std::chrono::milliseconds;
  std::vector<char*> rest;
  const std::vector<std::string> member_flags = TakeMembers(argc, argv, &rest);
  config::Registry registry(
      "borealis-writer",
      "A writer: speaks PostgreSQL's protocol. Beside the parameters below:\n"
      "  --member id=host:port@zone   a storage member; repeatable; the zone may be left out");
  auto name = registry.String(Needed("name", "Name of this writer, e.g. shop-w-1."), "", 63);
  auto cluster = registry.String(Needed("cluster-id", "UUID of the cluster."), "");
  auto zone = registry.String(Named("zone", "Zone this writer runs in."), "");
  auto members = registry.String(Named("members", "All members in one list; as --member."), "");
  auto listen = registry.String(Named("listen", "Address for clients."), "127.0.0.1:5432");
  auto admin = registry.String(Named("admin-listen", "Address of gRPC."), "127.0.0.1:7201");
  auto http = registry.String(Named("http-listen", "Address of /metrics, /healthz and /readyz."),
                              "127.0.0.1:7202");
  auto superuser =
      registry.String(Named("superuser", "Name of the superuser's role."), "postgres", 63);
  auto password =
      registry.String(Named("superuser-password-file",
                            "File with the superuser's password; made so at each start."),
                      "");
  auto connections = registry.Int(Named("max-connections", "Sessions at once."), 100, 1, 100000);
  auto drain = registry.Time(Named("drain-timeout", "Time for running transactions at SIGTERM."),
                             milliseconds(10000), milliseconds(0), std::chrono::hours(24));
  auto chaos = registry.Bool(Named("chaos-enabled", "Answers fault hooks. For tests only."), false);
  auto level = registry.Enum(Named("log-level", "Least level that is logged."), "info",
                             {"debug", "info", "warning", "error"});
  config::ParseCommandLineOrExit(registry, static_cast<int>(rest.size()), rest.data());

  Flags flags;
  flags.storage.writer_name = *name;
  if (flags.storage.writer_name.empty()) Refuse("--name must not be empty");
  Result<ClusterId> id = ClusterId::Parse(*cluster);
  if (!id.ok()) Refuse("--cluster-id: " + id.status().message());
  flags.storage.cluster = *id;
  flags.storage.zone = *zone;
  AddMembers(member_flags, &flags.storage);
  AddMembers(SplitList(*members), &flags.storage);
  if (flags.storage.members.empty()) Refuse("--member: at least one member is needed");
  flags.listen = *listen;
  flags.admin_listen = *admin;
  flags.http_listen = *http;
  flags.superuser = *superuser;
  if (flags.superuser.empty()) Refuse("--superuser must not be empty");
  flags.superuser_password = ReadPassword(*password);
  flags.connections_max = static_cast<size_t>(*connections);
  flags.drain_timeout = *drain;
  flags.chaos_enabled = *chaos;
  flags.log_level = *level;
  return flags;
}

}  // namespace borealis::writer_main
