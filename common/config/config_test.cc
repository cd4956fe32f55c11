#include "common/config/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/testing/sim_file.h"

namespace borealis::config {
namespace {

using env::Duration;

class ConfigTest : public ::testing::Test {
 protected:
  Status Parse(std::vector<std::string> args) { return registry_.ParseFlags(args, files_); }
  void WriteFile(const std::string& text) {
    ASSERT_TRUE(files_.WriteFileAtomic("p.yaml", text).ok());
  }

  testing::SimFileSystem files_;
  Registry registry_{"borealis-test", "a test"};
  Param<std::string> dir_ = registry_.String(
      {.name = "data-dir", .description = "where data lives", .required = true}, "");
  Param<bool> chaos_ = registry_.Bool({.name = "chaos", .description = "fault hooks"}, false);
  Param<int64_t> ticks_ = registry_.Int(
      {.name = "ticks", .description = "ticks", .change = Change::kDynamic, .unit = "ticks"}, 10, 1,
      100);
  Param<double> ratio_ = registry_.Double({.name = "ratio", .description = "ratio"}, 0.5, 0, 1);
  Param<std::string> level_ =
      registry_.Enum({.name = "level", .description = "log level"}, "info", {"info", "warning"});
  Param<Duration> timeout_ =
      registry_.Time({.name = "timeout", .description = "how long"}, std::chrono::seconds(1),
                     std::chrono::milliseconds(10), std::chrono::hours(1));
  Param<int64_t> cache_ = registry_.Size({.name = "cache", .description = "how much"}, 64 << 20,
                                         1 << 20, int64_t{1} << 40);
};

TEST_F(ConfigTest, DefaultsHoldUntilFlagsAreGiven) {
  ASSERT_TRUE(Parse({"--data-dir=/d"}).ok());
  EXPECT_EQ(*dir_, "/d");
  EXPECT_EQ(*ticks_, 10);
  EXPECT_EQ(ticks_.parameter().source, "default");
  Status status = Parse({"--data-dir", "/e", "--chaos", "--ticks=100", "--ratio=1e-1",
                         "--level=warning", "--timeout=1.5s", "--cache=1GiB"});
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(*dir_, "/e");
  EXPECT_TRUE(*chaos_);
  EXPECT_EQ(*ticks_, 100);
  EXPECT_EQ(*ratio_, 0.1);
  EXPECT_EQ(*level_, "warning");
  EXPECT_EQ(*timeout_, std::chrono::milliseconds(1500));
  EXPECT_EQ(*cache_, 1 << 30);
  EXPECT_EQ(ticks_.parameter().source, "flag");
}

TEST_F(ConfigTest, FlagsOverrideTheFileWhateverTheOrder) {
  WriteFile("data-dir: /from-file\n# comment\nticks: 7\ntimeout: 20ms\ncache: 2MiB\n");
  Status status = Parse({"--ticks=8", "--config=p.yaml"});
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(*dir_, "/from-file");
  EXPECT_EQ(*ticks_, 8);
  EXPECT_EQ(*timeout_, std::chrono::milliseconds(20));
  EXPECT_EQ(timeout_.parameter().source, "p.yaml:4");
}

TEST_F(ConfigTest, WrongFlagsAreNamedWithWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--ticks=0", "parameter ticks: value \"0\" is out of range; allowed: 1 to 100"},
      {"--ticks=ten", "parameter ticks: value \"ten\" is not a whole number; allowed: 1 to 100"},
      {"--ticks=1x", "parameter ticks: value \"1x\" is not a whole number; allowed: 1 to 100"},
      {"--ticks=99999999999999999999",
       "parameter ticks: value \"99999999999999999999\" is not a whole number; allowed: 1 to 100"},
      {"--ratio=nan", "parameter ratio: value \"nan\" is not a number; allowed: 0 to 1"},
      {"--level=loud",
       "parameter level: value \"loud\" is not one of the choices; allowed: one of info, warning"},
      {"--chaos=maybe",
       "parameter chaos: value \"maybe\" is not a truth value; allowed: true or false"},
      {"--timeout=5",
       "parameter timeout: value \"5\" is not a time with unit (us, ms, s, m, h, d); "
       "allowed: 10ms to 1h"},
      {"--timeout=2h", "parameter timeout: value \"2h\" is out of range; allowed: 10ms to 1h"},
      {"--cache=1KiB", "parameter cache: value \"1KiB\" is out of range; allowed: 1MiB to 1TiB"},
      {"--cache=99999999TiB",
       "parameter cache: value \"99999999TiB\" is not a size (bytes, or with KiB, MiB, GiB, TiB, "
       "KB, MB, GB, TB); allowed: 1MiB to 1TiB"},
      {"--none=1", "unknown flag --none"},
      {"stray", "unexpected argument \"stray\""},
      {"--", "unexpected argument \"--\""},
      {"--ticks", "flag --ticks needs a value; allowed: 1 to 100"},
      {"--config=none.yaml", "open none.yaml: No such file or directory"},
      {"--chaos=true", "parameter data-dir is required; allowed: text of at most 4096 bytes"},
  };
  for (const auto& [flag, message] : cases) {
    EXPECT_EQ(Parse({flag}).message(), message) << flag;
  }
}

