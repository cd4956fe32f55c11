// The abstract syntax of one SQL statement, as the rest of the writer sees it.
//
// PostgreSQL 15's grammar makes a raw C tree; parser.cc turns it into these types, so that nothing
// else depends on libpg_query or on PostgreSQL's headers. Names are as the grammar left them:
// folded to lower case unless quoted, never resolved. Every node is owned by its parent; the tree
// is immutable once Parse has returned it and may then be read by several threads.
//
// `location` is the byte offset of the construct in the text that was given to Parse (the whole
// string, also when it holds several statements), or -1 where the grammar keeps none.
//
// The height of a tree is bounded by kMaxDepth (parser.h): recursion over it is safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace borealis::parser {

struct Expr;
struct SelectStmt;
struct FromItem;
struct Statement;
using ExprPtr = std::unique_ptr<Expr>;
using SelectPtr = std::unique_ptr<SelectStmt>;
using FromPtr = std::unique_ptr<FromItem>;
using StatementPtr = std::unique_ptr<Statement>;

// A dotted name: {"pg_catalog", "int4"}, {"t"}.
using QualifiedName = std::vector<std::string>;
// "a.b" without quoting, for messages.
std::string NameText(const QualifiedName& name);

// A type as written: varchar(10), pg_catalog.int4, text[].
struct TypeName {
  QualifiedName names;  // the grammar writes built-in spellings as pg_catalog.<internal name>
  std::vector<int32_t> modifiers;  // varchar(10): {10}; numeric(10,2): {10, 2}; empty: none
  int array_dimensions = 0;        // text[][]: 2
  int location = -1;
};

// ---------------------------------------------------------------------------------- expressions

enum class ExprKind : uint8_t {
  kColumnRef,
  kParam,
  kConstant,
  kCast,
  kOperator,
  kAnyAll,
  kDistinct,
  kNullIf,
  kInList,
  kBetween,
  kBool,
  kNullTest,
  kBooleanTest,
  kFunction,
  kCase,
  kCoalesce,
  kMinMax,
  kSubquery,
  kRow,
  kArray,
  kSubscript,
  kCollate,
  kDefault,
};

struct Expr {
  Expr(ExprKind k, int loc) : kind(k), location(loc) {}
  virtual ~Expr() = default;
  const ExprKind kind;
  int location;
};

// a, t.a, s.t.a, *, t.*
struct ColumnRef final : Expr {
  explicit ColumnRef(int loc) : Expr(ExprKind::kColumnRef, loc) {}
  QualifiedName name;  // without the star
  bool star = false;
};

// $n, n >= 1
struct ParamRef final : Expr {
  explicit ParamRef(int loc) : Expr(ExprKind::kParam, loc) {}
  int number = 0;
};

enum class ConstantKind : uint8_t { kNull, kBoolean, kInteger, kNumeric, kString, kBitString };
struct Constant final : Expr {
  explicit Constant(int loc) : Expr(ExprKind::kConstant, loc) {}
  ConstantKind constant_kind = ConstantKind::kNull;
  int32_t integer = 0;  // kInteger (fits int4); kBoolean: 0 or 1
  std::string text;     // kNumeric: digits as written (may be an int8); kString; kBitString: "b101"
};

struct CastExpr final : Expr {
  explicit CastExpr(int loc) : Expr(ExprKind::kCast, loc) {}
  ExprPtr arg;
  TypeName type;
};

// left is null for a prefix operator. LIKE is "~~", NOT LIKE "!~~", ILIKE "~~*", SIMILAR TO "~".
struct OperatorExpr final : Expr {
  explicit OperatorExpr(int loc) : Expr(ExprKind::kOperator, loc) {}
  QualifiedName name;  // {"="} or {"pg_catalog", "~"}
  ExprPtr left;
  ExprPtr right;
};

// left op ANY (array) / left op ALL (array)
struct AnyAllExpr final : Expr {
  explicit AnyAllExpr(int loc) : Expr(ExprKind::kAnyAll, loc) {}
  QualifiedName op;
  bool all = false;
  ExprPtr left;
  ExprPtr array;
};

struct DistinctExpr final : Expr {  // left IS [NOT] DISTINCT FROM right
  explicit DistinctExpr(int loc) : Expr(ExprKind::kDistinct, loc) {}
  bool negated = false;
  ExprPtr left;
  ExprPtr right;
};

struct NullIfExpr final : Expr {
  explicit NullIfExpr(int loc) : Expr(ExprKind::kNullIf, loc) {}
  ExprPtr left;
  ExprPtr right;
};

