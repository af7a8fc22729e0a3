# libattn, shared and static. Every folder below is taken whole; of src/io only what reads and writes
# model files. A kernel file's name ends in the instruction set it is compiled for (attention_avx2.c);
# all the rest is compiled for the oldest processor of the architecture.
include(CheckCCompilerFlag)

set(ATTN_SRC ${PROJECT_SOURCE_DIR}/src)
set(library_patterns
    base/*.c cpu/*.c kernels/*.c kernels/*/*.c tape/*.c layers/*.c models/*.c search/*.c
    io/safetensors*.c io/file*.c io/dtype*.c)
list(TRANSFORM library_patterns PREPEND ${ATTN_SRC}/)
file(GLOB library_sources CONFIGURE_DEPENDS ${library_patterns})

# Moves the kernel files of one instruction set into ATTN_KERNELS_<NAME>, with their flags, when this
# architecture and compiler can build them, and out of library_sources in any case.
function(attn_isa name arch)
  string(TOUPPER ${name} upper)
  set(files ${library_sources})
  list(FILTER files INCLUDE REGEX "/kernels/.*_${name}\\.c$")
  list(FILTER library_sources EXCLUDE REGEX "/kernels/.*_${name}\\.c$")
  set(library_sources ${library_sources} PARENT_SCOPE)
  if(NOT files OR NOT arch STREQUAL ATTN_ARCH)
    return()
  endif()
  string(REPLACE ";" " " flags "${ARGN}")
  if(flags)
    check_c_compiler_flag("${flags}" ATTN_COMPILER_HAS_${upper})
    if(NOT ATTN_COMPILER_HAS_${upper})
      return()
    endif()
    set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "${ARGN}")
  endif()
  set(ATTN_KERNELS_${upper} ${files} PARENT_SCOPE)
endfunction()

attn_isa(avx2 x86-64 -mavx2 -mfma)
attn_isa(avx512 x86-64 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
         -mprefer-vector-width=512)
attn_isa(avx512vnni x86-64 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mfma
         -mprefer-vector-width=512)
attn_isa(amx x86-64 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mamx-tile -mamx-int8
         -mprefer-vector-width=512)
attn_isa(neon aarch64)
attn_isa(neondot aarch64 -march=armv8.2-a+dotprod)

set(isa_sources "")
set(isa_definitions "")
foreach(isa AVX2 AVX512 AVX512VNNI AMX NEON NEONDOT)
  if(ATTN_KERNELS_${isa})
    list(APPEND isa_sources ${ATTN_KERNELS_${isa}})
    list(APPEND isa_definitions ATTN_HAVE_${isa}=1)
  endif()
endforeach()

# What every compilation of library code shares; tests see the same internal headers through it.
add_library(attn_common INTERFACE)
target_include_directories(attn_common INTERFACE ${PROJECT_SOURCE_DIR}/include ${ATTN_SRC})
if(OpenMP_C_FOUND)
  target_link_libraries(attn_common INTERFACE OpenMP::OpenMP_C)
endif()

add_library(attn_objects OBJECT ${library_sources} ${isa_sources})
target_link_libraries(attn_objects PRIVATE attn_common)
target_compile_definitions(attn_objects PUBLIC ${isa_definitions} PRIVATE ATTN_BUILD_SHARED)

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
  add_library(attn_double STATIC EXCLUDE_FROM_ALL ${double_sources})
  target_compile_definitions(attn_double PUBLIC ATTN_REAL_DOUBLE=1)
  target_link_libraries(attn_double PUBLIC attn_common m)
endif()
