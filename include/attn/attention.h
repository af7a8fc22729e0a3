/* attn/attention.h: fused scaled dot-product attention, forward and backward.
 *
 *     S = mask(hook(softcap(scale * Q K^T) - ALiBi + bias))    (each optional; masked: -infinity)
 *     P = softmax(S)                    over the keys of each query, and a sink if there is one
 *     O = dropout(P) V                  LSE = log sum exp S, per query
 *
 * Dimension letters: B sequences, H query heads, G key/value heads (H a multiple of G; query head h
 * uses key head h / (H / G)), Tq queries, Tk keys, D head size, E value size.
 * No Tq x Tk array is stored unless the caller asks for the weights.
 * A result depends only on its own sequence. The batch, the padding, the threads and the
 * instruction set do not change a bit of it.
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

enum { ATTN_MAX_HEAD_SIZE = 576 };

/* The position of a run of scores: neighbouring keys that one query of one head sees. */
typedef struct attn_score_run {
    int64_t sequence, head, query;    /* b, h, i */
    int64_t first_key, count;         /* scores[n] belongs to key first_key + n, n < count */
    int64_t query_length, key_length; /* real lengths of sequence b */
} attn_score_run;

/* A score hook overwrites each score, in natural units, after scale, softcap, ALiBi and bias and
 * before softmax. Its backward receives the same scores as the hook, and overwrites the gradients
 * with respect to the hook's results with those with respect to the scores. The result for an
 * element may depend only on that element, its position and `user`, and must be the same every
 * time, because runs may be split anywhere, the backward recomputes scores, and several threads
 * call at once. Masked keys are not passed; keys with a bias of -infinity are. A result of
 * -infinity masks a key; NaN makes the row NaN. */
typedef void (*attn_score_hook)(void *user, const attn_score_run *run, attn_real *scores);
typedef void (*attn_score_hook_backward)(void *user, const attn_score_run *run,
                                         const attn_real *scores, attn_real *d_scores);

/* A mask holds one byte, or one bit, for each place: not 0 where the query may see the key. */
typedef enum attn_mask_kind {
    ATTN_MASK_BYTES,
    ATTN_MASK_BITS, /* key j: bit j % 8 (1 << j % 8) of byte j / 8 of the row */
} attn_mask_kind;

/* Element (b, t, h, i) lies at base[b * batch + t * token + h * head + i], so that [B, T, H, D] and
 * [B, H, T, D] both work without a copy. Strides count elements and may be negative. One of 0 repeats
 * what is read; the output, and tensors whose gradients are wanted, need a place for each element. */
typedef struct attn_strides {
    int64_t batch, token, head;
} attn_strides;

