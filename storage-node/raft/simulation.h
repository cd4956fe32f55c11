// A randomized simulation of a group: loss, duplication, reordering, partitions, crashes that lose
// what was not persisted; invariants are checked at each step; then everything heals and progress
// is demanded. Deterministic by seed. Test code only.
#pragma once

#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "storage-node/raft/message_codec.h"
#include "storage-node/raft/test_node.h"

namespace borealis::raft::test {

struct SimulationOptions {
  uint64_t seed = 1;
  int members = 3;
  int steps = 500;
  Plants plants;
  // Half of the members count five voters of six: 3 of 6 can then decide on either side.
  bool half_is_a_majority = false;
};

class Simulation {
 public:
  explicit Simulation(SimulationOptions options) : options_(options), random_(options.seed) {
    for (int i = 1; i <= options.members; i++) {
      Options node;
      node.id = MemberId(static_cast<uint64_t>(i));
      node.config = MakeConfig(i);
      node.seed = options.seed * 31 + static_cast<uint64_t>(i);
      node.election_timeout_ticks = 5;
      node.inflight_messages_max = 1 + static_cast<int>(options.seed % 4);
      node.append_bytes_max = 120;
      node.memory_bytes_max = 200;  // so that old entries are read from the disk
      node.peer_memory_step = LogIndex(3);
      nodes_.push_back(std::make_unique<TestNode>(node, options.plants));
      logs_.emplace_back();
    }
  }

  // The first violation found, with the seed; nothing if all is well.
  std::optional<std::string> Run() {
    for (int i = 0; i < options_.steps && !failure_; i++) RandomStep();
    if (!failure_) HealAndProgress();
    if (failure_) return "seed " + std::to_string(options_.seed) + ": " + *failure_;
    return std::nullopt;
  }

  uint64_t committed() const { return committed_.size(); }
  uint64_t reads_answered() const { return reads_answered_; }

 private:
  struct Committed {
    Term term;
    Bytes payload;
    Term seen_in;  // term of the first member seen to have it committed
  };
  struct AskedRead {
    LogIndex at_least;
    size_t node;
    bool answered = false;
  };

  Config MakeConfig(int self) const {
    Config config;
    for (int i = 1; i <= options_.members; i++) {
      MemberId id(static_cast<uint64_t>(i));
      bool apart = options_.half_is_a_majority && i == (self <= 3 ? 6 : 1);
      (apart ? config.learners : config.voters).push_back(id);
    }
    return config;
  }

  uint64_t Uniform(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Uniform(100) < percent; }
  size_t RandomNode() { return Uniform(nodes_.size()); }

  template <typename... Parts>
  void Fail(const Parts&... parts) {
    if (failure_) return;
    std::ostringstream out;
    (out << ... << parts);
    failure_ = out.str();
  }

  // --- What can happen ---

  void RandomStep() {
    uint64_t dice = Uniform(1000);
    size_t n = RandomNode();
    if (dice < 590) return DeliverOne();
    if (dice < 660) return Ticks(n);
    if (dice < 850) return WriteOne(n);
    if (dice < 890) return Propose();
    if (dice < 930) return Ask(n);
    if (dice < 955) return CrashOrRestart(n);
    if (dice < 960) return Repartition();
    if (dice < 963) return DropSome();
    if (dice < 966) return Transfer();
    if (dice < 970) return TimeoutOf(n);
    Report(n);
  }

  void Ticks(size_t n) {
    if (!nodes_[n]->alive()) return;
    nodes_[n]->raft->Tick();
    Pump(n);
  }

  void TimeoutOf(size_t n) {
    if (!nodes_[n]->alive()) return;
    for (int i = 0; i < 10; i++) nodes_[n]->raft->Tick();
    Pump(n);
  }

  void WriteOne(size_t n) {
    if (!nodes_[n]->alive() || nodes_[n]->writes.empty()) return;
    nodes_[n]->PersistOne();
    Pump(n);
    if (Chance(70)) Report(n);
  }

  void Report(size_t n) {
    if (!nodes_[n]->alive() || nodes_[n]->unreported.empty()) return;
    nodes_[n]->ReportDurable();
    Pump(n);
  }

  void DeliverOne() {
    if (network_.empty()) return;
    // Mostly in order, as a stream would; now and then not at all.
    size_t at = Chance(70) ? 0 : Uniform(network_.size());
    Bytes bytes = network_[at];
    if (!Chance(3)) network_.erase(network_.begin() + static_cast<ptrdiff_t>(at));
    if (!Chance(4)) Deliver(bytes);
  }