struct InListExpr final : Expr {  // left [NOT] IN (list)
  explicit InListExpr(int loc) : Expr(ExprKind::kInList, loc) {}
  bool negated = false;
  ExprPtr left;
  std::vector<ExprPtr> list;
};

struct BetweenExpr final : Expr {
  explicit BetweenExpr(int loc) : Expr(ExprKind::kBetween, loc) {}
  bool negated = false;
  bool symmetric = false;
  ExprPtr arg;
  ExprPtr low;
  ExprPtr high;
};

enum class BoolOp : uint8_t { kAnd, kOr, kNot };
struct BoolExpr final : Expr {
  explicit BoolExpr(int loc) : Expr(ExprKind::kBool, loc) {}
  BoolOp op = BoolOp::kAnd;
  std::vector<ExprPtr> args;  // kNot: one; else two or more
};

struct NullTest final : Expr {
  explicit NullTest(int loc) : Expr(ExprKind::kNullTest, loc) {}
  bool is_null = true;  // false: IS NOT NULL
  ExprPtr arg;
};

enum class BooleanTestKind : uint8_t {
  kIsTrue,
  kIsNotTrue,
  kIsFalse,
  kIsNotFalse,
  kIsUnknown,
  kIsNotUnknown
};
struct BooleanTest final : Expr {
  explicit BooleanTest(int loc) : Expr(ExprKind::kBooleanTest, loc) {}
  BooleanTestKind test = BooleanTestKind::kIsTrue;
  ExprPtr arg;
};

enum class NullsOrder : uint8_t { kDefault, kFirst, kLast };
struct SortItem {
  ExprPtr expr;
  bool descending = false;
  NullsOrder nulls = NullsOrder::kDefault;
};

// f(a, b), count(*), count(DISTINCT a), string_agg(a ORDER BY b), sum(a) FILTER (WHERE c).
// CURRENT_TIMESTAMP and its like are functions without arguments of the same name, with
// sql_value_function set and, for CURRENT_TIMESTAMP(3), one constant argument.
struct FunctionCall final : Expr {
  explicit FunctionCall(int loc) : Expr(ExprKind::kFunction, loc) {}
  QualifiedName name;
  std::vector<ExprPtr> args;
  bool star = false;
  bool distinct = false;
  bool variadic = false;
  bool sql_value_function = false;
  std::vector<SortItem> order_by;
  ExprPtr filter;
};

struct CaseWhen {
  ExprPtr condition;
  ExprPtr result;
};
struct CaseExpr final : Expr {
  explicit CaseExpr(int loc) : Expr(ExprKind::kCase, loc) {}
  ExprPtr arg;  // CASE arg WHEN ...; may be null
  std::vector<CaseWhen> whens;
  ExprPtr otherwise;  // may be null
};

struct CoalesceExpr final : Expr {
  explicit CoalesceExpr(int loc) : Expr(ExprKind::kCoalesce, loc) {}
  std::vector<ExprPtr> args;
};

struct MinMaxExpr final : Expr {
  explicit MinMaxExpr(int loc) : Expr(ExprKind::kMinMax, loc) {}
  bool greatest = true;
  std::vector<ExprPtr> args;
};

enum class SubqueryKind : uint8_t { kExists, kAny, kAll, kScalar, kArray };
struct SubqueryExpr final : Expr {
  explicit SubqueryExpr(int loc) : Expr(ExprKind::kSubquery, loc) {}
  SubqueryKind subquery_kind = SubqueryKind::kScalar;
  ExprPtr test;      // kAny, kAll: the left side
  QualifiedName op;  // kAny, kAll: {"="} for IN
  SelectPtr select;
};

struct RowExpr final : Expr {
  explicit RowExpr(int loc) : Expr(ExprKind::kRow, loc) {}
  std::vector<ExprPtr> args;
};

struct ArrayExpr final : Expr {
  explicit ArrayExpr(int loc) : Expr(ExprKind::kArray, loc) {}
  std::vector<ExprPtr> elements;
};

struct SubscriptExpr final : Expr {  // arg[index]
  explicit SubscriptExpr(int loc) : Expr(ExprKind::kSubscript, loc) {}
  ExprPtr arg;
  ExprPtr index;
};

struct CollateExpr final : Expr {
  explicit CollateExpr(int loc) : Expr(ExprKind::kCollate, loc) {}
  ExprPtr arg;
  QualifiedName collation;
};

