// Scripts in testdata/ drive several members in one process, step by step. Commands:
//   add-nodes n [learners=k] [append-bytes=b] [inflight=m] [trimmed=i]
//   campaign id | propose id text... | propose-bytes id n | read id context | transfer from to
//   tick id n | tick-election id | heartbeat id
//   process id | persist id | report id | deliver [to=id] [drop=id] | stabilize [quiet]
//   partition ids... | heal | crash id [kept=n] | restart id | unreachable from peer
//   status id | raft-log id | applied id | old-disk id boot=b durable=d
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "common/testing/datadriven.h"
#include "storage-node/raft/message_codec.h"
#include "storage-node/raft/test_node.h"

namespace borealis::raft::test {
namespace {

using testing::TestCase;

std::string Describe(const Entry& entry) {
  std::ostringstream out;
  out << entry.term << "/" << entry.index;
  if (entry.type == EntryType::kNoop) {
    out << " noop";
  } else if (entry.payload.size() > 40) {
    out << " (" << entry.payload.size() << " bytes)";
  } else {
    out << " \"" << entry.payload.view() << "\"";
  }
  return out.str();
}

std::string Describe(const Message& m) {
  std::ostringstream out;
  out << m.from << "->" << m.to << " " << MessageTypeName(m.type) << " term=" << m.term;
  if (m.index || m.log_term) out << " at=" << m.log_term << "/" << m.index;
  if (m.commit) out << " commit=" << m.commit;
  if (m.reject) out << " reject hint=" << m.hint_term << "/" << m.hint_index;
  if (m.transfer) out << " transfer";
  if (m.read_round) out << " round=" << m.read_round;
  if (m.context) out << " context=" << m.context;
  for (const Entry& entry : m.entries) out << " [" << Describe(entry) << "]";
  return out.str();
}

class Script {
 public:
  std::string Run(const TestCase& test) {
    out_.str("");
    args_ = test.Positional();
    test_ = &test;
    static const std::map<std::string, void (Script::*)()> kCommands = {
        {"add-nodes", &Script::AddNodes},  {"campaign", &Script::Campaign},
        {"propose", &Script::Propose},     {"propose-bytes", &Script::ProposeBytes},
        {"read", &Script::Read},           {"transfer", &Script::Transfer},
        {"tick", &Script::Tick},           {"tick-election", &Script::TickElection},
        {"process", &Script::ProcessOne},  {"persist", &Script::Persist},
        {"report", &Script::Report},       {"deliver", &Script::Deliver},
        {"stabilize", &Script::Stabilize}, {"partition", &Script::Partition},
        {"heal", &Script::Heal},           {"crash", &Script::Crash},
        {"restart", &Script::Restart},     {"status", &Script::ShowStatus},
        {"raft-log", &Script::ShowLog},    {"applied", &Script::ShowApplied},
        {"old-disk", &Script::OldDisk},    {"unreachable", &Script::Unreachable},
        {"trim", &Script::Trim},           {"inflight", &Script::Inflight},
        {"step", &Script::StepRaw},
    };
    auto it = kCommands.find(test.command);
    if (it == kCommands.end()) return "unknown command";
    (this->*it->second)();
    std::string text = out_.str();
    return text.empty() ? "ok" : text;
  }

 private:
  TestNode& Node(size_t arg) { return *nodes_.at(Id(arg)); }
  MemberId Id(size_t arg) { return MemberId(std::stoull(args_.at(arg))); }

  void Say(const Status& status) {
    if (!status.ok()) out_ << status.ToString() << "\n";
  }

  void AddNodes() {
    Options options;
    uint64_t count = std::stoull(args_.at(0));
    uint64_t learners = test_->GetUint("learners", 0);
    for (uint64_t i = 1; i <= count; i++) options.config.voters.emplace_back(i);
    for (uint64_t i = 1; i <= learners; i++) options.config.learners.emplace_back(count + i);
    options.append_bytes_max = test_->GetUint("append-bytes", 1 << 20);
    options.inflight_messages_max = static_cast<int>(test_->GetUint("inflight", 64));
    options.uncommitted_bytes_max = test_->GetUint("uncommitted", 64 << 20);
    options.memory_bytes_max = test_->GetUint("memory", 64 << 20);
    for (uint64_t i = 1; i <= count + learners; i++) {
      options.id = MemberId(i);
      nodes_[options.id] = std::make_unique<TestNode>(options, Plants{});
    }
  }

