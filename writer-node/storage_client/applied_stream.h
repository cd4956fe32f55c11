// The applied stream: subscribes at the nearest member, checks that versions are dense, hands every
// accepted transaction to the observers in log order, and moves to another member when this one
// breaks, answers an error, or is behind what is known to be committed without making progress.
//
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/env/fiber.h"
#include "common/env/loop.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "writer-node/storage_client/members.h"
#include "writer-node/storage_client/storage.h"

namespace borealis::storage_client {

class AppliedStream {
 public:
  AppliedStream(env::Loop& loop, Members* members, obs::Logger logger, obs::Registry* metrics);
  ~AppliedStream();

  // Everything after `after` from now on. `origin` marks the writer's own.
  void Start(Version after, Incarnation origin);
  Version version() const { return version_; }
  // A version that exists; a member that does not bring the stream there within 100 ms is left.
  void NoteVersion(Version known);
  Status WaitFor(Version version, env::Duration timeout);

  // The bytes of a request under way: the stream brings own transactions without accesses.
  void KeepOwn(uint64_t sequence, std::shared_ptr<const Bytes> request) {
    own_[sequence] = std::move(request);
  }
  // It did not commit.
  void ForgetOwn(uint64_t sequence) { own_.erase(sequence); }

  void AddObserver(StreamObserver* observer) { observers_.push_back(observer); }
  void RemoveObserver(StreamObserver* observer) { std::erase(observers_, observer); }

  // The members no longer have the next version: the owner finds a new base (a ReadIndex) and calls
  // Restart.
  void SetOnTrimmed(std::function<void()> on_trimmed) { on_trimmed_ = std::move(on_trimmed); }
  void Restart(Version base);

  // From Members' events.
  void OnUp(MemberId id);
  void OnDown(MemberId id);
  void OnBatch(MemberId from, uint64_t request_id, ByteView payload);
  // False when the error answers no subscription of ours.
  bool OnError(MemberId from, uint64_t request_id, ByteView payload);

  MemberId source() const { return source_; }

 private:
  void Subscribe(MemberId to);
  // Forgets the source; a member that is still there is told to send no more.
  void Leave();
  void SubscribeElsewhere(const char* why);
  void Retry();
  void ArmWatchdog();
  bool Deliver(wire::StreamRequest* request);

  env::Loop& loop_;
  Members* const members_;
  obs::Logger logger_;
  bool started_ = false;
  Incarnation origin_;
  Version version_;
  Version known_;
  MemberId source_;
  // One request id for all subscriptions: a member replaces an earlier one of the same channel and
  // id.
  const uint64_t subscription_;
  size_t trimmed_answers_ = 0;  // members in a row that no longer had the next version
  std::map<uint64_t, std::shared_ptr<const Bytes>> own_;
  std::vector<StreamObserver*> observers_;
  std::function<void()> on_trimmed_;
  env::FiberEvent advanced_;
  env::TimerId watchdog_ = env::TimerId::kNone;
  env::TimerId retry_ = env::TimerId::kNone;
  obs::Counter* failovers_;
  obs::Counter* transactions_;
};

}  // namespace borealis::storage_client
