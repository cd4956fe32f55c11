# Language level, warnings, optimisation, sanitizers, compiler cache and linker.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# -g1 keeps line numbers for stack traces at a fraction of the size and compile time of -g.
# NDEBUG stays undefined: assertions are part of the product (CONTRIBUTING.md).
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")

add_compile_options(-Wall -Wextra -Wno-unused-parameter -fno-omit-frame-pointer)
option(BOREALIS_WERROR "Treat warnings as errors" ON)
if(BOREALIS_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these inside its own standard library at -O2 (GCC bugs 105329, 105651, 107852).
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
                      -Wno-maybe-uninitialized -Wno-dangling-pointer)
endif()

set(BOREALIS_SANITIZE "" CACHE STRING "address, thread or empty")
if(BOREALIS_SANITIZE)
  add_compile_options(-fsanitize=${BOREALIS_SANITIZE})
  add_link_options(-fsanitize=${BOREALIS_SANITIZE})
  if(BOREALIS_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=undefined -fno-sanitize-recover=undefined)
    add_link_options(-fsanitize=undefined)
  endif()
endif()

# A planted bug turns a checker's test into a test of the checker (docs/design/planted-bugs.md).
# Empty in every build that is shipped.
set(BOREALIS_PLANT "" CACHE STRING "name of the planted bug, or empty")
if(BOREALIS_PLANT)
  string(TOUPPER ${BOREALIS_PLANT} plant_upper)
  add_compile_definitions(BOREALIS_PLANT_${plant_upper}=1)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # base_dir and no hashed directory: clones at different paths share the cache.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
               CCACHE_SLOPPINESS=time_macros ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--as-needed)
