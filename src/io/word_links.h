/* io/word_links.h: word alignments made by hand, which are sure or possible, to measure others by.
 *
 * Two formats, told apart line by line:
 *   3 1 2 S      sentence, source and target word, counted from 1; S or P, S when missing (NAACL 2003)
 *   0-1 2?3      a line a sentence, words counted from 0; - is sure, ? is possible (Pharaoh) */
#ifndef ATTN_IO_WORD_LINKS_H
#define ATTN_IO_WORD_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

/* Sentence and words are counted from 0. */
typedef struct attn_gold_link {
    int64_t sentence;
    int32_t source, target;
    bool sure;
} attn_gold_link;

typedef struct attn_gold_links {
    attn_gold_link *link; /* sorted by sentence, source, target; each once, sure if one says so */
    size_t count;
    int64_t sentences; /* of the Pharaoh format, its lines; else the highest number */
} attn_gold_links;

/* The text of a file; name: for errors, which name the line. ATTN_ERR_FORMAT: not such links. */
ATTN_MUST_CHECK attn_status attn_gold_links_parse(const char *text, size_t size, const char *name,
                                                  attn_gold_links *out, attn_error *error);
/* The same from a file, packed or not (io/unpack.h). */
ATTN_MUST_CHECK attn_status attn_gold_links_read(const char *path, attn_gold_links *out,
                                                 attn_error *error);
void attn_gold_links_free(attn_gold_links *links);

#endif
