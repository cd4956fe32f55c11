// Cuts the bytes of a COPY into rows of fields. Pure; internal to the executor.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "writer-node/executor/copy.h"

namespace borealis::executor {

// A field: none = NULL. In the binary format the bytes of the value, else its text.
using CopyFields = std::vector<std::optional<std::string>>;

class CopyParser {
 public:
  // Called for each row, in order.
  using OnRow = std::function<sql::SqlStatus(CopyFields& fields)>;

  CopyParser(const CopyOptions& options, size_t columns, OnRow on_row)
      : options_(options), columns_(columns), on_row_(std::move(on_row)) {}

  // Takes bytes in any pieces. 22P04 for what is no row of the format, 54000 for a row above 256
  // MiB.
  sql::SqlStatus Data(ByteView bytes);
  // The end of the data: a last line without a newline counts; half a row does not (22P04).
  sql::SqlStatus Finish();
  // 1-based, of the row being read: for CONTEXT.
  uint64_t line() const { return line_; }

 private:
  sql::SqlStatus TakeLines(bool at_end);
  // The end of the row that starts at `from`: position of its newline, npos when it is not all
  // there.
  size_t FindLineEnd(size_t from, bool at_end);
  sql::SqlStatus Line(ByteView line);
  void SplitText(ByteView line, CopyFields* fields) const;
  sql::SqlStatus SplitCsv(ByteView line, CopyFields* fields) const;
  sql::SqlStatus TakeTuples();

  const CopyOptions& options_;
  const size_t columns_;
  OnRow on_row_;
  Bytes buffer_;
  uint64_t line_ = 1;
  bool header_seen_ = false;
  bool ended_ = false;  // "\." or the binary trailer: the rest is ignored, as PostgreSQL does
  // Where FindLineEnd stopped looking, so that a long row is looked at once.
  size_t scanned_ = 0;
  bool in_quotes_ = false;
};

}  // namespace borealis::executor
