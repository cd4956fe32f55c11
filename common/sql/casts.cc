// pg_cast: which conversions there are, in which contexts, and how each is done.
#include <cmath>
#include <map>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;
constexpr CastContext kI = CastContext::kImplicit, kA = CastContext::kAssignment,
                      kE = CastContext::kExplicit;

int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}
bool IsInfinite(int64_t t) {
  return t == kTimestampInfinity || t == kTimestampMinusInfinity;
}

SqlStatus OutOfRange(TypeOid type) {
  return SqlStatus("22003", FormatType(type) + " out of range");
}

SqlStatus PutRanged(TypeOid type, int64_t v, Datum* out) {
  if ((type == kInt2 && v != static_cast<int16_t>(v)) ||
      (type == kInt4 && v != static_cast<int32_t>(v)) ||
      (type != kInt2 && type != kInt4 && type != kInt8 && (v < INT32_MIN || v > UINT32_MAX))) {
    return OutOfRange(type == kInt2 || type == kInt4 ? type : static_cast<TypeOid>(kOid));
  }
  *out = Datum::Int(type == kInt2 || type == kInt4 || type == kInt8
                        ? v
                        : static_cast<int64_t>(static_cast<uint32_t>(v)));
  return {};
}

SqlStatus IntToInt(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  int64_t v = a[0].int_value();
  const TypeOid from = call.function.args[0], to = call.function.result;
  // oid -> int4 keeps the bits.
  if (to == kInt4 && from != kInt2 && from != kInt8)
    v = static_cast<int32_t>(static_cast<uint32_t>(v));
  return PutRanged(to, v, out);
}
SqlStatus IntToDouble(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t v = a[0].int_value();
  *out = Datum::Double(call.function.result == kFloat4 ? static_cast<double>(static_cast<float>(v))
                                                       : static_cast<double>(v));
  return {};
}
SqlStatus DoubleToInt(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const double v = std::nearbyint(a[0].double_value());
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0))
    return OutOfRange(call.function.result);
  return PutRanged(call.function.result, static_cast<int64_t>(v), out);
}
SqlStatus DoubleToFloat(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const double v = a[0].double_value();
  const float f = static_cast<float>(v);
  if (std::isinf(f) && !std::isinf(v)) return SqlStatus("22003", "value out of range: overflow");
  if (f == 0 && v != 0) return SqlStatus("22003", "value out of range: underflow");
  *out = Datum::Double(f);
  return {};
}
SqlStatus IntToNumeric(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Of(Numeric::FromInt(a[0].int_value()));
  return {};
}
SqlStatus NumericToInt(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(int64_t v, a[0].numeric_value().ToInt64(FormatType(call.function.result)));
  return PutRanged(call.function.result, v, out);
}
SqlStatus NumericToDouble(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const Numeric v = a[0].numeric_value();
  const double d = v.ToDouble();
  const bool single = call.function.result == kFloat4;
  if (v.is_finite() && (std::isinf(d) || (single && std::isinf(static_cast<float>(d))))) {
    return SqlStatus("22003", "\"" + v.ToString() + "\" is out of range for type " +
                                  FormatType(call.function.result));
  }
  *out = Datum::Double(single ? static_cast<double>(static_cast<float>(d)) : d);
  return {};
}
SqlStatus DoubleToNumeric(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(Numeric v, Numeric::FromDouble(a[0].double_value(),
                                                      call.function.args[0] == kFloat4 ? 6 : 15));
  *out = Datum::Of(v);
  return {};
}
SqlStatus TrimBlanks(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  std::string_view s = a[0].string_value();
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  *out = Datum::String(s);
  return {};
}
SqlStatus TruncateName(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::String(a[0].string_value().substr(0, call.function.result == kChar ? 1 : 63));
  return {};
}
SqlStatus DateToTimestamp(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t d = a[0].int_value();
  if (d == INT32_MAX || d == INT32_MIN) {
    *out = Datum::Int(d > 0 ? kTimestampInfinity : kTimestampMinusInfinity);
    return {};
  }
  int64_t t;
  if (__builtin_mul_overflow(d, kMicrosPerDay, &t))
    return SqlStatus("22008", "date out of range for timestamp");
  *out = Datum::Int(t);
  return {};
}
SqlStatus TimestampToDate(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t t = a[0].int_value();
  *out =
      Datum::Int(IsInfinite(t) ? (t > 0 ? INT32_MAX : INT32_MIN) : FloorDivide(t, kMicrosPerDay));
  return {};
}
SqlStatus TimestampToTime(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  const int64_t t = a[0].int_value();
  if (!IsInfinite(t)) *out = Datum::Int(t - FloorDivide(t, kMicrosPerDay) * kMicrosPerDay);
  return {};
}
SqlStatus TextToRegclass(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_ASSIGN_OR_RETURN(*out, TextInput({kRegclass, -1}, a[0].string_value(), IoOf(call.context)));
  return {};
}

