# make install: headers and their manual pages, both libraries, pkg-config file, CMake package, examples,
# the tool and its data.
include(CMakePackageConfigHelpers)

# The manual pages of section 3 are the headers laid out by a script, where there is a Python.
find_program(ATTN_MAN3_PYTHON python3)
if(ATTN_MAN3_PYTHON)
  file(GLOB public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/attn/*.h)
  set(man3_maker ${PROJECT_SOURCE_DIR}/scripts/make-man3)
  add_custom_command(
    OUTPUT ${PROJECT_BINARY_DIR}/man/man3/attn.3
    COMMAND ${ATTN_MAN3_PYTHON} ${man3_maker} ${PROJECT_VERSION} ${PROJECT_BINARY_DIR}/man/man3
            ${public_headers}
    DEPENDS ${man3_maker} ${public_headers}
    COMMENT "Making the manual pages of the library"
    VERBATIM)
  add_custom_target(attn_man3 ALL DEPENDS ${PROJECT_BINARY_DIR}/man/man3/attn.3)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/attn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h"
        REGEX "/attn/(classify|embed|model|segment|tokenizer|translate)[.]h$" EXCLUDE)
install(TARGETS attn_shared attn_static EXPORT attn-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/attn)
if(TARGET attn_pipeline_shared)
  foreach(header classify embed model segment tokenizer translate)
    install(FILES ${PROJECT_SOURCE_DIR}/include/attn/${header}.h
            DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn)
  endforeach()
  install(TARGETS attn_pipeline_shared attn_pipeline_static EXPORT attn-targets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  list(JOIN pipeline_modules " " ATTN_PC_PIPELINE)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/attn-pipeline.pc.in
                 ${PROJECT_BINARY_DIR}/attn-pipeline.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/attn-pipeline.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

install(EXPORT attn-targets NAMESPACE attn:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/attn-config.cmake.in
                              ${PROJECT_BINARY_DIR}/attn-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/attn-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/attn-config.cmake
              ${PROJECT_BINARY_DIR}/attn-config-version.cmake
        DESTINATION ${package_dir})

# What a static link must add, in pkg-config's words.
set(ATTN_PC_PRIVATE "-lm")
if(OpenMP_C_FOUND)
  foreach(library ${OpenMP_C_LIB_NAMES})
    string(APPEND ATTN_PC_PRIVATE " -l${library}")
  endforeach()
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/attn.pc.in ${PROJECT_BINARY_DIR}/attn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/attn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET attn_cli)
  install(TARGETS attn_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(TARGET attn_mpi)
    install(TARGETS attn_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/attn)
  endif()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/attn)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/attn
          FILES_MATCHING PATTERN "*.safetensors" PATTERN "*.md" PATTERN "*.probe.json")
  if(NOT CMAKE_CROSSCOMPILING)
    install(FILES ${PROJECT_BINARY_DIR}/man/attn.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${PROJECT_BINARY_DIR}/man/attn.bash RENAME attn
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  endif()
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
