/* cli/lines.h: lines as they arrive, from a file or a pipe, checked.
 *
 * For whole files use io/lines.h; this one serves whoever types, or a program that waits for each
 * answer. */
#ifndef ATTN_CLI_LINES_H
#define ATTN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_line_reader {
    int fd;
    const char *name;
    char *buffer;
    size_t start, end, room; /* unread bytes: buffer[start .. end) */
    int64_t line;            /* lines read so far */
    bool at_end;
    bool skipping; /* what is left of a line that is too long */
} attn_line_reader;

/* path NULL or "-": standard input. */
ATTN_MUST_CHECK attn_status attn_line_reader_open(const char *path, attn_line_reader *out,
                                                  attn_error *error);
void attn_line_reader_close(attn_line_reader *reader);
/* The next line without its end, malloc'ed; NULL at the end of the input, or, with wait false, when no
 * whole line has arrived yet. Errors name the line: bytes that are not UTF-8, a NUL byte, too
 * long: ATTN_ERR_FORMAT; the line after it can then be read. */
ATTN_MUST_CHECK attn_status attn_line_reader_next(attn_line_reader *reader, bool wait, char **line,
                                                  attn_error *error);

/* Lines that are computed together, as many as have come. */
typedef struct attn_line_group {
    char *line[16];
    size_t count;
    int64_t before; /* lines before the first */
} attn_line_group;

typedef attn_status attn_line_group_function(void *context, const attn_line_group *group,
                                             attn_error *error);

/* Gives all lines to `finish`, group by group, and flushes the output after each; the first error ends it. The lines before
 * a bad one are finished first. */
ATTN_MUST_CHECK attn_status attn_line_reader_groups(attn_line_reader *reader,
                                                    attn_line_group_function *finish, void *context,
                                                    attn_error *error);

#endif
