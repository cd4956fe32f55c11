#include "common/rpc/stream_channel.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/base/checksum.h"

namespace borealis::rpc {
namespace {

constexpr size_t kBufferBytes = 128 << 10;
constexpr size_t kBufferKeepMax = 1 << 20;
// Below this a copy is cheaper than another element of the system call's list.
constexpr size_t kCopyMax = 8 << 10;
constexpr env::Duration kFlushAtClose = std::chrono::seconds(1);

// What the owner holds.
class StreamChannel : public Channel {
 public:
  explicit StreamChannel(std::shared_ptr<ChannelCore> core) : core_(std::move(core)) {}
  ~StreamChannel() override { core_->Abandon(); }

  env::Loop& loop() override { return core_->loop(); }
  void SetHandler(ChannelHandler* handler) override { core_->SetHandler(handler); }
  void Send(uint8_t type, uint64_t request_id, Bytes payload) override {
    core_->Send(type, request_id, std::move(payload));
  }
  size_t pending_bytes() const override { return core_->pending_bytes(); }
  void WhenPendingAtMost(size_t limit, env::UniqueFunction<void(Status)> done) override {
    core_->WhenPendingAtMost(limit, std::move(done));
  }
  void Close() override { core_->Abandon(); }
  bool closed() const override { return core_->closed(); }
  const Hello& peer() const override { return core_->peer(); }
  uint16_t version() const override { return core_->version(); }
  const std::string& peer_address() const override { return core_->peer_address(); }

