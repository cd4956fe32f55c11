#include <algorithm>
#include <cctype>
#include <cstdint>
#include <limits>

#include "writer-node/parser/convert.h"

namespace borealis::parser {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Isolation IsolationOf(const std::string& name, int location) {
  if (name == "read uncommitted") return Isolation::kReadUncommitted;
  if (name == "read committed") return Isolation::kReadCommitted;
  if (name == "repeatable read") return Isolation::kRepeatableRead;
  if (name == "serializable") return Isolation::kSerializable;
  Fail("22023", "invalid value for parameter \"transaction_isolation\": \"" + name + "\"",
       location);
}

std::string RoleName(const ::RoleSpec* role) {
  switch (role->roletype) {
    case ROLESPEC_CSTRING:
      return Text(role->rolename);
    case ROLESPEC_PUBLIC:
      Fail("42939", "role name \"public\" is reserved", role->location);
    default:
      Unsupported("CURRENT_USER, CURRENT_ROLE or SESSION_USER here", role->location);
  }
}

RoleOptions ConvertRoleOptions(const ::List* options) {
  RoleOptions out;
  ForEach<::DefElem>(options, [&](const ::DefElem* option) {
    const std::string name = Text(option->defname);
    if (name == "password") {
      if (option->arg == nullptr) {
        out.password_null = true;
      } else {
        out.password = ValueText(option->arg);
      }
    } else if (name == "superuser") {
      out.superuser = BooleanOption(option);
    } else if (name == "inherit") {
      out.inherit = BooleanOption(option);
    } else if (name == "createrole") {
      out.create_role = BooleanOption(option);
    } else if (name == "createdb") {
      out.create_db = BooleanOption(option);
    } else if (name == "canlogin") {
      out.login = BooleanOption(option);
    } else if (name == "isreplication") {
      out.replication = BooleanOption(option);
    } else if (name == "bypassrls") {
      out.bypass_rls = BooleanOption(option);
    } else if (name == "connectionlimit" && Tag(option->arg) == T_Integer) {
      out.connection_limit = As<::Integer>(option->arg)->ival;
    } else {
      Unsupported("the role option " + name, option->location);
    }
  });
  return out;
}

}  // namespace

std::optional<std::string> ValueText(const ::Node* node) {
  if (node == nullptr) return std::nullopt;
  switch (Tag(node)) {
    case T_Integer:
      return std::to_string(As<::Integer>(node)->ival);
    case T_Float:
      return Text(As<::Float>(node)->fval);
    case T_Boolean:
      return std::string(As<::Boolean>(node)->boolval ? "true" : "false");
    case T_String:
      return Text(As<::String>(node)->sval);
    case T_TypeName:
      return NameText(ConvertName(As<::TypeName>(node)->names));
    case T_A_Const: {
      auto* constant = As<::A_Const>(node);
      if (constant->isnull) return std::nullopt;
      return ValueText(&constant->val.node);
    }
    default:
      Unsupported("this kind of value");
  }
}

bool BooleanOption(const ::DefElem* option) {
  const std::optional<std::string> text = ValueText(option->arg);
  if (!text.has_value()) return true;
  const std::string value = Lower(*text);
  if (value == "true" || value == "on" || value == "1") return true;
  if (value == "false" || value == "off" || value == "0") return false;
  Fail("42601", Text(option->defname) + " requires a Boolean value", option->location);
}

TransactionModes ConvertModes(const ::List* list) {
  TransactionModes out;
  ForEach<::DefElem>(list, [&](const ::DefElem* mode) {
    const std::string name = Text(mode->defname);
    const std::string value = ValueText(mode->arg).value_or("");
    if (name == "transaction_isolation") {
      out.isolation = IsolationOf(value, mode->location);
    } else if (name == "transaction_read_only") {
      out.read_only = value == "1" || value == "true";
    } else if (name == "transaction_deferrable") {
      out.deferrable = value == "1" || value == "true";
    } else {
      Unsupported("the transaction mode " + name, mode->location);
    }
  });
  return out;
}

