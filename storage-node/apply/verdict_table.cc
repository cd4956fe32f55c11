#include "storage-node/apply/verdict_table.h"

#include "common/base/check.h"

namespace borealis::apply {

std::optional<wire::Verdict> VerdictTable::Lookup(const TxnId& txn) const {
  wire::Verdict refused;
  refused.txn = txn;
  const auto it = writers_.find(txn.incarnation);
  if (it == writers_.end()) {
    // Never allocated; or fenced so long ago that it is forgotten: then nobody knows any more
    // whether it was accepted, and kFenced would say that it was not.
    const bool forgotten = txn.incarnation && txn.incarnation < next_;
    refused.kind = forgotten ? wire::VerdictKind::kStale : wire::VerdictKind::kFenced;
    return refused;
  }
  const Writer& writer = it->second;
  if (txn.sequence <= writer.watermark) {
    refused.kind = wire::VerdictKind::kStale;
    return refused;
  }
  const auto verdict = writer.verdicts.find(txn.sequence);
  if (verdict != writer.verdicts.end()) return verdict->second;
  if (!writer.fenced) return std::nullopt;
  refused.kind = wire::VerdictKind::kFenced;
  return refused;
}

void VerdictTable::Keep(const wire::Verdict& verdict) {
  const auto it = writers_.find(verdict.txn.incarnation);
  BOREALIS_CHECK(it != writers_.end() && verdict.txn.sequence > it->second.watermark);
  const bool fresh = it->second.verdicts.emplace(verdict.txn.sequence, verdict).second;
  BOREALIS_CHECK(fresh);
  ++kept_;
}

void VerdictTable::RaiseWatermark(Incarnation incarnation, uint64_t sequence) {
  const auto it = writers_.find(incarnation);
  if (it == writers_.end() || sequence <= it->second.watermark) return;
  Writer& writer = it->second;
  writer.watermark = sequence;
  while (!writer.verdicts.empty() && writer.verdicts.begin()->first <= sequence) {
    writer.verdicts.erase(writer.verdicts.begin());
    --kept_;
  }
}

Incarnation VerdictTable::Allocate(const std::string& writer_name, uint64_t nonce) {
  Named& named = by_name_[writer_name];
  if (named.incarnation && named.nonce == nonce && !IsFenced(named.incarnation)) {
    return named.incarnation;
  }
  named = {nonce, next_};
  writers_.emplace(next_, Writer{});
  next_ = next_.Next();
  return named.incarnation;
}

bool VerdictTable::Fence(Incarnation incarnation, LogIndex index) {
  if (!incarnation || incarnation >= next_) return false;
  const auto it = writers_.find(incarnation);
  if (it == writers_.end() || it->second.fenced) return true;
  it->second.fenced = true;
  fenced_.emplace_back(index, incarnation);
  return true;
}

bool VerdictTable::IsFenced(Incarnation incarnation) const {
  const auto it = writers_.find(incarnation);
  return it == writers_.end() || it->second.fenced;
}

void VerdictTable::OnEntry(LogIndex index) {
  while (!fenced_.empty() && fenced_.front().first.value() + fenced_entries_max_ < index.value()) {
    const auto it = writers_.find(fenced_.front().second);
    kept_ -= it->second.verdicts.size();
    writers_.erase(it);
    fenced_.pop_front();
  }
}

}  // namespace borealis::apply
