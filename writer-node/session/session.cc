#include "writer-node/session/session.h"

#include "writer-node/session/errors.h"

namespace borealis::session {
namespace {

constexpr env::Duration kLastWordsTimeout = std::chrono::seconds(2);
constexpr std::string_view kTerminated = "terminating connection due to administrator command";

}  // namespace

Session::Session(SessionManager* manager, std::unique_ptr<env::Stream> stream, int32_t pid,
                 int32_t secret)
    : manager_(manager),
      services_(manager->services()),
      connection_(std::move(stream)),
      pid_(pid),
      secret_(secret),
      block_(
          manager->services().txns, &settings_, &manager->services().loop->clock(),
          [this](std::string code, std::string text) { Warn(std::move(code), std::move(text)); }),
      session_started_(manager->services().loop->clock().Wall()),
      state_changed_(session_started_),
      cancel_event_(*manager->services().loop) {
  virtual_tables_.settings = [this] { return settings_.Describe(); };
  virtual_tables_.activity = [this] { return VisibleActivity(); };
}

Session::~Session() = default;

void Session::Run() {
  if (Login()) Serve();
  portals_.clear();
  block_.Abandon();
  if (slot_taken_) manager_->ReturnSlot();
  connection_.CloseAfterFlush(kLastWordsTimeout);
}

void Session::Serve() {
  ready_wanted_ = true;
  while (!closed_) {
    if (!BeforeRead()) return;
    waiting_ = true;
    Result<pgwire::Message> message = connection_.ReadMessage();
    waiting_ = false;
    connection_.set_read_deadline(std::nullopt);
    if (!message.ok()) {
      if (!OnReadFailure(message.status())) return;
      continue;
    }
    if (!HandleMessage(*message)) return;
  }
}

// Sends what is due and sets the deadline of the wait. False when the session ends here.
bool Session::BeforeRead() {
  if (ready_wanted_) {
    ready_wanted_ = false;
    ReadyForQuery();
  }
  if (Ending()) {
    SendFatal("57P01", std::string(kTerminated));
    return false;
  }
  connection_.ClearInterrupt();
  const bool idle = block_.state() == IdleState();
  const int64_t limit = settings_.Int(idle ? SettingId::kIdleSessionTimeout
                                           : SettingId::kIdleInTransactionSessionTimeout);
  // Inside an extended query the client is not idle: it has not sent Sync yet.
  if (limit > 0 && !in_extended_) {
    connection_.set_read_deadline(services_.loop->clock().Monotonic() +
                                  std::chrono::milliseconds(limit));
  } else {
    connection_.set_read_deadline(std::nullopt);
  }
  return true;
}

// True: go on reading.
bool Session::OnReadFailure(const Status& status) {
  switch (status.code()) {
    case Code::kCancelled:
      if (env::FiberCancelled()) terminate_ = true;
      return true;  // BeforeRead looks why
    case Code::kDeadlineExceeded:
      if (block_.state() == IdleState()) {
        SendFatal("57P05", "terminating connection due to idle-session timeout");
      } else {
        SendFatal("25P03", "terminating connection due to idle-in-transaction timeout");
      }
      return false;
    case Code::kCorruption:
      ProtocolError(status.message());
      return false;
    default:
      return false;  // the client is gone
  }
}

bool Session::HandleMessage(const pgwire::Message& message) {
  using pgwire::FrontendType;
  if (skip_until_sync_ && message.type != FrontendType::kSync &&
      message.type != FrontendType::kTerminate) {
    return true;
  }
  switch (message.type) {
    case FrontendType::kQuery: {
      Result<std::string_view> text = pgwire::DecodeQuery(message.body);
      if (!text.ok()) {
        ProtocolError(text.status().message());
        return false;
      }
      in_extended_ = false;
      SimpleQuery(*text);
      ready_wanted_ = true;
      return !closed_;
    }
    case FrontendType::kSync:
      if (!pgwire::DecodeEmpty(message.body).ok()) {
        ProtocolError("invalid message format");
        return false;
      }
      HandleSync();
      return !closed_;
    case FrontendType::kTerminate:
      return false;
    case FrontendType::kCopyData:
    case FrontendType::kCopyDone:
    case FrontendType::kCopyFail:
      return true;  // of a COPY that failed: the client could not know yet
    case FrontendType::kFunctionCall:
      ReportError(sql::FeatureNotSupported("the function call protocol"));
      ready_wanted_ = true;
      return true;
    case FrontendType::kPassword:
      ProtocolError("unexpected password message");
      return false;
    default:
      HandleExtended(message);
      return !closed_;
  }
}

void Session::ReportSettings() {
  for (const auto& [name, value] : settings_.TakeChanges()) {
    connection_.out().ParameterStatus(name, value);
  }
}

void Session::ReadyForQuery() {
  ReportSettings();
  connection_.out().ReadyForQuery(block_.status());
  if (!connection_.Flush().ok()) closed_ = true;
}

void Session::ReportError(const SqlStatus& status) {
  manager_->metrics().errors.Add();
  if (status.sqlstate() == "40001") manager_->metrics().conflicts.Add();
  if (status.sqlstate().starts_with("XX")) {
    services_.logger.Error("a statement failed by an internal error",
                           {{"pid", pid_}, {"error", status.ToString()}});
  }
  const bool fatal = cancel_ == CancelReason::kTerminate;
  connection_.out().Error(
      ToFields(status, fatal ? pgwire::Severity::kFatal : pgwire::Severity::kError));
  if (fatal) closed_ = true;
}

void Session::SendNotice(pgwire::Severity severity, std::string sqlstate, std::string message) {
  const std::string& least = settings_.Text(SettingId::kClientMinMessages);
  const bool warning = severity == pgwire::Severity::kWarning;
  if (least == "error" || (least == "warning" && !warning)) return;
  connection_.out().Notice(ToFields(severity, std::move(sqlstate), std::move(message)));
}

void Session::Warn(std::string sqlstate, std::string message) {
  SendNotice(pgwire::Severity::kWarning, std::move(sqlstate), std::move(message));
}

void Session::Notice(std::string sqlstate, std::string message) {
  SendNotice(pgwire::Severity::kNotice, std::move(sqlstate), std::move(message));
}

void Session::SendFatal(std::string sqlstate, std::string message) {
  connection_.out().Error(
      ToFields(pgwire::Severity::kFatal, std::move(sqlstate), std::move(message)));
  closed_ = true;
}

void Session::ProtocolError(const std::string& message) {
  services_.logger.Warning("a client broke the protocol",
                           {{"peer", connection_.peer_address()}, {"error", message}});
  SendFatal("08P01", message);
}

// ------------------------------------------------------------------------------ from other fibers

void Session::CancelStatement() {
  if (!running_ || cancel_ != CancelReason::kNone) return;
  cancel_ = CancelReason::kUser;
  cancel_event_.NotifyAll();
  if (block_.txn() != nullptr) block_.txn()->Cancel();
}

void Session::Drain() {
  drain_ = true;
  if (waiting_ && block_.state() == IdleState() && !in_extended_) connection_.InterruptRead();
}

void Session::Terminate() {
  terminate_ = true;
  if (running_) {
    cancel_ = CancelReason::kTerminate;
    cancel_event_.NotifyAll();
    if (block_.txn() != nullptr) block_.txn()->Cancel();
  }
  connection_.InterruptRead();
}

}  // namespace borealis::session