TEST_F(ConfigTest, WrongFilesAreNamedWithTheLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\nticks: 1000\n",
       "p.yaml:2: parameter ticks: value \"1000\" is out of range; allowed: 1 to 100"},
      {"nothing: 1\n", "p.yaml:1: unknown parameter nothing"},
      {"ticks: [1, 2]\n", "p.yaml:1: parameter ticks: expected a single value"},
      {"- ticks\n", "p.yaml:1: expected a mapping of parameters to values"},
      {"ticks: 1\nticks: 2\n", "p.yaml:2: parameter ticks stands there twice"},
  };
  for (const auto& [text, message] : cases) {
    WriteFile(text);
    EXPECT_EQ(registry_.LoadYaml("p.yaml", files_).message(), message) << text;
  }
  for (const char* text : {"ticks: {", "a: b: c", "\"", "\t- x", "!!binary : &a *b"}) {
    WriteFile(text);
    Status status = registry_.LoadYaml("p.yaml", files_);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << text;
    EXPECT_TRUE(status.message().starts_with("p.yaml")) << status.message();
  }
  WriteFile("");
  EXPECT_TRUE(registry_.LoadYaml("p.yaml", files_).ok());
}

TEST_F(ConfigTest, ValuesReadBackAsFormatted) {
  for (const Parameter& p : registry_.parameters()) {
    if (p.type == Type::kString) continue;
    const std::string text = FormatValue(p.type, p.default_value);
    ASSERT_TRUE(registry_.Set(p.name, text, "test").ok()) << p.name << " " << text;
    EXPECT_EQ(FormatValue(p.type, p.value), text);
  }
}

TEST_F(ConfigTest, HelpAndJsonShowAll) {
  ASSERT_TRUE(Parse({"--data-dir=/d\xff"}).ok());
  const std::string help = registry_.HelpText();
  for (const Parameter& p : registry_.parameters()) {
    EXPECT_NE(help.find("--" + p.name), std::string::npos);
  }
  EXPECT_NE(help.find("1 to 100; default 10; dynamic"), std::string::npos) << help;
  nlohmann::json all = nlohmann::json::parse(registry_.ParametersJson());
  ASSERT_EQ(all.size(), registry_.parameters().size());
  EXPECT_EQ(all[3]["name"], "ticks");
  EXPECT_EQ(all[3]["change"], "dynamic");
  EXPECT_EQ(all[3]["min"], "1");
  EXPECT_EQ(all[6]["default"], "1s");
}

int RunMain(std::vector<std::string> args) {
  args.insert(args.begin(), "prog");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  Registry registry("prog", "a program");
  registry.Int({.name = "n", .description = "n"}, 1, 1, 3);
  ParseCommandLineOrExit(registry, static_cast<int>(argv.size()), argv.data());
  std::exit(77);
}

TEST(ConfigDeathTest, MainExitsAsDocumented) {
  EXPECT_EXIT(RunMain({"--n=9"}), ::testing::ExitedWithCode(2),
              "prog: parameter n: value \"9\" is out of range; allowed: 1 to 3\nprog --help");
  EXPECT_EXIT(RunMain({"--config=/nowhere"}), ::testing::ExitedWithCode(2), "/nowhere");
  EXPECT_EXIT(RunMain({"--help"}), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(RunMain({"--print-parameters=json"}), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(RunMain({"--n=2"}), ::testing::ExitedWithCode(77), "");
}

}  // namespace
}  // namespace borealis::config
