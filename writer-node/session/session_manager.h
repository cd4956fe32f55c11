// All sessions of a writer: accepting, limits, cancelling, draining. Lives on the writer's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/env/fiber.h"
#include "common/env/net.h"
#include "common/env/random.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "writer-node/catalog/catalog.h"
#include "writer-node/catalog/virtual_tables.h"
#include "writer-node/session/plan_cache.h"
#include "writer-node/txn/txn.h"

namespace borealis::session {

class Session;

struct SessionOptions {
  std::string writer_name;
  std::string software_version = "0.1.0";
  size_t connections_max = 100;
  env::Duration authentication_timeout = std::chrono::seconds(60);
  size_t plans_max = 2000;
};

// Counters and histograms of sessions; borealis_session_*.
struct SessionMetrics {
  explicit SessionMetrics(obs::Registry& registry);
  obs::Counter& connections;
  obs::Counter& login_failures;
  obs::Counter& statements;
  obs::Counter& errors;
  obs::Counter& retries;
  obs::Counter& commits;
  obs::Counter& conflicts;
  obs::Histogram& statement_micros;
};

// What every session borrows. All of it outlives the manager.
struct Services {
  env::Loop* loop = nullptr;
  env::Random* random = nullptr;  // fit for secrets
  txn::TxnManager* txns = nullptr;
  catalog::Catalog* catalog = nullptr;
  obs::Logger logger;
};

class SessionManager {
 public:
  SessionManager(Services services, obs::Registry& metrics, SessionOptions options);
  ~SessionManager();  // requires that Stop() has returned
  SessionManager(const SessionManager&) = delete;
  SessionManager& operator=(const SessionManager&) = delete;

  // A client has connected.
  void Accept(std::unique_ptr<env::Stream> stream);
  // Before: clients are told 57P03 "the database system is starting up".
  void SetServing(bool serving) { serving_ = serving; }

  // New connections get 57P03; idle sessions end at once with 57P01, the others when their
  // transaction is over, or at the deadline whatever they do. Idempotent; the shorter deadline
  // wins.
  void Drain(env::Duration limit);
  bool draining() const { return draining_; }
  // Ends all sessions with 57P01 and waits, in a fiber that is no session's.
  void Stop();

  // CancelRequest; no effect unless both agree.
  void Cancel(int32_t pid, int32_t secret);
  // Null when there is none; good until the caller's fiber waits.
  Session* Find(int32_t pid);
  // Of all that are logged in, by pid.
  std::vector<catalog::ActivityRow> Activity() const;

  size_t sessions() const { return logged_in_; }
  size_t connections() const { return sessions_.size(); }

  // ---- for sessions
  bool serving() const { return serving_; }
  // 53300 when there are too many.
  bool TakeSlot(bool superuser);
  void ReturnSlot() { --logged_in_; }
  const Services& services() const { return services_; }
  const SessionOptions& options() const { return options_; }
  SessionMetrics& metrics() { return metrics_; }
  PlanCache& plans() { return plans_; }
  const Bytes& mock_secret() const { return mock_secret_; }

 private:
  void RunSession(std::unique_ptr<env::Stream> stream);
  int32_t NewPid();

  const Services services_;
  const SessionOptions options_;
  SessionMetrics metrics_;
  PlanCache plans_;
  const Bytes mock_secret_;
  obs::Registry& registry_;
  uint64_t sessions_gauge_ = 0;
  bool serving_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  env::TimerId drain_timer_ = env::TimerId::kNone;
  env::MonotonicTime drain_deadline_;
  int32_t next_pid_ = 1;
  size_t logged_in_ = 0;
  std::map<int32_t, Session*> sessions_;  // by pid
  env::FiberGroup fibers_;
};

}  // namespace borealis::session
