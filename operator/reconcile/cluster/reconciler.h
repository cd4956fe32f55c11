// MultiMasterCluster: makes the world as the resource says, and says in the status how far it is.
//
// Level-triggered: each run reads all, computes, writes what differs, then the status. Nothing is
// remembered between runs but back-offs and what was checked lately; a new process loses nothing.
//
// The caches may be behind, even behind this reconciler's own writes; no write relies on them
// alone. What is made has a fixed name (made twice: kAlreadyExists); pods are deleted by uid, so
// that the same decision taken twice hits the same pod or nothing; the identity is replaced by its
// version and read from the server itself before a volume is made or called gone; and a member
// counts as ready by its heartbeats, not by the cache, so that no second member is restarted on an
// old picture.
//
// Two pods never run for one member: a pod's name is the member's, a member's pod is never deleted
// by force, and the API server keeps names unique. An empty disk is never started where data should
// be: the uid of a member's PVC is recorded in <cluster>-identity before its first pod, with the
// ConfigMap's resourceVersion as precondition, and no pod is made over a PVC with another uid.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "operator/reconcile/context.h"

namespace borealis::reconcile {

// Any threads, but no two for the same cluster at a time (runtime::WorkQueue sees to that).
class ClusterReconciler {
 public:
  explicit ClusterReconciler(Context context) : context_(std::move(context)) {}
  Next Reconcile(const std::string& ns, const std::string& name);

  // A crash-looping pod's own back-off: 1 s, doubled up to 60 s, forgotten after 10 minutes.
  struct Backoff {
    int count = 0;
    int64_t last = 0;
  };
  struct Memory {
    std::map<std::string, Backoff> crashes;  // by pod's name
    std::string secret_checked;              // what the Secret was last made for
    int64_t secret_checked_at = 0;
    std::string password;  // as last seen: a Secret that is deleted comes back with the same
  };

 private:
  Memory& MemoryOf(const std::string& key);

  Context context_;
  std::mutex mu_;
  // By cluster's key. The map is guarded by mu_, an entry by the queue: one run for a key.
  std::map<std::string, Memory> memory_;
};

}  // namespace borealis::reconcile