/* Initialize it with attn_attention_init. */
typedef struct attn_attention {
    size_t size;                            /* of this struct, set by the init */
    int64_t batch, heads, kv_heads;         /* B, H, G; all >= 1 (batch may be 0) */
    int64_t query_length, key_length;       /* Tq, Tk; the padded lengths, >= 0 */
    int64_t head_size, value_size;          /* D, E; 1 .. ATTN_MAX_HEAD_SIZE */
    attn_strides query, key, value, output; /* gradients use the strides of their tensors */

    float scale; /* 0 means 1 / sqrt(D) */

    /* Real lengths of each sequence, [B], NULL: all of Tq / Tk. Keys beyond are masked; outputs of
     * queries beyond are 0 and their LSE -infinity; nothing beyond is read. */
    const int64_t *query_lengths, *key_lengths;
    /* Packed ragged sequences, [B + 1] token positions: sequence b consists of tokens
     * starts[b] .. starts[b + 1] - 1, and the batch stride is not used. Give both or neither, and
     * not together with lengths. Tq and Tk must then be at least the longest sequence. */
    const int64_t *query_starts, *key_starts;

    /* Query i may see key j when, with shift = (real Tk) - (real Tq) (alignment bottom-right):
     * causal:            j <= i + shift
     * window_left  >= 0: j >= i + shift - window_left
     * window_right >= 0: j <= i + shift + window_right       (negative: no limit) */
    bool causal;
    int64_t window_left, window_right;

    /* S = softcap * tanh(S / softcap), 0: off; finite, >= 0. Source: Gemma 2 (2024), section 2. */
    float softcap;
    /* [H] finite slopes of the linear bias, S - slope * |i + shift - j|; NULL: none. They are
     * constants and get no gradient. Source: Press et al. 2022, section 3. */
    const attn_real *alibi_slopes;

    /* Additive bias, element (b, h, i, j) at bias[b * bias_batch + h * bias_head + i * bias_query +
     * j]; a stride of 0 broadcasts. NULL: none. A bias of -infinity masks. Strides may be negative, and
     * places may share elements, so that no Tq x Tk array is needed where only the distance counts:
     * attn_attention_distance_bias. */
    const attn_real *bias;
    int64_t bias_batch, bias_head, bias_query;

    /* NULL: none. Only attn_attention_backward needs the backward. */
    attn_score_hook score_hook;
    attn_score_hook_backward score_hook_backward;
    void *score_hook_user;

    /* [H] NULL: none. exp(sinks[h]) is added to the denominator of every softmax of head h, and to
     * the sum whose logarithm is LSE. A sink acts like a key with that score and the value 0, which
     * all queries see. Each is a number below 2^127, or -infinity for no sink in this head. Source:
     * gpt-oss (2025), section 2. */
    const attn_real *sinks;

    /* Dropout on the weights: each is zeroed with this probability (0 <= p < 1) and the rest
     * divided by 1 - p. The choice depends only on (dropout_key, b, h, i, j). */
    float dropout;
    uint64_t dropout_key;

    /* NULL: none. The row of (b, h, i) starts at byte b * mask_batch + h * mask_head + i * mask_query;
     * a stride of 0 broadcasts. It masks after the hook, as a bias of -infinity does: lengths,
     * causal and windows alone keep out NaN. */
    const void *mask;
    attn_mask_kind mask_kind;
    int64_t mask_batch, mask_head, mask_query; /* bytes */
} attn_attention;

/* Sets the counts and the strides of contiguous [B, T, H, D] tensors. Every option is 0 or NULL,
 * and there are no windows. */
ATTN_API void attn_attention_init_sized(attn_attention *attention, size_t size, int64_t batch,
                                        int64_t heads, int64_t kv_heads, int64_t query_length,
                                        int64_t key_length, int64_t head_size, int64_t value_size);
static inline void attn_attention_init(attn_attention *attention, int64_t batch, int64_t heads,
                                       int64_t kv_heads, int64_t query_length, int64_t key_length,
                                       int64_t head_size, int64_t value_size) {
    attn_attention_init_sized(attention, sizeof *attention, batch, heads, kv_heads, query_length,
                              key_length, head_size, value_size);
}

/* A bias by distance (Toeplitz): table [H, Tq + Tk - 1], of which (h, n) is added where j - i =
 * n - (Tq - 1). Sets the bias and its strides; Tq and Tk of the description must be set. Its gradient
 * goes to d_bias = d_table + (Tq - 1), d_table like table. For relative positions in buckets fill the
 * table from the buckets, and add up d_table by bucket: attn_attention_bucket. */
ATTN_API void attn_attention_distance_bias(attn_attention *attention, const attn_real *table);

/* T5's bucket, 0 .. buckets - 1, of the distance j - i between a key and a query: with both_ways the first half is
 * of keys behind the query, the second of those ahead; else keys ahead are at distance 0. Of the buckets of a
 * side, half are one distance each; the others grow in proportion to the distance up to `longest`, and the last
 * holds all beyond. buckets at least 4 (2 for one way); longest above half of a side's buckets. Source: Raffel et
 * al. 2020, section 2.1. */
ATTN_API int64_t attn_attention_bucket(int64_t distance, bool both_ways, int64_t buckets,
                                       int64_t longest);

/* Checks the description, as every function below does. ATTN_ERR_ARGUMENT names the field.
 * Everything that passes runs fused; attn_attention_cost says what its options cost. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_check(const attn_attention *attention,
                                                          attn_error *error);

/* What an option of this description costs or saves: constant English sentences, number i of them from 0. NULL past
 * the last, and when the description is refused. */
ATTN_API const char *attn_attention_cost(const attn_attention *attention, size_t i);

