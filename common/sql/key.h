// Order-preserving, self-delimiting encoding of key columns: docs/formats/keys.md has it byte by
// byte. memcmp of two encodings of the same columns orders as the columns do. Strings by collation
// "C" (bytewise).
#pragma once

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/sql/datum.h"

namespace borealis::sql {

struct KeyColumn {
  Type type;
  bool descending = false;
  bool nulls_first = false;  // PostgreSQL's default: true exactly when descending
};

// Whether a type may be a key column (arrays, interval and pseudo-types may not).
bool IsKeyType(TypeOid type);
// Appends one column. Requires a value of the type's kind, or null. bpchar: trailing blanks are not
// part of it.
void EncodeKeyColumn(const KeyColumn& column, const Datum& value, Bytes* out);
// Consumes one column from the front of *in. kCorruption when it is none. bpchar comes back padded
// to the column's typmod; a numeric without trailing zeros of its fraction.
Status DecodeKeyColumn(const KeyColumn& column, ByteView* in, Datum* out);
// Steps over one column.
Status SkipKeyColumn(const KeyColumn& column, ByteView* in);

}  // namespace borealis::sql
