/* attn/layers.h: the layers of a Transformer, each with a hand-written backward, on the tape.
 *
 * Dimension letters: N tokens (all sequences one after another, no padding), C channels, O output
 * features, H heads, G key/value heads, D head size, V vocabulary.
 * A layer's parameters are a small struct filled by its declare function; then call the layer.
 * Every layer returns NULL when the tape has failed. An invalid argument makes the tape fail:
 * ATTN_ERR_ARGUMENT for a NULL where none is allowed, an id outside its table, a probability
 * outside 0 <= p < 1, or a parameter that is not allocated (with gradients when the tape records);
 * ATTN_ERR_SHAPE for a tensor of the wrong shape. attn_tape_check says which. Next:
 * attn/translator.h. */
#ifndef ATTN_LAYERS_H
#define ATTN_LAYERS_H

#include "attn/matmul.h"
#include "attn/matmul_i8.h"
#include "attn/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sequence s is tokens starts[s] .. starts[s + 1] - 1. */
typedef struct attn_sequences {
    int64_t count;
    const int64_t
        *starts;     /* count + 1: starts[0] = 0, never falling; the last is that of all rows */
    int64_t longest; /* no sequence is longer; a layer checks all this */
} attn_sequences;

/* ---- linear: y = activation(x W^T + b) ---- */

/* A weight packed in the order in which the product reads it: float32, bfloat16 or 8-bit
 * integers. */
typedef struct attn_packed_weight attn_packed_weight;

typedef struct attn_linear {
    attn_param *weight;         /* [O, C]; when several were declared as one, the first of them */
    attn_param *bias;           /* [O] likewise; NULL: none */
    int64_t in, out;            /* C, O (the sum when joined) */
    attn_packed_weight *packed; /* by attn_linear_pack; NULL: packed in each call */
    const struct attn_adapter *adapters; /* low-rank changes to the weight (layers/adapter.h) */
    int64_t adapter_count;
} attn_linear;

/* The arithmetic of a packed layer during inference; recording passes always use float32. */
typedef enum attn_compute {
    ATTN_COMPUTE_F32,
    ATTN_COMPUTE_I8,      /* 8-bit integers with exact sums: attn/matmul_i8.h */
    ATTN_COMPUTE_COMPACT, /* float32, with the same results; weights that bfloat16 holds exactly are
                             kept as bfloat16 */
} attn_compute;

/* Declares NAME.weight and NAME.bias. */
ATTN_API attn_linear attn_linear_declare(attn_params *params, const char *name, int64_t in,
                                         int64_t out);
/* Packs the weight once, for inference. attn_linear_unpack frees the packed form.
 * ATTN_ERR_ARGUMENT: the parameters are not allocated, or there are more input features than a sum
 * of integers holds. ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_linear_pack(attn_linear *linear, attn_compute compute,
                                                      attn_error *error);
ATTN_API void attn_linear_unpack(attn_linear *linear);
ATTN_API bool attn_linear_is_packed(const attn_linear *linear);
ATTN_API attn_tensor *attn_layer_linear(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                                        attn_activation activation);
/* y = residual + (x W^T + b), in one product; for passes without dropout. */
ATTN_API attn_tensor *attn_layer_linear_residual(attn_tape *tape, attn_tensor *x,
                                                 const attn_linear *linear, attn_tensor *residual);

/* ---- embedding: y[t] = scale * table[id[t]] + position[position_id[t]] ---- */

/* Fixed positions: at channel i < C / 2 the sine of p f(i), at C / 2 + i its cosine; a last odd channel is 0.
 * The frequencies f(i) fall from 1 ... */
typedef enum attn_sinusoids {
    ATTN_SINUSOIDS_TENSOR2TENSOR, /* to 1 / 10000: 10000^(-i / (C / 2 - 1)); Marian's and fairseq's too */
    ATTN_SINUSOIDS_PAPER,         /* to just above it: 10000^(-2 i / C), Vaswani et al. 2017 */
} attn_sinusoids;
/* table[length, C] of the positions p = first, first + 1 ... The same bits everywhere. */
ATTN_API void attn_sinusoid_table(attn_sinusoids kind, int64_t first, int64_t length,
                                  int64_t channels, attn_real *table);

typedef struct attn_positions {
    const attn_real *table; /* [length, C]: sinusoids, or the learned parameter's data */
    attn_param *learned;    /* NULL: fixed */
    int64_t length;
} attn_positions;

/* ids and position_ids: [N], checked against the tables' sizes (ATTN_ERR_ARGUMENT), kept by
 * reference until the backward. positions may be NULL. */
