// ChaosTest: a Job runs the workload; the operator makes the faults at their moments (it has the
// rights already, so the Job needs none) and judges the Job's report. docs/design/chaos.md.
#pragma once

#include "operator/reconcile/context.h"

namespace borealis::reconcile {

// Keeps no state between runs: several threads may run it, never two for one key.
class ChaosTestReconciler {
 public:
  explicit ChaosTestReconciler(Context context) : context_(std::move(context)) {}
  Next Reconcile(const std::string& ns, const std::string& name);

 private:
  Context context_;
};

// The verdict over a report: the phase ("Passed", "Failed", "Error") and why. Pure.
struct Verdict {
  std::string phase, message;
};
Verdict Judge(const api::ChaosTest& test, const Json& report, const Json& faults_status);

}  // namespace borealis::reconcile