struct Planned {
  TypeOid from, to;
  CastContext context;
  FunctionBody body;  // null: the same bits
  const char* name;
};

constexpr Planned kPlanned[] = {
    {kInt2, kInt4, kI, nullptr, ""},
    {kInt2, kInt8, kI, nullptr, ""},
    {kInt4, kInt8, kI, nullptr, ""},
    {kInt4, kInt2, kA, IntToInt, "int2"},
    {kInt8, kInt2, kA, IntToInt, "int2"},
    {kInt8, kInt4, kA, IntToInt, "int4"},
    {kInt2, kFloat4, kI, IntToDouble, "float4"},
    {kInt4, kFloat4, kI, IntToDouble, "float4"},
    {kInt8, kFloat4, kI, IntToDouble, "float4"},
    {kInt2, kFloat8, kI, IntToDouble, "float8"},
    {kInt4, kFloat8, kI, IntToDouble, "float8"},
    {kInt8, kFloat8, kI, IntToDouble, "float8"},
    {kInt2, kNumeric, kI, IntToNumeric, "numeric"},
    {kInt4, kNumeric, kI, IntToNumeric, "numeric"},
    {kInt8, kNumeric, kI, IntToNumeric, "numeric"},
    {kFloat4, kFloat8, kI, nullptr, ""},
    {kFloat8, kFloat4, kA, DoubleToFloat, "float4"},
    {kFloat4, kInt2, kA, DoubleToInt, "int2"},
    {kFloat4, kInt4, kA, DoubleToInt, "int4"},
    {kFloat4, kInt8, kA, DoubleToInt, "int8"},
    {kFloat8, kInt2, kA, DoubleToInt, "int2"},
    {kFloat8, kInt4, kA, DoubleToInt, "int4"},
    {kFloat8, kInt8, kA, DoubleToInt, "int8"},
    {kFloat4, kNumeric, kA, DoubleToNumeric, "numeric"},
    {kFloat8, kNumeric, kA, DoubleToNumeric, "numeric"},
    {kNumeric, kInt2, kA, NumericToInt, "int2"},
    {kNumeric, kInt4, kA, NumericToInt, "int4"},
    {kNumeric, kInt8, kA, NumericToInt, "int8"},
    {kNumeric, kFloat4, kI, NumericToDouble, "float4"},
    {kNumeric, kFloat8, kI, NumericToDouble, "float8"},
    {kInt2, kOid, kI, IntToInt, "oid"},
    {kInt4, kOid, kI, IntToInt, "oid"},
    {kInt8, kOid, kI, IntToInt, "oid"},
    {kOid, kInt4, kA, IntToInt, "int4"},
    {kOid, kInt8, kA, nullptr, ""},
    {kText, kRegclass, kI, TextToRegclass, "regclass"},
    {kVarchar, kRegclass, kI, TextToRegclass, "regclass"},
    {kText, kVarchar, kI, nullptr, ""},
    {kVarchar, kText, kI, nullptr, ""},
    {kText, kBpchar, kI, nullptr, ""},
    {kVarchar, kBpchar, kI, nullptr, ""},
    {kBpchar, kText, kI, TrimBlanks, "text"},
    {kBpchar, kVarchar, kI, TrimBlanks, "text"},
    {kName, kText, kI, nullptr, ""},
    {kName, kVarchar, kA, nullptr, ""},
    {kName, kBpchar, kA, nullptr, ""},
    {kText, kName, kI, TruncateName, "name"},
    {kVarchar, kName, kI, TruncateName, "name"},
    {kBpchar, kName, kI, TruncateName, "name"},
    {kChar, kText, kI, nullptr, ""},
    {kText, kChar, kA, TruncateName, "char"},
    {kVarchar, kChar, kA, TruncateName, "char"},
    {kBpchar, kChar, kA, TruncateName, "char"},
    {kPgNodeTree, kText, kI, nullptr, ""},
    {kDate, kTimestamp, kI, DateToTimestamp, "timestamp"},
    {kDate, kTimestamptz, kI, DateToTimestamp, "timestamptz"},
    {kTimestamp, kTimestamptz, kI, nullptr, ""},
    {kTimestamptz, kTimestamp, kA, nullptr, ""},
    {kTimestamp, kDate, kA, TimestampToDate, "date"},
    {kTimestamptz, kDate, kA, TimestampToDate, "date"},
    {kTimestamp, kTime, kA, TimestampToTime, "time"},
    {kTimestamptz, kTime, kA, TimestampToTime, "time"},
    {kXid8, kXid, kE, IntToInt, "xid"},
    {kOidVector, kOidArray, kI, nullptr, ""},
    {kInt2Vector, kInt2Array, kI, nullptr, ""},
};