struct DefaultExpr final : Expr {  // DEFAULT in INSERT ... VALUES and UPDATE ... SET
  explicit DefaultExpr(int loc) : Expr(ExprKind::kDefault, loc) {}
};

// -------------------------------------------------------------------------------------- queries

struct RelationName {
  std::string catalog;  // "" when absent
  std::string schema;   // "" when absent
  std::string name;
  int location = -1;
};

struct Alias {
  std::string name;                  // "" when absent
  std::vector<std::string> columns;  // t(a, b)
};

struct ColumnDefinitionItem {  // f(...) AS t(a int, b text)
  std::string name;
  TypeName type;
};

enum class FromKind : uint8_t { kTable, kSubquery, kFunction, kJoin };
enum class JoinType : uint8_t { kInner, kLeft, kRight, kFull };  // CROSS JOIN: kInner without ON

struct FromItem {
  FromItem(FromKind k, int loc) : kind(k), location(loc) {}
  virtual ~FromItem() = default;
  const FromKind kind;
  int location;
  Alias alias;
};

struct FromTable final : FromItem {
  explicit FromTable(int loc) : FromItem(FromKind::kTable, loc) {}
  RelationName table;
};

struct FromSubquery final : FromItem {
  explicit FromSubquery(int loc) : FromItem(FromKind::kSubquery, loc) {}
  SelectPtr select;
  bool lateral = false;
};

struct FromFunction final : FromItem {
  explicit FromFunction(int loc) : FromItem(FromKind::kFunction, loc) {}
  ExprPtr function;  // a FunctionCall, or another expression for CURRENT_DATE and its like
  bool lateral = false;
  bool ordinality = false;
  std::vector<ColumnDefinitionItem> column_definitions;
};

struct FromJoin final : FromItem {
  explicit FromJoin(int loc) : FromItem(FromKind::kJoin, loc) {}
  JoinType type = JoinType::kInner;
  bool natural = false;
  FromPtr left;
  FromPtr right;
  std::vector<std::string> using_columns;
  ExprPtr on;  // may be null
};

// A target of SELECT or RETURNING, or (name = expr) of UPDATE.
struct Target {
  std::string name;  // AS name, or the column that UPDATE sets; "" when absent
  ExprPtr expr;      // a ColumnRef with star for * and t.*
  int location = -1;
};

struct CommonTable {
  std::string name;
  std::vector<std::string> columns;
  StatementPtr statement;  // a SelectStmt; a data-changing WITH is refused by the parser
  int location = -1;
};

enum class SetOp : uint8_t { kNone, kUnion, kIntersect, kExcept };
enum class LockStrength : uint8_t { kKeyShare, kShare, kNoKeyUpdate, kUpdate };
enum class LockWait : uint8_t { kBlock, kSkip, kError };
struct LockingClause {
  LockStrength strength = LockStrength::kUpdate;
  LockWait wait = LockWait::kBlock;
  std::vector<RelationName> tables;  // OF t, ...; empty: all
};

// ------------------------------------------------------------------------------------ statements

enum class StatementKind : uint8_t {
  kSelect,
  kInsert,
  kUpdate,
  kDelete,
  kCreateTable,
  kDrop,
  kAlterTable,
  kRename,
  kCreateIndex,
  kCreateSequence,
  kAlterSequence,
  kTruncate,
  kTransaction,
  kSet,
  kShow,
  kPrepare,
  kExecute,
  kDeallocate,
  kDeclareCursor,
  kFetch,
  kCloseCursor,
  kDiscard,
  kCopy,
  kVacuum,
  kCheckpoint,
  kExplain,
  kCreateRole,
  kAlterRole,
  kDropRole,
};

struct Statement {
  Statement(StatementKind k) : kind(k) {}  // NOLINT: only derived types call it
  virtual ~Statement() = default;
  const StatementKind kind;
};

// SELECT, VALUES, TABLE t, or a set operation over two of them.
struct SelectStmt final : Statement {
  SelectStmt() : Statement(StatementKind::kSelect) {}
  std::vector<CommonTable> with;

  // A plain SELECT (op == kNone and values empty).
  bool distinct = false;
  std::vector<ExprPtr> distinct_on;  // DISTINCT ON (...); implies distinct
  std::vector<Target> targets;
  std::vector<FromPtr> from;
  ExprPtr where;
  bool group_distinct = false;
  std::vector<ExprPtr> group_by;
  ExprPtr having;
  std::vector<LockingClause> locking;

