// Stored verdicts of an entry (docs/formats/mvcc.md):
//   u8 format = 1, then for each request that was *newly* decided, in order:
//     u8 kind (VerdictKind: accepted, conflict, aborted)
//     conflict: u32 access index, u8 winner kind, u64 winner incarnation, u64 winner sequence
//   or, for one that was not (repeated, refused, malformed): u8 0.
// Versions are not stored: they are dense, and the store has the counter.
#include "storage-node/apply/state_machine.h"

#include "common/wire/log_entry.h"

namespace borealis::apply {
namespace {

using wire::Verdict;
using wire::VerdictKind;

constexpr uint8_t kStoredFormat = 1;
constexpr uint8_t kNothingNew = 0;

wire::AccessKind WinnerKind(certifier::Mode mode) {
  if (mode == certifier::Mode::kModification) return wire::AccessKind::kWriteUnchecked;
  return static_cast<wire::AccessKind>(mode);
}

void AppendStored(Bytes* out, const Verdict& verdict) {
  if (out->empty()) PutU8(out, kStoredFormat);
  PutU8(out, static_cast<uint8_t>(verdict.kind));
  if (verdict.kind != VerdictKind::kConflict) return;
  PutU32(out, verdict.access_index);
  PutU8(out, static_cast<uint8_t>(verdict.winner_kind));
  PutU64(out, verdict.winner.incarnation.value());
  PutU64(out, verdict.winner.sequence);
}

void AppendNothingNew(Bytes* out) {
  if (out->empty()) PutU8(out, kStoredFormat);
  PutU8(out, kNothingNew);
}

}  // namespace

class StateMachine::StoredReader {
 public:
  explicit StoredReader(ByteView bytes) : reader_(bytes) {
    if (!bytes.empty() && reader_.U8() != kStoredFormat) reader_.Fail();
  }
  // The next newly decided verdict, or none for "nothing new".
  std::optional<Verdict> Next(const TxnId& txn) {
    Verdict v;
    v.txn = txn;
    const uint8_t kind = reader_.U8();
    if (kind == kNothingNew) return std::nullopt;
    v.kind = static_cast<VerdictKind>(kind);
    if (v.kind == VerdictKind::kConflict) {
      v.access_index = reader_.U32();
      v.winner_kind = static_cast<wire::AccessKind>(reader_.U8());
      v.winner.incarnation = Incarnation(reader_.U64());
      v.winner.sequence = reader_.U64();
    } else if (v.kind != VerdictKind::kAccepted && v.kind != VerdictKind::kAborted) {
      reader_.Fail();
    }
    return v;
  }
  bool ok() const { return reader_.ok(); }
  bool done() const { return reader_.done(); }