/* How the threads share the work of a call: by whole key heads; by runs of queries with the keys of
 * their window; or by blocks of queries (in the backward: of keys and of queries) of all heads.
 * With few queries, threads share whole key heads too, but copy their keys block by block. */
typedef enum attn_plan_division {
    ATTN_PLAN_HEADS,
    ATTN_PLAN_WINDOWS,
    ATTN_PLAN_BLOCKS,
    ATTN_PLAN_FEW
} attn_plan_division;

/* The result of attn_attention_plan. The reasons are constant English sentences. Initialize it with
 * attn_plan_init. */
typedef struct attn_plan {
    size_t size;                  /* of this struct, set by the init */
    const char *isa, *isa_reason; /* as attn_isa_name */
    int threads;
    const char *threads_reason;
    attn_plan_division division;
    const char *division_reason;
    size_t
        memory; /* temporary memory that the call allocates, in bytes; LSEs beyond 64 take more */
    double visited; /* share of the Tq x Tk positions, in blocks, that masks and lengths leave */
} attn_plan;

ATTN_API void attn_plan_init_sized(attn_plan *plan, size_t size);
static inline void attn_plan_init(attn_plan *plan) {
    attn_plan_init_sized(plan, sizeof *plan);
}

/* Describes how attn_attention_forward, or attn_attention_backward with every gradient, would run
 * with the current settings of the process. There is no slow fallback: every description that
 * attn_attention_check accepts runs fused, with bit-identical results on every instruction set.
 * Thread-safe. ATTN_ERR_ARGUMENT; ATTN_ERR_MEMORY when the size cannot be represented. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_plan(const attn_attention *attention,
                                                         bool backward, attn_plan *plan,
                                                         attn_error *error);

/* output[B, Tq, H, E] from query[B, Tq, H, D], key[B, Tk, G, D], value[B, Tk, G, E].
 * Scores may be of any size whose product with log2(e) a float holds: a bias of -1e4 or -1e9 masks as
 * well as it can, a bias below -2.35e38, -FLT_MAX among them, as -infinity does.
 * lse: [B, H, Tq] contiguous ([H, total tokens] when packed), natural logarithm; may be NULL,
 * but the backward needs it. A query that sees no key gets output 0 and LSE -infinity; with a sink,
 * LSE is the sink's score (to rounding). NaN in an input that a query sees makes its output NaN;
 * NaN at a position masked by lengths, causal or window never leaks. output must not overlap the
 * inputs. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY.
 */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_forward(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *value, attn_real *output, attn_real *lse, attn_error *error);

/* The gradients to compute. Each may be NULL; each has the strides of its tensor. Initialize it with
 * attn_attention_gradients_init, or in C with {.size = sizeof(attn_attention_gradients), ...}. */
typedef struct attn_attention_gradients {
    size_t size;                          /* of this struct, set by the init */
    attn_real *d_query, *d_key, *d_value; /* overwritten; 0 at padded positions */
    attn_real *d_bias;                    /* ADDED to: places that share an element sum */
    attn_real *d_sinks;                   /* [H], ADDED to */
    /* Given, not computed: the gradient with respect to LSE, laid out as LSE; NULL: none. Where LSE is
     * -infinity it is not read. */
    const attn_real *d_lse;
    /* Given too: the gradient with respect to the weights P, before dropout, laid out as attn_attention_weights
     * lays out `all`; NULL: none. With it a loss may hold the weights themselves, to guide a head. It is read
     * where lengths, causal and window leave a place, and costs the weights once more. */
    const attn_real *d_weights;
} attn_attention_gradients;

/* All NULL. */
ATTN_API void attn_attention_gradients_init_sized(attn_attention_gradients *gradients, size_t size);
static inline void attn_attention_gradients_init(attn_attention_gradients *gradients) {
    attn_attention_gradients_init_sized(gradients, sizeof *gradients);
}

