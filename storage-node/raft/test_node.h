// One member for tests: the core, a disk that keeps only what was persisted, a state machine, and
// the driver's duties as raft.h states them. Plants let it break its duties on purpose, so that a
// test can show that the checks would notice. Test code only.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage-node/raft/raft.h"

namespace borealis::raft::test {

// What survives a crash. The core reads exactly that, as its contract allows.
class TestDisk : public LogReader {
 public:
  LogIndex FirstIndex() const override { return trimmed_.Next(); }
  LogIndex LastIndex() const override { return trimmed_.Plus(entries_.size()); }

  Result<Term> TermOf(LogIndex index) const override {
    if (index == trimmed_) return trimmed_term_;
    if (index < trimmed_ || index > LastIndex()) return NotFound("no such entry");
    return At(index).term;
  }

  Result<std::vector<Entry>> Entries(LogIndex begin, LogIndex end, size_t max) const override {
    if (begin <= trimmed_ || end > LastIndex().Next()) return NotFound("no such entry");
    std::vector<Entry> out;
    size_t bytes = 0;
    for (LogIndex i = begin; i < end; i = i.Next()) {
      bytes += At(i).Size();
      if (!out.empty() && bytes > max) break;
      out.push_back(At(i));
    }
    return out;
  }

  void Write(const PersistRequest& request, bool keep_hard_state = true) {
    if (request.hard_state && keep_hard_state) hard_state = *request.hard_state;
    for (const PeerMemory& memory : request.peer_memory) peer_memory[memory.peer] = memory;
    if (request.entries.empty()) return;
    LogIndex begin = request.entries.front().index;
    BOREALIS_CHECK(begin > trimmed_ && begin <= LastIndex().Next());
    entries_.resize(begin.value() - trimmed_.value() - 1);
    entries_.insert(entries_.end(), request.entries.begin(), request.entries.end());
  }

  void Trim(LogIndex index) {
    trimmed_term_ = *TermOf(index);
    entries_.erase(entries_.begin(),
                   entries_.begin() + static_cast<ptrdiff_t>(index.value() - trimmed_.value()));
    trimmed_ = index;
  }

  bool Has(LogIndex index, Term term) const {
    Result<Term> own = TermOf(index);
    return own.ok() && *own == term;
  }

  HardState hard_state;
  std::map<MemberId, PeerMemory> peer_memory;
  uint64_t boots = 0;

 private:
  const Entry& At(LogIndex index) const { return entries_[index.value() - trimmed_.value() - 1]; }

  LogIndex trimmed_;
  Term trimmed_term_;
  std::vector<Entry> entries_;
};

struct Plants {
  bool send_before_persist = false;    // acknowledgements and votes leave at once
  bool forget_hard_state = false;      // term and vote are never written
  bool report_before_persist = false;  // the own fsync counts before it is done
  bool answer_reads_alone = false;     // reads are answered with the own commit index
};

class TestNode {
 public:
  TestNode(Options options, Plants plants) : base_(std::move(options)), plants_(plants) {
    Restart();
  }

  // Loses what was not persisted; of the writes in flight the first `kept` reached the disk, though
  // nobody was told.
  void Crash(size_t kept) {
    for (size_t i = 0; i < std::min(kept, writes.size()); i++) {
      disk.Write(writes[i], !plants_.forget_hard_state);
    }
    raft.reset();
    writes.clear();
    unreported.clear();
    outbox.clear();
    reads.clear();
    aborted_reads.clear();
  }

  void Restart() {
    Options options = base_;
    options.boot_number = ++disk.boots;
    options.seed = base_.seed + 1000 * disk.boots;
    options.hard_state = disk.hard_state;
    options.applied = disk.FirstIndex().Prev();
    for (const auto& [id, memory] : disk.peer_memory) options.peer_memory.push_back(memory);
    auto made = Raft::Create(options, &disk);
    BOREALIS_CHECK(made.ok());
    raft = std::move(made).value();
    applied.clear();
  }

  bool alive() const { return raft != nullptr; }
  MemberId id() const { return base_.id; }
  const Config& config() const { return base_.config; }

  // Takes one Ready and does what the owner of a core must do, short of the write itself.
  Ready Process() {
    Ready ready = raft->TakeReady();
    Collect(ready.messages);
    if (ready.persist) {
      if (plants_.send_before_persist) {
        Collect(ready.persist->messages);
        ready.persist->messages.clear();
      }
      writes.push_back(*ready.persist);
      if (plants_.report_before_persist) raft->OnDurable(ready.persist->sequence);
    }
    for (const Entry& entry : ready.committed) applied.push_back(entry);
    if (!ready.committed.empty()) raft->OnApplied(ready.committed.back().index);
    reads.insert(reads.end(), ready.reads.begin(), ready.reads.end());
    aborted_reads.insert(aborted_reads.end(), ready.aborted_reads.begin(),
                         ready.aborted_reads.end());
    return ready;
  }

  // The oldest write in flight becomes durable, and what waited for it leaves.
  void PersistOne() {
    PersistRequest& write = writes.front();
    disk.Write(write, !plants_.forget_hard_state);
    Collect(write.messages);
    unreported.push_back(write.sequence);
    writes.pop_front();
  }

  void ReportDurable() {
    raft->OnDurable(unreported.back());
    unreported.clear();
  }

  Status AskRead(uint64_t context) {
    if (plants_.answer_reads_alone && raft->role() == Role::kLeader) {
      reads.push_back({context, raft->commit()});
      return Status::Ok();
    }
    return raft->ReadIndex(context);
  }

  TestDisk disk;
  std::unique_ptr<Raft> raft;
  std::deque<PersistRequest> writes;  // handed out, not yet durable
  std::vector<uint64_t> unreported;   // durable, not yet reported to the core
  std::vector<Message> outbox;
  std::vector<Entry> applied;
  std::vector<ReadState> reads;
  std::vector<uint64_t> aborted_reads;

 private:
  void Collect(const std::vector<Message>& messages) {
    outbox.insert(outbox.end(), messages.begin(), messages.end());
  }

  const Options base_;
  const Plants plants_;
};

}  // namespace borealis::raft::test
