#include "operator/runtime/informer.h"

#include <algorithm>

namespace borealis::runtime {
namespace {

// What no reconciler reads, and what makes up half of an object.
void Slim(Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return;
  metadata->erase("managedFields");
  const auto annotations = metadata->find("annotations");
  if (annotations == metadata->end() || !annotations->is_object()) return;
  annotations->erase("kubectl.kubernetes.io/last-applied-configuration");
}

}  // namespace

Informer::Informer(kube::Api& api, const kube::Resource& resource, std::string ns,
                   std::string selector, OnChange on_change, obs::Logger logger,
                   obs::Registry& metrics)
    : api_(api),
      resource_(resource),
      ns_(resource.namespaced ? std::move(ns) : ""),
      selector_(std::move(selector)),
      on_change_(std::move(on_change)),
      logger_(logger),
      lists_(metrics.AddCounter("borealis_operator_lists_total", "Lists from the API server.",
                                {{"resource", resource.plural}})) {}

Informer::~Informer() {
  Stop();
}

void Informer::Start() {
  thread_ = env::Thread("inf-" + resource_.plural, [this] { Run(); });
}

void Informer::Stop() {
  stopper_.Stop();
  if (thread_.joinable()) thread_.Join();
}

void Informer::Run() {
  std::chrono::milliseconds wait{200};
  while (!stopper_.stopped()) {
    bool heard = false;
    Status status = version_.empty() ? ListOnce() : Status::Ok();
    if (status.ok()) {
      status = api_.Watch(
          resource_, ns_, selector_, version_,
          [this, &wait, &heard](kube::WatchEvent event) {
            heard = true;
            wait = std::chrono::milliseconds(200);
            Apply(std::move(event));
          },
          stopper_);
    }
    if (status.code() == Code::kCancelled) continue;
    // A server that ends each watch at once, with nothing said, is not asked in a tight loop.
    if (status.ok() && heard) continue;
    if (status.code() == Code::kBelowHorizon) version_.clear();
    if (!status.ok())
      logger_.Warning("watch ended", {{"resource", resource_.plural}, {"why", status}});
    if (stopper_.WaitFor(wait)) return;
    wait = std::min(wait * 2, std::chrono::milliseconds(10000));
  }
}

Status Informer::ListOnce() {
  lists_.Add();
  ASSIGN_OR_RETURN(kube::ListResult list, api_.List(resource_, ns_, selector_));
  std::map<std::pair<std::string, std::string>, Json> fresh;
  for (Json& item : list.items) {
    // The key first: json's assignment takes its operand by value, before the left side.
    const std::pair key{kube::Namespace(item), kube::Name(item)};
    Slim(item);
    fresh[key] = std::move(item);
  }
  std::vector<Json> changed;
  {
    std::lock_guard lock(mu_);
    for (const auto& [key, old] : objects_) {
      if (fresh.count(key) == 0) changed.push_back(old);
    }
    for (const auto& [key, object] : fresh) {
      const auto old = objects_.find(key);
      if (old == objects_.end() || old->second != object) changed.push_back(object);
    }
    objects_ = std::move(fresh);
  }
  version_ = list.resource_version;
  synced_ = true;
  for (const Json& object : changed) on_change_(resource_, object);
  return Status::Ok();
}

void Informer::Apply(kube::WatchEvent event) {
  const std::string version = kube::TextAt(event.object, {"metadata", "resourceVersion"});
  if (!version.empty()) version_ = version;
  if (event.type == kube::WatchEvent::Type::kBookmark) return;
  Slim(event.object);
  {
    std::lock_guard lock(mu_);
    const std::pair key{kube::Namespace(event.object), kube::Name(event.object)};
    if (event.type == kube::WatchEvent::Type::kDeleted) {
      objects_.erase(key);
    } else {
      objects_[key] = event.object;
    }
  }
  on_change_(resource_, event.object);
}

std::vector<Json> Informer::List(const std::string& ns) const {
  std::lock_guard lock(mu_);
  std::vector<Json> result;
  for (const auto& [key, object] : objects_) {
    if (ns.empty() || key.first == ns) result.push_back(object);
  }
  return result;
}

Json Informer::Get(const std::string& ns, const std::string& name) const {
  std::lock_guard lock(mu_);
  const auto found = objects_.find({ns, name});
  return found == objects_.end() ? Json() : found->second;
}

Caches::Caches(kube::Api& api, std::string ns, obs::Logger logger, obs::Registry& metrics)
    : api_(api), ns_(std::move(ns)), logger_(logger), metrics_(metrics) {}

void Caches::Add(const kube::Resource& resource, const std::string& selector) {
  informers_[resource] = std::make_unique<Informer>(
      api_, resource, ns_, selector,
      [this](const kube::Resource& r, const Json& object) { on_change_(r, object); }, logger_,
      metrics_);
}

void Caches::Start(Informer::OnChange on_change) {
  on_change_ = std::move(on_change);
  for (auto& [resource, informer] : informers_) informer->Start();
}

void Caches::Stop() {
  for (auto& [resource, informer] : informers_) informer->Stop();
}

bool Caches::synced() const {
  return std::all_of(informers_.begin(), informers_.end(),
                     [](const auto& entry) { return entry.second->synced(); });
}

std::vector<Json> Caches::List(const kube::Resource& resource, const std::string& ns) const {
  const auto found = informers_.find(resource);
  return found == informers_.end() ? std::vector<Json>() : found->second->List(ns);
}

Json Caches::Get(const kube::Resource& resource, const std::string& ns,
                 const std::string& name) const {
  const auto found = informers_.find(resource);
  return found == informers_.end() ? Json() : found->second->Get(ns, name);
}

}  // namespace borealis::runtime
