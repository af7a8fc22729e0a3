/* attn/attention.h: fused scaled dot-product attention, forward and backward.
 *
 *     S = hook(softcap(scale * Q K^T) - ALiBi + bias)    (each optional; masked places -infinity)
 *     P = softmax(S)                    over the keys of each query, and a sink if there is one
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

/* Neighbouring keys that one query of one head sees: where a run of scores lies. */
typedef struct attn_score_run {
    int64_t sequence, head, query;    /* b, h, i */
    int64_t first_key, count;         /* scores[n] belongs to key first_key + n, n < count */
    int64_t query_length, key_length; /* real lengths of sequence b */
} attn_score_run;

/* A score hook overwrites each score, in natural units, after scale, softcap, ALiBi and bias and
 * before softmax. Its backward is handed the scores that the hook was handed, and overwrites the
 * gradients by the hook's results with those by the scores. What becomes of an element may depend on
 * that element, its place and `user` alone, and must be the same every time: runs are cut in any
 * way, the backward computes scores again, and several threads call at once. Masked keys are not
 * handed over; a bias of -infinity is. A result of -infinity masks, NaN makes the row NaN. */
typedef void (*attn_score_hook)(void *user, const attn_score_run *run, attn_real *scores);
typedef void (*attn_score_hook_backward)(void *user, const attn_score_run *run,
                                         const attn_real *scores, attn_real *d_scores);

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

    /* S = softcap * tanh(S / softcap), 0: off; finite, >= 0. Source: Gemma 2 (2024), section 2. */
    float softcap;
    /* [H] finite slopes of the linear bias, S - slope * |i + shift - j|; NULL: none. Constants: they
     * get no gradient. Source: Press et al. 2022, section 3. */
    const attn_real *alibi_slopes;

    /* Additive bias, element (b, h, i, j) at bias[b * bias_batch + h * bias_head + i * bias_query +
     * j]; a stride of 0 broadcasts. NULL: none. A bias of -infinity masks. */
    const attn_real *bias;
    int64_t bias_batch, bias_head, bias_query;

    /* NULL: none. The backward is needed by attn_attention_backward alone. */
    attn_score_hook score_hook;
    attn_score_hook_backward score_hook_backward;
    void *score_hook_user;

    /* [H] NULL: none. exp(sinks[h]) is added to the denominator of every softmax of head h and to
     * what LSE is the logarithm of: a key of that score, seen by all queries, whose value is 0. A
     * number below 2^127, or -infinity: none for this head. Source: gpt-oss (2025), section 2. */
    const attn_real *sinks;

    /* Dropout on the weights: each is zeroed with this probability (0 <= p < 1) and the rest
     * divided by 1 - p. Which ones is a function of (dropout_key, b, h, i, j) alone. */
    float dropout;
    uint64_t dropout_key;
} attn_attention;

/* Fills in the counts, 0 or NULL for every option, no windows, and the strides of contiguous
 * [B, T, H, D] tensors. */
ATTN_API void attn_attention_init(attn_attention *attention, int64_t batch, int64_t heads,
                                  int64_t kv_heads, int64_t query_length, int64_t key_length,
                                  int64_t head_size, int64_t value_size);

/* Says whether the description is possible; every function below checks the same.
 * ATTN_ERR_ARGUMENT names the field. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_check(const attn_attention *attention,
                                                          attn_error *error);

/* How the work of a call is divided among threads: whole key heads, runs of queries with the keys of
 * their window, or blocks of queries (backward: of keys and of queries) of all heads; few queries:
 * whole key heads too, but their keys are copied block by block only. */
typedef enum attn_plan_division {
    ATTN_PLAN_HEADS,
    ATTN_PLAN_WINDOWS,
    ATTN_PLAN_BLOCKS,
    ATTN_PLAN_FEW
} attn_plan_division;

