#include "writer-node/pgwire/connection.h"

#include <gtest/gtest.h>

#include <deque>

#include "common/testing/sim_loop.h"

namespace borealis::pgwire {
namespace {

using std::string_literals::operator""s;

// A stream whose arriving bytes the test decides, chunk by chunk.
class ScriptedStream final : public env::Stream {
 public:
  struct Shared {
    std::deque<Bytes> chunks;  // an empty one is the end of the stream
    Bytes sent;
    size_t largest_read = 0;
  };
  ScriptedStream(env::Loop& loop, std::shared_ptr<Shared> shared)
      : loop_(loop), shared_(std::move(shared)) {}

  env::Loop& loop() override { return loop_; }
  void Read(char* out, size_t n, env::UniqueFunction<void(Result<size_t>)> done) override {
    shared_->largest_read = std::max(shared_->largest_read, n);
    if (shared_->chunks.empty()) {
      pending_ = std::move(done);
      return;
    }
    Bytes& chunk = shared_->chunks.front();
    size_t take = std::min(n, chunk.size());
    std::memcpy(out, chunk.data(), take);
    chunk.erase(0, take);
    if (chunk.empty()) shared_->chunks.pop_front();
    loop_.Post([take, done = std::move(done)]() mutable { done(take); });
  }
  void CancelRead() override {
    if (!pending_) return;
    loop_.Post([done = std::move(pending_)]() mutable { done(Cancelled("read")); });
    pending_ = nullptr;
  }
  void Write(Bytes data) override { shared_->sent += data; }
  void WriteMany(std::vector<Bytes> parts) override {
    for (Bytes& part : parts) shared_->sent += part;
  }
  size_t pending_write_bytes() const override { return 0; }
  void WhenPendingAtMost(size_t, env::UniqueFunction<void(Status)> done) override {
    loop_.Post([done = std::move(done)]() mutable { done(Status::Ok()); });
  }
  void SetOnClose(env::UniqueFunction<void(Status)>) override {}
  void Close() override { closed_ = true; }
  void CloseAfterFlush(env::Duration) override { closed_ = true; }
  bool closed() const override { return closed_; }
  const std::string& peer_address() const override { return address_; }
  const std::string& local_address() const override { return address_; }

 private:
  env::Loop& loop_;
  std::shared_ptr<Shared> shared_;
  env::UniqueFunction<void(Result<size_t>)> pending_;
  bool closed_ = false;
  std::string address_ = "test:1";
};

class ConnectionTest : public ::testing::Test {
 protected:
  // Runs the body in a fiber until it ends.
  void Run(std::deque<Bytes> chunks, std::function<void(Connection&)> body) {
    shared_->chunks = std::move(chunks);
    bool done = false;
    env::Spawn(loop_, "test", [&] {
      Connection connection(std::make_unique<ScriptedStream>(loop_, shared_));
      body(connection);
      done = true;
    });
    loop_.RunFor(std::chrono::seconds(10));
    EXPECT_TRUE(done);
  }

