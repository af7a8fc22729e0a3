/* cli/translate_file.h: `attn translate --file`: a file in, the same file with its text translated out. */
#ifndef ATTN_CLI_TRANSLATE_FILE_H
#define ATTN_CLI_TRANSLATE_FILE_H

#include "decode.h"

/* Reads `path` ("-": standard input) and writes `output` (NULL or "-": standard output). Warns when there was no text. */
ATTN_MUST_CHECK attn_status attn_translate_file(const attn_model *model,
                                                const attn_decode_options *options,
                                                const char *path, const char *output,
                                                attn_error *error);

#endif
