// The binder's inside. Private to this module.
//
// Failures travel as exceptions from where they are found to the entry points in binder.cc, which
// turn them into SqlStatus with a character position; none leaves the module.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/sql/coerce.h"
#include "writer-node/binder/binder.h"
#include "writer-node/binder/bound_walk.h"

namespace borealis::binder {

struct BindFailure {
  sql::SqlStatus status;
  int location = -1;  // byte offset in the text
};

[[noreturn]] void Fail(std::string_view sqlstate, std::string message, int location = -1,
                       std::string hint = "", std::string detail = "");
[[noreturn]] void Unsupported(std::string_view feature, int location = -1);
// Rethrows an error of the sql module at a location.
[[noreturn]] void Rethrow(sql::SqlStatus status, int location);

template <typename T>
T Check(sql::SqlResult<T> result, int location) {
  if (!result.ok()) Rethrow(std::move(result.status()), location);
  return std::move(result).value();
}

// The clause an expression stands in: what it may contain, and its name for messages.
enum class Clause : uint8_t {
  kSelect,
  kWhere,
  kOn,
  kGroupBy,
  kHaving,
  kOrderBy,
  kLimit,
  kOffset,
  kValues,
  kReturning,
  kSet,
  kFunctionArgs,
  kCheck,
  kDefault,
  kFilter,
  kAggregateArgs,
  kExecute,
};
const char* ClauseName(Clause clause);

struct ScopeColumn {
  std::string name;
  int id = -1;
  sql::Type type;
  uint32_t table_oid = 0;
  int16_t attnum = 0;
};

struct ScopeRelation {
  std::string alias;
  std::string schema;  // of a table without an alias: it may be named schema.table too
  catalog::TablePtr table;
  std::vector<ScopeColumn> columns;
};

struct CteEntry {
  const parser::CommonTable* table = nullptr;
  int references = 0;
};

// What names mean at one level of query.
struct Scope {
  explicit Scope(Scope* outer) : parent(outer) {}
  Scope* parent;
  std::vector<ScopeRelation> relations;
  // What a name without a relation, and *, may mean: the relations' columns with those merged by
  // USING once.
  std::vector<ScopeColumn> unqualified;
  std::vector<CteEntry>* ctes = nullptr;  // visible from here inwards
  size_t cte_limit = 0;                   // the first so many of them
  Query* query = nullptr;                 // where aggregates go; null where none are allowed
  bool in_aggregate = false;
};

struct FoundColumn {
  const ScopeColumn* column = nullptr;
  Scope* scope = nullptr;
};

// What the binder knows of each column number.
struct ColumnOrigin {
  const Query* owner = nullptr;  // of FROM columns: the query whose FROM it is
  std::string text;              // "t.a"
};

class Binder {
 public:
  explicit Binder(const BindOptions& options);

  void BindStatement(const parser::Statement& statement);
  std::unique_ptr<Statement> Finish();

  // bind_types.cc
  sql::Type ResolveType(const parser::TypeName& type);
  // Null when there is none. Schema "" searches the path.
  catalog::TablePtr FindTable(const parser::RelationName& name);
  catalog::TablePtr RequireTable(const parser::RelationName& name);
  std::optional<uint32_t> FindRelationOid(const std::vector<std::string>& name);
  // The schema that a new relation goes to, or that an existing one is in.
  std::string TargetSchema(const parser::RelationName& name);
  const std::vector<std::string>& path() const { return path_; }
  void CheckCatalogName(const parser::RelationName& name);

  // bind_expr.cc
  ExprPtr BindExpr(const parser::Expr& expr, Scope* scope, Clause clause);
  ExprPtr BindPredicate(const parser::Expr& expr, Scope* scope, Clause clause);
  // A default or check as the catalog keeps it.
  ExprPtr BindCatalogExpr(const std::string& text, Scope* scope, Clause clause);
  ExprPtr ColumnDefault(const catalog::ColumnDescriptor& column);
  // Unknown becomes text.
  ExprPtr ResolveUnknown(ExprPtr expr);

