// Reading rows of stored tables: decoding, fetching by key, and walking a range of an index.
// Internal to the executor; scans and lookup joins are made of these.
#pragma once

#include <deque>
#include <optional>

#include "writer-node/executor/state.h"

namespace borealis::executor {

// Decodes the needed columns of a table's rows into whole rows (others are NULL).
class RowReader {
 public:
  RowReader(ExecState* state, const planner::TableAccess& access);

  // *row becomes the table's row.
  SqlStatus Decode(ByteView bytes, Row* row) const;
  // Rows by their keys, in the order of the keys; none where there is no row.
  SqlResult<std::vector<std::optional<Bytes>>> Fetch(const std::vector<Bytes>& row_keys) const;
  // The row keys that entries of a unique index name; none where there is no entry.
  SqlResult<std::vector<std::optional<Bytes>>> ResolveEntries(
      const catalog::IndexCodec& index, const std::vector<Bytes>& entry_keys) const;
  bool needs(int column) const { return needed_[static_cast<size_t>(column)]; }
  // Whether every needed column stands in the index's key or the primary key, in a form that gives
  // the value back (a numeric's display scale and a char's padding do not stand in a key).
  bool CoveredBy(const catalog::IndexCodec& index) const;

  const catalog::TableCodec& codec() const { return codec_; }
  const planner::TableAccess& access() const { return access_; }
  ExecState* state() const { return state_; }

 private:
  ExecState* const state_;
  const planner::TableAccess& access_;
  const catalog::TableCodec& codec_;
  std::vector<bool> needed_;
  sql::RowDecoder decoder_;
};

// A range of keys of one index, [start, end), walked in pages; yields the table's rows. The page
// grows from a few rows, for LIMIT, to thousands.
class RangeWalker {
 public:
  RangeWalker(const RowReader* reader, const catalog::IndexCodec* index, bool entries_only);

  void Start(Bytes start, Bytes end, bool backward);
  SqlResult<bool> Next(Row* row);

 private:
  SqlStatus LoadPage();
  SqlStatus LoadRowsOfEntries(const std::vector<txn::KeyValue>& entries);

  const RowReader* const reader_;
  const catalog::IndexCodec* const index_;
  const bool is_primary_;
  const bool entries_only_;
  txn::ScanSpec spec_;
  bool more_ = false;
  uint32_t page_rows_ = 0;
  std::vector<txn::KeyValue> page_;  // primary: rows; entries_only: entries
  std::vector<Bytes> rows_;          // secondary: the rows the page's entries name
  size_t position_ = 0;
};

// A bound range of an index: `equal` values of its first columns, then bounds of the next one.
// False: it is empty (a NULL among the values).
struct RangeValues {
  std::vector<Datum> equal;
  std::optional<Datum> lower, upper;
  bool lower_inclusive = true;
  bool upper_inclusive = true;
};
bool MakeRange(const catalog::IndexCodec& index, const RangeValues& values, Bytes* start,
               Bytes* end);

}  // namespace borealis::executor
