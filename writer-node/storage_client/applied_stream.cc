#include "writer-node/storage_client/applied_stream.h"

namespace borealis::storage_client {
namespace {

constexpr env::Duration kNoProgress = std::chrono::milliseconds(100);
constexpr env::Duration kPause = std::chrono::milliseconds(20);

}  // namespace

AppliedStream::AppliedStream(env::Loop& loop, Members* members, obs::Logger logger,
                             obs::Registry* metrics)
    : loop_(loop),
      members_(members),
      logger_(logger),
      subscription_(members->NextRequestId()),
      advanced_(loop),
      failovers_(&metrics->AddCounter("borealis_writer_stream_failovers_total",
                                      "Times the applied stream moved to another member")),
      transactions_(&metrics->AddCounter("borealis_writer_stream_transactions_total",
                                         "Transactions received by the applied stream")) {}

AppliedStream::~AppliedStream() {
  if (watchdog_ != env::TimerId::kNone) loop_.Cancel(watchdog_);
  if (retry_ != env::TimerId::kNone) loop_.Cancel(retry_);
}

void AppliedStream::Start(Version after, Incarnation origin) {
  started_ = true;
  origin_ = origin;
  version_ = after;
  if (const MemberId nearest = members_->Nearest()) Subscribe(nearest);
}

void AppliedStream::Subscribe(MemberId to) {
  source_ = to;
  if (!members_->Send(to, wire::FrameType::kSubscribe, subscription_,
                      wire::EncodeSubscribe({version_, origin_}))) {
    source_ = MemberId();
    Retry();
  }
}

void AppliedStream::Leave() {
  // Nothing comes after the largest version.
  if (source_) {
    members_->Send(source_, wire::FrameType::kSubscribe, subscription_,
                   wire::EncodeSubscribe({Version(UINT64_MAX), origin_}));
  }
  source_ = MemberId();
}

void AppliedStream::SubscribeElsewhere(const char* why) {
  failovers_->Add();
  const MemberId from = source_;
  const MemberId to = members_->Nearest(from);
  logger_.Warning("the applied stream moves to another member",
                  {{"from", from}, {"to", to}, {"version", version_}, {"why", why}});
  if (to != from) Leave();
  source_ = MemberId();
  if (to) Subscribe(to);
}

void AppliedStream::Retry() {
  if (retry_ != env::TimerId::kNone) return;
  retry_ = loop_.RunAfter(kPause, [this] {
    retry_ = env::TimerId::kNone;
    if (!started_ || source_) return;
    if (const MemberId nearest = members_->Nearest()) Subscribe(nearest);
  });
}

void AppliedStream::OnUp(MemberId id) {
  if (started_ && !source_) Subscribe(id);
}

void AppliedStream::OnDown(MemberId id) {
  if (started_ && source_ == id) SubscribeElsewhere("its channel broke");
}

void AppliedStream::NoteVersion(Version known) {
  if (known > known_) known_ = known;
  if (known_ > version_) ArmWatchdog();
}

void AppliedStream::ArmWatchdog() {
  if (!started_ || watchdog_ != env::TimerId::kNone) return;
  watchdog_ = loop_.RunAfter(kNoProgress, [this, seen = version_] {
    watchdog_ = env::TimerId::kNone;
    if (known_ <= version_) return;
    if (version_ == seen) SubscribeElsewhere("it is behind and makes no progress");
    ArmWatchdog();
  });
}

Status AppliedStream::WaitFor(Version version, env::Duration timeout) {
  if (version_ >= version) return Status::Ok();
  NoteVersion(version);
  const env::MonotonicTime deadline = loop_.clock().Monotonic() + timeout;
  while (version_ < version) {
    const env::Duration left = deadline - loop_.clock().Monotonic();
    if (left.count() <= 0)
      return Unavailable("the applied stream did not reach the version in time");
    const Status status = advanced_.WaitFor(left);
    if (status.code() == Code::kCancelled) return status;
  }
  return Status::Ok();
}

bool AppliedStream::Deliver(wire::StreamRequest* request) {
  std::shared_ptr<const Bytes> kept;  // the accesses borrow from it
  if (request->txn.incarnation == origin_) {
    request->own = true;
    auto own = own_.find(request->txn.sequence);
    if (own == own_.end()) return false;
    kept = own->second;
    own_.erase(own);
    Result<wire::RequestView> view = wire::RequestView::Parse(*kept);
    BOREALIS_CHECK(view.ok());  // its own encoding
    request->accesses.clear();
    wire::Access access;
    for (auto cursor = view->accesses(); cursor.Next(&access);) {
      if (access.op != wire::Op::kNone) {
        request->accesses.push_back({access.op, access.key, access.value});
      }
    }
  }
  version_ = request->version;
  transactions_->Add();
  for (StreamObserver* observer : observers_) observer->OnApplied(*request);
  return true;
}

void AppliedStream::OnBatch(MemberId from, uint64_t request_id, ByteView payload) {
  if (request_id != subscription_ || from != source_) return;  // of a member that was left
  trimmed_answers_ = 0;
  Result<wire::StreamBatch> batch = wire::DecodeStreamBatch(payload);
  if (!batch.ok()) return SubscribeElsewhere("it sent a malformed batch");
  bool complete = true;
  for (wire::StreamRequest& request : batch->requests) {
    if (request.version <= version_) continue;
    if (request.version != version_.Next()) {
      SubscribeElsewhere("it left out a version");
      complete = false;
      break;
    }
    if (!Deliver(&request)) {
      // Own, but of an earlier subscription gap: what it wrote is not known here any more.
      logger_.Warning("an own transaction of the stream is not known", {{"txn", request.txn}});
      on_trimmed_();
      complete = false;
      break;
    }
  }
  if (complete && batch->certified_up_to > known_) known_ = batch->certified_up_to;
  const Version reached = version_;
  for (StreamObserver* observer : observers_) observer->OnAdvanced(reached);
  advanced_.NotifyAll();
}

void AppliedStream::Restart(Version base) {
  if (base < version_) return;
  version_ = base;
  for (StreamObserver* observer : observers_) observer->OnGap(base);
  advanced_.NotifyAll();
  if (const MemberId nearest = members_->Nearest()) Subscribe(nearest);
}

bool AppliedStream::OnError(MemberId from, uint64_t request_id, ByteView payload) {
  if (request_id != subscription_) return false;
  if (from != source_) return true;
  Result<wire::ErrorReply> error = wire::DecodeError(payload);
  if (error.ok() && error->code == Code::kBelowHorizon) {
    source_ = MemberId();
    // Another member may have kept more of the log.
    if (++trimmed_answers_ < members_->up_count()) {
      if (const MemberId next = members_->Nearest(from)) Subscribe(next);
      return true;
    }
    trimmed_answers_ = 0;
    on_trimmed_();
    return true;
  }
  // All members may refuse for a while: pause before the next.
  failovers_->Add();
  source_ = MemberId();
  if (retry_ == env::TimerId::kNone) {
    retry_ = loop_.RunAfter(kPause, [this, from] {
      retry_ = env::TimerId::kNone;
      if (started_ && !source_) {
        if (const MemberId next = members_->Nearest(from)) Subscribe(next);
      }
    });
  }
  return true;
}

}  // namespace borealis::storage_client
