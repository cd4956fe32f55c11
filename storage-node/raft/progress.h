// What a leader knows of one peer: where its log stands and what is in flight to it. Internal.
#pragma once

#include <deque>

#include "storage-node/raft/raft.h"

namespace borealis::raft {

struct Progress {
  PeerState state = PeerState::kProbe;
  LogIndex match;              // highest index known to be durable there and equal to ours
  LogIndex next;               // the next to send; > match
  LogIndex sent_commit;        // highest commit index that was sent along
  uint64_t acked_round = 0;    // highest read round it has answered
  bool recent_active = false;  // answered since the last check of the quorum
  bool probe_sent = false;     // kProbe: waiting for the answer
  bool stalled =
      false;  // nothing was acknowledged since the last heartbeat though some is in flight
  bool heartbeat_wanted = false;  // a tick asks for one
  bool append_wanted = false;     // an (empty) append is to be sent to find out what arrived

  struct Inflight {
    LogIndex last;
    size_t bytes;
  };
  std::deque<Inflight> inflight;  // appends with entries, oldest first
  size_t inflight_bytes = 0;

  bool WindowFull(int messages_max, size_t bytes_max) const {
    return static_cast<int>(inflight.size()) >= messages_max || inflight_bytes >= bytes_max;
  }

  void AddInflight(LogIndex last, size_t bytes) {
    inflight.push_back({last, bytes});
    inflight_bytes += bytes;
  }

  void ClearInflight() {
    inflight.clear();
    inflight_bytes = 0;
  }

  void BecomeProbe() {
    state = PeerState::kProbe;
    next = match.Next();
    probe_sent = false;
    stalled = false;
    append_wanted = false;
    sent_commit = LogIndex(0);
    ClearInflight();
  }

  // `index` was acknowledged. Returns true when that was news.
  bool Acknowledge(LogIndex index) {
    while (!inflight.empty() && inflight.front().last <= index) {
      inflight_bytes -= inflight.front().bytes;
      inflight.pop_front();
    }
    bool news = index > match;
    if (news) {
      match = index;
      stalled = false;
    }
    if (next <= match) next = match.Next();
    // Any acknowledgement proves where the logs meet, also one that brings no news.
    if (state != PeerState::kReplicate && index >= match) {
      state = PeerState::kReplicate;
      probe_sent = false;
      next = match.Next();
      return true;
    }
    return news;
  }

  // The peer refused an append after `rejected` and suggests to go on after `hint`. Returns false
  // for a late answer to something that has been settled since.
  bool Reject(LogIndex rejected, LogIndex hint) {
    if (state == PeerState::kReplicate) {
      if (rejected <= match) return false;
      BecomeProbe();
      return true;
    }
    if (next.Prev() != rejected) return false;
    next = std::max(std::min(rejected, hint.Next()), match.Next());
    probe_sent = false;
    return true;
  }
};

}  // namespace borealis::raft
