// Exactly once: what became of each transaction, and which writers may still speak.
//
// Pure, driven by log entries alone, so equal on all members (docs/design/exactly-once.md). A
// request is decided at most once: its verdict is kept until the writer acknowledges it (watermark)
// or, once the writer is fenced, for a number of further log entries; below the watermark and
// beyond a fence requests are refused without being evaluated. So at every time either the first
// verdict is known or the request can never be evaluated again.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/wire/messages.h"

namespace borealis::apply {

class VerdictTable {
 public:
  explicit VerdictTable(uint64_t fenced_entries_max = 1'000'000)
      : fenced_entries_max_(fenced_entries_max) {}

  // What to answer instead of evaluating: the first verdict, kStale or kFenced. None: evaluate it.
  std::optional<wire::Verdict> Lookup(const TxnId& txn) const;

  // Keeps a verdict that is final (accepted, conflict, aborted). Requires !Lookup(verdict.txn).
  void Keep(const wire::Verdict& verdict);

  // The writer has told its clients everything up to `sequence`: those verdicts go. No effect on an
  // unknown incarnation, or when it would go back.
  void RaiseWatermark(Incarnation incarnation, uint64_t sequence);

  // The next incarnation, or the newest of that name if it was allocated with the same nonce (a
  // resent call) and is not fenced.
  Incarnation Allocate(const std::string& writer_name, uint64_t nonce);
  // For ever; false if it was never allocated. Idempotent.
  bool Fence(Incarnation incarnation, LogIndex index);
  bool IsFenced(Incarnation incarnation) const;

  // To be called once for each log entry: forgets what fenced writers left long ago.
  void OnEntry(LogIndex index);
  void SetFencedEntriesMax(uint64_t entries) { fenced_entries_max_ = entries; }

  Incarnation next_incarnation() const { return next_; }
  size_t kept() const { return kept_; }

 private:
  struct Writer {
    bool fenced = false;
    uint64_t watermark = 0;
    std::map<uint64_t, wire::Verdict> verdicts;  // by sequence, all above the watermark
  };
  struct Named {
    uint64_t nonce = 0;
    Incarnation incarnation;
  };

  uint64_t fenced_entries_max_;
  Incarnation next_{1};
  std::map<Incarnation, Writer> writers_;  // absent and below next_: fenced and forgotten
  std::map<std::string, Named> by_name_;
  std::deque<std::pair<LogIndex, Incarnation>> fenced_;  // in order of fencing
  size_t kept_ = 0;
};

}  // namespace borealis::apply
