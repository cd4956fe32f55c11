# External libraries, each as one interface target. A module names the ones it uses under EXTERNAL;
# design: gRPC, cpprestsdk, RocksDB and libpg_query each stay behind a single module.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(GTest REQUIRED)

function(borealis_external name)
  add_library(external_${name} INTERFACE)
  target_link_libraries(external_${name} INTERFACE ${ARGN})
endfunction()

borealis_external(threads Threads::Threads)
borealis_external(openssl OpenSSL::SSL OpenSSL::Crypto)
borealis_external(rocksdb rocksdb)
borealis_external(pg_query pg_query)
borealis_external(re2 re2)
borealis_external(yaml yaml-cpp)
borealis_external(json)
borealis_external(boost_context boost_context)
borealis_external(cpprest cpprest boost_system OpenSSL::SSL OpenSSL::Crypto)
borealis_external(libpq pq)
target_include_directories(external_libpq SYSTEM INTERFACE /usr/include/postgresql)
borealis_external(benchmark benchmark)
borealis_external(gtest GTest::gtest)
borealis_external(xxhash)
target_compile_definitions(external_xxhash INTERFACE XXH_INLINE_ALL)

borealis_external(fmt fmt)
borealis_external(spdlog spdlog fmt)
target_compile_definitions(external_spdlog INTERFACE SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)

borealis_external(asio Threads::Threads)
target_compile_definitions(external_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED)

pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++ protobuf)
borealis_external(grpc PkgConfig::GRPCPP)
borealis_external(protobuf protobuf)
find_program(PROTOC_PROGRAM protoc REQUIRED)

# PostgreSQL 15's server headers: only the parser module walks libpg_query's raw tree with them.
find_path(PG_SERVER_INCLUDE postgres.h PATHS /usr/include/postgresql/15/server REQUIRED)
borealis_external(pg_headers)
target_include_directories(external_pg_headers SYSTEM INTERFACE ${PG_SERVER_INCLUDE})
