#include "writer-node/executor/row_source.h"

namespace borealis::executor {

namespace {

constexpr uint32_t kFirstPageRows = 32;
constexpr uint32_t kPageRowsMax = 4096;

std::vector<bool> NeededColumns(const planner::TableAccess& access) {
  std::vector<bool> needed = access.needed;
  needed.resize(access.table->columns.size(), access.needed.empty());
  return needed;
}

sql::RowDecoder MakeDecoder(const catalog::TableDescriptor& table,
                            const std::vector<bool>& needed) {
  std::vector<sql::RowColumn> columns;
  std::vector<uint32_t> slots;
  std::vector<sql::RowColumn> all = catalog::RowColumnsOf(table);
  for (uint32_t i = 0; i < all.size(); i++) {
    if (!needed[i]) continue;
    columns.push_back(all[i]);
    slots.push_back(i);
  }
  return sql::RowDecoder(columns, slots);
}

}  // namespace

RowReader::RowReader(ExecState* state, const planner::TableAccess& access)
    : state_(state),
      access_(access),
      codec_(state->codec(access.table)),
      needed_(NeededColumns(access)),
      decoder_(MakeDecoder(*access.table, needed_)) {}

SqlStatus RowReader::Decode(ByteView bytes, Row* row) const {
  row->assign(access_.table->columns.size(), Datum());
  SQL_RETURN_IF_BASE_ERROR(decoder_.Decode(bytes, row->data()));
  return {};
}

SqlResult<std::vector<std::optional<Bytes>>> RowReader::Fetch(
    const std::vector<Bytes>& row_keys) const {
  if (row_keys.empty()) return std::vector<std::optional<Bytes>>();
  auto rows = state_->txn().MultiGet(row_keys);
  if (!rows.ok()) return state_->TxnError(rows.status());
  return std::move(*rows);
}

SqlResult<std::vector<std::optional<Bytes>>> RowReader::ResolveEntries(
    const catalog::IndexCodec& index, const std::vector<Bytes>& entry_keys) const {
  SQL_ASSIGN_OR_RETURN(auto values, Fetch(entry_keys));
  for (size_t i = 0; i < values.size(); i++) {
    if (!values[i].has_value()) continue;
    SQL_ASSIGN_OR_RETURN_BASE(Bytes key, codec_.RowKeyOf(index, entry_keys[i], *values[i]));
    values[i] = std::move(key);
  }
  return values;
}

bool RowReader::CoveredBy(const catalog::IndexCodec& index) const {
  std::vector<bool> have(needed_.size(), false);
  for (const catalog::IndexCodec* codec : {&index, &codec_.primary()}) {
    for (size_t i = 0; i < codec->column_count(); i++) {
      sql::TypeOid type = codec->columns()[i].type.oid;
      if (type != sql::oid::kNumeric && type != sql::oid::kBpchar) {
        have[static_cast<size_t>(codec->positions()[i])] = true;
      }
    }
  }
  for (size_t i = 0; i < needed_.size(); i++) {
    if (needed_[i] && !have[i]) return false;
  }
  return true;
}

RangeWalker::RangeWalker(const RowReader* reader, const catalog::IndexCodec* index,
                         bool entries_only)
    : reader_(reader),
      index_(index),
      is_primary_(index == &reader->codec().primary()),
      entries_only_(entries_only && !is_primary_ && reader->CoveredBy(*index)) {}

void RangeWalker::Start(Bytes start, Bytes end, bool backward) {
  spec_.start = std::move(start);
  spec_.end = std::move(end);
  spec_.reverse = backward;
  more_ = spec_.end.empty() || spec_.start < spec_.end;
  page_rows_ = kFirstPageRows;
  page_.clear();
  rows_.clear();
  position_ = 0;
}

SqlStatus RangeWalker::LoadPage() {
  position_ = 0;
  spec_.rows_max = page_rows_;
  page_rows_ = std::min(page_rows_ * 4, kPageRowsMax);
  auto page = reader_->state()->txn().Scan(spec_);
  if (!page.ok()) return reader_->state()->TxnError(page.status());
  more_ = page->more;
  if (more_) (spec_.reverse ? spec_.end : spec_.start) = page->resume;
  if (is_primary_ || entries_only_) {
    page_ = std::move(page->rows);
    return {};
  }
  return LoadRowsOfEntries(page->rows);
}

SqlStatus RangeWalker::LoadRowsOfEntries(const std::vector<txn::KeyValue>& entries) {
  std::vector<Bytes> keys;
  keys.reserve(entries.size());
  for (const txn::KeyValue& entry : entries) {
    SQL_ASSIGN_OR_RETURN_BASE(Bytes key,
                              reader_->codec().RowKeyOf(*index_, entry.key, entry.value));
    keys.push_back(std::move(key));
  }
  SQL_ASSIGN_OR_RETURN(auto found, reader_->Fetch(keys));
  rows_.clear();
  for (size_t i = 0; i < found.size(); i++) {
    // Entries and rows change in one transaction, so at one snapshot an entry always has its row.
    if (!found[i].has_value()) {
      return SqlStatus("XX001", "index entry without a row in table \"" +
                                    reader_->access().table->name + "\"")
          .WithDetail("The entry's key is " + ToHex(entries[i].key) + ".");
    }
    rows_.push_back(std::move(*found[i]));
  }
  return {};
}

SqlResult<bool> RangeWalker::Next(Row* row) {
  while (position_ == (is_primary_ || entries_only_ ? page_.size() : rows_.size())) {
    if (!more_) return false;
    page_.clear();
    rows_.clear();
    SQL_RETURN_IF_ERROR(LoadPage());
  }
  SQL_RETURN_IF_ERROR(reader_->state()->CheckCancel());
  size_t at = position_++;
  if (is_primary_) {
    SQL_RETURN_IF_ERROR(reader_->Decode(page_[at].value, row));
    return true;
  }
  if (!entries_only_) {
    SQL_RETURN_IF_ERROR(reader_->Decode(rows_[at], row));
    return true;
  }
  row->assign(reader_->access().table->columns.size(), Datum());
  SQL_RETURN_IF_BASE_ERROR(index_->DecodeColumns(page_[at].key, row->data()));
  SQL_ASSIGN_OR_RETURN_BASE(Bytes row_key,
                            reader_->codec().RowKeyOf(*index_, page_[at].key, page_[at].value));
  SQL_RETURN_IF_BASE_ERROR(reader_->codec().primary().DecodeColumns(row_key, row->data()));
  return true;
}

// Within one prefix of equal columns the next column's encodings are ordered, with all NULLs at one
// end; a bound on that column leaves the NULLs out.
bool MakeRange(const catalog::IndexCodec& index, const RangeValues& values, Bytes* start,
               Bytes* end) {
  for (const Datum& value : values.equal) {
    if (value.is_null()) return false;
  }
  const Bytes prefix = index.KeyOfValues(values.equal);
  *start = prefix;
  *end = wire::PrefixEnd(prefix);
  if (!values.lower.has_value() && !values.upper.has_value()) return true;
  if ((values.lower.has_value() && values.lower->is_null()) ||
      (values.upper.has_value() && values.upper->is_null())) {
    return false;
  }
  const sql::KeyColumn& column = index.columns()[values.equal.size()];
  auto encoded = [&](const Datum& value) {
    Bytes key = prefix;
    sql::EncodeKeyColumn(column, value, &key);
    return key;
  };
  const Bytes nulls = encoded(Datum());
  (column.nulls_first ? *start : *end) = column.nulls_first ? wire::PrefixEnd(nulls) : nulls;
  // In a descending column the lower value stands at the upper end.
  const auto& low = column.descending ? values.upper : values.lower;
  const auto& high = column.descending ? values.lower : values.upper;
  bool low_inclusive = column.descending ? values.upper_inclusive : values.lower_inclusive;
  bool high_inclusive = column.descending ? values.lower_inclusive : values.upper_inclusive;
  if (low.has_value()) {
    Bytes key = encoded(*low);
    *start = low_inclusive ? key : wire::PrefixEnd(key);
  }
  if (high.has_value()) {
    Bytes key = encoded(*high);
    *end = high_inclusive ? wire::PrefixEnd(key) : key;
  }
  return true;
}

}  // namespace borealis::executor