  // VALUES (op == kNone): rows of equal length.
  std::vector<std::vector<ExprPtr>> values;

  // A set operation.
  SetOp op = SetOp::kNone;
  bool all = false;
  SelectPtr left;
  SelectPtr right;

  // Any of them.
  std::vector<SortItem> order_by;
  ExprPtr limit;  // null: none; LIMIT ALL is a NULL constant
  ExprPtr offset;
  bool with_ties = false;
  int location = -1;
};

struct InsertColumn {
  std::string name;
  int location = -1;
};
enum class ConflictAction : uint8_t { kNone, kNothing, kUpdate };
struct OnConflict {
  ConflictAction action = ConflictAction::kNone;
  std::vector<InsertColumn> columns;  // ON CONFLICT (a, b); names only, expressions are 0A000
  std::string constraint;             // ON CONFLICT ON CONSTRAINT name
  ExprPtr target_where;               // index predicate
  std::vector<Target> set;
  ExprPtr where;
  int location = -1;
};

enum class Overriding : uint8_t { kNone, kUser, kSystem };
struct InsertStmt final : Statement {
  InsertStmt() : Statement(StatementKind::kInsert) {}
  std::vector<CommonTable> with;
  RelationName table;
  std::string alias;
  std::vector<InsertColumn> columns;  // empty: all, in order
  SelectPtr source;                   // null: DEFAULT VALUES
  Overriding overriding = Overriding::kNone;
  std::optional<OnConflict> on_conflict;
  std::vector<Target> returning;
};

struct UpdateStmt final : Statement {
  UpdateStmt() : Statement(StatementKind::kUpdate) {}
  std::vector<CommonTable> with;
  RelationName table;
  std::string alias;
  std::vector<Target> set;
  std::vector<FromPtr> from;
  ExprPtr where;
  std::vector<Target> returning;
};

struct DeleteStmt final : Statement {
  DeleteStmt() : Statement(StatementKind::kDelete) {}
  std::vector<CommonTable> with;
  RelationName table;
  std::string alias;
  std::vector<FromPtr> from;  // USING
  ExprPtr where;
  std::vector<Target> returning;
};

// name = value of WITH (...), COPY options, sequence options.
struct Option {
  std::string name;
  std::optional<std::string> value;  // numbers as written; absent: the bare name
  std::vector<std::string> list;     // FORCE_QUOTE (a, b); "*" alone for *
  int location = -1;
};

enum class ForeignAction : uint8_t { kNoAction, kRestrict, kCascade, kSetNull, kSetDefault };
enum class ConstraintKind : uint8_t {
  kNotNull,
  kNull,
  kDefault,
  kCheck,
  kPrimaryKey,
  kUnique,
  kForeignKey,
  kIdentity,
  kGenerated
};
struct SequenceOptions {
  std::optional<int64_t> start, increment, min_value, max_value, cache, restart;
  bool no_min = false;
  bool no_max = false;
  bool restart_bare = false;  // RESTART without a value
  std::optional<bool> cycle;
  std::optional<TypeName> type;
  std::optional<QualifiedName> owned_by;  // {"none"} for OWNED BY NONE
};
struct ConstraintDef {
  ConstraintKind kind = ConstraintKind::kNotNull;
  std::string name;                    // CONSTRAINT name; "" when absent
  ExprPtr expr;                        // kDefault, kCheck, kGenerated
  std::string expr_text;               // its source text, for the catalog
  std::vector<std::string> columns;    // kPrimaryKey, kUnique, kForeignKey at table level
  std::vector<std::string> including;  // INCLUDE (...)
  std::string using_index;             // USING INDEX name
  bool nulls_not_distinct = false;
  bool deferrable = false;
  bool initially_deferred = false;
  bool not_valid = false;
  RelationName references;               // kForeignKey
  std::vector<std::string> ref_columns;  // empty: the primary key
  ForeignAction on_delete = ForeignAction::kNoAction;
  ForeignAction on_update = ForeignAction::kNoAction;
  bool match_full = false;
  bool identity_always = false;  // kIdentity: ALWAYS, else BY DEFAULT
  SequenceOptions sequence;      // kIdentity
  std::vector<Option> options;   // WITH (fillfactor = n)
  int location = -1;
};

struct ColumnDef {
  std::string name;
  TypeName type;
  QualifiedName collation;  // empty: none
  std::vector<ConstraintDef> constraints;
  int location = -1;
};

