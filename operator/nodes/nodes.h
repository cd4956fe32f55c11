// Heartbeats and admin calls to members and writers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/env/clock.h"

namespace borealis::nodes {

enum class Role { kStorage, kWriter };

struct Target {
  Role role = Role::kStorage;
  std::string address;       // "10.0.0.7:7001"
  std::string pod_uid = {};  // so that a new pod at an old one's address is another target
  friend bool operator==(const Target&, const Target&) = default;
};

// The last answer of a node, and how old it is.
struct Beat {
  bool answered = false;    // ever, at this address
  env::Duration silence{};  // since the last answer, or since the target became known
  bool ready = false;
  bool draining = false;
  std::string member_role;  // "leader", "follower", ...
  uint64_t member_id = 0, term = 0, leader_id = 0, durable_index = 0, applied_version = 0;
  uint32_t sessions = 0;
};

// Thread-safe.
class Nodes {
 public:
  virtual ~Nodes() = default;
  // Replaces the targets of `group` (a cluster's key), by pod name; empty forgets it.
  virtual void SetTargets(const std::string& group, std::map<std::string, Target> targets) = 0;
  virtual Beat Get(const std::string& group, const std::string& name) const = 0;
  // These block the caller, for kCallTimeout at most (Crash twice that). Drain returns the sessions
  // that are left.
  virtual Result<uint32_t> Drain(const std::string& address, uint32_t drain_ms) = 0;
  virtual Status Pause(Role role, const std::string& address, uint32_t duration_ms) = 0;
  // Ends the process as by SIGKILL. kOk: it had answered, and its connection has ended.
  virtual Status Crash(Role role, const std::string& address) = 0;
};

constexpr env::Duration kBeatEvery{500'000};
constexpr env::Duration kBeatTimeout{700'000};
constexpr env::Duration kTickEvery{100'000};
constexpr env::Duration kCallTimeout{2'000'000};
constexpr env::Duration kSuspectAfter{1'500'000};                           // leaves the endpoints
static_assert(kBeatEvery + kBeatTimeout + 2 * kTickEvery < kSuspectAfter);  // one lost answer

// gRPC, a call to each target every kBeatEvery. `on_change` (one of gRPC's threads or its own) is
// called with the group when a node's readiness, leadership or liveness turns.
std::unique_ptr<Nodes> MakeNodes(std::function<void(const std::string& group)> on_change);

}  // namespace borealis::nodes