  // bind_dml.cc
  void BindCopyFrom(const parser::CopyStmt& copy, const catalog::TablePtr& table,
                    const std::vector<int>& positions);

  Statement* statement() { return out_.get(); }

 private:
  // bind_names.cc
  FoundColumn FindUnqualified(const std::string& name, Scope* scope, int location);
  ExprPtr BindColumnRef(const parser::ColumnRef& ref, Scope* scope);
  ExprPtr BindSystemColumn(const ScopeRelation& relation, const std::string& name, int location);
  const ScopeRelation* FindRelation(const std::string& schema, const std::string& alias,
                                    Scope* scope);
  void ExpandStar(const parser::ColumnRef& ref, Scope* scope, std::vector<OutputColumn>* out);

  // bind_expr.cc
  ExprPtr BindConstantNode(const parser::Constant& constant);
  ExprPtr BindParam(const parser::ParamRef& param);
  ExprPtr BindCast(const parser::CastExpr& cast, Scope* scope, Clause clause);
  ExprPtr CastTo(ExprPtr expr, sql::Type type, int location);
  ExprPtr BindOperatorExpr(const parser::OperatorExpr& op, Scope* scope, Clause clause);
  ExprPtr BindRowComparison(const parser::OperatorExpr& op, Scope* scope, Clause clause);
  ExprPtr CompareRows(std::string_view op, std::vector<ExprPtr> left, std::vector<ExprPtr> right,
                      int location);
  ExprPtr BindBetween(const parser::BetweenExpr& between, Scope* scope, Clause clause);
  ExprPtr BindInListExpr(const parser::InListExpr& in, Scope* scope, Clause clause);
  ExprPtr BindBool(const parser::BoolExpr& expr, Scope* scope, Clause clause);
  ExprPtr BindCaseExpr(const parser::CaseExpr& expr, Scope* scope, Clause clause);
  ExprPtr BindSubquery(const parser::SubqueryExpr& expr, Scope* scope, Clause clause);
  ExprPtr BindRare(const parser::Expr& expr, Scope* scope, Clause clause);
  std::vector<ExprPtr> BindExprs(const std::vector<parser::ExprPtr>& list, Scope* scope,
                                 Clause clause);

  // bind_call.cc
  ExprPtr BindFunction(const parser::FunctionCall& call, Scope* scope, Clause clause);
  ExprPtr BindValueFunction(const parser::FunctionCall& call);
  ExprPtr BindAggregate(const parser::FunctionCall& call, const std::string& name, Scope* scope,
                        Clause clause);
  void CheckAggregateLevel(const AggregateSpec& spec, Scope* scope, int location);
  std::string FunctionName(const parser::FunctionCall& call);

  // bind_from.cc
  void BindFromList(const std::vector<parser::FromPtr>& list, Scope* scope, Query* query,
                    std::vector<FromPtr>* out);
  FromPtr BindFrom(const parser::FromItem& item, Scope* scope, Query* query);
  FromPtr BindFromTable(const parser::FromTable& item, Scope* scope, Query* query);
  FromPtr BindFromSubquery(const parser::FromSubquery& item, Scope* scope, Query* query);
  FromPtr BindFromFunction(const parser::FromFunction& item, Scope* scope, Query* query);
  FromPtr BindFromJoin(const parser::FromJoin& item, Scope* scope, Query* query);
  FromPtr BindCte(const parser::FromTable& item, CteEntry* entry, Scope* cte_scope, Scope* scope,
                  Query* query);
  void FillTableFunction(const parser::FunctionCall& call, const std::string& name, Scope* scope,
                         From* from);
  FromPtr TableFrom(const catalog::TablePtr& table, const std::string& alias, Scope* scope,
                    const Query* owner);
  void AddRelation(From* from, const parser::Alias& alias, Scope* scope, const Query* owner,
                   int location);
  void MergeUsing(const parser::FromJoin& item, size_t left_begin, size_t right_begin, From* join,
                  Scope* scope);
  CteEntry* FindCte(const std::string& name, Scope* scope, Scope** found_in);

