#include "storage-node/raft/raft.h"

#include "storage-node/raft/core.h"

namespace borealis::raft {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "unknown";
}

Result<std::unique_ptr<Raft>> Raft::Create(Options options, const LogReader* log) {
  auto impl = std::make_unique<Impl>(std::move(options), log);
  RETURN_IF_ERROR(impl->Init());
  return std::unique_ptr<Raft>(new Raft(std::move(impl)));
}

Raft::Raft(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Raft::~Raft() = default;

void Raft::Tick() {
  impl_->Tick();
}
Status Raft::Step(Message message) {
  return impl_->Step(std::move(message));
}
Result<Proposal> Raft::Propose(std::vector<ProposedEntry> entries) {
  return impl_->Propose(std::move(entries));
}
Status Raft::ReadIndex(uint64_t context) {
  return impl_->ReadIndex(context);
}
Status Raft::TransferLeadership(MemberId target) {
  return impl_->TransferLeadership(target);
}
Status Raft::Campaign() {
  return impl_->Campaign();
}
bool Raft::HasReady() const {
  return impl_->HasReady();
}
Ready Raft::TakeReady() {
  return impl_->TakeReady();
}
void Raft::OnDurable(uint64_t persist_sequence) {
  impl_->OnDurable(persist_sequence);
}
void Raft::OnApplied(LogIndex index) {
  impl_->OnApplied(index);
}
void Raft::OnUnreachable(MemberId peer) {
  impl_->OnUnreachable(peer);
}
void Raft::SetStateHash(LogIndex index, uint64_t hash) {
  impl_->SetStateHash(index, hash);
}
void Raft::SetInflightLimit(int messages, size_t bytes) {
  impl_->SetInflightLimit(messages, bytes);
}
Role Raft::role() const {
  return impl_->role();
}
Term Raft::term() const {
  return impl_->term();
}
MemberId Raft::leader() const {
  return impl_->leader();
}
LogIndex Raft::commit() const {
  return impl_->commit();
}
LogIndex Raft::last_index() const {
  return impl_->log().last();
}
LogIndex Raft::durable_index() const {
  return impl_->log().durable();
}
RaftStatus Raft::status() const {
  return impl_->status();
}
const Status& Raft::fault() const {
  return impl_->fault();
}

}  // namespace borealis::raft
