#include "operator/nodes/nodes.h"

#include <condition_variable>
#include <mutex>

#include "common/env/thread.h"
#include "common/rpc/admin_client.h"
#include "proto/admin.pb.h"

namespace borealis::nodes {
namespace {

constexpr env::Duration kBeatTimeout{1'000'000};
constexpr env::Duration kCallTimeout{3'000'000};

std::string Method(Role role, const char* name) {
  const std::string service = role == Role::kStorage ? "StorageAdmin" : "WriterAdmin";
  return "/borealis.v1." + service + "/" + name;
}

class GrpcNodes final : public Nodes {
 public:
  explicit GrpcNodes(std::function<void(const std::string&)> on_change)
      : on_change_(std::move(on_change)), client_(std::make_unique<rpc::AdminClient>()) {
    thread_ = env::Thread("heartbeats", [this] { Run(); });
  }
  ~GrpcNodes() override {
    {
      std::lock_guard lock(mu_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.Join();
    client_.reset();  // ends and awaits running calls, which use this object
  }

  void SetTargets(const std::string& group, std::map<std::string, Target> targets) override {
    std::lock_guard lock(mu_);
    auto& nodes = groups_[group];
    for (auto it = nodes.begin(); it != nodes.end();) {
      const auto wanted = targets.find(it->first);
      const bool keep = wanted != targets.end() && wanted->second == it->second.target;
      it = keep ? std::next(it) : nodes.erase(it);
    }
    for (auto& [name, target] : targets) {
      auto [it, added] = nodes.try_emplace(name);
      if (!added) continue;
      it->second.target = std::move(target);
      it->second.since = env::SystemClock().Monotonic();
    }
    if (nodes.empty()) groups_.erase(group);
  }

  Beat Get(const std::string& group, const std::string& name) const override {
    std::lock_guard lock(mu_);
    const auto nodes = groups_.find(group);
    if (nodes == groups_.end()) return {};
    const auto node = nodes->second.find(name);
    if (node == nodes->second.end()) return {};
    Beat beat = node->second.beat;
    beat.silence = env::SystemClock().Monotonic() - node->second.since;
    return beat;
  }

  Result<uint32_t> Drain(const std::string& address, uint32_t drain_ms) override {
    v1::DrainRequest request;
    request.set_drain_ms(drain_ms);
    ASSIGN_OR_RETURN(const v1::DrainResponse response,
                     (client_->Call<v1::DrainRequest, v1::DrainResponse>(
                         address, "/borealis.v1.WriterAdmin/Drain", request, kCallTimeout)));
    return response.sessions_left();
  }

  Status Pause(Role role, const std::string& address, uint32_t duration_ms) override {
    v1::PauseRequest request;
    request.set_duration_ms(duration_ms);
    return client_
        ->Call<v1::PauseRequest, v1::PauseResponse>(address, Method(role, "Pause"), request,
                                                    kCallTimeout)
        .status();
  }

  Status Crash(Role role, const std::string& address) override {
    // Asked for its status first: so it was there and connected, and "unavailable" below means that
    // it died. Both requests are empty messages.
    RETURN_IF_ERROR(client_->CallRaw(address, Method(role, "Status"), "", kCallTimeout).status());
    const Status status =
        client_->CallRaw(address, Method(role, "Crash"), "", kCallTimeout).status();
    if (status.code() == Code::kUnavailable) return Status::Ok();
    return status.ok() ? Internal("answered the crash, and still runs") : status;
  }

 private:
  struct Node {
    Target target;
    Beat beat;
    env::MonotonicTime since;  // of the last answer
    bool in_flight = false;
    bool suspect = true;
  };

  void Run() {
    std::unique_lock lock(mu_);
    while (!stopping_) {
      struct Call {
        std::string group, name;
        Target target;
      };
      std::vector<Call> calls;
      std::vector<std::string> turned;
      const auto now = env::SystemClock().Monotonic();
      for (auto& [group, nodes] : groups_) {
        for (auto& [name, node] : nodes) {
          if (!node.suspect && now - node.since > kSuspectAfter) {
            node.suspect = true;
            turned.push_back(group);
          }
          if (!std::exchange(node.in_flight, true)) calls.push_back({group, name, node.target});
        }
      }
      lock.unlock();
      for (const std::string& group : turned) on_change_(group);
      for (const Call& call : calls) Send(call.group, call.name, call.target);
      lock.lock();
      wake_.wait_for(lock, kBeatEvery, [this] { return stopping_; });
    }
  }

  void Send(const std::string& group, const std::string& name, const Target& target) {
    if (target.role == Role::kStorage) {
      client_->CallAsync<v1::StorageStatusRequest, v1::StorageStatusResponse>(
          target.address, Method(target.role, "Status"), {}, kBeatTimeout,
          [=, this](Result<v1::StorageStatusResponse> answer) {
            if (!answer.ok()) return Settle(group, name, target, nullptr);
            Beat beat;
            beat.ready = answer->serving();
            beat.member_role = answer->role();
            beat.member_id = answer->member_id();
            beat.term = answer->term();
            beat.leader_id = answer->leader_id();
            beat.durable_index = answer->durable_index();
            beat.applied_version = answer->applied_version();
            Settle(group, name, target, &beat);
          });
      return;
    }
    client_->CallAsync<v1::WriterStatusRequest, v1::WriterStatusResponse>(
        target.address, Method(target.role, "Status"), {}, kBeatTimeout,
        [=, this](Result<v1::WriterStatusResponse> answer) {
          if (!answer.ok()) return Settle(group, name, target, nullptr);
          Beat beat;
          beat.ready = answer->ready() && !answer->draining();
          beat.draining = answer->draining();
          beat.sessions = answer->sessions();
          beat.leader_id = answer->leader_id();
          beat.applied_version = answer->applied_version();
          Settle(group, name, target, &beat);
        });
  }

  void Settle(const std::string& group, const std::string& name, const Target& target,
              Beat* beat) {
    bool turned = false;
    {
      std::lock_guard lock(mu_);
      const auto nodes = groups_.find(group);
      if (nodes == groups_.end()) return;
      const auto found = nodes->second.find(name);
      if (found == nodes->second.end() || !(found->second.target == target)) return;
      Node& node = found->second;
      node.in_flight = false;
      if (beat == nullptr) return;
      beat->answered = true;
      turned = node.suspect || node.beat.ready != beat->ready ||
               node.beat.member_role != beat->member_role || node.beat.draining != beat->draining;
      node.beat = *beat;
      node.since = env::SystemClock().Monotonic();
      node.suspect = false;
    }
    if (turned) on_change_(group);
  }

  const std::function<void(const std::string&)> on_change_;
  std::unique_ptr<rpc::AdminClient> client_;
  mutable std::mutex mu_;
  std::condition_variable wake_;
  bool stopping_ = false;                                     // guarded by mu_
  std::map<std::string, std::map<std::string, Node>> groups_;  // guarded by mu_
  env::Thread thread_;
};

}  // namespace

std::unique_ptr<Nodes> MakeNodes(std::function<void(const std::string& group)> on_change) {
  return std::make_unique<GrpcNodes>(std::move(on_change));
}

}  // namespace borealis::nodes
