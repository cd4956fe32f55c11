#include "writer-node/session/settings.h"

#include <gtest/gtest.h>

namespace borealis::session {
namespace {

std::string Show(const Settings& settings, std::string_view name) {
  auto value = settings.Show(name);
  return value.ok() ? *value : "ERROR " + std::string(value.sqlstate());
}

std::string Set(Settings& settings, std::string_view name, const std::string& value,
                bool local = false) {
  sql::SqlStatus status = settings.Set(name, {value}, local);
  return status.ok() ? Show(settings, name) : "ERROR " + std::string(status.sqlstate());
}

TEST(Settings, TableIsSortedAndDefaultsAreValid) {
  Settings settings;
  for (const SettingDefinition& d : SettingDefinitions()) {
    EXPECT_NE(Show(settings, d.name), "ERROR 42704") << d.name;
    if (d.context == SettingContext::kUser) {
      EXPECT_TRUE(settings.Set(d.name, {std::string(d.default_text)}, false).ok()) << d.name;
    }
  }
}

TEST(Settings, ReadsAndShowsValuesAsPostgresqlDoes) {
  Settings s;
  struct Case {
    std::string name, value, shown;
  };
  for (const Case& c :
       std::vector<Case>{{"statement_timeout", "10s", "10s"},
                         {"statement_timeout", "1500", "1500ms"},
                         {"statement_timeout", "120000", "2min"},
                         {"statement_timeout", "0", "0"},
                         {"statement_timeout", "-1", "ERROR 22023"},
                         {"statement_timeout", "5kB", "ERROR 22023"},
                         {"statement_timeout", "soon", "ERROR 22023"},
                         {"work_mem", "64MB", "64MB"},
                         {"WORK_MEM", "100", "100kB"},
                         {"default_transaction_read_only", "tru", "on"},
                         {"default_transaction_read_only", "o", "ERROR 22023"},
                         {"default_transaction_isolation", "READ COMMITTED", "read committed"},
                         {"default_transaction_isolation", "chaos", "ERROR 22023"},
                         {"client_encoding", "utf-8", "UTF8"},
                         {"client_encoding", "latin1", "ERROR 0A000"},
                         {"standard_conforming_strings", "off", "ERROR 0A000"},
                         {"timezone", "Etc/UTC", "UTC"},
                         {"timezone", "Europe/Berlin", "ERROR 0A000"},
                         {"datestyle", "iso, mdy", "ISO, MDY"},
                         {"datestyle", "german", "ERROR 0A000"},
                         {"borealis.read_consistency", "local", "local"},
                         {"borealis.read_consistency", "weak", "ERROR 22023"},
                         {"borealis.nothing", "1", "ERROR 42704"},
                         {"shop.tenant", "seven", "seven"},
                         {"nothing", "1", "ERROR 42704"},
                         {"server_version", "16", "ERROR 55P02"},
                         {"search_path", "My Schema", "\"My Schema\""}}) {
    EXPECT_EQ(Set(s, c.name, c.value), c.shown) << c.name << " = " << c.value;
  }
}

TEST(Settings, SerializableIsRefused) {
  Settings s;
  EXPECT_EQ(Set(s, "default_transaction_isolation", "serializable"), "ERROR 0A000");
  EXPECT_EQ(Set(s, "transaction_isolation", "serializable"), "ERROR 0A000");
}

TEST(Settings, FollowTheirTransaction) {
  Settings s;
  Set(s, "application_name", "before");
  s.EndTransaction(true);
  Set(s, "application_name", "inside");
  const Settings::Mark mark = s.SetMark();
  Set(s, "application_name", "after the savepoint");
  Set(s, "shop.x", "1");
  s.RollbackTo(mark);
  EXPECT_EQ(Show(s, "application_name"), "inside");
  EXPECT_EQ(Show(s, "shop.x"), "ERROR 42704");
  s.EndTransaction(false);
  EXPECT_EQ(Show(s, "application_name"), "before");

  Set(s, "application_name", "for the session");
  Set(s, "application_name", "for the transaction", true);
  EXPECT_EQ(Show(s, "application_name"), "for the transaction");
  s.EndTransaction(true);
  EXPECT_EQ(Show(s, "application_name"), "for the session");
}

TEST(Settings, ResetReturnsToWhatTheClientAskedForAtStartup) {
  Settings s;
  ASSERT_TRUE(s.SetAtStartup("application_name", "psql").ok());
  Set(s, "application_name", "other");
  ASSERT_TRUE(s.Reset("application_name", false).ok());
  EXPECT_EQ(Show(s, "application_name"), "psql");
}

TEST(Settings, ReportsChangesOnce) {
  Settings s;
  EXPECT_FALSE(s.TakeChanges().empty());
  EXPECT_TRUE(s.TakeChanges().empty());
  Set(s, "application_name", "x");
  Set(s, "statement_timeout", "1s");  // not one that clients are told of
  auto changes = s.TakeChanges();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0], (std::pair<std::string, std::string>("application_name", "x")));
}

TEST(SplitNames, ReadsQuotedNames) {
  EXPECT_EQ(SplitNames(" A, \"B \"\"c\"\"\" ,d"), (std::vector<std::string>{"a", "B \"c\"", "d"}));
  EXPECT_EQ(SplitNames(""), std::vector<std::string>{});
  for (std::string_view text : {",", "a,", "\"a", "\"\"", "a b", "a,,b"}) {
    EXPECT_FALSE(SplitNames(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace borealis::session
