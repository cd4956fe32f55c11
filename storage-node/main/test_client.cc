#include "storage-node/main/test_client.h"

namespace borealis::storage_main {
namespace {

Status ErrorIn(const Frame& frame, wire::FrameType wanted) {
  if (frame.type == wanted) return Status::Ok();
  if (frame.type != wire::FrameType::kError) return Corruption("an answer of another type");
  const auto error = wire::DecodeError(frame.payload);
  if (!error.ok()) return error.status();
  return Status(error->code, std::string(error->message));
}

}  // namespace

Result<std::unique_ptr<TestClient>> TestClient::Connect(env::AsioLoop& loop, env::Network& network,
                                                        const std::string& address,
                                                        const ClusterId& cluster) {
  struct Dial {
    std::mutex mu;
    std::condition_variable done;
    bool finished = false;
    Status status;
    std::unique_ptr<TestClient> client;
  };
  auto dial = std::make_shared<Dial>();
  loop.Post([dial, &loop, &network, address, cluster] {
    rpc::Hello hello;
    hello.cluster = cluster;
    hello.role = rpc::Role::kWriter;
    hello.name = "test";
    rpc::DialChannel(network, address, hello, std::chrono::seconds(2), {},
                     [dial, &loop](Result<std::unique_ptr<rpc::Channel>> channel) {
                       const std::lock_guard lock(dial->mu);
                       dial->finished = true;
                       dial->done.notify_all();
                       if (!channel.ok()) {
                         dial->status = channel.status();
                         return;
                       }
                       dial->client.reset(new TestClient(loop));
                       dial->client->channel_ = std::move(*channel);
                       dial->client->channel_->SetHandler(dial->client.get());
                     });
  });
  std::unique_lock lock(dial->mu);
  if (!dial->done.wait_for(lock, std::chrono::seconds(5), [&] { return dial->finished; })) {
    return DeadlineExceeded("dial " + address);
  }
  if (!dial->status.ok()) return dial->status;
  return std::move(dial->client);
}

TestClient::~TestClient() {
  env::RunOnLoop(loop_, [this] { channel_.reset(); });
}

void TestClient::OnFrame(rpc::Channel&, uint8_t type, uint64_t request_id, ByteView payload) {
  const std::lock_guard lock(mu_);
  answers_[request_id].push_back({static_cast<wire::FrameType>(type), Bytes(payload)});
  changed_.notify_all();
}

void TestClient::OnClose(rpc::Channel&, const Status&) {
  const std::lock_guard lock(mu_);
  closed_ = true;
  changed_.notify_all();
}

uint64_t TestClient::Send(wire::FrameType type, Bytes payload) {
  uint64_t id = 0;
  {
    const std::lock_guard lock(mu_);
    id = next_id_++;
  }
  loop_.Post([this, type, id, payload = std::move(payload)]() mutable {
    channel_->Send(static_cast<uint8_t>(type), id, std::move(payload));
  });
  return id;
}

std::optional<Frame> TestClient::NextOf(uint64_t request_id, int timeout_ms) {
  std::unique_lock lock(mu_);
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                    [&] { return closed_ || !answers_[request_id].empty(); });
  std::vector<Frame>& frames = answers_[request_id];
  if (frames.empty()) return std::nullopt;
  Frame frame = std::move(frames.front());
  frames.erase(frames.begin());
  return frame;
}

Result<Frame> TestClient::Call(wire::FrameType type, Bytes payload, int timeout_ms) {
  const uint64_t id = Send(type, std::move(payload));
  auto frame = NextOf(id, timeout_ms);
  if (frame) return std::move(*frame);
  const std::lock_guard lock(mu_);
  if (closed_) return Unavailable("the connection broke");
  return DeadlineExceeded("no answer in time");
}

uint64_t TestClient::Subscribe(const wire::Subscribe& subscribe) {
  return Send(wire::FrameType::kSubscribe, wire::EncodeSubscribe(subscribe));
}

Result<wire::Verdict> TestClient::Commit(const Bytes& request, int timeout_ms) {
  wire::CommitBodyBuilder body;
  body.Add(request);
  ASSIGN_OR_RETURN(const Frame frame, Call(wire::FrameType::kCommitBatch, body.Take(), timeout_ms));
  RETURN_IF_ERROR(ErrorIn(frame, wire::FrameType::kVerdicts));
  ASSIGN_OR_RETURN(const auto verdicts, wire::DecodeVerdicts(frame.payload));
  if (verdicts.size() != 1) return Corruption("not one verdict");
  return verdicts[0];
}

Result<Version> TestClient::ReadIndex(int timeout_ms) {
  ASSIGN_OR_RETURN(const Frame frame, Call(wire::FrameType::kReadIndex, Bytes(), timeout_ms));
  RETURN_IF_ERROR(ErrorIn(frame, wire::FrameType::kReadIndexReply));
  ASSIGN_OR_RETURN(const auto reply, wire::DecodeReadIndexReply(frame.payload));
  if (!reply.is_leader) return Status(Code::kNotLeader, "not the leader");
  return reply.version;
}

Result<std::optional<Bytes>> TestClient::Get(ByteView key, Version version) {
  ASSIGN_OR_RETURN(const Frame frame,
                   Call(wire::FrameType::kGet, wire::EncodeGet({version, {key}})));
  RETURN_IF_ERROR(ErrorIn(frame, wire::FrameType::kGetReply));
  ASSIGN_OR_RETURN(const auto reply, wire::DecodeGetReply(frame.payload));
  if (reply.values.size() != 1) return Corruption("not one value");
  if (!reply.values[0].found) return std::optional<Bytes>();
  return std::optional<Bytes>(Bytes(reply.values[0].value));
}

}  // namespace borealis::storage_main
