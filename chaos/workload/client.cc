#include "chaos/workload/client.h"

#include "common/env/thread.h"

namespace borealis::chaos {

namespace {

constexpr env::Duration kRetryPause = std::chrono::milliseconds(5);
// Ids of one client: its number times this, plus a counter.
constexpr int64_t kIdsPerClient = 1'000'000'000;

struct Transfer {
  int64_t id = 0;
  int source = 0;
  int destination = 0;
  int amount = 0;
};

Transfer Draw(const BankOptions& options, env::Random& random, int64_t id) {
  Transfer transfer;
  transfer.id = id;
  transfer.source = static_cast<int>(random.Uniform(options.accounts));
  transfer.destination = static_cast<int>(random.Uniform(options.accounts - 1));
  if (transfer.destination >= transfer.source) transfer.destination++;
  transfer.amount = 1 + static_cast<int>(random.Uniform(100));
  return transfer;
}

// One try. *at_commit says whether COMMIT had been sent when the answer came.
Answer Try(const BankOptions& options, Connection& connection, const Transfer& transfer,
           bool* at_commit) {
  std::string accounts = AccountsTable(options);
  std::string amount = std::to_string(transfer.amount);
  auto run = [&](const std::string& sql, const std::vector<std::string>& parameters) {
    return connection.Execute(sql, parameters, options.statement_timeout);
  };
  *at_commit = false;
  Answer answer = run("BEGIN", {});
  if (answer.ok) {
    answer = run("UPDATE " + accounts + " SET balance = balance - $2::bigint WHERE id = $1::int",
                 {std::to_string(transfer.source), amount});
  }
  if (answer.ok) {
    answer = run("UPDATE " + accounts + " SET balance = balance + $2::bigint WHERE id = $1::int",
                 {std::to_string(transfer.destination), amount});
  }
  if (answer.ok) {
    answer = run("INSERT INTO " + TransfersTable(options) +
                     " (id, source, destination, amount) VALUES ($1::bigint, $2::int, $3::int, "
                     "$4::bigint)",
                 {std::to_string(transfer.id), std::to_string(transfer.source),
                  std::to_string(transfer.destination), amount});
  }
  if (!answer.ok) return answer;
  *at_commit = true;
  return run("COMMIT", {});
}

// Tries until the transfer is acknowledged or in doubt, or the run ends.
void Carry(BankRun& run, RovingSession& session, const Transfer& transfer) {
  while (!run.stop) {
    Connection* connection = session.Get();
    if (connection == nullptr) {
      run.history.Error(Answer{});
      env::BlockThreadFor(kRetryPause);
      continue;
    }
    bool at_commit = false;
    Answer answer = Try(run.options, *connection, transfer, &at_commit);
    Told told = Judge(answer, at_commit);
    run.history.Record(transfer.id, told);
    if (told == Told::kAcknowledged) {
      run.gaps.Acknowledged(env::SystemClock().Monotonic());
      return;
    }
    run.history.Error(answer);
    if (answer.lost || !connection->usable()) {
      session.MoveOn();
    } else if (!at_commit &&
               !connection->Execute("ROLLBACK", {}, run.options.statement_timeout).ok) {
      session.MoveOn();
    } else if (answer.sqlstate.starts_with("57") || answer.sqlstate.starts_with("08")) {
      session.MoveOn();  // this writer cannot help now
    }
    if (told == Told::kInDoubt) return;  // never again under this id: it may be there
    env::BlockThreadFor(kRetryPause);
  }
}

}  // namespace

std::string AccountsTable(const BankOptions& options) {
  return options.prefix + "_accounts";
}
std::string TransfersTable(const BankOptions& options) {
  return options.prefix + "_transfers";
}

void BankRun::Anomaly(const std::string& sentence) {
  std::lock_guard<std::mutex> lock(mu);
  anomalies++;
  if (findings.size() < kFindingsMax) findings.push_back(sentence);
}

Connection* RovingSession::Get() {
  if (connection_ != nullptr) return connection_.get();
  for (size_t tried = 0; tried < options_.targets.size(); tried++) {
    auto opened =
        Connection::Open(options_.targets[target_], options_.credentials, options_.connect_timeout);
    if (opened.ok()) {
      connection_ = std::move(*opened);
      return connection_.get();
    }
    target_ = (target_ + 1) % options_.targets.size();
  }
  return nullptr;
}

void RovingSession::MoveOn() {
  connection_.reset();
  target_ = (target_ + 1) % options_.targets.size();
}

void RunClient(BankRun& run, int client) {
  env::SeededRandom random(run.options.seed * 1000 + static_cast<uint64_t>(client));
  RovingSession session(run.options, static_cast<size_t>(client));
  int64_t id = client * kIdsPerClient;
  while (!run.stop) Carry(run, session, Draw(run.options, random, ++id));
}

void RunReader(BankRun& run) {
  const BankOptions& options = run.options;
  env::SeededRandom random(run.options.seed * 1000 + 999);
  const std::string total = std::to_string(kInitialBalance * options.accounts);
  const std::string sum = "SELECT sum(balance), count(*) FROM " + AccountsTable(options);
  const std::string find =
      "SELECT count(*) FROM " + TransfersTable(options) + " WHERE id = $1::bigint";
  for (size_t turn = 0; !run.stop; turn++) {
    RovingSession session(options, turn);
    Connection* connection = session.Get();
    for (int i = 0; connection != nullptr && i < 10 && !run.stop; i++) {
      // Chosen before the statement is sent, so it must be visible to it, on whichever writer.
      int64_t id = run.history.AnyAcknowledged(random.U64());
      if (id != 0) {
        Answer found = connection->Execute(find, {std::to_string(id)}, options.statement_timeout);
        if (found.ok && found.rows[0][0] != "1") {
          run.Anomaly("transfer " + std::to_string(id) +
                      " was acknowledged, and a statement that " + "began later on " +
                      session.target_name() + " found " + found.rows[0][0]);
        }
        if (found.lost) break;
      }
      Answer snapshot = connection->Execute(sum, {}, options.statement_timeout);
      if (snapshot.ok) {
        std::lock_guard<std::mutex> lock(run.mu);
        run.snapshots++;
      }
      if (snapshot.ok && (snapshot.rows[0][0] != total ||
                          snapshot.rows[0][1] != std::to_string(options.accounts))) {
        run.Anomaly("a snapshot on " + session.target_name() + " has the total " +
                    snapshot.rows[0][0] + " over " + snapshot.rows[0][1] + " accounts, not " +
                    total);
      }
      if (snapshot.lost) break;
      env::BlockThreadFor(std::chrono::milliseconds(20));
    }
    env::BlockThreadFor(kRetryPause);
  }
}

}  // namespace borealis::chaos
