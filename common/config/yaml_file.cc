// The only place that knows yaml-cpp: its exceptions end here.
#include <yaml-cpp/yaml.h>

#include <set>

#include "common/config/config.h"

namespace borealis::config {
namespace {

constexpr uint64_t kFileBytesMax = 1 << 20;

std::string At(const std::string& path, const YAML::Mark& mark) {
  return path + ":" + std::to_string(mark.line + 1);
}

Status Apply(Registry& registry, const std::string& path, const YAML::Node& root) {
  if (root.IsNull()) return Status::Ok();  // an empty file
  if (!root.IsMap()) {
    return InvalidArgument(At(path, root.Mark()) + ": expected a mapping of parameters to values");
  }
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const std::string at = At(path, entry.first.Mark());
    if (!entry.first.IsScalar()) return InvalidArgument(at + ": a parameter's name is plain text");
    const std::string name = entry.first.Scalar();
    if (!entry.second.IsScalar()) {
      return InvalidArgument(at + ": parameter " + name + ": expected a single value");
    }
    if (!seen.insert(name).second) {
      return InvalidArgument(at + ": parameter " + name + " stands there twice");
    }
    Status set = registry.Set(name, entry.second.Scalar(), at);
    if (!set.ok()) return set.WithContext(at);
  }
  return Status::Ok();
}

}  // namespace

Status Registry::LoadYaml(const std::string& path, env::FileSystem& files) {
  Result<Bytes> text = files.ReadFile(path, kFileBytesMax);
  if (!text.ok()) return text.status();
  try {
    return Apply(*this, path, YAML::Load(*text));
  } catch (const YAML::ParserException& e) {
    return InvalidArgument(At(path, e.mark) + ": " + e.msg);
  } catch (const YAML::Exception& e) {
    return InvalidArgument(path + ": " + e.what());
  }
}

}  // namespace borealis::config
