// Flags of borealis-storage.
#pragma once

#include "common/base/ids.h"
#include "storage-node/replica/replica.h"

namespace borealis::storage_main {

struct Flags {
  replica::Options replica;
  std::string zone;
  std::string listen;
  std::string admin_listen;
  std::string http_listen;
  int reader_threads = 2;
  bool chaos_enabled = false;
  std::string log_level;
};

// Prints a message and exits 2 for wrong flags or files; --help and --print-parameters=json exit 0.
Flags ParseFlagsOrExit(int argc, char** argv);

// "1=host:port" or "1=host:port@zone". kInvalidArgument with a sentence otherwise.
Result<std::pair<MemberId, std::string>> ParsePeer(const std::string& text);

}  // namespace borealis::storage_main
