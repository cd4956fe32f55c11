// Sequences: nextval from cached ranges, setval. A range is taken by an autonomous transaction on
// the sequence's state row, so it is never handed out twice, also when the writer dies: what was
// left of its range is a gap.
#include <algorithm>
#include <limits>

#include "writer-node/catalog/catalog.h"
#include "writer-node/catalog/encoding.h"

namespace borealis::catalog {
namespace {

constexpr uint64_t kRangeMax = 1024;
// A range that was used up faster than this was too small: the next is twice as large.
constexpr env::Duration kRangeTooFast = std::chrono::seconds(1);

struct Taken {
  int64_t first = 0;
  uint64_t count = 0;
};

// Takes up to `want` values after the state and moves it. PostgreSQL's rules for bounds and CYCLE.
Result<Taken> Take(const SequenceDescriptor& s, SequenceState* state, uint64_t want) {
  const __int128 step = s.increment;
  __int128 first = state->is_called ? static_cast<__int128>(state->last_value) + step
                                    : static_cast<__int128>(state->last_value);
  if (first > s.max_value || first < s.min_value) {
    if (!s.cycle) {
      const bool up = s.increment > 0;
      return ResourceExhausted("nextval: reached " + std::string(up ? "maximum" : "minimum") +
                               " value of sequence \"" + s.name + "\" (" +
                               std::to_string(up ? s.max_value : s.min_value) + ")");
    }
    first = s.increment > 0 ? s.min_value : s.max_value;
  }
  const __int128 room = s.increment > 0 ? (static_cast<__int128>(s.max_value) - first) / step
                                        : (first - s.min_value) / -step;
  Taken taken;
  taken.first = static_cast<int64_t>(first);
  taken.count = static_cast<uint64_t>(std::min<__int128>(want, room + 1));
  state->last_value = static_cast<int64_t>(first + step * static_cast<__int128>(taken.count - 1));
  state->is_called = true;
  return taken;
}

Result<SequenceState> ReadState(txn::Txn* txn, const SequenceDescriptor& sequence) {
  ASSIGN_OR_RETURN(const auto row, txn->Get(SequenceStateKey(sequence.id)));
  if (!row) return NotFound("sequence \"" + sequence.name + "\" does not exist");
  return DecodeSequenceState(*row);
}

// The sequence was made, or reset, in this very transaction: its state is only there.
bool StateIsOwn(txn::Txn* txn, const SequenceDescriptor& sequence) {
  if (txn == nullptr || txn->system_writes() == 0) return false;
  const Bytes key = SequenceStateKey(sequence.id);
  bool own = false;
  txn->VisitWrites(key, wire::KeyAfter(key),
                   [&](ByteView, std::optional<ByteView>) { own = true; });
  return own;
}

}  // namespace

Status Catalog::Refill(const SequenceDescriptor& sequence, SequenceRange* range) {
  const env::MonotonicTime now = env::CurrentFiberLoop().clock().Monotonic();
  const bool fast =
      range->size > 0 && range->epoch == sequence.epoch && now - range->refilled < kRangeTooFast;
  const uint64_t want = fast ? std::min(range->size * 2, kRangeMax) : 1;
  Taken taken;
  uint64_t epoch = 0;
  RETURN_IF_ERROR(Autonomous([&](txn::Txn* txn) -> Status {
    const Bytes key = SequenceStateKey(sequence.id);
    RETURN_IF_ERROR(txn->Lock(key, wire::AccessKind::kUpdate).status());
    ASSIGN_OR_RETURN(catalog::SequenceState state, ReadState(txn, sequence));
    epoch = state.epoch;
    ASSIGN_OR_RETURN(taken, Take(sequence, &state, want));
    return txn->Put(key, Encode(state), wire::AccessKind::kUpdate);
  }));
  range->epoch = epoch;
  range->next = taken.first;
  range->left = taken.count;
  range->size = want;
  range->refilled = now;
  return Status::Ok();
}

Result<int64_t> Catalog::NextVal(txn::Txn* txn, const SequenceDescriptor& sequence) {
  if (StateIsOwn(txn, sequence)) {
    ASSIGN_OR_RETURN(catalog::SequenceState state, ReadState(txn, sequence));
    ASSIGN_OR_RETURN(const Taken taken, Take(sequence, &state, 1));
    RETURN_IF_ERROR(
        txn->Put(SequenceStateKey(sequence.id), Encode(state), wire::AccessKind::kUpdate));
    return taken.first;
  }
  std::unique_ptr<SequenceRange>& slot = sequence_ranges_[sequence.id];
  if (!slot) slot = std::make_unique<SequenceRange>(env::CurrentFiberLoop());
  SequenceRange* range = slot.get();
  while (range->left == 0 || range->epoch < sequence.epoch) {
    env::FiberMutexLock lock(range->mutex);
    if (range->left != 0 && range->epoch >= sequence.epoch) break;  // another fiber refilled it
    RETURN_IF_ERROR(Refill(sequence, range));
  }
  const int64_t value = range->next;
  if (--range->left > 0) range->next += sequence.increment;
  return value;
}

Status Catalog::SetVal(txn::Txn* txn, const SequenceDescriptor& sequence, int64_t value,
                       bool is_called) {
  if (value < sequence.min_value || value > sequence.max_value) {
    return InvalidArgument("setval: value " + std::to_string(value) +
                           " is out of bounds for sequence \"" + sequence.name + "\" (" +
                           std::to_string(sequence.min_value) + ".." +
                           std::to_string(sequence.max_value) + ")");
  }
  const bool own = StateIsOwn(txn, sequence);
  auto set = [&](txn::Txn* t) -> Status {
    RETURN_IF_ERROR(t->Lock(SequenceStateKey(sequence.id), wire::AccessKind::kUpdate).status());
    ASSIGN_OR_RETURN(const auto row, t->Get(SequenceKey(sequence.id)));
    if (!row) return NotFound("sequence \"" + sequence.name + "\" does not exist");
    ASSIGN_OR_RETURN(SequenceDescriptor next, DecodeSequence(*row));
    ASSIGN_OR_RETURN(catalog::SequenceState state, ReadState(t, sequence));
    next.epoch = state.epoch = std::max(next.epoch, state.epoch) + 1;
    state.last_value = value;
    state.is_called = is_called;
    RETURN_IF_ERROR(t->Put(SequenceKey(sequence.id), Encode(next), wire::AccessKind::kUpdate));
    return t->Put(SequenceStateKey(sequence.id), Encode(state), wire::AccessKind::kUpdate);
  };
  RETURN_IF_ERROR(own ? set(txn) : Autonomous(set));
  if (auto it = sequence_ranges_.find(sequence.id); it != sequence_ranges_.end()) {
    it->second->left = 0;  // not erased: another fiber may be refilling it
  }
  return Status::Ok();
}

Result<Catalog::SequenceState> Catalog::ReadSequence(txn::Txn* txn,
                                                     const SequenceDescriptor& sequence) {
  ASSIGN_OR_RETURN(const catalog::SequenceState state, ReadState(txn, sequence));
  return SequenceState{state.last_value, state.is_called};
}

}  // namespace borealis::catalog
