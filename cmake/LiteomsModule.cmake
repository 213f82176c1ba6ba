# Helpers to declare a module, a unit test and a fuzz target in one line each.

set(LITEOMS_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wwrite-strings -Wvla -Wimplicit-fallthrough -Wundef)
option(LITEOMS_WERROR "Treat warnings as errors" ON)
set(LITEOMS_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

# Compiler settings that every target of ours shares.
function(liteoms_target_defaults target)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON)
  target_compile_options(${target} PRIVATE ${LITEOMS_WARNINGS} -fno-omit-frame-pointer)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE LITEOMS_VERSION="${PROJECT_VERSION}")
  # Every include is written from the root ("storage/unit.h"), so that the test of directions can read it.
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  if(LITEOMS_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(LITEOMS_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${LITEOMS_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${LITEOMS_SANITIZE})
  endif()
  if(LITEOMS_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# liteoms_module(NAME SOURCES a.c b.c DEPENDS oms_base SYSTEM PkgConfig::UV)
# A static library. DEPENDS are modules of ours, SYSTEM are libraries that only this module's sources may use.
function(liteoms_module target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;SYSTEM" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  liteoms_target_defaults(${target})
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_SYSTEM})
endfunction()

# liteoms_unit_test(test_mailbox oms_runtime [LABEL unit] [SOURCES extra.c] [ARGS ...])
# Builds tests/unit/<name>.c with cmocka and registers it with ctest.
function(liteoms_unit_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;ARGS;LINK" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name} ${name}.c ${ARG_SOURCES})
  liteoms_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} ${ARG_UNPARSED_ARGUMENTS} cmocka)
  target_compile_definitions(${name} PRIVATE LITEOMS_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 300)
endfunction()

# liteoms_fuzz_target(fuzz_json oms_base): a libFuzzer binary from tests/fuzz/<name>.c
function(liteoms_fuzz_target name)
  add_executable(${name} ${name}.c)
  liteoms_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
