// MultiMasterCluster: makes the world as the resource says, and says in the status how far it is.
//
// Level-triggered: each run reads all, computes, writes what differs, then the status. Nothing is
// remembered between runs but back-offs and what was checked lately; a new process loses nothing.
//
// Two pods never run for one member: a pod's name is the member's, a member's pod is never deleted
// by force, and the API server keeps names unique. An empty disk is never started where data should
// be: the uid of a member's PVC is recorded in <cluster>-identity before its first pod, with the
// ConfigMap's resourceVersion as precondition, and no pod is made over a PVC with another uid.
#pragma once

#include <map>
#include <string>

#include "operator/reconcile/context.h"

namespace borealis::reconcile {

// One thread.
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
    std::map<std::string, Backoff> crashes;        // by pod's name
    std::string secret_checked;                    // what the Secret was last made for
  };

 private:
  Context context_;
  std::map<std::string, Memory> memory_;  // by cluster's key
};

}  // namespace borealis::reconcile
