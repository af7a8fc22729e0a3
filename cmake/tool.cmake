# The command-line tool: everything of src/ that the two libraries do not hold, as one internal library that
# the tests link too, and the `attn` executable from cli/ and bench/.
set(tool_modules jansson inih cairo pangocairo libpng libjpeg libmicrohttpd zlib)
attn_find_modules(${tool_modules})

set(tool_patterns text/*.c train/*.c io/*.c image/*.c show/*.c serve/*.c)
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

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c
     ${PROJECT_SOURCE_DIR}/bench/*.c)
if(cli_sources)
  add_executable(attn_cli ${cli_sources})
  set_target_properties(attn_cli PROPERTIES OUTPUT_NAME attn LINKER_LANGUAGE CXX)
  target_include_directories(attn_cli PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/cli)
  target_link_libraries(attn_cli PRIVATE attn_tool)
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
