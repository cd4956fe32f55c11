#include "common/sql/types.h"

#include <algorithm>
#include <unordered_map>

namespace borealis::sql {
namespace {

using K = DatumKind;
using C = TypeCategory;

std::vector<TypeInfo> MakeTypes() {
  using namespace oid;
  std::vector<TypeInfo> t = {
      {kBool, "bool", "boolean", 1, C::kBoolean, true, K::kBool, 0, kBoolArray, 'c', true},
      {kBytea, "bytea", "bytea", -1, C::kUser, false, K::kString, 0, kByteaArray},
      {kChar, "char", "\"char\"", 1, C::kInternal, false, K::kString, 0, kCharArray, 'c', true},
      {kName, "name", "name", 64, C::kString, false, K::kString, 0, kNameArray, 'c'},
      {kInt8, "int8", "bigint", 8, C::kNumeric, false, K::kInt, 0, kInt8Array, 'd', true},
      {kInt2, "int2", "smallint", 2, C::kNumeric, false, K::kInt, 0, kInt2Array, 's', true},
      {kInt2Vector, "int2vector", "int2vector", -1, C::kArray, false, K::kArray, kInt2, 0},
      {kInt4, "int4", "integer", 4, C::kNumeric, false, K::kInt, 0, kInt4Array, 'i', true},
      {kRegproc, "regproc", "regproc", 4, C::kNumeric, false, K::kInt, 0, 0, 'i', true},
      {kText, "text", "text", -1, C::kString, true, K::kString, 0, kTextArray},
      {kOid, "oid", "oid", 4, C::kNumeric, true, K::kInt, 0, kOidArray, 'i', true},
      {kXid, "xid", "xid", 4, C::kUser, false, K::kInt, 0, 0, 'i', true},
      {kOidVector, "oidvector", "oidvector", -1, C::kArray, false, K::kArray, kOid, 0},
      {kPgNodeTree, "pg_node_tree", "pg_node_tree", -1, C::kInternal, false, K::kString, 0, 0},
      {kFloat4, "float4", "real", 4, C::kNumeric, false, K::kDouble, 0, kFloat4Array, 'i', true},
      {kFloat8, "float8", "double precision", 8, C::kNumeric, true, K::kDouble, 0, kFloat8Array,
       'd', true},
      {kUnknown, "unknown", "unknown", -2, C::kUnknown, false, K::kString, 0, 0, 'c', false, 'p'},
      {kBpchar, "bpchar", "character", -1, C::kString, false, K::kString, 0, kBpcharArray},
      {kVarchar, "varchar", "character varying", -1, C::kString, false, K::kString, 0,
       kVarcharArray},
      {kDate, "date", "date", 4, C::kDateTime, false, K::kInt, 0, kDateArray, 'i', true},
      {kTime, "time", "time without time zone", 8, C::kDateTime, false, K::kInt, 0, 0, 'd', true},
      {kTimestamp, "timestamp", "timestamp without time zone", 8, C::kDateTime, false, K::kInt, 0,
       kTimestampArray, 'd', true},
      {kTimestamptz, "timestamptz", "timestamp with time zone", 8, C::kDateTime, true, K::kInt, 0,
       kTimestamptzArray, 'd', true},
      {kInterval, "interval", "interval", 16, C::kTimespan, true, K::kString, 0, 0, 'd'},
      {kNumeric, "numeric", "numeric", -1, C::kNumeric, false, K::kNumeric, 0, kNumericArray},
      {kRegclass, "regclass", "regclass", 4, C::kNumeric, false, K::kInt, 0, kRegclassArray, 'i',
       true},
      {kRegtype, "regtype", "regtype", 4, C::kNumeric, false, K::kInt, 0, kRegtypeArray, 'i', true},
      {kRegnamespace, "regnamespace", "regnamespace", 4, C::kNumeric, false, K::kInt, 0, 0, 'i',
       true},
      {kRegrole, "regrole", "regrole", 4, C::kNumeric, false, K::kInt, 0, 0, 'i', true},
      {kXid8, "xid8", "xid8", 8, C::kUser, false, K::kInt, 0, 0, 'd', true},
      {kAclItem, "aclitem", "aclitem", 12, C::kUser, false, K::kString, 0, kAclItemArray},
      {kRecord, "record", "record", -1, C::kPseudo, false, K::kString, 0, 0, 'd', false, 'p'},
      {kVoid, "void", "void", 4, C::kPseudo, false, K::kString, 0, 0, 'i', true, 'p'},
      {kAny, "any", "\"any\"", 4, C::kPseudo, false, K::kNull, 0, 0, 'i', true, 'p'},
      {kAnyArray, "anyarray", "anyarray", -1, C::kPseudo, false, K::kArray, 0, 0, 'd', false, 'p'},
      {kAnyElement, "anyelement", "anyelement", 4, C::kPseudo, false, K::kNull, 0, 0, 'i', true,
       'p'},
      {kAnyNonArray, "anynonarray", "anynonarray", 4, C::kPseudo, false, K::kNull, 0, 0, 'i', true,
       'p'},
  };
  static const char* const kArrayNames[] = {
      "_bool",   "_bytea",       "_char",    "_name",     "_int2",    "_int4",   "_text",
      "_bpchar", "_varchar",     "_int8",    "_float4",   "_float8",  "_oid",    "_timestamp",
      "_date",   "_timestamptz", "_numeric", "_regclass", "_regtype", "_aclitem"};
  std::vector<TypeInfo> arrays;
  for (const char* name : kArrayNames) {
    for (const TypeInfo& e : t) {
      if (e.array != 0 && e.name == name + 1) {
        arrays.push_back({e.array, name, name, -1, C::kArray, false, K::kArray, e.oid, 0,
                          e.align == 'd' ? 'd' : 'i'});
      }
    }
  }
  t.insert(t.end(), arrays.begin(), arrays.end());
  std::sort(t.begin(), t.end(), [](const auto& a, const auto& b) { return a.oid < b.oid; });
  return t;
}

struct Tables {
  std::vector<TypeInfo> types = MakeTypes();
  std::vector<int16_t> by_small_oid =
      std::vector<int16_t>(8192, -1);  // every OID above is below 8192
  std::unordered_map<std::string_view, const TypeInfo*> by_name;
  Tables() {
    for (size_t i = 0; i < types.size(); ++i) {
      by_small_oid[types[i].oid] = static_cast<int16_t>(i);
      by_name.emplace(types[i].name, &types[i]);
    }
    const std::pair<const char*, TypeOid> aliases[] = {
        {"integer", oid::kInt4},  {"int", oid::kInt4},         {"bigint", oid::kInt8},
        {"smallint", oid::kInt2}, {"boolean", oid::kBool},     {"decimal", oid::kNumeric},
        {"real", oid::kFloat4},   {"character", oid::kBpchar}, {"float", oid::kFloat8}};
    for (const auto& [name, type] : aliases) by_name.emplace(name, &types[by_small_oid[type]]);
  }
};

const Tables& GetTables() {
  static const Tables* tables = new Tables;
  return *tables;
}

}  // namespace

const std::vector<TypeInfo>& AllTypes() {
  return GetTables().types;
}

const TypeInfo* FindType(TypeOid type) {
  const Tables& tables = GetTables();
  if (type >= tables.by_small_oid.size() || tables.by_small_oid[type] < 0) return nullptr;
  return &tables.types[tables.by_small_oid[type]];
}

const TypeInfo* FindType(std::string_view name) {
  const auto& by_name = GetTables().by_name;
  const auto it = by_name.find(name);
  return it == by_name.end() ? nullptr : it->second;
}

bool IsStringType(TypeOid type) {
  switch (type) {
    case oid::kText:
    case oid::kVarchar:
    case oid::kBpchar:
    case oid::kName:
    case oid::kChar:
    case oid::kUnknown:
    case oid::kPgNodeTree:
      return true;
    default:
      return false;
  }
}

std::string FormatType(TypeOid type, int32_t typmod) {
  if (type == 0) return "-";
  const TypeInfo* info = FindType(type);
  if (info == nullptr) return "???";
  if (info->element != 0 && type != oid::kInt2Vector && type != oid::kOidVector) {
    return FormatType(info->element, typmod) + "[]";
  }
  if (typmod < 0) {
    return std::string(info->sql_name);
  }
  const std::string n = std::to_string(TypmodLength(typmod));
  switch (type) {
    case oid::kVarchar:
    case oid::kBpchar:
      return std::string(info->sql_name) + "(" + n + ")";
    case oid::kNumeric:
      return "numeric(" + std::to_string(TypmodPrecision(typmod)) + "," +
             std::to_string(TypmodScale(typmod)) + ")";
    case oid::kTimestamp:
      return "timestamp(" + std::to_string(typmod) + ") without time zone";
    case oid::kTimestamptz:
      return "timestamp(" + std::to_string(typmod) + ") with time zone";
    default:
      return std::string(info->sql_name);
  }
}

SqlResult<int32_t> MakeTypmod(TypeOid type, const std::vector<int32_t>& modifiers) {
  if (modifiers.empty()) return -1;
  const TypeInfo* info = FindType(type);
  const TypeOid base = info != nullptr && info->element != 0 ? info->element : type;
  switch (base) {
    case oid::kVarchar:
    case oid::kBpchar: {
      const char* name = base == oid::kVarchar ? "varchar" : "char";
      if (modifiers.size() != 1) return SqlStatus("22023", "invalid type modifier");
      if (modifiers[0] < 1) {
        return SqlStatus("22023", std::string("length for type ") + name + " must be at least 1");
      }
      if (modifiers[0] > 10485760) {
        return SqlStatus("22023",
                         std::string("length for type ") + name + " cannot exceed 10485760");
      }
      return modifiers[0] + 4;
    }
    case oid::kNumeric: {
      const int p = modifiers[0];
      const int s = modifiers.size() > 1 ? modifiers[1] : 0;
      if (modifiers.size() > 2) return SqlStatus("22023", "invalid NUMERIC type modifier");
      if (p < 1 || p > 1000) {
        return SqlStatus("22023",
                         "NUMERIC precision " + std::to_string(p) + " must be between 1 and 1000");
      }
      if (s < -1000 || s > 1000) {
        return SqlStatus("22023",
                         "NUMERIC scale " + std::to_string(s) + " must be between -1000 and 1000");
      }
      return ((p << 16) | (s & 0x7ff)) + 4;
    }
    case oid::kTimestamp:
    case oid::kTimestamptz:
    case oid::kTime:
    case oid::kInterval:
      if (modifiers[0] < 0) {
        return SqlStatus("22023", "precision must not be negative");
      }
      return std::min(modifiers[0], 6);
    default:
      return SqlStatus("42601", "type modifier is not allowed for type \"" +
                                    std::string(info ? info->name : "?") + "\"");
  }
}

}  // namespace borealis::sql
