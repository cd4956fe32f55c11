#include "writer-node/catalog/catalog.h"

#include <algorithm>

#include "writer-node/catalog/encoding.h"

namespace borealis::catalog {
namespace {

constexpr std::chrono::milliseconds kStreamWait{10000};
constexpr int kAutonomousTriesMax = 100;
constexpr uint64_t kIdsAtOnce = 16;

}  // namespace

Catalog::Catalog(txn::TxnManager* manager) : manager_(manager) {
  latest_ = std::make_shared<const CatalogSnapshot>();
  manager_->storage()->AddObserver(this);
}

Catalog::~Catalog() {
  manager_->storage()->RemoveObserver(this);
}

// ---- bootstrap and loading

Status Catalog::Bootstrap(const BootstrapOptions& options) {
  txn::TxnOptions txn_options;
  txn_options.quorum_wait = options.timeout;
  for (int tries = 0; tries < kAutonomousTriesMax; ++tries) {
    auto txn = manager_->Begin(txn_options);
    txn->BeginStatement();
    ASSIGN_OR_RETURN(const auto existing, txn->Get(BootstrapKey()));
    if (existing) return manager_->storage()->WaitForLocal(txn->snapshot(), options.timeout);
    auto put = [&](const Bytes& key, const Bytes& value) {
      return txn->Put(key, value, wire::AccessKind::kUpdate);
    };
    RoleDescriptor role;
    role.oid = kBootstrapRoleOid;
    role.name = options.superuser;
    role.superuser = role.create_db = role.create_role = true;
    role.scram_verifier = options.scram_verifier;
    DatabaseDescriptor database;
    database.name = options.database;
    // Every starting writer writes the bootstrap key under UPDATE from a snapshot without it:
    // exactly one is certified.
    RETURN_IF_ERROR(put(BootstrapKey(), EncodeCounter(1)));
    RETURN_IF_ERROR(put(CounterKey("table_id"), EncodeCounter(kFirstTableId)));
    RETURN_IF_ERROR(put(CounterKey("oid"), EncodeCounter(kFirstUserOid)));
    RETURN_IF_ERROR(put(RoleKey(role.oid), Encode(role)));
    Bytes role_oid;
    PutU32(&role_oid, role.oid);
    RETURN_IF_ERROR(put(RoleNameKey(role.name), role_oid));
    RETURN_IF_ERROR(put(DatabaseKey(database.oid), Encode(database)));
    for (const SchemaDescriptor& schema :
         {SchemaDescriptor{kPgCatalogSchemaOid, "pg_catalog", kBootstrapRoleOid},
          SchemaDescriptor{kPublicSchemaOid, "public", kBootstrapRoleOid},
          SchemaDescriptor{kInformationSchemaOid, "information_schema", kBootstrapRoleOid}}) {
      RETURN_IF_ERROR(put(SchemaKey(schema.oid), Encode(schema)));
    }
    Result<txn::CommitResult> committed = txn->Commit();
    if (committed.ok())
      return manager_->storage()->WaitForLocal(committed->version, options.timeout);
    // Lost, or not known: the next look tells.
    if (committed.code() != Code::kConflict && committed.code() != Code::kOutcomeUnknown) {
      return committed.status();
    }
  }
  return Unavailable("the first catalog could not be written");
}

Status Catalog::Start(const BootstrapOptions& options) {
  RETURN_IF_ERROR(Bootstrap(options));
  return Load(options.timeout);
}

Result<SnapshotPtr> Catalog::LoadAt(Version version) {
  std::vector<std::pair<Bytes, Bytes>> rows;
  for (TableId table :
       {kTablesTable, kSequencesTable, kRolesTable, kDatabasesTable, kSchemasTable}) {
    buffer_pool::ScanSpec spec;
    spec.start = SystemPrefix(table);
    spec.end = wire::PrefixEnd(spec.start);
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(buffer_pool::ScanPage page, manager_->reader()->Scan(version, spec));
      for (auto& row : page.rows) rows.emplace_back(std::move(row.key), std::move(row.value));
      more = page.more;
      spec.start = page.resume;
    }
  }
  std::vector<CatalogSnapshot::Change> changes;
  for (const auto& [key, value] : rows) changes.emplace_back(key, ByteView(value));
  return CatalogSnapshot().With(changes);
}

