#include "writer-node/parser/convert.h"

namespace borealis::parser {

RelationName ConvertRelation(const ::RangeVar* node) {
  if (node->relpersistence == RELPERSISTENCE_TEMP) {
    Unsupported("a temporary table", node->location);
  }
  return {Text(node->catalogname), Text(node->schemaname), Text(node->relname), node->location};
}

Alias ConvertAlias(const ::Alias* node) {
  Alias out;
  if (node == nullptr) return out;
  out.name = Text(node->aliasname);
  out.columns = ConvertStrings(node->colnames);
  return out;
}

SelectPtr Converter::SelectOf(const void* node) {
  if (node == nullptr || Tag(node) != T_SelectStmt) Unsupported("this kind of sub-select");
  Enter enter(this, 6);
  return ConvertSelect(As<::SelectStmt>(node));
}

std::vector<CommonTable> Converter::ConvertWith(const ::WithClause* node) {
  std::vector<CommonTable> out;
  if (node == nullptr) return out;
  if (node->recursive) Unsupported("WITH RECURSIVE", node->location);
  ForEach<::CommonTableExpr>(node->ctes, [&](const ::CommonTableExpr* cte) {
    if (Tag(cte->ctequery) != T_SelectStmt) {
      Unsupported("a data-modifying statement in WITH", cte->location);
    }
    CommonTable table;
    table.name = Text(cte->ctename);
    table.columns = ConvertStrings(cte->aliascolnames);
    table.location = cte->location;
    table.statement = SelectOf(cte->ctequery);
    out.push_back(std::move(table));
  });
  return out;
}

std::vector<Target> Converter::ConvertTargets(const ::List* list) {
  std::vector<Target> out;
  out.reserve(Length(list));
  ForEach<::ResTarget>(list, [&](const ::ResTarget* target) {
    if (target->indirection != nullptr) Unsupported("a composite column", target->location);
    Target t;
    t.name = Text(target->name);
    t.location = target->location;
    t.expr = Expression(target->val);
    out.push_back(std::move(t));
  });
  return out;
}

std::vector<Target> Converter::ConvertSetClause(const ::List* list) {
  std::vector<Target> out;
  ForEach<::ResTarget>(list, [&](const ::ResTarget* target) {
    if (target->indirection != nullptr) {
      Unsupported("an assignment to a part of a column", target->location);
    }
    Target t;
    t.name = Text(target->name);
    t.location = target->location;
    if (Tag(target->val) != T_MultiAssignRef) {
      t.expr = Expression(target->val);
    } else {  // SET (a, b) = (1, 2) is the same as SET a = 1, b = 2
      auto* multi = As<::MultiAssignRef>(target->val);
      if (Tag(multi->source) != T_RowExpr) {
        Unsupported("UPDATE ... SET (columns) = (sub-select)", target->location);
      }
      auto* row = As<::RowExpr>(multi->source);
      if (Length(row->args) != multi->ncolumns) {
        Fail("42601", "number of columns does not match number of values", row->location);
      }
      t.expr = Expression(list_nth(row->args, multi->colno - 1));
    }
    out.push_back(std::move(t));
  });
  return out;
}

SelectPtr Converter::ConvertSelect(const ::SelectStmt* node) {
  Enter enter(this, 3);
  auto out = std::make_unique<SelectStmt>();
  out->with = ConvertWith(node->withClause);
  if (node->op == SETOP_NONE) {
    ConvertPlainSelect(node, out.get());
  } else {
    out->op = node->op == SETOP_UNION
                  ? SetOp::kUnion
                  : (node->op == SETOP_INTERSECT ? SetOp::kIntersect : SetOp::kExcept);
    out->all = node->all;
    out->left = ConvertSelect(node->larg);
    out->right = ConvertSelect(node->rarg);
  }
  ForEach<::SortBy>(node->sortClause,
                    [&](const ::SortBy* s) { out->order_by.push_back(ConvertSort(s)); });
  out->limit = OptionalExpression(node->limitCount);
  out->offset = OptionalExpression(node->limitOffset);
  out->with_ties = static_cast<int>(node->limitOption) == kLibraryLimitWithTies;
  ForEach<::LockingClause>(node->lockingClause, [&](const ::LockingClause* lock) {
    LockingClause clause;
    switch (lock->strength) {
      case LCS_FORKEYSHARE:
        clause.strength = LockStrength::kKeyShare;
        break;
      case LCS_FORSHARE:
        clause.strength = LockStrength::kShare;
        break;
      case LCS_FORNOKEYUPDATE:
        clause.strength = LockStrength::kNoKeyUpdate;
        break;
      default:
        clause.strength = LockStrength::kUpdate;
    }
    clause.wait = lock->waitPolicy == LockWaitSkip
                      ? LockWait::kSkip
                      : (lock->waitPolicy == LockWaitError ? LockWait::kError : LockWait::kBlock);
    ForEach<::RangeVar>(lock->lockedRels, [&](const ::RangeVar* rel) {
      clause.tables.push_back(ConvertRelation(rel));
    });
    out->locking.push_back(std::move(clause));
  });
  return out;
}

void Converter::ConvertPlainSelect(const ::SelectStmt* node, SelectStmt* out) {
  if (node->intoClause != nullptr) Unsupported("SELECT INTO");
  if (node->windowClause != nullptr) Unsupported("the WINDOW clause");
  ForEach<::List>(node->valuesLists,
                  [&](const ::List* row) { out->values.push_back(Expressions(row)); });
  if (node->distinctClause != nullptr) {
    out->distinct = true;
    if (linitial(node->distinctClause) != nullptr) {
      out->distinct_on = Expressions(node->distinctClause);
    }
  }
  out->targets = ConvertTargets(node->targetList);
  out->from = ConvertFromList(node->fromClause);
  out->where = OptionalExpression(node->whereClause);
  out->group_distinct = node->groupDistinct;
  out->group_by = Expressions(node->groupClause);
  out->having = OptionalExpression(node->havingClause);
}

std::vector<FromPtr> Converter::ConvertFromList(const ::List* list) {
  std::vector<FromPtr> out;
  ForEach<::Node>(list, [&](const ::Node* node) { out.push_back(ConvertFrom(node)); });
  return out;
}

FromPtr Converter::ConvertFrom(const ::Node* node) {
  Enter enter(this);
  switch (Tag(node)) {
    case T_RangeVar: {
      auto* var = As<::RangeVar>(node);
      auto out = std::make_unique<FromTable>(var->location);
      out->table = ConvertRelation(var);
      out->alias = ConvertAlias(var->alias);
      return out;
    }
    case T_RangeSubselect: {
      auto* sub = As<::RangeSubselect>(node);
      auto out = std::make_unique<FromSubquery>(-1);
      out->select = SelectOf(sub->subquery);
      out->lateral = sub->lateral;
      out->alias = ConvertAlias(sub->alias);
      return out;
    }
    case T_RangeFunction:
      return ConvertRangeFunction(As<::RangeFunction>(node));
    case T_JoinExpr:
      return ConvertJoin(As<::JoinExpr>(node));
    case T_RangeTableSample:
      Unsupported("TABLESAMPLE", As<::RangeTableSample>(node)->location);
    case T_RangeTableFunc:
      Unsupported("XMLTABLE", As<::RangeTableFunc>(node)->location);
    default:
      Unsupported("this kind of FROM item");
  }
}

FromPtr Converter::ConvertRangeFunction(const ::RangeFunction* node) {
  if (node->is_rowsfrom && Length(node->functions) != 1) Unsupported("ROWS FROM");
  auto out = std::make_unique<FromFunction>(-1);
  auto* pair = As<::List>(linitial(node->functions));  // the call and its column definitions
  out->function = Expression(linitial(pair));
  out->location = out->function->location;
  out->lateral = node->lateral;
  out->ordinality = node->ordinality;
  out->alias = ConvertAlias(node->alias);
  if (lsecond(pair) != nullptr) Unsupported("ROWS FROM");
  ForEach<::ColumnDef>(node->coldeflist, [&](const ::ColumnDef* column) {
    out->column_definitions.push_back({Text(column->colname), ConvertType(column->typeName)});
  });
  return out;
}

FromPtr Converter::ConvertJoin(const ::JoinExpr* node) {
  auto out = std::make_unique<FromJoin>(-1);
  switch (node->jointype) {
    case JOIN_INNER:
      out->type = JoinType::kInner;
      break;
    case JOIN_LEFT:
      out->type = JoinType::kLeft;
      break;
    case JOIN_RIGHT:
      out->type = JoinType::kRight;
      break;
    case JOIN_FULL:
      out->type = JoinType::kFull;
      break;
    default:
      Unsupported("this kind of join");
  }
  out->natural = node->isNatural;
  out->left = ConvertFrom(node->larg);
  out->right = ConvertFrom(node->rarg);
  out->using_columns = ConvertStrings(node->usingClause);
  if (node->join_using_alias != nullptr) Unsupported("an alias of JOIN ... USING");
  out->on = OptionalExpression(node->quals);
  out->alias = ConvertAlias(node->alias);
  return out;
}

OnConflict Converter::ConvertOnConflict(const ::OnConflictClause* node) {
  OnConflict out;
  out.location = node->location;
  out.action =
      node->action == ONCONFLICT_NOTHING ? ConflictAction::kNothing : ConflictAction::kUpdate;
  if (const ::InferClause* infer = node->infer; infer != nullptr) {
    out.constraint = Text(infer->conname);
    out.target_where = OptionalExpression(infer->whereClause);
    ForEach<::IndexElem>(infer->indexElems, [&](const ::IndexElem* element) {
      if (element->expr != nullptr) Unsupported("an expression in ON CONFLICT", infer->location);
      if (element->collation != nullptr || element->opclass != nullptr) {
        Unsupported("COLLATE or an operator class in ON CONFLICT", infer->location);
      }
      out.columns.push_back({Text(element->name), infer->location});
    });
  }
  out.set = ConvertSetClause(node->targetList);
  out.where = OptionalExpression(node->whereClause);
  return out;
}

StatementPtr Converter::ConvertInsert(const ::InsertStmt* node) {
  auto out = std::make_unique<InsertStmt>();
  out->with = ConvertWith(node->withClause);
  out->table = ConvertRelation(node->relation);
  out->alias = ConvertAlias(node->relation->alias).name;
  ForEach<::ResTarget>(node->cols, [&](const ::ResTarget* column) {
    if (column->indirection != nullptr) {
      Unsupported("an assignment to a part of a column", column->location);
    }
    out->columns.push_back({Text(column->name), column->location});
  });
  if (node->selectStmt != nullptr) out->source = SelectOf(node->selectStmt);
  out->overriding =
      node->override == OVERRIDING_USER_VALUE
          ? Overriding::kUser
          : (node->override == OVERRIDING_SYSTEM_VALUE ? Overriding::kSystem : Overriding::kNone);
  if (node->onConflictClause != nullptr) {
    out->on_conflict = ConvertOnConflict(node->onConflictClause);
  }
  out->returning = ConvertTargets(node->returningList);
  return out;
}

StatementPtr Converter::ConvertUpdate(const ::UpdateStmt* node) {
  auto out = std::make_unique<UpdateStmt>();
  out->with = ConvertWith(node->withClause);
  out->table = ConvertRelation(node->relation);
  out->alias = ConvertAlias(node->relation->alias).name;
  out->set = ConvertSetClause(node->targetList);
  out->from = ConvertFromList(node->fromClause);
  out->where = OptionalExpression(node->whereClause);
  out->returning = ConvertTargets(node->returningList);
  return out;
}

StatementPtr Converter::ConvertDelete(const ::DeleteStmt* node) {
  auto out = std::make_unique<DeleteStmt>();
  out->with = ConvertWith(node->withClause);
  out->table = ConvertRelation(node->relation);
  out->alias = ConvertAlias(node->relation->alias).name;
  out->from = ConvertFromList(node->usingClause);
  out->where = OptionalExpression(node->whereClause);
  out->returning = ConvertTargets(node->returningList);
  return out;
}

}  // namespace borealis::parser