/* What attn_attention_plan tells. The reasons are sentences for people, and constants. */
typedef struct attn_plan {
    const char *isa, *isa_reason; /* as attn_isa_name */
    int threads;
    const char *threads_reason;
    attn_plan_division division;
    const char *division_reason;
    size_t memory;  /* temporary, in bytes: what the call allocates besides its arguments */
    double visited; /* share of the Tq x Tk places, in blocks, that masks and lengths leave to do */
} attn_plan;

/* Tells how attn_attention_forward, or attn_attention_backward with every gradient, will run as the
 * process is now set. Nothing falls back: what attn_attention_check accepts runs fused, and to the
 * same bits, on every instruction set. Thread-safe. ATTN_ERR_ARGUMENT; ATTN_ERR_MEMORY when it
 * would need more than can be counted. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_plan(const attn_attention *attention,
                                                         bool backward, attn_plan *plan,
                                                         attn_error *error);

/* output[B, Tq, H, E] from query[B, Tq, H, D], key[B, Tk, G, D], value[B, Tk, G, E].
 * lse: [B, H, Tq] contiguous ([H, total tokens] when packed), natural logarithm; NULL when not
 * wanted (the backward wants it). A query that sees no key gets output 0 and LSE -infinity, with a sink
 * the sink's score (to rounding). NaN in
 * an input that a query sees makes its output NaN; what is masked by lengths, causal or window
 * never leaks. output must not overlap the inputs. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY.
 */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_forward(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *value, attn_real *output, attn_real *lse, attn_error *error);

/* What the backward is to give: strides as what they belong to; each may be NULL. */
typedef struct attn_attention_gradients {
    attn_real *d_query, *d_key, *d_value; /* written over; 0 at padded places */
    attn_real *d_bias;                    /* ADDED to, so that broadcasting sums */
    attn_real *d_sinks;                   /* [H], ADDED to */
} attn_attention_gradients;

/* Gradients of a scalar whose gradient by the output is d_output:
 *     D = rowsum(dO * O);  P = exp(S - LSE);  dV = dropout(P)^T dO;  dP = dropout(dO V^T);
 *     dS = P * (dP - D), then through the hook's backward;                dbias = sum of dS
 *     dS = dS * (1 - tanh^2) with softcap;   dQ = scale * dS K;  dK = scale * dS^T Q
 *     dsink = -sum over queries of exp(sink - LSE) * D
 * output and lse are the forward's. Every sum has one order, whatever the threads. Thread-safe.
 * ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_backward(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *value, const attn_real *output, const attn_real *lse,
    const attn_real *d_output, const attn_attention_gradients *gradients, attn_error *error);

/* The weights P (before dropout), computed again from LSE, which must be the forward's.
 * all:  [B, H, Tq, Tk] contiguous, or NULL;  mean: [B, Tq, Tk], the average over heads, or NULL.
 * When packed, b's matrices still start at b * H * Tq * Tk (b * Tq * Tk). Masked and padded places
 * are 0. With a sink a row sums to less than 1. Thread-safe. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_weights(const attn_attention *attention,
                                                            const attn_real *query,
                                                            const attn_real *key,
                                                            const attn_real *lse, attn_real *all,
                                                            attn_real *mean, attn_error *error);

/* What is wanted of the weights P, before dropout; each may be NULL. Packed sequences: as LSE,
 * [H, total tokens] in place of [B, H, T]. */
typedef struct attn_weight_statistics {
    attn_real *entropy;         /* [B, H, Tq] -sum of P ln P over the keys, in nats */
    int64_t largest;            /* k >= 0: */
    attn_real *largest_weights; /* [B, H, Tq, k] the k largest of each row, falling, and */
    int64_t *largest_keys;      /* [B, H, Tq, k] their keys; of equal ones the lower first. Where a
                                 * row sees fewer: 0, key -1. Both or neither. */
    attn_real *column_sums;     /* [B, H, Tk] what each key receives: the sum over queries */
} attn_weight_statistics;

/* Statistics of P, computed again from LSE, which must be the forward's, at about the speed of the
 * forward and without storing P. Padded places and rows that see no key: 0. With a sink, its own
 * share is in none of them. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_statistics(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *lse, const attn_weight_statistics *wanted, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
