// Borealis's codes on gRPC and back; for common/rpc's own sources only. The exact code travels as
// trailing metadata, since gRPC has fewer of them.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "common/base/status.h"

namespace borealis::rpc {

inline constexpr char kCodeMetadata[] = "borealis-code";

grpc::StatusCode ToGrpcCode(Code code);
Code FromGrpcCode(grpc::StatusCode code);
// The code whose CodeName() that is; kInternal for none.
Code CodeFromName(std::string_view name);

}  // namespace borealis::rpc
