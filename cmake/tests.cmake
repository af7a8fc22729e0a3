# Tests, found by name: tests/FOLDER/test_NAME.c becomes the CTest test FOLDER/NAME with the label
# FOLDER. Every test sees in its environment ATTN_TOOL (the executable), ATTN_SOURCE_DIR (this
# checkout) and ATTN_BUILD_DIR, and as macros ATTN_TEST_TOOL and ATTN_TEST_SOURCE_DIR.
set(ATTN_PYTHON python3 CACHE STRING "Python for the comparisons with other programs")
unset(attn_python_path CACHE)
find_program(attn_python_path ${ATTN_PYTHON})

# The tests are no part of `all`: whoever only uses attn does not wait for them.
add_custom_target(tests)

# cmocka; the cross build may name a folder that holds it.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(cmocka QUIET IMPORTED_TARGET cmocka)
endif()
if(NOT cmocka_FOUND)
  message(FATAL_ERROR "cmocka is missing: run scripts/setup, or configure with -DATTN_TESTS=OFF")
endif()

set(tool_path ${PROJECT_BINARY_DIR}/attn)
set(test_environment
    ATTN_TOOL=${tool_path} ATTN_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    ATTN_BUILD_DIR=${PROJECT_BINARY_DIR} OMP_WAIT_POLICY=passive)

set(test_timeout 900) # far above what an idle machine takes; a busy one must not fail
if(CMAKE_CROSSCOMPILING)
  set(test_timeout 2400) # under an emulator
endif()

function(attn_test_properties name folder)
  set_tests_properties(${name} PROPERTIES LABELS ${folder} SKIP_RETURN_CODE 77
                       ENVIRONMENT "${test_environment}" ${ARGN})
endfunction()

# A test needs the tool's libraries when it includes one of their headers; the rest also run where
# only the library is built.
function(attn_needs_tool source out)
  file(STRINGS ${source} found REGEX "#include \"(align|document|pipeline|attn/(embed|model|segment|tokenizer|translate)|text|train|image|show|serve|io/recipe|io/lines|io/word_links|io/archive|io/bundle|io/yaml|io/tensor_file)")
  if(found OR source MATCHES "/tests/cli/")
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

function(attn_executable target source)
  add_executable(${target} EXCLUDE_FROM_ALL ${source} ${ARGN})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE ATTN_TEST_TOOL="${tool_path}"
                             ATTN_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_dependencies(tests ${target})
endfunction()

file(GLOB support_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)

function(attn_test folder source)
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "^test_" "" name ${name})
  set(target test_${folder}_${name})
  attn_needs_tool(${source} needs_tool)
  if(needs_tool AND ATTN_LIBRARY_ONLY)
    return()
  endif()
  attn_executable(${target} ${source} ${support_sources})
  target_link_libraries(${target} PRIVATE PkgConfig::cmocka)
  if(folder STREQUAL grad)
    target_link_libraries(${target} PRIVATE attn_double)
  else()
    if(needs_tool)
      target_link_libraries(${target} PRIVATE attn_tool)
    endif()
    target_link_libraries(${target} PRIVATE attn_common attn_static m)
  endif()
  if(folder STREQUAL cli AND TARGET attn_cli)
    add_dependencies(${target} attn_cli)
  endif()
  add_test(NAME ${folder}/${name} COMMAND ${target})
  attn_test_properties(${folder}/${name} ${folder} TIMEOUT ${test_timeout})
endfunction()

foreach(folder unit kernels grad layers models search pipeline train cli fault)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.c)
  foreach(source ${sources})
    attn_test(${folder} ${source})
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.sh)
  foreach(script ${scripts})
    if(NOT ATTN_LIBRARY_ONLY)
      get_filename_component(name ${script} NAME_WE)
      string(REGEX REPLACE "^test_" "" name ${name})
      add_test(NAME ${folder}/${name} COMMAND sh ${script})
      attn_test_properties(${folder}/${name} ${folder} TIMEOUT ${test_timeout})
    endif()
  endforeach()
endforeach()

# tests/ranks: trainings by several processes, where there is MPI. Each starts as many as there are processors, or more.
if(TARGET attn_mpi AND NOT ATTN_SANITIZE)
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/ranks/test_*.sh)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    add_test(NAME ranks/${name} COMMAND sh ${script})
    attn_test_properties(ranks/${name} ranks TIMEOUT ${test_timeout} RUN_SERIAL TRUE)
  endforeach()
endif()