Status Catalog::Load(std::chrono::milliseconds timeout) {
  const env::Clock& clock = env::CurrentFiberLoop().clock();
  const env::MonotonicTime deadline = clock.Monotonic() + timeout;
  // Another fiber's load is waited for.
  while (loading_) {
    if (clock.Monotonic() > deadline) return Unavailable("the catalog is being loaded");
    RETURN_IF_ERROR(env::FiberSleep(std::chrono::milliseconds(1)));
  }
  while (!loaded_) {
    loading_ = true;
    queued_.clear();  // from here on OnApplied collects what comes after `version`
    const uint64_t gaps = gaps_;
    const Version version = manager_->storage()->local_version();
    Result<SnapshotPtr> snapshot = LoadAt(version);
    loading_ = false;
    if (gaps != gaps_) {
      if (clock.Monotonic() > deadline) return Unavailable("the catalog is being loaded");
      continue;
    }
    if (!snapshot.ok()) return snapshot.status();
    published_.clear();
    published_.push_back({version, *snapshot});
    latest_ = *snapshot;
    broken_ = Status::Ok();
    loaded_ = true;
    for (const PendingChange& change : std::exchange(queued_, {})) {
      if (change.version > version) RETURN_IF_ERROR(Apply(change));
    }
  }
  return Status::Ok();
}

// ---- the stream

void Catalog::OnApplied(const wire::StreamRequest& request) {
  if (!loaded_ && !loading_) return;
  PendingChange change;
  change.version = request.version;
  for (const wire::StreamAccess& access : request.accesses) {
    if (!CatalogSnapshot::Concerns(access.key)) continue;
    std::optional<Bytes> value;
    if (access.op == wire::Op::kPut) value = Bytes(access.value);
    change.rows.emplace_back(Bytes(access.key), std::move(value));
  }
  if (change.rows.empty()) return;
  if (loading_) {
    queued_.push_back(std::move(change));
  } else {
    const Status status = Apply(change);
    if (!status.ok()) broken_ = status;
  }
}

Status Catalog::Apply(const PendingChange& change) {
  std::vector<CatalogSnapshot::Change> views;
  for (const auto& [key, value] : change.rows) {
    views.emplace_back(key, value ? std::optional<ByteView>(*value) : std::nullopt);
  }
  ASSIGN_OR_RETURN(SnapshotPtr next, published_.back().snapshot->With(views));
  published_.push_back({change.version, next});
  latest_ = std::move(next);
  return Status::Ok();
}

void Catalog::OnAdvanced(Version up_to) {
  if (published_.size() > 1) Trim();
}

void Catalog::Trim() {
  const Version oldest = manager_->OldestSnapshot();
  while (published_.size() > 1 && published_[1].from <= oldest) published_.pop_front();
}

void Catalog::OnGap(Version new_base) {
  ++gaps_;
  loaded_ = false;
  queued_.clear();
}

SnapshotPtr Catalog::Latest() const {
  return latest_;
}

Result<SnapshotPtr> Catalog::At(Version version) {
  if (!loaded_) RETURN_IF_ERROR(Load(kStreamWait));
  if (version > manager_->storage()->local_version()) {
    RETURN_IF_ERROR(manager_->storage()->WaitForLocal(version, kStreamWait));
    if (!loaded_) RETURN_IF_ERROR(Load(kStreamWait));
  }
  RETURN_IF_ERROR(broken_);
  for (auto it = published_.rbegin(); it != published_.rend(); ++it) {
    if (it->from <= version) return it->snapshot;
  }
  return LoadAt(version);
}