  void Deliver(const Bytes& bytes) {
    Result<Message> decoded = DecodeMessage(bytes);
    if (!decoded.ok()) return Fail("decode: ", decoded.status().ToString());
    size_t to = decoded->to.value() - 1;
    size_t from = decoded->from.value() - 1;
    if (!nodes_[to]->alive() || cut_.count(from) != cut_.count(to)) return;
    Status status = nodes_[to]->raft->Step(std::move(decoded).value());
    // A late message of a peer's life before is refused, and rightly; nothing else may be.
    if (!status.ok() && status.code() != Code::kUnauthenticated) {
      return Fail("step: ", status.ToString());
    }
    Pump(to);
  }

  void Propose() {
    size_t n = RandomNode();
    for (size_t i = 0; i < nodes_.size(); i++) {
      if (nodes_[i]->alive() && nodes_[i]->raft->role() == Role::kLeader && Chance(70)) n = i;
    }
    if (!nodes_[n]->alive()) return;
    std::vector<ProposedEntry> entries;
    for (uint64_t i = Uniform(3) + 1; i > 0; i--) {
      entries.push_back({EntryType::kData, Payload("p" + std::to_string(++proposals_))});
    }
    Result<Proposal> proposal = nodes_[n]->raft->Propose(std::move(entries));
    bool leads = nodes_[n]->raft->role() == Role::kLeader;
    if (!proposal.ok() && leads && proposal.code() == Code::kNotLeader) Fail("refused by a leader");
    Pump(n);
  }

  void Ask(size_t n) {
    if (!nodes_[n]->alive()) return;
    uint64_t context = ++contexts_;
    asked_[context] = {HighestCommit(), n};
    if (!nodes_[n]->AskRead(context).ok()) asked_.erase(context);
    Pump(n);
  }

  void CrashOrRestart(size_t n) {
    // Members are down a seventh of the time, so that mostly a quorum is up.
    if (nodes_[n]->alive()) {
      if (!Chance(15)) return;
      nodes_[n]->Crash(Uniform(nodes_[n]->writes.size() + 1));
      return;
    }
    Restart(n);
  }

  void Restart(size_t n) {
    TestNode& node = *nodes_[n];
    node.Restart();
    logs_[n].clear();
    if (node.disk.LastIndex() >= node.disk.FirstIndex()) {
      logs_[n] = *node.disk.Entries(node.disk.FirstIndex(), node.disk.LastIndex().Next(), SIZE_MAX);
    }
    Pump(n);
  }

  void Repartition() {
    cut_.clear();
    if (Chance(65)) return;
    for (size_t i = 0; i < nodes_.size(); i++) {
      if (Chance(40)) cut_.insert(i);
    }
  }

  void DropSome() {
    std::vector<Bytes> kept;
    for (Bytes& bytes : network_) {
      if (Chance(50)) kept.push_back(std::move(bytes));
    }
    network_ = std::move(kept);
    for (auto& node : nodes_) {
      if (node->alive() && Chance(30)) node->raft->OnUnreachable(MemberId(1 + RandomNode()));
    }
  }

  void Transfer() {
    for (size_t i = 0; i < nodes_.size(); i++) {
      if (!nodes_[i]->alive() || nodes_[i]->raft->role() != Role::kLeader) continue;
      (void)nodes_[i]->raft->TransferLeadership(MemberId(1 + RandomNode()));
      Pump(i);
    }
  }

  // --- What must hold ---

  void Pump(size_t n) {
    TestNode& node = *nodes_[n];
    for (int i = 0; node.raft->HasReady(); i++) {
      if (i > 100) return Fail("member ", n + 1, " always has something to do");
      size_t applied_before = node.applied.size();
      Ready ready = node.Process();
      if (ready.persist) CheckLog(n, ready.persist->entries);
      if (ready.soft_state && ready.soft_state->role == Role::kLeader) CheckLeader(n);
      for (size_t k = applied_before; k < node.applied.size(); k++) CheckApplied(n, k);
      CheckReads(n);
    }
    if (!node.raft->fault().ok()) Fail("fault: ", node.raft->fault().ToString());
    for (const Message& m : node.outbox) {
      Bytes bytes;
      EncodeMessage(m, &bytes);
      network_.push_back(std::move(bytes));
    }
    node.outbox.clear();
  }

  // Log matching: an entry is made once, with one predecessor.
  void CheckLog(size_t n, const std::vector<Entry>& entries) {
    std::vector<Entry>& log = logs_[n];
    for (const Entry& entry : entries) {
      if (entry.index.value() > log.size() + 1) return Fail("member ", n + 1, " left a gap");
      log.resize(entry.index.value() - 1);
      Term before = log.empty() ? Term(0) : log.back().term;
      auto [it, fresh] = made_.try_emplace({entry.term, entry.index}, before, entry.payload);
      if (!fresh && it->second != std::make_pair(before, entry.payload)) {
        Fail("two entries ", entry.term, "/", entry.index);
      }
      log.push_back(entry);
    }
  }