ATTN_API attn_tensor *attn_layer_embedding(attn_tape *tape, attn_param *table, attn_real scale,
                                           const attn_positions *positions, int64_t tokens,
                                           const int32_t *ids, const int32_t *position_ids);

/* ---- layer norm: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta ----
 * RMSNorm (Zhang and Sennrich 2019): y = x / sqrt(mean of squares + epsilon) * gamma */
typedef struct attn_norm {
    attn_param *gamma, *beta; /* [C]; beta NULL: none */
    attn_real epsilon;        /* 0: 1e-5 */
    bool rms;
} attn_norm;

/* NAME.gamma, and NAME.beta of a layer norm. */
ATTN_API attn_norm attn_norm_declare(attn_params *params, const char *name, int64_t channels);
ATTN_API attn_norm attn_norm_declare_rms(attn_params *params, const char *name, int64_t channels);
ATTN_API attn_tensor *attn_layer_norm(attn_tape *tape, attn_tensor *x, const attn_norm *norm);

/* ---- dropout and residual (dropout acts only while recording) ---- */
ATTN_API attn_tensor *attn_layer_dropout(attn_tape *tape, attn_tensor *x, double p);
/* y = x + dropout(branch) */
ATTN_API attn_tensor *attn_layer_residual(attn_tape *tape, attn_tensor *x, attn_tensor *branch,
                                          double p);

/* ---- multi-head attention ---- */
/* A head made to look elsewhere, to ask what it does: for queries query .. query + queries - 1 of every
 * sequence its output is the mean of the values of keys key .. key + keys - 1. Keys that a query does not see
 * are left out; with none left (keys 0) the output is 0: the head is silenced. */
typedef struct attn_head_edit {
    int64_t head;           /* from 0; -1: every head */
    int64_t query, queries; /* at least 0; what lies beyond a sequence is left out */
    int64_t key, keys;
} attn_head_edit;

/* Rotary positions (Su et al. 2021): the first `size` channels of every query and key are pairs, and at place p of its
 * sequence, from 0, pair i is turned by the angle p f(i), f(i) = base^(-2 i / size):
 *     (a, b) becomes (a cos - b sin, b cos + a sin)
 * so that a query and a key know how far apart they are, and nothing else of where they stand. Which channels are
 * pair i: */
typedef enum attn_rotary {
    ATTN_ROTARY_NONE,
    ATTN_ROTARY_HALVES,   /* i and size / 2 + i: GPT-NeoX, Llama as transformers has it */
    ATTN_ROTARY_ADJACENT, /* 2 i and 2 i + 1: the paper, GPT-J */
} attn_rotary;

typedef struct attn_rotation {
    attn_rotary kind;
    int64_t length, size;   /* places; size is even and at most the head size */
    const attn_real *table; /* [length, size] of attn_rotary_table */
} attn_rotation;

/* table[length, size]: of each place the cosines of its size / 2 angles, then their sines. base: above 1, at most 2^60.
 * The same bits everywhere. */
ATTN_API void attn_rotary_table(double base, int64_t length, int64_t size, attn_real *table);

/* Relative positions (Raffel et al. 2020, T5): to the score of query i and key j of a sequence, head h adds
 * table[b, h] after the scale, b the bucket of the distance j - i (attn_attention_bucket in attn/attention.h). Without
 * causal, keys ahead have buckets of their own; with causal, all buckets are of keys behind. Layers may share a
 * table: its gradient is the sum over them. */
typedef struct attn_relative {
    attn_param *table; /* [buckets, H], 4 buckets or more */
    int64_t
        longest; /* all beyond this distance are in the last bucket; above half of the buckets */
} attn_relative;

/* Declares NAME [buckets, heads], which begins as 0: no distance counts. */
ATTN_API attn_relative attn_relative_declare(attn_params *params, const char *name, int64_t buckets,
                                             int64_t heads, int64_t longest);

typedef struct attn_multi_head {
    int64_t channels, heads, kv_heads, head_size;
    /* NAME.query, .key, .value (weights adjacent, then biases), NAME.output. Self attention
     * computes the three in one product (`joined`), cross attention query alone and key and value
     * in one. */
    attn_linear query, key, value, output;
    attn_linear joined;    /* query, key and value: self attention */
    attn_linear key_value; /* key and value: cross attention */
    /* The caller's, applied in this order to passes that are not recorded; NULL: none. A later one
     * overrides what an earlier one did. */
    const attn_head_edit *edits;
    int64_t edit_count;
    /* The caller's: queries and keys of self attention are turned before they meet; NULL: they are not. */
    const attn_rotation *rotation;
    /* The caller's: what self attention adds to scores by distance; NULL: nothing. */
    const attn_relative *relative;
} attn_multi_head;

