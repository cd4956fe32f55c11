#include "writer-node/main/writer.h"

#include "writer-node/catalog/ddl.h"
#include "writer-node/pgwire/scram.h"

namespace borealis::writer_main {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBootTimeout{5000};
constexpr env::Duration kBootPause = milliseconds(200);
constexpr env::Duration kProbePeriod = milliseconds(500);
constexpr milliseconds kProbeTimeout{2000};
constexpr milliseconds kFenceTimeout{1000};
constexpr int kSuperuserAttempts = 20;

session::Services MakeServices(env::Loop& loop, txn::TxnManager& txns, catalog::Catalog& catalog,
                               const obs::Logger& logger) {
  session::Services services;
  services.loop = &loop;
  services.random = &env::SystemRandom();
  services.txns = &txns;
  services.catalog = &catalog;
  services.logger = logger.Component("session");
  return services;
}

session::SessionOptions MakeSessionOptions(const Flags& flags) {
  session::SessionOptions options;
  options.writer_name = flags.storage.writer_name;
  options.software_version = kSoftwareVersion;
  options.connections_max = flags.connections_max;
  return options;
}

Result<std::string> MakeVerifier(const std::string& password) {
  ASSIGN_OR_RETURN(
      pgwire::ScramVerifier verifier,
      pgwire::MakeScramVerifier(password, env::SystemRandom().FillBytes(pgwire::kScramSaltBytes)));
  return verifier.ToString();
}

}  // namespace

Writer::Writer(const Flags& flags, env::AsioLoop& loop, env::Network& network,
               obs::Registry& metrics, obs::Logger logger, std::function<void()> on_stopped,
               std::function<void(const Status&)> on_fatal)
    : flags_(flags),
      loop_(loop),
      network_(network),
      logger_(logger.Component("writer")),
      on_stopped_(std::move(on_stopped)),
      storage_(loop, network, env::SystemRandom(), logger.Component("storage_client"), &metrics,
               flags.storage),
      reader_(&storage_),
      txns_(&storage_, &reader_),
      catalog_(&txns_),
      sessions_(MakeServices(loop, txns_, catalog_, logger), metrics, MakeSessionOptions(flags)),
      fibers_(loop) {
  storage_.SetOnFenced([on_fatal = std::move(on_fatal)] {
    on_fatal(Status(Code::kFenced, "this incarnation was fenced: the process must start again"));
  });
}

Writer::~Writer() = default;

Status Writer::Start() {
  Result<std::unique_ptr<env::Listener>> listener = network_.Listen(
      flags_.listen,
      [this](std::unique_ptr<env::Stream> stream) { sessions_.Accept(std::move(stream)); });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  fibers_.Spawn("boot", [this] { Boot(); });
  return Status::Ok();
}

// Goes on until it is done or the process is to end: members may come up long after the writer.
void Writer::Boot() {
  while (!stopping_) {
    const Status status = BootOnce();
    if (status.ok()) {
      serving_ = true;
      sessions_.SetServing(true);
      logger_.Info("serving", {{"writer", flags_.storage.writer_name},
                               {"incarnation", storage_.incarnation()},
                               {"listen", listener_->address()},
                               {"version", storage_.local_version()}});
      return Probe();
    }
    if (stopping_) return;
    last_probe_ = status;
    logger_.Warning("cannot serve yet", {{"why", status}});
    if (!env::FiberSleep(kBootPause).ok()) return;
  }
}

Status Writer::BootOnce() {
  if (!storage_.incarnation()) RETURN_IF_ERROR(storage_.Open(kBootTimeout));
  if (!registered_) {
    RETURN_IF_ERROR(txns_.RegisterWriter(kBootTimeout));
    registered_ = true;
  }
  catalog::BootstrapOptions options;
  options.superuser = flags_.superuser;
  options.timeout = kBootTimeout;
  if (flags_.superuser_password) {
    ASSIGN_OR_RETURN(options.scram_verifier, MakeVerifier(*flags_.superuser_password));
  }
  RETURN_IF_ERROR(catalog_.Start(options));
  return EnsureSuperuser();
}

