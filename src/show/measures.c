/* show/measures.c: entropy, distance and rollout, in double. */
#include "show/measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

double attn_measure_entropy(const attn_real *weights, int64_t queries, int64_t keys) {
    double sum = 0;
    for (int64_t i = 0; i < queries * keys; i++) {
        double p = (double)weights[i];
        sum -= p > 0 ? p * log(p) : 0;
    }
    double mean = sum / (double)queries;
    return mean > 0 ? mean : 0; /* no -0, and no rounding below it */
}

double attn_measure_distance(const attn_real *weights, int64_t queries, int64_t keys) {
    double sum = 0;
    for (int64_t q = 0; q < queries; q++) {
        for (int64_t k = 0; k < keys; k++) {
            sum += (double)weights[q * keys + k] * (double)llabs(q - k);
        }
    }
    return sum / (double)queries;
}

/* ---- rollout ---- */

/* The mean over the heads: [H, rows, columns] -> [rows, columns]. */
static void average_heads(const attn_real *weights, int64_t heads, int64_t size, double *out) {
    for (int64_t i = 0; i < size; i++) {
        double sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += (double)weights[h * size + i];
        }
        out[i] = sum / (double)heads;
    }
}

/* How layers are multiplied: rollout takes 0.5 A + 0.5 I with rows summing to 1, relevance A + I as it is. */
typedef enum layer_rule { ROLLOUT, RELEVANCE } layer_rule;

/* In place. */
static void add_residual(layer_rule rule, double *a, int64_t n) {
    double kept = rule == ROLLOUT ? 0.5 : 1;
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int64_t c = 0; c < n; c++) {
            a[r * n + c] = kept * a[r * n + c] + (r == c ? kept : 0);
            sum += a[r * n + c];
        }
        for (int64_t c = 0; c < n && rule == ROLLOUT; c++) {
            a[r * n + c] /= sum;
        }
    }
}

/* out [rows, columns] = scale * a [rows, inner] b [inner, columns] + keep * out */
static void add_product(double scale, const double *a, const double *b, int64_t rows, int64_t inner,
                        int64_t columns, double keep, double *out) {
    for (int64_t r = 0; r < rows; r++) {
        double *row = out + r * columns;
        for (int64_t c = 0; c < columns; c++) {
            row[c] *= keep;
        }
        for (int64_t i = 0; i < inner; i++) {
            double factor = scale * a[r * inner + i];
            for (int64_t c = 0; c < columns; c++) {
                row[c] += factor * b[i * columns + c];
            }
        }
    }
}

static attn_status multiply_layers(layer_rule rule, const attn_real *weights, int64_t layers,
                                   int64_t heads, int64_t tokens, attn_real *out,
                                   attn_error *error) {
    size_t size = (size_t)(tokens * tokens);
    double *space = attn_alloc_zero(3 * size, sizeof *space);
    if (space == NULL) {
        return attn_fail_memory(error, 3 * size * sizeof *space);
    }
    double *layer = space, *rolled = space + size, *next = rolled + size;
    for (int64_t i = 0; i < tokens; i++) {
        rolled[i * tokens + i] = 1;
    }
    for (int64_t l = 0; l < layers; l++) {
        average_heads(weights + (size_t)(l * heads) * size, heads, (int64_t)size, layer);
        add_residual(rule, layer, tokens);
        add_product(1, layer, rolled, tokens, tokens, tokens, 0, next);
        double *swap = rolled;
        rolled = next;
        next = swap;
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (attn_real)rolled[i];
    }
    attn_free(space);
    return ATTN_OK;
}

attn_status attn_measure_rollout(const attn_real *weights, int64_t layers, int64_t heads,
                                 int64_t tokens, attn_real *out, attn_error *error) {
    return multiply_layers(ROLLOUT, weights, layers, heads, tokens, out, error);
}

attn_status attn_measure_relevance(const attn_real *weights, int64_t layers, int64_t heads,
                                   int64_t tokens, attn_real *out, attn_error *error) {
    return multiply_layers(RELEVANCE, weights, layers, heads, tokens, out, error);
}

/* Rows to a sum of 1. */
static void renormalize(const double *rolled, int64_t rows, int64_t columns, attn_real *out) {
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t c = 0; c < columns; c++) {
            sum += rolled[r * columns + c];
        }
        for (int64_t c = 0; c < columns; c++) {
            out[r * columns + c] = (attn_real)(rolled[r * columns + c] / sum);
        }
    }
}

static attn_status multiply_cross(layer_rule rule, const attn_decoder_weights *w, attn_real *out,
                                  attn_error *error) {
    double share =
        rule == ROLLOUT ? 0.5 : 1; /* of what comes from the source, and of what is kept */
    int64_t heads = w->heads, queries = w->queries, keys = w->keys;
    size_t target = (size_t)(queries * queries), both = (size_t)(queries * keys),
           source = (size_t)(keys * keys), all = target + 3 * both + source;
    double *space = attn_alloc_zero(all, sizeof *space);
    if (space == NULL) {
        return attn_fail_memory(error, all * sizeof *space);
    }
    double *own = space, *across = own + target, *rolled = across + both, *next = rolled + both,
           *from = next + both;
    for (size_t i = 0; i < source; i++) {
        from[i] = (double)w->encoder[i];
    }
    for (int64_t l = 0; l < w->layers; l++) {
        if (w->self != NULL) {
            average_heads(w->self + (size_t)(l * heads) * target, heads, (int64_t)target, own);
            add_residual(rule, own, queries);
            add_product(1, own, rolled, queries, queries, keys, 0, next);
        } else {
            memcpy(next, rolled, both * sizeof *next);
        }
        average_heads(w->cross + (size_t)(l * heads) * both, heads, (int64_t)both, across);
        add_product(share, across, from, queries, keys, keys, share, next);
        double *swap = rolled;
        rolled = next;
        next = swap;
    }
    for (size_t i = 0; rule == RELEVANCE && i < both; i++) {
        out[i] = (attn_real)rolled[i];
    }
    if (rule == ROLLOUT) {
        renormalize(rolled, queries, keys, out);
    }
    attn_free(space);
    return ATTN_OK;
}

attn_status attn_measure_rollout_cross(const attn_decoder_weights *w, attn_real *out,
                                       attn_error *error) {
    return multiply_cross(ROLLOUT, w, out, error);
}

attn_status attn_measure_relevance_cross(const attn_decoder_weights *w, attn_real *out,
                                         attn_error *error) {
    return multiply_cross(RELEVANCE, w, out, error);
}
