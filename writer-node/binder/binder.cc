#include "writer-node/binder/binder.h"

#include "writer-node/binder/binder_impl.h"
#include "writer-node/parser/parser.h"

namespace borealis::binder {
namespace {

// Runs fn and turns a BindFailure into a status with a character position.
template <typename T, typename Fn>
sql::SqlResult<T> Guard(const BindOptions& options, Fn&& fn) {
  try {
    return fn();
  } catch (BindFailure& failure) {
    if (failure.location >= 0 && !options.text.empty() && failure.status.position() == 0) {
      failure.status.set_position(parser::CharacterPosition(options.text, failure.location));
    }
    return std::move(failure.status);
  }
}

std::vector<std::string> EffectivePath(const std::vector<std::string>& path) {
  std::vector<std::string> out;
  bool named = false;
  for (const std::string& schema : path) named |= schema == "pg_catalog";
  if (!named) out.push_back("pg_catalog");
  out.insert(out.end(), path.begin(), path.end());
  return out;
}

}  // namespace

void Fail(std::string_view sqlstate, std::string message, int location, std::string hint,
          std::string detail) {
  BindFailure failure{sql::SqlStatus(sqlstate, std::move(message)), location};
  if (!hint.empty()) failure.status.set_hint(std::move(hint));
  if (!detail.empty()) failure.status.set_detail(std::move(detail));
  throw failure;
}

void Unsupported(std::string_view feature, int location) {
  Fail("0A000", std::string(feature) + " is not supported", location);
}

void Rethrow(sql::SqlStatus status, int location) {
  throw BindFailure{std::move(status), location};
}

const char* ClauseName(Clause clause) {
  switch (clause) {
    case Clause::kSelect:
      return "SELECT";
    case Clause::kWhere:
      return "WHERE";
    case Clause::kOn:
      return "JOIN/ON";
    case Clause::kGroupBy:
      return "GROUP BY";
    case Clause::kHaving:
      return "HAVING";
    case Clause::kOrderBy:
      return "ORDER BY";
    case Clause::kLimit:
      return "LIMIT";
    case Clause::kOffset:
      return "OFFSET";
    case Clause::kValues:
      return "VALUES";
    case Clause::kReturning:
      return "RETURNING";
    case Clause::kSet:
      return "UPDATE";
    case Clause::kFunctionArgs:
      return "functions in FROM";
    case Clause::kCheck:
      return "check constraints";
    case Clause::kDefault:
      return "DEFAULT expressions";
    case Clause::kFilter:
      return "FILTER";
    case Clause::kAggregateArgs:
      return "aggregate functions";
    case Clause::kExecute:
      return "EXECUTE parameters";
  }
  return "";
}

Binder::Binder(const BindOptions& options)
    : options_(options),
      catalog_(*options.catalog),
      path_(EffectivePath(options.search_path)),
      out_(std::make_unique<Statement>()),
      typer_([this](uint32_t param, sql::TypeOid type) -> sql::SqlStatus {
        if (param_types_.size() <= param) param_types_.resize(param + 1, sql::oid::kUnknown);
        sql::TypeOid& known = param_types_[param];
        if (known == sql::oid::kUnknown) known = type;
        if (known == type) return {};
        return sql::SqlStatus("42P08", "inconsistent types deduced for parameter $" +
                                           std::to_string(param + 1))
            .WithDetail(sql::FormatType(known) + " versus " + sql::FormatType(type));
      }) {
  for (uint32_t type : options.param_types) {
    param_types_.push_back(type == 0 ? sql::oid::kUnknown : type);
  }
  out_->search_path = options.search_path;
}

void Binder::BindStatement(const parser::Statement& statement) {
  switch (statement.kind) {
    case parser::StatementKind::kSelect:
      out_->select = BindSelect(static_cast<const parser::SelectStmt&>(statement), nullptr, false);
      return;
    case parser::StatementKind::kInsert:
      BindInsert(static_cast<const parser::InsertStmt&>(statement));
      return;
    case parser::StatementKind::kUpdate:
      BindUpdate(static_cast<const parser::UpdateStmt&>(statement));
      return;
    case parser::StatementKind::kDelete:
      BindDelete(static_cast<const parser::DeleteStmt&>(statement));
      return;
    default:
      Fail("XX000", "the binder was given a statement that it does not bind");
  }
}

std::unique_ptr<Statement> Binder::Finish() {
  for (sql::TypeOid type : param_types_) {
    out_->param_types.push_back({type == sql::oid::kUnknown ? sql::oid::kText : type, -1});
  }
  return std::move(out_);
}

sql::SqlResult<std::unique_ptr<Statement>> Bind(const parser::Statement& statement,
                                                const BindOptions& options) {
  return Guard<std::unique_ptr<Statement>>(options, [&] {
    Binder binder(options);
    binder.BindStatement(statement);
    return binder.Finish();
  });
}

sql::SqlResult<ExprPtr> BindConstant(const parser::Expr& expr, const sql::Type& target,
                                     const BindOptions& options) {
  return Guard<ExprPtr>(options, [&] {
    Binder binder(options);
    Scope scope(nullptr);
    ExprPtr out = binder.BindExpr(expr, &scope, Clause::kExecute);
    if (target.oid == 0) return binder.ResolveUnknown(std::move(out));
    const int location = out->location;
    return Check(sql::Coerce(std::move(out), target, sql::CastContext::kAssignment), location);
  });
}

sql::SqlResult<std::vector<uint32_t>> BindTypeNames(const std::vector<parser::TypeName>& types,
                                                    const BindOptions& options) {
  return Guard<std::vector<uint32_t>>(options, [&] {
    Binder binder(options);
    std::vector<uint32_t> out;
    for (const parser::TypeName& type : types) out.push_back(binder.ResolveType(type).oid);
    return out;
  });
}

}  // namespace borealis::binder
