#include "storage-node/raft/quorum.h"

#include <algorithm>

namespace borealis::raft {
namespace {

uint64_t MajorityValue(const std::vector<MemberId>& voters,
                       const std::function<uint64_t(MemberId)>& value) {
  if (voters.empty()) return 0;
  std::vector<uint64_t> values;
  values.reserve(voters.size());
  for (MemberId voter : voters) values.push_back(value(voter));
  // In descending order, the value at place k is reached by k + 1 voters.
  std::sort(values.begin(), values.end(), std::greater<>());
  return values[MajoritySize(voters.size()) - 1];
}

VoteResult CountMajority(const std::vector<MemberId>& voters,
                         const std::function<Ballot(MemberId)>& ballot) {
  if (voters.empty()) return VoteResult::kWon;
  size_t yes = 0;
  size_t missing = 0;
  for (MemberId voter : voters) {
    Ballot answer = ballot(voter);
    yes += answer == Ballot::kYes;
    missing += answer == Ballot::kMissing;
  }
  size_t needed = MajoritySize(voters.size());
  if (yes >= needed) return VoteResult::kWon;
  return yes + missing >= needed ? VoteResult::kPending : VoteResult::kLost;
}

bool SortedUnique(const std::vector<MemberId>& ids) {
  for (size_t i = 0; i < ids.size(); i++) {
    if (!ids[i] || (i > 0 && ids[i] <= ids[i - 1])) return false;
  }
  return true;
}

bool Contains(const std::vector<MemberId>& ids, MemberId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

}  // namespace

uint64_t QuorumValue(const Config& config, const std::function<uint64_t(MemberId)>& value) {
  uint64_t incoming = MajorityValue(config.voters, value);
  if (config.outgoing.empty()) return incoming;
  return std::min(incoming, MajorityValue(config.outgoing, value));
}

VoteResult CountVotes(const Config& config, const std::function<Ballot(MemberId)>& ballot) {
  VoteResult incoming = CountMajority(config.voters, ballot);
  VoteResult outgoing = CountMajority(config.outgoing, ballot);
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  if (incoming == VoteResult::kWon && outgoing == VoteResult::kWon) return VoteResult::kWon;
  return VoteResult::kPending;
}

bool IsVoter(const Config& config, MemberId member) {
  return Contains(config.voters, member) || Contains(config.outgoing, member);
}

std::vector<MemberId> AllMembers(const Config& config) {
  std::vector<MemberId> all = config.voters;
  all.insert(all.end(), config.outgoing.begin(), config.outgoing.end());
  all.insert(all.end(), config.learners.begin(), config.learners.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Status ValidateConfig(const Config& config) {
  if (config.voters.empty()) return InvalidArgument("a configuration needs a voter");
  if (!SortedUnique(config.voters) || !SortedUnique(config.outgoing) ||
      !SortedUnique(config.learners)) {
    return InvalidArgument("members of a configuration must be sorted, unique and not 0");
  }
  for (MemberId learner : config.learners) {
    if (IsVoter(config, learner)) {
      return InvalidArgument("member " + std::to_string(learner.value()) +
                             " is voter and learner at once");
    }
  }
  return Status::Ok();
}

}  // namespace borealis::raft
