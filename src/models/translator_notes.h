/* models/translator_notes.h: one attention of a translator: its parts, and what a watched pass noted of it.
 *
 * C channels, D head size, H heads, G key/value heads, Q queries, K keys. Read translator.h first. */
#ifndef ATTN_MODELS_TRANSLATOR_NOTES_H
#define ATTN_MODELS_TRANSLATOR_NOTES_H

#include "models/translator.h"
#include "tape/tape.h"

typedef struct attn_translator_notes {
    const attn_multi_head *attention;
    const attn_norm *norm; /* before it, or after when post-norm */
    const attn_tensor *embedding, *residual, *input, *memory; /* [Q, C]; memory [K, C] */
    const attn_tensor *query;     /* [Q, C, and the keys of self attention] */
    const attn_tensor *key_value; /* [K, ...]: G D keys at key_column, then as many values */
    const attn_tensor *heads, *lse, *output; /* [Q, C], [H, Q], [Q, C] */
    const attn_tensor
        *bias; /* [H, 2 Q - 1]: of relative positions, of the distances from 1 - Q on; else NULL */
    int64_t key_column;
} attn_translator_notes;

/* The part's layer (from 0) in a pass over one pair of sentences while the tape was watched.
 * ATTN_ERR_ARGUMENT: no such layer; nothing is noted of it, or not of so many queries and keys; the
 * model keeps its weights packed alone. */
ATTN_MUST_CHECK attn_status attn_translator_find_notes(
    const attn_translator *model, const attn_tape *tape, attn_translator_part part, int64_t layer,
    int64_t queries, int64_t keys, attn_translator_notes *out, attn_error *error);

/* The weights of every head that the noted queries and keys give, [H, Q, K]. Errors as those of
 * attn_attention_weights. */
ATTN_MUST_CHECK attn_status attn_translator_notes_weights(const attn_translator_notes *notes,
                                                          bool causal, attn_real *weights,
                                                          attn_error *error);

#endif
