#include "storage-node/replica/replica.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/wire/log_entry.h"
#include "storage-node/raft/message_codec.h"

namespace borealis::replica {
namespace {

constexpr size_t kStateHashes = 4096;
constexpr size_t kQueuedBytesMax = 64u << 20;
constexpr size_t kReadsMax = 65536;
constexpr size_t kReplayChunkBytes = 8u << 20;
// A leader syncs in its own turn while that is quick: two context switches cost as much.
constexpr uint64_t kInlineSyncUsMax = 400;
constexpr size_t kInlineSyncBytesMax = 64u << 10;

}  // namespace

std::string_view RoleText(raft::Role role) {
  switch (role) {
    case raft::Role::kLeader:
      return "leader";
    case raft::Role::kFollower:
      return "follower";
    case raft::Role::kPreCandidate:
    case raft::Role::kCandidate:
      return "candidate";
  }
  return "unknown";
}

Replica::Replica(Options options, Environment environment)
    : options_(std::move(options)),
      env_(std::move(environment)),
      machine_(options_.certifier),
      state_hashes_(kStateHashes),
      alive_(std::make_shared<Replica*>(this)) {}

Replica::~Replica() {
  *alive_ = nullptr;
  links_.reset();
  (void)Stop();
  for (const uint64_t id : callbacks_) env_.metrics->RemoveCallback(id);
}

Result<std::unique_ptr<Replica>> Replica::Open(Options options, Environment environment) {
  std::unique_ptr<Replica> replica(new Replica(std::move(options), std::move(environment)));
  RETURN_IF_ERROR(replica->OpenAll());
  return replica;
}

Status Replica::OpenAll() {
  RETURN_IF_ERROR(env_.files->MakeDirs(options_.data_dir));
  mvcc::Options store;
  store.directory = env::JoinPath(options_.data_dir, "store");
  store.cluster = options_.cluster;
  store.block_cache_bytes = options_.block_cache_bytes;
  store.write_buffer_bytes = options_.write_buffer_bytes;
  store.on_background_error = env_.on_fatal;
  log::Options log;
  log.dir = env::JoinPath(options_.data_dir, "log");
  log.cluster_id = options_.cluster;
  log.member_id = options_.id;
  // The log first: it refuses another member's folder before the store is touched.
  ASSIGN_OR_RETURN(log_, log::Log::Open(env_.files, env_.clock, log));
  ASSIGN_OR_RETURN(store_, mvcc::Store::Open(store));
  RETURN_IF_ERROR(ReplayLog());

  raft::Options core;
  core.id = options_.id;
  for (const auto& [member, address] : options_.members) core.config.voters.push_back(member);
  const log::Recovered& recovered = log_->recovered();
  core.boot_number = recovered.boot_number;
  core.seed = env_.random->U64();
  core.election_timeout_ticks = options_.election_ticks;
  core.heartbeat_ticks = options_.heartbeat_ticks;
  core.applied = machine_.index();
  core.hard_state = recovered.hard_state;
  core.peer_memory = recovered.peer_memory;
  core.inflight_messages_max = options_.inflight_appends;
  ASSIGN_OR_RETURN(raft_, raft::Raft::Create(std::move(core), log_.get()));

  writer_ = std::make_unique<log::LogWriter>(log_.get(), options_.members.size() > 1);
  apply::Applier::Options applier;
  applier.on_applied = [this, alive = alive_](LogIndex index, Version) {
    env_.loop->Post([alive, index] {
      Replica* self = *alive;
      if (self == nullptr) return;
      self->raft_->OnApplied(index);
      self->SchedulePump();
    });
  };
  applier.on_error = env_.on_fatal;
  applier_ = std::make_unique<apply::Applier>(store_.get(), std::move(applier));
  RegisterMetrics();
  return Status::Ok();
}

Status Replica::ReplayLog() {
  const mvcc::ApplyState applied = store_->applied();
  if (applied.index > log_->LastIndex()) {
    return Corruption("the store has applied entry " + std::to_string(applied.index.value()) +
                      " but the log ends at " + std::to_string(log_->LastIndex().value()));
  }
  if (log_->FirstIndex() > LogIndex(1)) {
    return Unsupported("a log that was trimmed; snapshots are not supported by this program");
  }
  const env::MonotonicTime start = env_.clock->Monotonic();
  LogIndex next(1);
  while (next <= applied.index) {
    ASSIGN_OR_RETURN(const std::vector<raft::Entry> entries,
                     log_->Entries(next, applied.index.Next(), kReplayChunkBytes));
    for (const raft::Entry& entry : entries) {
      Bytes verdicts;
      if (entry.payload.size() > 0) {
        auto stored = store_->VerdictsOf(entry.index);
        if (stored.ok()) {
          verdicts = std::move(*stored);
        } else if (stored.code() != Code::kNotFound) {
          return stored.status();
        }
      }
      RETURN_IF_ERROR(machine_.Replay(entry.index, entry.payload.view(), verdicts));
    }
    next = entries.back().index.Next();
  }
  if (machine_.version() != applied.version || machine_.horizon() != applied.horizon ||
      machine_.verdict_hash() != applied.verdict_hash) {
    return Corruption("the log up to entry " + std::to_string(applied.index.value()) +
                      " does not lead to the store's state: version " +
                      std::to_string(machine_.version().value()) + " and " +
                      std::to_string(applied.version.value()));
  }
  env_.logger.Info("state machine rebuilt", {{"entries", applied.index},
                                             {"version", applied.version},
                                             {"took", env_.clock->Monotonic() - start},
                                             {"torn_bytes_cut", log_->recovered().torn_bytes_cut}});
  return Status::Ok();
}

void Replica::RegisterMetrics() {
  obs::Registry& m = *env_.metrics;
  metrics_.accepted = &m.AddCounter("borealis_storage_commits_total", "Requests by verdict.",
                                    {{"verdict", "accepted"}});
  metrics_.conflicts = &m.AddCounter("borealis_storage_commits_total", "Requests by verdict.",
                                     {{"verdict", "conflict"}});
  metrics_.refused = &m.AddCounter("borealis_storage_commits_total", "Requests by verdict.",
                                   {{"verdict", "refused"}});
  metrics_.entries = &m.AddCounter("borealis_storage_entries_total", "Log entries certified.");
  metrics_.messages_sent =
      &m.AddCounter("borealis_storage_raft_messages_sent_total", "Messages to peers.");
  metrics_.messages_received =
      &m.AddCounter("borealis_storage_raft_messages_received_total", "Messages from peers.");
  metrics_.elections =
      &m.AddCounter("borealis_storage_leader_changes_total", "Changes of the known leader.");
  metrics_.batch_requests =
      &m.AddHistogram("borealis_storage_batch_requests", "Requests in a commit entry.", 1);
  metrics_.certify_us =
      &m.AddHistogram("borealis_storage_certify_seconds", "Time to decide an entry.", 1e-6);
  const auto callback = [&](const char* name, const char* help, std::function<double()> read) {
    callbacks_.push_back(m.AddCallback(name, help, {}, std::move(read)));
  };
  const log::Counters& c = log_->counters();
  callback("borealis_storage_log_syncs", "fdatasyncs of the log.",
           [&c] { return static_cast<double>(c.syncs.load()); });
  callback("borealis_storage_log_written_bytes", "Bytes written to the log.",
           [&c] { return static_cast<double>(c.bytes.load()); });
  callback("borealis_storage_log_disk_bytes", "Size of the log on disk.",
           [this] { return static_cast<double>(log_->DiskBytes()); });
  callback("borealis_storage_applied_version", "Version that reads can use.",
           [this] { return static_cast<double>(store_->applied().version.value()); });
  callback("borealis_storage_apply_queue_bytes", "Certified and not yet applied.",
           [this] { return static_cast<double>(applier_->queued_bytes()); });
}

void Replica::Start() {
  started_ = true;
  PeerLinks::Options links;
  links.id = options_.id;
  links.cluster = options_.cluster;
  links.members = options_.members;
  links.on_unreachable = [this](MemberId peer) {
    raft_->OnUnreachable(peer);
    SchedulePump();
  };
  links_ = std::make_unique<PeerLinks>(*env_.network, *env_.random, env_.logger, std::move(links));
  if (options_.members.size() == 1) (void)raft_->Campaign();
  Tick();
}

Status Replica::Stop() {
  if (std::exchange(stopped_, true)) return Status::Ok();
  *alive_ = nullptr;
  if (writer_ != nullptr) writer_->Stop();
  return applier_ != nullptr ? applier_->Stop() : Status::Ok();
}

void Replica::Tick() {
  raft_->Tick();
  SchedulePump();
  env_.loop->RunAfter(options_.tick, [alive = alive_] {
    if (*alive != nullptr) (*alive)->Tick();
  });
}

void Replica::SchedulePump() {
  if (std::exchange(pump_scheduled_, true)) return;
  env_.loop->PostAtTurnEnd([alive = alive_] {
    Replica* self = *alive;
    if (self == nullptr) return;
    self->pump_scheduled_ = false;
    self->Pump();
  });
}

void Replica::Pump() {
  ProposeQueued();
  while (raft_->HasReady()) OnReady(raft_->TakeReady());
  AnswerReads();
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  if (!proposals_.empty() && is_leader() && machine_.index() == raft_->last_index()) SchedulePump();
#endif
  if (!raft_->fault().ok()) Fatal(raft_->fault());
}

void Replica::ProposeQueued() {
  if (proposals_.empty()) return;
  if (!is_leader()) return proposals_.FailQueued(leader());
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  // The planted bug decides at append, so everything before must have been decided.
  if (machine_.index() != raft_->last_index()) return;
#endif
  std::vector<raft::ProposedEntry> entries = proposals_.TakeEntries(options_.entry_bytes_max);
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  std::vector<raft::Payload> payloads;
  for (const raft::ProposedEntry& entry : entries) payloads.push_back(entry.payload);
#endif
  const auto proposal = raft_->Propose(std::move(entries));
  if (!proposal.ok()) {
    env_.logger.Warning("proposal refused", {{"why", proposal.status()}});
    return proposals_.Refused(is_leader() ? MemberId() : leader());
  }
  proposals_.Appended(*proposal);
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  DecideAtAppend(*proposal, payloads);
#endif
}

void Replica::OnReady(raft::Ready ready) {
  if (ready.soft_state) OnSoftState(*ready.soft_state);
  for (const raft::Message& message : ready.messages) Send(message);
  if (ready.persist) Persist(std::move(*ready.persist));
  for (const raft::Entry& entry : ready.committed) OnCommitted(entry);
  OnReadStates(ready.reads);
  for (const uint64_t context : ready.aborted_reads) {
    const auto it = reads_.find(context);
    if (it == reads_.end()) continue;
    auto done = std::move(it->second.done);
    reads_.erase(it);
    done({false, Version(), leader()});
  }
}

void Replica::OnSoftState(const raft::SoftState& state) {
  const bool was_leader = soft_.role == raft::Role::kLeader;
  const bool same_life = state.role == raft::Role::kLeader && state.term == soft_.term;
  if (state.leader != soft_.leader) {
    if (state.leader) metrics_.elections->Add();
    env_.logger.Info(
        "leader changed",
        {{"leader", state.leader}, {"term", state.term}, {"role", RoleText(state.role)}});
  }
  soft_ = state;
  if (same_life) return;
  own_term_certified_ = false;
  if (!was_leader) return;
  proposals_.FailAppended(state.leader);
  proposals_.FailQueued(state.leader);
  FailReads();
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  if (!planted_.empty()) Fatal(Internal("planted bug: decided entries were lost"));
#endif
}

void Replica::Send(const raft::Message& message) {
  metrics_.messages_sent->Add();
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  if (message.type == raft::MessageType::kAppend && !message.entries.empty()) {
    env_.loop->RunAfter(std::chrono::milliseconds(200), [alive = alive_, message] {
      if (*alive != nullptr) (*alive)->links_->Send(message);
    });
    return;
  }
#endif
  if (links_ != nullptr) links_->Send(message);
}

void Replica::Persist(raft::PersistRequest request) {
  const bool first = deferred_.empty();
  deferred_.push_back(std::move(request));
  if (!is_leader() || options_.members.size() == 1) return PersistDeferred();
  // The appends of this turn are queued in their channels, which write at the end of the turn. A
  // task posted now runs after that: the peers sync while this member does.
  if (!first) return;
  env_.loop->PostAtTurnEnd([alive = alive_] {
    Replica* self = *alive;
    if (self == nullptr) return;
    self->PersistDeferred();
    self->SchedulePump();
  });
}

void Replica::PersistDeferred() {
  while (!deferred_.empty()) {
    raft::PersistRequest request = std::move(deferred_.front());
    deferred_.pop_front();
    const bool nothing_to_write =
        !request.hard_state && request.entries.empty() && request.peer_memory.empty();
    size_t bytes = 0;
    for (const raft::Entry& entry : request.entries) bytes += entry.Size();
    if (!writer_->Idle()) {
      PersistThreaded(std::move(request));
    } else if (nothing_to_write && request.sequence == durable_sequence_ + 1) {
      OnDurable(request.sequence, request.messages);
    } else if (is_leader() && options_.members.size() > 1 &&
               (sync_us_ > kInlineSyncUsMax || bytes > kInlineSyncBytesMax)) {
      PersistThreaded(std::move(request));
    } else {
      PersistInline(std::move(request));
    }
  }
}

void Replica::PersistInline(raft::PersistRequest request) {
  log::Batch batch{std::move(request.hard_state), std::move(request.peer_memory),
                   std::move(request.entries), request.must_sync};
  const env::MonotonicTime start = env_.clock->Monotonic();
  const Status status = writer_->AppendSync(batch);
  if (!status.ok()) return Fatal(status);
  if (request.must_sync) {
    const auto took = static_cast<uint64_t>((env_.clock->Monotonic() - start).count());
    sync_us_ = (sync_us_ * 7 + took) / 8;
  }
  OnDurable(request.sequence, request.messages);
}

void Replica::PersistThreaded(raft::PersistRequest request) {
  log::Batch batch{std::move(request.hard_state), std::move(request.peer_memory),
                   std::move(request.entries), request.must_sync};
  sync_us_ = sync_us_ * 63 / 64;  // so that the inline way is tried again
  writer_->Append(std::move(batch), [this, alive = alive_, sequence = request.sequence,
                                     messages = std::move(request.messages)](const Status& s) {
    if (!s.ok()) {
      if (s.code() != Code::kCancelled) env_.on_fatal(s);
      return;
    }
    env_.loop->Post([alive, sequence, messages] {
      Replica* self = *alive;
      if (self == nullptr) return;
      self->OnDurable(sequence, messages);
      self->SchedulePump();
    });
  });
}

void Replica::OnDurable(uint64_t sequence, const std::vector<raft::Message>& messages) {
  for (const raft::Message& message : messages) Send(message);
  // A later inline sync covers earlier threaded ones whose report is still on its way.
  if (sequence <= durable_sequence_) return;
  durable_sequence_ = sequence;
  raft_->OnDurable(sequence);
}

Result<apply::Decided> Replica::DecideEntry(const raft::Entry& entry) {
  if (entry.type == raft::EntryType::kConfig) {
    return Unsupported("log entry " + std::to_string(entry.index.value()) +
                       ": changes of the membership are not supported by this program");
  }
  const env::MonotonicTime start = env_.clock->Monotonic();
  auto owner = std::make_shared<const raft::Payload>(entry.payload);
  const ByteView view = owner->view();
  auto decided = machine_.Decide(entry.index, std::move(owner), view);
  metrics_.certify_us->Record(static_cast<uint64_t>((env_.clock->Monotonic() - start).count()));
  return decided;
}

void Replica::OnCommitted(const raft::Entry& entry) {
#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
  if (!planted_.empty()) {
    const apply::Decided decided = std::move(planted_.front());
    planted_.pop_front();
    BOREALIS_CHECK(decided.entry->index == entry.index);
    return Publish(entry, decided);
  }
#endif
  const auto decided = DecideEntry(entry);
  if (!decided.ok()) return Fatal(decided.status());
  // Answers first: the client waits for them, the rest is for later readers.
  proposals_.OnDecided(entry.term, entry.index, *decided, leader());
  Publish(entry, *decided);
}

void Replica::Publish(const raft::Entry& entry, const apply::Decided& decided) {
  if (is_leader() && entry.term == soft_.term) own_term_certified_ = true;
  metrics_.entries->Add();
  if (!decided.verdicts.empty()) metrics_.batch_requests->Record(decided.verdicts.size());
  for (const wire::Verdict& verdict : decided.verdicts) {
    if (verdict.kind == wire::VerdictKind::kAccepted) {
      metrics_.accepted->Add();
    } else if (verdict.kind == wire::VerdictKind::kConflict) {
      metrics_.conflicts->Add();
    } else {
      metrics_.refused->Add();
    }
  }
  const uint64_t slot = entry.index.value() % kStateHashes;
  state_hashes_[slot] = {entry.index, decided.entry->verdict_hash};
  raft_->SetStateHash(entry.index, decided.entry->verdict_hash);
  applier_->Enqueue(decided.entry);
  if (sink_) sink_(decided.entry);
}

void Replica::OnReadStates(const std::vector<raft::ReadState>& reads) {
  for (const raft::ReadState& read : reads) {
    const auto it = reads_.find(read.context);
    if (it != reads_.end()) it->second.index = read.index;
  }
}

void Replica::AnswerReads() {
  for (auto it = reads_.begin(); it != reads_.end();) {
    if (!it->second.index || it->second.index > machine_.index()) {
      ++it;
      continue;
    }
    auto done = std::move(it->second.done);
    it = reads_.erase(it);
    done({true, machine_.version(), options_.id});
  }
}

void Replica::FailReads() {
  auto reads = std::move(reads_);
  reads_.clear();
  for (auto& [context, read] : reads) read.done({false, Version(), leader()});
}

void Replica::OnRaftFrame(MemberId from, ByteView payload) {
  if (stopped_ || !started_) return;
  metrics_.messages_received->Add();
  auto message = raft::DecodeMessage(Bytes(payload));
  if (!message.ok() || message->from != from) {
    env_.logger.Warning("bad message from a peer",
                        {{"peer", from}, {"why", message.ok() ? Status() : message.status()}});
    return;
  }
  last_contact_[from] = env_.clock->Monotonic();
  CheckStateHash(*message);
  const Status status = raft_->Step(std::move(*message));
  if (!status.ok()) env_.logger.Warning("message refused", {{"peer", from}, {"why", status}});
  SchedulePump();
}

void Replica::CheckStateHash(const raft::Message& message) {
  if (!message.state_hash_index) return;
  const auto& mine = state_hashes_[message.state_hash_index.value() % kStateHashes];
  if (mine.first != message.state_hash_index || mine.second == message.state_hash) return;
  env_.logger.Error("verdicts differ from a peer's", {{"peer", message.from},
                                                      {"index", message.state_hash_index},
                                                      {"mine", mine.second},
                                                      {"theirs", message.state_hash}});
  // Between the two there is no telling who is wrong; the one that does not lead stops serving.
  if (message.type == raft::MessageType::kAppend) {
    Fatal(Corruption("the state machine has diverged from the leader's at entry " +
                     std::to_string(message.state_hash_index.value())));
  }
}

Status Replica::Commit(Bytes body, CommitDone done) {
  ASSIGN_OR_RETURN(const std::vector<ByteView> requests, wire::ParseCommitBody(body));
  const size_t count = requests.size();
  if (count == 0) {
    done({});
    return Status::Ok();
  }
  if (body.size() > raft::kPayloadBytesMax - 1024) return Corruption("commit batch is too large");
  if (proposals_.queued_bytes() > kQueuedBytesMax) {
    return ResourceExhausted("too many requests wait for the log");
  }
  proposals_.QueueCommit(std::move(body), count, std::move(done));
  SchedulePump();
  return Status::Ok();
}

void Replica::ReadIndex(std::function<void(wire::ReadIndexReply)> done) {
  if (!is_leader() || reads_.size() >= kReadsMax) return done({false, Version(), leader()});
  const uint64_t context = next_read_++;
  const Status status = raft_->ReadIndex(context);
  if (!status.ok()) return done({false, Version(), leader()});
  reads_[context].done = std::move(done);
  SchedulePump();
}

void Replica::ProposeOther(Bytes payload, Proposals::OtherDone done) {
  proposals_.QueueOther(std::move(payload), std::move(done));
  SchedulePump();
}

void Replica::Allocate(uint64_t nonce, std::string writer_name,
                       std::function<void(Result<Incarnation>)> done) {
  wire::IncarnationEntry entry;
  entry.nonce = nonce;
  entry.writer_name = writer_name;
  ProposeOther(wire::EncodeIncarnation(entry), [done](Result<apply::Decided> decided) {
    if (!decided.ok()) return done(decided.status());
    done(decided->allocated);
  });
}

void Replica::Fence(Incarnation incarnation, std::function<void(Status)> done) {
  wire::IncarnationEntry entry;
  entry.action = wire::IncarnationEntry::Action::kFence;
  entry.target = incarnation;
  ProposeOther(wire::EncodeIncarnation(entry), [done](Result<apply::Decided> decided) {
    if (!decided.ok()) return done(decided.status());
    done(decided->fenced ? Status::Ok() : NotFound("no such incarnation"));
  });
}

void Replica::Resolve(const TxnId& txn, std::function<void(Result<wire::Verdict>)> done) {
  // A verdict that is known is final, whoever leads. "Not known" needs the log's word.
  const auto known = machine_.KnownVerdict(txn);
  if (known && known->kind == wire::VerdictKind::kAccepted) return done(*known);
  ProposeOther(wire::EncodeResolve(txn), [done](Result<apply::Decided> decided) {
    if (!decided.ok()) return done(decided.status());
    done(decided->verdicts.at(0));
  });
}

Status Replica::TransferLeadership(MemberId target) {
  if (!is_leader()) return {Code::kNotLeader, "this member is not the leader"};
  if (!target) {
    const raft::RaftStatus status = raft_->status();
    LogIndex best;
    for (const raft::PeerStatus& peer : status.peers) {
      if (!peer.voter || !peer.recent_active || !links_->connected(peer.id)) continue;
      if (!target || peer.match > best) {
        target = peer.id;
        best = peer.match;
      }
    }
    if (!target) return Unavailable("no other member is in contact");
  }
  const Status status = raft_->TransferLeadership(target);
  SchedulePump();
  return status;
}

ReplicaStatus Replica::status() const {
  ReplicaStatus out;
  out.raft = raft_->status();
  out.certified = machine_.version();
  out.certified_index = machine_.index();
  out.verdict_hash = machine_.verdict_hash();
  out.applied = store_->applied().version;
  out.boot_number = log_->recovered().boot_number;
  out.serving = static_cast<bool>(out.raft.leader) && !stopped_ &&
                (out.raft.role != raft::Role::kLeader || own_term_certified_);
  for (const auto& [peer, at] : last_contact_) {
    out.since_contact[peer] = env_.clock->Monotonic() - at;
  }
  return out;
}

void Replica::Fatal(const Status& status) {
  env_.logger.Error("this member must stop", {{"why", status}});
  env_.on_fatal(status);
}

#if BOREALIS_PLANT_ACK_BEFORE_QUORUM
// The planted bug (docs/design/planted-bugs.md): decides and answers at append, before any other
// member has the entry. Entries that the cluster loses with this leader were acknowledged.
void Replica::DecideAtAppend(const raft::Proposal& proposal,
                             const std::vector<raft::Payload>& payloads) {
  LogIndex index = proposal.first;
  for (const raft::Payload& payload : payloads) {
    raft::Entry entry;
    entry.term = proposal.term;
    entry.index = index;
    entry.payload = payload;
    auto decided = DecideEntry(entry);
    if (!decided.ok()) return Fatal(decided.status());
    proposals_.OnDecided(entry.term, entry.index, *decided, leader());
    planted_.push_back(std::move(*decided));
    index = index.Next();
  }
}
#endif

}  // namespace borealis::replica
