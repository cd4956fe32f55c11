#include <algorithm>
#include <charconv>

#include "writer-node/parser/deparse.h"
// After the C++ headers: it includes PostgreSQL's.
#include "writer-node/parser/convert.h"

namespace borealis::parser {
namespace {

ForeignAction ConvertAction(char action) {
  switch (action) {
    case FKCONSTR_ACTION_RESTRICT:
      return ForeignAction::kRestrict;
    case FKCONSTR_ACTION_CASCADE:
      return ForeignAction::kCascade;
    case FKCONSTR_ACTION_SETNULL:
      return ForeignAction::kSetNull;
    case FKCONSTR_ACTION_SETDEFAULT:
      return ForeignAction::kSetDefault;
    default:
      return ForeignAction::kNoAction;
  }
}

int64_t IntegerOption(const ::DefElem* option) {
  const std::optional<std::string> text = ValueText(option->arg);
  int64_t value = 0;
  if (text.has_value()) {
    const char* end = text->data() + text->size();
    auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error == std::errc() && stop == end) return value;
    if (error == std::errc::result_out_of_range) {
      Fail("22003", "value \"" + *text + "\" is out of range for type bigint", option->location);
    }
  }
  Fail("42601", std::string(option->defname) + " requires an integer value", option->location);
}

NullsOrder ConvertNulls(::SortByNulls nulls) {
  return nulls == SORTBY_NULLS_FIRST
             ? NullsOrder::kFirst
             : (nulls == SORTBY_NULLS_LAST ? NullsOrder::kLast : NullsOrder::kDefault);
}

// {"a"}, {"s", "a"} or {"c", "s", "a"} as a relation.
RelationName RelationOf(const ::List* list) {
  QualifiedName parts = ConvertName(list);
  if (parts.size() > 3) {
    Fail("42601", "improper qualified name (too many dotted names): " + NameText(parts));
  }
  RelationName out;
  out.name = parts.back();
  if (parts.size() > 1) out.schema = parts[parts.size() - 2];
  if (parts.size() > 2) out.catalog = parts[0];
  return out;
}

}  // namespace

std::vector<Option> Converter::ConvertOptions(const ::List* list) {
  std::vector<Option> out;
  ForEach<::DefElem>(list, [&](const ::DefElem* element) {
    Option option;
    option.name = Text(element->defname);
    option.location = element->location;
    if (element->defnamespace != nullptr) {
      option.name = Text(element->defnamespace) + "." + option.name;
    }
    if (element->arg != nullptr && Tag(element->arg) == T_List) {
      option.list = ConvertStrings(As<::List>(element->arg));
    } else if (element->arg != nullptr && Tag(element->arg) == T_A_Star) {
      option.list = {"*"};
    } else {
      option.value = ValueText(element->arg);
    }
    out.push_back(std::move(option));
  });
  return out;
}

SequenceOptions Converter::ConvertSequenceOptions(const ::List* options) {
  SequenceOptions out;
  ForEach<::DefElem>(options, [&](const ::DefElem* option) {
    const std::string name = Text(option->defname);
    if (name == "start") {
      out.start = IntegerOption(option);
    } else if (name == "increment") {
      out.increment = IntegerOption(option);
    } else if (name == "minvalue") {
      option->arg == nullptr ? void(out.no_min = true)
                             : void(out.min_value = IntegerOption(option));
    } else if (name == "maxvalue") {
      option->arg == nullptr ? void(out.no_max = true)
                             : void(out.max_value = IntegerOption(option));
    } else if (name == "cache") {
      out.cache = IntegerOption(option);
    } else if (name == "cycle") {
      out.cycle = BooleanOption(option);
    } else if (name == "restart") {
      option->arg == nullptr ? void(out.restart_bare = true)
                             : void(out.restart = IntegerOption(option));
    } else if (name == "as") {
      out.type = ConvertType(As<::TypeName>(option->arg));
    } else if (name == "owned_by") {
      out.owned_by = ConvertName(As<::List>(option->arg));
    } else {
      Unsupported("the sequence option " + name, option->location);
    }
  });
  return out;
}