  void CheckLeader(size_t n) {
    Term term = nodes_[n]->raft->term();
    auto [it, fresh] = leaders_.try_emplace(term, n);
    if (!fresh && it->second != n) {
      Fail("term ", term, " has leaders ", it->second + 1, " and ", n + 1);
    }
    // Leader completeness. What matters is the term in which an entry was committed, which may be
    // later than its own: a leader elected by late answers need not have what a later term
    // committed.
    for (const auto& [index, entry] : committed_) {
      if (entry.seen_in >= term) continue;
      bool has = index.value() <= logs_[n].size() && logs_[n][index.value() - 1].term == entry.term;
      if (!has) Fail("leader ", n + 1, " of term ", term, " lacks committed ", index);
    }
  }

  // State machine safety, and what commits is on the disks of a majority at that moment.
  void CheckApplied(size_t n, size_t k) {
    const Entry& entry = nodes_[n]->applied[k];
    if (entry.index.value() != k + 1) {
      return Fail("member ", n + 1, " applied ", entry.index, " after ", k);
    }
    auto [it, fresh] = committed_.try_emplace(
        entry.index, Committed{entry.term, Bytes(entry.payload.view()), nodes_[n]->raft->term()});
    if (it->second.term != entry.term || it->second.payload != entry.payload.view()) {
      Fail("entry ", entry.index, " was committed twice, with different contents");
    }
    if (!fresh) return;
    size_t disks = 0;
    for (const auto& node : nodes_) disks += node->disk.Has(entry.index, entry.term);
    if (disks < nodes_.size() / 2 + 1) {
      Fail("entry ", entry.index, " was committed with ", disks, " on disk of ", nodes_.size());
    }
  }

  void CheckReads(size_t n) {
    for (const ReadState& read : nodes_[n]->reads) {
      auto it = asked_.find(read.context);
      if (it == asked_.end() || it->second.node != n) {
        Fail("read ", read.context, " was not asked");
        continue;
      }
      if (read.index < it->second.at_least) {
        Fail("read ", read.context, " at ", read.index, " but ", it->second.at_least,
             " was committed when it was asked");
      }
      // A question that was forwarded and duplicated on its way is answered twice, each time
      // rightly.
      if (!std::exchange(it->second.answered, true)) reads_answered_++;
    }
    nodes_[n]->reads.clear();
    for (uint64_t context : nodes_[n]->aborted_reads) asked_.erase(context);
    nodes_[n]->aborted_reads.clear();
  }

  LogIndex HighestCommit() const {
    LogIndex highest;
    for (const auto& node : nodes_) {
      if (node->alive()) highest = std::max(highest, node->raft->commit());
    }
    return highest;
  }

  // --- Healing ---

  void Settle() {
    for (int round = 0; round < 300; round++) {
      bool busy = !network_.empty();
      for (size_t i = 0; i < nodes_.size(); i++) {
        while (!nodes_[i]->writes.empty()) nodes_[i]->PersistOne();
        Report(i);
        Pump(i);
        busy |= !nodes_[i]->writes.empty();
      }
      std::vector<Bytes> batch = std::exchange(network_, {});
      for (const Bytes& bytes : batch) Deliver(bytes);
      if (!busy || failure_) return;
    }
    Fail("messages never cease");
  }

  bool AllApplied(ByteView payload) const {
    for (const auto& node : nodes_) {
      if (node->applied.empty()) return false;
      const Entry& last = node->applied.back();
      if (node->applied.size() < committed_.size() || last.payload.view() != payload) return false;
    }
    return true;
  }

  void HealAndProgress() {
    cut_.clear();
    for (size_t i = 0; i < nodes_.size(); i++) {
      if (!nodes_[i]->alive()) Restart(i);
    }
    const Bytes last = "the last";
    bool proposed = false;
    for (int i = 0; i < 200 && !failure_; i++) {
      for (size_t n = 0; n < nodes_.size(); n++) Ticks(n);
      Settle();
      if (AllApplied(last)) return;
      for (auto& node : nodes_) {
        if (proposed || node->raft->role() != Role::kLeader) continue;
        proposed = node->raft->Propose({{EntryType::kData, Payload(last)}}).ok();
      }
      // It may have been lost with a leader that was about to go.
      if (proposed && i % 50 == 49) proposed = false;
    }
    Fail("no progress after healing");
  }

  const SimulationOptions options_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
  std::vector<std::vector<Entry>> logs_;  // each member's log, as written or about to be
  std::vector<Bytes> network_;
  std::set<size_t> cut_;
  uint64_t proposals_ = 0;
  uint64_t contexts_ = 0;
  uint64_t reads_answered_ = 0;
  std::map<uint64_t, AskedRead> asked_;
  std::map<Term, size_t> leaders_;
  std::map<std::pair<Term, LogIndex>, std::pair<Term, Payload>> made_;
  std::map<LogIndex, Committed> committed_;
  std::optional<std::string> failure_;
};

}  // namespace borealis::raft::test
