// The settings of a session: SET, SHOW, RESET, set_config(), the parameters of a startup packet.
//
// One table (settings_table.cc) says of each its PostgreSQL name, type, unit, range, default and
// whether clients are told of changes. docs/design/sessions.md lists those that are accepted
// without effect, and why that is harmless.
//
// SET is transactional as in PostgreSQL: an aborted (sub)transaction takes it back, SET LOCAL ends
// with its transaction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/error.h"
#include "writer-node/catalog/virtual_tables.h"

namespace borealis::session {

// The settings that the writer itself reads. Others are found by name.
enum class SettingId : uint8_t {
  kApplicationName,
  kBytesMax,
  kClientMinMessages,
  kDateStyle,
  kDefaultTransactionDeferrable,
  kDefaultTransactionIsolation,
  kDefaultTransactionReadOnly,
  kExtraFloatDigits,
  kIdleInTransactionSessionTimeout,
  kIdleSessionTimeout,
  kIsSuperuser,
  kLockTimeout,
  kMaxConnections,
  kQuorumWait,
  kReadConsistency,
  kRetriesMax,
  kSearchPath,
  kServerVersion,
  kSessionAuthorization,
  kStatementTimeout,
  kTimeZone,
  kTransactionDeferrable,
  kTransactionIsolation,
  kTransactionReadOnly,
  kWriter,
  kOther,
};

enum class SettingType : uint8_t { kBool, kInt, kReal, kString, kEnum };
enum class SettingUnit : uint8_t { kNone, kMilliseconds, kKilobytes };
enum class SettingContext : uint8_t {
  kUser,      // SET
  kInternal,  // only the server sets it: 55P02
};

struct SettingDefinition {
  SettingId id = SettingId::kOther;
  std::string_view name;  // as PostgreSQL spells it
  SettingType type = SettingType::kString;
  SettingUnit unit = SettingUnit::kNone;
  SettingContext context = SettingContext::kUser;
  bool report = false;  // ParameterStatus
  std::string_view default_text;
  double min = 0;
  double max = 0;
  std::vector<std::string_view> choices = {};  // kEnum; in the form that is shown
  std::string_view description;
};
// Sorted by lower-case name.
const std::vector<SettingDefinition>& SettingDefinitions();

class Settings {
 public:
  Settings();

  // ---- values
  // As SHOW shows it. 42704 for a name that is not known.
  sql::SqlResult<std::string> Show(std::string_view name) const;
  const std::string& Text(SettingId id) const;
  bool Bool(SettingId id) const;
  int64_t Int(SettingId id) const;  // in the setting's unit
  // search_path, without "$user" and quotes.
  const std::vector<std::string>& search_path() const { return search_path_; }
  // (name, value, description) of all, sorted by name.
  struct Row {
    std::string name, value, description;
  };
  std::vector<Row> ShowAll() const;
  // pg_settings: numbers in the setting's unit.
  std::vector<catalog::SettingRow> Describe() const;

  // ---- changes. `values` as SET lists them; 42704, 22023 with PostgreSQL's words, 55P02, 0A000.
  sql::SqlStatus Set(std::string_view name, const std::vector<std::string>& values, bool local);
  sql::SqlStatus Reset(std::string_view name, bool local);
  void ResetAll();
  // By the server; no checks, not transactional.
  void SetInternal(SettingId id, std::string text);
  // From a startup packet: becomes the session's default, to which RESET returns.
  sql::SqlStatus SetAtStartup(std::string_view name, const std::string& value);

  // ---- transactions
  using Mark = size_t;
  Mark SetMark() const { return undo_.size(); }
  void RollbackTo(Mark mark);
  // The transaction ended: a commit ends what SET LOCAL set, a rollback takes all back.
  void EndTransaction(bool committed);

  // Reported settings whose value differs from the one last taken here.
  std::vector<std::pair<std::string, std::string>> TakeChanges();

 private:
  struct Value {
    std::string current;
    std::string session;  // when the transaction commits
    std::string reset;    // of RESET
    std::optional<std::string> reported;
    int64_t number = 0;  // of current: kBool, kInt
  };
  struct Undo {
    size_t index = 0;  // in values_; npos: `custom`
    std::string custom;
    std::optional<std::string> current, session;
  };
  static constexpr size_t kNone = static_cast<size_t>(-1);

  sql::SqlStatus Change(size_t index, const std::string& text, bool local);
  sql::SqlStatus ChangeCustom(const std::string& name, const std::string& text, bool local);
  void Store(size_t index, std::string text);
  std::string Shown(size_t index) const;

  std::vector<Value> values_;            // parallel to SettingDefinitions()
  std::map<std::string, Value> custom_;  // "class.name" that nobody defined
  std::vector<Undo> undo_;
  std::vector<std::string> search_path_;
};

// Splits 'a, "B c", d' into names; none when it is malformed.
std::optional<std::vector<std::string>> SplitNames(std::string_view list);

}  // namespace borealis::session
