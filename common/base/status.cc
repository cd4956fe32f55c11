#include "common/base/status.h"

namespace borealis {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kConflict:
      return "conflict";
    case Code::kNotLeader:
      return "not_leader";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDeadlineExceeded:
      return "deadline_exceeded";
    case Code::kOutcomeUnknown:
      return "outcome_unknown";
    case Code::kFenced:
      return "fenced";
    case Code::kBelowHorizon:
      return "below_horizon";
    case Code::kResourceExhausted:
      return "resource_exhausted";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kCorruption:
      return "corruption";
    case Code::kIoError:
      return "io_error";
    case Code::kCancelled:
      return "cancelled";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  std::string text(context);
  text += ": ";
  text += message_;
  return Status(code_, std::move(text));
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  std::string text(CodeName(code_));
  text += ": ";
  text += message_;
  return text;
}

}  // namespace borealis