Result<SnapshotPtr> Catalog::ForTxn(txn::Txn* txn) {
  ASSIGN_OR_RETURN(const Version version, txn->EnsureSnapshot());
  ASSIGN_OR_RETURN(SnapshotPtr base, At(version));
  if (txn->system_writes() == 0) return base;
  if (overlay_.txn == txn && overlay_.writes == txn->system_writes() && overlay_.base == base &&
      overlay_.id == txn->unique_id()) {
    return overlay_.result;
  }
  std::vector<CatalogSnapshot::Change> changes;
  const Bytes start = wire::MakeKeyPrefix(wire::Keyspace::kSystem, TableId(0), IndexId(0));
  const Bytes end = wire::MakeKeyPrefix(wire::Keyspace::kUser, TableId(0), IndexId(0));
  txn->VisitWrites(start, end, [&](ByteView key, std::optional<ByteView> value) {
    if (CatalogSnapshot::Concerns(key)) changes.emplace_back(key, value);
  });
  SnapshotPtr result = base;
  if (!changes.empty()) {
    ASSIGN_OR_RETURN(result, base->With(changes));
  }
  overlay_ = {txn, txn->unique_id(), txn->system_writes(), base, result};
  return result;
}

// ---- what DML records

Status Catalog::UseTable(txn::Txn* txn, const TableDescriptor& table) {
  return table.is_virtual ? Status::Ok() : txn->AddRead(TableKey(table.id));
}

Status Catalog::UseSequence(txn::Txn* txn, const SequenceDescriptor& sequence) {
  return txn->AddRead(SequenceKey(sequence.id));
}

// ---- ids

Status Catalog::Autonomous(const std::function<Status(txn::Txn*)>& body) {
  for (int tries = 0; tries < kAutonomousTriesMax; ++tries) {
    auto txn = manager_->Begin({});
    // The first try trusts the local version: certification proves it. Later ones take a strong
    // snapshot.
    txn->BeginStatement({.start_local = tries == 0});
    const Status status = body(txn.get());
    const bool stale = txn->failure() == txn::FailureKind::kStaleStatement ||
                       (!status.ok() && !txn->snapshot_is_strong() && tries == 0);
    if (stale) continue;
    RETURN_IF_ERROR(status);
    Result<txn::CommitResult> committed = txn->Commit();
    // Of an unknown outcome at worst a range of ids is lost: go on with the next.
    if (committed.ok()) return Status::Ok();
    if (committed.code() != Code::kConflict && committed.code() != Code::kOutcomeUnknown) {
      return committed.status();
    }
  }
  return Unavailable("too many writers want the same catalog row at once");
}

Result<uint64_t> Catalog::NewId(ByteView counter, IdRange* range) {
  if (range->next == range->end) {
    uint64_t first = 0;
    RETURN_IF_ERROR(Autonomous([&](txn::Txn* txn) -> Status {
      RETURN_IF_ERROR(txn->Lock(CounterKey(counter), wire::AccessKind::kUpdate).status());
      ASSIGN_OR_RETURN(const auto row, txn->Get(CounterKey(counter)));
      if (!row) return NotFound("counter " + std::string(counter) + " is missing");
      ASSIGN_OR_RETURN(first, DecodeCounter(*row));
      return txn->Put(CounterKey(counter), EncodeCounter(first + kIdsAtOnce),
                      wire::AccessKind::kUpdate);
    }));
    // Another fiber may have refilled meanwhile: its ids are not wasted, ours are used later or
    // left as a gap.
    if (range->next == range->end) *range = {first, first + kIdsAtOnce};
  }
  return range->next++;
}

Result<TableId> Catalog::NewTableId() {
  ASSIGN_OR_RETURN(const uint64_t id, NewId("table_id", &table_ids_));
  return TableId(static_cast<uint32_t>(id));
}

Result<Oid> Catalog::NewOid() {
  ASSIGN_OR_RETURN(const uint64_t id, NewId("oid", &oids_));
  return static_cast<Oid>(id);
}

Result<int64_t> Catalog::NewRowId() {
  return txn::PackXactId({manager_->storage()->incarnation(), ++row_ids_});
}

}  // namespace borealis::catalog
