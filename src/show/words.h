/* show/words.h: from a tokenizer's pieces to the words that a reader knows.
 *
 * A word is the pieces from one that begins with a space on; marks such as . , ( stand alone. The
 * weight on a word is the sum over its pieces, the weights of a word the mean over its pieces
 * (Clark et al. 2019, section 4). Next: terminal.h. */
#ifndef ATTN_SHOW_WORDS_H
#define ATTN_SHOW_WORDS_H

#include "attn/status.h"
#include "attn/tokenizer.h"

typedef struct attn_word {
    char *text;           /* as it is read: no mark for the space; malloc'ed with the list */
    int64_t first, count; /* its pieces */
    bool mark;            /* </s> and the like, or punctuation */
} attn_word;

typedef struct attn_words {
    attn_word *word;
    int64_t count;
    char **piece; /* the surface of each piece */
    int64_t pieces;
    char *text; /* what `text` and `piece` point into */
} attn_words;

/* The words of ids, special pieces among them ("</s>"). ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_words_create(const attn_tokenizer *tokenizer, const int32_t *ids,
                                              int64_t count, attn_words *out, attn_error *error);
void attn_words_free(attn_words *words);

/* The word that `name` names: its text, exactly, else with another case of ASCII letters (the first
 * of several), else its number, counted from 1. -1 when there is none. */
int64_t attn_words_find(const attn_words *words, const char *name);

/* weights [Q, K] of pieces, averaged over `heads` matrices one after another, -> [queries.count,
 * keys.count] of words. */
void attn_words_merge(const attn_words *queries, const attn_words *keys, const attn_real *weights,
                      int64_t heads, double *out);

#endif
