#include "writer-node/storage_client/storage_client.h"

#include <algorithm>

namespace borealis::storage_client {
namespace {

// A member that holds a read longer is left for the next; it may be hung or far behind. Doubled at
// each attempt: a large scan on busy members must get through in the end.
constexpr env::Duration kReadAttempt = std::chrono::milliseconds(400);
constexpr env::Duration kReadAttemptMax = std::chrono::seconds(4);
constexpr env::Duration kReadPause = std::chrono::milliseconds(10);

Members::Options MembersOptions(const StorageClientOptions& options) {
  Members::Options out;
  out.members = options.members;
  out.zone = options.zone;
  return out;
}

}  // namespace

StorageClient::StorageClient(env::Loop& loop, env::Network& network, env::Random& random,
                             obs::Logger logger, obs::Registry* metrics,
                             StorageClientOptions options)
    : loop_(loop),
      logger_(logger.Component("storage_client")),
      options_(std::move(options)),
      random_(random),
      members_(loop, network, random, logger_, MembersOptions(options_),
               [this] {
                 rpc::Hello hello;
                 hello.cluster = options_.cluster;
                 hello.role = rpc::Role::kWriter;
                 hello.id = incarnation_.value();
                 hello.name = options_.writer_name;
                 return hello;
               },
               {[this](MemberId id) {
                  commits_.OnUp(id);
                  stream_.OnUp(id);
                },
                [this](MemberId id) {
                  commits_.OnDown(id);
                  stream_.OnDown(id);
                },
                [this](MemberId from, wire::FrameType type, uint64_t request_id, ByteView payload) {
                  OnFrame(from, type, request_id, payload);
                }}),
      commits_(loop, &members_, metrics),
      stream_(loop, &members_, logger_, metrics),
      fibers_(loop),
      read_index_wanted_(loop),
      read_indexes_(&metrics->AddCounter("borealis_writer_read_index_total",
                                         "ReadIndex rounds asked of the leader")),
      read_retries_(&metrics->AddCounter("borealis_writer_read_retries_total",
                                         "Reads that went to another member")) {
  stream_.SetOnTrimmed([this] { Rebase(); });
}

StorageClient::~StorageClient() = default;

Status StorageClient::Open(Milliseconds timeout) {
  const env::MonotonicTime deadline = loop_.clock().Monotonic() + timeout;
  if (!incarnation_) {
    const Bytes request = wire::EncodeAllocateIncarnation({random_.U64(), options_.writer_name});
    ASSIGN_OR_RETURN(const Bytes reply,
                     members_.CallLeader(wire::FrameType::kAllocateIncarnation, request,
                                         wire::FrameType::kAllocateIncarnationReply, deadline));
    ASSIGN_OR_RETURN(incarnation_, wire::DecodeIncarnationId(reply));
    logger_.Info("incarnation allocated", {{"incarnation", incarnation_}});
    fibers_.Spawn("read-index", [this] { ReadIndexLoop(); });
  }
  const env::Duration left = deadline - loop_.clock().Monotonic();
  ASSIGN_OR_RETURN(const Version version,
                   ReadIndex(std::chrono::duration_cast<Milliseconds>(left)));
  stream_.Start(version, incarnation_);
  return Status::Ok();
}

void StorageClient::Stop() {
  fibers_.CancelAll();
  fibers_.Wait();
  for (const ReadIndexWaiter& waiter : read_index_waiters_)
    waiter.promise.Set(Cancelled("stopping"));
  read_index_waiters_.clear();
}

Status StorageClient::FenceSelf(Milliseconds timeout) {
  if (!incarnation_) return Status::Ok();
  return members_
      .CallLeader(wire::FrameType::kFenceIncarnation, wire::EncodeIncarnationId(incarnation_),
                  wire::FrameType::kFenceIncarnationReply, loop_.clock().Monotonic() + timeout)
      .status();
}

void StorageClient::OnFrame(MemberId from, wire::FrameType type, uint64_t request_id,
                            ByteView payload) {
  switch (type) {
    case wire::FrameType::kVerdicts:
      return commits_.OnVerdicts(from, request_id, payload);
    case wire::FrameType::kStreamBatch:
      return stream_.OnBatch(from, request_id, payload);
    case wire::FrameType::kError:
      if (!commits_.OnError(request_id, payload)) stream_.OnError(from, request_id, payload);
      return;
    default:
      return;  // an answer that came after its caller had given up
  }
}

Status StorageClient::WaitForLocal(Version version, Milliseconds timeout) {
  return stream_.WaitFor(version, timeout);
}

// ---- strong reads

Result<Version> StorageClient::ReadIndex(Milliseconds timeout) {
  env::FiberPromise<Version> promise(loop_);
  env::FiberFuture<Version> future = promise.future();
  // The round that is in flight may have left before this statement arrived: join the next one.
  read_index_waiters_.push_back({promise, loop_.clock().Monotonic() + timeout});
  read_index_wanted_.Notify();
  Result<Version> version = future.GetFor(timeout);
  if (version.code() == Code::kDeadlineExceeded) {
    return Unavailable("no quorum of storage members answered in time");
  }
  return version;
}

void StorageClient::ReadIndexLoop() {
  while (!env::FiberCancelled()) {
    if (read_index_waiters_.empty()) {
      if (!read_index_wanted_.Wait().ok()) return;
      continue;
    }
    const std::vector<ReadIndexWaiter> waiters = std::exchange(read_index_waiters_, {});
    env::MonotonicTime deadline = waiters.front().deadline;
    for (const ReadIndexWaiter& waiter : waiters) deadline = std::max(deadline, waiter.deadline);
    read_indexes_->Add();
    Result<Bytes> reply = members_.CallLeader(wire::FrameType::kReadIndex, Bytes(),
                                              wire::FrameType::kReadIndexReply, deadline);
    Result<Version> version = reply.status().ok() ? Result<Version>(Version()) : reply.status();
    if (reply.ok()) {
      Result<wire::ReadIndexReply> decoded = wire::DecodeReadIndexReply(*reply);
      version = decoded.ok() ? Result<Version>(decoded->version) : decoded.status();
    }
    if (version.ok()) stream_.NoteVersion(*version);
    for (const ReadIndexWaiter& waiter : waiters) waiter.promise.Set(version);
  }
}

void StorageClient::Rebase() {
  if (std::exchange(rebasing_, true)) return;
  fibers_.Spawn("rebase", [this] {
    while (!env::FiberCancelled()) {
      Result<Version> version = ReadIndex(Milliseconds(10000));
      if (version.ok()) {
        rebasing_ = false;
        logger_.Warning("the applied stream starts anew", {{"version", *version}});
        return stream_.Restart(*version);
      }
    }
  });
}

// ---- reads at a version

Result<Reply> StorageClient::ReadAnywhere(wire::FrameType type, const Bytes& payload,
                                          wire::FrameType expected) {
  const env::MonotonicTime deadline = loop_.clock().Monotonic() + options_.read_timeout;
  MemberId to = members_.Nearest();
  Status last = Unavailable("no member can be reached");
  for (size_t attempt = 0;; ++attempt) {
    const env::Duration left = deadline - loop_.clock().Monotonic();
    if (left.count() <= 0)
      return Unavailable("no member served the read in time: " + last.message());
    if (attempt > 0) read_retries_->Add();
    if (!to) {
      RETURN_IF_ERROR(env::FiberSleep(std::min(left, kReadPause)));
      to = members_.Nearest();
      continue;
    }
    const env::Duration patience =
        std::min(kReadAttempt * (1 << std::min<size_t>(attempt, 4)), kReadAttemptMax);
    Result<Reply> reply = members_.Call(to, type, payload, std::min(left, patience));
    if (reply.code() == Code::kCancelled) return reply.status();
    if (reply.ok() && reply->type == expected) return reply;
    last = reply.status();
    if (reply.ok()) {
      if (reply->type != wire::FrameType::kError)
        return Internal("a member answered with another type");
      ASSIGN_OR_RETURN(const wire::ErrorReply error, wire::DecodeError(reply->payload));
      last = StatusOf(error);
      const bool elsewhere = error.code == Code::kUnavailable || error.code == Code::kNotLeader ||
                             error.code == Code::kResourceExhausted ||
                             error.code == Code::kDeadlineExceeded;
      if (!elsewhere) return last;
    }
    to = members_.Nearest(to);
    // Once all were asked, give them time.
    if ((attempt + 1) % members_.by_distance().size() == 0) {
      RETURN_IF_ERROR(env::FiberSleep(std::min(left, kReadPause)));
    }
  }
}

Result<std::vector<std::optional<Bytes>>> StorageClient::MultiGet(Version version,
                                                                  const std::vector<Bytes>& keys) {
  wire::GetRequest request;
  request.version = version;
  request.keys.assign(keys.begin(), keys.end());
  ASSIGN_OR_RETURN(const Reply reply, ReadAnywhere(wire::FrameType::kGet, wire::EncodeGet(request),
                                                   wire::FrameType::kGetReply));
  ASSIGN_OR_RETURN(const wire::GetReply decoded, wire::DecodeGetReply(reply.payload));
  if (decoded.values.size() != keys.size()) return Corruption("get: another number of values");
  std::vector<std::optional<Bytes>> out;
  out.reserve(keys.size());
  for (const auto& value : decoded.values) {
    out.push_back(value.found ? std::optional<Bytes>(Bytes(value.value)) : std::nullopt);
  }
  return out;
}

Result<ScanPage> StorageClient::Scan(Version version, const ScanSpec& spec) {
  wire::ScanRequest request;
  request.version = version;
  request.start = spec.start;
  request.end = spec.end;
  request.reverse = spec.reverse;
  request.rows_max = spec.rows_max;
  request.bytes_max = spec.bytes_max;
  ASSIGN_OR_RETURN(
      const Reply reply,
      ReadAnywhere(wire::FrameType::kScan, wire::EncodeScan(request), wire::FrameType::kScanReply));
  ASSIGN_OR_RETURN(const wire::ScanReply decoded, wire::DecodeScanReply(reply.payload));
  ScanPage page;
  page.more = decoded.more;
  page.resume = Bytes(decoded.resume);
  page.rows.reserve(decoded.rows.size());
  for (const auto& row : decoded.rows) page.rows.push_back({Bytes(row.key), Bytes(row.value)});
  return page;
}

// ---- commits

TxnId StorageClient::NextTxnId() {
  BOREALIS_CHECK(incarnation_);
  open_.insert(next_sequence_);
  return {incarnation_, next_sequence_++};
}

void StorageClient::Abandon(const TxnId& txn) {
  BOREALIS_CHECK(txn.incarnation == incarnation_ && open_.erase(txn.sequence) == 1);
}

uint64_t StorageClient::AckedWatermark() const {
  const uint64_t oldest_open = open_.empty() ? next_sequence_ : *open_.begin();
  const uint64_t kept = std::min(options_.verdicts_kept, next_sequence_ - 1);
  return std::min(oldest_open - 1, next_sequence_ - 1 - kept);
}

void StorageClient::Fenced() {
  if (std::exchange(fenced_, true)) return;
  logger_.Error("this incarnation was fenced", {{"incarnation", incarnation_}});
  if (on_fenced_) on_fenced_();
}

Result<wire::Verdict> StorageClient::Commit(const TxnId& txn, const wire::RequestBuilder& request,
                                            Milliseconds timeout) {
  BOREALIS_CHECK(txn.incarnation == incarnation_ && open_.contains(txn.sequence));
  // A cancelled session still waits for the fate of what it sent: the wait is bounded.
  env::FiberCancelShield shield;
  auto bytes = std::make_shared<const Bytes>(request.Finish(txn, AckedWatermark()));
  stream_.KeepOwn(txn.sequence, bytes);
  env::FiberPromise<wire::Verdict> promise(loop_);
  env::FiberFuture<wire::Verdict> future = promise.future();
  commits_.Submit(txn.sequence, *bytes, promise);
  Result<wire::Verdict> verdict = future.GetFor(timeout);
  if (!verdict.ok()) {
    if (commits_.Withdraw(txn.sequence)) {
      stream_.ForgetOwn(txn.sequence);
      open_.erase(txn.sequence);
      return Unavailable("no leader of the storage members could be reached in time");
    }
    verdict = Resolve(txn, options_.resolve_timeout);
    if (!verdict.ok()) {
      // The bytes stay: should it be accepted yet, the stream needs them.
      open_.erase(txn.sequence);
      return OutcomeUnknown("the outcome of transaction " + txn.ToString() + " is not known");
    }
  }
  open_.erase(txn.sequence);
  if (verdict->kind == wire::VerdictKind::kAccepted) {
    stream_.NoteVersion(verdict->version);
  } else {
    stream_.ForgetOwn(txn.sequence);
  }
  if (verdict->kind == wire::VerdictKind::kStale) {
    // Of an open sequence: this incarnation was fenced so long ago that its verdicts are forgotten.
    Fenced();
    return OutcomeUnknown("the outcome of transaction " + txn.ToString() +
                          " is not known any more");
  }
  if (verdict->kind == wire::VerdictKind::kFenced) {
    Fenced();
    return Status(Code::kFenced, "this writer was fenced");
  }
  return verdict;
}

Result<wire::Verdict> StorageClient::Resolve(const TxnId& txn, Milliseconds timeout) {
  ASSIGN_OR_RETURN(
      const Bytes reply,
      members_.CallLeader(wire::FrameType::kResolveTxn, wire::EncodeResolveTxn(txn),
                          wire::FrameType::kResolveTxnReply, loop_.clock().Monotonic() + timeout));
  return wire::DecodeVerdict(reply);
}

}  // namespace borealis::storage_client
