#include "operator/kube/testing/fake_api.h"

#include <algorithm>
#include <utility>

namespace borealis::kube::testing {
namespace {

// "a=b,c=d" and "a" (exists).
bool Matches(const Json& object, const std::string& selector) {
  for (size_t from = 0; from < selector.size();) {
    const size_t to = std::min(selector.find(',', from), selector.size());
    const std::string part = selector.substr(from, to - from);
    const size_t equals = part.find('=');
    const std::string key = part.substr(0, equals);
    const Json& label = At(object, {"metadata", "labels", key.c_str()});
    if (!label.is_string()) return false;
    if (equals != std::string::npos && label != part.substr(equals + 1)) return false;
    from = to + 1;
  }
  return true;
}

bool SameButVersion(Json a, Json b) {
  a["metadata"].erase("resourceVersion");
  b["metadata"].erase("resourceVersion");
  return a == b;
}

std::string EncodeBase64(const std::string& text) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < text.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8 | (at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u);
    }
    for (size_t i = 0; i < 4; ++i) {
      out += at + i <= text.size() ? kLetters[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return out;
}

// As the server stores it: stringData is for writing only.
void FoldStringData(Json& object) {
  if (!object.contains("stringData")) return;
  for (const auto& [key, value] : object["stringData"].items()) {
    object["data"][key] = EncodeBase64(value.get<std::string>());
  }
  object.erase("stringData");
}

}  // namespace

Status FakeApi::TakeFailure() {
  ++writes_;
  return std::exchange(failure_, Status::Ok());
}

Json& FakeApi::Store(const Resource& resource, const Key& key, Json object, WatchEvent::Type type) {
  FoldStringData(object);
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  history_.push_back({version_, resource, {type, object}});
  changed_.notify_all();
  return objects_[resource][key] = std::move(object);
}

Result<Json> FakeApi::Get(const Resource& r, const std::string& ns, const std::string& name) {
  std::lock_guard lock(mu_);
  const auto& all = objects_[r];
  const auto found = all.find({ns, name});
  if (found == all.end()) return NotFound("HTTP 404 NotFound: " + r.plural + " " + name);
  return found->second;
}

Result<ListResult> FakeApi::List(const Resource& r, const std::string& ns,
                                 const std::string& selector) {
  std::lock_guard lock(mu_);
  ListResult result;
  for (const auto& [key, object] : objects_[r]) {
    if ((ns.empty() || key.first == ns) && Matches(object, selector)) {
      result.items.push_back(object);
    }
  }
  result.resource_version = std::to_string(version_);
  return result;
}

Result<Json> FakeApi::Create(const Resource& r, const Json& object) {
  std::lock_guard lock(mu_);
  RETURN_IF_ERROR(TakeFailure());
  const Key key{r.namespaced ? Namespace(object) : "", Name(object)};
  if (objects_[r].count(key) > 0) {
    return AlreadyExists("HTTP 409 AlreadyExists: " + r.plural + " " + key.second);
  }
  Json stored = object;
  stored["apiVersion"] = r.api_version();
  stored["kind"] = r.kind;
  stored["metadata"]["uid"] = "uid-" + std::to_string(version_ + 1);
  stored["metadata"]["generation"] = 1;
  return Store(r, key, std::move(stored), WatchEvent::Type::kAdded);
}

Result<Json> FakeApi::Replace(const Resource& r, const Json& object, const std::string& sub) {
  std::lock_guard lock(mu_);
  RETURN_IF_ERROR(TakeFailure());
  const Key key{r.namespaced ? Namespace(object) : "", Name(object)};
  const auto found = objects_[r].find(key);
  if (found == objects_[r].end()) return NotFound("HTTP 404 NotFound: " + key.second);
  const std::string version = TextAt(object, {"metadata", "resourceVersion"});
  if (!version.empty() && version != TextAt(found->second, {"metadata", "resourceVersion"})) {
    return Status(Code::kConflict, "HTTP 409 Conflict: " + key.second);
  }
  Json stored = sub.empty() ? object : found->second;
  if (!sub.empty()) stored[sub] = object[sub];
  stored["metadata"]["uid"] = Uid(found->second);
  if (SameButVersion(stored, found->second)) return found->second;
  return Store(r, key, std::move(stored), WatchEvent::Type::kModified);
}

Result<Json> FakeApi::Patch(const Resource& r, const std::string& ns, const std::string& name,
                            const Json& patch, const PatchOptions& options) {
  std::lock_guard lock(mu_);
  RETURN_IF_ERROR(TakeFailure());
  const Key key{r.namespaced ? ns : "", name};
  const auto found = objects_[r].find(key);
  if (found == objects_[r].end()) {
    if (options.type != PatchType::kApply) return NotFound("HTTP 404 NotFound: " + name);
    Json stored = patch;
    stored["metadata"]["uid"] = "uid-" + std::to_string(version_ + 1);
    return Store(r, key, std::move(stored), WatchEvent::Type::kAdded);
  }
  const std::string version = TextAt(patch, {"metadata", "resourceVersion"});
  if (!version.empty() && version != TextAt(found->second, {"metadata", "resourceVersion"})) {
    return Status(Code::kConflict, "HTTP 409 Conflict: " + name);
  }
  Json stored = found->second;
  stored.merge_patch(patch);
  FoldStringData(stored);
  if (SameButVersion(stored, found->second)) return found->second;
  return Store(r, key, std::move(stored), WatchEvent::Type::kModified);
}

Status FakeApi::Delete(const Resource& r, const std::string& ns, const std::string& name,
                       const DeleteOptions& options) {
  std::lock_guard lock(mu_);
  RETURN_IF_ERROR(TakeFailure());
  const Key key{r.namespaced ? ns : "", name};
  const auto found = objects_[r].find(key);
  if (found == objects_[r].end()) return NotFound("HTTP 404 NotFound: " + name);
  if (!options.uid.empty() && options.uid != Uid(found->second)) {
    return Status(Code::kConflict, "HTTP 409 Conflict: the uid differs");
  }
  Store(r, key, Json(found->second), WatchEvent::Type::kDeleted);
  objects_[r].erase(key);
  return Status::Ok();
}

Status FakeApi::Watch(const Resource& r, const std::string& ns, const std::string& selector,
                      const std::string& version, const std::function<void(WatchEvent)>& on_event,
                      Stopper& stopper) {
  uint64_t seen = std::strtoull(version.c_str(), nullptr, 10);
  std::unique_lock lock(mu_);
  const uint64_t breaks = breaks_;
  size_t at = 0;
  while (!stopper.stopped()) {
    if (seen < forgotten_) return Status(Code::kBelowHorizon, "HTTP 410 Expired");
    if (breaks != breaks_) return Unavailable("broken");
    for (; at < history_.size(); ++at) {
      const Change change = history_[at];
      if (change.version <= seen || !(change.resource == r)) continue;
      if (!ns.empty() && Namespace(change.event.object) != ns) continue;
      if (!Matches(change.event.object, selector)) continue;
      seen = change.version;
      lock.unlock();
      on_event(change.event);
      lock.lock();
    }
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  return Cancelled("stopped");
}

void FakeApi::FailNextWrite(Status status) {
  std::lock_guard lock(mu_);
  failure_ = std::move(status);
}
void FakeApi::ForgetHistory() {
  std::lock_guard lock(mu_);
  forgotten_ = version_;
  ++breaks_;
}
void FakeApi::BreakWatches() {
  std::lock_guard lock(mu_);
  ++breaks_;
}
uint64_t FakeApi::writes() const {
  std::lock_guard lock(mu_);
  return writes_;
}
std::vector<std::string> FakeApi::Names(const Resource& r) const {
  std::lock_guard lock(mu_);
  std::vector<std::string> names;
  const auto found = objects_.find(r);
  if (found == objects_.end()) return names;
  for (const auto& [key, object] : found->second) names.push_back(key.second);
  return names;
}

}  // namespace borealis::kube::testing