  void Campaign() { Say(Node(0).raft->Campaign()); }

  void Propose() {
    std::vector<ProposedEntry> entries;
    for (size_t i = 1; i < args_.size(); i++) {
      entries.push_back({EntryType::kData, Payload(Bytes(args_[i]))});
    }
    SayProposal(Node(0).raft->Propose(std::move(entries)));
  }

  void ProposeBytes() {
    Bytes bytes(std::stoull(args_.at(1)), 'x');
    SayProposal(Node(0).raft->Propose({{EntryType::kData, Payload(std::move(bytes))}}));
  }

  void SayProposal(const Result<Proposal>& proposal) {
    if (!proposal.ok()) return Say(proposal.status());
    out_ << "proposed " << proposal->term << "/" << proposal->first << "\n";
  }

  void Read() { Say(Node(0).AskRead(std::stoull(args_.at(1)))); }
  void Transfer() { Say(Node(0).raft->TransferLeadership(Id(1))); }
  void Unreachable() { Node(0).raft->OnUnreachable(Id(1)); }
  void Inflight() { Node(0).raft->SetInflightLimit(std::stoi(args_.at(1)), 1 << 20); }
  void Trim() { Node(0).disk.Trim(LogIndex(std::stoull(args_.at(1)))); }

  void Tick() {
    for (int i = std::stoi(args_.at(1)); i > 0; i--) Node(0).raft->Tick();
  }

  // At most two election timeouts: the drawn one lies in between.
  void TickElection() {
    for (int i = 0; i < 20 && Node(0).raft->role() == Role::kFollower; i++) Node(0).raft->Tick();
  }

  void ShowReady(MemberId id, const Ready& ready) {
    out_ << id << ":";
    if (ready.soft_state) {
      out_ << " " << RoleName(ready.soft_state->role) << " term=" << ready.soft_state->term
           << " leader=" << ready.soft_state->leader;
    }
    out_ << "\n";
    for (const Message& m : ready.messages) out_ << "  send " << Describe(m) << "\n";
    if (ready.persist) {
      out_ << "  persist #" << ready.persist->sequence;
      if (const auto& hs = ready.persist->hard_state) {
        out_ << " term=" << hs->term << " vote=" << hs->vote << " commit=" << hs->commit;
      }
      for (const Entry& entry : ready.persist->entries) out_ << " [" << Describe(entry) << "]";
      out_ << "\n";
      for (const Message& m : ready.persist->messages) out_ << "    then " << Describe(m) << "\n";
    }
    for (const Entry& entry : ready.committed) out_ << "  commit " << Describe(entry) << "\n";
    for (const ReadState& r : ready.reads) {
      out_ << "  read " << r.context << " at " << r.index << "\n";
    }
    for (uint64_t context : ready.aborted_reads) out_ << "  read " << context << " aborted\n";
  }

  void Process(TestNode* node) {
    while (node->alive() && node->raft->HasReady()) ShowReady(node->id(), node->Process());
    Gather(node);
  }

  void Gather(TestNode* node) {
    for (Message& m : node->outbox) {
      Bytes bytes;
      EncodeMessage(m, &bytes);
      network_.push_back(DecodeMessage(bytes).value());
    }
    node->outbox.clear();
  }

  void ProcessOne() { Process(&Node(0)); }

  void Persist() {
    TestNode& node = Node(0);
    while (!node.writes.empty()) node.PersistOne();
    Gather(&node);
  }

  void Report() {
    TestNode& node = Node(0);
    if (!node.unreported.empty()) node.ReportDurable();
  }

  bool Cut(const Message& m) const {
    return !partition_.empty() && partition_.count(m.from) != partition_.count(m.to);
  }

  bool DeliverSome(std::optional<MemberId> to, std::optional<MemberId> drop) {
    std::vector<Message> batch;
    std::vector<Message> kept;
    for (Message& m : network_) (!to || m.to == *to ? batch : kept).push_back(std::move(m));
    network_ = std::move(kept);
    for (Message& m : batch) {
      bool dropped = Cut(m) || !nodes_.at(m.to)->alive() || (drop && m.to == *drop);
      if (dropped) {
        out_ << "drop " << Describe(m) << "\n";
      } else {
        Say(nodes_.at(m.to)->raft->Step(m));
      }
    }
    return !batch.empty();
  }

