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

#endif
