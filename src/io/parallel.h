/* io/parallel.h: parallel text as people have it: pairs of files, tables of columns, translation memories.
 *
 * What is read is all of it, in the order in which it is named; nothing is judged here but that lines are text.
 * Next: text/corpus.h. */
#ifndef ATTN_IO_PARALLEL_H
#define ATTN_IO_PARALLEL_H

#include <stdint.h>

#include "io/lines.h"

/* Two files of which line n translates line n, or one with both sides:
 *   FILE[:SOURCE,TARGET]      columns of a table, from 1, with tabs between them (1,2)
 *   FILE.tmx:SOURCE,TARGET    a translation memory, and two of its languages */
typedef struct attn_parallel_source {
    const char *source, *target;
    const char *pairs; /* when not NULL the other two are not looked at */
} attn_parallel_source;

typedef struct attn_parallel {
    attn_lines source, target; /* as many of each; the bytes are `file`'s */
    uint16_t *origin;          /* of each pair: the index of the source that it comes from */
    attn_lines *file;
    size_t file_count;
    int64_t short_lines;   /* of tables, without one of the two columns: left out */
    char first_short[256]; /* "FILE:LINE" */
} attn_parallel;

/* Each file may be packed, a pipe, or "-" once (io/unpack.h). Errors name file and line: unreadable, empty, not
 * text, as many lines on one side as on the other, no pair at all. */
ATTN_MUST_CHECK attn_status attn_parallel_read(const attn_parallel_source *sources, size_t count,
                                               attn_parallel *out, attn_error *error);
void attn_parallel_free(attn_parallel *parallel);

#endif
