/* text/batches.h: which sentence pairs go into which batch, in which order.
 *
 * Pairs of like length go together; a batch holds at most max_tokens ids on its longer side
 * (</s> counted). The order is a function of (seed, epoch) alone: the same on every machine. */
#ifndef ATTN_TEXT_BATCHES_H
#define ATTN_TEXT_BATCHES_H

#include "text/corpus.h"

/* Batch b holds the pairs pair[start[b] .. start[b + 1]). */
typedef struct attn_batches {
    int64_t *pair;  /* corpus.count indices */
    int64_t *start; /* count + 1 */
    int64_t count;
} attn_batches;

/* Shuffles the pairs, sorts them stably by target then source length, cuts batches so that
 * max(sum of source lengths + 1 each, sum of target lengths + 1 each) <= max_tokens (one pair that
 * is longer alone makes a batch of its own), and shuffles the batches. shuffle = false (validation)
 * keeps the batches in order of length. */
ATTN_MUST_CHECK attn_status attn_batches_make(const attn_corpus *corpus, int64_t max_tokens,
                                              bool shuffle, uint64_t seed, uint64_t epoch,
                                              attn_batches *out, attn_error *error);
void attn_batches_free(attn_batches *batches);

#endif
