// A session that moves on: what a client with a multi-host connection string does.
#pragma once

#include <atomic>
#include <memory>

#include "chaos/workload/bank.h"
#include "chaos/workload/history.h"
#include "common/env/random.h"

namespace borealis::chaos {

// Holds a connection to one of the targets, and opens one to the next when that breaks. One thread.
class RovingSession {
 public:
  RovingSession(const BankOptions& options, size_t first_target)
      : options_(options), target_(first_target % options.targets.size()) {}

  // The open connection, or null: nothing answered in one try each (the caller tries again).
  Connection* Get();
  // The connection is no good any more: the next Get() starts with the next target.
  void MoveOn();
  const std::string& target_name() const { return options_.targets[target_].name; }

 private:
  const BankOptions& options_;
  size_t target_;
  std::unique_ptr<Connection> connection_;
};

// What the threads of a run share.
struct BankRun {
  const BankOptions& options;
  History history;
  GapMeter gaps;
  std::atomic<bool> stop{false};
  std::mutex mu;
  std::vector<std::string> findings;  // guarded by mu
  uint64_t anomalies = 0;             // guarded by mu
  uint64_t snapshots = 0;             // guarded by mu

  void Anomaly(const std::string& sentence);
};

// A client's loop: transfers until `stop`. Client numbers start at 0.
void RunClient(BankRun& run, int client);
// The reader's loop: snapshots on changing writers until `stop`.
void RunReader(BankRun& run);

inline constexpr int64_t kInitialBalance = 1000;
inline constexpr size_t kFindingsMax = 20;
// The two tables, as SQL identifiers.
std::string AccountsTable(const BankOptions& options);
std::string TransfersTable(const BankOptions& options);

}  // namespace borealis::chaos
