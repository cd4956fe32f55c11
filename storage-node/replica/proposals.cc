#include "storage-node/replica/proposals.h"

#include "common/base/check.h"

namespace borealis::replica {
namespace {

// The id of a request as far as it can be read; the state machine judges the rest.
TxnId TxnOf(ByteView request) {
  if (request.size() < wire::kRequestHeaderBytes) return {};
  return {Incarnation(GetU64(request.data() + 8)), GetU64(request.data() + 16)};
}

}  // namespace

void Proposals::QueueCommit(Bytes body, size_t requests, CommitDone done) {
  Queued queued;
  queued.waiter.commit = std::move(done);
  queued.waiter.txns.reserve(requests);
  auto parsed = wire::ParseCommitBody(body);
  BOREALIS_CHECK(parsed.ok() && parsed->size() == requests);
  for (const ByteView request : *parsed) queued.waiter.txns.push_back(TxnOf(request));
  queued_bytes_ += body.size();
  queued.payload = std::move(body);
  queue_.push_back(std::move(queued));
}

void Proposals::QueueOther(Bytes payload, OtherDone done) {
  Queued queued;
  queued.waiter.other = std::move(done);
  queued_bytes_ += payload.size();
  queued.payload = std::move(payload);
  queue_.push_back(std::move(queued));
}

std::vector<raft::ProposedEntry> Proposals::TakeEntries(size_t bytes_max) {
  BOREALIS_CHECK(taken_.empty());
  std::vector<raft::ProposedEntry> entries;
  const auto add = [&entries](Bytes payload) {
    entries.push_back({raft::EntryType::kData, raft::Payload(std::move(payload))});
  };
  wire::CommitBodyBuilder body;
  std::vector<Waiter> waiters;
  const auto flush = [&] {
    if (waiters.empty()) return;
    add(wire::EncodeEntry(wire::EntryType::kCommit, body.Take()));
    body = wire::CommitBodyBuilder();
    taken_.push_back(std::move(waiters));
    waiters.clear();
  };
  while (!queue_.empty()) {
    Queued queued = std::move(queue_.front());
    queue_.pop_front();
    if (queued.waiter.other) {
      flush();
      add(std::move(queued.payload));
      taken_.emplace_back();
      taken_.back().push_back(std::move(queued.waiter));
      continue;
    }
    if (!waiters.empty() && body.bytes() + queued.payload.size() > bytes_max) flush();
    body.AddBody(queued.payload);
    waiters.push_back(std::move(queued.waiter));
  }
  flush();
  queued_bytes_ = 0;
  return entries;
}

void Proposals::Appended(const raft::Proposal& proposal) {
  LogIndex index = proposal.first;
  for (auto& waiters : taken_) {
    pending_.push_back({proposal.term, index, std::move(waiters)});
    index = index.Next();
  }
  taken_.clear();
}

void Proposals::Refused(MemberId leader) {
  auto taken = std::move(taken_);
  taken_.clear();
  for (auto& waiters : taken) {
    for (Waiter& waiter : waiters) Fail(&waiter, wire::VerdictKind::kRetryElsewhere, leader);
  }
}

void Proposals::OnDecided(Term term, LogIndex index, const apply::Decided& decided,
                          MemberId leader) {
  if (pending_.empty() || pending_.front().index > index) return;
  BOREALIS_CHECK(pending_.front().index == index);
  if (pending_.front().term == term) {
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    Answer(&pending, decided);
    return;
  }
  // Entries of our term from here on were replaced.
  auto lost = std::move(pending_);
  pending_.clear();
  for (Pending& pending : lost) {
    for (Waiter& waiter : pending.waiters) {
      Fail(&waiter, wire::VerdictKind::kRetryElsewhere, leader);
    }
  }
}

void Proposals::FailAppended(MemberId leader) {
  auto pending = std::move(pending_);
  pending_.clear();
  for (Pending& entry : pending) {
    for (Waiter& waiter : entry.waiters) Fail(&waiter, wire::VerdictKind::kUnknown, leader);
  }
}

void Proposals::FailQueued(MemberId leader) {
  auto queue = std::move(queue_);
  queue_.clear();
  queued_bytes_ = 0;
  for (Queued& queued : queue) {
    Fail(&queued.waiter, wire::VerdictKind::kRetryElsewhere, leader);
  }
}

void Proposals::Fail(Waiter* waiter, wire::VerdictKind kind, MemberId leader) {
  if (waiter->other) {
    if (kind == wire::VerdictKind::kUnknown) {
      waiter->other(OutcomeUnknown("the leadership changed; ask again"));
    } else {
      waiter->other(Status(Code::kNotLeader, "this member is not the leader"));
    }
    return;
  }
  std::vector<wire::Verdict> verdicts(waiter->txns.size());
  for (size_t i = 0; i < verdicts.size(); ++i) {
    verdicts[i].txn = waiter->txns[i];
    verdicts[i].kind = kind;
    verdicts[i].leader = leader;
  }
  waiter->commit(std::move(verdicts));
}

void Proposals::Answer(Pending* pending, const apply::Decided& decided) {
  size_t next = 0;
  for (Waiter& waiter : pending->waiters) {
    if (waiter.other) {
      waiter.other(decided);
      continue;
    }
    BOREALIS_CHECK(next + waiter.txns.size() <= decided.verdicts.size());
    const auto first = decided.verdicts.begin() + static_cast<std::ptrdiff_t>(next);
    waiter.commit({first, first + static_cast<std::ptrdiff_t>(waiter.txns.size())});
    next += waiter.txns.size();
  }
}

}  // namespace borealis::replica
