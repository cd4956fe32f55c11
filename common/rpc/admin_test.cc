#include <gtest/gtest.h>

#include <atomic>

#include "common/env/thread.h"
#include "common/rpc/admin_client.h"
#include "common/rpc/admin_server.h"
#include "proto/admin.pb.h"

namespace borealis::rpc {
namespace {

constexpr char kStatus[] = "/borealis.v1.StorageAdmin/Status";
constexpr char kTransfer[] = "/borealis.v1.StorageAdmin/TransferLeadership";
constexpr env::Duration kTimeout = std::chrono::seconds(10);

class AdminTest : public ::testing::Test {
 protected:
  AdminTest() {
    server_.Handle<v1::StorageStatusRequest, v1::StorageStatusResponse>(
        kStatus, [](const v1::StorageStatusRequest&) -> Result<v1::StorageStatusResponse> {
          v1::StorageStatusResponse response;
          response.set_member_id(7);
          response.set_role("leader");
          return response;
        });
    server_.Handle<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
        kTransfer,
        [](const v1::TransferLeadershipRequest& request) -> Result<v1::TransferLeadershipResponse> {
          return Status(static_cast<Code>(request.target_member_id()), "told so");
        });
  }
  void Start() {
    Status started = server_.Start("127.0.0.1:0");
    ASSERT_TRUE(started.ok()) << started.ToString();
    target_ = "127.0.0.1:" + std::to_string(server_.port());
  }
  Result<v1::StorageStatusResponse> GetStatus(env::Duration timeout = kTimeout) {
    return client_.Call<v1::StorageStatusRequest, v1::StorageStatusResponse>(
        target_, kStatus, v1::StorageStatusRequest(), timeout);
  }

  AdminServer server_;
  AdminClient client_;
  std::string target_;
};

TEST_F(AdminTest, CallsCarryMessagesBothWays) {
  Start();
  auto response = GetStatus();
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->member_id(), 7u);
  EXPECT_EQ(response->role(), "leader");
}

TEST_F(AdminTest, EveryCodeArrivesAsItWas) {
  Start();
  for (int code = 1; code <= static_cast<int>(Code::kInternal); ++code) {
    v1::TransferLeadershipRequest request;
    request.set_target_member_id(static_cast<uint64_t>(code));
    auto response = client_.Call<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
        target_, kTransfer, request, kTimeout);
    EXPECT_EQ(response.status(), Status(static_cast<Code>(code), "told so"));
  }
}

TEST_F(AdminTest, WrongCallsAreAnswered) {
  Start();
  EXPECT_EQ(client_.CallRaw(target_, "/borealis.v1.StorageAdmin/None", "", kTimeout).code(),
            Code::kUnsupported);
  EXPECT_EQ(client_.CallRaw(target_, kTransfer, "\xff\xff garbage", kTimeout).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(
      client_.CallRaw(target_, kTransfer, std::string(kAdminMessageMax + 1, 'x'), kTimeout).code(),
      Code::kResourceExhausted);
  EXPECT_TRUE(GetStatus().ok());
  AdminServer second;
  EXPECT_EQ(second.Start(target_).message(), "cannot listen on " + target_);
}

TEST_F(AdminTest, AnUnreachableTargetIsUnavailableAndNamed) {
  Start();
  ASSERT_TRUE(GetStatus().ok());
  server_.Stop();
  auto response = GetStatus();
  EXPECT_EQ(response.code(), Code::kUnavailable);
  EXPECT_NE(response.status().message().find(target_), std::string::npos);
}

TEST_F(AdminTest, APausedServerAnswersOnlyAfterwards) {
  Start();
  ASSERT_TRUE(GetStatus().ok());
  const env::MonotonicTime start = env::SystemClock().Monotonic();
  server_.PauseFor(std::chrono::seconds(1));
  EXPECT_EQ(GetStatus(std::chrono::milliseconds(50)).code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(GetStatus().ok());
  EXPECT_GE(env::SystemClock().Monotonic() - start, std::chrono::seconds(1));
  server_.PauseFor(std::chrono::hours(1));
  client_.CallAsync<v1::StorageStatusRequest, v1::StorageStatusResponse>(
      target_, kStatus, v1::StorageStatusRequest(), kTimeout,
      [](Result<v1::StorageStatusResponse>) {});
  server_.Stop();  // does not wait for the hour
}

TEST_F(AdminTest, ManyCallsAtOnceAllAnswer) {
  Start();
  std::atomic<int> answered = 0;
  for (int i = 0; i < 100; ++i) {
    client_.CallAsync<v1::StorageStatusRequest, v1::StorageStatusResponse>(
        target_, kStatus, v1::StorageStatusRequest(), kTimeout,
        [&](Result<v1::StorageStatusResponse> response) { answered += response.ok(); });
  }
  for (int i = 0; i < 10000 && answered < 100; ++i) env::BlockThreadFor(env::Duration(1000));
  EXPECT_EQ(answered, 100);
}

TEST(AdminClientTest, DestructionEndsRunningCalls) {
  AdminServer server;
  server.HandleRaw("/a/b", [](const std::string&) -> Result<std::string> { return std::string(); });
  ASSERT_TRUE(server.Start("127.0.0.1:0").ok());
  server.PauseFor(std::chrono::hours(1));
  Result<std::string> result = std::string();
  {
    AdminClient client;
    client.CallRawAsync("127.0.0.1:" + std::to_string(server.port()), "/a/b", "",
                        std::chrono::hours(1),
                        [&](Result<std::string> answer) { result = std::move(answer); });
  }
  EXPECT_EQ(result.code(), Code::kCancelled);
}

}  // namespace
}  // namespace borealis::rpc
