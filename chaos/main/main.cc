// borealis-chaos: runs one workload against the writers of a cluster, checks what they answered,
// and reports. It breaks nothing itself: the operator (or a test) does, at the planned moments.
// docs/design/chaos.md. Exit codes: 0 the workload ran and the report was written, whatever it
// says; 2 wrong flags; 1 the workload could not be run.
#include <atomic>
#include <cstdio>

#include "chaos/workload/bank.h"
#include "common/config/config.h"
#include "common/env/file.h"
#include "common/env/loop.h"
#include "common/env/net.h"
#include "common/env/signals.h"
#include "common/obs/http.h"

namespace borealis::chaos {
namespace {

// "name=host:port,name=host:port"
Result<std::vector<Target>> ParseTargets(const std::string& text) {
  std::vector<Target> targets;
  size_t from = 0;
  while (from <= text.size()) {
    size_t to = std::min(text.find(',', from), text.size());
    std::string part = text.substr(from, to - from);
    size_t equals = part.find('='), colon = part.rfind(':');
    if (equals == std::string::npos || colon == std::string::npos || colon < equals) {
      return InvalidArgument("--writers: \"" + part + "\" is not name=host:port");
    }
    targets.push_back({part.substr(0, equals), part.substr(equals + 1, colon - equals - 1),
                       part.substr(colon + 1)});
    from = to + 1;
  }
  return targets;
}

// "20s:kill-leader,50s:pause-writer": moments from the start of the load.
Result<std::vector<PlannedFault>> ParseFaults(const std::string& text) {
  std::vector<PlannedFault> faults;
  for (size_t from = 0; from < text.size();) {
    size_t to = std::min(text.find(',', from), text.size());
    std::string part = text.substr(from, to - from);
    char* end = nullptr;
    double seconds = std::strtod(part.c_str(), &end);
    if (end == part.c_str() || std::string_view(end).substr(0, 2) != "s:" || !(seconds >= 0)) {
      return InvalidArgument("--faults: \"" + part + "\" is not <seconds>s:name");
    }
    faults.push_back({std::string(end + 2), std::chrono::duration_cast<env::Duration>(
                                                std::chrono::duration<double>(seconds))});
    from = to + 1;
  }
  return faults;
}

Result<std::string> ReadSecret(const std::string& path) {
  ASSIGN_OR_RETURN(auto file, env::PosixFileSystem().Open(path, env::OpenMode::kRead));
  ASSIGN_OR_RETURN(uint64_t size, file->Size());
  if (size > 4096) return InvalidArgument(path + " is too large for a password");
  ASSIGN_OR_RETURN(std::string secret, file->ReadExactly(0, size));
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

Status WriteReport(const std::string& path, const std::string& json) {
  ASSIGN_OR_RETURN(auto file, env::PosixFileSystem().Open(path, env::OpenMode::kCreate));
  RETURN_IF_ERROR(file->Truncate(0));
  return file->Write(0, json + "\n");
}

struct Flags {
  config::Param<std::string> writers, user, password_file, database, prefix, workload, faults,
      result_file, http_listen;
  config::Param<int64_t> clients, accounts, seed;
  config::Param<env::Duration> duration;
};

Flags Register(config::Registry& r) {
  using std::chrono::hours;
  using std::chrono::seconds;
  return Flags{
      .writers = r.String({.name = "writers",
                           .description = "the writers, as name=host:port,name=host:port",
                           .required = true},
                          ""),
      .user = r.String({.name = "user", .description = "the role to log in as"}, "postgres"),
      .password_file = r.String(
          {.name = "password-file", .description = "a file with its password", .required = true},
          ""),
      .database = r.String({.name = "database", .description = "the database"}, "postgres"),
      .prefix =
          r.String({.name = "table-prefix", .description = "begins the tables' names"}, "bank", 40),
      .workload =
          r.Enum({.name = "workload", .description = "what the clients do"}, "Bank", {"Bank"}),
      .faults = r.String(
          {.name = "faults", .description = "planned faults for the report, as 20s:name,50s:name"},
          ""),
      .result_file = r.String(
          {.name = "result-file", .description = "where the report goes as JSON, beside stdout"},
          ""),
      .http_listen = r.String({.name = "http-listen",
                               .description = "address of /readyz (200 while the load runs), or "
                                              "empty"},
                              ""),
      .clients = r.Int({.name = "clients", .description = "sessions that write"}, 16, 1, 256),
      .accounts = r.Int({.name = "accounts", .description = "rows of the bank"}, 1000, 2, 1000000),
      .seed = r.Int({.name = "seed", .description = "of the clients' choices"}, 1, 0, 1 << 30),
      .duration = r.Time({.name = "duration", .description = "how long the load runs"}, seconds(60),
                         seconds(1), hours(24)),
  };
}

Result<BankOptions> MakeOptions(const Flags& flags) {
  BankOptions options;
  ASSIGN_OR_RETURN(options.targets, ParseTargets(*flags.writers));
  ASSIGN_OR_RETURN(options.faults, ParseFaults(*flags.faults));
  ASSIGN_OR_RETURN(options.credentials.password, ReadSecret(*flags.password_file));
  options.credentials.user = *flags.user;
  options.credentials.database = *flags.database;
  options.prefix = *flags.prefix;
  for (char c : options.prefix) {
    if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
      return InvalidArgument("--table-prefix: only lower-case letters, digits and _ are allowed");
    }
  }
  options.clients = static_cast<int>(*flags.clients);
  options.accounts = static_cast<int>(*flags.accounts);
  options.seed = static_cast<uint64_t>(*flags.seed);
  options.duration = *flags.duration;
  return options;
}

// Runs with the HTTP server on its own loop; `loading` is what /readyz answers.
int Run(const Flags& flags, const BankOptions& options) {
  env::AsioLoop loop("http");
  std::unique_ptr<env::Network> network = env::MakeAsioNetwork(loop);
  obs::HttpServer http(*network);
  std::atomic<bool> loading{false};
  obs::ServeHealth(http, "/readyz",
                   [&] { return loading ? Status::Ok() : Unavailable("the load is not running"); });
  if (!flags.http_listen.get().empty()) {
    Status started = http.Start(*flags.http_listen);
    if (!started.ok()) {
      std::fprintf(stderr, "borealis-chaos: %s\n", started.message().c_str());
      return 1;
    }
  }
  loop.Start();
  BankEvents events;
  events.started = [&] {
    loading = true;
    std::fprintf(stderr, "tables made; %d clients for %lld s\n", options.clients,
                 static_cast<long long>(options.duration.count() / 1000000));
  };
  events.progress = [&](env::Duration elapsed, uint64_t acknowledged) {
    if (elapsed.count() / 1000000 % 5 == 0) {
      std::fprintf(stderr, "%4lld s  %llu acknowledged\n",
                   static_cast<long long>(elapsed.count() / 1000000),
                   static_cast<unsigned long long>(acknowledged));
    }
  };
  events.verifying = [&] {
    loading = false;
    std::fprintf(stderr, "load ended; checking\n");
  };
  Result<BankReport> report = RunBank(options, events);
  loop.Stop();
  if (!report.ok()) {
    std::fprintf(stderr, "borealis-chaos: %s\n", report.status().message().c_str());
    return 1;
  }
  std::string json = report->ToJson();
  std::printf("%s\n", json.c_str());
  if (flags.result_file.get().empty()) return 0;
  Status written = WriteReport(*flags.result_file, json);
  if (!written.ok()) {
    std::fprintf(stderr, "borealis-chaos: %s\n", written.message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace borealis::chaos

int main(int argc, char** argv) {
  using namespace borealis;  // NOLINT
  env::IgnoreSigPipe();
  config::Registry registry("borealis-chaos", "runs a workload against a cluster and checks it");
  chaos::Flags flags = chaos::Register(registry);
  config::ParseCommandLineOrExit(registry, argc, argv);
  Result<chaos::BankOptions> options = chaos::MakeOptions(flags);
  if (!options.ok()) {
    std::fprintf(stderr, "borealis-chaos: %s\n", options.status().message().c_str());
    return 2;
  }
  return chaos::Run(flags, *options);
}
