// The names of the statements that the grammar knows and we do not support.
#include "writer-node/parser/convert.h"

namespace borealis::parser {
namespace {

const char* ObjectName(::ObjectType type) {
  switch (type) {
    case OBJECT_VIEW:
      return "VIEW";
    case OBJECT_MATVIEW:
      return "MATERIALIZED VIEW";
    case OBJECT_FUNCTION:
      return "FUNCTION";
    case OBJECT_PROCEDURE:
      return "PROCEDURE";
    case OBJECT_ROUTINE:
      return "ROUTINE";
    case OBJECT_AGGREGATE:
      return "AGGREGATE";
    case OBJECT_OPERATOR:
      return "OPERATOR";
    case OBJECT_TYPE:
      return "TYPE";
    case OBJECT_DOMAIN:
      return "DOMAIN";
    case OBJECT_SCHEMA:
      return "SCHEMA";
    case OBJECT_TRIGGER:
      return "TRIGGER";
    case OBJECT_RULE:
      return "RULE";
    case OBJECT_EXTENSION:
      return "EXTENSION";
    case OBJECT_FOREIGN_TABLE:
      return "FOREIGN TABLE";
    case OBJECT_FOREIGN_SERVER:
      return "SERVER";
    case OBJECT_FDW:
      return "FOREIGN DATA WRAPPER";
    case OBJECT_COLLATION:
      return "COLLATION";
    case OBJECT_CONVERSION:
      return "CONVERSION";
    case OBJECT_CAST:
      return "CAST";
    case OBJECT_POLICY:
      return "POLICY";
    case OBJECT_PUBLICATION:
      return "PUBLICATION";
    case OBJECT_STATISTIC_EXT:
      return "STATISTICS";
    case OBJECT_EVENT_TRIGGER:
      return "EVENT TRIGGER";
    case OBJECT_LANGUAGE:
      return "LANGUAGE";
    case OBJECT_ACCESS_METHOD:
      return "ACCESS METHOD";
    default:
      return "of this kind of object";
  }
}

struct Name {
  ::NodeTag tag;
  const char* name;
};

constexpr Name kNames[] = {
    {T_CreateFunctionStmt, "CREATE FUNCTION"},
    {T_AlterFunctionStmt, "ALTER FUNCTION"},
    {T_DoStmt, "DO"},
    {T_CallStmt, "CALL"},
    {T_ViewStmt, "CREATE VIEW"},
    {T_CreateTableAsStmt, "CREATE TABLE AS"},
    {T_RefreshMatViewStmt, "REFRESH MATERIALIZED VIEW"},
    {T_CreateSchemaStmt, "CREATE SCHEMA"},
    {T_CreatedbStmt, "CREATE DATABASE"},
    {T_DropdbStmt, "DROP DATABASE"},
    {T_AlterDatabaseStmt, "ALTER DATABASE"},
    {T_AlterDatabaseSetStmt, "ALTER DATABASE ... SET"},
    {T_AlterRoleSetStmt, "ALTER ROLE ... SET"},
    {T_CreateTrigStmt, "CREATE TRIGGER"},
    {T_CreateEventTrigStmt, "CREATE EVENT TRIGGER"},
    {T_CreatePLangStmt, "CREATE LANGUAGE"},
    {T_CreateExtensionStmt, "CREATE EXTENSION"},
    {T_AlterExtensionStmt, "ALTER EXTENSION"},
    {T_CreateDomainStmt, "CREATE DOMAIN"},
    {T_AlterDomainStmt, "ALTER DOMAIN"},
    {T_CreateEnumStmt, "CREATE TYPE ... AS ENUM"},
    {T_AlterEnumStmt, "ALTER TYPE"},
    {T_CreateRangeStmt, "CREATE TYPE ... AS RANGE"},
    {T_CompositeTypeStmt, "CREATE TYPE"},
    {T_AlterTypeStmt, "ALTER TYPE"},
    {T_RuleStmt, "CREATE RULE"},
    {T_NotifyStmt, "NOTIFY"},
    {T_ListenStmt, "LISTEN"},
    {T_UnlistenStmt, "UNLISTEN"},
    {T_LoadStmt, "LOAD"},
    {T_ClusterStmt, "CLUSTER"},
    {T_LockStmt, "LOCK TABLE"},
    {T_ConstraintsSetStmt, "SET CONSTRAINTS"},
    {T_ReindexStmt, "REINDEX"},
    {T_CommentStmt, "COMMENT"},
    {T_SecLabelStmt, "SECURITY LABEL"},
    {T_GrantStmt, "GRANT or REVOKE"},
    {T_GrantRoleStmt, "GRANT or REVOKE of a role"},
    {T_AlterDefaultPrivilegesStmt, "ALTER DEFAULT PRIVILEGES"},
    {T_ReassignOwnedStmt, "REASSIGN OWNED"},
    {T_DropOwnedStmt, "DROP OWNED"},
    {T_CreateCastStmt, "CREATE CAST"},
    {T_CreateConversionStmt, "CREATE CONVERSION"},
    {T_CreateOpClassStmt, "CREATE OPERATOR CLASS"},
    {T_CreateOpFamilyStmt, "CREATE OPERATOR FAMILY"},
    {T_AlterOpFamilyStmt, "ALTER OPERATOR FAMILY"},
    {T_AlterOperatorStmt, "ALTER OPERATOR"},
    {T_CreateTableSpaceStmt, "CREATE TABLESPACE"},
    {T_DropTableSpaceStmt, "DROP TABLESPACE"},
    {T_AlterTableMoveAllStmt, "ALTER ... ALL IN TABLESPACE"},
    {T_AlterObjectSchemaStmt, "ALTER ... SET SCHEMA"},
    {T_AlterObjectDependsStmt, "ALTER ... DEPENDS ON"},
    {T_AlterOwnerStmt, "ALTER ... OWNER TO of this kind of object"},
    {T_AlterSystemStmt, "ALTER SYSTEM"},
    {T_AlterCollationStmt, "ALTER COLLATION"},
    {T_CreateAmStmt, "CREATE ACCESS METHOD"},
    {T_CreateFdwStmt, "CREATE FOREIGN DATA WRAPPER"},
    {T_CreateForeignServerStmt, "CREATE SERVER"},
    {T_CreateForeignTableStmt, "CREATE FOREIGN TABLE"},
    {T_CreateUserMappingStmt, "CREATE USER MAPPING"},
    {T_ImportForeignSchemaStmt, "IMPORT FOREIGN SCHEMA"},
    {T_CreatePolicyStmt, "CREATE POLICY"},
    {T_AlterPolicyStmt, "ALTER POLICY"},
    {T_CreatePublicationStmt, "CREATE PUBLICATION"},
    {T_AlterPublicationStmt, "ALTER PUBLICATION"},
    {T_CreateSubscriptionStmt, "CREATE SUBSCRIPTION"},
    {T_AlterSubscriptionStmt, "ALTER SUBSCRIPTION"},
    {T_DropSubscriptionStmt, "DROP SUBSCRIPTION"},
    {T_CreateStatsStmt, "CREATE STATISTICS"},
    {T_AlterStatsStmt, "ALTER STATISTICS"},
    {T_CreateTransformStmt, "CREATE TRANSFORM"},
    {T_AlterTSDictionaryStmt, "ALTER TEXT SEARCH DICTIONARY"},
    {T_AlterTSConfigurationStmt, "ALTER TEXT SEARCH CONFIGURATION"},
    {T_MergeStmt, "MERGE"},
    {T_PLAssignStmt, "assignment"},
};

}  // namespace

// For DROP of what we have, exactly "DROP".
std::string UnsupportedStatementName(const ::Node* node) {
  if (Tag(node) == T_DropStmt) {
    const ::ObjectType type = As<::DropStmt>(node)->removeType;
    if (type == OBJECT_TABLE || type == OBJECT_INDEX || type == OBJECT_SEQUENCE) return "DROP";
    return std::string("DROP ") + ObjectName(type);
  }
  if (Tag(node) == T_DefineStmt) {
    return std::string("CREATE ") + ObjectName(As<::DefineStmt>(node)->kind);
  }
  if (Tag(node) == T_CreateTableAsStmt &&
      As<::CreateTableAsStmt>(node)->objtype == OBJECT_MATVIEW) {
    return "CREATE MATERIALIZED VIEW";
  }
  for (const Name& entry : kNames) {
    if (entry.tag == Tag(node)) return entry.name;
  }
  return "this kind of statement";
}

}  // namespace borealis::parser
