// Conversions as a binder adds them: PostgreSQL's rules of chapter 10 over expressions.
#pragma once

#include <span>
#include <vector>

#include "common/sql/expr.h"
#include "common/sql/functions.h"

namespace borealis::sql {

// `expr` as `target`, typmod included. An untyped literal (kConst of kUnknown) is read by the
// type's input function at once (22P02 and its like are raised here); an untyped parameter gets the
// type (type_params below). 42846 "cannot cast type a to b" (explicit), 42804 by the caller's
// wording otherwise: this gives 42846 too.
SqlResult<ExprPtr> Coerce(ExprPtr expr, Type target, CastContext context);
// For INSERT and UPDATE: 42804 `column "c" is of type integer but expression is of type text`, with
// its HINT.
SqlResult<ExprPtr> CoerceForColumn(ExprPtr expr, Type target, std::string_view column);
// For WHERE, ON, AND ...: 42804 "argument of WHERE must be type boolean, not type integer".
SqlResult<ExprPtr> CoerceToBool(ExprPtr expr, std::string_view construct);
// The type UNION, CASE, COALESCE, VALUES, ARRAY[] and IN lists settle on; 42804 "<construct> types
// a and b cannot be matched". All unknown: text.
SqlResult<TypeOid> CommonType(std::span<const TypeOid> types, std::string_view construct);

// Resolved, coerced and built. Parameters of kUnknown type take the type that the function wants.
SqlResult<ExprPtr> BuildCall(std::string_view name, std::vector<ExprPtr> args);
// left may be null for a prefix operator. Understands any type with any for || with text.
SqlResult<ExprPtr> BuildOperator(std::string_view op, ExprPtr left, ExprPtr right);
// left [NOT] IN (list); a list of one is a plain comparison.
SqlResult<ExprPtr> BuildInList(ExprPtr left, std::vector<ExprPtr> list, bool negated);
SqlResult<ExprPtr> BuildAnyAll(std::string_view op, ExprPtr left, ExprPtr array, bool all);
SqlResult<ExprPtr> BuildDistinct(ExprPtr left, ExprPtr right, bool negated);
SqlResult<ExprPtr> BuildNullIf(ExprPtr left, ExprPtr right);
SqlResult<ExprPtr> BuildCoalesce(std::vector<ExprPtr> args);
SqlResult<ExprPtr> BuildMinMax(bool greatest, std::vector<ExprPtr> args);
// arg null: CASE WHEN. `whens` are (condition, result); otherwise may be null.
SqlResult<ExprPtr> BuildCase(ExprPtr arg, std::vector<std::pair<ExprPtr, ExprPtr>> whens,
                             ExprPtr otherwise);
SqlResult<ExprPtr> BuildArray(std::vector<ExprPtr> elements);
// ANY / ALL over a subplan's one column of type `column`: the node with args[0] coerced and
// `function` resolved. The subquery's column may need a conversion as well: *column_target says to
// which type the binder must coerce it.
SqlResult<ExprPtr> BuildSubplanComparison(std::string_view op, ExprPtr left, TypeOid column,
                                          bool all, uint32_t subplan, TypeOid* column_target);

// The binder's parameters: called when a kParam of kUnknown type is given one. Null: error 42P18 is
// the binder's. The type is noted in the node itself too.
using ParamTyper = std::function<SqlStatus(uint32_t param, TypeOid type)>;
class ScopedParamTyper {
 public:
  // For this thread, while alive; nests.
  explicit ScopedParamTyper(ParamTyper typer);
  ~ScopedParamTyper();
  ScopedParamTyper(const ScopedParamTyper&) = delete;
  ScopedParamTyper& operator=(const ScopedParamTyper&) = delete;

 private:
  ParamTyper previous_;
};

}  // namespace borealis::sql
