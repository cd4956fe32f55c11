// COPY: text, csv and PostgreSQL's binary format (chapter "COPY", "File Formats"), both directions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "writer-node/executor/executor.h"

namespace borealis::executor {

enum class CopyFormat : uint8_t { kText, kCsv, kBinary };

struct CopyOptions {
  CopyFormat format = CopyFormat::kText;
  char delimiter = '\t';          // csv: ','
  std::string null_text = "\\N";  // csv: ""
  bool header = false;
  char quote = '"';               // csv
  char escape = '"';              // csv
  std::vector<bool> force_quote;  // csv output, by column; empty: none
};

// COPY table FROM STDIN: takes the client's bytes in any pieces, inserts rows in batches.
// Constraints, defaults and indexes are those of INSERT. Errors carry CONTEXT "COPY t, line 3,
// column a: ...".
class CopyIn {
 public:
  // `plan` is an INSERT over a Values-less child: its `values` expressions read the file's columns
  // as slots 0.. in the order of `column_types`. The caller has begun the statement, and the plan
  // is of the catalog at the snapshot that it took: a newer snapshot could lie behind a change of
  // the table (a new index, say) that the plan does not know of and that nothing would refuse.
  static sql::SqlResult<std::unique_ptr<CopyIn>> Start(planner::PlanRef plan,
                                                       std::vector<sql::Type> column_types,
                                                       std::vector<std::string> column_names,
                                                       const CopyOptions& options,
                                                       const ExecContext& context);
  virtual ~CopyIn() = default;
  // After an error nothing more is accepted, and nothing of the COPY remains in the transaction.
  virtual sql::SqlStatus Data(ByteView bytes) = 0;
  // CopyDone: the number of rows.
  virtual sql::SqlResult<uint64_t> Finish() = 0;
};

// COPY ... TO STDOUT: one CopyData payload for each row (the header and binary trailer are payloads
// of their own).
class CopyOut {
 public:
  CopyOut(std::vector<planner::OutputColumn> columns, CopyOptions options);
  // What stands before the first row; empty: nothing.
  sql::SqlResult<Bytes> Begin();
  sql::SqlResult<Bytes> EncodeRow(const sql::Row& row);
  Bytes End();

 private:
  std::vector<planner::OutputColumn> columns_;
  CopyOptions options_;
};

}  // namespace borealis::executor
