// SQL types: PostgreSQL's OIDs, names, lengths, categories and type modifiers.
//
// A type is (oid, typmod). typmod -1 = none; varchar(n), char(n): n + 4; numeric(p,s):
// ((p << 16) | (s & 0x7ff)) + 4, as PostgreSQL stores them; timestamp(p), timestamptz(p): p.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/error.h"

namespace borealis::sql {

using TypeOid = uint32_t;

namespace oid {
inline constexpr TypeOid kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20, kInt2 = 21,
                         kInt2Vector = 22, kInt4 = 23, kRegproc = 24, kText = 25, kOid = 26,
                         kXid = 28, kOidVector = 30, kPgNodeTree = 194, kFloat4 = 700,
                         kFloat8 = 701, kUnknown = 705, kBpchar = 1042, kVarchar = 1043,
                         kDate = 1082, kTime = 1083, kTimestamp = 1114, kTimestamptz = 1184,
                         kInterval = 1186, kNumeric = 1700, kRegclass = 2205, kRegtype = 2206,
                         kRegnamespace = 4089, kRegrole = 4096, kRecord = 2249, kVoid = 2278,
                         kXid8 = 5069;
// Arrays.
inline constexpr TypeOid kBoolArray = 1000, kByteaArray = 1001, kCharArray = 1002,
                         kNameArray = 1003, kInt2Array = 1005, kInt4Array = 1007, kTextArray = 1009,
                         kBpcharArray = 1014, kVarcharArray = 1015, kInt8Array = 1016,
                         kFloat4Array = 1021, kFloat8Array = 1022, kOidArray = 1028,
                         kTimestampArray = 1115, kDateArray = 1182, kTimestamptzArray = 1185,
                         kNumericArray = 1231, kRegclassArray = 2210, kRegtypeArray = 2211,
                         kAclItem = 1033, kAclItemArray = 1034;
// Pseudo-types, only in signatures.
inline constexpr TypeOid kAny = 2276, kAnyArray = 2277, kAnyElement = 2283, kAnyNonArray = 2776;
}  // namespace oid

// How a value is held: Datum::kind().
enum class DatumKind : uint8_t { kNull, kBool, kInt, kDouble, kString, kNumeric, kArray };

// pg_type.typcategory.
enum class TypeCategory : char {
  kArray = 'A',
  kBoolean = 'B',
  kDateTime = 'D',
  kNumeric = 'N',
  kPseudo = 'P',
  kString = 'S',
  kTimespan = 'T',
  kUser = 'U',
  kUnknown = 'X',
  kInternal = 'Z'
};

struct TypeInfo {
  TypeOid oid = 0;
  std::string_view name;      // pg_type.typname: "int4"
  std::string_view sql_name;  // format_type: "integer"
  int16_t length = -1;        // pg_type.typlen: -1 variable
  TypeCategory category = TypeCategory::kUser;
  bool preferred = false;  // of its category
  DatumKind kind = DatumKind::kString;
  TypeOid element = 0;  // of an array (and of int2vector, oidvector); else 0
  TypeOid array = 0;    // the array type over this one; 0 = none
  char align = 'i';     // pg_type.typalign
  bool by_value = false;
  char type_type = 'b';  // pg_type.typtype: 'b' or 'p'
};

struct Type {
  TypeOid oid = oid::kUnknown;
  int32_t typmod = -1;
  friend bool operator==(const Type&, const Type&) = default;
};

// Null when the OID is unknown.
const TypeInfo* FindType(TypeOid oid);
// By pg_type.typname ("int4", "_text") or one-word SQL name ("integer", "decimal"); null if none.
const TypeInfo* FindType(std::string_view name);
// All types, in the order of their OIDs.
const std::vector<TypeInfo>& AllTypes();

inline bool IsArrayType(TypeOid oid) {
  const TypeInfo* info = FindType(oid);
  return info != nullptr && info->element != 0;
}
// varchar, char, text, name, "char", unknown and pg_node_tree.
bool IsStringType(TypeOid oid);

// format_type(): "character varying(10)", "numeric(10,2)", "integer[]", "???" for an unknown OID.
std::string FormatType(TypeOid oid, int32_t typmod = -1);

// The typmod of a type written with modifiers: (kVarchar, {10}) -> 14. Errors: 22023 out of range,
// 42601 for a type that takes none.
SqlResult<int32_t> MakeTypmod(TypeOid oid, const std::vector<int32_t>& modifiers);
// Of varchar and bpchar: the length, -1 when unlimited.
inline int32_t TypmodLength(int32_t typmod) {
  return typmod < 4 ? -1 : typmod - 4;
}
// Of numeric. Requires typmod >= 4.
inline int32_t TypmodPrecision(int32_t typmod) {
  return ((typmod - 4) >> 16) & 0xffff;
}
inline int32_t TypmodScale(int32_t typmod) {
  return (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

}  // namespace borealis::sql
