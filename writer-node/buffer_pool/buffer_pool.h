// The one interface through which transactions read committed rows at a version.
//
// This version passes every read on to the storage members. Later it keeps key ranges with their
// recent versions: a miss registers the range as loading at stream position p, fetches all versions
// in [oldest local snapshot, p] and queues later batches of the stream meanwhile, so what it holds
// is exact (protocol of reads, docs/design/transactions.md). Users of this header will not change.
//
// Threads: the writer's loop; calls block the calling fiber.
#pragma once

#include <optional>
#include <vector>

#include "writer-node/storage_client/storage.h"

namespace borealis::buffer_pool {

using storage_client::KeyValue;
using storage_client::ScanPage;
using storage_client::ScanSpec;

class Reader {
 public:
  virtual ~Reader() = default;
  // As of `version`, none when absent. kUnavailable, kBelowHorizon.
  virtual Result<std::optional<Bytes>> Get(Version version, ByteView key) = 0;
  // One answer for each key, in order.
  virtual Result<std::vector<std::optional<Bytes>>> MultiGet(Version version,
                                                             const std::vector<Bytes>& keys) = 0;
  virtual Result<ScanPage> Scan(Version version, const ScanSpec& spec) = 0;
};

// Passes everything on. Borrows the storage.
class PassThrough : public Reader {
 public:
  explicit PassThrough(storage_client::Storage* storage) : storage_(storage) {}
  Result<std::optional<Bytes>> Get(Version version, ByteView key) override;
  Result<std::vector<std::optional<Bytes>>> MultiGet(Version version,
                                                     const std::vector<Bytes>& keys) override;
  Result<ScanPage> Scan(Version version, const ScanSpec& spec) override;

 private:
  storage_client::Storage* storage_;
};

}  // namespace borealis::buffer_pool