  // bind_query.cc
  QueryPtr BindSelect(const parser::SelectStmt& select, Scope* outer, bool keep_unknown);
  void BindPlain(const parser::SelectStmt& select, Scope* scope, Query* query, bool keep_unknown);
  void BindTargets(const parser::SelectStmt& select, Scope* scope, Query* query);
  void BindValuesClause(const parser::SelectStmt& select, Scope* scope, Query* query,
                        bool keep_unknown);
  void BindSetOperation(const parser::SelectStmt& select, Scope* scope, Query* query,
                        bool keep_unknown);
  void BindGroupBy(const parser::SelectStmt& select, Scope* scope, Query* query);
  void AddDependentKeys(Scope* scope, Query* query);
  void Regroup(Query* query);
  void RegroupExpr(ExprPtr* expr, const Query* query, bool in_subquery);
  void BindOrderBy(const parser::SelectStmt& select, Scope* scope, Query* query);
  int FindOutput(const parser::Expr& expr, Scope* scope, Query* query, const char* clause,
                 bool may_add);
  void BindDistinctOn(const parser::SelectStmt& select, Scope* scope, Query* query);
  void BindLimit(const parser::SelectStmt& select, Scope* scope, Query* query);
  void BindLocking(const parser::SelectStmt& select, Scope* scope, Query* query);
  bool BindSetReturningTarget(const parser::Target& target, Scope* scope, Query* query,
                              OutputColumn* out);
  void CoerceOutputs(Query* query, const std::vector<sql::Type>& types);

  // bind_dml.cc
  void BindInsert(const parser::InsertStmt& insert);
  void BindInsertSource(const parser::InsertStmt& insert, const std::vector<int>& positions,
                        Scope* scope, BoundInsert* out);
  void BindInsertRows(const parser::InsertStmt& insert, const std::vector<int>& positions,
                      Scope* scope, BoundInsert* out);
  void FillDefaults(BoundInsert* out);
  void BindOnConflict(const parser::InsertStmt& insert, BoundInsert* out);
  IndexId ConflictIndex(const parser::OnConflict& conflict, const catalog::TableDescriptor& table);
  void BindUpdate(const parser::UpdateStmt& update);
  void BindDelete(const parser::DeleteStmt& remove);
  std::vector<std::pair<int, ExprPtr>> BindSetClause(const std::vector<parser::Target>& set,
                                                     const catalog::TableDescriptor& table,
                                                     Scope* scope);
  std::vector<OutputColumn> BindReturning(const std::vector<parser::Target>& list, Scope* scope);
  std::vector<BoundCheck> BindChecks(const catalog::TablePtr& table,
                                     const std::vector<BoundColumn>& columns);
  std::vector<BoundColumn> NewRow(const catalog::TableDescriptor& table, const std::string& alias);
  void AddRowRelation(const catalog::TablePtr& table, const std::string& alias,
                      const std::vector<BoundColumn>& columns, Scope* scope, bool unqualified);
  catalog::TablePtr TargetTable(const parser::RelationName& name);
  void NoteForeignKeys(const catalog::TablePtr& table);

  int NewColumn(const Query* owner, std::string text);
  void NoteTable(const catalog::TablePtr& table);

  const BindOptions& options_;
  const catalog::CatalogSnapshot& catalog_;
  std::vector<std::string> path_;  // effective
  std::unique_ptr<Statement> out_;
  std::vector<ColumnOrigin> origins_;  // by column number
  std::vector<sql::TypeOid> param_types_;
  int volatile_calls_ = 0;
  sql::ScopedParamTyper typer_;
};

// The name of an output column without AS.
std::string ColumnNameOf(const parser::Expr& expr);

}  // namespace borealis::binder
