/* image/lines.h: walking over the lines of a small text from outside. */
#ifndef ATTN_IMAGE_LINES_H
#define ATTN_IMAGE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_line {
    const char *text; /* ends at text + length, without "\n" or "\r\n"; no NUL behind it */
    size_t length;
    int64_t number; /* from 1 */
} attn_line;

typedef struct attn_line_walk {
    const char *at, *end;
    const char *name; /* for errors */
    int64_t number;
} attn_line_walk;

/* A byte order mark at the start is skipped. */
attn_line_walk attn_lines_start(const char *text, size_t size, const char *name);
/* The next line; *more is false after the last. ATTN_ERR_FORMAT: a line of more than 4096 bytes,
 * not UTF-8, or with a NUL byte. */
ATTN_MUST_CHECK attn_status attn_lines_next(attn_line_walk *walk, attn_line *line, bool *more,
                                            attn_error *error);
/* Copies the line to a NUL-terminated buffer. */
enum { ATTN_LINE_SIZE = 4097 };
void attn_line_copy(const attn_line *line, char buffer[ATTN_LINE_SIZE]);

#endif
