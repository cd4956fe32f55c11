#include <gtest/gtest.h>

#include <atomic>

#include "common/env/fiber.h"
#include "common/obs/http.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "common/testing/sim_loop.h"

namespace borealis::obs {
namespace {

using env::Duration;

class LogTest : public ::testing::Test {
 protected:
  testing::ManualClock clock_;
  std::vector<std::string> lines_;
  LogSink sink_{clock_, [this](Level, std::string_view line) { lines_.emplace_back(line); }};
  Logger log_{&sink_, "replica"};
};

TEST_F(LogTest, WritesOneLineWithFields) {
  log_.Info("elected", {{"member", MemberId(3)},
                        {"term", uint64_t{7}},
                        {"took", Duration(1500)},
                        {"ratio", 0.5},
                        {"voter", true},
                        {"why", "no \"heartbeat\"\n=x"},
                        {"empty", ""},
                        {"status", Unavailable("gone")}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0],
            "2026-01-01T00:00:01.000000Z info replica elected member=3 term=7 took=1.5ms ratio=0.5 "
            "voter=true why=\"no \\\"heartbeat\\\"\\n=x\" empty=\"\" "
            "status=\"unavailable: gone\"");
}

TEST_F(LogTest, LevelsBelowTheLimitAreDropped) {
  log_.Debug("hidden");
  sink_.SetLevel(Level::kError);
  log_.Warning("hidden too");
  log_.Error("seen");
  sink_.SetLevel(Level::kDebug);
  log_.Debug("now seen");
  EXPECT_EQ(lines_.size(), 2u);
  EXPECT_EQ(sink_.errors(), 1u);
  EXPECT_EQ(*ParseLevel("warning"), Level::kWarning);
  EXPECT_EQ(ParseLevel("loud").code(), Code::kInvalidArgument);
  Logger().Error("dropped, but no harm");
}

TEST_F(LogTest, ARepeatedWarningIsFoldedFor120Seconds) {
  for (int i = 0; i < 10; ++i) log_.Warning("peer is silent", {{"n", i}});
  log_.Component("log").Warning("peer is silent");  // another component
  for (int i = 0; i < 3; ++i) log_.Info("not folded");
  ASSERT_EQ(lines_.size(), 5u);
  clock_.Advance(std::chrono::seconds(119));
  log_.Warning("peer is silent", {{"n", 10}});
  sink_.FlushFolded();
  EXPECT_EQ(lines_.size(), 5u);
  clock_.Advance(std::chrono::seconds(1));
  sink_.FlushFolded();
  ASSERT_EQ(lines_.size(), 6u);
  EXPECT_EQ(lines_[5], "2026-01-01T00:02:01.000000Z warning replica peer is silent n=10 folded=10");
  // Still repeating: the next line is 120 s away again, and comes with the next log call.
  log_.Warning("peer is silent", {{"n", 11}});
  clock_.Advance(std::chrono::seconds(120));
  log_.Info("something else");
  ASSERT_EQ(lines_.size(), 8u);
  EXPECT_NE(lines_[6].find("n=11 folded=1"), std::string::npos);
  // Silent for 120 s: news again.
  clock_.Advance(std::chrono::seconds(120));
  sink_.FlushFolded();
  log_.Warning("peer is silent", {{"n", 12}});
  ASSERT_EQ(lines_.size(), 9u);
  EXPECT_NE(lines_[8].find("n=12"), std::string::npos);
  EXPECT_EQ(lines_[8].find("folded"), std::string::npos);
  EXPECT_EQ(sink_.warnings(), 14u);
}

TEST_F(LogTest, FlushAllWritesTheLastCounts) {
  log_.Error("disk full");
  log_.Error("disk full");
  sink_.FlushFolded(/*all=*/true);
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_NE(lines_[1].find("folded=1"), std::string::npos);
}

TEST(Metrics, HistogramBucketsAreTightAndComplete) {
  size_t last = 0;
  for (uint64_t v : {0ull, 1ull, 7ull, 8ull, 9ull, 10ull, 100ull, 1000ull, 123456789ull, ~0ull}) {
    const size_t bucket = Histogram::BucketOf(v);
    ASSERT_LT(bucket, Histogram::kBuckets);
    EXPECT_GE(bucket, last);
    last = bucket;
    EXPECT_LE(v, Histogram::BucketMax(bucket));
    if (bucket > 0) {
      EXPECT_GT(v, Histogram::BucketMax(bucket - 1));
    }
    EXPECT_LE(static_cast<double>(Histogram::BucketMax(bucket)), static_cast<double>(v) * 1.25 + 1);
  }
  Histogram h;
  EXPECT_EQ(h.Quantile(0.5), 0u);
  for (uint64_t i = 1; i <= 1000; ++i) h.Record(i);
  EXPECT_EQ(h.count(), 1000u);
  EXPECT_EQ(h.sum(), 500500u);
  EXPECT_GE(h.Quantile(0.5), 500u);
  EXPECT_LE(h.Quantile(0.5), 625u);
  EXPECT_GE(h.Quantile(1), 1000u);
}

TEST(Metrics, ExposesTextSortedByName) {
  Registry registry;
  registry.AddGauge("borealis_b", "a gauge").Set(1.5);
  registry.AddCounter("borealis_a_total", "a counter", {{"kind", "x\"y"}}).Add(3);
  EXPECT_EQ(&registry.AddCounter("borealis_a_total", "a counter", {{"kind", "z"}}),
            &registry.AddCounter("borealis_a_total", "a counter", {{"kind", "z"}}));
  Histogram& h = registry.AddHistogram("borealis_c_seconds", "a histogram", 1e-6);
  h.Record(1);
  h.Record(5);
  const uint64_t callback = registry.AddCallback("borealis_d", "computed", {}, [] { return 7.0; });
  EXPECT_EQ(registry.Expose(),
            "# HELP borealis_a_total a counter\n"
            "# TYPE borealis_a_total counter\n"
            "borealis_a_total{kind=\"x\\\"y\"} 3\n"
            "borealis_a_total{kind=\"z\"} 0\n"
            "# HELP borealis_b a gauge\n"
            "# TYPE borealis_b gauge\n"
            "borealis_b 1.5\n"
            "# HELP borealis_c_seconds a histogram\n"
            "# TYPE borealis_c_seconds histogram\n"
            "borealis_c_seconds_bucket{le=\"3e-06\"} 1\n"
            "borealis_c_seconds_bucket{le=\"7e-06\"} 2\n"
            "borealis_c_seconds_bucket{le=\"+Inf\"} 2\n"
            "borealis_c_seconds_sum 6e-06\n"
            "borealis_c_seconds_count 2\n"
            "# HELP borealis_d computed\n"
            "# TYPE borealis_d gauge\n"
            "borealis_d 7\n");
  registry.RemoveCallback(callback);
  EXPECT_EQ(registry.Expose().find("borealis_d"), std::string::npos);
}

class HttpTest : public ::testing::Test {
 protected:
  HttpTest() { loop_.Start(); }

