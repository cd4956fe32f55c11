// Rows as stored: docs/formats/rows.md has them byte by byte.
//
//   u8 format = 1, varint schema version, varint count, then for each column that is not null, by
//   rising column id: varint (column id * 8 + value form), and the value
//
// A column that is absent reads as null. Key columns are stored too, so that a row can be read
// without its key and keeps what a key does not (a numeric's display scale).
#pragma once

#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/sql/datum.h"

namespace borealis::sql {

struct RowColumn {
  ColumnId id;
  Type type;
};

// Appends a row. columns and values are parallel; columns in any order of id. Requires values of
// the kinds of their types.
void EncodeRow(uint32_t schema_version, std::span<const RowColumn> columns, const Datum* values,
               Bytes* out);

// Decodes the wanted columns of a row: prepared once for each plan, used for each row.
class RowDecoder {
 public:
  RowDecoder() = default;
  // wanted[i] goes to out[slots[i]]; slots empty: to out[i].
  explicit RowDecoder(std::span<const RowColumn> wanted, std::span<const uint32_t> slots = {});
  // Absent columns become null. kCorruption, kUnsupported (a newer format).
  Status Decode(ByteView row, Datum* out) const;
  size_t wanted() const { return by_id_.size(); }

 private:
  struct Wanted {
    uint32_t id;
    DatumKind kind;
    uint32_t slot;
  };
  std::vector<Wanted> by_id_;
};

// The schema version a row was written under; kCorruption, kUnsupported.
Result<uint32_t> RowSchemaVersion(ByteView row);

// One value on its own, as in a row but with its form in front (u8): spill files, statistics,
// defaults.
void EncodeDatum(const Datum& value, Bytes* out);
Status DecodeDatum(ByteReader* in, Datum* out);

}  // namespace borealis::sql
