#include "operator/nodes/nodes.h"

#include <condition_variable>
#include <mutex>

#include "common/env/thread.h"
#include "common/rpc/admin_client.h"
#include "operator/nodes/heartbeats.h"
#include "proto/admin.pb.h"

namespace borealis::nodes {
namespace {

std::string Method(Role role, const char* name) {
  const std::string service = role == Role::kStorage ? "StorageAdmin" : "WriterAdmin";
  return "/borealis.v1." + service + "/" + name;
}

class GrpcNodes final : public Nodes {
 public:
  explicit GrpcNodes(std::function<void(const std::string&)> on_change)
      : client_(std::make_unique<rpc::AdminClient>()),
        beats_(
            env::SystemClock(),
            [this](const Target& target, Heartbeats::Answer answer) {
              Ask(target, std::move(answer));
            },
            std::move(on_change)) {
    thread_ = env::Thread("heartbeats", [this] { Run(); });
  }
  ~GrpcNodes() override {
    {
      std::lock_guard lock(mu_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.Join();
    client_.reset();  // ends and awaits running calls, which use beats_
  }

  void SetTargets(const std::string& group, std::map<std::string, Target> targets) override {
    beats_.SetTargets(group, std::move(targets));
  }
  Beat Get(const std::string& group, const std::string& name) const override {
    return beats_.Get(group, name);
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
  void Run() {
    std::unique_lock lock(mu_);
    while (!stopping_) {
      lock.unlock();
      beats_.Tick();
      lock.lock();
      wake_.wait_for(lock, kTickEvery, [this] { return stopping_; });
    }
  }

  void Ask(const Target& target, Heartbeats::Answer done) {
    if (target.role == Role::kStorage) {
      client_->CallAsync<v1::StorageStatusRequest, v1::StorageStatusResponse>(
          target.address, Method(target.role, "Status"), {}, kBeatTimeout,
          [done = std::move(done)](Result<v1::StorageStatusResponse> answer) {
            if (!answer.ok()) return done(std::nullopt);
            Beat beat;
            beat.ready = answer->serving();
            beat.member_role = answer->role();
            beat.member_id = answer->member_id();
            beat.term = answer->term();
            beat.leader_id = answer->leader_id();
            beat.durable_index = answer->durable_index();
            beat.applied_version = answer->applied_version();
            done(beat);
          });
      return;
    }
    client_->CallAsync<v1::WriterStatusRequest, v1::WriterStatusResponse>(
        target.address, Method(target.role, "Status"), {}, kBeatTimeout,
        [done = std::move(done)](Result<v1::WriterStatusResponse> answer) {
          if (!answer.ok()) return done(std::nullopt);
          Beat beat;
          beat.ready = answer->ready() && !answer->draining();
          beat.draining = answer->draining();
          beat.sessions = answer->sessions();
          beat.leader_id = answer->leader_id();
          beat.applied_version = answer->applied_version();
          done(beat);
        });
  }

  std::unique_ptr<rpc::AdminClient> client_;
  Heartbeats beats_;
  std::mutex mu_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mu_
  env::Thread thread_;
};

}  // namespace

std::unique_ptr<Nodes> MakeNodes(std::function<void(const std::string& group)> on_change) {
  return std::make_unique<GrpcNodes>(std::move(on_change));
}

}  // namespace borealis::nodes