struct Table {
  std::vector<CastEntry> entries;
  std::map<std::pair<TypeOid, TypeOid>, CastEntry> by_types;

  void Put(TypeOid from, TypeOid to, CastContext context, FunctionBody body,
           std::string_view name) {
    CastEntry entry{from, to, context, {}};
    entry.cast.method = body == nullptr ? CastMethod::kRelabel : CastMethod::kFunction;
    if (body != nullptr) {
      const TypeOid args[1] = {from};
      entry.cast.function = FindFunction(name, args);
      BOREALIS_CHECK(entry.cast.function != nullptr);
    }
    entries.push_back(entry);
    by_types[{from, to}] = entry;
  }

  Table() {
    for (const Planned& p : kPlanned) Put(p.from, p.to, p.context, p.body, p.name);
    const TypeOid bool_arg[1] = {kBool};
    Put(kBool, kText, kA, FindFunction("text", bool_arg)->body, "text");
    Put(kBool, kVarchar, kA, FindFunction("text", bool_arg)->body, "text");
    Put(kBool, kInt4, kE, FindFunction("int4", bool_arg)->body, "int4");
    const TypeOid int_arg[1] = {kInt4};
    Put(kInt4, kBool, kE, FindFunction("bool", int_arg)->body, "bool");
    for (TypeOid reg : {kRegclass, kRegtype, kRegrole, kRegnamespace, kRegproc}) {
      Put(kOid, reg, kI, nullptr, "");
      Put(reg, kOid, kI, nullptr, "");
      Put(reg, kInt8, kA, nullptr, "");
      Put(reg, kInt4, kA, nullptr, "");
      Put(kInt2, reg, kI, nullptr, "");
      Put(kInt4, reg, kI, nullptr, "");
      Put(kInt8, reg, kI, nullptr, "");
    }
  }
};

const Table& GetTable() {
  static const Table* table = new Table;
  return *table;
}

}  // namespace

void AddCastFunctions(RegistryBuilder* b) {
  std::map<std::pair<std::string_view, TypeOid>, bool> have;
  for (const Planned& p : kPlanned) {
    if (p.body == nullptr ||
        !have.emplace(std::make_pair(std::string_view(p.name), p.from), true).second)
      continue;
    Function& f = b->Add(p.name, {p.from}, p.to, p.body);
    if (p.body == TextToRegclass) f.volatility = Volatility::kStable;
    if (p.body == TrimBlanks) f.result = kText;
  }
  b->Add(
      "text", {kBool}, kText, SQL_BODY {
        *out = Datum::String(a[0].bool_value() ? "true" : "false");
        return {};
      });
  b->Add(
      "int4", {kBool}, kInt4, SQL_BODY {
        *out = Datum::Int(a[0].bool_value() ? 1 : 0);
        return {};
      });
  b->Add(
      "bool", {kInt4}, kBool, SQL_BODY {
        *out = Datum::Bool(a[0].int_value() != 0);
        return {};
      });
}

Cast FindCast(TypeOid from, TypeOid to, CastContext context) {
  if (from == to) return {CastMethod::kRelabel, nullptr};
  const auto& by_types = GetTable().by_types;
  const auto it = by_types.find({from, to});
  if (it != by_types.end()) {
    if (it->second.context > context) return {};
    return it->second.cast;
  }
  // Conversions through text: to a string type by assignment, from one only explicitly.
  const TypeInfo* f = FindType(from);
  const TypeInfo* t = FindType(to);
  if (f == nullptr || t == nullptr || f->type_type == 'p' || t->type_type == 'p') return {};
  if (t->category == TypeCategory::kString && context >= kA) return {CastMethod::kIo, nullptr};
  if (f->category == TypeCategory::kString && context >= kE) return {CastMethod::kIo, nullptr};
  return {};
}

bool CanCoerce(TypeOid from, TypeOid to, CastContext context) {
  if (from == oid::kUnknown || from == to || to == oid::kAny) return true;
  if (FindCast(from, to, context).method != CastMethod::kNone) return true;
  const TypeInfo* f = FindType(from);
  const TypeInfo* t = FindType(to);
  if (to == oid::kInt2Vector || to == oid::kOidVector) return false;
  return f != nullptr && t != nullptr && f->element != 0 && t->element != 0 &&
         f->kind == DatumKind::kArray && CanCoerce(f->element, t->element, context);
}

std::span<const CastEntry> AllCasts() {
  return GetTable().entries;
}

}  // namespace borealis::sql
