// Errors as a client sees them: SQLSTATE, message, detail, hint, position. Every module of the
// writer answers SQL-level failures with SqlStatus / SqlResult; a base Status becomes one in
// exactly one place, FromStatus().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "common/base/status.h"

namespace borealis::sql {

// The fields of ErrorResponse that the sender of an error may set. Empty = not sent.
struct SqlError {
  std::string sqlstate = "XX000";  // five characters
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;  // WHERE: e.g. COPY's line
  int position = 0;     // 1-based, in characters of the query; 0 = none
  std::string schema_name;
  std::string table_name;
  std::string column_name;
  std::string constraint_name;
};

// One pointer wide: null when OK, so that it costs nothing on the common path. A value type.
class [[nodiscard]] SqlStatus {
 public:
  SqlStatus() = default;
  SqlStatus(std::string_view sqlstate, std::string message);
  explicit SqlStatus(SqlError error);
  SqlStatus(const SqlStatus& other);
  SqlStatus& operator=(const SqlStatus& other);
  SqlStatus(SqlStatus&&) noexcept = default;
  SqlStatus& operator=(SqlStatus&&) noexcept = default;

  static SqlStatus Ok() { return SqlStatus(); }

  bool ok() const { return error_ == nullptr; }
  // "00000" when OK.
  std::string_view sqlstate() const;
  const std::string& message() const;
  const std::string& detail() const;
  const std::string& hint() const;
  int position() const;
  // All fields. Of an OK status: an empty SqlError with sqlstate "00000".
  const SqlError& error() const;
  // For setting fields. Requires !ok().
  SqlError& mutable_error() {
    BOREALIS_CHECK(error_ != nullptr);
    return *error_;
  }

  // The setters require !ok().
  SqlStatus& set_detail(std::string detail);
  SqlStatus& set_hint(std::string hint);
  SqlStatus& set_position(int position);
  SqlStatus WithDetail(std::string detail) && { return std::move(set_detail(std::move(detail))); }
  SqlStatus WithHint(std::string hint) && { return std::move(set_hint(std::move(hint))); }
  // Sets the position unless there is one already.
  SqlStatus WithPosition(int position) &&;

  // "ERROR 22012: division by zero (DETAIL: ...; HINT: ...)": for logs and goldens.
  std::string ToString() const;

 private:
  std::unique_ptr<SqlError> error_;
};

// The one mapping from base codes to SQLSTATE:
//   kConflict 40001          kUnavailable 57P03      kDeadlineExceeded 57014   kOutcomeUnknown
//   08007 kResourceExhausted 53000 kUnsupported 0A000      kBelowHorizon 72000 kInvalidArgument
//   22023 kAlreadyExists 42710     kNotFound 42704         kFenced 57P01             kCancelled
//   57014 kNotLeader 57P03         kUnauthenticated 28000  kCorruption XX001         kIoError 58030
//   kInternal XX000
// An OK status gives an OK one.
SqlStatus FromStatus(const Status& status);

// Frequent ones.
SqlStatus FeatureNotSupported(std::string_view feature);  // 0A000 "<feature> is not supported"
SqlStatus InternalError(std::string message);             // XX000

// A value or the error that says why there is none. T must be default-constructible.
template <typename T>
class [[nodiscard]] SqlResult {
 public:
  SqlResult(T value) : value_(std::move(value)) {}            // NOLINT: implicit by design
  SqlResult(SqlStatus status) : status_(std::move(status)) {  // NOLINT: implicit by design
    BOREALIS_CHECK(!status_.ok());
  }

  bool ok() const { return status_.ok(); }
  const SqlStatus& status() const { return status_; }
  SqlStatus& status() { return status_; }
  std::string_view sqlstate() const { return status_.sqlstate(); }

  // All of them require ok().
  T& value() & {
    BOREALIS_CHECK(ok());
    return value_;
  }
  const T& value() const& {
    BOREALIS_CHECK(ok());
    return value_;
  }
  T&& value() && {
    BOREALIS_CHECK(ok());
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  SqlStatus status_;
  T value_{};
};

}  // namespace borealis::sql

// As RETURN_IF_ERROR and ASSIGN_OR_RETURN of base, for SqlStatus and SqlResult.
#define SQL_RETURN_IF_ERROR(expr)                                \
  do {                                                           \
    ::borealis::sql::SqlStatus borealis_sql_status_ = (expr);    \
    if (!borealis_sql_status_.ok()) return borealis_sql_status_; \
  } while (0)
#define SQL_ASSIGN_OR_RETURN(lhs, expr) \
  SQL_ASSIGN_OR_RETURN_IMPL(BOREALIS_CONCAT(borealis_sql_result_, __LINE__), lhs, expr)
#define SQL_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return std::move(tmp.status());  \
  lhs = std::move(tmp).value()
// For a base Status or Result inside a function that answers SqlStatus or SqlResult.
#define SQL_RETURN_IF_BASE_ERROR(expr)                                                          \
  do {                                                                                          \
    ::borealis::Status borealis_base_status_ = (expr);                                          \
    if (!borealis_base_status_.ok()) return ::borealis::sql::FromStatus(borealis_base_status_); \
  } while (0)
#define SQL_ASSIGN_OR_RETURN_BASE(lhs, expr) \
  SQL_ASSIGN_OR_RETURN_BASE_IMPL(BOREALIS_CONCAT(borealis_base_result_, __LINE__), lhs, expr)
#define SQL_ASSIGN_OR_RETURN_BASE_IMPL(tmp, lhs, expr)             \
  auto tmp = (expr);                                               \
  if (!tmp.ok()) return ::borealis::sql::FromStatus(tmp.status()); \
  lhs = std::move(tmp).value()
