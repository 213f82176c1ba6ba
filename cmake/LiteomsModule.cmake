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

# What a sanitizer says is final: stop at the first finding, with a stack.
set(LITEOMS_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")

# liteoms_unit_test(test_mailbox oms_runtime [LABEL threads] [SOURCES extra.c] [ARGS ...] [LINK lib ...] [TIMEOUT s])
# Builds <name>.c of the current folder with cmocka and registers it with ctest. Labels: unit (the default), threads
# (what crosses threads; run under ThreadSanitizer as well), sim, integration, kill; several may be given.
function(liteoms_unit_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABEL;SOURCES;ARGS;LINK" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${name}.c ${ARG_SOURCES})
  liteoms_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} ${ARG_UNPARSED_ARGUMENTS} cmocka)
  target_compile_definitions(${name} PRIVATE LITEOMS_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  liteoms_test_properties(${name} "${ARG_LABEL}" ${ARG_TIMEOUT})
  if("threads" IN_LIST ARG_LABEL)
    add_dependencies(liteoms_thread_tests ${name})
  endif()
endfunction()

# liteoms_test_properties(name "label;label" seconds): for tests added by hand (scripts) as well.
function(liteoms_test_properties name labels timeout)
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout}
    ENVIRONMENT "${LITEOMS_TEST_ENVIRONMENT}")
endfunction()

# liteoms_fuzz_target(fuzz_json oms_base): a libFuzzer binary from tests/fuzz/<name>.c
function(liteoms_fuzz_target name)
  add_executable(${name} ${name}.c)
  liteoms_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(liteoms_fuzz_targets ${name})
endfunction()
