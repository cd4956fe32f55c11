#include "chaos/workload/bank.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "chaos/workload/client.h"
#include "chaos/workload/verify.h"
#include "common/env/thread.h"

namespace borealis::chaos {

namespace {

constexpr int kRowsPerInsert = 500;

// Runs the statements on any writer that takes them, each until it succeeds or time is over: at the
// start of a test a cluster may still be settling.
Status MakeTables(const BankOptions& options) {
  std::vector<std::string> statements = {
      "DROP TABLE IF EXISTS " + AccountsTable(options),
      "DROP TABLE IF EXISTS " + TransfersTable(options),
      "CREATE TABLE " + AccountsTable(options) +
          " (id integer PRIMARY KEY, balance bigint NOT NULL)",
      "CREATE TABLE " + TransfersTable(options) +
          " (id bigint PRIMARY KEY, source integer NOT NULL, destination integer NOT NULL, amount "
          "bigint NOT NULL)"};
  for (int from = 0; from < options.accounts; from += kRowsPerInsert) {
    std::string insert = "INSERT INTO " + AccountsTable(options) + " (id, balance) VALUES ";
    for (int id = from; id < std::min(options.accounts, from + kRowsPerInsert); id++) {
      if (id > from) insert += ", ";
      insert += "(" + std::to_string(id) + ", " + std::to_string(kInitialBalance) + ")";
    }
    statements.push_back(insert);
  }
  auto deadline = env::SystemClock().Monotonic() + options.check_timeout;
  RovingSession session(options, 0);
  for (const std::string& statement : statements) {
    for (bool done = false; !done;) {
      Connection* connection = session.Get();
      Answer answer;
      answer.message = "no writer takes connections";
      if (connection != nullptr) {
        answer = connection->Execute(statement, {}, options.check_timeout / 4);
      }
      // A try whose answer was lost may have worked: then the next one says so (42P07, 23505).
      done = answer.ok || answer.sqlstate == "42P07" || answer.sqlstate == "23505";
      if (done) break;
      if (env::SystemClock().Monotonic() >= deadline) {
        return Unavailable("cannot make the workload's tables: " + answer.sqlstate + " " +
                           answer.message);
      }
      session.MoveOn();
      env::BlockThreadFor(std::chrono::milliseconds(200));
    }
  }
  return Status::Ok();
}

void RunLoad(BankRun& run, env::MonotonicTime start, const BankEvents& events) {
  std::vector<env::Thread> threads;
  for (int client = 0; client < run.options.clients; client++) {
    threads.emplace_back("client", [&run, client] { RunClient(run, client); });
  }
  threads.emplace_back("reader", [&run] { RunReader(run); });
  while (env::SystemClock().Monotonic() - start < run.options.duration) {
    auto left = start + run.options.duration - env::SystemClock().Monotonic();
    env::BlockThreadFor(std::min<env::Duration>(left, std::chrono::seconds(1)));
    if (events.progress) {
      events.progress(env::SystemClock().Monotonic() - start, run.history.acknowledged());
    }
  }
  run.stop = true;
  for (env::Thread& thread : threads) thread.Join();
}

void ReportGaps(const BankRun& run, env::MonotonicTime end, env::Duration ran, BankReport* report) {
  report->write_gap_max = run.gaps.Max(end);
  report->write_gap_p99 = run.gaps.P99OverSeconds(end);
  report->longest_gaps = run.gaps.Longest(end, 10);
  std::vector<PlannedFault> faults = run.options.faults;
  std::stable_sort(faults.begin(), faults.end(),
                   [](const PlannedFault& a, const PlannedFault& b) { return a.at < b.at; });
  for (size_t i = 0; i < faults.size(); i++) {
    env::Duration until = i + 1 < faults.size() ? faults[i + 1].at : ran;
    report->faults.push_back(
        {faults[i].name, faults[i].at, run.gaps.MaxWithin(end, faults[i].at, until)});
  }
}

int64_t Milliseconds(env::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::string BankReport::ToJson() const {
  nlohmann::json json = {{"acknowledged", acknowledged},
                         {"inDoubt", in_doubt},
                         {"inDoubtCommitted", in_doubt_committed},
                         {"lost", lost},
                         {"duplicated", duplicated},
                         {"anomalies", anomalies},
                         {"snapshots", snapshots},
                         {"writeGapMaxMs", Milliseconds(write_gap_max)},
                         {"writeGapP99Ms", Milliseconds(write_gap_p99)},
                         {"ranMs", Milliseconds(ran)},
                         {"errors", errors},
                         {"findings", findings},
                         {"gaps", nlohmann::json::array()},
                         {"perFault", nlohmann::json::array()}};
  for (const Gap& gap : longest_gaps) {
    json["gaps"].push_back({{"atMs", Milliseconds(gap.at)}, {"ms", Milliseconds(gap.length)}});
  }
  for (const FaultReport& fault : faults) {
    json["perFault"].push_back({{"name", fault.name},
                                {"atMs", Milliseconds(fault.at)},
                                {"writeGapMs", Milliseconds(fault.write_gap)}});
  }
  return json.dump();
}

Result<BankReport> RunBank(const BankOptions& options, const BankEvents& events) {
  if (options.targets.empty() || options.clients < 1 || options.accounts < 2) {
    return InvalidArgument("the bank needs a writer, a client and two accounts at least");
  }
  RETURN_IF_ERROR(MakeTables(options));
  env::MonotonicTime start = env::SystemClock().Monotonic();
  BankRun run{options, {}, GapMeter(start), {}, {}, {}, 0, 0};
  if (events.started) events.started();
  RunLoad(run, start, events);
  env::MonotonicTime end = start + options.duration;
  if (events.verifying) events.verifying();

  BankReport report;
  report.ran = end - start;
  report.acknowledged = run.history.acknowledged();
  report.errors = run.history.errors();
  ReportGaps(run, end, report.ran, &report);
  std::vector<FinalState> states;
  for (const Target& target : options.targets) {
    ASSIGN_OR_RETURN(FinalState state, ReadFinalState(options, target));
    states.push_back(std::move(state));
  }
  Verify(run, states, &report);
  report.anomalies = run.anomalies;
  report.snapshots = run.snapshots;
  report.findings = run.findings;
  return report;
}

}  // namespace borealis::chaos
