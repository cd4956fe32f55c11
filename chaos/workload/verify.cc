#include "chaos/workload/verify.h"

#include <algorithm>
#include <set>

#include "common/env/thread.h"

namespace borealis::chaos {

namespace {

// One try at both tables in one transaction; empty optional-like status on any error.
Result<FinalState> ReadOnce(const BankOptions& options, const Target& target) {
  ASSIGN_OR_RETURN(auto connection,
                   Connection::Open(target, options.credentials, options.connect_timeout));
  auto timeout = options.check_timeout / 4;
  auto failed = [&](const Answer& answer) {
    return Unavailable("writer " + target.name + ": " + answer.sqlstate + " " + answer.message);
  };
  Answer begin = connection->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ", {}, timeout);
  if (!begin.ok) return failed(begin);
  FinalState state;
  state.writer = target.name;
  Answer accounts =
      connection->Execute("SELECT id, balance FROM " + AccountsTable(options), {}, timeout);
  if (!accounts.ok) return failed(accounts);
  for (const auto& row : accounts.rows) state.balances[std::stoll(row[0])] = std::stoll(row[1]);
  Answer transfers = connection->Execute(
      "SELECT id, source, destination, amount FROM " + TransfersTable(options), {}, timeout);
  if (!transfers.ok) return failed(transfers);
  for (const auto& row : transfers.rows) {
    state.transfers.push_back(
        {std::stoll(row[0]), std::stoll(row[1]), std::stoll(row[2]), std::stoll(row[3])});
  }
  std::sort(state.transfers.begin(), state.transfers.end());
  Answer commit = connection->Execute("COMMIT", {}, timeout);
  if (!commit.ok) return failed(commit);
  return state;
}

// Every account must hold what the transfers that are there make of it.
void CheckLedger(BankRun& run, const FinalState& state) {
  std::map<int64_t, int64_t> expected;
  for (int id = 0; id < run.options.accounts; id++) expected[id] = kInitialBalance;
  for (const auto& row : state.transfers) {
    expected[row.source] -= row.amount;
    expected[row.destination] += row.amount;
  }
  for (const auto& [id, balance] : expected) {
    auto found = state.balances.find(id);
    if (found == state.balances.end()) {
      run.Anomaly("account " + std::to_string(id) + " is missing on " + state.writer);
    } else if (found->second != balance) {
      run.Anomaly("account " + std::to_string(id) + " holds " + std::to_string(found->second) +
                  " on " + state.writer + ", but its transfers make it " + std::to_string(balance));
    }
  }
}

}  // namespace

Result<FinalState> ReadFinalState(const BankOptions& options, const Target& target) {
  auto deadline = env::SystemClock().Monotonic() + options.check_timeout;
  for (;;) {
    Result<FinalState> state = ReadOnce(options, target);
    if (state.ok() || env::SystemClock().Monotonic() >= deadline) return state;
    env::BlockThreadFor(std::chrono::milliseconds(200));
  }
}

void Verify(BankRun& run, const std::vector<FinalState>& states, BankReport* report) {
  auto told = run.history.transfers();
  std::set<int64_t> lost;
  std::set<int64_t> duplicated;
  for (const FinalState& state : states) {
    std::set<int64_t> present;
    for (const auto& row : state.transfers) {
      if (!present.insert(row.id).second) duplicated.insert(row.id);
      auto known = told.find(row.id);
      if (known == told.end() || known->second == Told::kRefused) {
        run.Anomaly("transfer " + std::to_string(row.id) + " is there on " + state.writer +
                    ", but its client was told that it was not done");
      }
    }
    for (const auto& [id, word] : told) {
      if (word == Told::kAcknowledged && present.count(id) == 0) lost.insert(id);
    }
    CheckLedger(run, state);
    if (state.balances != states[0].balances || state.transfers != states[0].transfers) {
      run.Anomaly("writers " + states[0].writer + " and " + state.writer +
                  " show different tables");
    }
  }
  report->lost = lost.size();
  report->duplicated = duplicated.size();
  std::lock_guard<std::mutex> lock(run.mu);
  // What is lost comes first: a state that lost transfers brings enough other findings to hide
  // them.
  std::vector<std::string> findings;
  for (int64_t id : lost) {
    if (findings.size() >= kFindingsMax / 2) break;
    findings.push_back("transfer " + std::to_string(id) + " was acknowledged and is lost");
  }
  run.findings.insert(run.findings.begin(), findings.begin(), findings.end());
  run.findings.resize(std::min(run.findings.size(), kFindingsMax));
  for (const auto& row : states.empty() ? std::vector<FinalState::Row>{} : states[0].transfers) {
    auto known = told.find(row.id);
    if (known != told.end() && known->second == Told::kInDoubt) report->in_doubt_committed++;
  }
  for (const auto& [id, word] : told) report->in_doubt += word == Told::kInDoubt;
}

}  // namespace borealis::chaos