// The file says what the password is. Writers that start together with a new one race for the same
// row: one wins, and the others find nothing left to do.
Status Writer::EnsureSuperuser() {
  if (!flags_.superuser_password) return Status::Ok();
  Status status;
  for (int attempt = 0; attempt < kSuperuserAttempts; ++attempt) {
    status = EnsureSuperuserOnce();
    if (status.code() != Code::kConflict) return status;
    RETURN_IF_ERROR(env::FiberSleep(
        env::Duration(static_cast<int64_t>(env::SystemRandom().Uniform(50'000) + 1))));
  }
  return status;
}

Status Writer::EnsureSuperuserOnce() {
  txn::TxnOptions options;
  options.quorum_wait = kBootTimeout;
  std::unique_ptr<txn::Txn> txn = txns_.Begin(options);
  txn->BeginStatement();
  ASSIGN_OR_RETURN(catalog::SnapshotPtr snapshot, catalog_.ForTxn(txn.get()));
  catalog::RolePtr role = snapshot->FindRole(flags_.superuser);
  catalog::RoleDescriptor changed;
  if (role != nullptr) {
    changed = *role;
    Result<pgwire::ScramVerifier> old = pgwire::ScramVerifier::Parse(role->scram_verifier);
    if (old.ok() && role->superuser && role->can_login &&
        pgwire::VerifierMatchesPassword(*old, *flags_.superuser_password)) {
      return Status::Ok();
    }
  } else {
    ASSIGN_OR_RETURN(changed.oid, catalog_.NewOid());
    changed.name = flags_.superuser;
  }
  changed.superuser = true;
  changed.can_login = true;
  ASSIGN_OR_RETURN(changed.scram_verifier, MakeVerifier(*flags_.superuser_password));
  catalog::Ddl ddl(&catalog_, txn.get());
  RETURN_IF_ERROR(ddl.PutRole(changed));
  Result<txn::CommitResult> committed = txn->Commit();
  if (!committed.ok()) return committed.status();
  logger_.Info("the superuser's password was set", {{"role", flags_.superuser}});
  return Status::Ok();
}

// Readiness is a strong read that worked: without a majority this writer is of no use for writes.
void Writer::Probe() {
  while (!stopping_) {
    Result<Version> version = storage_.ReadIndex(kProbeTimeout);
    last_probe_ = version.ok() ? Status::Ok() : version.status();
    if (!env::FiberSleep(kProbePeriod).ok()) return;
  }
}

Status Writer::Ready() const {
  if (sessions_.draining()) return Unavailable("draining");
  if (!serving_) return last_probe_.ok() ? Unavailable("starting") : last_probe_;
  return last_probe_;
}

v1::WriterStatusResponse Writer::Describe() const {
  v1::WriterStatusResponse out;
  out.set_cluster_id(flags_.storage.cluster.ToString());
  out.set_name(flags_.storage.writer_name);
  out.set_incarnation(storage_.incarnation().value());
  out.set_ready(Ready().ok());
  out.set_draining(sessions_.draining());
  out.set_sessions(static_cast<uint32_t>(sessions_.sessions()));
  out.set_open_transactions(static_cast<uint32_t>(txns_.active()));
  out.set_applied_version(storage_.local_version().value());
  out.set_software_version(kSoftwareVersion);
  out.set_leader_id(storage_.leader().value());
  return out;
}

size_t Writer::Drain(env::Duration limit) {
  sessions_.Drain(limit);
  return sessions_.sessions();
}

void Writer::Shutdown() {
  if (std::exchange(stopping_, true)) {
    sessions_.Drain(env::Duration(0));  // the second signal does not wait
    return;
  }
  sessions_.Drain(flags_.drain_timeout);
  shutdown_ = env::Spawn(loop_, "shutdown", [this] { RunShutdown(); });
}

void Writer::RunShutdown() {
  // Drain's own timer ends what is left at its deadline.
  while (sessions_.sessions() > 0) {
    if (!env::FiberSleep(milliseconds(5)).ok()) break;
  }
  if (listener_ != nullptr) listener_->Close();
  sessions_.Stop();
  if (serving_) {
    const Status status = storage_.FenceSelf(kFenceTimeout);
    if (!status.ok()) logger_.Info("could not end the incarnation", {{"why", status}});
  }
  fibers_.CancelAll();
  storage_.Stop();
  fibers_.Wait();
  on_stopped_();
}

}  // namespace borealis::writer_main