ConstraintDef Converter::ConvertConstraint(const ::Constraint* node) {
  ConstraintDef out;
  out.name = Text(node->conname);
  out.location = node->location;
  out.deferrable = node->deferrable;
  out.initially_deferred = node->initdeferred;
  out.not_valid = node->skip_validation;
  out.expr = OptionalExpression(node->raw_expr);
  if (out.expr != nullptr) out.expr_text = ExprText(*out.expr);
  out.columns = ConvertStrings(node->keys);
  out.including = ConvertStrings(node->including);
  out.using_index = Text(node->indexname);
  out.nulls_not_distinct = node->nulls_not_distinct;
  if (node->indexspace != nullptr) Unsupported("TABLESPACE", node->location);
  switch (node->contype) {
    case CONSTR_NULL:
      out.kind = ConstraintKind::kNull;
      break;
    case CONSTR_NOTNULL:
      out.kind = ConstraintKind::kNotNull;
      break;
    case CONSTR_DEFAULT:
      out.kind = ConstraintKind::kDefault;
      break;
    case CONSTR_IDENTITY:
      out.kind = ConstraintKind::kIdentity;
      out.identity_always = node->generated_when == ATTRIBUTE_IDENTITY_ALWAYS;
      out.sequence = ConvertSequenceOptions(node->options);
      break;
    case CONSTR_GENERATED:
      out.kind = ConstraintKind::kGenerated;
      break;
    case CONSTR_CHECK:
      out.kind = ConstraintKind::kCheck;
      break;
    case CONSTR_PRIMARY:
      out.kind = ConstraintKind::kPrimaryKey;
      out.options = ConvertOptions(node->options);
      break;
    case CONSTR_UNIQUE:
      out.kind = ConstraintKind::kUnique;
      out.options = ConvertOptions(node->options);
      break;
    case CONSTR_FOREIGN:
      ConvertForeignKey(node, &out);
      break;
    case CONSTR_EXCLUSION:
      Unsupported("an exclusion constraint", node->location);
    default:
      Unsupported("this kind of constraint", node->location);
  }
  return out;
}

void Converter::ConvertForeignKey(const ::Constraint* node, ConstraintDef* out) {
  out->kind = ConstraintKind::kForeignKey;
  out->columns = ConvertStrings(node->fk_attrs);
  out->references = ConvertRelation(node->pktable);
  out->ref_columns = ConvertStrings(node->pk_attrs);
  out->on_delete = ConvertAction(node->fk_del_action);
  out->on_update = ConvertAction(node->fk_upd_action);
  out->match_full = node->fk_matchtype == FKCONSTR_MATCH_FULL;
  if (node->fk_matchtype == FKCONSTR_MATCH_PARTIAL) Unsupported("MATCH PARTIAL", node->location);
  if (node->fk_del_set_cols != nullptr) {
    Unsupported("a column list of ON DELETE SET", node->location);
  }
}

ColumnDef Converter::ConvertColumn(const ::ColumnDef* node) {
  ColumnDef out;
  out.name = Text(node->colname);
  out.location = node->location;
  if (node->typeName == nullptr) Unsupported("a column without a type", node->location);
  out.type = ConvertType(node->typeName);
  if (node->compression != nullptr) Unsupported("COMPRESSION", node->location);
  if (node->fdwoptions != nullptr) Unsupported("OPTIONS of a column", node->location);
  if (node->collClause != nullptr) out.collation = ConvertName(node->collClause->collname);
  ForEach<::Constraint>(node->constraints, [&](const ::Constraint* constraint) {
    switch (constraint->contype) {
      case CONSTR_ATTR_DEFERRABLE:
      case CONSTR_ATTR_DEFERRED:
        Unsupported("a deferrable constraint", constraint->location);
      case CONSTR_ATTR_NOT_DEFERRABLE:
      case CONSTR_ATTR_IMMEDIATE:
        return;  // what every constraint is anyway
      default:
        out.constraints.push_back(ConvertConstraint(constraint));
    }
  });
  return out;
}

