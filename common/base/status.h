// Status and Result<T>: how every fallible call of Borealis answers.
//
// The code says what the caller should do, not where the failure came from; the message says what
// happened, where, and with which object, in lower case and without a trailing period. Context is
// added once, by the layer that knows it (WithContext). Exceptions never cross a module's border.
// In the manner of RocksDB's include/rocksdb/status.h and abseil's status.h.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace borealis {

enum class Code : uint8_t {
  kOk = 0,
  kInvalidArgument,    // the input is wrong; the same call will fail again
  kNotFound,           // the named thing does not exist
  kAlreadyExists,      // the named thing exists already
  kConflict,           // lost certification; run the transaction again
  kNotLeader,          // ask the leader; the message may name it
  kUnavailable,        // nothing happened; try again, perhaps elsewhere
  kDeadlineExceeded,   // nothing is known to have happened within the time given (reads only)
  kOutcomeUnknown,     // it may have happened; resolve it by its transaction id
  kFenced,             // this incarnation was fenced; the process must start again
  kBelowHorizon,       // the version asked for is below the horizon; take a newer snapshot
  kResourceExhausted,  // a bounded queue or quota is full; back off
  kUnsupported,        // a feature or format that this program does not have
  kUnauthenticated,    // credentials are missing or wrong
  kCorruption,         // bytes on disk or wire do not pass their checks
  kIoError,            // the operating system refused a call
  kCancelled,          // the caller or a shutdown asked to stop
  kInternal,           // a defect of Borealis
};

// The code's name as logs show it, e.g. "not_leader".
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return Status(); }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same code with "context: " before the message. No effect on an OK status.
  Status WithContext(std::string_view context) const;

  // "code: message", for logs and tests.
  std::string ToString() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string m) {
  return {Code::kInvalidArgument, std::move(m)};
}
inline Status NotFound(std::string m) {
  return {Code::kNotFound, std::move(m)};
}
inline Status AlreadyExists(std::string m) {
  return {Code::kAlreadyExists, std::move(m)};
}
inline Status Unavailable(std::string m) {
  return {Code::kUnavailable, std::move(m)};
}
inline Status DeadlineExceeded(std::string m) {
  return {Code::kDeadlineExceeded, std::move(m)};
}
inline Status OutcomeUnknown(std::string m) {
  return {Code::kOutcomeUnknown, std::move(m)};
}
inline Status ResourceExhausted(std::string m) {
  return {Code::kResourceExhausted, std::move(m)};
}
inline Status Unsupported(std::string m) {
  return {Code::kUnsupported, std::move(m)};
}
inline Status Corruption(std::string m) {
  return {Code::kCorruption, std::move(m)};
}
inline Status IoError(std::string m) {
  return {Code::kIoError, std::move(m)};
}
inline Status Cancelled(std::string m) {
  return {Code::kCancelled, std::move(m)};
}
inline Status Internal(std::string m) {
  return {Code::kInternal, std::move(m)};
}

// A value or the status that says why there is none. Holds exactly one of the two.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit by design
    BOREALIS_CHECK(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  Code code() const { return status_.code(); }

  // Requires ok().
  T& value() & {
    BOREALIS_CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    BOREALIS_CHECK(ok());
    return *value_;
  }
  T&& value() && {
    BOREALIS_CHECK(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace borealis

// Returns from the enclosing function when the expression's Status is not OK.
#define RETURN_IF_ERROR(expr)                            \
  do {                                                   \
    ::borealis::Status borealis_status_ = (expr);        \
    if (!borealis_status_.ok()) return borealis_status_; \
  } while (0)

#define BOREALIS_CONCAT_INNER(a, b) a##b
#define BOREALIS_CONCAT(a, b) BOREALIS_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto x, Compute()): x, or return from the enclosing function with the status.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL(BOREALIS_CONCAT(borealis_result_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.status();         \
  lhs = std::move(tmp).value()
