// A writer's parts on its one loop: storage client, transactions, catalog, sessions; start, health,
// end.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/env/fiber.h"
#include "common/env/net.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "proto/admin.pb.h"
#include "writer-node/buffer_pool/buffer_pool.h"
#include "writer-node/catalog/catalog.h"
#include "writer-node/main/flags.h"
#include "writer-node/session/session_manager.h"
#include "writer-node/storage_client/storage_client.h"
#include "writer-node/txn/txn.h"

namespace borealis::writer_main {

inline constexpr char kSoftwareVersion[] = "0.1.0";

// Loop thread only, except construction and destruction, for which the loop stands still.
class Writer {
 public:
  // `on_stopped` runs once, after Shutdown() has finished. `on_fatal` does not return.
  Writer(const Flags& flags, env::AsioLoop& loop, env::Network& network, obs::Registry& metrics,
         obs::Logger logger, std::function<void()> on_stopped,
         std::function<void(const Status&)> on_fatal);
  ~Writer();

  // Listens for clients, who are told 57P03 until the catalog is loaded, and starts the rest. The
  // error names the address.
  Status Start();
  // Drains, ends this incarnation and calls on_stopped. The second call ends all sessions at once.
  void Shutdown();
  // Idempotent; the shorter deadline wins. The number of sessions left.
  size_t Drain(env::Duration limit);

  // kOk while clients are served and the last strong read succeeded.
  Status Ready() const;
  v1::WriterStatusResponse Describe() const;

 private:
  void Boot();
  Status BootOnce();
  Status EnsureSuperuser();
  Status EnsureSuperuserOnce();
  void Probe();
  void RunShutdown();

  const Flags flags_;
  env::Loop& loop_;
  env::Network& network_;
  obs::Logger logger_;
  const std::function<void()> on_stopped_;
  storage_client::StorageClient storage_;
  buffer_pool::PassThrough reader_;
  txn::TxnManager txns_;
  catalog::Catalog catalog_;
  session::SessionManager sessions_;
  std::unique_ptr<env::Listener> listener_;
  env::FiberGroup fibers_;
  env::FiberHandle shutdown_;

  bool registered_ = false;
  bool serving_ = false;
  bool stopping_ = false;
  Status last_probe_ = Unavailable("starting");
};

}  // namespace borealis::writer_main
