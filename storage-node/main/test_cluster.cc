#include "storage-node/main/test_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "common/env/file.h"
#include "common/env/thread.h"

namespace borealis::storage_main {
namespace {

// Ports that were free a moment ago, all different. Below the ephemeral range's usual start nothing
// hands them out again by chance between here and the member's bind.
std::vector<uint16_t> FreePorts(size_t count) {
  std::vector<int> sockets;
  std::vector<uint16_t> ports;
  while (ports.size() < count) {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(s, reinterpret_cast<sockaddr*>(&address), size) != 0) abort();
    if (getsockname(s, reinterpret_cast<sockaddr*>(&address), &size) != 0) abort();
    sockets.push_back(s);
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int s : sockets) close(s);
  return ports;
}

pid_t Spawn(const std::vector<std::string>& args, const std::string& output) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // no member outlives a crashed test
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(out, 1);
  dup2(out, 2);
  std::vector<char*> argv;
  static char program[] = BOREALIS_STORAGE_PROGRAM;
  argv.push_back(program);
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execv(program, argv.data());
  _exit(127);
}

int Await(pid_t pid, int seconds) {
  for (int i = 0; i < seconds * 100; ++i) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    env::BlockThreadFor(std::chrono::milliseconds(10));
  }
  return -1;
}

std::string ReadAll(const std::string& path) {
  const auto text = env::PosixFileSystem().ReadFile(path);
  return text.ok() ? *text : text.status().ToString();
}

env::MonotonicTime After(int seconds) {
  return env::SystemClock().Monotonic() + std::chrono::seconds(seconds);
}
bool Over(env::MonotonicTime deadline) {
  return env::SystemClock().Monotonic() > deadline;
}
void Nap() {
  env::BlockThreadFor(std::chrono::milliseconds(20));
}

}  // namespace

TestCluster::TestCluster(int members, std::vector<std::string> extra_flags)
    : members_(members),
      extra_flags_(std::move(extra_flags)),
      cluster_(*ClusterId::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff")),
      ports_(FreePorts(static_cast<size_t>(members) * 3)),
      loop_("test"),
      network_(env::MakeAsioNetwork(loop_)),
      writer_(std::make_unique<TestWriter>(*this)) {
  char name[] = "/tmp/borealis-storage-XXXXXX";
  if (mkdtemp(name) == nullptr) abort();
  folder_ = name;
  loop_.Start();
  for (int member = 1; member <= members_; ++member) Start(member);
}

TestCluster::~TestCluster() {
  for (const auto& [member, pid] : pids_) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  writer_.reset();
  loop_.Stop();
  network_.reset();
  if (::testing::Test::HasFailure()) {
    for (int member = 1; member <= members_; ++member) {
      fprintf(stderr, "---- member %d\n%s", member, LogOf(member).c_str());
    }
  }
  std::filesystem::remove_all(folder_);
}

std::string TestCluster::address(int member) const {
  return "127.0.0.1:" + std::to_string(ports_[static_cast<size_t>(member - 1) * 3]);
}
std::string TestCluster::http_address(int member) const {
  return "127.0.0.1:" + std::to_string(ports_[static_cast<size_t>(member - 1) * 3 + 2]);
}
std::string TestCluster::admin_address(int member) const {
  return "127.0.0.1:" + std::to_string(ports_[static_cast<size_t>(member - 1) * 3 + 1]);
}

std::string TestCluster::HttpGet(int member, const std::string& path) const {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  const timeval timeout{3, 0};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(ports_[static_cast<size_t>(member - 1) * 3 + 2]);
  std::string text;
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n";
  if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(s, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(s, buffer, sizeof(buffer), 0)) > 0;) {
      text.append(buffer, static_cast<size_t>(n));
    }
  }
  close(s);
  return text;
}

std::string TestCluster::LogOf(int member) const {
  return ReadAll(folder_ + "/" + std::to_string(member) + ".log");
}

void TestCluster::Start(int member) {
  const size_t port = static_cast<size_t>(member - 1) * 3;
  std::vector<std::string> args = {"--member-id=" + std::to_string(member),
                                   "--cluster-id=" + cluster_.ToString(),
                                   "--zone=z" + std::to_string(member % 3),
                                   "--data-dir=" + folder_ + "/" + std::to_string(member),
                                   "--listen=" + address(member),
                                   "--admin-listen=127.0.0.1:" + std::to_string(ports_[port + 1]),
                                   "--http-listen=" + http_address(member)};
  for (int peer = 1; peer <= members_; ++peer) {
    args.push_back("--peer");
    args.push_back(std::to_string(peer) + "=" + address(peer));
  }
  args.insert(args.end(), extra_flags_.begin(), extra_flags_.end());
  pids_[member] = Spawn(args, folder_ + "/" + std::to_string(member) + ".log");
}

