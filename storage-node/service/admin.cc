#include "storage-node/service/admin.h"

#include "common/env/signals.h"
#include "common/env/thread.h"
#include "proto/admin.pb.h"

namespace borealis::service {
namespace {

constexpr char kPrefix[] = "/borealis.v1.StorageAdmin/";

std::string Hex(uint64_t value) {
  Bytes bytes;
  PutU64BE(&bytes, value);
  return ToHex(bytes);
}

v1::StorageStatusResponse Describe(const replica::Replica& replica, const AdminOptions& options) {
  const replica::ReplicaStatus status = replica.status();
  v1::StorageStatusResponse out;
  out.set_cluster_id(options.cluster.ToString());
  out.set_member_id(options.id.value());
  out.set_zone(options.zone);
  out.set_role(std::string(replica::RoleText(status.raft.role)));
  out.set_term(status.raft.term.value());
  out.set_leader_id(status.raft.leader.value());
  out.set_durable_index(status.raft.durable.value());
  out.set_commit_index(status.raft.commit.value());
  out.set_certified_version(status.certified.value());
  out.set_applied_version(status.applied.value());
  out.set_serving(status.serving);
  out.set_software_version(options.software_version);
  out.set_boot_number(status.boot_number);
  out.set_verdict_hash(Hex(status.verdict_hash));
  out.set_verdict_hash_index(status.certified_index.value());
  for (const raft::PeerStatus& peer : status.raft.peers) {
    v1::PeerProgress* progress = out.add_peers();
    progress->set_member_id(peer.id.value());
    progress->set_match_index(peer.match.value());
    const auto contact = status.since_contact.find(peer.id);
    if (contact != status.since_contact.end()) {
      progress->set_last_contact_ms(static_cast<uint64_t>(contact->second.count() / 1000));
    }
  }
  return out;
}

}  // namespace

void RegisterAdmin(rpc::AdminServer& server, env::Loop& loop, replica::Replica& replica,
                   AdminOptions options) {
  server.Handle<v1::StorageStatusRequest, v1::StorageStatusResponse>(
      std::string(kPrefix) + "Status", [&loop, &replica, options](const v1::StorageStatusRequest&) {
        v1::StorageStatusResponse response;
        env::RunOnLoop(loop, [&] { response = Describe(replica, options); });
        return Result<v1::StorageStatusResponse>(std::move(response));
      });
  server.Handle<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
      std::string(kPrefix) + "TransferLeadership",
      [&loop, &replica](
          const v1::TransferLeadershipRequest& request) -> Result<v1::TransferLeadershipResponse> {
        Status status;
        env::RunOnLoop(loop, [&] {
          status = replica.TransferLeadership(MemberId(request.target_member_id()));
        });
        if (!status.ok()) return status;
        return v1::TransferLeadershipResponse();
      });
  server.Handle<v1::PauseRequest, v1::PauseResponse>(
      std::string(kPrefix) + "Pause",
      [&server, &loop, options](const v1::PauseRequest& request) -> Result<v1::PauseResponse> {
        if (!options.chaos_enabled) return Unsupported("pause needs --chaos-enabled");
        if (request.duration_ms() < 1 || request.duration_ms() > 600'000) {
          return InvalidArgument("duration_ms must be from 1 to 600000");
        }
        const env::Duration duration = std::chrono::milliseconds(request.duration_ms());
        server.PauseFor(duration);
        loop.Post([duration] { env::BlockThreadFor(duration); });
        return v1::PauseResponse();
      });
  server.Handle<v1::CrashRequest, v1::CrashResponse>(
      std::string(kPrefix) + "Crash",
      [options](const v1::CrashRequest&) -> Result<v1::CrashResponse> {
        if (!options.chaos_enabled) return Unsupported("crash needs --chaos-enabled");
        env::CrashProcess();
      });
}

void RegisterHealth(obs::HttpServer& server, const obs::Registry& metrics,
                    const replica::Replica& replica) {
  obs::ServeMetrics(server, metrics);
  obs::ServeHealth(server, "/healthz", [] { return Status::Ok(); });
  obs::ServeHealth(server, "/readyz", [&replica] {
    return replica.status().serving ? Status::Ok() : Unavailable("no leader is known");
  });
}

}  // namespace borealis::service
