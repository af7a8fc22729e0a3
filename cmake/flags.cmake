# Compiler flags for everything here. No flag may change a numeric result: no -ffast-math, no
# contraction of a * b + c that the source does not write as fma.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wshadow -ffp-contract=off -fno-math-errno)
if(ATTN_WERROR)
  add_compile_options(-Werror)
endif()

if(ATTN_FUZZ)
  set(ATTN_SANITIZE "fuzzer-no-link,address,undefined")
endif()

# What reads strangers' files and requests stops where memory is overrun. Sanitizers find the same and more, and
# _FORTIFY_SOURCE needs a build that optimizes. cmake/library.cmake spares the kernels.
set(ATTN_HARDENED OFF)
if(ATTN_HARDEN AND NOT ATTN_SANITIZE AND CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND NOT APPLE)
  set(ATTN_HARDENED ON)
  include(CheckPIESupported)
  check_pie_supported() # executables at any address
  add_compile_options(-fstack-protector-strong
                      "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()
if(ATTN_SANITIZE)
  add_compile_options(-fsanitize=${ATTN_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${ATTN_SANITIZE})
endif()

if(ATTN_OPENMP)
  find_package(OpenMP COMPONENTS C)
endif()
if(NOT OpenMP_C_FOUND)
  message(STATUS "attn: building without OpenMP: one thread")
  add_compile_options(-Wno-unknown-pragmas)
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(ATTN_ARCH x86-64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(ATTN_ARCH aarch64)
else()
  set(ATTN_ARCH other)
endif()
