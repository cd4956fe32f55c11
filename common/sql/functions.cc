// The registry and PostgreSQL's resolution of overloads (chapter 10 of its manual;
// func_select_candidate() and oper() of its parser).
#include "common/sql/functions.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "common/sql/functions_internal.h"

namespace borealis::sql {

Function& RegistryBuilder::Add(std::string_view name, std::vector<TypeOid> args, TypeOid result,
                               FunctionBody body) {
  Function f;
  f.oid = next_oid_++;
  f.name = name;
  f.args = std::move(args);
  f.result = result;
  f.body = body;
  functions.push_back(std::move(f));
  return functions.back();
}

Function& RegistryBuilder::Stable(std::string_view name, std::vector<TypeOid> args, TypeOid result,
                                  FunctionBody body) {
  Function& f = Add(name, std::move(args), result, body);
  f.volatility = sql::Volatility::kStable;
  return f;
}

Function& RegistryBuilder::Volatile(std::string_view name, std::vector<TypeOid> args,
                                    TypeOid result, FunctionBody body) {
  Function& f = Add(name, std::move(args), result, body);
  f.volatility = sql::Volatility::kVolatile;
  return f;
}

Function& RegistryBuilder::Op(std::string_view op, std::string_view name, std::vector<TypeOid> args,
                              TypeOid result, FunctionBody body, uint8_t fast) {
  Function& f = Add(name, std::move(args), result, body);
  f.op = op;
  f.fast = fast;
  return f;
}

namespace {

using Candidates = std::vector<const Function*>;

struct Registry {
  std::vector<Function> functions;
  std::unordered_map<std::string_view, Candidates> by_name;
  std::unordered_map<std::string_view, Candidates> by_op;

  Registry() {
    RegistryBuilder builder;
    AddArithmetic(&builder);
    AddComparisons(&builder);
    AddStrings(&builder);
    AddPatterns(&builder);
    AddTimes(&builder);
    AddSystem(&builder);
    AddTableFunctions(&builder);
    AddCastFunctions(&builder);
    functions = std::move(builder.functions);
    for (const Function& f : functions) {
      by_name[f.name].push_back(&f);
      if (!f.op.empty()) by_op[f.op].push_back(&f);
    }
  }
};

const Registry& GetRegistry() {
  static const Registry* registry = new Registry;
  return *registry;
}

bool IsPolymorphic(TypeOid type) {
  return type == oid::kAny || type == oid::kAnyArray || type == oid::kAnyElement ||
         type == oid::kAnyNonArray;
}

TypeOid ParameterAt(const Function& f, size_t i) {
  return i < f.args.size() ? f.args[i] : f.args.back();
}

bool Accepts(const Function& f, size_t given) {
  if (f.variadic) return given >= f.args.size();
  return given <= f.args.size() && given + f.defaults >= f.args.size();
}

// Polymorphic parameters agree on one element type. *element stays 0 when none is known.
bool PolymorphicTypes(const Function& f, std::span<const TypeOid> args, TypeOid* element) {
  *element = 0;
  for (size_t i = 0; i < args.size(); ++i) {
    const TypeOid wanted = ParameterAt(f, i);
    if (wanted == oid::kAny || !IsPolymorphic(wanted) || args[i] == oid::kUnknown) continue;
    TypeOid found = args[i];
    if (wanted == oid::kAnyArray) {
      const TypeInfo* info = FindType(args[i]);
      if (info == nullptr || info->element == 0) return false;
      found = info->element;
    }
    if (*element != 0 && *element != found) return false;
    *element = found;
  }
  return true;
}

bool IsApplicable(const Function& f, std::span<const TypeOid> args) {
  if (!Accepts(f, args.size())) return false;
  for (size_t i = 0; i < args.size(); ++i) {
    const TypeOid wanted = ParameterAt(f, i);
    if (IsPolymorphic(wanted)) continue;
    if (!CanCoerce(args[i], wanted, CastContext::kImplicit)) return false;
  }
  TypeOid element = 0;
  return PolymorphicTypes(f, args, &element);
}

// Keeps the candidates with the highest score.
template <typename Score>
void KeepBest(Candidates* candidates, const Score& score) {
  int best = -1;
  Candidates kept;
  for (const Function* f : *candidates) {
    const int s = score(*f);
    if (s > best) {
      best = s;
      kept.clear();
    }
    if (s == best) kept.push_back(f);
  }
  *candidates = std::move(kept);
}

TypeCategory CategoryOf(TypeOid type) {
  const TypeInfo* info = FindType(type);
  return info != nullptr ? info->category : TypeCategory::kUser;
}

// Rule 4e / 3e: what an unknown literal may be. False: the candidates disagree.
bool NarrowUnknowns(std::span<const TypeOid> args, Candidates* candidates) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] != oid::kUnknown) continue;
    bool any_string = false, agree = true, any_preferred = false;
    const TypeCategory first = CategoryOf(ParameterAt(*candidates->front(), i));
    for (const Function* f : *candidates) {
      const TypeCategory c = CategoryOf(ParameterAt(*f, i));
      any_string = any_string || c == TypeCategory::kString;
      agree = agree && c == first;
    }
    if (!any_string && !agree) return false;
    const TypeCategory category = any_string ? TypeCategory::kString : first;
    const auto fits = [&](const Function& f, bool preferred) {
      const TypeInfo* info = FindType(ParameterAt(f, i));
      return info != nullptr && info->category == category && (!preferred || info->preferred);
    };
    for (const Function* f : *candidates) any_preferred = any_preferred || fits(*f, true);
    std::erase_if(*candidates, [&](const Function* f) { return !fits(*f, any_preferred); });
  }
  return true;
}

