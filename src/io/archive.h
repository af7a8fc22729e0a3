/* io/archive.h: the members of a zip file, read as if an enemy had packed it.
 *
 * Stored and deflated members, of files up to any size (zip64). Next: io/npz.c, io/bundle.h. */
#ifndef ATTN_IO_ARCHIVE_H
#define ATTN_IO_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_archive attn_archive;

/* Whether the bytes begin as a zip file does. */
bool attn_archive_begins(const void *bytes, size_t size);

/* Reads the list of members. ATTN_ERR_FORMAT: no zip file, or a member whose name leads out of the
 * archive. ATTN_ERR_IO, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_archive_open(const char *path, attn_archive **out,
                                              attn_error *error);
/* The same over bytes in memory, which have to outlive the archive. `name` stands for the path in errors. */
ATTN_MUST_CHECK attn_status attn_archive_parse(const void *bytes, size_t size, const char *name,
                                               attn_archive **out, attn_error *error);
void attn_archive_close(attn_archive *archive);

size_t attn_archive_count(const attn_archive *archive);
/* The name of a member, such as "model/config.json"; a folder's ends in '/'. */
const char *attn_archive_name(const attn_archive *archive, size_t index);
bool attn_archive_find(const attn_archive *archive, const char *name, size_t *index);

/* A whole member in attn_alloc'ed memory, with a NUL byte behind it that *size does not count; at most
 * `limit` bytes (0: no limit of the caller's). ATTN_ERR_FORMAT: damaged, or far larger than it can be for
 * what is packed (a zip bomb); ATTN_ERR_UNSUPPORTED: encrypted, or packed in another way. */
ATTN_MUST_CHECK attn_status attn_archive_read(attn_archive *archive, size_t index, size_t limit,
                                              char **data, size_t *size, attn_error *error);

/* Bytes to take the place of a member. */
typedef struct attn_archive_member {
    size_t index;
    const char *bytes;
    size_t size;
} attn_archive_member;

/* The zip file in memory with some members exchanged, attn_alloc'ed; the others are copied as they lie. The same bytes
 * whenever it is made. ATTN_ERR_FORMAT, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_archive_replace(const void *bytes, size_t size, const char *name,
                                                 const attn_archive_member *members, size_t count,
                                                 char **out, size_t *out_size, attn_error *error);

/* Whether a path from outside stays below where it starts: relative, without "..". */
bool attn_path_stays_below(const char *path);

#endif
