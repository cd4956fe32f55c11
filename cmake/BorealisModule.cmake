# borealis_module(name
#   [DEPS module...]        other modules that this one may include and link
#   [EXTERNAL library...]   names from BorealisDependencies.cmake, part of this module's interface
#   [PRIVATE_EXTERNAL ...]  the same, hidden from the module's users
#   [TEST_DEPS module...]   what only its unit tests use
#   [TEST_SECONDS n]        the maximum for its unit tests (default 60)
#   [PROTO file...])        .proto files whose messages are compiled into it, included as
#                           "<name>/<file>.pb.h"; services are bound by common/rpc, which alone knows gRPC
#
# The sources are every *.cc beside the CMakeLists.txt and in its folders, without *_test.cc (unit tests,
# one program <name>_test), *_bench.cc and main.cc. Beside the library and the tests it declares a link
# test: the whole archive is linked with nothing but DEPS and EXTERNAL, so an undeclared use fails the build.
define_property(GLOBAL PROPERTY BOREALIS_MODULES BRIEF_DOCS "name;directory;deps of each module")

function(borealis_module name)
  cmake_parse_arguments(M "" "TEST_SECONDS" "DEPS;EXTERNAL;PRIVATE_EXTERNAL;TEST_DEPS;PROTO" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "borealis_module(${name}): unknown arguments ${M_UNPARSED_ARGUMENTS}")
  endif()
  file(GLOB_RECURSE all_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(sources ${all_sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cc$")
  set(tests ${all_sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  foreach(proto ${M_PROTO})
    get_filename_component(stem ${proto} NAME_WE)
    set(out ${CMAKE_BINARY_DIR}/generated/${name})
    file(MAKE_DIRECTORY ${out})
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND ${PROTOC_PROGRAM} -I${CMAKE_CURRENT_SOURCE_DIR} --cpp_out=${out}
              ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    list(APPEND generated ${out}/${stem}.pb.cc)
    list(APPEND sources ${out}/${stem}.pb.cc)
  endforeach()

  list(TRANSFORM M_DEPS PREPEND borealis_ OUTPUT_VARIABLE deps)
  list(TRANSFORM M_EXTERNAL PREPEND external_ OUTPUT_VARIABLE external)
  list(TRANSFORM M_PRIVATE_EXTERNAL PREPEND external_ OUTPUT_VARIABLE private_external)
  list(TRANSFORM M_TEST_DEPS PREPEND borealis_ OUTPUT_VARIABLE test_deps)

  if(sources)
    add_library(borealis_${name} STATIC ${sources})
    target_include_directories(borealis_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    if(M_PROTO)
      target_include_directories(borealis_${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
      set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS "-w")
    endif()
    target_link_libraries(borealis_${name} PUBLIC ${deps} ${external} PRIVATE ${private_external})

    set(empty_main ${CMAKE_BINARY_DIR}/link_test_main.cc)
    if(NOT EXISTS ${empty_main})
      file(WRITE ${empty_main} "int main() { return 0; }\n")
    endif()
    add_executable(${name}_link ${empty_main})
    target_link_options(${name}_link PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:borealis_${name}> -Wl,--no-whole-archive)
    target_link_libraries(${name}_link PRIVATE ${deps} ${external} ${private_external})
    set_target_properties(${name}_link PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/link)
    add_dependencies(${name}_link borealis_${name})
  else()
    add_library(borealis_${name} INTERFACE)
    target_include_directories(borealis_${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(borealis_${name} INTERFACE ${deps} ${external})
  endif()

  if(tests)
    add_executable(${name}_test ${tests})
    target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name}_test PRIVATE borealis_${name} ${test_deps} ${private_external}
                          GTest::gtest GTest::gmock GTest::gtest_main)
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
    if(NOT M_TEST_SECONDS)
      set(M_TEST_SECONDS 60)
    endif()
    add_test(NAME unit/${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit/${name} PROPERTIES TIMEOUT ${M_TEST_SECONDS} LABELS quick)
  endif()

  file(RELATIVE_PATH directory ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(JOIN "," deps_text ${M_DEPS})
  string(JOIN "," test_deps_text ${M_TEST_DEPS})
  string(JOIN "," external_text ${M_EXTERNAL} ${M_PRIVATE_EXTERNAL})
  set_property(GLOBAL APPEND PROPERTY BOREALIS_MODULES
    "${name} ${directory} deps=${deps_text} test_deps=${test_deps_text} external=${external_text}")
endfunction()

# borealis_program(target output SOURCES main.cc DEPS modules): one of the shipped programs.
function(borealis_program target)
  cmake_parse_arguments(P "" "" "SOURCES;DEPS;EXTERNAL" ${ARGN})
  list(TRANSFORM P_DEPS PREPEND borealis_ OUTPUT_VARIABLE deps)
  list(TRANSFORM P_EXTERNAL PREPEND external_ OUTPUT_VARIABLE external)
  add_executable(${target} ${P_SOURCES})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${deps} ${external})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# The module list that scripts/check-includes reads: one line a module.
function(borealis_write_module_list)
  get_property(modules GLOBAL PROPERTY BOREALIS_MODULES)
  string(JOIN "\n" text ${modules})
  file(WRITE ${CMAKE_BINARY_DIR}/modules.txt "${text}\n")
endfunction()