StatementPtr Converter::ConvertTransaction(const ::TransactionStmt* node) {
  auto out = std::make_unique<TransactionStmt>();
  switch (node->kind) {
    case TRANS_STMT_START:
      out->start = true;
      [[fallthrough]];
    case TRANS_STMT_BEGIN:
      out->what = TransactionKind::kBegin;
      out->modes = ConvertModes(node->options);
      break;
    case TRANS_STMT_COMMIT:
      out->what = TransactionKind::kCommit;
      break;
    case TRANS_STMT_ROLLBACK:
      out->what = TransactionKind::kRollback;
      break;
    case TRANS_STMT_SAVEPOINT:
      out->what = TransactionKind::kSavepoint;
      break;
    case TRANS_STMT_RELEASE:
      out->what = TransactionKind::kRelease;
      break;
    case TRANS_STMT_ROLLBACK_TO:
      out->what = TransactionKind::kRollbackTo;
      break;
    default:
      Unsupported("a prepared (two-phase) transaction");
  }
  out->chain = node->chain;
  out->savepoint = Text(node->savepoint_name);
  return out;
}

StatementPtr Converter::ConvertSet(const ::VariableSetStmt* node) {
  auto out = std::make_unique<SetStmt>();
  out->local = node->is_local;
  out->name = Lower(Text(node->name));
  switch (node->kind) {
    case VAR_SET_VALUE:
      out->what = SetKind::kValue;
      ForEach<::Node>(node->args, [&](const ::Node* arg) {
        if (Tag(arg) == T_TypeCast) Unsupported("SET TIME ZONE INTERVAL");
        out->values.push_back(ValueText(arg).value_or(""));
      });
      break;
    case VAR_SET_DEFAULT:
      out->what = SetKind::kDefault;
      break;
    case VAR_SET_CURRENT:
      Unsupported("SET ... FROM CURRENT");
    case VAR_SET_MULTI:
      if (Text(node->name) == "TRANSACTION") {
        out->what = SetKind::kTransaction;
      } else if (Text(node->name) == "SESSION CHARACTERISTICS") {
        out->what = SetKind::kSessionDefaults;
      } else {
        Unsupported("SET " + Text(node->name));
      }
      out->modes = ConvertModes(node->args);
      break;
    case VAR_RESET:
      out->what = SetKind::kReset;
      break;
    case VAR_RESET_ALL:
      out->what = SetKind::kResetAll;
      break;
  }
  return out;
}

StatementPtr Converter::ConvertPrepare(const ::PrepareStmt* node) {
  auto out = std::make_unique<PrepareStmt>();
  out->name = Text(node->name);
  ForEach<::TypeName>(node->argtypes,
                      [&](const ::TypeName* type) { out->types.push_back(ConvertType(type)); });
  out->statement = Convert(node->query);
  return out;
}

StatementPtr Converter::ConvertCursor(const ::DeclareCursorStmt* node) {
  auto out = std::make_unique<DeclareCursorStmt>();
  out->name = Text(node->portalname);
  out->binary = (node->options & CURSOR_OPT_BINARY) != 0;
  out->hold = (node->options & CURSOR_OPT_HOLD) != 0;
  out->scroll = (node->options & CURSOR_OPT_SCROLL) != 0;
  out->select = Convert(node->query);
  return out;
}

StatementPtr Converter::ConvertFetch(const ::FetchStmt* node) {
  auto out = std::make_unique<FetchStmt>();
  out->cursor = Text(node->portalname);
  out->move = node->ismove;
  // FETCH_ALL is LONG_MAX.
  out->count = node->howMany;
  switch (node->direction) {
    case FETCH_FORWARD:
      out->direction = FetchDirection::kForward;
      break;
    case FETCH_BACKWARD:
      out->direction = FetchDirection::kBackward;
      break;
    case FETCH_ABSOLUTE:
      out->direction = FetchDirection::kAbsolute;
      break;
    case FETCH_RELATIVE:
      out->direction = FetchDirection::kRelative;
      break;
  }
  return out;
}