struct CreateTableStmt final : Statement {
  CreateTableStmt() : Statement(StatementKind::kCreateTable) {}
  RelationName table;
  bool if_not_exists = false;
  bool unlogged = false;  // the same as a logged table here: stronger than asked
  std::vector<ColumnDef> columns;
  std::vector<ConstraintDef> constraints;
  std::vector<Option> options;
};

enum class ObjectKind : uint8_t { kTable, kIndex, kSequence };
struct DropStmt final : Statement {
  DropStmt() : Statement(StatementKind::kDrop) {}
  ObjectKind object = ObjectKind::kTable;
  std::vector<RelationName> names;
  bool if_exists = false;
  bool cascade = false;
};

enum class AlterAction : uint8_t {
  kAddColumn,
  kDropColumn,
  kAddConstraint,
  kDropConstraint,
  kValidateConstraint,
  kSetDefault,
  kDropDefault,
  kSetNotNull,
  kDropNotNull,
  kAlterType,
  kSetOptions,  // SET (fillfactor = n), RESET (...)
  kOwner,
};
struct AlterCommand {
  AlterAction action = AlterAction::kAddColumn;
  std::string name;        // the column or constraint
  bool if_exists = false;  // DROP ... IF EXISTS
  bool if_not_exists = false;
  bool cascade = false;
  ColumnDef column;          // kAddColumn; kAlterType: the type
  ConstraintDef constraint;  // kAddConstraint
  ExprPtr expr;              // kSetDefault; kAlterType: USING
  std::string expr_text;
  std::vector<Option> options;
  std::string owner;
};
struct AlterTableStmt final : Statement {
  AlterTableStmt() : Statement(StatementKind::kAlterTable) {}
  RelationName table;
  bool if_exists = false;
  std::vector<AlterCommand> commands;
};

enum class RenameKind : uint8_t { kTable, kIndex, kSequence, kColumn, kConstraint };
struct RenameStmt final : Statement {
  RenameStmt() : Statement(StatementKind::kRename) {}
  RenameKind what = RenameKind::kTable;
  RelationName table;
  std::string old_name;  // kColumn, kConstraint
  std::string new_name;
  bool if_exists = false;
};

struct IndexElement {
  std::string column;  // "" for an expression
  ExprPtr expr;
  bool descending = false;
  NullsOrder nulls = NullsOrder::kDefault;
  QualifiedName opclass;
  QualifiedName collation;
};
struct CreateIndexStmt final : Statement {
  CreateIndexStmt() : Statement(StatementKind::kCreateIndex) {}
  std::string name;  // "" when absent: the binder makes one
  RelationName table;
  std::string method;  // "btree" by default
  std::vector<IndexElement> elements;
  std::vector<std::string> including;
  ExprPtr where;
  bool unique = false;
  bool nulls_not_distinct = false;
  bool if_not_exists = false;
  bool concurrently = false;
  std::vector<Option> options;
};

struct CreateSequenceStmt final : Statement {
  CreateSequenceStmt() : Statement(StatementKind::kCreateSequence) {}
  RelationName name;
  bool if_not_exists = false;
  SequenceOptions options;
};

struct AlterSequenceStmt final : Statement {
  AlterSequenceStmt() : Statement(StatementKind::kAlterSequence) {}
  RelationName name;
  bool if_exists = false;
  SequenceOptions options;
};

struct TruncateStmt final : Statement {
  TruncateStmt() : Statement(StatementKind::kTruncate) {}
  std::vector<RelationName> tables;
  bool restart_identity = false;
  bool cascade = false;
};

enum class TransactionKind : uint8_t {
  kBegin,
  kCommit,
  kRollback,
  kSavepoint,
  kRelease,
  kRollbackTo
};
enum class Isolation : uint8_t { kReadUncommitted, kReadCommitted, kRepeatableRead, kSerializable };
struct TransactionModes {
  std::optional<Isolation> isolation;
  std::optional<bool> read_only;
  std::optional<bool> deferrable;
};
struct TransactionStmt final : Statement {
  TransactionStmt() : Statement(StatementKind::kTransaction) {}
  TransactionKind what = TransactionKind::kBegin;
  bool start = false;  // START TRANSACTION (another command tag)
  bool chain = false;  // AND CHAIN
  std::string savepoint;
  TransactionModes modes;  // kBegin
};

