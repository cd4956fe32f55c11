// EXPLAIN's text, in PostgreSQL's style.
#include <cstdio>

#include "writer-node/planner/planner_impl.h"

namespace borealis::planner {
namespace {

std::string Number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string JoinPrefix(JoinKind kind) {
  switch (kind) {
    case JoinKind::kInner:
      return "";
    case JoinKind::kLeft:
      return " Left";
    case JoinKind::kRight:
      return " Right";
    case JoinKind::kFull:
      return " Full";
    case JoinKind::kSemi:
      return " Semi";
    case JoinKind::kAnti:
      return " Anti";
  }
  return "";
}

// "public.t a" without the schema: "t a", or "t" when the alias is the name.
std::string TableText(const TableAccess& access) {
  return access.alias == access.table->name ? access.table->name
                                            : access.table->name + " " + access.alias;
}

class Explainer {
 public:
  Explainer(const Plan& plan, bool costs, bool verbose)
      : plan_(plan), costs_(costs), verbose_(verbose) {}

  std::vector<std::string> Run() {
    Node(*plan_.root, 0, "");
    for (size_t i = 0; i < plan_.subplans.size(); ++i) {
      lines_.push_back("  SubPlan " + std::to_string(i + 1));
      Node(*plan_.subplans[i].plan, 1, "->  ");
    }
    return std::move(lines_);
  }

 private:
  // Column names of the row an expression reads.
  using Names = std::vector<std::string>;

  Names NamesOf(const PlanNode& node) {
    Names out;
    std::string prefix;
    if (const TableAccess* access = Access(node);
        access != nullptr && node.kind != NodeKind::kLookupJoin) {
      prefix = many_ ? access->alias + "." : "";
    }
    if (node.kind == NodeKind::kLookupJoin) {
      auto& join = static_cast<const LookupJoin&>(node);
      out = NamesOf(*join.left);
      if (join.join != JoinKind::kSemi && join.join != JoinKind::kAnti) {
        for (const auto& column : join.table->columns) {
          out.push_back(join.alias + "." + column.name);
        }
      }
      return out;
    }
    if (node.kind == NodeKind::kNestedLoop || node.kind == NodeKind::kHashJoin) {
      for (const PlanNode* child : Children(node)) {
        for (std::string& name : NamesOf(*child)) out.push_back(std::move(name));
      }
      return out;
    }
    if (node.kind == NodeKind::kFilter || node.kind == NodeKind::kSort ||
        node.kind == NodeKind::kLimit || node.kind == NodeKind::kMaterialize ||
        node.kind == NodeKind::kDistinct || node.kind == NodeKind::kLockRows) {
      return NamesOf(*static_cast<const UnaryNode&>(node).child);
    }
    if (node.kind == NodeKind::kProject) {
      auto& project = static_cast<const Project&>(node);
      const Names below = NamesOf(*project.child);
      for (const ExprPtr& e : project.exprs) out.push_back(Text(*e, below));
      return out;
    }
    if (node.kind == NodeKind::kAggregate) {
      auto& aggregate = static_cast<const Aggregate&>(node);
      const Names below = NamesOf(*aggregate.child);
      for (const ExprPtr& key : aggregate.keys) out.push_back(Text(*key, below));
      for (const AggregateCall& call : aggregate.calls) {
        std::string text = std::string(call.aggregate->name) + "(";
        if (call.distinct) text += "DISTINCT ";
        for (size_t i = 0; i < call.args.size(); ++i) {
          text += (i == 0 ? "" : ", ") + Text(*call.args[i], below);
        }
        if (call.args.empty()) text += "*";
        out.push_back(text + ")");
      }
      return out;
    }
    for (const OutputColumn& column : node.columns) out.push_back(prefix + column.name);
    return out;
  }

  static const TableAccess* Access(const PlanNode& node) {
    switch (node.kind) {
      case NodeKind::kTableScan:
        return static_cast<const TableScan*>(&node);
      case NodeKind::kIndexScan:
        return static_cast<const IndexScan*>(&node);
      case NodeKind::kPointGet:
        return static_cast<const PointGet*>(&node);
      case NodeKind::kVirtualScan:
        return static_cast<const VirtualScan*>(&node);
      case NodeKind::kLookupJoin:
        return static_cast<const LookupJoin*>(&node);
      default:
        return nullptr;
    }
  }

  std::string Text(const sql::Expr& e, const Names& names) {
    return sql::ToString(e, [&](const sql::Expr& column) -> std::string {
      if (column.slot < names.size()) return names[column.slot];
      return "$" + std::to_string(column.slot);
    });
  }

  void Line(int depth, const std::string& text) {
    lines_.push_back(std::string(static_cast<size_t>(depth) * 6, ' ') + "  " + text);
  }

  void Condition(int depth, const char* label, const ExprPtr& e, const Names& names) {
    if (e != nullptr) Line(depth, std::string(label) + ": " + Text(*e, names));
  }

