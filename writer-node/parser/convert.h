// From PostgreSQL's raw parse tree to our AST. Private to this module.
//
// A Converter walks the tree of one statement. What we do not support is thrown as a ParseFailure
// (caught in parser.cc; nothing leaves the module), always naming the feature. Every recursive step
// passes Enter, so that the depth is bounded whatever the grammar accepted: the grammar itself
// keeps its stack on the heap and makes trees of any height.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "writer-node/parser/ast.h"
#include "writer-node/parser/pg_nodes.h"

namespace borealis::parser {

// What is wrong, with the byte offset where, or -1.
struct ParseFailure {
  const char* sqlstate;
  std::string message;
  std::string hint;
  int location = -1;
};

[[noreturn]] void Fail(const char* sqlstate, std::string message, int location = -1,
                       std::string hint = "");
// 0A000 "<feature> is not supported".
[[noreturn]] void Unsupported(std::string_view feature, int location = -1);

template <typename T>
const T* As(const void* node) {
  return static_cast<const T*>(node);
}
inline ::NodeTag Tag(const void* node) {
  return static_cast<const ::Node*>(node)->type;
}

// fn(const T*) for each element of a pointer list (null is the empty list).
template <typename T, typename Fn>
void ForEach(const ::List* list, Fn&& fn) {
  const int n = list == nullptr ? 0 : list->length;
  for (int i = 0; i < n; ++i) fn(static_cast<const T*>(list->elements[i].ptr_value));
}
inline int Length(const ::List* list) {
  return list == nullptr ? 0 : list->length;
}
inline std::string Text(const char* text) {
  return text == nullptr ? std::string() : text;
}

class Converter {
 public:
  StatementPtr Convert(const ::Node* node);

 private:
  // One level of recursion, of a weight; throws 54001 beyond kMaxDepth. A nested query weighs more,
  // because later walks spend more stack on it.
  class Enter {
   public:
    explicit Enter(Converter* c, int weight = 1);
    ~Enter() { converter_->depth_ -= weight_; }

   private:
    Converter* converter_;
    int weight_;
  };

  // convert_expr.cc
  ExprPtr Expression(const void* node);
  ExprPtr OptionalExpression(const void* node);
  std::vector<ExprPtr> Expressions(const ::List* list);
  ExprPtr ConvertAExpr(const ::A_Expr* node);
  ExprPtr ConvertConstant(const ::A_Const* node);
  ExprPtr ConvertColumnRef(const ::ColumnRef* node);
  ExprPtr ConvertFunction(const ::FuncCall* node);
  ExprPtr ConvertSubLink(const ::SubLink* node);
  ExprPtr ConvertCase(const ::CaseExpr* node);
  ExprPtr ConvertIndirection(const ::A_Indirection* node);
  ExprPtr ConvertBool(const ::BoolExpr* node);
  ExprPtr ConvertValueFunction(const ::SQLValueFunction* node);
  ExprPtr ConvertRare(const ::Node* node);
  TypeName ConvertType(const ::TypeName* node);
  SortItem ConvertSort(const ::SortBy* node);

  // convert_query.cc
  SelectPtr ConvertSelect(const ::SelectStmt* node);
  void ConvertPlainSelect(const ::SelectStmt* node, SelectStmt* out);
  SelectPtr SelectOf(const void* node);
  std::vector<CommonTable> ConvertWith(const ::WithClause* node);
  std::vector<Target> ConvertTargets(const ::List* list);
  std::vector<Target> ConvertSetClause(const ::List* list);
  FromPtr ConvertFrom(const ::Node* node);
  std::vector<FromPtr> ConvertFromList(const ::List* list);
  FromPtr ConvertJoin(const ::JoinExpr* node);
  FromPtr ConvertRangeFunction(const ::RangeFunction* node);
  StatementPtr ConvertInsert(const ::InsertStmt* node);
  OnConflict ConvertOnConflict(const ::OnConflictClause* node);
  StatementPtr ConvertUpdate(const ::UpdateStmt* node);
  StatementPtr ConvertDelete(const ::DeleteStmt* node);

  // convert_ddl.cc
  StatementPtr ConvertCreateTable(const ::CreateStmt* node);
  ColumnDef ConvertColumn(const ::ColumnDef* node);
  ConstraintDef ConvertConstraint(const ::Constraint* node);
  void ConvertForeignKey(const ::Constraint* node, ConstraintDef* out);
  StatementPtr ConvertDrop(const ::DropStmt* node);
  StatementPtr ConvertAlterTable(const ::AlterTableStmt* node);
  AlterCommand ConvertAlterCommand(const ::AlterTableCmd* node);
  StatementPtr ConvertRename(const ::RenameStmt* node);
  StatementPtr ConvertIndex(const ::IndexStmt* node);
  StatementPtr ConvertCreateSequence(const ::CreateSeqStmt* node);
  StatementPtr ConvertAlterSequence(const ::AlterSeqStmt* node);
  SequenceOptions ConvertSequenceOptions(const ::List* options);
  StatementPtr ConvertTruncate(const ::TruncateStmt* node);
  std::vector<Option> ConvertOptions(const ::List* list);

  // convert_utility.cc
  StatementPtr ConvertUtility(const ::Node* node);
  StatementPtr ConvertTransaction(const ::TransactionStmt* node);
  StatementPtr ConvertSet(const ::VariableSetStmt* node);
  StatementPtr ConvertPrepare(const ::PrepareStmt* node);
  StatementPtr ConvertCursor(const ::DeclareCursorStmt* node);
  StatementPtr ConvertFetch(const ::FetchStmt* node);
  StatementPtr ConvertCopy(const ::CopyStmt* node);
  StatementPtr ConvertVacuum(const ::VacuumStmt* node);
  StatementPtr ConvertExplain(const ::ExplainStmt* node);
  StatementPtr ConvertCreateRole(const ::CreateRoleStmt* node);
  StatementPtr ConvertAlterRole(const ::AlterRoleStmt* node);
  StatementPtr ConvertDropRole(const ::DropRoleStmt* node);

  int depth_ = 0;
};

RelationName ConvertRelation(const ::RangeVar* node);
Alias ConvertAlias(const ::Alias* node);
QualifiedName ConvertName(const ::List* list);
std::vector<std::string> ConvertStrings(const ::List* list);
// A DefElem's or a SET's value as text: numbers as written, strings bare; nullopt when absent.
std::optional<std::string> ValueText(const ::Node* node);
// A DefElem's value as a boolean (PostgreSQL's defGetBoolean); 42601 otherwise.
bool BooleanOption(const ::DefElem* option);
TransactionModes ConvertModes(const ::List* list);
// The name of a statement kind that we do not have, e.g. "CREATE FUNCTION".
std::string UnsupportedStatementName(const ::Node* node);

}  // namespace borealis::parser
