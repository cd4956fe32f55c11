// Layout: docs/formats/log.md, "Raft messages".
#include "storage-node/raft/message_codec.h"

#include "storage-node/raft/quorum.h"

namespace borealis::raft {
namespace {

constexpr uint8_t kMessageVersion = 1;
constexpr uint8_t kConfigVersion = 1;
constexpr uint8_t kFlagReject = 1;
constexpr uint8_t kFlagTransfer = 2;
constexpr size_t kEntryHeadBytes = 16;
constexpr size_t kFixedBytes = 4 + 16 * 8 + 4;

void PutIds(Bytes* out, const std::vector<MemberId>& ids) {
  PutU32(out, static_cast<uint32_t>(ids.size()));
  for (MemberId id : ids) PutU64(out, id.value());
}

std::vector<MemberId> TakeIds(ByteReader* in) {
  uint32_t count = in->U32();
  std::vector<MemberId> ids;
  if (count > in->left() / 8) {
    in->Fail();
    return ids;
  }
  ids.reserve(count);
  for (uint32_t i = 0; i < count; i++) ids.emplace_back(in->U64());
  return ids;
}

// All integers of a message in the order of the format; `visit` writes or reads one.
template <typename M, typename Visit>
void VisitFields(M& m, Visit visit) {
  visit(m.from);
  visit(m.to);
  visit(m.term);
  visit(m.boot_number);
  visit(m.durable_index);
  visit(m.committed_durable);
  visit(m.index);
  visit(m.log_term);
  visit(m.commit);
  visit(m.hint_index);
  visit(m.hint_term);
  visit(m.read_round);
  visit(m.context);
  visit(m.context_boot);
  visit(m.state_hash_index);
  visit(m.state_hash);
}

struct FieldWriter {
  Bytes* out;
  void operator()(uint64_t v) const { PutU64(out, v); }
  template <typename Tag>
  void operator()(const StrongId<Tag, uint64_t>& id) const {
    PutU64(out, id.value());
  }
};

struct FieldReader {
  ByteReader* in;
  void operator()(uint64_t& v) const { v = in->U64(); }
  template <typename Tag>
  void operator()(StrongId<Tag, uint64_t>& id) const {
    id = StrongId<Tag, uint64_t>(in->U64());
  }
};

bool KnownEntryType(uint8_t type) {
  return type >= static_cast<uint8_t>(EntryType::kNoop) &&
         type <= static_cast<uint8_t>(EntryType::kData);
}

// The entries' heads, then their payloads: slices of the message's own bytes.
Status TakeEntries(const std::shared_ptr<const void>& owner, ByteReader* in, Message* m) {
  uint32_t count = in->U32();
  if (!in->ok() || count > in->left() / kEntryHeadBytes)
    return Corruption("a message is cut short");
  std::vector<uint32_t> lengths;
  m->entries.resize(count);
  lengths.reserve(count);
  LogIndex index = m->index;
  for (Entry& entry : m->entries) {
    index = index.Next();
    entry.index = index;
    entry.term = Term(in->U64());
    uint8_t type = in->U8();
    ByteView reserved = in->Take(3);
    lengths.push_back(in->U32());
    if (!KnownEntryType(type)) return Unsupported("entry type " + std::to_string(type));
    if (reserved != ByteView("\0\0\0", 3)) return Corruption("reserved bytes of an entry");
    if (lengths.back() > kPayloadBytesMax) return Corruption("an entry that is too large");
    entry.type = static_cast<EntryType>(type);
  }
  for (uint32_t i = 0; i < count; i++) {
    ByteView payload = in->Take(lengths[i]);
    if (!in->ok()) return Corruption("a message is cut short");
    if (!payload.empty()) m->entries[i].payload = Payload(owner, payload);
  }
  return Status::Ok();
}

}  // namespace

void EncodeMessageHead(const Message& message, Bytes* head) {
  head->reserve(head->size() + kFixedBytes + message.entries.size() * kEntryHeadBytes);
  PutU8(head, kMessageVersion);
  PutU8(head, static_cast<uint8_t>(message.type));
  PutU8(head, (message.reject ? kFlagReject : 0) | (message.transfer ? kFlagTransfer : 0));
  PutU8(head, 0);
  VisitFields(message, FieldWriter{head});
  PutU32(head, static_cast<uint32_t>(message.entries.size()));
  LogIndex index = message.index;
  for (const Entry& entry : message.entries) {
    index = index.Next();
    BOREALIS_CHECK(entry.index == index && entry.payload.size() <= kPayloadBytesMax);
    PutU64(head, entry.term.value());
    PutU8(head, static_cast<uint8_t>(entry.type));
    head->append(3, '\0');
    PutU32(head, static_cast<uint32_t>(entry.payload.size()));
  }
}

void EncodeMessage(const Message& message, Bytes* out) {
  EncodeMessageHead(message, out);
  for (const Entry& entry : message.entries) out->append(entry.payload.view());
}

Result<Message> DecodeMessage(std::shared_ptr<const void> owner, ByteView bytes) {
  ByteReader in(bytes);
  uint8_t version = in.U8();
  uint8_t type = in.U8();
  uint8_t flags = in.U8();
  uint8_t reserved = in.U8();
  if (!in.ok()) return Corruption("a message is cut short");
  if (version != kMessageVersion) {
    return Unsupported("raft message version " + std::to_string(version));
  }
  Message m;
  m.type = static_cast<MessageType>(type);
  if (MessageTypeName(m.type) == "Unknown") {
    return Unsupported("raft message type " + std::to_string(type));
  }
  if (flags > (kFlagReject | kFlagTransfer) || reserved != 0) {
    return Corruption("reserved bits of a raft message");
  }
  m.reject = (flags & kFlagReject) != 0;
  m.transfer = (flags & kFlagTransfer) != 0;
  VisitFields(m, FieldReader{&in});
  RETURN_IF_ERROR(TakeEntries(owner, &in, &m));
  if (!in.done()) return Corruption("bytes after a raft message");
  return m;
}

Result<Message> DecodeMessage(Bytes bytes) {
  auto owner = std::make_shared<const Bytes>(std::move(bytes));
  ByteView view = *owner;
  return DecodeMessage(std::move(owner), view);
}

void EncodeConfig(const Config& config, Bytes* out) {
  PutU8(out, kConfigVersion);
  PutIds(out, config.voters);
  PutIds(out, config.outgoing);
  PutIds(out, config.learners);
}

Result<Config> DecodeConfig(ByteView bytes) {
  ByteReader in(bytes);
  uint8_t version = in.U8();
  if (in.ok() && version != kConfigVersion) {
    return Unsupported("configuration version " + std::to_string(version));
  }
  Config config;
  config.voters = TakeIds(&in);
  config.outgoing = TakeIds(&in);
  config.learners = TakeIds(&in);
  if (!in.done()) return Corruption("a configuration is malformed");
  Status valid = ValidateConfig(config);
  if (!valid.ok()) return Corruption(valid.message());
  return config;
}

}  // namespace borealis::raft
