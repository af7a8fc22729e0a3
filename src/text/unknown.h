/* text/unknown.h: the characters of a text that a tokenizer has no piece for.
 *
 * They become <unk>, or bytes where the tokenizer falls back on them. Characters are those of the text as the
 * tokenizer normalizes it. */
#ifndef ATTN_TEXT_UNKNOWN_H
#define ATTN_TEXT_UNKNOWN_H

#include <stdint.h>

#include "attn/tokenizer.h"

typedef void attn_unknown_found(const char *character, size_t length, void *context);

/* Calls `found` for each of them in the text, in order. */
ATTN_MUST_CHECK attn_status attn_tokenizer_unknown(const attn_tokenizer *tokenizer,
                                                   const char *text, size_t length,
                                                   attn_unknown_found *found, void *context,
                                                   attn_error *error);

/* Whether the piece is a byte that the tokenizer falls back on. */
bool attn_tokenizer_is_byte(const attn_tokenizer *tokenizer, int32_t id);

/* ---- counted ---- */

enum { ATTN_UNKNOWN_SHOWN = 20 };

typedef struct attn_unknown {
    int64_t total, different;
    struct {
        char text[5];
        int64_t count;
    } most[ATTN_UNKNOWN_SHOWN]; /* the most frequent first; as many as `different` says */
    int64_t *count;             /* by code point; NULL until there is one */
} attn_unknown;

/* Counts those of a text whose ids are given; quick when there are none. Starts from a struct that is all zero. */
ATTN_MUST_CHECK attn_status attn_unknown_add(attn_unknown *unknown, const attn_tokenizer *tokenizer,
                                             const char *text, size_t length, const int32_t *ids,
                                             size_t id_count, attn_error *error);
/* Fills in `most` and frees the rest. */
void attn_unknown_finish(attn_unknown *unknown);

#endif
