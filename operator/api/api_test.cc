// The typed resources against the schemas: the same defaults, the same refusals.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <sstream>

#include "operator/api/cluster.h"

namespace borealis::api {
namespace {

YAML::Node SpecSchema(const std::string& file) {
  const YAML::Node crd = YAML::LoadFile(file);
  return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
}

Json WithSpec(Json spec) {
  return {{"metadata", {{"name", "shop"}, {"namespace", "ns"}}}, {"spec", std::move(spec)}};
}

// Every scalar default of the schema stands equal in `spec`.
void ExpectDefaults(const YAML::Node& schema, const Json& spec, const std::string& path) {
  for (const auto& entry : schema["properties"]) {
    const std::string name = entry.first.as<std::string>(), at = path + "." + name;
    const YAML::Node field = entry.second;
    if (field["properties"] && name != "resources") {
      ExpectDefaults(field, spec.value(name, Json::object()), at);
    } else if (field["default"] && field["default"].IsScalar()) {
      ASSERT_TRUE(spec.contains(name)) << at;
      const Json value = spec[name];
      EXPECT_EQ(value.is_string() ? value.get<std::string>() : value.dump(),
                field["default"].as<std::string>())
          << at;
    }
  }
}

TEST(ApiTest, DefaultsAreThoseOfTheSchema) {
  const auto cluster = ParseCluster(WithSpec(Json::object()));
  ASSERT_TRUE(cluster.ok()) << cluster.status().message();
  ExpectDefaults(SpecSchema("crds/multimasterclusters.yaml"), ClusterSpecJson(*cluster), "spec");
}

TEST(ApiTest, ASpecReadsBackAsWritten) {
  const Json spec = {
      {"version", "0.1"},
      {"paused", true},
      {"deletionPolicy", "Delete"},
      {"writers", {{"replicas", 5}, {"drainSeconds", 7}}},
      {"storage",
       {{"members", 3}, {"size", "5Gi"}, {"zones", {"x", "y", "z"}}, {"storageClassName", "fast"}}},
      {"tls", {{"mode", "Disabled"}}},
      {"chaos", {{"enabled", true}}}};
  const auto cluster = ParseCluster(WithSpec(spec));
  ASSERT_TRUE(cluster.ok()) << cluster.status().message();
  EXPECT_EQ(ClusterSpecJson(*cluster), spec);
}

TEST(ApiTest, WrongSpecsAreRefusedWithTheFieldsName) {
  const std::pair<Json, std::string> cases[] = {
      {{{"storage", {{"members", 4}}}}, "spec.storage.members must be 1, 3 or 6"},
      {{{"storage", {{"members", "6"}}}}, "spec.storage.members must be a number"},
      {{{"storage", {{"size", "-1Gi"}}}}, "spec.storage.size"},
      {{{"storage", {{"zones", {"a", "a", "b"}}}}}, "must not name a zone twice"},
      {{{"storage", {{"zones", Json::array({"a"})}}}}, "must name exactly 3"},
      {{{"writers", {{"replicas", 0}}}}, "spec.writers.replicas must be a number from 1 to 9"},
      {{{"writers", Json::array({1, 2})}}, "spec.writers must be an object"},
      {{{"tls", {{"mode", "Required"}}}}, "spec.tls.mode must be Disabled"},
      {{{"deletionPolicy", "Snapshot"}}, "spec.deletionPolicy"},
      {{{"version", "2"}}, "spec.version"},
  };
  for (const auto& [spec, wanted] : cases) {
    const auto cluster = ParseCluster(WithSpec(spec));
    ASSERT_FALSE(cluster.ok()) << spec;
    EXPECT_NE(cluster.status().message().find(wanted), std::string::npos)
        << cluster.status().message();
  }
  for (const Json& junk : {Json(), Json(3), Json::array(), Json({{"metadata", 1}})}) {
    EXPECT_FALSE(ParseCluster(junk).ok()) << junk;
    EXPECT_FALSE(ParseChaosTest(junk).ok()) << junk;
  }
}

TEST(ApiTest, FaultsAreReadAndChecked) {
  const auto parse = [](const Json& fault) {
    return ParseChaosTest(
        WithSpec({{"clusterRef", {{"name", "shop"}}}, {"faults", Json::array({fault})}}));
  };
  const auto good = parse({{"at", "1m"}, {"type", "KillPod"}, {"target", {{"role", "Writer"}}}});
  EXPECT_FALSE(good.ok());  // at the workload's very end
  const auto fault = parse(
      {{"at", "20s"}, {"type", "Pause"}, {"target", {{"role", "Leader"}}}, {"durationSeconds", 5}});
  ASSERT_TRUE(fault.ok()) << fault.status().message();
  EXPECT_EQ(fault->faults[0].name, "0-pause-leader");
  EXPECT_EQ(fault->faults[0].at_seconds, 20);
  EXPECT_FALSE(
      parse({{"at", "20s"}, {"type", "PartitionZone"}, {"target", {{"role", "Leader"}}}}).ok());
  EXPECT_FALSE(parse({{"at", "soon"}, {"type", "Pause"}, {"target", {{"role", "Leader"}}}}).ok());
}

TEST(ApiTest, TheChartsSchemasAreTheFolders) {
  for (const std::string file : {"multimasterclusters.yaml", "chaostests.yaml"}) {
    std::stringstream ours;
    ours << std::ifstream("crds/" + file).rdbuf();
    ASSERT_FALSE(ours.str().empty());
    // The chart adds one line: helm uninstall leaves the resources, and so the data, alone.
    std::string chart, line;
    std::ifstream in("charts/borealis-crds/templates/" + file);
    while (std::getline(in, line)) {
      if (line.find("helm.sh/resource-policy: keep") == std::string::npos) chart += line + "\n";
    }
    EXPECT_TRUE(ours.str() == chart) << file << ": run charts/update-crds";
  }
}

}  // namespace
}  // namespace borealis::api