  testing::SimLoop loop_;
  std::shared_ptr<ScriptedStream::Shared> shared_ = std::make_shared<ScriptedStream::Shared>();
};

Bytes Message(char type, ByteView body) {
  Bytes out(1, type);
  PutU32BE(&out, static_cast<uint32_t>(body.size() + 4));
  return out + Bytes(body);
}

TEST_F(ConnectionTest, CutsMessagesWhateverTheChunks) {
  const Bytes stream = Message('Q', "one\0"s) + Message('S', "") + Message('P', "a\0b\0\0\0"s);
  for (size_t size = 1; size <= stream.size(); ++size) {
    std::deque<Bytes> chunks;
    for (size_t i = 0; i < stream.size(); i += size) chunks.push_back(stream.substr(i, size));
    Run(chunks, [](Connection& c) {
      c.set_logged_in();
      Result<pgwire::Message> m = c.ReadMessage();
      ASSERT_TRUE(m.ok()) << m.status().ToString();
      EXPECT_EQ(m->type, FrontendType::kQuery);
      EXPECT_EQ(m->body, "one\0"s);
      m = c.ReadMessage();
      EXPECT_EQ(m->type, FrontendType::kSync);
      m = c.ReadMessage();
      EXPECT_EQ(m->type, FrontendType::kParse);
      EXPECT_EQ(m->body, "a\0b\0\0\0"s);
      EXPECT_FALSE(c.has_buffered_input());
    });
  }
}

TEST_F(ConnectionTest, RefusesWrongTypesAndLengthsWithoutTakingMemory) {
  struct Case {
    bool logged_in;
    Bytes bytes;
  };
  for (const Case& c : {
           Case{true, "?\0\0\0\4"s}, Case{true, "Q\0\0\0\3"s}, Case{true, "Q\xff\xff\xff\xff"s},
           Case{true, "Q\x7f\xff\xff\xff"s}, Case{true, "S\0\1\0\0"s},  // a Sync of 64 KiB
           Case{true, "p\0\0\0\x8pass"s},                               // a password after login
           Case{false, "Q\0\0\0\x5x"s},                                 // a query before it
           Case{false, "p\0\1\0\x5x"s},  // 64 KiB and a byte before login
       }) {
    shared_->largest_read = 0;
    Run({c.bytes}, [&](Connection& connection) {
      if (c.logged_in) connection.set_logged_in();
      EXPECT_EQ(connection.ReadMessage().code(), Code::kCorruption) << ToHex(c.bytes);
    });
    EXPECT_LE(shared_->largest_read, 16u * 1024) << ToHex(c.bytes);
  }
}

TEST_F(ConnectionTest, TakesMemoryAsBytesArrive) {
  // 200 MiB are announced, a little is sent.
  Run({"d\x0c\x80\0\0"s, "data", Bytes()}, [](Connection& c) {
    c.set_logged_in();
    EXPECT_EQ(c.ReadMessage().code(), Code::kUnavailable);
  });
  EXPECT_LE(shared_->largest_read, 256u * 1024);
}

TEST_F(ConnectionTest, StartupPacketsAreBounded) {
  for (const Bytes& bytes :
       {"\0\0\0\7"s, "\0\0\x27\x11"s, "GET / HTTP/1.1\r\n"s, "\xff\xff\xff\xff"s}) {
    Run({bytes}, [&](Connection& c) {
      EXPECT_EQ(c.ReadStartupPacket().code(), Code::kCorruption) << ToHex(bytes);
    });
  }
  Run({"\0\0\0\x8\x04\xd2\x16\x2f"s, "rest"}, [&](Connection& c) {
    Result<ByteView> body = c.ReadStartupPacket();
    ASSERT_TRUE(body.ok());
    EXPECT_EQ(*body, "\x04\xd2\x16\x2f"s);
  });
}

TEST_F(ConnectionTest, ReadsEndAtTheDeadlineOrWhenInterrupted) {
  Run({"Q\0\0\0\x9"s}, [this](Connection& c) {
    c.set_logged_in();
    c.set_read_deadline(loop_.clock().Monotonic() + std::chrono::seconds(1));
    EXPECT_EQ(c.ReadMessage().code(), Code::kDeadlineExceeded);
    c.set_read_deadline(std::nullopt);
    loop_.RunAfter(std::chrono::seconds(1), [&c] { c.InterruptRead(); });
    EXPECT_EQ(c.ReadMessage().code(), Code::kCancelled);
    EXPECT_EQ(c.ReadMessage().code(), Code::kCancelled);
    // Nothing of what had arrived was lost.
    c.ClearInterrupt();
    shared_->chunks.push_back("abcd\0"s);
    Result<pgwire::Message> m = c.ReadMessage();
    ASSERT_TRUE(m.ok()) << m.status().ToString();
    EXPECT_EQ(m->body, "abcd\0"s);
  });
}

TEST_F(ConnectionTest, SaysWhenTheClientLeft) {
  Run({Bytes()}, [](Connection& c) {
    c.set_logged_in();
    EXPECT_EQ(c.ReadMessage().code(), Code::kUnavailable);
  });
}

TEST_F(ConnectionTest, SendsOnlyWhenFlushedOrLarge) {
  Run({}, [this](Connection& c) {
    c.out().ParseComplete();
    ASSERT_TRUE(c.FlushIfLarge().ok());
    EXPECT_EQ(shared_->sent, "");
    ASSERT_TRUE(c.Flush().ok());
    EXPECT_EQ(shared_->sent, "1\0\0\0\4"s);
    c.out().CopyData(Bytes(100000, 'x'));
    ASSERT_TRUE(c.FlushIfLarge().ok());
    EXPECT_EQ(shared_->sent.size(), 5u + 5 + 100000);
  });
}

}  // namespace
}  // namespace borealis::pgwire
