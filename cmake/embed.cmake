# Run as a script: writes OUTPUT, a C file with the table attn_embedded_files of every file below
# FOLDER, each compressed with GZIP. Next: src/serve/files.h.
file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT files)
set(arrays "")
set(rows "")
set(number 0)
foreach(name ${files})
  execute_process(COMMAND ${GZIP} -9nc ${FOLDER}/${name} OUTPUT_FILE ${OUTPUT}.gz
                  RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${GZIP} failed on ${FOLDER}/${name}")
  endif()
  file(READ ${OUTPUT}.gz bytes HEX)
  file(SIZE ${FOLDER}/${name} size)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
                       bytes "${bytes}")
  string(APPEND arrays "static const unsigned char file_${number}[] = {\n${bytes}};\n")
  string(APPEND rows
         "    {\"/${name}\", file_${number}, sizeof file_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz)
file(WRITE ${OUTPUT} "/* Written by cmake/embed.cmake. */\n#include \"serve/files.h\"\n\n${arrays}\n"
     "const attn_embedded_file attn_embedded_files[] = {\n${rows}    {0, 0, 0, 0},\n};\n")
