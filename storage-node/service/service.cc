#include "storage-node/service/service.h"

#include <atomic>

#include "common/wire/log_entry.h"

namespace borealis::service {

using wire::FrameType;

class Service::Session : public rpc::ChannelHandler {
 public:
  Session(Service* service, SessionId id, std::unique_ptr<rpc::Channel> channel)
      : service_(service), id_(id), channel_(std::move(channel)) {
    channel_->SetHandler(this);
  }

  void OnFrame(rpc::Channel&, uint8_t type, uint64_t request_id, ByteView payload) override {
    service_->OnFrame(*this, static_cast<FrameType>(type), request_id, payload);
  }
  void OnClose(rpc::Channel&, const Status& why) override { service_->OnClose(id_, why); }

  SessionId id() const { return id_; }
  rpc::Channel& channel() { return *channel_; }
  bool is_member() const { return channel_->peer().role == rpc::Role::kMember; }

  // One a connection: a later Subscribe takes the place of the one before. 0: none.
  StreamHub::SubscriptionId subscription = 0;

 private:
  Service* const service_;
  const SessionId id_;
  const std::unique_ptr<rpc::Channel> channel_;
};

// A read from its arrival to its answer. `started` decides between the deadline and the worker.
struct Service::ReadTask {
  SessionId session = 0;
  uint64_t request_id = 0;
  FrameType type = FrameType::kGet;
  Bytes payload;
  Version version;
  std::atomic<bool> started{false};
  uint64_t waiter = 0;                          // loop thread only
  env::TimerId deadline = env::TimerId::kNone;  // loop thread only
  env::MonotonicTime arrived;
};

Service::Service(env::Loop& loop, replica::Replica& replica, env::WorkerPool& readers,
                 obs::Registry& metrics, obs::Logger logger, ServiceOptions options)
    : loop_(loop),
      replica_(replica),
      readers_(readers),
      logger_(logger),
      options_(options),
      hub_(loop, replica.certified_version(), options.stream),
      reads_(&metrics.AddCounter("borealis_storage_reads_total", "Reads answered.")),
      read_waits_(&metrics.AddCounter("borealis_storage_read_waits_total",
                                      "Reads that waited for their version.")),
      read_us_(&metrics.AddHistogram("borealis_storage_read_seconds",
                                     "Time of a read with its wait.", 1e-6)),
      alive_(std::make_shared<Service*>(this)) {
  replica_.SetSink(
      [this](const std::shared_ptr<const apply::CertifiedEntry>& entry) { hub_.OnEntry(entry); });
}

Service::~Service() {
  *alive_ = nullptr;
  replica_.SetSink(nullptr);
  Close();
}

void Service::OnChannel(std::unique_ptr<rpc::Channel> channel) {
  const SessionId id = next_session_++;
  sessions_[id] = std::make_unique<Session>(this, id, std::move(channel));
}

void Service::Close() {
  for (auto& [id, session] : sessions_) {
    hub_.Remove(session->subscription);
    session->channel().Close();
  }
  sessions_.clear();
}

void Service::OnClose(SessionId id, const Status& why) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  logger_.Debug("session ended", {{"peer", it->second->channel().peer().name}, {"why", why}});
  hub_.Remove(it->second->subscription);
  // The channel may be the caller: it allows that (ChannelHandler).
  sessions_.erase(it);
}

void Service::OnFrame(Session& session, FrameType type, uint64_t request_id, ByteView payload) {
  switch (type) {
    case FrameType::kRaft:
      if (!session.is_member()) break;
      return replica_.OnRaftFrame(MemberId(session.channel().peer().id), payload);
    case FrameType::kCommitBatch:
      return OnCommit(session, request_id, payload);
    case FrameType::kReadIndex:
      return replica_.ReadIndex(
          [alive = alive_, id = session.id(), request_id](const wire::ReadIndexReply& reply) {
            if (*alive == nullptr) return;
            (*alive)->Send(id, request_id,
                           {FrameType::kReadIndexReply, wire::EncodeReadIndexReply(reply)});
          });
    case FrameType::kGet:
    case FrameType::kScan:
      return OnRead(session, type, request_id, payload);
    case FrameType::kSubscribe:
      return OnSubscribe(session, request_id, payload);
    case FrameType::kAllocateIncarnation:
      return OnAllocate(session, request_id, payload);
    case FrameType::kFenceIncarnation:
      return OnFence(session, request_id, payload);
    case FrameType::kResolveTxn:
      return OnResolve(session, request_id, payload);
    default:
      break;
  }
  SendError(session.id(), request_id,
            Unsupported("frame type " + std::to_string(static_cast<int>(type))));
}