void TestCluster::Kill(int member, int signal) {
  kill(pids_.at(member), signal);
  const int code = WaitForExit(member);
  EXPECT_EQ(code, signal == SIGKILL ? 128 + SIGKILL : 0);
}

int TestCluster::WaitForExit(int member, int seconds) {
  const int code = Await(pids_.at(member), seconds);
  if (code != -1) pids_.erase(member);
  return code;
}

std::unique_ptr<TestClient> TestCluster::Client(int member, int seconds) {
  const auto deadline = After(seconds);
  while (!Over(deadline)) {
    auto client = TestClient::Connect(loop_, *network_, address(member), cluster_);
    if (client.ok()) return std::move(*client);
    Nap();
  }
  return nullptr;
}

int TestCluster::Leader(int seconds) {
  const auto deadline = After(seconds);
  while (!Over(deadline)) {
    for (int member = 1; member <= members_; ++member) {
      if (!running(member)) continue;
      const auto client = Client(member, 1);
      if (client != nullptr && client->ReadIndex(500).ok()) return member;
    }
    Nap();
  }
  return 0;
}

Result<wire::Verdict> TestCluster::CommitAnywhere(const Bytes& request) {
  return writer_->Commit(request);
}

TestClient* TestWriter::Connect() {
  auto& client = clients_[target_];
  if (client != nullptr) return client.get();
  auto dialled = TestClient::Connect(cluster_.loop_, *cluster_.network_, cluster_.address(target_),
                                     cluster_.cluster());
  if (dialled.ok()) {
    client = std::move(*dialled);
    return client.get();
  }
  Nap();
  Lost();
  return nullptr;
}

void TestWriter::Lost() {
  clients_.erase(target_);
  target_ = target_ % cluster_.members() + 1;
}

void TestWriter::Redirect(MemberId leader) {
  Nap();
  const int hint = static_cast<int>(leader.value());
  target_ = hint != 0 && hint != target_ ? hint : target_ % cluster_.members() + 1;
}

Result<wire::Verdict> TestWriter::Commit(const Bytes& request) {
  const auto deadline = After(30);
  for (int turn = 0; !Over(deadline); ++turn) {
    TestClient* client = Connect();
    if (client == nullptr) continue;
    if (turn > 0) ++resent_;
    const auto verdict = client->Commit(request, 1000);
    if (!verdict.ok()) {
      Lost();
    } else if (verdict->kind == wire::VerdictKind::kRetryElsewhere ||
               verdict->kind == wire::VerdictKind::kUnknown) {
      Redirect(verdict->leader);
    } else {
      return *verdict;
    }
  }
  return DeadlineExceeded("no verdict in 30 s");
}

Result<std::optional<Bytes>> TestWriter::Read(ByteView key, Version* version) {
  const auto deadline = After(30);
  while (!Over(deadline)) {
    TestClient* client = Connect();
    if (client == nullptr) continue;
    const auto read = client->ReadIndex(1000);
    if (read.code() == Code::kNotLeader) {
      Redirect(MemberId());
      continue;
    }
    auto value = read.ok() ? client->Get(key, *read) : read.status();
    if (!value.ok()) {
      Lost();
      continue;
    }
    *version = *read;
    return value;
  }
  return DeadlineExceeded("no strong read in 30 s");
}

Incarnation TestCluster::Allocate(const std::string& name, uint64_t nonce) {
  for (int i = 0; i < 20; ++i) {
    const int leader = Leader();
    const auto client = leader != 0 ? Client(leader) : nullptr;
    if (client == nullptr) continue;
    wire::AllocateIncarnation request;
    request.nonce = nonce;
    request.writer_name = name;
    const auto frame = client->Call(wire::FrameType::kAllocateIncarnation,
                                    wire::EncodeAllocateIncarnation(request));
    if (!frame.ok() || frame->type != wire::FrameType::kAllocateIncarnationReply) continue;
    return *wire::DecodeIncarnationId(frame->payload);
  }
  return Incarnation();
}

int RunStorage(const std::vector<std::string>& args, std::string* output) {
  char name[] = "/tmp/borealis-output-XXXXXX";
  const int file = mkstemp(name);
  close(file);
  const pid_t pid = Spawn(args, name);
  int code = Await(pid, 10);
  if (code == -1) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  *output = ReadAll(name);
  unlink(name);
  return code;
}

}  // namespace borealis::storage_main
