// The Bank workload and its checks.
//
// Clients move money between accounts. A transfer is one transaction: two updates of
// <prefix>_accounts and one row in <prefix>_transfers under an id that is never used again. Each
// client remembers what was said of each of its transfers:
//   acknowledged   COMMIT was answered: it must be there for ever after, on every writer
//   refused        an error that promises that nothing happened: it must never appear under this
//   id,
//                  unless the client itself tried again and was then acknowledged or left in doubt
//   in doubt       the answer was lost, or 08007: it may be there or not
// Checks:
//   snapshots      while the clients run, a reader on changing writers finds the same total and the
//                  same number of accounts in every snapshot, and each transfer that was
//                  acknowledged before its statement began
//   lost           acknowledged transfers that are missing at the end, on any writer
//   duplicated     ids that stand in the table more than once
//   anomalies      a wrong snapshot; a refused transfer that is there; writers that disagree at the
//                  end; an account whose balance is not what the transfers that are there make it
//                  (a transfer applied twice or by half shows here)
// After the idea of Jepsen's bank test, with a ledger added so that every loss has a name.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "chaos/sql/connection.h"
#include "chaos/workload/gaps.h"
#include "common/env/clock.h"

namespace borealis::chaos {

// A moment, from the start of the run, at which somebody else breaks something: for the report.
struct PlannedFault {
  std::string name;
  env::Duration at{};
};

struct BankOptions {
  std::vector<Target> targets;
  Credentials credentials;
  std::string prefix = "bank";  // of the two tables, which are dropped and created anew
  int clients = 16;
  int accounts = 1000;
  env::Duration duration = std::chrono::seconds(60);
  env::Duration statement_timeout = std::chrono::seconds(3);  // then the client goes elsewhere
  env::Duration connect_timeout = std::chrono::seconds(2);
  env::Duration check_timeout = std::chrono::seconds(120);  // for each step of the final check
  uint64_t seed = 1;
  std::vector<PlannedFault> faults;
};

struct FaultReport {
  std::string name;
  env::Duration at{};
  env::Duration write_gap{};  // the longest gap from the fault to the next fault
};

struct BankReport {
  uint64_t acknowledged = 0;
  uint64_t in_doubt = 0;
  uint64_t in_doubt_committed = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t anomalies = 0;
  uint64_t snapshots = 0;
  std::map<std::string, uint64_t> errors;  // by SQLSTATE, or "connection"; each was retried
  env::Duration write_gap_max{};
  env::Duration write_gap_p99{};
  std::vector<Gap> longest_gaps;
  std::vector<FaultReport> faults;
  std::vector<std::string> findings;  // sentences about what was wrong, at most 20
  env::Duration ran{};

  std::string ToJson() const;
};

// Events of a run, for progress and for readiness.
struct BankEvents {
  std::function<void()> started;  // tables are there, the clients begin
  std::function<void(env::Duration, uint64_t)>
      progress;  // about every second: elapsed, acknowledged
  std::function<void()> verifying;
};

// Runs the whole workload: set-up, load, checks. An error only when the tables could not be made or
// the final check could not be done in time: then nothing is known. Blocks the calling thread.
Result<BankReport> RunBank(const BankOptions& options, const BankEvents& events);

}  // namespace borealis::chaos
