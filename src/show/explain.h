/* show/explain.h: the numbers behind one attention, as the five steps of scaled dot-product
 * attention: embed and project; dot products; divide by the root of the key size; softmax; weighted
 * sum of the values; and then the heads joined by the output projection.
 *
 * A translator is run once with its tape watched. The steps are then computed again, in double,
 * from the weights and from what entered the layer, and held to what the model itself computed.
 * Letters: C channels, H heads, D head size, Q queries, K keys. Next: terminal.h. */
#ifndef ATTN_SHOW_EXPLAIN_H
#define ATTN_SHOW_EXPLAIN_H

#include "attn/translator.h"

typedef struct attn_explain attn_explain;

/* Runs the model on one pair. source: ids with </s>; target_input: <s> and ids, or NULL for the
 * encoder alone. ATTN_ERR_ARGUMENT: nothing to read, or more than the model's max_length. The model
 * must outlive it. */
ATTN_MUST_CHECK attn_status attn_explain_create(attn_translator *model, const int32_t *source,
                                                int64_t source_length, const int32_t *target_input,
                                                int64_t target_length, attn_explain **out,
                                                attn_error *error);
void attn_explain_free(attn_explain *explain);

/* How many there are of each. */
typedef struct attn_explain_shape {
    int64_t layers, heads, queries, keys, channels, head_size;
} attn_explain_shape;
/* layers 0: the model has no such attention, its decoder reads earlier words by recurrent units. */
attn_explain_shape attn_explain_get_shape(const attn_explain *explain, attn_translator_part part);

/* The weights of every head of one layer, [H, Q, K]. */
ATTN_MUST_CHECK attn_status attn_explain_weights(attn_explain *explain, attn_translator_part part,
                                                 int64_t layer, attn_real *weights,
                                                 attn_error *error);

/* All queries and heads of one layer. The arrays live as long as the attn_explain; those of the
 * model as long as the model. G: key/value heads; head h reads those of h / (H / G). */
typedef struct attn_explain_layer {
    attn_explain_shape shape;
    int64_t kv_heads;
    bool causal;    /* query q may see keys 0 .. q; the rest are masked */
    bool norm_last; /* the norm stands after the sum (post-norm), else before the projections */
    bool embedding_norm; /* a norm stands between the embedding and the first layer */
    bool recurrent;      /* the decoder reads earlier words by recurrent units, not by attention */
    bool rotary;         /* places turn queries and keys of self attention; position is 0 */
    int64_t turned;      /* R: channels of each head that this attention turns; 0: none */
    bool adjacent;       /* they are turned in pairs of neighbours, else of halves */
    bool relative;       /* distances are added to scores of self attention; position is 0 */
    double scale;        /* of the embedding table's rows */
    double root;         /* sqrt(D) */

    const double *table;    /* [Q, C]: each word's row of the embedding table */
    const double *position; /* [Q, C] */
    const double *
        embedding; /* [Q, C] = scale * table + position: what entered the first layer, or the norm before it */
    const double *residual; /* [Q, C]: what comes from below and goes past the attention */
    const double *input;    /* [Q, C]: what enters the query's projection: residual, or its norm */
    const double
        *memory; /* [K, C]: what enters the keys' and values'; of self attention the input */
    const double *query_before; /* [H, Q, D] = W_q input + b_q */
    const double *keys_before;  /* [G, K, D] = W_k memory + b_k */
    const attn_real
        *turns; /* [places, R]: cosines, then sines, as attn_rotary_table; turned 0: NULL */
    const double *query; /* [H, Q, D], [G, K, D]: the same, turned by the places */
    const double *keys;
    const double *values; /* [G, K, D] = W_v memory + b_v */
    const double *scores; /* [H, Q, K] = query . key;    the steps from here on: 0 where masked */
    const double
        *distance_bias;    /* [H, Q, K]: what the distance adds; NULL: nothing in this attention */
    const double *scaled;  /* [H, Q, K] = scores / root + distance_bias */
    const double *exps;    /* [H, Q, K] = exp(scaled - the row's largest) */
    const double *weights; /* [H, Q, K] = exps / their sum */
    const double *joined;  /* [Q, C]: sums of weights times values, all heads side by side */
    const double *projected;        /* [Q, C] = W_o joined + b_o */
    const double *result;           /* [Q, C]: residual + projected, normalized if norm_last */
    const double *head_norms;       /* [Q, H]: the length of each head's part of `projected` */
    const double *mean, *deviation; /* [Q]: of the norm, deviation = sqrt(variance + epsilon); of
                                        * RMSNorm mean is 0 */
    const attn_real *weight[4], *bias[4]; /* W_q, W_k, W_v, W_o: [rows, C]; their biases */
    int64_t rows[4];                      /* C, G D, G D, C */
    const attn_real *gamma, *beta;        /* [C]: of the norm; beta 0 of RMSNorm */
    double difference; /* the largest distance from the model's own numbers, relative */
} attn_explain_layer;

/* ATTN_ERR_ARGUMENT: no such layer. ATTN_ERR_NUMERIC: what was computed here is not what the model
 * computed, within 1e-3 of the largest number of each kind. */
ATTN_MUST_CHECK attn_status attn_explain_get_layer(attn_explain *explain, attn_translator_part part,
                                                   int64_t layer, attn_explain_layer *out,
                                                   attn_error *error);

/* One query of one head. The arrays live as long as the attn_explain. */
typedef struct attn_explain_steps {
    int64_t layer, head, token; /* counted from 0 */
    int64_t visible;            /* the query may see keys 0 .. visible - 1; the rest are masked */
    const double *embedding;    /* [C]: word and position, what entered the first layer */
    const double *input;        /* [C]: what enters this layer's projections */
    const double *query;        /* [D] = W_q input + b_q */
    const double *keys;         /* [K, D] */
    const double *values;       /* [K, D] */
    const double *scores; /* [K] = query . key;       the steps from here on: 0 where masked */
    const double *distance_bias; /* [K]: what the distance adds; NULL: nothing */
    const double *scaled;        /* [K] = scores / sqrt(D) + distance_bias */
    const double *weights;       /* [K] = softmax(scaled) */
    const double *output;        /* [D] = sum of weights times values */
    const double *joined;        /* [C]: the outputs of all heads side by side */
    const double *projected;     /* [C] = W_o joined + b_o */
    const double *result;     /* [C]: projected added to what went past, normalized if post-norm */
    const double *head_norms; /* [H]: the length of each head's part of `projected` */
    double difference;        /* as in the layer */
} attn_explain_steps;

/* Of attn_explain_get_layer. ATTN_ERR_ARGUMENT: layer, head or token out of range; ATTN_ERR_NUMERIC as
 * there. */
ATTN_MUST_CHECK attn_status attn_explain_get_steps(attn_explain *explain, attn_translator_part part,
                                                   int64_t layer, int64_t head, int64_t token,
                                                   attn_explain_steps *steps, attn_error *error);

#endif