  void Deliver() {
    std::optional<MemberId> to;
    std::optional<MemberId> drop;
    if (test_->Has("to")) to = MemberId(test_->GetUint("to"));
    if (test_->Has("drop")) drop = MemberId(test_->GetUint("drop"));
    DeliverSome(to, drop);
  }

  void Stabilize() {
    for (int round = 0; round < 1000; round++) {
      bool busy = false;
      for (auto& [id, node] : nodes_) {
        if (!node->alive()) continue;
        busy |= node->raft->HasReady() || !node->writes.empty();
        Process(node.get());
        while (!node->writes.empty()) node->PersistOne();
        if (!node->unreported.empty()) node->ReportDurable();
        Gather(node.get());
      }
      busy |= DeliverSome({}, {});
      if (!busy) break;
    }
    if (test_->Has("quiet")) out_.str("");
  }

  void Partition() {
    partition_.clear();
    for (size_t i = 0; i < args_.size(); i++) partition_.insert(Id(i));
  }
  void Heal() { partition_.clear(); }
  void Crash() { Node(0).Crash(test_->GetUint("kept", 0)); }
  void Restart() { Node(0).Restart(); }

  void ShowStatus() {
    RaftStatus s = Node(0).raft->status();
    out_ << RoleName(s.role) << " term=" << s.term << " vote=" << s.vote << " leader=" << s.leader
         << " commit=" << s.commit << " durable=" << s.durable << " last=" << s.last << "\n";
    static const char* kStates[] = {"probe", "replicate", "needs-snapshot"};
    for (const PeerStatus& p : s.peers) {
      out_ << "  " << p.id << (p.voter ? "" : " learner") << " "
           << kStates[static_cast<int>(p.state)] << " match=" << p.match << " next=" << p.next
           << " inflight=" << p.inflight_messages << "\n";
    }
    for (MemberId id : s.refused_peers) out_ << "  refused " << id << "\n";
  }

  void ShowLog() {
    const TestDisk& disk = Node(0).disk;
    if (disk.LastIndex() < disk.FirstIndex()) return;
    auto entries = disk.Entries(disk.FirstIndex(), disk.LastIndex().Next(), SIZE_MAX);
    for (const Entry& entry : *entries) out_ << Describe(entry) << "\n";
  }

  void ShowApplied() {
    for (const Entry& entry : Node(0).applied) out_ << Describe(entry) << "\n";
  }

  // The member goes back to an earlier state of its disk: an empty one.
  void OldDisk() {
    TestNode& node = Node(0);
    node.Crash(0);
    uint64_t boots = node.disk.boots;
    node.disk = TestDisk();
    node.disk.boots = test_->Has("fresh") ? 0 : boots;
    node.Restart();
  }

  // Messages that no sane member sends.
  void StepRaw() {
    Message m;
    m.type = static_cast<MessageType>(test_->GetUint("type"));
    m.from = MemberId(test_->GetUint("from"));
    m.to = MemberId(test_->GetUint("to", 1));
    m.term = Term(test_->GetUint("term", 1));
    m.boot_number = test_->GetUint("boot", 1);
    m.durable_index = LogIndex(test_->GetUint("durable", 1000));
    m.index = LogIndex(test_->GetUint("index", 0));
    m.log_term = Term(test_->GetUint("log-term", 0));
    if (test_->Has("entry")) {
      Entry entry;
      entry.term = Term(test_->GetUint("entry-term", 1));
      entry.index = LogIndex(test_->GetUint("entry"));
      m.entries.push_back(entry);
    }
    Say(nodes_.at(m.to)->raft->Step(m));
  }

  std::map<MemberId, std::unique_ptr<TestNode>> nodes_;
  std::vector<Message> network_;
  std::set<MemberId> partition_;
  std::vector<std::string> args_;
  const TestCase* test_ = nullptr;
  std::ostringstream out_;
};

TEST(RaftScript, Testdata) {
  testing::WalkDataDriven("storage-node/raft/testdata", [](const std::string&) {
    auto script = std::make_shared<Script>();
    return [script](const TestCase& test) { return script->Run(test); };
  });
}

}  // namespace
}  // namespace borealis::raft::test