  void RunFiber(env::Task body) {
    std::atomic<bool> done = false;
    loop_.Post([&] {
      env::Spawn(loop_, "test", [&, body = std::move(body)]() mutable {
        body();
        body = nullptr;
        done = true;
      });
    });
    for (int i = 0; i < 20000 && !done; ++i) env::BlockThreadFor(Duration(1000));
    ASSERT_TRUE(done);
  }

  std::unique_ptr<env::Stream> Connect(uint16_t port) {
    auto stream =
        env::FiberConnect(*network_, "127.0.0.1:" + std::to_string(port), std::chrono::seconds(5));
    EXPECT_TRUE(stream.ok());
    return std::move(*stream);
  }
  std::string ReadAll(env::Stream& stream) {
    std::string answer;
    char buffer[4096];
    for (;;) {
      auto n = env::FiberReadFor(stream, buffer, sizeof(buffer), std::chrono::seconds(8));
      if (!n.ok() || *n == 0) return answer;
      answer.append(buffer, *n);
    }
  }
  std::string Ask(uint16_t port, const std::string& request) {
    auto stream = Connect(port);
    stream->Write(request);
    return ReadAll(*stream);
  }

  env::AsioLoop loop_{"http"};
  std::unique_ptr<env::Network> network_ = env::MakeAsioNetwork(loop_);
};

TEST_F(HttpTest, ServesMetricsAndHealthAndRefusesTheRest) {
  RunFiber([&] {
    Registry registry;
    registry.AddCounter("borealis_x_total", "x").Add(2);
    Status health = Unavailable("no leader known");
    HttpServer server(*network_);
    ServeMetrics(server, registry);
    ServeHealth(server, "/readyz", [&] { return health; });
    ASSERT_TRUE(server.Start("127.0.0.1:0").ok());
    const uint16_t port = server.port();
    EXPECT_NE(
        Ask(port, "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").find("borealis_x_total 2\n"),
        std::string::npos);
    std::string unready = Ask(port, "GET /readyz HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(unready.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_TRUE(unready.ends_with("\r\n\r\nno leader known\n"));
    health = Status::Ok();
    EXPECT_EQ(Ask(port, "HEAD /readyz HTTP/1.1\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
              "Connection: close\r\n\r\n");
    EXPECT_TRUE(Ask(port, "GET /none HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    EXPECT_TRUE(Ask(port, "POST /readyz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    EXPECT_TRUE(Ask(port, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(Ask(port, "GET x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(Ask(port, std::string(9000, 'x')).starts_with("HTTP/1.1 431"));
  });
}

TEST_F(HttpTest, ConnectionsAndTimeAreBounded) {
  RunFiber([&] {
    HttpServer server(*network_);
    ServeHealth(server, "/healthz", [] { return Status::Ok(); });
    ASSERT_TRUE(server.Start("127.0.0.1:0").ok());
    std::vector<std::unique_ptr<env::Stream>> idle;
    for (int i = 0; i < 64; ++i) idle.push_back(Connect(server.port()));
    EXPECT_TRUE(Ask(server.port(), "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503"));
    EXPECT_TRUE(ReadAll(*idle[0]).starts_with("HTTP/1.1 408"));  // after 5 s
    EXPECT_TRUE(ReadAll(*idle[63]).starts_with("HTTP/1.1 408"));
    EXPECT_TRUE(Ask(server.port(), "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
  });
}

}  // namespace
}  // namespace borealis::obs