 private:
  const std::shared_ptr<ChannelCore> core_;
};

void Count(std::atomic<uint64_t>& counter, uint64_t n = 1) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

void EncodeRefusal(const Status& why, Bytes* out) {
  PutU8(out, static_cast<uint8_t>(why.code()));
  PutString(out, ByteView(why.message()).substr(0, kHelloPayloadMax / 2));
}

Status DecodeRefusal(ByteView payload) {
  ByteReader in(payload);
  const uint8_t code = in.U8();
  ByteView text = in.String();
  if (!in.done()) return Corruption("malformed refusal");
  const bool known =
      code > static_cast<uint8_t>(Code::kOk) && code <= static_cast<uint8_t>(Code::kInternal);
  return Status(known ? static_cast<Code>(code) : Code::kUnavailable,
                "refused by the peer: " + std::string(text));
}

ChannelCore::ChannelCore(std::unique_ptr<env::Stream> stream, Hello mine, ChannelOptions options)
    : stream_(std::move(stream)), mine_(std::move(mine)), options_(options) {
  buffer_.resize(kBufferBytes);
}

void ChannelCore::Start(env::Duration timeout, OnHello done) {
  on_hello_ = std::move(done);
  stream_->SetOnClose([weak = weak_from_this()](Status why) {
    if (auto self = weak.lock()) self->Break(why);
  });
  // Until there is a channel to own it, the timer's task keeps the core of a dial.
  hello_timer_ = loop().RunAfter(timeout, [self = shared_from_this()] {
    self->hello_timer_ = env::TimerId::kNone;
    self->Break(DeadlineExceeded("no hello from " + self->peer_address() + " in time"));
  });
  Bytes hello;
  EncodeHello(mine_, &hello);
  Send(kFrameHello, 0, std::move(hello));
  StartRead();
}

void ChannelCore::Abandon() {
  channel_ = nullptr;
  handler_ = nullptr;
  on_hello_ = nullptr;
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (hello_timer_ != env::TimerId::kNone) loop().Cancel(hello_timer_);
  if (!tail_.empty()) parts_.push_back(std::move(tail_));
  stream_->WriteMany(std::move(parts_));
  stream_->CloseAfterFlush(kFlushAtClose);
}

void ChannelCore::SetHandler(ChannelHandler* handler) {
  handler_ = handler;
  if (handler == nullptr || dispatching_ || (reading_ && state_ != State::kClosed)) return;
  loop().Post([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->handler_ == nullptr) return;
    if (self->state_ == State::kClosed) return self->TellClosed();
    self->Dispatch();
  });
}

void ChannelCore::Send(uint8_t type, uint64_t request_id, Bytes payload) {
  if (state_ == State::kClosed) return;
  const size_t before = tail_.size();
  const size_t bytes = payload.size();
  AppendFrameHeader(&tail_, type, request_id, payload);
  if (payload.size() <= kCopyMax) {
    tail_ += payload;
    unsent_ += tail_.size() - before;
  } else {
    unsent_ += tail_.size() - before + payload.size();
    parts_.push_back(std::exchange(tail_, Bytes()));
    parts_.push_back(std::move(payload));
  }
  if (options_.stats != nullptr) {
    Count(options_.stats->frames_sent);
    Count(options_.stats->bytes_sent, kFrameHeaderBytes + bytes);
  }
  if (pending_bytes() > options_.pending_bytes_max) {
    return Break(ResourceExhausted("more than " + std::to_string(options_.pending_bytes_max) +
                                   " bytes wait for " + peer_address()));
  }
  if (std::exchange(flush_scheduled_, true)) return;
  loop().PostAtTurnEnd([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->FlushAtTurnEnd();
  });
}

void ChannelCore::FlushAtTurnEnd() {
  flush_scheduled_ = false;
  if (state_ == State::kClosed) return;
  if (!tail_.empty()) parts_.push_back(std::exchange(tail_, Bytes()));
  unsent_ = 0;
  if (options_.stats != nullptr) Count(options_.stats->writes);
  stream_->WriteMany(std::exchange(parts_, {}));
}

size_t ChannelCore::pending_bytes() const {
  return unsent_ + stream_->pending_write_bytes();
}

void ChannelCore::WhenPendingAtMost(size_t limit, env::UniqueFunction<void(Status)> done) {
  // At turn end, after this turn's frames went to the stream.
  loop().PostAtTurnEnd([self = shared_from_this(), limit, done = std::move(done)]() mutable {
    if (self->flush_scheduled_) self->FlushAtTurnEnd();
    self->stream_->WhenPendingAtMost(limit, std::move(done));
  });
}

void ChannelCore::StartRead() {
  BOREALIS_CHECK(!reading_);
  reading_ = true;
  MakeRoom();
  stream_->Read(buffer_.data() + end_, buffer_.size() - end_,
                [weak = weak_from_this()](Result<size_t> got) {
                  auto self = weak.lock();
                  if (!self) return;
                  self->reading_ = false;
                  if (self->state_ != State::kClosed) self->OnRead(std::move(got));
                });
}

// The buffer grows by doubling, as bytes arrive: a header alone takes no memory.
void ChannelCore::MakeRoom() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ == 0 && end_ == 0 && buffer_.size() > kBufferKeepMax) {
    std::vector<char>(kBufferBytes).swap(buffer_);
  }
  const size_t needed = std::max(frame_bytes_, kFrameHeaderBytes);
  const bool roomy = buffer_.size() - end_ >= buffer_.size() / 4;
  if (roomy && begin_ + needed <= buffer_.size()) return;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) buffer_.resize(std::min(buffer_.size() * 2, needed));
}

void ChannelCore::OnRead(Result<size_t> got) {
  if (!got.ok()) return Break(got.status());
  if (*got == 0) return Break(Unavailable(peer_address() + " closed the connection"));
  end_ += *got;
  if (options_.stats != nullptr) {
    Count(options_.stats->reads);
    Count(options_.stats->bytes_received, *got);
  }
  Dispatch();
}

void ChannelCore::Dispatch() {
  auto self = shared_from_this();
  dispatching_ = true;
  while (DispatchOne()) {
  }
  dispatching_ = false;
  const bool wants_input = state_ == State::kHello || handler_ != nullptr;
  if (state_ != State::kClosed && wants_input && !reading_) StartRead();
}

