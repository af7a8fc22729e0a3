/* attn/attention.h: fused scaled dot-product attention, forward and backward.
 *
 *     S = scale * Q K^T + bias          (masked places are -infinity)
 *     P = softmax(S)                    over the keys of each query
 *     O = dropout(P) V                  LSE = log sum exp S, per query
 *
 * Dimension letters: B sequences, H query heads, G key/value heads (H a multiple of G; query head h
 * uses key head h / (H / G)), Tq queries, Tk keys, D head size, E value size.
 * No Tq x Tk array is ever stored unless the caller asks for the weights.
 * A result depends on its own sequence alone: not on the batch, the padding, the threads or the
 * instruction set, to the last bit.
 * Source: Vaswani et al. 2017, section 3.2.1; Dao et al. 2022 for the tiling; grouped queries:
 * Ainslie et al. 2023. Next: attn/tape.h and attn/layers.h. */
#ifndef ATTN_ATTENTION_H
#define ATTN_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ATTN_MAX_HEAD_SIZE = 256 };

/* Element (b, t, h, i) lies at base[b * batch + t * token + h * head + i], so that [B, T, H, D] and
 * [B, H, T, D] both work without a copy. Strides count elements. */
typedef struct attn_strides {
    int64_t batch, token, head;
} attn_strides;

typedef struct attn_attention {
    int64_t batch, heads, kv_heads;         /* B, H, G; all >= 1 (batch may be 0) */
    int64_t query_length, key_length;       /* Tq, Tk; the padded lengths, >= 0 */
    int64_t head_size, value_size;          /* D, E; 1 .. ATTN_MAX_HEAD_SIZE */
    attn_strides query, key, value, output; /* gradients use the strides of what they belong to */

    float scale; /* 0 means 1 / sqrt(D) */

    /* Real lengths of each sequence, [B], NULL: all of Tq / Tk. Keys beyond are masked; outputs of
     * queries beyond are 0 and their LSE -infinity; nothing beyond is ever read. */
    const int64_t *query_lengths, *key_lengths;
    /* Packed ragged sequences, [B + 1] token positions: sequence b is tokens starts[b] ..
     * starts[b + 1] - 1 and the batch stride is not used. Both or neither; not together with
     * lengths. Tq and Tk must then be at least the longest sequence. */
    const int64_t *query_starts, *key_starts;

    /* Query i may see key j when, with shift = (real Tk) - (real Tq) (alignment bottom-right):
     * causal:            j <= i + shift
     * window_left  >= 0: j >= i + shift - window_left
     * window_right >= 0: j <= i + shift + window_right       (negative: no limit) */
    bool causal;
    int64_t window_left, window_right;

    /* Additive bias, element (b, h, i, j) at bias[b * bias_batch + h * bias_head + i * bias_query +
     * j]; a stride of 0 broadcasts. NULL: none. A bias of -infinity masks. */
    const attn_real *bias;
    int64_t bias_batch, bias_head, bias_query;

    /* Dropout on the weights: each is zeroed with this probability (0 <= p < 1) and the rest
     * divided by 1 - p. Which ones is a function of (dropout_key, b, h, i, j) alone. */
    float dropout;
    uint64_t dropout_key;
} attn_attention;

/* Fills in 1 for the counts, no masks, no bias, no dropout, and the strides of contiguous
 * [B, T, H, D] tensors. */
ATTN_API void attn_attention_init(attn_attention *attention, int64_t batch, int64_t heads,
                                  int64_t kv_heads, int64_t query_length, int64_t key_length,
                                  int64_t head_size, int64_t value_size);

/* Says whether the description is possible; every function below checks the same.
 * ATTN_ERR_ARGUMENT names the field. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_check(const attn_attention *attention,
                                                          attn_error *error);

/* output[B, Tq, H, E] from query[B, Tq, H, D], key[B, Tk, G, D], value[B, Tk, G, E].
 * lse: [B, H, Tq] contiguous ([H, total tokens] when packed), natural logarithm; NULL when not
 * wanted (the backward wants it). A query that sees no key gets output 0 and LSE -infinity. NaN in
 * an input that a query sees makes its output NaN; what is masked by lengths, causal or window
 * never leaks. output must not overlap the inputs. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY.
 */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_forward(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *value, attn_real *output, attn_real *lse, attn_error *error);

/* Gradients of a scalar whose gradient by the output is d_output:
 *     D = rowsum(dO * O);  P = exp(S - LSE);  dV = dropout(P)^T dO;  dP = dropout(dO V^T);
 *     dS = P * (dP - D);   dQ = scale * dS K;  dK = scale * dS^T Q;   dbias = sum of dS
 * d_query, d_key, d_value are written over, at padded places with 0; each may be NULL. d_bias: the
 * strides of bias, ADDED to (so that broadcasting sums), NULL when not wanted. output and lse are
 * the forward's. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status
attn_attention_backward(const attn_attention *attention, const attn_real *query,
                        const attn_real *key, const attn_real *value, const attn_real *output,
                        const attn_real *lse, const attn_real *d_output, attn_real *d_query,
                        attn_real *d_key, attn_real *d_value, attn_real *d_bias, attn_error *error);

/* The weights P (before dropout), computed again from LSE, which must be the forward's.
 * all:  [B, H, Tq, Tk] contiguous, or NULL;  mean: [B, Tq, Tk], the average over heads, or NULL.
 * When packed, b's matrices still start at b * H * Tq * Tk (b * Tq * Tk). Masked and padded places
 * are 0. Thread-safe. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_weights(const attn_attention *attention,
                                                            const attn_real *query,
                                                            const attn_real *key,
                                                            const attn_real *lse, attn_real *all,
                                                            attn_real *mean, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
