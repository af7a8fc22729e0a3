# libattn, shared and static. Every folder below is taken whole; of src/io only what reads and writes
# model files. Only kernels/isa/NAME.c is compiled for the instruction set NAME; all the rest is compiled
# for the oldest processor of the architecture.
include(CheckCCompilerFlag)

set(ATTN_SRC ${PROJECT_SOURCE_DIR}/src)
set(library_patterns
    base/*.c cpu/*.c kernels/*.c kernels/*/*.c tape/*.c layers/*.c models/*.c search/*.c
    io/safetensors*.c io/file*.c io/dtype*.c)
list(TRANSFORM library_patterns PREPEND ${ATTN_SRC}/)
file(GLOB library_sources CONFIGURE_DEPENDS ${library_patterns})

# The instruction sets, from the rows of kernels/isa/list.h. src/kernels/isa/NAME.c is compiled, with the
# row's flags, where this architecture and compiler can; ATTN_HAVE_NAME tells kernels/table.c.
set(isa_sources "")
set(isa_definitions "")
set(isa_none "") # those of a build that has only plain C
file(READ ${ATTN_SRC}/kernels/isa/list.h isa_list)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ATTN_SRC}/kernels/isa/list.h)
set(isa_row "\nATTN_ISA\\(([a-z0-9]+), \"([^\"]*)\",[ \n]*\"([^\"]*)\"")
string(REGEX MATCHALL "${isa_row}" isa_rows "${isa_list}")
foreach(row IN LISTS isa_rows)
  string(REGEX MATCH "${isa_row}" row "${row}")
  set(name "${CMAKE_MATCH_1}")
  set(architecture "${CMAKE_MATCH_2}")
  set(flags "${CMAKE_MATCH_3}")
  set(source ${ATTN_SRC}/kernels/isa/${name}.c)
  list(REMOVE_ITEM library_sources ${source})
  set(have 0)
  if(ATTN_FUZZ AND NOT name STREQUAL "ref")
    # Fuzzing is about bytes from outside; to instrument the kernels takes clang minutes a file.
  elseif(architecture STREQUAL "any" OR (architecture STREQUAL ATTN_ARCH AND flags STREQUAL ""))
    set(have 1)
  elseif(architecture STREQUAL ATTN_ARCH)
    check_c_compiler_flag("${flags}" ATTN_COMPILER_HAS_${name})
    if(ATTN_COMPILER_HAS_${name})
      set(have 1)
      separate_arguments(flags UNIX_COMMAND "${flags}")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
    endif()
  endif()
  if(have)
    list(APPEND isa_sources ${source})
  endif()
  list(APPEND isa_definitions ATTN_HAVE_${name}=${have})
  list(APPEND isa_none ATTN_HAVE_${name}=0)
endforeach()
list(REMOVE_ITEM isa_none ATTN_HAVE_ref=0)

# The kernels work on shapes that were checked before them: no guard on the stack of an inner loop.
if(ATTN_HARDENED)
  set(kernel_sources ${library_sources} ${isa_sources})
  list(FILTER kernel_sources INCLUDE REGEX "/src/kernels/")
  set_property(SOURCE ${kernel_sources} APPEND PROPERTY COMPILE_OPTIONS -fno-stack-protector)
endif()

# What every compilation of library code shares; tests see the same internal headers through it.
add_library(attn_common INTERFACE)
target_include_directories(attn_common INTERFACE ${PROJECT_SOURCE_DIR}/include ${ATTN_SRC})
if(OpenMP_C_FOUND)
  target_link_libraries(attn_common INTERFACE OpenMP::OpenMP_C)
endif()

add_library(attn_objects OBJECT ${library_sources} ${isa_sources})
target_link_libraries(attn_objects PRIVATE attn_common)
target_compile_definitions(attn_objects PRIVATE ATTN_BUILD_SHARED ${isa_definitions})

add_library(attn_shared SHARED $<TARGET_OBJECTS:attn_objects>)
set_target_properties(attn_shared PROPERTIES OUTPUT_NAME attn EXPORT_NAME attn LINKER_LANGUAGE C
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(attn_shared PRIVATE m)
if(NOT ATTN_SANITIZE AND NOT APPLE)
  target_link_options(attn_shared PRIVATE -Wl,-z,defs)
endif()

add_library(attn_static STATIC $<TARGET_OBJECTS:attn_objects>)
set_target_properties(attn_static PROPERTIES OUTPUT_NAME attn LINKER_LANGUAGE C)
target_link_libraries(attn_static INTERFACE m)
target_compile_definitions(attn_static INTERFACE ATTN_STATIC) # see attn/export.h

# The shared library carries OpenMP itself; whoever links the static one must name it.
if(OpenMP_C_FOUND)
  target_link_libraries(attn_shared PRIVATE OpenMP::OpenMP_C)
  target_link_libraries(attn_static INTERFACE "$<BUILD_INTERFACE:OpenMP::OpenMP_C>"
                        "$<INSTALL_INTERFACE:${OpenMP_C_LIB_NAMES}>")
endif()

foreach(target attn_shared attn_static)
  target_include_directories(${target} INTERFACE
                             $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(attn::${target} ALIAS ${target})
endforeach()

# The layers with double for float and only the plain-C kernels: what tests/grad links. Model files
# hold float and are left out.
if(ATTN_TESTS)
  set(double_sources ${library_sources})
  list(FILTER double_sources EXCLUDE REGEX "/src/(io|search)/|/models/.*_file\\.c$")
  add_library(attn_double STATIC EXCLUDE_FROM_ALL ${double_sources} ${ATTN_SRC}/kernels/isa/ref.c)
  target_compile_definitions(attn_double PUBLIC ATTN_REAL_DOUBLE=1
                             PRIVATE ATTN_HAVE_ref=1 ${isa_none})
  target_link_libraries(attn_double PUBLIC attn_common m)
endif()