  std::string IndexName(const catalog::TableDescriptor& table, IndexId id) {
    const auto* index = table.FindIndex(id);
    return index == nullptr ? "?" : index->name;
  }

  std::string Head(const PlanNode& node) {
    switch (node.kind) {
      case NodeKind::kResult:
        return "Result";
      case NodeKind::kValues:
        return "Values Scan";
      case NodeKind::kTableScan:
        return std::string("Seq Scan") +
               (static_cast<const TableScan&>(node).backward ? " Backward on " : " on ") +
               TableText(static_cast<const TableScan&>(node));
      case NodeKind::kIndexScan: {
        auto& scan = static_cast<const IndexScan&>(node);
        return std::string(scan.index_only ? "Index Only Scan" : "Index Scan") +
               (scan.backward ? " Backward" : "") + " using " + IndexName(*scan.table, scan.index) +
               " on " + TableText(scan);
      }
      case NodeKind::kPointGet: {
        auto& get = static_cast<const PointGet&>(node);
        return "Point Get using " + IndexName(*get.table, get.index) + " on " + TableText(get);
      }
      case NodeKind::kVirtualScan:
        return "Virtual Scan on " + TableText(static_cast<const VirtualScan&>(node));
      case NodeKind::kFunctionScan: {
        auto& scan = static_cast<const FunctionScan&>(node);
        return "Function Scan on " +
               (scan.function != nullptr ? std::string(scan.function->name) : scan.alias);
      }
      case NodeKind::kFilter:
        return "Filter";
      case NodeKind::kProject:
        return "Project";
      case NodeKind::kNestedLoop: {
        const JoinKind kind = static_cast<const NestedLoop&>(node).join;
        return "Nested Loop" + JoinPrefix(kind) + (kind == JoinKind::kInner ? "" : " Join");
      }
      case NodeKind::kLookupJoin: {
        auto& join = static_cast<const LookupJoin&>(node);
        return "Lookup" + JoinPrefix(join.join) + " Join using " +
               IndexName(*join.table, join.index) + " on " + TableText(join);
      }
      case NodeKind::kHashJoin:
        return "Hash" + JoinPrefix(static_cast<const HashJoin&>(node).join) + " Join";
      case NodeKind::kAggregate:
        return static_cast<const Aggregate&>(node).plain ? "Aggregate" : "HashAggregate";
      case NodeKind::kDistinct:
        return "Unique";
      case NodeKind::kSort:
        return static_cast<const Sort&>(node).limit != nullptr ? "Top-N Sort" : "Sort";
      case NodeKind::kLimit:
        return "Limit";
      case NodeKind::kSetOp: {
        auto& op = static_cast<const SetOp&>(node);
        if (op.op == parser::SetOp::kUnion) return op.all ? "Append" : "HashSetOp Union";
        return std::string("HashSetOp ") +
               (op.op == parser::SetOp::kIntersect ? "Intersect" : "Except") +
               (op.all ? " All" : "");
      }
      case NodeKind::kMaterialize:
        return "Materialize";
      case NodeKind::kLockRows:
        return "LockRows";
      case NodeKind::kInsert:
        return "Insert on " + static_cast<const DmlNode&>(node).table->name;
      case NodeKind::kUpdate:
        return "Update on " + static_cast<const DmlNode&>(node).table->name;
      case NodeKind::kDelete:
        return "Delete on " + static_cast<const DmlNode&>(node).table->name;
    }
    return "?";
  }

  std::string KeyText(const catalog::TableDescriptor& table, IndexId id, size_t i) {
    const auto* index = table.FindIndex(id);
    if (index == nullptr || i >= index->columns.size()) return "?";
    const auto* column = table.FindColumn(index->columns[i].column);
    return column == nullptr ? "?" : column->name;
  }

  void PointDetail(const PointGet& get, int depth) {
    static const Names kNone;
    const size_t n = get.keys.empty() ? 0 : get.keys[0].size();
    std::string text;
    for (size_t i = 0; i < n; ++i) {
      if (i > 0) text += " AND ";
      text += "(" + KeyText(*get.table, get.index, i) + " = ";
      if (get.array_column == static_cast<int>(i)) {
        text += "ANY (" + Text(*get.keys[0][i], kNone) + "))";
      } else if (get.keys.size() > 1) {
        std::string list;
        for (const auto& key : get.keys) {
          list += (list.empty() ? "" : ", ") + Text(*key[i], kNone);
        }
        text += "ANY {" + list + "})";
      } else {
        text += Text(*get.keys[0][i], kNone) + ")";
      }
    }
    Line(depth, "Index Cond: (" + text + ")");
  }

