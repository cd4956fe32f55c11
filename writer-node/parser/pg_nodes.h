// PostgreSQL's node types and libpg_query's entry points. Private to this module: include it last,
// after every C++ header, because PostgreSQL's headers define macros (Min, Max, snprintf, ...).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

extern "C" {
#include <pg_query.h>
// postgres.h must come before all of PostgreSQL's other headers.
// clang-format off
#include "postgres.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
// clang-format on

// From pg_query_internal.h, which the library exports but which needs headers of its own build.
typedef struct {
  void* tree;
  char* stderr_buffer;
  PgQueryError* error;
} PgQueryInternalParsetreeAndError;
extern PgQueryInternalParsetreeAndError pg_query_raw_parse(const char* input);
extern void* pg_query_enter_memory_context(void);
extern void pg_query_exit_memory_context(void* context);
extern void pg_query_free_error(PgQueryError* error);
}

// From catalog/pg_class.h and catalog/pg_attribute.h, which drag in the whole catalog.
#define RELPERSISTENCE_TEMP 't'
#define RELPERSISTENCE_UNLOGGED 'u'
#define ATTRIBUTE_IDENTITY_ALWAYS 'a'

// The one enum whose order in the library differs from the server's headers (it has the default
// first); parser_test.cc checks it.
inline constexpr int kLibraryLimitCount = 1;
inline constexpr int kLibraryLimitWithTies = 2;

// PostgreSQL's replacements of the C library's formatting are not linked in.
#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vsnprintf
#undef vsprintf
#undef vprintf
#undef vfprintf
#undef strerror
#undef strerror_r
#undef Min
#undef Max
#undef Abs
#undef Assert
#undef _
#undef gettext
#undef ngettext
#undef dgettext
#undef dngettext
