// Majorities of plain and joint configurations. Pure.
//
// Majority of n is n / 2 + 1: 4 of 6, so that two halves of a six-member group can neither commit
// nor elect apart from each other. A joint configuration needs a majority of both voter sets.
#pragma once

#include <functional>
#include <vector>

#include "storage-node/raft/types.h"

namespace borealis::raft {

enum class VoteResult { kPending, kWon, kLost };
enum class Ballot { kMissing, kYes, kNo };

inline size_t MajoritySize(size_t voters) {
  return voters / 2 + 1;
}

// The highest value that a majority of `voters` (and of `outgoing` when there is one) has reached.
// An empty voter set answers 0.
uint64_t QuorumValue(const Config& config, const std::function<uint64_t(MemberId)>& value);

// The result of an election in which members answered so far as `ballot` says.
VoteResult CountVotes(const Config& config, const std::function<Ballot(MemberId)>& ballot);

bool IsVoter(const Config& config, MemberId member);
// Voters of both sets and learners, sorted, each once.
std::vector<MemberId> AllMembers(const Config& config);
// kInvalidArgument unless the invariants of Config hold and there is at least one voter.
Status ValidateConfig(const Config& config);

}  // namespace borealis::raft
