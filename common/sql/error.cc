#include "common/sql/error.h"

namespace borealis::sql {
namespace {

const SqlError& OkError() {
  static const SqlError ok = [] {
    SqlError error;
    error.sqlstate = "00000";
    return error;
  }();
  return ok;
}

std::string_view SqlstateOf(Code code) {
  switch (code) {
    case Code::kOk:
      return "00000";
    case Code::kConflict:
      return "40001";
    case Code::kNotLeader:
    case Code::kUnavailable:
      return "57P03";
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
      return "57014";
    case Code::kOutcomeUnknown:
      return "08007";
    case Code::kResourceExhausted:
      return "53000";
    case Code::kUnsupported:
      return "0A000";
    case Code::kBelowHorizon:
      return "72000";
    case Code::kInvalidArgument:
      return "22023";
    case Code::kAlreadyExists:
      return "42710";
    case Code::kNotFound:
      return "42704";
    case Code::kFenced:
      return "57P01";
    case Code::kUnauthenticated:
      return "28000";
    case Code::kCorruption:
      return "XX001";
    case Code::kIoError:
      return "58030";
    case Code::kInternal:
      return "XX000";
  }
  return "XX000";
}

}  // namespace

SqlStatus::SqlStatus(std::string_view sqlstate, std::string message)
    : error_(std::make_unique<SqlError>()) {
  error_->sqlstate = sqlstate;
  error_->message = std::move(message);
}

SqlStatus::SqlStatus(SqlError error) : error_(std::make_unique<SqlError>(std::move(error))) {}

SqlStatus::SqlStatus(const SqlStatus& other)
    : error_(other.error_ ? std::make_unique<SqlError>(*other.error_) : nullptr) {}

SqlStatus& SqlStatus::operator=(const SqlStatus& other) {
  if (this != &other) error_ = other.error_ ? std::make_unique<SqlError>(*other.error_) : nullptr;
  return *this;
}

const SqlError& SqlStatus::error() const {
  return error_ ? *error_ : OkError();
}
std::string_view SqlStatus::sqlstate() const {
  return error().sqlstate;
}
const std::string& SqlStatus::message() const {
  return error().message;
}
const std::string& SqlStatus::detail() const {
  return error().detail;
}
const std::string& SqlStatus::hint() const {
  return error().hint;
}
int SqlStatus::position() const {
  return error().position;
}

SqlStatus& SqlStatus::set_detail(std::string detail) {
  mutable_error().detail = std::move(detail);
  return *this;
}
SqlStatus& SqlStatus::set_hint(std::string hint) {
  mutable_error().hint = std::move(hint);
  return *this;
}
SqlStatus& SqlStatus::set_position(int position) {
  mutable_error().position = position;
  return *this;
}

SqlStatus SqlStatus::WithPosition(int position) && {
  if (mutable_error().position == 0) mutable_error().position = position;
  return std::move(*this);
}

std::string SqlStatus::ToString() const {
  if (ok()) return "OK";
  std::string out = "ERROR " + error_->sqlstate + ": " + error_->message;
  if (!error_->detail.empty()) out += "\nDETAIL: " + error_->detail;
  if (!error_->hint.empty()) out += "\nHINT: " + error_->hint;
  return out;
}

SqlStatus FromStatus(const Status& status) {
  if (status.ok()) return SqlStatus();
  return SqlStatus(SqlstateOf(status.code()), status.message());
}

SqlStatus FeatureNotSupported(std::string_view feature) {
  return SqlStatus("0A000", std::string(feature) + " is not supported");
}

SqlStatus InternalError(std::string message) {
  return SqlStatus("XX000", std::move(message));
}

}  // namespace borealis::sql
