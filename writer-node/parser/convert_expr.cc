#include "writer-node/parser/convert.h"
#include "writer-node/parser/parser.h"

namespace borealis::parser {

void Fail(const char* sqlstate, std::string message, int location, std::string hint) {
  throw ParseFailure{sqlstate, std::move(message), std::move(hint), location};
}

void Unsupported(std::string_view feature, int location) {
  Fail("0A000", std::string(feature) + " is not supported", location);
}

Converter::Enter::Enter(Converter* c, int weight) : converter_(c), weight_(weight) {
  c->depth_ += weight;
  if (c->depth_ <= kMaxDepth) return;
  c->depth_ -= weight;
  Fail("54001", "statement too complex: it is nested more than " + std::to_string(kMaxDepth) +
                    " levels deep");
}

QualifiedName ConvertName(const ::List* list) {
  return ConvertStrings(list);
}

std::vector<std::string> ConvertStrings(const ::List* list) {
  std::vector<std::string> out;
  out.reserve(Length(list));
  ForEach<::Node>(list, [&](const ::Node* node) {
    if (node == nullptr || Tag(node) != T_String) Unsupported("this form of a name");
    out.push_back(Text(As<::String>(node)->sval));
  });
  return out;
}

ExprPtr Converter::OptionalExpression(const void* node) {
  return node == nullptr ? nullptr : Expression(node);
}

std::vector<ExprPtr> Converter::Expressions(const ::List* list) {
  std::vector<ExprPtr> out;
  out.reserve(Length(list));
  ForEach<::Node>(list, [&](const ::Node* node) { out.push_back(Expression(node)); });
  return out;
}

ExprPtr Converter::Expression(const void* node) {
  Enter enter(this);
  switch (Tag(node)) {
    case T_ColumnRef:
      return ConvertColumnRef(As<::ColumnRef>(node));
    case T_ParamRef: {
      auto* p = As<::ParamRef>(node);
      if (p->number < 1 || p->number > 65535) {
        Fail("42P02", "there is no parameter $" + std::to_string(p->number), p->location);
      }
      auto out = std::make_unique<ParamRef>(p->location);
      out->number = p->number;
      return out;
    }
    case T_A_Const:
      return ConvertConstant(As<::A_Const>(node));
    case T_TypeCast: {
      auto* cast = As<::TypeCast>(node);
      auto out = std::make_unique<CastExpr>(cast->location);
      out->arg = Expression(cast->arg);
      out->type = ConvertType(cast->typeName);
      return out;
    }
    case T_A_Expr:
      return ConvertAExpr(As<::A_Expr>(node));
    case T_BoolExpr:
      return ConvertBool(As<::BoolExpr>(node));
    case T_FuncCall:
      return ConvertFunction(As<::FuncCall>(node));
    case T_SubLink:
      return ConvertSubLink(As<::SubLink>(node));
    case T_CaseExpr:
      return ConvertCase(As<::CaseExpr>(node));
    case T_A_Indirection:
      return ConvertIndirection(As<::A_Indirection>(node));
    default:
      return ConvertRare(As<::Node>(node));
  }
}

ExprPtr Converter::ConvertColumnRef(const ::ColumnRef* node) {
  auto out = std::make_unique<ColumnRef>(node->location);
  ForEach<::Node>(node->fields, [&](const ::Node* field) {
    if (Tag(field) == T_A_Star) {
      out->star = true;
    } else {
      out->name.push_back(Text(As<::String>(field)->sval));
    }
  });
  return out;
}

ExprPtr Converter::ConvertConstant(const ::A_Const* node) {
  auto out = std::make_unique<Constant>(node->location);
  if (node->isnull) return out;
  switch (node->val.node.type) {
    case T_Integer:
      out->constant_kind = ConstantKind::kInteger;
      out->integer = node->val.ival.ival;
      break;
    case T_Float:
      out->constant_kind = ConstantKind::kNumeric;
      out->text = Text(node->val.fval.fval);
      break;
    case T_Boolean:
      out->constant_kind = ConstantKind::kBoolean;
      out->integer = node->val.boolval.boolval ? 1 : 0;
      break;
    case T_String:
      out->constant_kind = ConstantKind::kString;
      out->text = Text(node->val.sval.sval);
      break;
    case T_BitString:
      out->constant_kind = ConstantKind::kBitString;
      out->text = Text(node->val.bsval.bsval);
      break;
    default:
      Unsupported("this kind of constant", node->location);
  }
  return out;
}

ExprPtr Converter::ConvertBool(const ::BoolExpr* node) {
  auto out = std::make_unique<BoolExpr>(node->location);
  out->op = node->boolop == AND_EXPR ? BoolOp::kAnd
                                     : (node->boolop == OR_EXPR ? BoolOp::kOr : BoolOp::kNot);
  out->args = Expressions(node->args);
  return out;
}

ExprPtr Converter::ConvertAExpr(const ::A_Expr* node) {
  const int loc = node->location;
  switch (node->kind) {
    case AEXPR_OP:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR: {
      auto out = std::make_unique<OperatorExpr>(loc);
      out->name = ConvertName(node->name);
      out->left = OptionalExpression(node->lexpr);
      if (node->rexpr == nullptr) Unsupported("a postfix operator", loc);
      out->right = Expression(node->rexpr);
      return out;
    }
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL: {
      auto out = std::make_unique<AnyAllExpr>(loc);
      out->op = ConvertName(node->name);
      out->all = node->kind == AEXPR_OP_ALL;
      out->left = Expression(node->lexpr);
      out->array = Expression(node->rexpr);
      return out;
    }
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT: {
      auto out = std::make_unique<DistinctExpr>(loc);
      out->negated = node->kind == AEXPR_NOT_DISTINCT;
      out->left = Expression(node->lexpr);
      out->right = Expression(node->rexpr);
      return out;
    }
    case AEXPR_NULLIF: {
      auto out = std::make_unique<NullIfExpr>(loc);
      out->left = Expression(node->lexpr);
      out->right = Expression(node->rexpr);
      return out;
    }
    case AEXPR_IN: {
      auto out = std::make_unique<InListExpr>(loc);
      out->negated = ConvertName(node->name).back() == "<>";
      out->left = Expression(node->lexpr);
      out->list = Expressions(As<::List>(node->rexpr));
      return out;
    }
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM: {
      auto out = std::make_unique<BetweenExpr>(loc);
      out->negated = node->kind == AEXPR_NOT_BETWEEN || node->kind == AEXPR_NOT_BETWEEN_SYM;
      out->symmetric = node->kind == AEXPR_BETWEEN_SYM || node->kind == AEXPR_NOT_BETWEEN_SYM;
      out->arg = Expression(node->lexpr);
      auto* bounds = As<::List>(node->rexpr);
      out->low = Expression(linitial(bounds));
      out->high = Expression(lsecond(bounds));
      return out;
    }
  }
  Unsupported("this kind of expression", loc);
}

ExprPtr Converter::ConvertFunction(const ::FuncCall* node) {
  if (node->over != nullptr) Unsupported("a window function (OVER)", node->location);
  if (node->agg_within_group) {
    Unsupported("an ordered-set aggregate (WITHIN GROUP)", node->location);
  }
  auto out = std::make_unique<FunctionCall>(node->location);
  out->name = ConvertName(node->funcname);
  ForEach<::Node>(node->args, [&](const ::Node* arg) {
    if (Tag(arg) == T_NamedArgExpr) {
      Unsupported("a named argument", As<::NamedArgExpr>(arg)->location);
    }
    out->args.push_back(Expression(arg));
  });
  out->star = node->agg_star;
  out->distinct = node->agg_distinct;
  out->variadic = node->func_variadic;
  ForEach<::SortBy>(node->agg_order,
                    [&](const ::SortBy* s) { out->order_by.push_back(ConvertSort(s)); });
  out->filter = OptionalExpression(node->agg_filter);
  return out;
}

ExprPtr Converter::ConvertSubLink(const ::SubLink* node) {
  auto out = std::make_unique<SubqueryExpr>(node->location);
  switch (node->subLinkType) {
    case EXISTS_SUBLINK:
      out->subquery_kind = SubqueryKind::kExists;
      break;
    case ALL_SUBLINK:
      out->subquery_kind = SubqueryKind::kAll;
      break;
    case ANY_SUBLINK:
      out->subquery_kind = SubqueryKind::kAny;
      break;
    case EXPR_SUBLINK:
      out->subquery_kind = SubqueryKind::kScalar;
      break;
    case ARRAY_SUBLINK:
      out->subquery_kind = SubqueryKind::kArray;
      break;
    default:
      Unsupported("this kind of sub-select", node->location);
  }
  out->test = OptionalExpression(node->testexpr);
  out->op = ConvertName(node->operName);
  if (out->subquery_kind == SubqueryKind::kAny && out->op.empty()) out->op = {"="};
  out->select = SelectOf(node->subselect);
  return out;
}

ExprPtr Converter::ConvertCase(const ::CaseExpr* node) {
  auto out = std::make_unique<CaseExpr>(node->location);
  out->arg = OptionalExpression(node->arg);
  ForEach<::CaseWhen>(node->args, [&](const ::CaseWhen* when) {
    ExprPtr condition = Expression(when->expr);
    out->whens.push_back({std::move(condition), Expression(when->result)});
  });
  out->otherwise = OptionalExpression(node->defresult);
  return out;
}

ExprPtr Converter::ConvertIndirection(const ::A_Indirection* node) {
  ExprPtr arg = Expression(node->arg);
  // Each step adds a level to the tree, though the grammar keeps them in one list.
  if (depth_ + Length(node->indirection) > kMaxDepth) {
    Fail("54001", "statement too complex: too many subscripts");
  }
  ForEach<::Node>(node->indirection, [&](const ::Node* step) {
    if (Tag(step) != T_A_Indices) Unsupported("selection of a field of a composite value");
    auto* indices = As<::A_Indices>(step);
    if (indices->is_slice) Unsupported("an array slice");
    auto out = std::make_unique<SubscriptExpr>(arg->location);
    out->arg = std::move(arg);
    out->index = Expression(indices->uidx);
    arg = std::move(out);
  });
  return arg;
}

namespace {

const char* ValueFunctionName(const ::SQLValueFunction* node) {
  switch (node->op) {
    case SVFOP_CURRENT_DATE:
      return "current_date";
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
      return "current_time";
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
      return "current_timestamp";
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
      return "localtime";
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
      return "localtimestamp";
    case SVFOP_CURRENT_ROLE:
      return "current_role";
    case SVFOP_CURRENT_USER:
      return "current_user";
    case SVFOP_USER:
      return "user";
    case SVFOP_SESSION_USER:
      return "session_user";
    case SVFOP_CURRENT_CATALOG:
      return "current_catalog";
    case SVFOP_CURRENT_SCHEMA:
      return "current_schema";
  }
  return "?";
}

BooleanTestKind ConvertTest(::BoolTestType type) {
  switch (type) {
    case IS_TRUE:
      return BooleanTestKind::kIsTrue;
    case IS_NOT_TRUE:
      return BooleanTestKind::kIsNotTrue;
    case IS_FALSE:
      return BooleanTestKind::kIsFalse;
    case IS_NOT_FALSE:
      return BooleanTestKind::kIsNotFalse;
    case IS_UNKNOWN:
      return BooleanTestKind::kIsUnknown;
    case IS_NOT_UNKNOWN:
      return BooleanTestKind::kIsNotUnknown;
  }
  return BooleanTestKind::kIsTrue;
}

const char* RareName(::NodeTag tag) {
  switch (tag) {
    case T_WindowFunc:
      return "a window function";
    case T_GroupingFunc:
      return "GROUPING";
    case T_GroupingSet:
      return "GROUPING SETS, ROLLUP or CUBE";
    case T_XmlExpr:
    case T_XmlSerialize:
      return "XML";
    case T_CurrentOfExpr:
      return "WHERE CURRENT OF";
    case T_MultiAssignRef:
      return "UPDATE ... SET (columns) = (sub-select)";
    case T_NamedArgExpr:
      return "a named argument";
    default:
      return "this kind of expression";
  }
}

}  // namespace

ExprPtr Converter::ConvertValueFunction(const ::SQLValueFunction* node) {
  auto out = std::make_unique<FunctionCall>(node->location);
  out->name = {ValueFunctionName(node)};
  out->sql_value_function = true;
  if (node->typmod >= 0) {
    auto precision = std::make_unique<Constant>(node->location);
    precision->constant_kind = ConstantKind::kInteger;
    precision->integer = node->typmod;
    out->args.push_back(std::move(precision));
  }
  return out;
}

ExprPtr Converter::ConvertRare(const ::Node* node) {
  switch (Tag(node)) {
    case T_NullTest: {
      auto* test = As<::NullTest>(node);
      auto out = std::make_unique<NullTest>(test->location);
      out->is_null = test->nulltesttype == IS_NULL;
      out->arg = Expression(test->arg);
      return out;
    }
    case T_BooleanTest: {
      auto* test = As<::BooleanTest>(node);
      auto out = std::make_unique<BooleanTest>(test->location);
      out->test = ConvertTest(test->booltesttype);
      out->arg = Expression(test->arg);
      return out;
    }
    case T_CoalesceExpr: {
      auto* c = As<::CoalesceExpr>(node);
      auto out = std::make_unique<CoalesceExpr>(c->location);
      out->args = Expressions(c->args);
      return out;
    }
    case T_MinMaxExpr: {
      auto* m = As<::MinMaxExpr>(node);
      auto out = std::make_unique<MinMaxExpr>(m->location);
      out->greatest = m->op == IS_GREATEST;
      out->args = Expressions(m->args);
      return out;
    }
    case T_RowExpr: {
      auto* row = As<::RowExpr>(node);
      auto out = std::make_unique<RowExpr>(row->location);
      out->args = Expressions(row->args);
      return out;
    }
    case T_A_ArrayExpr: {
      auto* array = As<::A_ArrayExpr>(node);
      auto out = std::make_unique<ArrayExpr>(array->location);
      out->elements = Expressions(array->elements);
      return out;
    }
    case T_CollateClause: {
      auto* collate = As<::CollateClause>(node);
      auto out = std::make_unique<CollateExpr>(collate->location);
      out->arg = Expression(collate->arg);
      out->collation = ConvertName(collate->collname);
      return out;
    }
    case T_SQLValueFunction:
      return ConvertValueFunction(As<::SQLValueFunction>(node));
    case T_SetToDefault:
      return std::make_unique<DefaultExpr>(As<::SetToDefault>(node)->location);
    default:
      Unsupported(RareName(Tag(node)));
  }
}

TypeName Converter::ConvertType(const ::TypeName* node) {
  TypeName out;
  out.location = node->location;
  if (node->setof) Unsupported("SETOF", node->location);
  if (node->pct_type) Unsupported("%TYPE", node->location);
  out.names = ConvertName(node->names);
  out.array_dimensions = Length(node->arrayBounds);
  if (out.array_dimensions > 6) {
    Fail("54000", "number of array dimensions exceeds the maximum allowed (6)", node->location);
  }
  ForEach<::Node>(node->typmods, [&](const ::Node* mod) {
    if (Tag(mod) != T_A_Const || As<::A_Const>(mod)->isnull ||
        As<::A_Const>(mod)->val.node.type != T_Integer) {
      Fail("42601", "type modifiers must be simple constants or identifiers", node->location);
    }
    out.modifiers.push_back(As<::A_Const>(mod)->val.ival.ival);
  });
  return out;
}

SortItem Converter::ConvertSort(const ::SortBy* node) {
  SortItem out;
  if (node->sortby_dir == SORTBY_USING) Unsupported("ORDER BY ... USING", node->location);
  out.expr = Expression(node->node);
  out.descending = node->sortby_dir == SORTBY_DESC;
  out.nulls =
      node->sortby_nulls == SORTBY_NULLS_FIRST
          ? NullsOrder::kFirst
          : (node->sortby_nulls == SORTBY_NULLS_LAST ? NullsOrder::kLast : NullsOrder::kDefault);
  return out;
}

}  // namespace borealis::parser
