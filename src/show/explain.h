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

typedef enum attn_explain_part {
    ATTN_EXPLAIN_ENCODER, /* source words to source words */
    ATTN_EXPLAIN_DECODER, /* target words to earlier target words */
    ATTN_EXPLAIN_CROSS,   /* target words to source words */
} attn_explain_part;

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
attn_explain_shape attn_explain_get_shape(const attn_explain *explain, attn_explain_part part);

/* The weights of every head of one layer, [H, Q, K]. */
ATTN_MUST_CHECK attn_status attn_explain_weights(attn_explain *explain, attn_explain_part part,
                                                 int64_t layer, attn_real *weights,
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
    const double *scores;     /* [K] = query . key;       the steps from here on: 0 where masked */
    const double *scaled;     /* [K] = scores / sqrt(D) */
    const double *weights;    /* [K] = softmax(scaled) */
    const double *output;     /* [D] = sum of weights times values */
    const double *joined;     /* [C]: the outputs of all heads side by side */
    const double *projected;  /* [C] = W_o joined + b_o */
    const double *result;     /* [C]: projected added to what went past, normalized if post-norm */
    const double *head_norms; /* [H]: the length of each head's part of `projected` */
    double difference;        /* the largest distance from the model's own numbers, relative */
} attn_explain_steps;

/* ATTN_ERR_ARGUMENT: layer, head or token out of range. ATTN_ERR_NUMERIC: what was computed here is
 * not what the model computed, within 1e-3 of the largest number of each kind. */
ATTN_MUST_CHECK attn_status attn_explain_get_steps(attn_explain *explain, attn_explain_part part,
                                                   int64_t layer, int64_t head, int64_t token,
                                                   attn_explain_steps *steps, attn_error *error);

#endif
