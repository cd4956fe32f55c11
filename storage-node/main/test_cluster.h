// Members as processes on loopback, for tests. Everything ends with the object.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage-node/main/test_client.h"

namespace borealis::storage_main {

class TestCluster {
 public:
  // Starts that many members (ids from 1) in a temporary folder.
  explicit TestCluster(int members, std::vector<std::string> extra_flags = {"--chaos-enabled"});
  ~TestCluster();

  void Start(int member);
  void Kill(int member, int signal);              // and waits for the end
  int WaitForExit(int member, int seconds = 10);  // the exit code, 128 + signal, or -1 in time
  bool running(int member) const { return pids_.contains(member); }

  // A new connection, trying for `seconds`.
  std::unique_ptr<TestClient> Client(int member, int seconds = 10);
  // The member that answers a ReadIndex; 0 if there was none in that time.
  int Leader(int seconds = 15);
  Result<wire::Verdict> CommitAnywhere(const Bytes& request);  // by a TestWriter of its own
  Incarnation Allocate(const std::string& name, uint64_t nonce);

  const ClusterId& cluster() const { return cluster_; }
  std::string address(int member) const;
  std::string admin_address(int member) const;
  // The answer of the health server, head and body.
  std::string HttpGet(int member, const std::string& path) const;
  std::string http_address(int member) const;
  std::string folder() const { return folder_; }
  std::string LogOf(int member) const;
  int members() const { return members_; }

 private:
  const int members_;
  const std::vector<std::string> extra_flags_;
  ClusterId cluster_;
  std::string folder_;
  std::vector<uint16_t> ports_;  // three a member
  std::map<int, pid_t> pids_;
  friend class TestWriter;
  env::AsioLoop loop_;
  std::unique_ptr<env::Network> network_;
  std::unique_ptr<class TestWriter> writer_;
};

// Finds the leader and resends, as a writer does. One thread each; many beside each other.
class TestWriter {
 public:
  explicit TestWriter(TestCluster& cluster) : cluster_(cluster) {}

  // Sends until there is a verdict, always the same bytes, to whoever leads. Bounded: 30 s.
  Result<wire::Verdict> Commit(const Bytes& request);
  // A strong read on the leader. Bounded: 30 s.
  Result<std::optional<Bytes>> Read(ByteView key, Version* version);
  // Requests that were sent more than once.
  int resent() const { return resent_; }

 private:
  // The member to ask next, connected; null after a short wait if it cannot be reached.
  TestClient* Connect();
  void Lost();
  void Redirect(MemberId leader);

  TestCluster& cluster_;
  int target_ = 1;
  int resent_ = 0;
  std::map<int, std::unique_ptr<TestClient>> clients_;
};

// Runs the program with these arguments until it ends; its exit code, with stderr in *output.
int RunStorage(const std::vector<std::string>& args, std::string* output);

}  // namespace borealis::storage_main