void Service::OnCommit(Session& session, uint64_t request_id, ByteView payload) {
  const Status status = replica_.Commit(
      Bytes(payload),
      [alive = alive_, id = session.id(), request_id](const std::vector<wire::Verdict>& verdicts) {
        if (*alive == nullptr) return;
        (*alive)->Send(id, request_id, {FrameType::kVerdicts, wire::EncodeVerdicts(verdicts)});
      });
  if (!status.ok()) SendError(session.id(), request_id, status);
}

void Service::OnRead(Session& session, FrameType type, uint64_t request_id, ByteView payload) {
  if (payload.size() < 8) {
    return SendError(session.id(), request_id, Corruption("read without a version"));
  }
  if (session.channel().pending_bytes() > options_.unsent_bytes_max) {
    return SendError(session.id(), request_id,
                     ResourceExhausted("too much is unsent on this connection"));
  }
  auto task = std::make_shared<ReadTask>();
  task->session = session.id();
  task->request_id = request_id;
  task->type = type;
  task->payload = Bytes(payload);
  task->version = Version(GetU64(payload.data()));
  task->arrived = loop_.clock().Monotonic();
  // The waiter may run on the applier's thread: it only submits, and `this` outlives the applier's
  // tasks because the service's owner stops applier and pool first.
  task->waiter = replica_.applier().WhenApplied(task->version, [this, alive = alive_, task] {
    if (!task->started.exchange(true)) StartRead(task);
  });
  if (task->waiter == 0) return;
  read_waits_->Add();
  task->deadline = loop_.RunAfter(options_.read_wait, [this, alive = alive_, task] {
    if (*alive == nullptr) return;
    replica_.applier().Forget(task->waiter);
    if (task->started.exchange(true)) return;
    FinishRead(task, ErrorOf(Unavailable("version " + std::to_string(task->version.value()) +
                                         " is not applied here yet")));
  });
}

// Any thread.
void Service::StartRead(const std::shared_ptr<ReadTask>& task) {
  const Status submitted = readers_.Submit([this, alive = alive_, task] {
    Reply reply = Read(*task);
    loop_.Post([alive, task, reply = std::move(reply)]() mutable {
      if (*alive != nullptr) (*alive)->FinishRead(task, std::move(reply));
    });
  });
  if (submitted.ok()) return;
  loop_.Post([alive = alive_, task, submitted] {
    if (*alive != nullptr) (*alive)->FinishRead(task, (*alive)->ErrorOf(submitted));
  });
}

void Service::FinishRead(const std::shared_ptr<ReadTask>& task, Reply reply) {
  if (task->deadline != env::TimerId::kNone) loop_.Cancel(task->deadline);
  task->deadline = env::TimerId::kNone;
  reads_->Add();
  read_us_->Record(static_cast<uint64_t>((loop_.clock().Monotonic() - task->arrived).count()));
  Send(task->session, task->request_id, std::move(reply));
}

Service::Reply Service::Read(const ReadTask& task) const {
  return task.type == FrameType::kGet ? ReadKeys(task.payload) : ReadRange(task.payload);
}

Service::Reply Service::ReadKeys(ByteView payload) const {
  const auto request = wire::DecodeGet(payload);
  if (!request.ok()) return ErrorOf(request.status());
  const auto values = replica_.store().MultiGet(request->keys, request->version);
  if (!values.ok()) return ErrorOf(values.status());
  wire::GetReply reply;
  reply.values.reserve(values->size());
  size_t bytes = 0;
  for (const auto& value : *values) {
    if (value) bytes += value->size();
    reply.values.push_back({value.has_value(), value ? ByteView(*value) : ByteView()});
  }
  if (bytes > options_.get_bytes_max) {
    return ErrorOf(ResourceExhausted("the values are too large for one reply"));
  }
  return {FrameType::kGetReply, wire::EncodeGetReply(reply)};
}

