// The check after the clients have ended: what is there against what the clients were told.
#pragma once

#include "chaos/workload/client.h"

namespace borealis::chaos {

// One writer's view of the tables at the end.
struct FinalState {
  std::string writer;
  std::map<int64_t, int64_t> balances;  // account -> balance
  struct Row {
    int64_t id, source, destination, amount;
    friend bool operator==(const Row&, const Row&) = default;
    friend auto operator<=>(const Row&, const Row&) = default;
  };
  std::vector<Row> transfers;  // by id
};

// Reads the tables through one writer in one snapshot, trying until `options.check_timeout` is
// over.
Result<FinalState> ReadFinalState(const BankOptions& options, const Target& target);

// Adds what is wrong with `states` to the run's findings and the report's counters. Pure otherwise.
void Verify(BankRun& run, const std::vector<FinalState>& states, BankReport* report);

}  // namespace borealis::chaos