// Null when none or more than one is left; *ambiguous tells.
const Function* SelectCandidate(std::span<const TypeOid> args, Candidates candidates,
                                bool* ambiguous) {
  *ambiguous = false;
  std::erase_if(candidates, [&](const Function* f) { return !IsApplicable(*f, args); });
  if (candidates.empty()) return nullptr;
  if (candidates.size() == 1) return candidates[0];
  KeepBest(&candidates, [&](const Function& f) {
    int exact = 0;
    for (size_t i = 0; i < args.size(); ++i) {
      exact += args[i] != oid::kUnknown && ParameterAt(f, i) == args[i];
    }
    return exact;
  });
  if (candidates.size() == 1) return candidates[0];
  KeepBest(&candidates, [&](const Function& f) {
    int score = 0;
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i] == oid::kUnknown) continue;
      const TypeInfo* info = FindType(ParameterAt(f, i));
      score += ParameterAt(f, i) == args[i] ||
               (info != nullptr && info->preferred && info->category == CategoryOf(args[i]));
    }
    return score;
  });
  if (candidates.size() == 1) return candidates[0];
  Candidates before = candidates;
  if (NarrowUnknowns(args, &candidates)) {
    if (candidates.size() == 1) return candidates[0];
    if (candidates.empty()) candidates = before;
  } else {
    candidates = before;
  }
  // The last rule: if all known arguments are of one type, take the unknown ones to be of it too.
  TypeOid known = 0;
  bool one = true;
  for (TypeOid type : args) {
    if (type == oid::kUnknown) continue;
    if (known != 0 && known != type) one = false;
    known = type;
  }
  if (known != 0 && one) {
    const std::vector<TypeOid> same(args.size(), known);
    Candidates fitting = candidates;
    std::erase_if(fitting, [&](const Function* f) { return !IsApplicable(*f, same); });
    if (fitting.size() == 1) return fitting[0];
  }
  *ambiguous = true;
  return nullptr;
}

TypeOid ArrayOf(TypeOid element) {
  const TypeInfo* info = FindType(element);
  return info != nullptr && info->array != 0 ? info->array : oid::kTextArray;
}

ResolvedFunction Resolved(const Function* f, std::span<const TypeOid> args) {
  ResolvedFunction out;
  out.function = f;
  TypeOid element = 0;
  PolymorphicTypes(*f, args, &element);
  if (element == 0) element = oid::kText;
  const auto concrete = [&](TypeOid type, TypeOid given) {
    switch (type) {
      case oid::kAny:
        return given == oid::kUnknown ? oid::kText : given;
      case oid::kAnyElement:
      case oid::kAnyNonArray:
        return element;
      case oid::kAnyArray:
        return given != 0 && given != oid::kUnknown ? given : ArrayOf(element);
      default:
        return type;
    }
  };
  for (size_t i = 0; i < args.size(); ++i)
    out.arg_types.push_back(concrete(ParameterAt(*f, i), args[i]));
  out.result = concrete(f->result, 0);
  return out;
}

std::string TypeList(std::span<const TypeOid> args) {
  std::string out;
  for (TypeOid type : args) {
    if (!out.empty()) out += ", ";
    out += FormatType(type);
  }
  return out;
}

const Function* ExactMatch(const Candidates& candidates, std::span<const TypeOid> args) {
  for (const Function* f : candidates) {
    if (f->args.size() == args.size() && std::equal(args.begin(), args.end(), f->args.begin()))
      return f;
  }
  return nullptr;
}

}  // namespace