Service::Reply Service::ReadRange(ByteView payload) const {
  const auto request = wire::DecodeScan(payload);
  if (!request.ok()) return ErrorOf(request.status());
  const auto limit = [](uint32_t asked, uint32_t own) {
    return asked == 0 ? own : std::min(asked, own);
  };
  mvcc::ScanRequest scan;
  scan.start = request->start;
  scan.end = request->end;
  scan.reverse = request->reverse;
  scan.version = request->version;
  scan.rows_max = limit(request->rows_max, options_.scan_rows_max);
  scan.bytes_max = limit(request->bytes_max, options_.scan_bytes_max);
  const auto page = replica_.store().Scan(scan);
  if (!page.ok()) return ErrorOf(page.status());
  wire::ScanReply reply;
  reply.rows.reserve(page->rows.size());
  for (const mvcc::Row& row : page->rows) reply.rows.push_back({row.key, row.value});
  reply.more = page->more;
  reply.resume = page->resume;
  return {FrameType::kScanReply, wire::EncodeScanReply(reply)};
}

void Service::OnSubscribe(Session& session, uint64_t request_id, ByteView payload) {
  const auto subscribe = wire::DecodeSubscribe(payload);
  if (!subscribe.ok()) return SendError(session.id(), request_id, subscribe.status());
  hub_.Remove(session.subscription);
  session.subscription = 0;
  const auto added = hub_.Add(&session.channel(), request_id, *subscribe);
  if (!added.ok()) return SendError(session.id(), request_id, added.status());
  session.subscription = *added;
}

void Service::OnAllocate(Session& session, uint64_t request_id, ByteView payload) {
  const auto request = wire::DecodeAllocateIncarnation(payload);
  if (!request.ok()) return SendError(session.id(), request_id, request.status());
  replica_.Allocate(
      request->nonce, std::string(request->writer_name),
      [alive = alive_, id = session.id(), request_id](Result<Incarnation> result) {
        if (*alive == nullptr) return;
        if (!result.ok()) {
          return (*alive)->SendError(id, request_id, result.status());
        }
        (*alive)->Send(id, request_id,
                       {FrameType::kAllocateIncarnationReply, wire::EncodeIncarnationId(*result)});
      });
}

void Service::OnFence(Session& session, uint64_t request_id, ByteView payload) {
  const auto incarnation = wire::DecodeIncarnationId(payload);
  if (!incarnation.ok()) return SendError(session.id(), request_id, incarnation.status());
  replica_.Fence(*incarnation, [alive = alive_, id = session.id(), request_id](Status status) {
    if (*alive == nullptr) return;
    if (!status.ok()) return (*alive)->SendError(id, request_id, status);
    (*alive)->Send(id, request_id, {FrameType::kFenceIncarnationReply, Bytes()});
  });
}

void Service::OnResolve(Session& session, uint64_t request_id, ByteView payload) {
  const auto txn = wire::DecodeResolveTxn(payload);
  if (!txn.ok()) return SendError(session.id(), request_id, txn.status());
  replica_.Resolve(
      *txn, [alive = alive_, id = session.id(), request_id](Result<wire::Verdict> verdict) {
        if (*alive == nullptr) return;
        if (!verdict.ok()) return (*alive)->SendError(id, request_id, verdict.status());
        Bytes payload;
        wire::AppendVerdict(&payload, *verdict);
        (*alive)->Send(id, request_id, {FrameType::kResolveTxnReply, std::move(payload)});
      });
}

void Service::Send(SessionId id, uint64_t request_id, Reply reply) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  it->second->channel().Send(static_cast<uint8_t>(reply.type), request_id,
                             std::move(reply.payload));
}

Service::Reply Service::ErrorOf(const Status& status) const {
  wire::ErrorReply error;
  error.code = status.code();
  error.message = status.message();
  return {FrameType::kError, wire::EncodeError(error)};
}

void Service::SendError(SessionId id, uint64_t request_id, const Status& status) {
  wire::ErrorReply error;
  error.code = status.code();
  error.leader = replica_.leader();
  error.message = status.message();
  Send(id, request_id, {FrameType::kError, wire::EncodeError(error)});
}

}  // namespace borealis::service
