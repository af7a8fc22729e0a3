/* io/unpack.h: a whole text from where people keep it: a file, a pipe or standard input, packed or not.
 *
 * gzip, xz and zstd are known by their first bytes, whatever the file is called. */
#ifndef ATTN_IO_UNPACK_H
#define ATTN_IO_UNPACK_H

#include <stddef.h>

#include "attn/status.h"
#include "io/lines.h"

/* The text, unpacked, in attn_alloc'ed memory with a NUL byte behind it that *size does not count; "-" is standard
 * input. Reads once from start to end. ATTN_ERR_IO; ATTN_ERR_FORMAT: damaged, cut short, or more than 16 GiB. */
ATTN_MUST_CHECK attn_status attn_unpack(const char *path, char **data, size_t *size,
                                        attn_error *error);
/* Its lines, checked as attn_lines_read does. */
ATTN_MUST_CHECK attn_status attn_unpack_lines(const char *path, attn_lines *out, attn_error *error);

#endif
