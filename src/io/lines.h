/* io/lines.h: the lines of a text from outside, each checked before anyone looks into it.
 *
 * "\n" or "\r\n" ends a line; a byte order mark at the start of the text is skipped. */
#ifndef ATTN_IO_LINES_H
#define ATTN_IO_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

/* Bytes of a line of running text, and of a line of a list. */
enum { ATTN_MAX_LINE_BYTES = 65536, ATTN_LIST_LINE_BYTES = 4096 };

typedef struct attn_line {
    const char *text; /* ends at text + length, without its end; no NUL behind it */
    size_t length;
    int64_t number; /* from 1 */
} attn_line;

/* The bytes of the byte order mark at the start of a text: 3, or 0 for none. */
size_t attn_lines_mark(const char *text, size_t size);
/* Leaves out "\r" at the end. */
void attn_line_trim(attn_line *line);
/* ATTN_ERR_FORMAT, with `name` and the number: more than `most` bytes, a NUL byte, not UTF-8. */
ATTN_MUST_CHECK attn_status attn_line_check(const attn_line *line, const char *name, size_t most,
                                            attn_error *error);

/* ---- one after another ---- */

typedef struct attn_line_walk {
    const char *at, *end;
    const char *name; /* for errors */
    size_t most;      /* bytes of a line */
    int64_t number;
} attn_line_walk;

attn_line_walk attn_line_walk_start(const char *text, size_t size, const char *name, size_t most);
/* The next line, trimmed and checked; *more is false after the last. */
ATTN_MUST_CHECK attn_status attn_line_walk_next(attn_line_walk *walk, attn_line *line, bool *more,
                                                attn_error *error);

/* ---- all of a file ---- */

/* A text file in memory, cut into lines of at most ATTN_MAX_LINE_BYTES. */
typedef struct attn_lines {
    char *text; /* each line is NUL-terminated in place */
    char **line;
    size_t *length;
    size_t count;
} attn_lines;

/* Errors name file and line: unreadable, empty, or what attn_line_check says. */
ATTN_MUST_CHECK attn_status attn_lines_read(const char *path, attn_lines *out, attn_error *error);
/* The same of a text that is there already, from attn_alloc with a byte of room behind it; it becomes that of the
 * lines, and is freed on failure. path: for errors. */
ATTN_MUST_CHECK attn_status attn_lines_cut(char *text, size_t size, const char *path,
                                           attn_lines *out, attn_error *error);
void attn_lines_free(attn_lines *lines);

#endif