/* channels must be a multiple of heads, and heads of kv_heads; otherwise attn_params_allocate
 * fails. */
ATTN_API attn_multi_head attn_multi_head_declare(attn_params *params, const char *name,
                                                 int64_t channels, int64_t heads, int64_t kv_heads);
/* The attention of x's tokens to those of memory (NULL: to x itself), heads joined, before the
 * output projection: [N, C]. Notes query, key, value, heads and lse. dropout is on the weights. A tape that
 * records refuses an attention with edits (ATTN_ERR_ARGUMENT). With a rotation, query and key are noted as turned; it
 * is refused when a sequence is longer than its table (ATTN_ERR_ARGUMENT). With relative positions their bias is noted:
 * [H, 2 longest - 1], of the distances from 1 - longest on. Both are refused together with memory (ATTN_ERR_ARGUMENT). */
ATTN_API attn_tensor *attn_layer_attention(attn_tape *tape, attn_tensor *x,
                                           const attn_sequences *sequences, attn_tensor *memory,
                                           const attn_sequences *memory_sequences,
                                           const attn_multi_head *attention, bool causal,
                                           double dropout);

/* y = a * b, element by element: what a gate lets through. */
ATTN_API attn_tensor *attn_layer_multiply(attn_tape *tape, attn_tensor *a, attn_tensor *b);

/* ---- feed-forward: down(dropout(activation(up(x)))) ----
 * gated (Shazeer 2020): down(dropout(activation(gate(x)) * up(x))) */
typedef struct attn_feed_forward {
    attn_linear up, down; /* NAME.up, NAME.down */
    attn_linear gate;     /* NAME.gate; its weight NULL: not gated */
} attn_feed_forward;

ATTN_API attn_feed_forward attn_feed_forward_declare(attn_params *params, const char *name,
                                                     int64_t channels, int64_t hidden);
ATTN_API attn_feed_forward attn_feed_forward_declare_gated(attn_params *params, const char *name,
                                                           int64_t channels, int64_t hidden);
ATTN_API attn_tensor *attn_layer_feed_forward(attn_tape *tape, attn_tensor *x,
                                              const attn_feed_forward *feed_forward,
                                              attn_activation activation, double dropout);

/* ---- a recurrent unit: c = f c' + (1 - f) x W^T, f = sigmoid(x Wf^T + bf), y = relu(c) ---- */

/* The simpler simple recurrent unit (Kim et al. 2019), which reads a sequence in order, from c' = 0. */
typedef struct attn_ssru {
    attn_linear input, forget; /* W without bias, Wf */
} attn_ssru;

/* Declares NAME.input.weight, NAME.forget.weight and NAME.forget.bias, C by C. */
ATTN_API attn_ssru attn_ssru_declare(attn_params *params, const char *name, int64_t channels);
/* x [N, C] gives y [N, C]; each sequence by itself. */
ATTN_API attn_tensor *attn_layer_ssru(attn_tape *tape, attn_tensor *x,
                                      const attn_sequences *sequences, const attn_ssru *ssru);

/* ---- the output projection with its loss; the logits are never stored as a whole ----
 *     logits = x W^T + b,   losses as in Szegedy et al. 2016 (label smoothing)
 * Adds to *loss the sum of the smoothed losses and to *nll that of -log p[target] (both in double).
 * gradient_scale multiplies the gradient (1 / tokens for a mean). targets: [N], each 0 .. V - 1, or the
 * tape fails with ATTN_ERR_ARGUMENT; no value, negative ones among them, means that a row does not
 * count: leave such rows out of x. smoothing: 0 or more and below 1. output: W [V, C], which may be the
 * table of embeddings too, and b [1, V] or NULL. */
ATTN_API void attn_layer_output_loss(attn_tape *tape, attn_tensor *x, const attn_linear *output,
                                     const int32_t *targets, double smoothing,
                                     attn_real gradient_scale, double *loss, double *nll);
/* R-Drop (Liang et al. 2021). x: [2 N, C], rows n and N + n of two passes with different dropout that predict
 * targets[n], as above; agreement is finite and at least 0. The loss of a target is the mean of the two above, and agreement / 4 times the two
 * Kullback-Leibler divergences between the passes' distributions. */
ATTN_API void attn_layer_output_r_drop(attn_tape *tape, attn_tensor *x, const attn_linear *output,
                                       const int32_t *targets, double smoothing, double agreement,
                                       attn_real gradient_scale, double *loss, double *nll);

#ifdef __cplusplus
}
#endif
#endif
