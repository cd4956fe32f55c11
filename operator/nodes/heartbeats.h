// When which node is asked, and what its silence means. No network and no thread of its own, so
// that tests play both.
#pragma once

#include <mutex>
#include <optional>

#include "operator/nodes/nodes.h"

namespace borealis::nodes {

// Each node has a schedule of its own: it is asked again kBeatEvery after the last question, or as
// soon as that was answered or given up, whichever is later. So a node that hangs delays nobody,
// and one lost answer (kBeatTimeout) leaves time for a second question before kSuspectAfter.
//
// A node that hangs is reported at most kSuspectAfter + kTickEvery after its last answer: 1.6 s.
// The label's write and the endpoints' controller have the rest of the 2 s.
//
// Thread-safe.
class Heartbeats {
 public:
  using Answer = std::function<void(std::optional<Beat>)>;
  // Asks one node, without blocking. `answer` is called exactly once, on any thread, within about
  // kBeatTimeout, with nothing for a node that did not answer; not after this object's end.
  using Ask = std::function<void(const Target&, Answer answer)>;

  Heartbeats(const env::Clock& clock, Ask ask, std::function<void(const std::string&)> on_change)
      : clock_(clock), ask_(std::move(ask)), on_change_(std::move(on_change)) {}

  void SetTargets(const std::string& group, std::map<std::string, Target> targets);
  Beat Get(const std::string& group, const std::string& name) const;
  // Finds who turned silent, and asks those whose time has come. To be called every kTickEvery.
  void Tick();

 private:
  struct Node {
    Target target;
    uint64_t id = 0;  // an answer to an earlier node of the same name and address is not this one's
    Beat beat;
    env::MonotonicTime since;  // of the last answer
    env::MonotonicTime next;   // is asked then
    bool in_flight = false;
    bool suspect = true;
  };
  void Settle(const std::string& group, const std::string& name, uint64_t id,
              const std::optional<Beat>& beat);

  const env::Clock& clock_;
  const Ask ask_;
  const std::function<void(const std::string&)> on_change_;
  mutable std::mutex mu_;
  uint64_t last_id_ = 0;                                       // guarded by mu_
  std::map<std::string, std::map<std::string, Node>> groups_;  // guarded by mu_
};

}  // namespace borealis::nodes
