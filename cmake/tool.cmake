# The command-line tool: everything of src/ that the two libraries do not hold, as one internal library that
# the tests link too, and the `attn` executable from cli/ and bench/.
include(CheckCSourceCompiles)

set(tool_modules jansson inih libpng libjpeg libtiff-4 libwebp libwebpdemux libmicrohttpd zlib liblzma libzstd
    expat libzip yaml-0.1)
attn_find_modules(${tool_modules})
# What draws is opened by the program itself, when something is drawn (src/image/cairo.h).
attn_find_modules(cairo pangocairo)

set(tool_patterns align/*.c text/*.c import/*.c train/*.c io/*.c image/*.c show/*.c document/*.c serve/*.c)
list(TRANSFORM tool_patterns PREPEND ${ATTN_SRC}/)
file(GLOB tool_sources CONFIGURE_DEPENDS ${tool_patterns})
list(REMOVE_ITEM tool_sources ${library_sources} ${pipeline_sources})

# The page of `attn serve`, embedded.
find_program(GZIP gzip REQUIRED)
file(GLOB_RECURSE page_files CONFIGURE_DEPENDS ${ATTN_SRC}/serve/page/*)
set(page_source ${PROJECT_BINARY_DIR}/page_files.c)
add_custom_command(
  OUTPUT ${page_source} VERBATIM
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${ATTN_SRC}/serve/page -DGZIP=${GZIP} -DOUTPUT=${page_source}
          -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${page_files} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)

find_package(Threads REQUIRED)
add_library(attn_tool STATIC ${tool_sources} ${page_source})
set_target_properties(attn_tool PROPERTIES LINKER_LANGUAGE CXX)
target_compile_definitions(attn_tool PUBLIC
                           ATTN_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/attn")
target_link_libraries(attn_tool PUBLIC attn_common attn_pipeline_static attn_static
                      Threads::Threads m)
foreach(module ${tool_modules})
  target_link_libraries(attn_tool PUBLIC PkgConfig::${module})
endforeach()
target_include_directories(attn_tool SYSTEM PUBLIC ${cairo_INCLUDE_DIRS} ${pangocairo_INCLUDE_DIRS})
target_link_libraries(attn_tool PUBLIC ${CMAKE_DL_LIBS})

# What processes that train together talk through is a plug-in, which the tool opens when mpirun has started it
# (src/train/group.c): nobody else loads MPI.
target_compile_definitions(attn_tool PRIVATE ATTN_PLUGIN_DIR="${CMAKE_INSTALL_FULL_LIBDIR}/attn")
if(NOT ATTN_MPI STREQUAL OFF AND NOT CMAKE_CROSSCOMPILING)
  if(NOT ATTN_MPI STREQUAL AUTO)
    set(mpi_required REQUIRED)
  endif()
  find_package(MPI COMPONENTS C QUIET ${mpi_required})
endif()
if(MPI_C_FOUND)
  add_library(attn_mpi MODULE ${ATTN_SRC}/train/mpi/mpi.c)
  set_target_properties(attn_mpi PROPERTIES PREFIX "" OUTPUT_NAME attn-mpi)
  target_include_directories(attn_mpi PRIVATE ${ATTN_SRC})
  target_link_libraries(attn_mpi PRIVATE MPI::MPI_C)
else()
  message(STATUS "attn: building without MPI: a training runs on one machine")
endif()

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c
     ${PROJECT_SOURCE_DIR}/bench/*.c)
if(cli_sources)
  add_executable(attn_cli ${cli_sources})
  set_target_properties(attn_cli PROPERTIES OUTPUT_NAME attn LINKER_LANGUAGE CXX)
  target_include_directories(attn_cli PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/cli)
  target_link_libraries(attn_cli PRIVATE attn_tool)
  if(TARGET attn_mpi)
    add_dependencies(attn_cli attn_mpi)
  endif()
  # GCC's OpenMP as an archive, whole, so that the tool decides how long its threads spin (cli/openmp.c).
  # Not every system has it, or has it for executables at any address.
  if(OpenMP_C_FOUND AND CMAKE_C_COMPILER_ID STREQUAL GNU)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libgomp.a
                    OUTPUT_VARIABLE gomp_archive OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(IS_ABSOLUTE "${gomp_archive}" AND EXISTS "${gomp_archive}")
      set(gomp_options LINKER:--as-needed LINKER:--exclude-libs,libgomp.a LINKER:--whole-archive
          ${gomp_archive} LINKER:--no-whole-archive)
      set(CMAKE_REQUIRED_FLAGS -pthread)
      set(CMAKE_REQUIRED_LINK_OPTIONS ${gomp_options})
      set(CMAKE_REQUIRED_LIBRARIES ${CMAKE_DL_LIBS})
      check_c_source_compiles("int main(void) { return 0; }" ATTN_GOMP_ARCHIVE_LINKS)
      unset(CMAKE_REQUIRED_FLAGS)
      unset(CMAKE_REQUIRED_LINK_OPTIONS)
      unset(CMAKE_REQUIRED_LIBRARIES)
    endif()
    if(ATTN_GOMP_ARCHIVE_LINKS)
      target_link_options(attn_cli PRIVATE ${gomp_options})
      target_link_libraries(attn_cli PRIVATE ${CMAKE_DL_LIBS})
    else()
      message(STATUS "attn: no libgomp.a: threads of the tool spin as OpenMP likes")
    endif()
  endif()
  # The manual page and the completion are printed by the tool itself, from its table of commands.
  if(NOT CMAKE_CROSSCOMPILING)
    add_custom_command(
      TARGET attn_cli POST_BUILD VERBATIM
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
      COMMAND sh -c "'$<TARGET_FILE:attn_cli>' --man >man/attn.1"
      COMMAND sh -c "'$<TARGET_FILE:attn_cli>' --completion bash >man/attn.bash"
      WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
  endif()
endif()
