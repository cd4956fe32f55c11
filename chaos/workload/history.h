// What the clients were told about each transfer. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "chaos/sql/connection.h"

namespace borealis::chaos {

enum class Told : uint8_t { kAcknowledged, kRefused, kInDoubt };

// What an error promises about the transaction it answered. `at_commit` says whether COMMIT had
// been sent: before that nothing can have happened.
Told Judge(const Answer& answer, bool at_commit);

class History {
 public:
  // The last word of a client about a transfer. An acknowledgement is never taken back.
  void Record(int64_t id, Told told);
  void Error(const Answer& answer);

  // One acknowledged transfer, drawn by `draw`; 0 while there is none.
  int64_t AnyAcknowledged(uint64_t draw) const;
  uint64_t acknowledged() const;

  // Copies, for the check after the clients have ended.
  std::unordered_map<int64_t, Told> transfers() const;
  std::map<std::string, uint64_t> errors() const;

 private:
  mutable std::mutex mu_;
  std::unordered_map<int64_t, Told> told_;  // guarded by mu_
  std::vector<int64_t> acknowledged_;       // guarded by mu_
  std::map<std::string, uint64_t> errors_;  // guarded by mu_
};

}  // namespace borealis::chaos
