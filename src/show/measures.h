/* show/measures.h: one number for a matrix of attention, and one matrix for many layers.
 *
 * Letters: L layers, H heads, Q queries, K keys; a row of weights sums to 1. Next: document.h. */
#ifndef ATTN_SHOW_MEASURES_H
#define ATTN_SHOW_MEASURES_H

#include <stdint.h>

#include "attn/status.h"

/* The mean over the rows of -sum of p ln p, in nats: 0 where every row looks at one key, ln K where
 * each looks at all of them alike. weights: [Q, K]. */
double attn_measure_entropy(const attn_real *weights, int64_t queries, int64_t keys);
/* The mean over the rows of sum of p |q - k|: how many tokens away a head looks. weights: [Q, K]
 * over one sentence. */
double attn_measure_distance(const attn_real *weights, int64_t queries, int64_t keys);

/* Attention rollout (Abnar and Zuidema 2020, section 3): each layer's weights, averaged over the
 * heads, with the residual connection as 0.5 A + 0.5 I, rows renormalized; the layers multiplied,
 * the last one leftmost. weights [L, H, N, N] -> out [N, N]. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_measure_rollout(const attn_real *weights, int64_t layers,
                                                 int64_t heads, int64_t tokens, attn_real *out,
                                                 attn_error *error);
/* The same through a decoder, to the source: in each layer what came from the words already written
 * goes on as above, and the cross attention adds 0.5 A E, E the encoder's rollout [K, K], to what is
 * kept by half. What then comes from the source, 1 - 2^-L of each row, is renormalized to 1. out:
 * [Q, K]. ATTN_ERR_MEMORY. */
typedef struct attn_decoder_weights {
    int64_t layers, heads, queries, keys;
    const attn_real *self, *cross; /* [L, H, Q, Q], or NULL: none; [L, H, Q, K] */
    const attn_real *encoder;      /* [K, K]: its rollout */
} attn_decoder_weights;
ATTN_MUST_CHECK attn_status attn_measure_rollout_cross(const attn_decoder_weights *weights,
                                                       attn_real *out, attn_error *error);

/* The same for relevance (relevance.h) in place of weights, which does not sum to 1 (Chefer et al. 2021,
 * equations 5 and 6): R = I; in each layer R += A R, A the mean over the heads. weights [L, H, N, N] -> out
 * [N, N]. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_measure_relevance(const attn_real *weights, int64_t layers,
                                                   int64_t heads, int64_t tokens, attn_real *out,
                                                   attn_error *error);
/* Through a decoder, to the source: in each layer R += A R over the words already written, and the cross attention adds
 * A E. `encoder` is its relevance. out: [Q, K]. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_measure_relevance_cross(const attn_decoder_weights *weights,
                                                         attn_real *out, attn_error *error);

#endif
