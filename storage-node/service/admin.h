// The member's gRPC administration (proto/admin.proto, StorageAdmin), and its health pages.
#pragma once

#include <string>

#include "common/env/loop.h"
#include "common/obs/http.h"
#include "common/rpc/admin_server.h"
#include "storage-node/replica/replica.h"

namespace borealis::service {

struct AdminOptions {
  ClusterId cluster;
  MemberId id;
  std::string zone;
  std::string software_version;
  bool chaos_enabled = false;  // else Pause and Crash answer kUnsupported
};

// Registers the handlers; before server.Start(). Loop and replica outlive the server. Pause blocks
// the loop: the member then neither reads nor answers on any connection, and does not sync. Crash
// ends the process (env::CrashProcess).
void RegisterAdmin(rpc::AdminServer& server, env::Loop& loop, replica::Replica& replica,
                   AdminOptions options);

// /metrics; /healthz: the loop runs; /readyz: the member knows a leader and serves.
void RegisterHealth(obs::HttpServer& server, const obs::Registry& metrics,
                    const replica::Replica& replica);

}  // namespace borealis::service
