// Caches of objects, kept true by list and watch.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/env/thread.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "operator/kube/api.h"

namespace borealis::runtime {

using kube::Json;

// What reconcilers read from. Objects are copies, without managedFields. Thread-safe.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual std::vector<Json> List(const kube::Resource& resource, const std::string& ns) const = 0;
  // null when there is none.
  virtual Json Get(const kube::Resource& resource, const std::string& ns,
                   const std::string& name) const = 0;
};

// One kind: lists, then watches from there; a watch that ends goes on from the last version or
// bookmark, and 410 lists again. Failures back off from 0.2 s to 10 s. Own thread.
class Informer {
 public:
  // Called on the informer's thread with the new (or last known) object of each change.
  using OnChange = std::function<void(const kube::Resource&, const Json& object)>;

  Informer(kube::Api& api, const kube::Resource& resource, std::string ns, std::string selector,
           OnChange on_change, obs::Logger logger, obs::Registry& metrics);
  ~Informer();  // stops

  void Start();
  void Stop();
  // The first list is in.
  bool synced() const { return synced_; }
  std::vector<Json> List(const std::string& ns) const;
  Json Get(const std::string& ns, const std::string& name) const;

 private:
  void Run();
  Status ListOnce();
  void Apply(kube::WatchEvent event);

  // Constant after construction.
  kube::Api& api_;
  const kube::Resource& resource_;
  const std::string ns_, selector_;
  const OnChange on_change_;
  const obs::Logger logger_;
  obs::Counter& lists_;

  kube::Stopper stopper_;
  std::atomic<bool> synced_{false};
  std::string version_;  // informer's thread only
  mutable std::mutex mu_;
  std::map<std::pair<std::string, std::string>, Json> objects_;  // guarded by mu_
  env::Thread thread_;
};

// The informers of several kinds.
class Caches final : public Reader {
 public:
  Caches(kube::Api& api, std::string ns, obs::Logger logger, obs::Registry& metrics);
  // Before Start().
  void Add(const kube::Resource& resource, const std::string& selector);
  void Start(Informer::OnChange on_change);
  void Stop();
  bool synced() const;
  std::vector<Json> List(const kube::Resource& resource, const std::string& ns) const override;
  Json Get(const kube::Resource& resource, const std::string& ns,
           const std::string& name) const override;

 private:
  kube::Api& api_;
  const std::string ns_;
  const obs::Logger logger_;
  obs::Registry& metrics_;
  Informer::OnChange on_change_;
  std::map<kube::Resource, std::unique_ptr<Informer>> informers_;
};

}  // namespace borealis::runtime
