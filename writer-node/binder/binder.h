// The binder: from the parser's tree to bound statements.
//
// Resolves names against one CatalogSnapshot, finds types, functions, operators and casts, infers
// the types of parameters, and checks what can be checked without data. Pure: no I/O, no clock;
// safe to call from several threads. Errors carry PostgreSQL's SQLSTATE, message text, hint and
// position.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/error.h"
#include "writer-node/binder/bound.h"
#include "writer-node/binder/bound_ddl.h"
#include "writer-node/catalog/snapshot.h"
#include "writer-node/parser/ast.h"

namespace borealis::binder {

struct BindOptions {
  catalog::SnapshotPtr catalog;
  // Schemas for unqualified names, in order, without "$user"; pg_catalog is searched first unless
  // it is named here.
  std::vector<std::string> search_path = {"public"};
  // $1..: the types a client gave; 0 for "infer". Longer than needed is fine.
  std::vector<uint32_t> param_types;
  // The text given to Parse, for error positions (a statement's locations are offsets in it).
  std::string_view text;
};

// SELECT, VALUES, INSERT, UPDATE, DELETE. Parameters that nothing gives a type get text.
// Requires: statement.kind is one of those four.
sql::SqlResult<std::unique_ptr<Statement>> Bind(const parser::Statement& statement,
                                                const BindOptions& options);

// "COPY t (columns) FROM STDIN" as INSERT INTO t (columns) VALUES ($1, $2, ...), whose parameters
// have their columns' types (statement->param_types; typmods in BoundCopy::column_types): run it
// for each line with the fields as parameters. "COPY t TO" and "COPY (query) TO" as a query.
sql::SqlResult<BoundCopy> BindCopy(const parser::CopyStmt& statement, const BindOptions& options);

// CREATE TABLE and its like: checked against the catalog as far as names and types go.
// 0A000 for what is not supported; XX000 when `statement` is no DDL.
sql::SqlResult<BoundDdl> BindDdl(const parser::Statement& statement, const BindOptions& options);
bool IsDdl(const parser::Statement& statement);

// An expression without columns or parameters, e.g. an argument of EXECUTE; cast to `target` by
// assignment rules when it is given (oid 0: the expression's own type, text for an unknown
// literal).
sql::SqlResult<ExprPtr> BindConstant(const parser::Expr& expr, const sql::Type& target,
                                     const BindOptions& options);

// The types of PREPARE name (types): OIDs.
sql::SqlResult<std::vector<uint32_t>> BindTypeNames(const std::vector<parser::TypeName>& types,
                                                    const BindOptions& options);

}  // namespace borealis::binder
