#include "chaos/workload/history.h"

namespace borealis::chaos {

Told Judge(const Answer& answer, bool at_commit) {
  if (answer.ok) return at_commit ? Told::kAcknowledged : Told::kRefused;
  if (!at_commit) return Told::kRefused;
  // What promises that nothing happened: a lost certification, a deadlock, a failed block, and "no
  // quorum, and nothing was sent". All else at COMMIT, a lost connection above all, promises
  // nothing.
  static constexpr const char* kNothingHappened[] = {"40001", "40P01", "25P02", "57P03", "53000"};
  for (const char* sqlstate : kNothingHappened) {
    if (answer.sqlstate == sqlstate) return Told::kRefused;
  }
  return Told::kInDoubt;
}

void History::Record(int64_t id, Told told) {
  std::lock_guard<std::mutex> lock(mu_);
  told_[id] = told;
  if (told == Told::kAcknowledged) acknowledged_.push_back(id);
}

void History::Error(const Answer& answer) {
  std::lock_guard<std::mutex> lock(mu_);
  errors_[answer.sqlstate.empty() ? "connection" : answer.sqlstate]++;
}

int64_t History::AnyAcknowledged(uint64_t draw) const {
  std::lock_guard<std::mutex> lock(mu_);
  return acknowledged_.empty() ? 0 : acknowledged_[draw % acknowledged_.size()];
}

uint64_t History::acknowledged() const {
  std::lock_guard<std::mutex> lock(mu_);
  return acknowledged_.size();
}

std::unordered_map<int64_t, Told> History::transfers() const {
  std::lock_guard<std::mutex> lock(mu_);
  return told_;
}

std::map<std::string, uint64_t> History::errors() const {
  std::lock_guard<std::mutex> lock(mu_);
  return errors_;
}

}  // namespace borealis::chaos
