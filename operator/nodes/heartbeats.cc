#include "operator/nodes/heartbeats.h"

#include <utility>
#include <vector>

namespace borealis::nodes {

void Heartbeats::SetTargets(const std::string& group, std::map<std::string, Target> targets) {
  std::lock_guard lock(mu_);
  auto& nodes = groups_[group];
  for (auto it = nodes.begin(); it != nodes.end();) {
    const auto wanted = targets.find(it->first);
    const bool keep = wanted != targets.end() && wanted->second == it->second.target;
    it = keep ? std::next(it) : nodes.erase(it);
  }
  const env::MonotonicTime now = clock_.Monotonic();
  for (auto& [name, target] : targets) {
    auto [it, added] = nodes.try_emplace(name);
    if (!added) continue;
    it->second.target = std::move(target);
    it->second.id = ++last_id_;
    it->second.since = it->second.next = now;
  }
  if (nodes.empty()) groups_.erase(group);
}

Beat Heartbeats::Get(const std::string& group, const std::string& name) const {
  std::lock_guard lock(mu_);
  const auto nodes = groups_.find(group);
  if (nodes == groups_.end()) return {};
  const auto node = nodes->second.find(name);
  if (node == nodes->second.end()) return {};
  Beat beat = node->second.beat;
  beat.silence = clock_.Monotonic() - node->second.since;
  return beat;
}

void Heartbeats::Tick() {
  struct Call {
    std::string group, name;
    uint64_t id;
    Target target;
  };
  std::vector<Call> calls;
  std::vector<std::string> turned;
  {
    std::lock_guard lock(mu_);
    const env::MonotonicTime now = clock_.Monotonic();
    for (auto& [group, nodes] : groups_) {
      bool any_turned = false;
      for (auto& [name, node] : nodes) {
        if (!node.suspect && now - node.since > kSuspectAfter) {
          any_turned = node.suspect = true;
        }
        if (node.in_flight || now < node.next) continue;
        node.in_flight = true;
        node.next = now + kBeatEvery;
        calls.push_back({group, name, node.id, node.target});
      }
      if (any_turned) turned.push_back(group);
    }
  }
  for (const std::string& group : turned) on_change_(group);
  for (const Call& call : calls) {
    ask_(call.target, [this, group = call.group, name = call.name,
                       id = call.id](std::optional<Beat> beat) { Settle(group, name, id, beat); });
  }
}

void Heartbeats::Settle(const std::string& group, const std::string& name, uint64_t id,
                        const std::optional<Beat>& beat) {
  bool turned = false;
  {
    std::lock_guard lock(mu_);
    const auto nodes = groups_.find(group);
    if (nodes == groups_.end()) return;
    const auto found = nodes->second.find(name);
    if (found == nodes->second.end() || found->second.id != id) return;
    Node& node = found->second;
    node.in_flight = false;
    if (!beat) return;
    turned = node.suspect || node.beat.ready != beat->ready ||
             node.beat.member_role != beat->member_role || node.beat.draining != beat->draining;
    node.beat = *beat;
    node.beat.answered = true;
    node.since = clock_.Monotonic();
    node.suspect = false;
  }
  if (turned) on_change_(group);
}

}  // namespace borealis::nodes
