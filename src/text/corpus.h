/* text/corpus.h: parallel text from two files, checked, tokenized and kept as one array of ids.
 *
 * Next: text/batches.h. */
#ifndef ATTN_TEXT_CORPUS_H
#define ATTN_TEXT_CORPUS_H

#include "text/tokenizer.h"

/* A text file in memory, cut into lines ("\n" or "\r\n"; a byte order mark at the start is skipped).
 * Every line has been checked to be UTF-8 and at most max_line_bytes long. */
typedef struct attn_lines {
    char *text; /* each line is NUL-terminated in place */
    char **line;
    size_t *length;
    size_t count;
} attn_lines;

enum { ATTN_MAX_LINE_BYTES = 65536 };

/* Errors name file and line: unreadable, empty, not UTF-8, NUL byte, line too long. */
ATTN_MUST_CHECK attn_status attn_lines_read(const char *path, attn_lines *out, attn_error *error);
void attn_lines_free(attn_lines *lines);
/* false at the first byte that does not belong to UTF-8; *at is its offset (at may be NULL). */
bool attn_utf8_valid(const char *text, size_t length, size_t *at);

/* Sentence pair i: source ids source[source_start[i] .. source_start[i + 1]), likewise target.
 * The ids carry no <s> or </s>. */
typedef struct attn_corpus {
    int32_t *source, *target;
    int64_t *source_start, *target_start; /* count + 1 each */
    int64_t count;
    int64_t dropped_empty, dropped_long; /* pairs left out, for the report */
} attn_corpus;

/* Reads both files, demands the same number of lines (the error names both counts), tokenizes with
 * `threads` threads and drops pairs with an empty side or more than max_tokens ids on a side. */
ATTN_MUST_CHECK attn_status attn_corpus_read(const char *source_path, const char *target_path,
                                             const attn_tokenizer *tokenizer, int64_t max_tokens,
                                             int threads, attn_corpus *out, attn_error *error);
void attn_corpus_free(attn_corpus *corpus);

#endif