/* Gradients of a scalar whose gradient with respect to the output is d_output:
 *     P = exp(S - LSE);  dV = dropout(P)^T dO;  dP = dropout(dO V^T) + dweights;
 *     D = rowsum(dO * O) + rowsum(P * dweights) - dLSE;
 *     dS = P * (dP - D), then through the hook's backward;                dbias = sum of dS
 *     dS = dS * (1 - tanh^2) with softcap;   dQ = scale * dS K;  dK = scale * dS^T Q
 *     dsink = -sum over queries of exp(sink - LSE) * D
 * output and lse come from the forward. Beyond 64 one float holds an LSE so coarsely that P is off; for
 * such rows the maximum and the sum of the scores are found again, at the cost of the forward without
 * values, and P is as exact as elsewhere. An LSE that is not that of these keys, but of shards that were
 * merged, counts as it is. Every sum has one order, whatever the number of threads.
 * Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_backward(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *value, const attn_real *output, const attn_real *lse,
    const attn_real *d_output, const attn_attention_gradients *gradients, attn_error *error);

/* ---- tensors of 16 bits ---- */

typedef enum attn_half { ATTN_HALF_BF16, ATTN_HALF_F16 } attn_half;

/* The same over tensors of bfloat16 or float16, with their strides: they are widened to float32, and
 * the output rounded to nearest, ties to even, at the end, so that nothing between is rounded. lse is float32.
 * Forward and backward widen rows as they read them, copy no tensor whole for it, and take the temporary memory
 * that attn_attention_plan tells. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_forward_half(
    const attn_attention *attention, attn_half type, const uint16_t *query, const uint16_t *key,
    const uint16_t *value, uint16_t *output, attn_real *lse, attn_error *error);
/* Gradients are float32 and contiguous, [B, T, H, D] ([all tokens, H, D] when packed), whatever the
 * strides of their tensors, which may repeat elements; d_bias has those of the bias. The bits are those of
 * attn_attention_backward over the widened tensors. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_backward_half(
    const attn_attention *attention, attn_half type, const uint16_t *query, const uint16_t *key,
    const uint16_t *value, const uint16_t *output, const attn_real *lse, const uint16_t *d_output,
    const attn_attention_gradients *gradients, attn_error *error);

/* The weights P (before dropout), recomputed from the forward's LSE as in the backward.
 * all:  [B, H, Tq, Tk] contiguous, or NULL;  mean: [B, Tq, Tk], the average over heads, or NULL.
 * When packed, b's matrices still start at b * H * Tq * Tk (b * Tq * Tk). Masked and padded
 * positions are 0. With a sink a row sums to less than 1. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_weights(const attn_attention *attention,
                                                            const attn_real *query,
                                                            const attn_real *key,
                                                            const attn_real *lse, attn_real *all,
                                                            attn_real *mean, attn_error *error);

/* The statistics to compute of the weights P, before dropout; each may be NULL. For packed
 * sequences the shape is, as for LSE, [H, total tokens] in place of [B, H, T]. Initialize it with
 * attn_weight_statistics_init, or in C with {.size = sizeof(attn_weight_statistics), ...}. */
typedef struct attn_weight_statistics {
    size_t size;                /* of this struct, set by the init */
    attn_real *entropy;         /* [B, H, Tq] -sum of P ln P over the keys, in nats */
    int64_t largest;            /* k >= 0: */
    attn_real *largest_weights; /* [B, H, Tq, k] the k largest of each row, descending, and */
    int64_t *largest_keys;      /* [B, H, Tq, k] their keys; of equal weights the lower key first.
                                 * Where a row sees fewer: weight 0, key -1. Give both or
                                 * neither. */
    attn_real *column_sums;     /* [B, H, Tk] what each key receives: the sum over queries */
} attn_weight_statistics;

/* Nothing to compute. */
ATTN_API void attn_weight_statistics_init_sized(attn_weight_statistics *wanted, size_t size);
static inline void attn_weight_statistics_init(attn_weight_statistics *wanted) {
    attn_weight_statistics_init_sized(wanted, sizeof *wanted);
}

/* Statistics of P, recomputed from the forward's LSE at about the speed of the forward and without
 * storing P. They are 0 at padded positions and for rows that see no key. With a sink, none of them
 * includes the sink's own share. Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_attention_statistics(
    const attn_attention *attention, const attn_real *query, const attn_real *key,
    const attn_real *lse, const attn_weight_statistics *wanted, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