  void IndexDetail(const IndexScan& scan, int depth) {
    static const Names kNone;
    std::string text;
    const auto add = [&](size_t i, const char* op, const ExprPtr& e) {
      if (!text.empty()) text += " AND ";
      text += "(" + KeyText(*scan.table, scan.index, i) + " " + op + " " + Text(*e, kNone) + ")";
    };
    for (size_t i = 0; i < scan.equal.size(); ++i) add(i, "=", scan.equal[i]);
    if (scan.lower) {
      add(scan.equal.size(), scan.lower->inclusive ? ">=" : ">", scan.lower->value);
    }
    if (scan.upper) {
      add(scan.equal.size(), scan.upper->inclusive ? "<=" : "<", scan.upper->value);
    }
    if (!text.empty()) Line(depth, "Index Cond: (" + text + ")");
  }

  void Detail(const PlanNode& node, int depth) {
    const Names own = NamesOf(node);
    switch (node.kind) {
      case NodeKind::kPointGet:
        PointDetail(static_cast<const PointGet&>(node), depth);
        break;
      case NodeKind::kIndexScan:
        IndexDetail(static_cast<const IndexScan&>(node), depth);
        break;
      case NodeKind::kFilter:
        Condition(depth, "Filter", static_cast<const Filter&>(node).condition, own);
        break;
      case NodeKind::kNestedLoop:
        Condition(depth, "Join Filter", static_cast<const NestedLoop&>(node).condition, own);
        break;
      case NodeKind::kHashJoin: {
        auto& join = static_cast<const HashJoin&>(node);
        const Names left = NamesOf(*join.left), right = NamesOf(*join.right);
        std::string text;
        for (size_t i = 0; i < join.left_keys.size(); ++i) {
          if (i > 0) text += " AND ";
          text +=
              "(" + Text(*join.left_keys[i], left) + " = " + Text(*join.right_keys[i], right) + ")";
        }
        Line(depth, "Hash Cond: " + text);
        Condition(depth, "Join Filter", join.condition, own);
        break;
      }
      case NodeKind::kLookupJoin: {
        auto& join = static_cast<const LookupJoin&>(node);
        const Names left = NamesOf(*join.left);
        std::string text;
        for (size_t i = 0; i < join.keys.size(); ++i) {
          if (i > 0) text += " AND ";
          text +=
              "(" + KeyText(*join.table, join.index, i) + " = " + Text(*join.keys[i], left) + ")";
        }
        Line(depth, "Index Cond: (" + text + ")");
        Names table;
        for (const auto& column : join.table->columns) table.push_back(column.name);
        Condition(depth, "Filter", join.filter, table);
        Condition(depth, "Join Filter", join.condition, own);
        return;
      }
      case NodeKind::kAggregate: {
        auto& aggregate = static_cast<const Aggregate&>(node);
        std::string text;
        for (size_t i = 0; i < aggregate.keys.size(); ++i) {
          text += (i == 0 ? "" : ", ") + own[i];
        }
        if (!text.empty()) Line(depth, "Group Key: " + text);
        break;
      }
      case NodeKind::kSort: {
        std::string text;
        for (const SortKey& key : static_cast<const Sort&>(node).keys) {
          if (!text.empty()) text += ", ";
          text += own[static_cast<size_t>(key.slot)];
          if (key.descending) text += " DESC";
          if (key.nulls_first != key.descending) {
            text += key.nulls_first ? " NULLS FIRST" : " NULLS LAST";
          }
        }
        Line(depth, "Sort Key: " + text);
        break;
      }
      default:
        break;
    }
    if (const TableAccess* access = Access(node); access != nullptr) {
      Condition(depth, "Filter", access->filter, own);
    }
  }

  void Node(const PlanNode& node, int depth, const std::string& arrow) {
    // A projection is part of the node below, as in PostgreSQL, unless everything is wanted.
    if (node.kind == NodeKind::kProject && !verbose_) {
      Node(*static_cast<const Project&>(node).child, depth, arrow);
      return;
    }
    std::string line = arrow + Head(node);
    if (costs_) {
      line += "  (cost=0.00.." + Number(node.cost, 2) + " rows=" + Number(node.rows, 0) + ")";
    }
    lines_.push_back(std::string(depth == 0 ? 0 : static_cast<size_t>(depth) * 6 - 4, ' ') + line);
    if (verbose_) {
      std::string text;
      for (const std::string& name : NamesOf(node)) text += (text.empty() ? "" : ", ") + name;
      Line(depth, "Output: " + text);
    }
    const bool many = many_;
    const auto children = Children(node);
    if (children.size() > 1 || node.kind == NodeKind::kLookupJoin) many_ = true;
    Detail(node, depth);
    for (const PlanNode* child : children) Node(*child, depth + 1, "->  ");
    many_ = many;
  }

  const Plan& plan_;
  bool costs_;
  bool verbose_;
  bool many_ = false;  // below a join: names carry their table
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> ExplainPlan(const Plan& plan, bool costs, bool verbose) {
  return Explainer(plan, costs, verbose).Run();
}

}  // namespace borealis::planner
