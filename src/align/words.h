/* align/words.h: lines of text as parts of words, and links of parts as links of words.
 *
 * A word is what ASCII white space parts. For counting it is cut into parts: a run of letters, a number, a run of the
 * same mark. "l'animal" is "l'" and "animal", "don't" is "do" and "n't". Letters count in lower case, and only the
 * first few of a part, as a stem: forms of one word share their counts, which small text needs. No-break spaces and
 * the like part parts, not words. Next: align/aligner.h. */
#ifndef ATTN_ALIGN_WORDS_H
#define ATTN_ALIGN_WORDS_H

#include "align/bitext.h"
#include "attn/status.h"
#include "io/parallel.h"

typedef struct attn_part {
    int32_t word; /* of its line, from 0 */
    int32_t end;  /* the byte of the line behind it */
    bool mark;    /* punctuation of a word that has letters or digits as well: it links no words */
} attn_part;

typedef struct attn_word_parts {
    attn_bitext text; /* units are parts; the arrays are owned */
    attn_part *part[2];
} attn_word_parts;

/* Of texts, one after another. stem: letters of a part that count; 0: all. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_word_parts_create(const attn_parallel *texts, size_t count,
                                                   int64_t stem, attn_word_parts *out,
                                                   attn_error *error);
/* What parts count as: equal for those that are one, with white space between none. */
ATTN_MUST_CHECK attn_status attn_word_key(const char *text, size_t length, int64_t stem,
                                          uint64_t *out, attn_error *error);
void attn_word_parts_free(attn_word_parts *parts);

/* Turns links of parts into those of their words, in place: sorted, each once. */
void attn_word_parts_join(const attn_word_parts *parts, attn_link_set *links);

#endif