StatementPtr Converter::ConvertCreateTable(const ::CreateStmt* node) {
  auto out = std::make_unique<CreateTableStmt>();
  out->table = ConvertRelation(node->relation);
  out->unlogged = node->relation->relpersistence == RELPERSISTENCE_UNLOGGED;
  out->if_not_exists = node->if_not_exists;
  if (node->partspec != nullptr) Unsupported("PARTITION BY", out->table.location);
  if (node->partbound != nullptr) Unsupported("PARTITION OF", out->table.location);
  if (node->inhRelations != nullptr) Unsupported("INHERITS", out->table.location);
  if (node->ofTypename != nullptr) Unsupported("CREATE TABLE ... OF", out->table.location);
  if (node->oncommit != ONCOMMIT_NOOP) Unsupported("ON COMMIT", out->table.location);
  if (node->tablespacename != nullptr) Unsupported("TABLESPACE", out->table.location);
  if (node->accessMethod != nullptr && Text(node->accessMethod) != "heap") {
    Unsupported("USING " + Text(node->accessMethod), out->table.location);
  }
  ForEach<::Node>(node->tableElts, [&](const ::Node* element) {
    switch (Tag(element)) {
      case T_ColumnDef:
        out->columns.push_back(ConvertColumn(As<::ColumnDef>(element)));
        break;
      case T_Constraint:
        out->constraints.push_back(ConvertConstraint(As<::Constraint>(element)));
        break;
      default:
        Unsupported("CREATE TABLE ... (LIKE ...)", out->table.location);
    }
  });
  out->options = ConvertOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertDrop(const ::DropStmt* node) {
  auto out = std::make_unique<DropStmt>();
  switch (node->removeType) {
    case OBJECT_TABLE:
      out->object = ObjectKind::kTable;
      break;
    case OBJECT_INDEX:
      out->object = ObjectKind::kIndex;
      break;
    case OBJECT_SEQUENCE:
      out->object = ObjectKind::kSequence;
      break;
    default:
      Unsupported("DROP of this kind of object");
  }
  ForEach<::List>(node->objects,
                  [&](const ::List* name) { out->names.push_back(RelationOf(name)); });
  out->if_exists = node->missing_ok;
  out->cascade = node->behavior == DROP_CASCADE;
  return out;
}

StatementPtr Converter::ConvertAlterTable(const ::AlterTableStmt* node) {
  if (node->objtype != OBJECT_TABLE) {
    Unsupported(node->objtype == OBJECT_INDEX ? "ALTER INDEX" : "ALTER of this kind of object");
  }
  auto out = std::make_unique<AlterTableStmt>();
  out->table = ConvertRelation(node->relation);
  out->if_exists = node->missing_ok;
  ForEach<::AlterTableCmd>(node->cmds, [&](const ::AlterTableCmd* command) {
    out->commands.push_back(ConvertAlterCommand(command));
  });
  return out;
}

AlterCommand Converter::ConvertAlterCommand(const ::AlterTableCmd* node) {
  AlterCommand out;
  out.name = Text(node->name);
  out.cascade = node->behavior == DROP_CASCADE;
  switch (node->subtype) {
    case AT_AddColumn:
      out.action = AlterAction::kAddColumn;
      out.column = ConvertColumn(As<::ColumnDef>(node->def));
      out.if_not_exists = node->missing_ok;
      break;
    case AT_DropColumn:
      out.action = AlterAction::kDropColumn;
      out.if_exists = node->missing_ok;
      break;
    case AT_AddConstraint:
      out.action = AlterAction::kAddConstraint;
      out.constraint = ConvertConstraint(As<::Constraint>(node->def));
      break;
    case AT_DropConstraint:
      out.action = AlterAction::kDropConstraint;
      out.if_exists = node->missing_ok;
      break;
    case AT_ValidateConstraint:
      out.action = AlterAction::kValidateConstraint;
      break;
    case AT_ColumnDefault:
      out.action = node->def == nullptr ? AlterAction::kDropDefault : AlterAction::kSetDefault;
      out.expr = OptionalExpression(node->def);
      if (out.expr != nullptr) out.expr_text = ExprText(*out.expr);
      break;
    case AT_SetNotNull:
      out.action = AlterAction::kSetNotNull;
      break;
    case AT_DropNotNull:
      out.action = AlterAction::kDropNotNull;
      break;
    case AT_AlterColumnType: {
      auto* column = As<::ColumnDef>(node->def);
      out.action = AlterAction::kAlterType;
      out.column.name = out.name;
      out.column.type = ConvertType(column->typeName);
      if (column->collClause != nullptr) {
        out.column.collation = ConvertName(column->collClause->collname);
      }
      out.expr = OptionalExpression(column->raw_default);
      break;
    }
    case AT_SetRelOptions:
    case AT_ResetRelOptions:
      out.action = AlterAction::kSetOptions;
      out.options = ConvertOptions(As<::List>(node->def));
      break;
    case AT_ChangeOwner:
      if (node->newowner->roletype != ROLESPEC_CSTRING) Unsupported("OWNER TO CURRENT_USER");
      out.action = AlterAction::kOwner;
      out.owner = Text(node->newowner->rolename);
      break;
    default:
      Unsupported("this form of ALTER TABLE");
  }
  return out;
}

StatementPtr Converter::ConvertRename(const ::RenameStmt* node) {
  auto out = std::make_unique<RenameStmt>();
  switch (node->renameType) {
    case OBJECT_TABLE:
      out->what = RenameKind::kTable;
      break;
    case OBJECT_INDEX:
      out->what = RenameKind::kIndex;
      break;
    case OBJECT_SEQUENCE:
      out->what = RenameKind::kSequence;
      break;
    case OBJECT_COLUMN:
      out->what = RenameKind::kColumn;
      break;
    case OBJECT_TABCONSTRAINT:
      out->what = RenameKind::kConstraint;
      break;
    default:
      Unsupported("ALTER ... RENAME of this kind of object");
  }
  if (out->what == RenameKind::kColumn && node->relationType != OBJECT_TABLE) {
    Unsupported("ALTER ... RENAME COLUMN of this kind of object");
  }
  out->table = ConvertRelation(node->relation);
  out->old_name = Text(node->subname);
  out->new_name = Text(node->newname);
  out->if_exists = node->missing_ok;
  return out;
}

StatementPtr Converter::ConvertIndex(const ::IndexStmt* node) {
  auto out = std::make_unique<CreateIndexStmt>();
  out->name = Text(node->idxname);
  out->table = ConvertRelation(node->relation);
  out->method = Text(node->accessMethod);
  if (node->tableSpace != nullptr) Unsupported("TABLESPACE", out->table.location);
  ForEach<::IndexElem>(node->indexParams, [&](const ::IndexElem* element) {
    IndexElement e;
    e.column = Text(element->name);
    e.expr = OptionalExpression(element->expr);
    e.descending = element->ordering == SORTBY_DESC;
    e.nulls = ConvertNulls(element->nulls_ordering);
    e.opclass = ConvertName(element->opclass);
    e.collation = ConvertName(element->collation);
    out->elements.push_back(std::move(e));
  });
  ForEach<::IndexElem>(node->indexIncludingParams, [&](const ::IndexElem* element) {
    if (element->expr != nullptr) {
      Fail("0A000", "expressions are not supported in included columns", out->table.location);
    }
    out->including.push_back(Text(element->name));
  });
  out->where = OptionalExpression(node->whereClause);
  out->unique = node->unique;
  out->nulls_not_distinct = node->nulls_not_distinct;
  out->if_not_exists = node->if_not_exists;
  out->concurrently = node->concurrent;
  out->options = ConvertOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertCreateSequence(const ::CreateSeqStmt* node) {
  auto out = std::make_unique<CreateSequenceStmt>();
  out->name = ConvertRelation(node->sequence);
  out->if_not_exists = node->if_not_exists;
  out->options = ConvertSequenceOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertAlterSequence(const ::AlterSeqStmt* node) {
  auto out = std::make_unique<AlterSequenceStmt>();
  out->name = ConvertRelation(node->sequence);
  out->if_exists = node->missing_ok;
  out->options = ConvertSequenceOptions(node->options);
  return out;
}

StatementPtr Converter::ConvertTruncate(const ::TruncateStmt* node) {
  auto out = std::make_unique<TruncateStmt>();
  ForEach<::RangeVar>(node->relations, [&](const ::RangeVar* table) {
    out->tables.push_back(ConvertRelation(table));
  });
  out->restart_identity = node->restart_seqs;
  out->cascade = node->behavior == DROP_CASCADE;
  return out;
}

}  // namespace borealis::parser
