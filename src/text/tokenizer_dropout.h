/* text/tokenizer_dropout.h: the same text in other pieces, for training.
 *
 * Source: Provilkov et al. 2020, "BPE-dropout: simple and effective subword regularization". */
#ifndef ATTN_TEXT_TOKENIZER_DROPOUT_H
#define ATTN_TEXT_TOKENIZER_DROPOUT_H

#include "attn/tokenizer.h"
#include "base/random.h"

/* Whether the tokenizer has merges to leave out: one of BPE. */
bool attn_tokenizer_merges(const attn_tokenizer *tokenizer);

/* Merges the characters of the ids' text anew; at each step, each merge that is possible is left out with probability
 * `dropout`. A word ends before each space. Words with an id that is no text (<unk>, a byte) stay as they are.
 * With dropout 0 the ids of attn_tokenizer_encode come out. *out is to be freed with free (NULL when there are none). */
ATTN_MUST_CHECK attn_status attn_tokenizer_remerge(const attn_tokenizer *tokenizer,
                                                   const int32_t *ids, size_t count, double dropout,
                                                   attn_random *random, int32_t **out,
                                                   size_t *out_count, attn_error *error);

#endif
