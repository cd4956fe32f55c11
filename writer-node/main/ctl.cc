// borealis-ctl: the administrative calls of members and writers on the command line, answered as
// JSON.
//
//   borealis-ctl status  member|writer HOST:PORT
//   borealis-ctl drain   HOST:PORT MILLISECONDS
//   borealis-ctl pause   member|writer HOST:PORT MILLISECONDS
//   borealis-ctl crash   member|writer HOST:PORT
//   borealis-ctl transfer HOST:PORT [MEMBER]
//
// Exit codes: 0 answered, 1 no answer or refused, 2 wrong arguments.
#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/rpc/admin_client.h"
#include "proto/admin.pb.h"

namespace borealis {
namespace {

constexpr env::Duration kTimeout = std::chrono::seconds(5);

int Usage() {
  std::fprintf(stderr,
               "usage: borealis-ctl status member|writer HOST:PORT\n"
               "       borealis-ctl drain HOST:PORT MILLISECONDS\n"
               "       borealis-ctl pause member|writer HOST:PORT MILLISECONDS\n"
               "       borealis-ctl crash member|writer HOST:PORT\n"
               "       borealis-ctl transfer HOST:PORT [MEMBER]\n");
  return 2;
}

template <typename Request, typename Response>
int Call(const std::string& target, const std::string& method, const Request& request) {
  rpc::AdminClient client;
  Result<Response> response =
      client.Call<Request, Response>(target, "/borealis.v1." + method, request, kTimeout);
  if (!response.ok()) {
    std::fprintf(stderr, "borealis-ctl: %s\n", response.status().ToString().c_str());
    return 1;
  }
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.add_whitespace = true;
  if (!google::protobuf::util::MessageToJsonString(*response, &json, options).ok()) return 1;
  std::printf("%s", json.c_str());
  return 0;
}

// The process dies without an answer, so the end of the connection is the success: it was there for
// the status before.
template <typename StatusRequest, typename StatusResponse>
int Crash(const std::string& target, const std::string& service) {
  const std::string prefix = "/borealis.v1." + service + "/";
  rpc::AdminClient client;
  Status status =
      client.Call<StatusRequest, StatusResponse>(target, prefix + "Status", {}, kTimeout).status();
  if (status.ok()) {
    status =
        client.Call<v1::CrashRequest, v1::CrashResponse>(target, prefix + "Crash", {}, kTimeout)
            .status();
    if (status.code() == Code::kUnavailable) return 0;
  }
  std::fprintf(stderr, "borealis-ctl: %s\n",
               status.ok() ? "answered, and still runs" : status.ToString().c_str());
  return 1;
}

int Run(const std::vector<std::string>& args) {
  const std::string command = args.empty() ? "" : args[0];
  const bool member = args.size() > 1 && args[1] == "member";
  const bool writer = args.size() > 1 && args[1] == "writer";
  if (command == "status" && args.size() == 3 && member) {
    return Call<v1::StorageStatusRequest, v1::StorageStatusResponse>(args[2], "StorageAdmin/Status",
                                                                     {});
  }
  if (command == "status" && args.size() == 3 && writer) {
    return Call<v1::WriterStatusRequest, v1::WriterStatusResponse>(args[2], "WriterAdmin/Status",
                                                                   {});
  }
  if (command == "drain" && args.size() == 3) {
    v1::DrainRequest request;
    request.set_drain_ms(static_cast<uint32_t>(std::strtoul(args[2].c_str(), nullptr, 10)));
    return Call<v1::DrainRequest, v1::DrainResponse>(args[1], "WriterAdmin/Drain", request);
  }
  if (command == "pause" && args.size() == 4 && (member || writer)) {
    v1::PauseRequest request;
    request.set_duration_ms(static_cast<uint32_t>(std::strtoul(args[3].c_str(), nullptr, 10)));
    return Call<v1::PauseRequest, v1::PauseResponse>(
        args[2], member ? "StorageAdmin/Pause" : "WriterAdmin/Pause", request);
  }
  if (command == "crash" && args.size() == 3 && member) {
    return Crash<v1::StorageStatusRequest, v1::StorageStatusResponse>(args[2], "StorageAdmin");
  }
  if (command == "crash" && args.size() == 3 && writer) {
    return Crash<v1::WriterStatusRequest, v1::WriterStatusResponse>(args[2], "WriterAdmin");
  }
  if (command == "transfer" && (args.size() == 2 || args.size() == 3)) {
    v1::TransferLeadershipRequest request;
    if (args.size() == 3) request.set_target_member_id(std::strtoull(args[2].c_str(), nullptr, 10));
    return Call<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
        args[1], "StorageAdmin/TransferLeadership", request);
  }
  return Usage();
}

}  // namespace
}  // namespace borealis

int main(int argc, char** argv) {
  return borealis::Run(std::vector<std::string>(argv + 1, argv + argc));
}
