#include "writer-node/buffer_pool/buffer_pool.h"

namespace borealis::buffer_pool {

Result<std::optional<Bytes>> PassThrough::Get(Version version, ByteView key) {
  ASSIGN_OR_RETURN(auto values, storage_->MultiGet(version, {Bytes(key)}));
  if (values.size() != 1) return Internal("storage answered a get with another number of values");
  return std::move(values[0]);
}

Result<std::vector<std::optional<Bytes>>> PassThrough::MultiGet(Version version,
                                                                const std::vector<Bytes>& keys) {
  if (keys.empty()) return std::vector<std::optional<Bytes>>();
  return storage_->MultiGet(version, keys);
}

Result<ScanPage> PassThrough::Scan(Version version, const ScanSpec& spec) {
  return storage_->Scan(version, spec);
}

}  // namespace borealis::buffer_pool
