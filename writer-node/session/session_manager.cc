#include "writer-node/session/session_manager.h"

#include <algorithm>

#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

// Recursion over a statement's tree is bounded by the parser (kMaxDepth): this is enough for it,
// and a stack costs only what was touched of it.
constexpr size_t kStackBytes = 8u << 20;
// Connections that have not logged in yet, beyond the slots of those that have.
constexpr size_t kUnauthenticatedMax = 100;
constexpr size_t kReservedForSuperusers = 3;

}  // namespace

SessionMetrics::SessionMetrics(obs::Registry& r)
    : connections(r.AddCounter("borealis_session_connections_total", "Connections accepted.")),
      login_failures(r.AddCounter("borealis_session_login_failures_total", "Logins refused.")),
      statements(r.AddCounter("borealis_session_statements_total", "Statements executed.")),
      errors(r.AddCounter("borealis_session_errors_total", "Errors sent to clients.")),
      retries(r.AddCounter("borealis_session_retries_total",
                           "Single-statement transactions run again after a conflict.")),
      commits(r.AddCounter("borealis_session_commits_total", "Transactions committed.")),
      conflicts(r.AddCounter("borealis_session_conflicts_total",
                             "Transactions that ended with SQLSTATE 40001.")),
      statement_micros(r.AddHistogram("borealis_session_statement_seconds",
                                      "From a statement's arrival to its last row.", 1e-6)) {}

SessionManager::SessionManager(Services services, obs::Registry& metrics, SessionOptions options)
    : services_(services),
      options_(std::move(options)),
      metrics_(metrics),
      plans_(options_.plans_max),
      mock_secret_(services.random->FillBytes(32)),
      registry_(metrics),
      fibers_(*services.loop) {
  sessions_gauge_ = metrics.AddCallback("borealis_session_sessions", "Sessions that are logged in.",
                                        {}, [this] { return static_cast<double>(logged_in_); });
}

SessionManager::~SessionManager() {
  registry_.RemoveCallback(sessions_gauge_);
  if (drain_timer_ != env::TimerId::kNone) services_.loop->Cancel(drain_timer_);
}

int32_t SessionManager::NewPid() {
  do {
    next_pid_ = next_pid_ == INT32_MAX ? 1 : next_pid_ + 1;
  } while (sessions_.contains(next_pid_));
  return next_pid_;
}

void SessionManager::Accept(std::unique_ptr<env::Stream> stream) {
  if (stopping_ || sessions_.size() >= options_.connections_max + kUnauthenticatedMax) {
    stream->Close();
    return;
  }
  metrics_.connections.Add();
  // A fiber's task must be copied into it whole: the stream moves along.
  fibers_.Spawn("session", [this, s = std::move(stream)]() mutable { RunSession(std::move(s)); },
                {.stack_bytes = kStackBytes});
}

void SessionManager::RunSession(std::unique_ptr<env::Stream> stream) {
  const int32_t pid = NewPid();
  const auto secret = static_cast<int32_t>(services_.random->U64());
  Session session(this, std::move(stream), pid, secret);
  sessions_[pid] = &session;
  if (stopping_) session.Terminate();
  session.Run();
  sessions_.erase(pid);
}

bool SessionManager::TakeSlot(bool superuser) {
  const size_t reserved =
      superuser ? 0 : std::min(kReservedForSuperusers, options_.connections_max / 2);
  if (logged_in_ + reserved >= options_.connections_max) return false;
  ++logged_in_;
  return true;
}

void SessionManager::Cancel(int32_t pid, int32_t secret) {
  auto it = sessions_.find(pid);
  if (it != sessions_.end() && it->second->secret() == secret) it->second->CancelStatement();
}

Session* SessionManager::Find(int32_t pid) {
  auto it = sessions_.find(pid);
  return it == sessions_.end() ? nullptr : it->second;
}

std::vector<catalog::ActivityRow> SessionManager::Activity() const {
  std::vector<catalog::ActivityRow> rows;
  for (const auto& [pid, session] : sessions_) {
    if (session->logged_in()) rows.push_back(session->Activity());
  }
  return rows;
}

void SessionManager::Drain(env::Duration limit) {
  const env::MonotonicTime deadline = services_.loop->clock().Monotonic() + limit;
  if (draining_ && deadline >= drain_deadline_) return;
  draining_ = true;
  drain_deadline_ = deadline;
  if (drain_timer_ != env::TimerId::kNone) services_.loop->Cancel(drain_timer_);
  drain_timer_ = services_.loop->RunAfter(limit, [this] {
    drain_timer_ = env::TimerId::kNone;
    for (auto& [pid, session] : sessions_) session->Terminate();
  });
  for (auto& [pid, session] : sessions_) session->Drain();
}

void SessionManager::Stop() {
  stopping_ = true;
  for (auto& [pid, session] : sessions_) session->Terminate();
  fibers_.Wait();
}

}  // namespace borealis::session
