#include "storage-node/main/flags.h"

#include <cstdio>
#include <cstdlib>

#include "common/config/config.h"
#include "common/env/net.h"

namespace borealis::storage_main {
namespace {

constexpr size_t kMembersMax = 9;

config::Spec Named(std::string name, std::string description, std::string unit = "") {
  config::Spec spec;
  spec.name = std::move(name);
  spec.description = std::move(description);
  spec.unit = std::move(unit);
  return spec;
}

[[noreturn]] void Refuse(const std::string& message) {
  std::fprintf(stderr, "borealis-storage: %s\ntry --help\n", message.c_str());
  std::exit(2);
}

// Takes the repeated --peer (or --member) flags out of the command line; the rest goes to the
// registry.
std::vector<std::string> TakePeers(int argc, char** argv, std::vector<char*>* rest) {
  std::vector<std::string> peers;
  for (int i = 0; i < argc; ++i) {
    const std::string arg = argv[i];
    if (i > 0 && (arg.rfind("--peer=", 0) == 0 || arg.rfind("--member=", 0) == 0)) {
      peers.push_back(arg.substr(arg.find('=') + 1));
    } else if (i > 0 && (arg == "--peer" || arg == "--member")) {
      if (i + 1 == argc) Refuse(arg + " needs a value: id=host:port");
      peers.push_back(argv[++i]);
    } else {
      rest->push_back(argv[i]);
    }
  }
  return peers;
}

void AddPeers(const std::vector<std::string>& texts, replica::Options* options) {
  for (const std::string& text : texts) {
    const auto peer = ParsePeer(text);
    if (!peer.ok()) Refuse(peer.status().message());
    if (!options->members.insert(*peer).second) {
      Refuse("member " + std::to_string(peer->first.value()) + " is given twice");
    }
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

}  // namespace

Result<std::pair<MemberId, std::string>> ParsePeer(const std::string& text) {
  const std::string wanted = "peer \"" + text + "\" is not id=host:port with an id of at least 1";
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals > 18) return InvalidArgument(wanted);
  const std::string id = text.substr(0, equals);
  if (id.find_first_not_of("0123456789") != std::string::npos) return InvalidArgument(wanted);
  const MemberId member(std::stoull(id));
  // Writers are given the same list with zones; a member does not need them.
  const std::string address = text.substr(equals + 1, text.find('@') - equals - 1);
  const auto parsed = env::ParseHostPort(address);
  if (!member || !parsed.ok() || parsed->host.empty() || parsed->port == 0) {
    return InvalidArgument(wanted);
  }
  return std::pair(member, address);
}

Flags ParseFlagsOrExit(int argc, char** argv) {
  using std::chrono::milliseconds;
  std::vector<char*> rest;
  const std::vector<std::string> peer_flags = TakePeers(argc, argv, &rest);

  config::Registry registry(
      "borealis-storage",
      "A member of the replicated log and store. Beside the parameters below:\n"
      "  --peer id=host:port   a member of the group, this one included;\n"
      "                        repeatable; also --member id=host:port@zone");
  const auto needed = [](std::string name, std::string description) {
    config::Spec spec = Named(std::move(name), std::move(description));
    spec.required = true;
    return spec;
  };
  auto member =
      registry.Int(needed("member-id", "Id of this member, never reused."), 1, 1, INT64_MAX);
  auto cluster = registry.String(needed("cluster-id", "UUID of the cluster."), "");
  auto zone = registry.String(Named("zone", "Zone this member runs in."), "");
  auto data_dir = registry.String(needed("data-dir", "Folder of log and store."), "");
  auto listen = registry.String(Named("listen", "Address of the frames."), ":7100");
  auto admin = registry.String(Named("admin-listen", "Address of gRPC."), ":7101");
  auto http =
      registry.String(Named("http-listen", "Address of /metrics, /healthz and /readyz."), ":7102");
  auto peers =
      registry.String(Named("peers", "All members as id=host:port,id=host:port; as --peer."), "");
  auto chaos = registry.Bool(Named("chaos-enabled", "Answers fault hooks. For tests only."), false);
  auto tick = registry.Time(Named("tick", "Unit of Raft's time."), milliseconds(50),
                            milliseconds(5), milliseconds(1000));
  auto election = registry.Int(
      Named("election-ticks", "Elections after n to 2n ticks of silence.", "ticks"), 8, 2, 1000);
  auto heartbeat =
      registry.Int(Named("heartbeat-ticks", "Between heartbeats.", "ticks"), 2, 1, 500);
  auto inflight = registry.Int(
      Named("inflight-appends", "Unacknowledged batches to a peer.", "messages"), 1, 1, 1024);
  auto window = registry.Int(
      Named("window-keys", "Certifier's window; equal on all members, for good.", "keys"), 1 << 20,
      1, int64_t{1} << 32);
  auto cache = registry.Size(Named("block-cache", "Cache of the store's blocks."), 128 << 20,
                             1 << 20, int64_t{1} << 40);
  auto buffer = registry.Size(Named("write-buffer", "Memtable of the store."), 32 << 20, 1 << 20,
                              int64_t{1} << 33);
  auto readers = registry.Int(Named("reader-threads", "Threads that run reads."), 2, 1, 256);
  auto level = registry.Enum(Named("log-level", "Least level that is logged."), "info",
                             {"debug", "info", "warning", "error"});
  config::ParseCommandLineOrExit(registry, static_cast<int>(rest.size()), rest.data());

  Flags flags;
  replica::Options& options = flags.replica;
  options.id = MemberId(static_cast<uint64_t>(*member));
  const auto cluster_id = ClusterId::Parse(*cluster);
  if (!cluster_id.ok()) Refuse("--cluster-id: " + cluster_id.status().message());
  options.cluster = *cluster_id;
  AddPeers(peer_flags, &options);
  AddPeers(SplitList(*peers), &options);
  if (!options.members.contains(options.id)) {
    Refuse("--peer: member " + std::to_string(*member) + " itself is not among the peers");
  }
  if (options.members.size() > kMembersMax) Refuse("--peer: more than 9 members");
  if (*heartbeat >= *election) Refuse("--heartbeat-ticks must be below --election-ticks");
  options.data_dir = *data_dir;
  if (options.data_dir.empty()) Refuse("--data-dir must not be empty");
  options.tick = *tick;
  options.election_ticks = static_cast<int>(*election);
  options.heartbeat_ticks = static_cast<int>(*heartbeat);
  options.inflight_appends = static_cast<int>(*inflight);
  options.certifier.window_keys_max = static_cast<uint64_t>(*window);
  options.block_cache_bytes = static_cast<size_t>(*cache);
  options.write_buffer_bytes = static_cast<size_t>(*buffer);
  flags.zone = *zone;
  flags.listen = *listen;
  flags.admin_listen = *admin;
  flags.http_listen = *http;
  flags.reader_threads = static_cast<int>(*readers);
  flags.chaos_enabled = *chaos;
  flags.log_level = *level;
  return flags;
}

}  // namespace borealis::storage_main