# A heap that fails, for the tests of tests/fault that run the tool with it.
if(TARGET attn_cli AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT ATTN_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  add_library(attn_faulty_heap MODULE EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/fault/faulty_heap.c)
  set_target_properties(attn_faulty_heap PROPERTIES C_VISIBILITY_PRESET default)
  target_link_libraries(attn_faulty_heap PRIVATE ${CMAKE_DL_LIBS})
  add_dependencies(tests attn_faulty_heap)
  set_property(TEST fault/heap APPEND PROPERTY ENVIRONMENT
               ATTN_FAULTY_HEAP=$<TARGET_FILE:attn_faulty_heap>)
endif()

# tests/fuzz/fuzz_NAME.c: without libFuzzer each is linked to replay.c and fed its kept corpus.
file(GLOB fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(source ${fuzzers})
  get_filename_component(target ${source} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" name ${target})
  attn_needs_tool(${source} needs_tool)
  if(needs_tool AND ATTN_LIBRARY_ONLY)
    continue()
  endif()
  if(ATTN_FUZZ)
    attn_executable(${target} ${source})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  else()
    attn_executable(${target} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz/${name}
             COMMAND ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    attn_test_properties(fuzz/${name} fuzz TIMEOUT 120)
  endif()
  if(needs_tool)
    target_link_libraries(${target} PRIVATE attn_tool)
  endif()
  target_link_libraries(${target} PRIVATE attn_common attn_static m)
endforeach()

# tests/parity: drivers in C, compared with another program by a script that exits 77 (skipped) when
# that program is missing. A script is given the drivers that its text names (NAME_driver.c), in that
# order; all lie in the folder ATTN_DRIVERS.
if(NOT ATTN_LIBRARY_ONLY)
  file(GLOB drivers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/parity/*_driver.c)
  foreach(source ${drivers})
    get_filename_component(name ${source} NAME_WE)
    attn_executable(${name} ${source})
    attn_needs_tool(${source} needs_tool)
    if(needs_tool)
      target_link_libraries(${name} PRIVATE attn_tool)
    endif()
    target_link_libraries(${name} PRIVATE attn_common attn_static m)
    set_target_properties(${name} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/parity)
  endforeach()
endif()
if(attn_python_path AND NOT ATTN_LIBRARY_ONLY)
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/parity/*.py)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "^test_|_compare$" "" name ${name})
    file(READ ${script} text)
    string(REGEX MATCHALL "[a-z0-9_]+_driver[.]c" named "${text}")
    list(REMOVE_DUPLICATES named)
    set(arguments "")
    foreach(driver ${named})
      get_filename_component(driver ${driver} NAME_WE)
      list(APPEND arguments $<TARGET_FILE:${driver}>)
    endforeach()
    add_test(NAME parity/${name} COMMAND ${attn_python_path} ${script} ${arguments})
    attn_test_properties(parity/${name} parity TIMEOUT 600)
    set_property(TEST parity/${name} APPEND PROPERTY ENVIRONMENT
                 ATTN_DRIVERS=${PROJECT_BINARY_DIR}/parity)
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/structure/*.py)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    add_test(NAME structure/${name} COMMAND ${attn_python_path} ${script})
    attn_test_properties(structure/${name} structure TIMEOUT 60)
  endforeach()
endif()

# tests/browser: the page in chromium, where playwright and chromium are there (else skipped). Slow in an
# instrumented build, and no different.
if(attn_python_path AND TARGET attn_cli AND NOT ATTN_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME browser/page
           COMMAND ${attn_python_path} ${PROJECT_SOURCE_DIR}/tests/browser/page.py)
  attn_test_properties(browser/page browser TIMEOUT ${test_timeout} RUN_SERIAL TRUE)
endif()

# tests/install: what a user of the installed library does. Meaningless in an instrumented build.
if(NOT ATTN_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/install/test_*.sh)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    add_test(NAME install/${name} COMMAND sh ${script})
    attn_test_properties(install/${name} install TIMEOUT ${test_timeout})
    set_property(TEST install/${name} APPEND PROPERTY ENVIRONMENT CC=${CMAKE_C_COMPILER})
  endforeach()
endif()

# examples/*.c and *.cpp use public headers only and link the shared libraries, as a reader's own program
# would. Tests run some: they lie beside the tool as example_NAME.
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c
     ${PROJECT_SOURCE_DIR}/examples/*.cpp)
foreach(source ${examples})
  get_filename_component(name ${source} NAME)
  string(REGEX REPLACE "[.]c$" "" name ${name})
  string(REPLACE "." "_" name ${name})
  file(STRINGS ${source} needs_pipeline REGEX "#include <attn/(embed|model|segment|tokenizer|translate)")
  if(needs_pipeline AND ATTN_LIBRARY_ONLY)
    continue()
  endif()
  add_executable(example_${name} EXCLUDE_FROM_ALL ${source})
  add_dependencies(tests example_${name})
  target_link_libraries(example_${name} PRIVATE attn_shared m)
  if(needs_pipeline)
    target_link_libraries(example_${name} PRIVATE attn_pipeline_shared)
  endif()
endforeach()
