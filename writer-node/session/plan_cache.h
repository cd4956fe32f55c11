// Parsed and planned statements, shared by the sessions of a writer.
//
// A Query is one statement of some text. Its plan is made at first use, and again whenever the
// catalog has changed so that the plan no longer stands: a table it was made for is gone or at
// another schema version, or the search path differs. The cache finds Queries by text, parameter
// types and search path, least recently used out first. Writer's loop only.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/sql/error.h"
#include "writer-node/catalog/snapshot.h"
#include "writer-node/parser/parser.h"
#include "writer-node/planner/plan.h"

namespace borealis::session {

struct Query {
  std::string text;                                    // what was given to Parse, for positions
  std::shared_ptr<const parser::Statement> statement;  // null: an empty query
  std::vector<uint32_t> given_types;                   // of $1..; 0: inferred

  // SELECT, INSERT, UPDATE, DELETE only.
  planner::PlanRef plan;
  catalog::SnapshotPtr planned_for;  // the newest catalog the plan is known to stand for
  std::vector<std::string> planned_path;
  bool uses_virtual = false;  // reads pg_catalog or information_schema
};
using QueryPtr = std::shared_ptr<Query>;

// SELECT, INSERT, UPDATE, DELETE: what is bound, planned and executed.
bool IsPlanned(const parser::Statement& statement);
// Every table that the plan was made for is there at the same schema version.
bool PlanStands(const planner::Plan& plan, const catalog::CatalogSnapshot& catalog);
// Of the columns that the client sees.
std::vector<uint32_t> ResultTypes(const planner::Plan& plan);
// Makes or revalidates query->plan for the catalog and path. Errors of binding.
sql::SqlResult<planner::PlanRef> PlanFor(Query* query, const catalog::SnapshotPtr& catalog,
                                         const std::vector<std::string>& search_path);

class PlanCache {
 public:
  explicit PlanCache(size_t entries_max) : entries_max_(entries_max) {}
  // A Query of one statement (42601 for several), parsed now or before.
  sql::SqlResult<QueryPtr> Parse(std::string_view text, const std::vector<uint32_t>& types,
                                 const std::vector<std::string>& search_path);
  size_t size() const { return entries_.size(); }
  uint64_t hits() const { return hits_; }
  uint64_t misses() const { return misses_; }
  void Clear();

 private:
  using Entry = std::pair<std::string, QueryPtr>;
  const size_t entries_max_;
  std::list<Entry> recent_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> entries_;
  uint64_t hits_ = 0;
  uint64_t misses_ = 0;
};

}  // namespace borealis::session