 private:
  ByteReader reader_;
};

StateMachine::StateMachine(const certifier::Options& options) : certifier_(options) {}

Result<Decided> StateMachine::Decide(LogIndex index, std::shared_ptr<const void> owner,
                                     ByteView payload) {
  BOREALIS_CHECK(index == index_.Next());
  auto entry = std::make_shared<CertifiedEntry>();
  entry->index = index;
  entry->owner = std::move(owner);
  entry->bytes = payload.size();
  index_ = index;
  Decided decided;
  RETURN_IF_ERROR(Dispatch(payload, nullptr, entry.get(), &decided)
                      .WithContext("log entry " + std::to_string(index.value())));
  table_.OnEntry(index);
  entry->version = version();
  entry->horizon = horizon_;
  entry->verdict_hash = hash_.value();
  decided.entry = std::move(entry);
  return decided;
}

Status StateMachine::Replay(LogIndex index, ByteView payload, ByteView stored_verdicts) {
  BOREALIS_CHECK(index == index_.Next());
  const std::string where = "replay of log entry " + std::to_string(index.value());
  index_ = index;
  StoredReader stored(stored_verdicts);
  CertifiedEntry entry;
  entry.index = index;
  Decided decided;
  RETURN_IF_ERROR(Dispatch(payload, &stored, &entry, &decided).WithContext(where));
  table_.OnEntry(index);
  if (!stored.done()) return Corruption(where + ": stored verdicts do not fit the entry");
  return Status::Ok();
}

Status StateMachine::Dispatch(ByteView payload, StoredReader* stored, CertifiedEntry* entry,
                              Decided* decided) {
  if (payload.empty()) return Status::Ok();
  ASSIGN_OR_RETURN(const wire::EntryView view, wire::ParseEntry(payload));
  switch (view.type) {
    case wire::EntryType::kNoop:
      return Status::Ok();
    case wire::EntryType::kCommit:
      return Commit(view.body, stored, entry, decided);
    case wire::EntryType::kResolve: {
      ASSIGN_OR_RETURN(const TxnId txn, wire::DecodeResolve(view.body));
      // Whether it records anything follows from the table, also in a replay; the stored byte is
      // read only to check that both agree.
      Resolve(txn, entry, decided);
      if (stored != nullptr && stored->Next(txn).has_value() != (entry->stored_verdicts[1] != 0)) {
        return Corruption("the stored verdict of a resolve differs");
      }
      return Status::Ok();
    }
    case wire::EntryType::kIncarnation:
      return IncarnationEntry(view.body, decided);
    case wire::EntryType::kHorizon: {
      ASSIGN_OR_RETURN(const Version horizon, wire::DecodeHorizon(view.body));
      if (horizon > version()) return Corruption("horizon above the version");
      horizon_ = std::max(horizon_, horizon);
      return Status::Ok();
    }
    case wire::EntryType::kVerdictWatermark: {
      ASSIGN_OR_RETURN(const TxnId txn, wire::DecodeVerdictWatermark(view.body));
      table_.RaiseWatermark(txn.incarnation, txn.sequence);
      return Status::Ok();
    }
    case wire::EntryType::kLimits:
      return Limits(view.body);
    case wire::EntryType::kLevel: {
      ASSIGN_OR_RETURN(const uint32_t level, wire::DecodeLevel(view.body));
      if (level <= kLevelMax) return Status::Ok();
      return Unsupported("level " + std::to_string(level) +
                         " of the state machine; this program knows " + std::to_string(kLevelMax));
    }
    case wire::EntryType::kConfig:
    case wire::EntryType::kCommitChunk:
    case wire::EntryType::kCommitFinal:
    case wire::EntryType::kLock:
      break;
  }
  return Unsupported("entry type " + std::string(wire::EntryTypeName(view.type)) +
                     " is not supported by this program");
}

Status StateMachine::Commit(ByteView body, StoredReader* stored, CertifiedEntry* entry,
                            Decided* decided) {
  ASSIGN_OR_RETURN(const std::vector<ByteView> requests, wire::ParseCommitBody(body));
  decided->verdicts.reserve(requests.size());
  for (const ByteView request : requests) {
    RETURN_IF_ERROR(One(request, stored, entry, decided));
  }
  return Status::Ok();
}

Status StateMachine::One(ByteView request, StoredReader* stored, CertifiedEntry* entry,
                         Decided* decided) {
  const auto parsed = wire::RequestView::Parse(request);
  Verdict verdict;
  if (!parsed.ok() || parsed->txn_id().sequence == 0) {
    // The same bytes fail everywhere; the sender gets its id back as far as it can be read.
    verdict.kind = VerdictKind::kMalformed;
    if (request.size() >= wire::kRequestHeaderBytes) {
      verdict.txn = {Incarnation(GetU64(request.data() + 8)), GetU64(request.data() + 16)};
    }
  } else if (stored != nullptr) {
    return FromStore(*parsed, stored, entry);
  } else if (const auto known = table_.Lookup(parsed->txn_id())) {
    verdict = *known;
    table_.RaiseWatermark(parsed->txn_id().incarnation,
                          std::min(parsed->acked_watermark(), parsed->txn_id().sequence - 1));
  } else {
    verdict = Certify(*parsed, entry);
    decided->verdicts.push_back(verdict);
    return Status::Ok();
  }
  AppendNothingNew(&entry->stored_verdicts);
  if (stored != nullptr && stored->Next(verdict.txn)) {
    return Corruption("a verdict is stored for a malformed request");
  }
  hash_.Add(entry->index, static_cast<uint8_t>(verdict.kind), Version());
  decided->verdicts.push_back(verdict);
  return Status::Ok();
}

void StateMachine::LoadAccesses(const wire::RequestView& view) {
  static_assert(static_cast<int>(certifier::Kind::kWriteUnchecked) ==
                static_cast<int>(wire::AccessKind::kWriteUnchecked));
  accesses_.clear();
  auto cursor = view.accesses();
  wire::Access access;
  while (cursor.Next(&access)) {
    accesses_.push_back(
        {static_cast<certifier::Shape>(access.shape), static_cast<certifier::Kind>(access.kind),
         static_cast<certifier::Op>(access.op), access.base_version, access.key, access.end});
  }
}

Verdict StateMachine::Certify(const wire::RequestView& view, CertifiedEntry* entry) {
  const TxnId txn = view.txn_id();
  LoadAccesses(view);
  const certifier::Decision decision = certifier_.Certify(txn, accesses_);
  Verdict verdict;
  verdict.txn = txn;
  if (decision.outcome == certifier::Outcome::kInvalid) {
    verdict.kind = VerdictKind::kMalformed;
    AppendNothingNew(&entry->stored_verdicts);
    hash_.Add(entry->index, static_cast<uint8_t>(verdict.kind), Version());
    return verdict;
  }
  if (decision.outcome == certifier::Outcome::kAccepted) {
    verdict.kind = VerdictKind::kAccepted;
    verdict.version = decision.version;
    entry->accepted.push_back({decision.version, view});
  } else {
    verdict.kind = VerdictKind::kConflict;
    verdict.access_index = decision.access_index;
    verdict.winner_kind = WinnerKind(decision.mode);
    verdict.winner = decision.winner;
  }
  AppendStored(&entry->stored_verdicts, verdict);
  hash_.Add(entry->index, static_cast<uint8_t>(verdict.kind), verdict.version);
  table_.Keep(verdict);
  table_.RaiseWatermark(txn.incarnation, std::min(view.acked_watermark(), txn.sequence - 1));
  return verdict;
}

Status StateMachine::FromStore(const wire::RequestView& view, StoredReader* stored,
                               CertifiedEntry* entry) {
  const TxnId txn = view.txn_id();
  auto verdict = stored->Next(txn);
  if (!stored->ok()) return Corruption("the stored verdicts of the entry are cut short");
  const auto known = table_.Lookup(txn);
  const uint64_t watermark = std::min(view.acked_watermark(), txn.sequence - 1);
  if (!verdict) {
    // Repeated, refused, or invalid for the certifier: nothing was recorded then.
    const VerdictKind kind = known ? known->kind : VerdictKind::kMalformed;
    hash_.Add(entry->index, static_cast<uint8_t>(kind), Version());
    if (known) table_.RaiseWatermark(txn.incarnation, watermark);
    return Status::Ok();
  }
  if (known) return Corruption("a second verdict is stored for transaction " + txn.ToString());
  if (verdict->kind == VerdictKind::kAccepted) {
    LoadAccesses(view);
    uint32_t invalid = 0;
    if (!certifier::Certifier::IsValid(accesses_, &invalid)) {
      return Corruption("an invalid request was stored as accepted");
    }
    verdict->version = certifier_.version().Next();
    certifier_.Record(txn, verdict->version, accesses_);
  }
  hash_.Add(entry->index, static_cast<uint8_t>(verdict->kind), verdict->version);
  table_.Keep(*verdict);
  table_.RaiseWatermark(txn.incarnation, watermark);
  return Status::Ok();
}

void StateMachine::Resolve(const TxnId& txn, CertifiedEntry* entry, Decided* decided) {
  Verdict verdict;
  if (const auto known = table_.Lookup(txn)) {
    verdict = *known;
    AppendNothingNew(&entry->stored_verdicts);
  } else {
    verdict.txn = txn;
    verdict.kind = VerdictKind::kAborted;
    AppendStored(&entry->stored_verdicts, verdict);
    table_.Keep(verdict);
  }
  hash_.Add(entry->index, static_cast<uint8_t>(verdict.kind), Version());
  decided->verdicts.push_back(verdict);
}

Status StateMachine::IncarnationEntry(ByteView body, Decided* decided) {
  ASSIGN_OR_RETURN(const wire::IncarnationEntry entry, wire::DecodeIncarnation(body));
  if (entry.action == wire::IncarnationEntry::Action::kAllocate) {
    decided->allocated = table_.Allocate(std::string(entry.writer_name), entry.nonce);
  } else {
    decided->fenced = table_.Fence(entry.target, index_);
  }
  return Status::Ok();
}

Status StateMachine::Limits(ByteView body) {
  ASSIGN_OR_RETURN(const wire::LimitsEntry limits, wire::DecodeLimits(body));
  for (const auto& [id, value] : limits.limits) {
    if (id == wire::LimitId::kWindowKeys) {
      certifier_.SetWindowKeysMax(value);
    } else if (id == wire::LimitId::kFencedVerdictEntries) {
      table_.SetFencedEntriesMax(value);
    } else {
      return Unsupported("limit " + std::to_string(static_cast<uint32_t>(id)));
    }
  }
  return Status::Ok();
}

}  // namespace borealis::apply
