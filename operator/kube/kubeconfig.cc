#include <yaml-cpp/yaml.h>

#include <cstdlib>

#include "operator/kube/client.h"

namespace borealis::kube {
namespace {

constexpr char kAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

Result<std::string> ReadAll(env::FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(auto file, files.Open(path, env::OpenMode::kRead));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > (1u << 20)) return InvalidArgument(path + " is larger than 1 MiB");
  std::string text(size, '\0');
  ASSIGN_OR_RETURN(const size_t got, file->Read(0, text.data(), text.size()));
  text.resize(got);
  return text;
}

// The `data` form wins over the file form, as in kubectl.
Result<std::string> DataOrFile(const YAML::Node& node, const std::string& key,
                               env::FileSystem& files) {
  if (const YAML::Node data = node[key + "-data"]) return DecodeBase64(data.as<std::string>());
  if (const YAML::Node path = node[key]) return ReadAll(files, path.as<std::string>());
  return std::string();
}

YAML::Node Named(const YAML::Node& list, const std::string& name, const char* what) {
  for (const YAML::Node& entry : list) {
    if (entry["name"].as<std::string>("") == name) return entry[what];
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

Result<Config> FromYaml(const YAML::Node& root, env::FileSystem& files) {
  const std::string current = root["current-context"].as<std::string>("");
  const YAML::Node context = Named(root["contexts"], current, "context");
  if (!context) return InvalidArgument("kubeconfig: no context \"" + current + "\"");
  const YAML::Node cluster =
      Named(root["clusters"], context["cluster"].as<std::string>(""), "cluster");
  if (!cluster || !cluster["server"]) {
    return InvalidArgument("kubeconfig: the context's cluster has no server");
  }
  const YAML::Node user = Named(root["users"], context["user"].as<std::string>(""), "user");
  Config config;
  config.server = cluster["server"].as<std::string>();
  config.default_namespace = context["namespace"].as<std::string>("default");
  config.insecure_skip_verify = cluster["insecure-skip-tls-verify"].as<bool>(false);
  ASSIGN_OR_RETURN(config.ca_pem, DataOrFile(cluster, "certificate-authority", files));
  if (!user) return config;
  ASSIGN_OR_RETURN(config.client_cert_pem, DataOrFile(user, "client-certificate", files));
  ASSIGN_OR_RETURN(config.client_key_pem, DataOrFile(user, "client-key", files));
  config.token = user["token"].as<std::string>("");
  config.token_file = user["tokenFile"].as<std::string>("");
  if (user["exec"] || user["auth-provider"]) {
    return Unsupported("kubeconfig: exec and auth-provider credentials are not supported");
  }
  return config;
}

}  // namespace

Result<std::string> DecodeBase64(const std::string& text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int value;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    else if (c == '=' || c == '\n' || c == '\r' || c == ' ')
      continue;
    else
      return InvalidArgument("not base64");
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return out;
}

Result<Config> ParseKubeconfig(const std::string& yaml, env::FileSystem& files) {
  try {
    return FromYaml(YAML::Load(yaml), files);
  } catch (const YAML::Exception& e) {
    return InvalidArgument(std::string("kubeconfig: ") + e.what());
  }
}

Result<Config> LoadKubeconfig(const std::string& path, env::FileSystem& files) {
  const auto text = ReadAll(files, path);
  if (!text.ok()) return text.status().WithContext("kubeconfig");
  return ParseKubeconfig(*text, files);
}

Result<Config> InClusterConfig(env::FileSystem& files) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return NotFound("not in a pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig");
  }
  Config config;
  const std::string name = host;
  config.server =
      "https://" + (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + port;
  const std::string account = kAccount;
  ASSIGN_OR_RETURN(config.ca_pem, ReadAll(files, account + "ca.crt"));
  ASSIGN_OR_RETURN(config.default_namespace, ReadAll(files, account + "namespace"));
  config.token_file = account + "token";
  ASSIGN_OR_RETURN(config.token, ReadAll(files, config.token_file));
  return config;
}

}  // namespace borealis::kube