enum class SetKind : uint8_t {
  kValue,            // SET name = values
  kDefault,          // SET name TO DEFAULT
  kReset,            // RESET name
  kResetAll,         // RESET ALL
  kTransaction,      // SET TRANSACTION modes
  kSessionDefaults,  // SET SESSION CHARACTERISTICS AS TRANSACTION modes
};
struct SetStmt final : Statement {
  SetStmt() : Statement(StatementKind::kSet) {}
  SetKind what = SetKind::kValue;
  bool local = false;
  std::string name;                 // lower case, e.g. "search_path", "borealis.read_consistency"
  std::vector<std::string> values;  // as text; several for a list
  TransactionModes modes;
};

struct ShowStmt final : Statement {
  ShowStmt() : Statement(StatementKind::kShow) {}
  std::string name;  // "all" for SHOW ALL
};

struct PrepareStmt final : Statement {
  PrepareStmt() : Statement(StatementKind::kPrepare) {}
  std::string name;
  std::vector<TypeName> types;
  // Moved out by the session that keeps it, hence shared.
  std::shared_ptr<Statement> statement;  // SELECT, INSERT, UPDATE, DELETE
  int statement_location = 0;            // where it starts in the text
};
struct ExecuteStmt final : Statement {
  ExecuteStmt() : Statement(StatementKind::kExecute) {}
  std::string name;
  std::vector<ExprPtr> args;
};
struct DeallocateStmt final : Statement {
  DeallocateStmt() : Statement(StatementKind::kDeallocate) {}
  std::string name;  // "" for ALL
};

struct DeclareCursorStmt final : Statement {
  DeclareCursorStmt() : Statement(StatementKind::kDeclareCursor) {}
  std::string name;
  bool binary = false;
  bool hold = false;
  bool scroll = false;  // SCROLL asked for
  std::shared_ptr<Statement> select;
};
enum class FetchDirection : uint8_t { kForward, kBackward, kAbsolute, kRelative };
struct FetchStmt final : Statement {
  FetchStmt() : Statement(StatementKind::kFetch) {}
  std::string cursor;
  FetchDirection direction = FetchDirection::kForward;
  int64_t count = 1;  // INT64_MAX: ALL
  bool move = false;  // MOVE
};
struct CloseCursorStmt final : Statement {
  CloseCursorStmt() : Statement(StatementKind::kCloseCursor) {}
  std::string name;  // "" for ALL
};

enum class DiscardKind : uint8_t { kAll, kPlans, kSequences, kTemporary };
struct DiscardStmt final : Statement {
  DiscardStmt() : Statement(StatementKind::kDiscard) {}
  DiscardKind what = DiscardKind::kAll;
};

// COPY t (columns) FROM STDIN | COPY t TO STDOUT | COPY (query) TO STDOUT. Files and programs are
// refused by the parser. Options are checked by the binder.
struct CopyStmt final : Statement {
  CopyStmt() : Statement(StatementKind::kCopy) {}
  std::optional<RelationName> table;
  std::vector<std::string> columns;
  std::shared_ptr<Statement> query;  // a SelectStmt
  bool from = false;
  ExprPtr where;
  std::vector<Option> options;  // names in lower case
};

struct VacuumStmt final : Statement {
  VacuumStmt() : Statement(StatementKind::kVacuum) {}
  bool vacuum = true;  // false: ANALYZE
  std::vector<Option> options;
  std::vector<RelationName> tables;
};

struct CheckpointStmt final : Statement {
  CheckpointStmt() : Statement(StatementKind::kCheckpoint) {}
};

struct ExplainStmt final : Statement {
  ExplainStmt() : Statement(StatementKind::kExplain) {}
  bool analyze = false;
  bool verbose = false;
  bool costs = true;
  std::shared_ptr<Statement> statement;
};

struct RoleOptions {
  std::optional<std::string> password;  // plain text or a SCRAM verifier
  bool password_null = false;           // PASSWORD NULL
  std::optional<bool> login, superuser, create_db, create_role, inherit, replication, bypass_rls;
  std::optional<int> connection_limit;
};
struct CreateRoleStmt final : Statement {
  CreateRoleStmt() : Statement(StatementKind::kCreateRole) {}
  std::string name;
  bool user = false;  // CREATE USER: login by default
  RoleOptions options;
};
struct AlterRoleStmt final : Statement {
  AlterRoleStmt() : Statement(StatementKind::kAlterRole) {}
  std::string name;
  bool current_user = false;
  RoleOptions options;
};
struct DropRoleStmt final : Statement {
  DropRoleStmt() : Statement(StatementKind::kDropRole) {}
  std::vector<std::string> names;
  bool if_exists = false;
};

}  // namespace borealis::parser
