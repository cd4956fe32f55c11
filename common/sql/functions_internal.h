// Internal to sql: how the function files fill the registry.
#pragma once

#include <initializer_list>
#include <vector>

#include "common/sql/functions.h"
#include "common/sql/io.h"
#include "common/sql/numeric.h"
#include "common/sql/session_context.h"

// A function body without captures: call, a (arguments), n, out.
#define SQL_BODY [](CallInfo & call, const Datum* a, size_t n, Datum* out) -> SqlStatus

namespace borealis::sql {

// Function::fast: bodies that EvalInto() runs without a call. Both arguments are kInt.
enum FastOp : uint8_t {
  kFastNone = 0,
  kFastIntEq,
  kFastIntNe,
  kFastIntLt,
  kFastIntLe,
  kFastIntGt,
  kFastIntGe,
  kFastInt4Add,
  kFastInt4Sub,
  kFastInt8Add,
  kFastInt8Sub
};

class RegistryBuilder {
 public:
  // Answers the entry, for setting what is not the default. Valid until the next call.
  Function& Add(std::string_view name, std::vector<TypeOid> args, TypeOid result,
                FunctionBody body);
  Function& Stable(std::string_view name, std::vector<TypeOid> args, TypeOid result,
                   FunctionBody body);
  Function& Volatile(std::string_view name, std::vector<TypeOid> args, TypeOid result,
                     FunctionBody body);
  Function& Op(std::string_view op, std::string_view name, std::vector<TypeOid> args,
               TypeOid result, FunctionBody body, uint8_t fast = kFastNone);

  std::vector<Function> functions;

 private:
  uint32_t next_oid_ = 90000;
};

void AddArithmetic(RegistryBuilder* builder);      // functions_arith.cc
void AddComparisons(RegistryBuilder* builder);     // functions_compare.cc
void AddStrings(RegistryBuilder* builder);         // functions_string.cc
void AddPatterns(RegistryBuilder* builder);        // functions_pattern.cc
void AddTimes(RegistryBuilder* builder);           // functions_time.cc
void AddSystem(RegistryBuilder* builder);          // functions_system.cc
void AddTableFunctions(RegistryBuilder* builder);  // table_functions.cc
void AddCastFunctions(RegistryBuilder* builder);   // casts.cc

// to_char of numbers and timestamps.
SqlResult<std::string> FormatTimestamp(int64_t timestamp, std::string_view format);
SqlResult<std::string> FormatNumber(const Numeric& value, std::string_view format);

inline SqlStatus NoSession(const CallInfo& call) {
  return FeatureNotSupported("function " + std::string(call.function.name) + " here");
}
#define SQL_SESSION_OR_RETURN(session)            \
  SessionContext* session = call.context.session; \
  if (session == nullptr) return NoSession(call)

inline IoContext IoOf(const EvalContext& context) {
  IoContext io;
  io.session = context.session;
  io.now_micros = context.session != nullptr ? context.session->TransactionTimestamp() : 0;
  io.extra_float_digits = context.extra_float_digits;
  return io;
}

}  // namespace borealis::sql
