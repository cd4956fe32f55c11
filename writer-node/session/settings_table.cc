#include <algorithm>
#include <cctype>
#include <string>

#include "writer-node/session/settings.h"

namespace borealis::session {
namespace {

using enum SettingId;
constexpr double kIntMax = 2147483647;

SettingDefinition BoolSetting(SettingId id, std::string_view name, bool value,
                              std::string_view description) {
  return {.id = id,
          .name = name,
          .type = SettingType::kBool,
          .default_text = value ? "on" : "off",
          .description = description};
}

SettingDefinition Milliseconds(SettingId id, std::string_view name, std::string_view value,
                               std::string_view description, double min = 0) {
  return {.id = id,
          .name = name,
          .type = SettingType::kInt,
          .unit = SettingUnit::kMilliseconds,
          .default_text = value,
          .min = min,
          .max = kIntMax,
          .description = description};
}

SettingDefinition Choice(SettingId id, std::string_view name, std::string_view value,
                         std::vector<std::string_view> choices, std::string_view description) {
  return {.id = id,
          .name = name,
          .type = SettingType::kEnum,
          .default_text = value,
          .choices = std::move(choices),
          .description = description};
}

SettingDefinition Text(SettingId id, std::string_view name, std::string_view value,
                       std::string_view description) {
  return {.id = id, .name = name, .default_text = value, .description = description};
}

SettingDefinition Internal(SettingDefinition definition) {
  definition.context = SettingContext::kInternal;
  return definition;
}

SettingDefinition Reported(SettingDefinition definition) {
  definition.report = true;
  return definition;
}

SettingDefinition Number(SettingId id, std::string_view name, std::string_view value, double min,
                         double max, std::string_view description,
                         SettingUnit unit = SettingUnit::kNone) {
  return {.id = id,
          .name = name,
          .type = SettingType::kInt,
          .unit = unit,
          .default_text = value,
          .min = min,
          .max = max,
          .description = description};
}

constexpr std::string_view kNoEffect = "Accepted for compatibility; without effect.";

void AddOwn(std::vector<SettingDefinition>* all) {
  const std::vector<std::string_view> isolations = {"serializable", "repeatable read",
                                                    "read committed", "read uncommitted"};
  all->insert(
      all->end(),
      {Choice(kReadConsistency, "borealis.read_consistency", "strong", {"strong", "local"},
              "Whether statements see every commit acknowledged before, or a local snapshot."),
       Milliseconds(kQuorumWait, "borealis.quorum_wait", "10000",
                    "How long to wait for a majority of the storage members.", 1),
       Number(kRetriesMax, "borealis.retries_max", "100", 0, 1000,
              "How often a conflicting single-statement transaction is run again."),
       Number(kBytesMax, "borealis.transaction_bytes_max", "65536", 64, 1048576,
              "The largest size of a transaction's changes.", SettingUnit::kKilobytes),
       Internal(Text(kWriter, "borealis.writer", "", "The name of this writer.")),
       Reported(Text(kApplicationName, "application_name", "",
                     "Sets the application name to be reported.")),
       Choice(
           kClientMinMessages, "client_min_messages", "notice",
           {"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"},
           "Sets the message levels that are sent to the client."),
       Reported(Text(kDateStyle, "DateStyle", "ISO, MDY",
                     "Sets the display format for date and time values.")),
       BoolSetting(kDefaultTransactionDeferrable, "default_transaction_deferrable", false,
                   "Sets the default deferrable status of new transactions."),
       Choice(kDefaultTransactionIsolation, "default_transaction_isolation", "repeatable read",
              isolations, "Sets the transaction isolation level of each new transaction."),
       Reported(BoolSetting(kDefaultTransactionReadOnly, "default_transaction_read_only", false,
                            "Sets the default read-only status of new transactions.")),
       Number(kExtraFloatDigits, "extra_float_digits", "1", -15, 3,
              "Sets the number of digits displayed for floating-point values."),
       Milliseconds(kIdleInTransactionSessionTimeout, "idle_in_transaction_session_timeout", "0",
                    "Sets the maximum allowed idle time between queries, when in a transaction."),
       Milliseconds(kIdleSessionTimeout, "idle_session_timeout", "0",
                    "Sets the maximum allowed idle time between queries, when not in a "
                    "transaction."),
       Internal(Reported(BoolSetting(kIsSuperuser, "is_superuser", false,
                                     "Shows whether the current user is a superuser."))),
       Milliseconds(kLockTimeout, "lock_timeout", "0",
                    "Sets the maximum allowed duration of any wait for a lock."),
       Internal(Number(kMaxConnections, "max_connections", "100", 1, 262143,
                       "Sets the maximum number of concurrent connections.")),
       Text(kSearchPath, "search_path", "\"$user\", public",
            "Sets the schema search order for names that are not schema-qualified."),
       Internal(
           Reported(Text(kServerVersion, "server_version", "15.0", "Shows the server version."))),
       Internal(Reported(Text(kSessionAuthorization, "session_authorization", "",
                              "Shows the session user name."))),
       Milliseconds(kStatementTimeout, "statement_timeout", "0",
                    "Sets the maximum allowed duration of any statement."),
       Reported(Text(kTimeZone, "TimeZone", "UTC",
                     "Sets the time zone for displaying and interpreting time stamps.")),
       BoolSetting(kTransactionDeferrable, "transaction_deferrable", false,
                   "Whether to defer a read-only serializable transaction."),
       Choice(kTransactionIsolation, "transaction_isolation", "repeatable read", isolations,
              "Sets the current transaction's isolation level."),
       BoolSetting(kTransactionReadOnly, "transaction_read_only", false,
                   "Sets the current transaction's read-only status.")});
}

void AddFixed(std::vector<SettingDefinition>* all) {
  auto fixed = [](std::string_view name, std::string_view value, std::string_view description) {
    return Internal(Text(kOther, name, value, description));
  };
  all->insert(
      all->end(),
      {Reported(Choice(kOther, "client_encoding", "UTF8", {"UTF8"},
                       "Sets the client's character set encoding.")),
       Reported(Choice(kOther, "standard_conforming_strings", "on", {"on"},
                       "Causes '...' strings to treat backslashes literally.")),
       Reported(Choice(kOther, "IntervalStyle", "postgres", {"postgres"},
                       "Sets the display format for interval values.")),
       Choice(kOther, "bytea_output", "hex", {"hex"}, "Sets the output format for bytea."),
       Choice(kOther, "array_nulls", "on", {"on"}, "Enables input of NULL elements in arrays."),
       Choice(kOther, "row_security", "on", {"on", "off"},
              "Enables row security; no table has any."),
       Reported(fixed("server_encoding", "UTF8", "Shows the server's character set encoding.")),
       Reported(fixed("integer_datetimes", "on", "Shows whether datetimes are integer based.")),
       Reported(fixed("in_hot_standby", "off", "Shows whether hot standby is active.")),
       fixed("server_version_num", "150000", "Shows the server version as an integer."),
       fixed("block_size", "8192", "Shows the size of a disk block."),
       fixed("data_checksums", "on", "Shows whether data checksums are turned on."),
       fixed("default_table_access_method", "heap", "Sets the default table access method."),
       fixed("fsync", "on",
             "Commits are synced on a majority of members before they are answered."),
       fixed("full_page_writes", "on", "Shows that torn writes are detected."),
       fixed("lc_collate", "C", "Shows the collation order locale."),
       fixed("lc_ctype", "C", "Shows the character classification and case conversion locale."),
       fixed("max_identifier_length", "63", "Shows the maximum identifier length."),
       fixed("max_index_keys", "32", "Shows the maximum number of index keys."),
       fixed("max_prepared_transactions", "0", "Two-phase commit is not supported."),
       fixed("wal_level", "replica", "Shows the level of information written to the log.")});
}

// None of these changes what a statement answers; each that could weaken a promise is answered with
// the stronger behaviour (synchronous_commit = off still waits for the majority).
void AddWithoutEffect(std::vector<SettingDefinition>* all) {
  for (std::string_view name :
       {"check_function_bodies", "enable_hashagg", "enable_hashjoin", "enable_indexscan",
        "enable_indexonlyscan", "enable_material", "enable_mergejoin", "enable_nestloop",
        "enable_seqscan", "enable_sort", "enable_bitmapscan", "escape_string_warning", "geqo",
        "synchronize_seqscans"}) {
    all->push_back(BoolSetting(kOther, name, true, kNoEffect));
  }
  all->push_back(BoolSetting(kOther, "jit", false, kNoEffect));
  all->push_back(Choice(kOther, "synchronous_commit", "on",
                        {"on", "off", "local", "remote_write", "remote_apply"}, kNoEffect));
  all->push_back(Choice(kOther, "plan_cache_mode", "auto",
                        {"auto", "force_generic_plan", "force_custom_plan"}, kNoEffect));
  all->push_back(Choice(kOther, "xmloption", "content", {"content", "document"}, kNoEffect));
  for (std::string_view name : {"work_mem", "maintenance_work_mem", "temp_buffers",
                                "effective_cache_size", "logical_decoding_work_mem"}) {
    all->push_back(Number(kOther, name, "4096", 64, kIntMax, kNoEffect, SettingUnit::kKilobytes));
  }
  for (std::string_view name : {"lc_messages", "lc_monetary", "lc_numeric", "lc_time"}) {
    all->push_back(Text(kOther, name, "C", kNoEffect));
  }
  all->push_back(Text(kOther, "default_tablespace", "", kNoEffect));
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

const std::vector<SettingDefinition>& SettingDefinitions() {
  static const std::vector<SettingDefinition>* definitions = [] {
    auto* all = new std::vector<SettingDefinition>;
    AddOwn(all);
    AddFixed(all);
    AddWithoutEffect(all);
    std::sort(all->begin(), all->end(),
              [](const auto& a, const auto& b) { return Lower(a.name) < Lower(b.name); });
    return all;
  }();
  return *definitions;
}

}  // namespace borealis::session
