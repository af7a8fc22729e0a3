/* io/file.h: files that must last, and whole files into memory. Both functions may run on several
 * threads at once. */
#ifndef ATTN_IO_FILE_H
#define ATTN_IO_FILE_H

#include <stddef.h>

#include "attn/status.h"
#include "base/shared.h"

/* One piece of what is to be written. */
typedef struct attn_bytes {
    const void *data;
    size_t size;
} attn_bytes;

/* Writes the pieces one after another to a temporary name in the same folder, fsyncs it, renames it
 * over path and fsyncs the folder. On failure (no space, read-only folder) the temporary file is
 * removed and path is as it was. The new file keeps the old one's permissions; a symbolic link
 * stays one; what is not a regular file (a pipe, a device) is written to straight. */
ATTN_MUST_CHECK attn_status attn_file_replace(const char *path, const attn_bytes *pieces,
                                              size_t count, attn_error *error);
/* Removes the temporary files of attn_file_replace for this path that killed processes left behind. Only for who knows that no
 * other process writes it now. */
void attn_file_remove_stale(const char *path);
/* Reads a whole file (at most limit bytes; 0: no limit) into attn_alloc'ed memory with one NUL byte
 * added after it, not counted in *size. Free it with attn_free. What is not a regular file may be
 * endless: without a limit of its own it gets one of 1 GiB. ATTN_ERR_FORMAT: over the limit. */
ATTN_SHARED ATTN_MUST_CHECK attn_status attn_file_read(const char *path, size_t limit, char **data,
                                                       size_t *size, attn_error *error);

#endif