bool ChannelCore::DispatchOne() {
  if (state_ == State::kClosed || (state_ == State::kOpen && handler_ == nullptr)) return false;
  frame_bytes_ = 0;
  if (end_ - begin_ < kFrameHeaderBytes) return false;
  const size_t payload_max = state_ == State::kHello
                                 ? std::min(kHelloPayloadMax, options_.payload_max)
                                 : options_.payload_max;
  Result<FrameHeader> header = ParseFrameHeader(buffer_.data() + begin_, payload_max);
  if (!header.ok()) {
    Refuse(header.status());
    return false;
  }
  frame_bytes_ = kFrameHeaderBytes + header->payload_bytes;
  if (end_ - begin_ < frame_bytes_) return false;
  ByteView payload(buffer_.data() + begin_ + kFrameHeaderBytes, header->payload_bytes);
  if (Crc32c(payload) != header->payload_crc) {
    Refuse(Corruption("frame payload has a wrong checksum"));
    return false;
  }
  begin_ += frame_bytes_;
  frame_bytes_ = 0;
  if (options_.stats != nullptr) Count(options_.stats->frames_received);
  if (header->type == kFrameRefuse) {
    Break(DecodeRefusal(payload));
  } else if (state_ == State::kHello) {
    OnHelloFrame(*header, payload);
  } else if (header->type == kFrameHello) {
    Refuse(Corruption("a second hello"));
  } else {
    handler_->OnFrame(*channel_, header->type, header->request_id, payload);
  }
  return true;
}

void ChannelCore::OnHelloFrame(const FrameHeader& header, ByteView payload) {
  if (header.type != kFrameHello) return Refuse(Corruption("the first frame is no hello"));
  Result<Hello> hello = DecodeHello(payload);
  if (!hello.ok()) return Refuse(hello.status());
  Result<uint16_t> version = AgreeOnVersion(mine_, *hello);
  if (!version.ok()) return Refuse(version.status());
  peer_ = std::move(*hello);
  version_ = *version;
  state_ = State::kOpen;
  if (hello_timer_ != env::TimerId::kNone) {
    loop().Cancel(std::exchange(hello_timer_, env::TimerId::kNone));
  }
  auto channel = std::make_unique<StreamChannel>(shared_from_this());
  channel_ = channel.get();
  OnHello done = std::move(on_hello_);
  done(std::unique_ptr<Channel>(std::move(channel)));
}

void ChannelCore::Refuse(const Status& why) {
  Bytes payload;
  EncodeRefusal(why, &payload);
  Send(kFrameRefuse, 0, std::move(payload));
  if (state_ == State::kClosed) return;  // the queue was full, too
  FlushAtTurnEnd();
  stream_->CloseAfterFlush(kFlushAtClose);
  Break(why);
}

void ChannelCore::Break(const Status& why) {
  if (state_ == State::kClosed) return;
  const bool was_hello = state_ == State::kHello;
  state_ = State::kClosed;
  closed_why_ = why;
  if (hello_timer_ != env::TimerId::kNone) loop().Cancel(hello_timer_);
  // A refusal on its way out goes on by itself.
  if (!stream_->closed()) stream_->Close();
  parts_.clear();
  tail_.clear();
  unsent_ = 0;
  if (was_hello) {
    loop().Post([self = shared_from_this(), why] {
      OnHello done = std::move(self->on_hello_);
      if (done) done(why);
    });
  } else {
    loop().Post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->TellClosed();
    });
  }
}

void ChannelCore::TellClosed() {
  if (handler_ == nullptr || channel_ == nullptr || closed_why_.ok()) return;
  Status why = std::exchange(closed_why_, Status::Ok());
  auto self = shared_from_this();
  handler_->OnClose(*channel_, why);
}

}  // namespace borealis::rpc
