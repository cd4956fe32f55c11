// The command line of borealis-writer.
#pragma once

#include <optional>
#include <string>

#include "common/config/config.h"
#include "common/env/file.h"
#include "writer-node/storage_client/storage_client.h"

namespace borealis::writer_main {

struct Flags {
  storage_client::StorageClientOptions storage;
  std::string listen;
  std::string admin_listen;
  std::string http_listen;
  std::string superuser;
  std::optional<std::string> superuser_password;  // none: no file was given
  size_t connections_max = 100;
  env::Duration drain_timeout{};
  bool chaos_enabled = false;
  std::string log_level;
};

// Prints a message and exits with 2 when a flag or file is wrong.
Flags ParseFlagsOrExit(int argc, char** argv);

// "id=host:port" or "id=host:port@zone".
Result<storage_client::MemberAddress> ParseMember(const std::string& text);

}  // namespace borealis::writer_main
