// The client of a real API server, over cpprestsdk (which no other module includes).
#pragma once

#include <memory>

#include "common/env/file.h"
#include "operator/kube/api.h"

namespace borealis::kube {

// Where the server is and who we are.
struct Config {
  std::string server;           // "https://10.96.0.1:443"
  std::string ca_pem;           // empty: the system's
  std::string client_cert_pem;  // either a certificate and its key
  std::string client_key_pem;
  std::string token;              // or a token
  std::string token_file;         // or a file with one, read again every minute (it rotates)
  std::string default_namespace;  // where the operator itself lives, or "default"
  bool insecure_skip_verify = false;
};

// From the service account that Kubernetes mounts into the pod.
Result<Config> InClusterConfig(env::FileSystem& files);
// From a kubeconfig's current context: certificates, keys and CA as data or files, or a token.
Result<Config> LoadKubeconfig(const std::string& path, env::FileSystem& files);
Result<Config> ParseKubeconfig(const std::string& yaml, env::FileSystem& files);
Result<std::string> DecodeBase64(const std::string& text);

struct ClientOptions {
  // Of one call as a whole: connecting, throttled tries and waits between them, the answer. (Of a
  // list: of each page.) Writes carry it to the server as well, which drops them after it.
  std::chrono::seconds call_timeout{4};
  // A watch on which nothing comes for so long (bookmarks come about every minute) is broken.
  std::chrono::seconds silence_timeout{150};
  int watch_seconds = 600;  // the server ends a watch after it
  int throttled_tries = 4;  // at most, of a call that is answered 429 (Retry-After is kept)
  std::string user_agent = "borealis-operator";
};

Result<std::unique_ptr<Api>> MakeClient(Config config, ClientOptions options = {});

}  // namespace borealis::kube