SqlResult<ResolvedFunction> ResolveFunction(std::string_view name, std::span<const TypeOid> args) {
  const auto& by_name = GetRegistry().by_name;
  const auto it = by_name.find(name);
  const std::string signature = std::string(name) + "(" + TypeList(args) + ")";
  if (it != by_name.end()) {
    if (const Function* exact = ExactMatch(it->second, args)) return Resolved(exact, args);
    bool ambiguous = false;
    if (const Function* f = SelectCandidate(args, it->second, &ambiguous)) return Resolved(f, args);
    if (ambiguous) {
      return SqlStatus("42725", "function " + signature + " is not unique")
          .WithHint(
              "Could not choose a best candidate function. You might need to add explicit type "
              "casts.");
    }
  }
  return SqlStatus("42883", "function " + signature + " does not exist")
      .WithHint(
          "No function matches the given name and argument types. You might need to add explicit "
          "type casts.");
}

SqlResult<ResolvedFunction> ResolveOperator(std::string_view op, TypeOid left, TypeOid right) {
  if (op == "!=") op = "<>";
  const auto& by_op = GetRegistry().by_op;
  const auto it = by_op.find(op);
  std::vector<TypeOid> args;
  if (left != 0) args.push_back(left);
  args.push_back(right);
  if (it != by_op.end()) {
    if (const Function* exact = ExactMatch(it->second, args)) return Resolved(exact, args);
    if (args.size() == 2 && (left == oid::kUnknown) != (right == oid::kUnknown)) {
      // An unknown literal is first taken to be of the other side's type.
      const TypeOid known = left == oid::kUnknown ? right : left;
      const TypeOid both[2] = {known, known};
      if (const Function* exact = ExactMatch(it->second, both)) return Resolved(exact, both);
      if (known == oid::kVarchar) {
        const TypeOid texts[2] = {oid::kText, oid::kText};
        if (const Function* exact = ExactMatch(it->second, texts)) return Resolved(exact, texts);
      }
    }
    if (args.size() == 2 && left == oid::kUnknown && right == oid::kUnknown) {
      const TypeOid texts[2] = {oid::kText, oid::kText};
      if (const Function* exact = ExactMatch(it->second, texts)) return Resolved(exact, texts);
    }
    bool ambiguous = false;
    Candidates candidates = it->second;
    std::erase_if(candidates, [&](const Function* f) { return f->args.size() != args.size(); });
    if (const Function* f = SelectCandidate(args, std::move(candidates), &ambiguous)) {
      return Resolved(f, args);
    }
    if (ambiguous) {
      const std::string text =
          (left != 0 ? FormatType(left) + " " : "") + std::string(op) + " " + FormatType(right);
      return SqlStatus("42725", "operator is not unique: " + text)
          .WithHint(
              "Could not choose a best candidate operator. You might need to add explicit type "
              "casts.");
    }
  }
  const std::string text =
      (left != 0 ? FormatType(left) + " " : "") + std::string(op) + " " + FormatType(right);
  return SqlStatus("42883", "operator does not exist: " + text)
      .WithHint(
          "No operator matches the given name and argument types. You might need to add explicit "
          "type casts.");
}

std::span<const Function> AllFunctions() {
  return GetRegistry().functions;
}

const Function* FindFunction(std::string_view name, std::span<const TypeOid> exact_args) {
  const auto& by_name = GetRegistry().by_name;
  const auto it = by_name.find(name);
  return it == by_name.end() ? nullptr : ExactMatch(it->second, exact_args);
}

bool FunctionExists(std::string_view name) {
  return GetRegistry().by_name.count(name) != 0;
}

namespace {

const Function* OperatorOf(std::string_view op, TypeOid type) {
  auto resolved = ResolveOperator(op, type, type);
  return resolved.ok() ? resolved->function : nullptr;
}

constexpr std::string_view kPairs[][3] = {
    // operator, commuted, negated
    {"=", "=", "<>"},    {"<>", "<>", "="},   {"<", ">", ">="},  {">", "<", "<="},
    {"<=", ">=", ">"},   {">=", "<=", "<"},   {"~~", "", "!~~"}, {"!~~", "", "~~"},
    {"~~*", "", "!~~*"}, {"!~~*", "", "~~*"}, {"~", "", "!~"},   {"!~", "", "~"},
    {"~*", "", "!~*"},   {"!~*", "", "~*"},   {"+", "+", ""},    {"*", "*", ""}};

}  // namespace

const Function* EqualityOf(TypeOid type) {
  return OperatorOf("=", type);
}
const Function* LessThanOf(TypeOid type) {
  return OperatorOf("<", type);
}

std::string_view CommutedOperator(std::string_view op) {
  for (const auto& row : kPairs) {
    if (row[0] == op) return row[1];
  }
  return {};
}

std::string_view NegatedOperator(std::string_view op) {
  for (const auto& row : kPairs) {
    if (row[0] == op) return row[2];
  }
  return {};
}

}  // namespace borealis::sql
