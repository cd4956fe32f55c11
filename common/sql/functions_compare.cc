// Comparison operators of every type.
#include <deque>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

// The first argument type decides the order (char(n) ignores trailing blanks).
int Order(const CallInfo& call, const Datum* a) {
  return CompareTyped(call.function.args[0], a[0], a[1]);
}

SqlStatus Eq(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) == 0);
  return {};
}
SqlStatus Ne(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) != 0);
  return {};
}
SqlStatus Lt(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) < 0);
  return {};
}
SqlStatus Le(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) <= 0);
  return {};
}
SqlStatus Gt(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) > 0);
  return {};
}
SqlStatus Ge(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(Order(call, a) >= 0);
  return {};
}

// Names live as long as the registry, which is for ever.
std::string_view Intern(std::string name) {
  static auto* names = new std::deque<std::string>;
  return names->emplace_back(std::move(name));
}

void AddOperators(RegistryBuilder* b, TypeOid left, TypeOid right, const std::string& prefix,
                  bool ordered) {
  const TypeInfo* info = FindType(left);
  const bool ints = info != nullptr && info->kind == DatumKind::kInt;
  struct Each {
    const char *op, *suffix;
    FunctionBody body;
    uint8_t fast;
  };
  static constexpr Each kEach[] = {{"=", "eq", Eq, kFastIntEq}, {"<>", "ne", Ne, kFastIntNe},
                                   {"<", "lt", Lt, kFastIntLt}, {"<=", "le", Le, kFastIntLe},
                                   {">", "gt", Gt, kFastIntGt}, {">=", "ge", Ge, kFastIntGe}};
  for (const Each& each : kEach) {
    if (!ordered && each.op != std::string_view("=") && each.op != std::string_view("<>")) continue;
    b->Op(each.op, Intern(prefix + each.suffix), {left, right}, kBool, each.body,
          ints ? each.fast : static_cast<uint8_t>(kFastNone));
  }
}

}  // namespace

void AddComparisons(RegistryBuilder* b) {
  struct Same {
    TypeOid type;
    const char* prefix;
  };
  static constexpr Same kSame[] = {{kBool, "bool"},
                                   {kInt2, "int2"},
                                   {kInt4, "int4"},
                                   {kInt8, "int8"},
                                   {kFloat4, "float4"},
                                   {kFloat8, "float8"},
                                   {kNumeric, "numeric_"},
                                   {kText, "text_"},
                                   {kBpchar, "bpchar"},
                                   {kName, "name"},
                                   {kChar, "char"},
                                   {kBytea, "bytea"},
                                   {kOid, "oid"},
                                   {kDate, "date_"},
                                   {kTime, "time_"},
                                   {kTimestamp, "timestamp_"},
                                   {kTimestamptz, "timestamptz_"},
                                   {kXid8, "xid8"},
                                   {kOidVector, "oidvector"}};
  for (const Same& each : kSame) AddOperators(b, each.type, each.type, each.prefix, true);
  AddOperators(b, kXid, kXid, "xid", false);
  AddOperators(b, kAnyArray, kAnyArray, "array_", true);
  struct Mixed {
    TypeOid left, right;
    const char* prefix;
  };
  static constexpr Mixed kMixed[] = {{kInt2, kInt4, "int24"},
                                     {kInt4, kInt2, "int42"},
                                     {kInt2, kInt8, "int28"},
                                     {kInt8, kInt2, "int82"},
                                     {kInt4, kInt8, "int48"},
                                     {kInt8, kInt4, "int84"},
                                     {kFloat4, kFloat8, "float48"},
                                     {kFloat8, kFloat4, "float84"},
                                     {kName, kText, "nametext"},
                                     {kText, kName, "textname"},
                                     {kTimestamp, kTimestamptz, "timestamp_timestamptz_"},
                                     {kTimestamptz, kTimestamp, "timestamptz_timestamp_"}};
  for (const Mixed& each : kMixed) AddOperators(b, each.left, each.right, each.prefix, true);
}

}  // namespace borealis::sql
