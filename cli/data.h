/* cli/data.h: files that come with the program: models, recipes. */
#ifndef ATTN_CLI_DATA_H
#define ATTN_CLI_DATA_H

#include <stddef.h>

#include "attn/status.h"

/* Where the file `name`, such as "models/en-fr.safetensors", is: in the current folder, in the one above the program's, or
 * in the folder of installed data; the first that has it goes into `out`. ATTN_ERR_IO where none has: `missing` says what
 * is not there, such as "no model", `where` (or NULL) and `hint` are the error's. */
ATTN_MUST_CHECK attn_status attn_data_find(const char *name, const char *missing, const char *where,
                                           const char *hint, char *out, size_t size,
                                           attn_error *error);

#endif
