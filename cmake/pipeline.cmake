# libattn-pipeline, shared and static: from text to translation and from picture to mask, on top of
# libattn. It needs SentencePiece and ICU beside it. The tool links the static one.
find_package(PkgConfig)
if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "pkg-config is missing: run scripts/setup, or configure with "
                      "-DATTN_LIBRARY_ONLY=ON to build libattn alone")
endif()

# attn_find_modules(NAME...): imported targets PkgConfig::NAME, or an error that names all that are missing.
function(attn_find_modules)
  foreach(module ${ARGN})
    pkg_check_modules(${module} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${module}_FOUND)
      list(APPEND missing ${module})
    endif()
  endforeach()
  if(missing)
    list(JOIN missing ", " missing)
    message(FATAL_ERROR "not found by pkg-config: ${missing}: run scripts/setup, or configure with "
                        "-DATTN_LIBRARY_ONLY=ON to build libattn alone")
  endif()
endfunction()

set(pipeline_modules sentencepiece icu-uc icu-i18n)
attn_find_modules(${pipeline_modules})

# Of src/text what running needs, training and scoring left out; of src/image what works on pixels.
set(pipeline_patterns pipeline/*.c text/*.c text/*.cpp image/classes.c image/pixels.c image/resize.c
    image/tiles.c io/lines.c)
list(TRANSFORM pipeline_patterns PREPEND ${ATTN_SRC}/)
file(GLOB pipeline_sources CONFIGURE_DEPENDS ${pipeline_patterns})
list(FILTER pipeline_sources EXCLUDE REGEX "/text/(alignment|batches|corpus|lowercase|score|tokenizer_json)")

add_library(attn_pipeline_objects OBJECT ${pipeline_sources})
target_link_libraries(attn_pipeline_objects PRIVATE attn_common)
target_compile_definitions(attn_pipeline_objects PRIVATE ATTN_BUILD_PIPELINE)

add_library(attn_pipeline_shared SHARED $<TARGET_OBJECTS:attn_pipeline_objects>)
set_target_properties(attn_pipeline_shared PROPERTIES OUTPUT_NAME attn-pipeline EXPORT_NAME pipeline
                      LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(attn_pipeline_shared PUBLIC attn_shared PRIVATE m)
if(NOT ATTN_SANITIZE AND NOT APPLE)
  target_link_options(attn_pipeline_shared PRIVATE -Wl,-z,defs)
endif()

add_library(attn_pipeline_static STATIC $<TARGET_OBJECTS:attn_pipeline_objects>)
set_target_properties(attn_pipeline_static PROPERTIES OUTPUT_NAME attn-pipeline
                      EXPORT_NAME pipeline_static LINKER_LANGUAGE CXX)
target_link_libraries(attn_pipeline_static INTERFACE attn_static)

foreach(module ${pipeline_modules})
  target_include_directories(attn_pipeline_objects PRIVATE ${${module}_INCLUDE_DIRS})
  target_link_libraries(attn_pipeline_shared PRIVATE PkgConfig::${module})
  target_link_libraries(attn_pipeline_static INTERFACE $<BUILD_INTERFACE:PkgConfig::${module}>
                        "$<INSTALL_INTERFACE:${${module}_LIBRARIES}>")
endforeach()
target_link_libraries(attn_pipeline_static INTERFACE $<INSTALL_INTERFACE:stdc++>)