StatementPtr Converter::ConvertCopy(const ::CopyStmt* node) {
  if (node->is_program) Unsupported("COPY with a program");
  if (node->filename != nullptr) Unsupported("COPY with a file on the server");
  auto out = std::make_unique<CopyStmt>();
  if (node->relation != nullptr) out->table = ConvertRelation(node->relation);
  if (node->query != nullptr) {
    if (Tag(node->query) != T_SelectStmt) Unsupported("COPY of a data-modifying statement");
    out->query = Convert(node->query);
  }
  out->columns = ConvertStrings(node->attlist);
  out->from = node->is_from;
  out->where = OptionalExpression(node->whereClause);
  out->options = ConvertOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertVacuum(const ::VacuumStmt* node) {
  auto out = std::make_unique<VacuumStmt>();
  out->vacuum = node->is_vacuumcmd;
  out->options = ConvertOptions(node->options);
  ForEach<::VacuumRelation>(node->rels, [&](const ::VacuumRelation* rel) {
    out->tables.push_back(ConvertRelation(rel->relation));
  });
  return out;
}

StatementPtr Converter::ConvertExplain(const ::ExplainStmt* node) {
  auto out = std::make_unique<ExplainStmt>();
  ForEach<::DefElem>(node->options, [&](const ::DefElem* option) {
    const std::string name = Text(option->defname);
    if (name == "analyze") {
      out->analyze = BooleanOption(option);
    } else if (name == "verbose") {
      out->verbose = BooleanOption(option);
    } else if (name == "costs") {
      out->costs = BooleanOption(option);
    } else if (name == "format") {
      const std::string format = Lower(ValueText(option->arg).value_or(""));
      if (format != "text") Unsupported("EXPLAIN (FORMAT " + format + ")", option->location);
    } else if (name == "timing" || name == "summary" || name == "buffers" || name == "settings" ||
               name == "wal") {
      if (BooleanOption(option) && name != "timing" && name != "summary") {
        Unsupported("EXPLAIN (" + name + ")", option->location);
      }
    } else {
      Fail("42601", "unrecognized EXPLAIN option \"" + name + "\"", option->location);
    }
  });
  out->statement = Convert(node->query);
  return out;
}

StatementPtr Converter::ConvertCreateRole(const ::CreateRoleStmt* node) {
  if (node->stmt_type == ROLESTMT_GROUP) Unsupported("CREATE GROUP");
  auto out = std::make_unique<CreateRoleStmt>();
  out->name = Text(node->role);
  out->user = node->stmt_type == ROLESTMT_USER;
  out->options = ConvertRoleOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertAlterRole(const ::AlterRoleStmt* node) {
  auto out = std::make_unique<AlterRoleStmt>();
  if (node->role->roletype == ROLESPEC_CURRENT_USER ||
      node->role->roletype == ROLESPEC_CURRENT_ROLE) {
    out->current_user = true;
  } else {
    out->name = RoleName(node->role);
  }
  out->options = ConvertRoleOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertDropRole(const ::DropRoleStmt* node) {
  auto out = std::make_unique<DropRoleStmt>();
  ForEach<::RoleSpec>(node->roles,
                      [&](const ::RoleSpec* role) { out->names.push_back(RoleName(role)); });
  out->if_exists = node->missing_ok;
  return out;
}

StatementPtr Converter::Convert(const ::Node* node) {
  Enter enter(this);
  switch (Tag(node)) {
    case T_SelectStmt:
      return ConvertSelect(As<::SelectStmt>(node));
    case T_InsertStmt:
      return ConvertInsert(As<::InsertStmt>(node));
    case T_UpdateStmt:
      return ConvertUpdate(As<::UpdateStmt>(node));
    case T_DeleteStmt:
      return ConvertDelete(As<::DeleteStmt>(node));
    case T_CreateStmt:
      return ConvertCreateTable(As<::CreateStmt>(node));
    case T_DropStmt:
      if (UnsupportedStatementName(node) != "DROP") Unsupported(UnsupportedStatementName(node));
      return ConvertDrop(As<::DropStmt>(node));
    case T_AlterTableStmt:
      return ConvertAlterTable(As<::AlterTableStmt>(node));
    case T_RenameStmt:
      return ConvertRename(As<::RenameStmt>(node));
    case T_IndexStmt:
      return ConvertIndex(As<::IndexStmt>(node));
    case T_CreateSeqStmt:
      return ConvertCreateSequence(As<::CreateSeqStmt>(node));
    case T_AlterSeqStmt:
      return ConvertAlterSequence(As<::AlterSeqStmt>(node));
    case T_TruncateStmt:
      return ConvertTruncate(As<::TruncateStmt>(node));
    default:
      return ConvertUtility(node);
  }
}

StatementPtr Converter::ConvertUtility(const ::Node* node) {
  switch (Tag(node)) {
    case T_TransactionStmt:
      return ConvertTransaction(As<::TransactionStmt>(node));
    case T_VariableSetStmt:
      return ConvertSet(As<::VariableSetStmt>(node));
    case T_VariableShowStmt: {
      auto out = std::make_unique<ShowStmt>();
      out->name = Lower(Text(As<::VariableShowStmt>(node)->name));
      return out;
    }
    case T_PrepareStmt:
      return ConvertPrepare(As<::PrepareStmt>(node));
    case T_ExecuteStmt: {
      auto out = std::make_unique<ExecuteStmt>();
      out->name = Text(As<::ExecuteStmt>(node)->name);
      out->args = Expressions(As<::ExecuteStmt>(node)->params);
      return out;
    }
    case T_DeallocateStmt: {
      auto out = std::make_unique<DeallocateStmt>();
      out->name = Text(As<::DeallocateStmt>(node)->name);
      return out;
    }
    case T_DeclareCursorStmt:
      return ConvertCursor(As<::DeclareCursorStmt>(node));
    case T_FetchStmt:
      return ConvertFetch(As<::FetchStmt>(node));
    case T_ClosePortalStmt: {
      auto out = std::make_unique<CloseCursorStmt>();
      out->name = Text(As<::ClosePortalStmt>(node)->portalname);
      return out;
    }
    case T_DiscardStmt: {
      auto out = std::make_unique<DiscardStmt>();
      switch (As<::DiscardStmt>(node)->target) {
        case DISCARD_ALL:
          out->what = DiscardKind::kAll;
          break;
        case DISCARD_PLANS:
          out->what = DiscardKind::kPlans;
          break;
        case DISCARD_SEQUENCES:
          out->what = DiscardKind::kSequences;
          break;
        case DISCARD_TEMP:
          out->what = DiscardKind::kTemporary;
          break;
      }
      return out;
    }
    case T_CopyStmt:
      return ConvertCopy(As<::CopyStmt>(node));
    case T_VacuumStmt:
      return ConvertVacuum(As<::VacuumStmt>(node));
    case T_CheckPointStmt:
      return std::make_unique<CheckpointStmt>();
    case T_ExplainStmt:
      return ConvertExplain(As<::ExplainStmt>(node));
    case T_CreateRoleStmt:
      return ConvertCreateRole(As<::CreateRoleStmt>(node));
    case T_AlterRoleStmt:
      return ConvertAlterRole(As<::AlterRoleStmt>(node));
    case T_DropRoleStmt:
      return ConvertDropRole(As<::DropRoleStmt>(node));
    default:
      Unsupported(UnsupportedStatementName(node));
  }
}

}  // namespace borealis::parser
