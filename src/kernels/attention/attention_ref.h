/* kernels/attention/attention_ref.h: one row against keys that arrive in blocks, in plain C: what the
 * definitions of the full pass and of decoding share. Next: attention_ref.c. */
#ifndef ATTN_KERNELS_ATTENTION_REF_H
#define ATTN_KERNELS_ATTENTION_REF_H

#include <string.h>

#include "base/math.h"
#include "kernels/attention/attention_kernels.h"

/* Defined in attention_cache_ref.c. */
int64_t attn_cache_scratch_ref(const attn_cache_layout *layout);
void attn_cache_attend_ref(attn_cache_item *item, real *scratch);
void attn_cache_add_weights_ref(int64_t first, int64_t last, const real *scores,
                                attn_reference reference, real *weights);

typedef struct row_state {
    real query[ATTN_MAX_HEAD_SIZE]; /* times scale * log2(e) */
    real acc[ATTN_MAX_HEAD_SIZE];
    real sums[LANES];
    real max;
} row_state;

static inline void row_start(row_state *row, const real *query, real query_factor,
                             int64_t head_size) {
    memset(row, 0, sizeof *row);
    row->max = -INFINITY;
    for (int64_t d = 0; d < head_size; d++) {
        row->query[d] = query[d] * query_factor;
    }
}

static inline real dot(const real *a, const real *b, int64_t b_stride, int64_t count) {
    real sum = 0;
    for (int64_t d = 0; d < count; d++) {
        sum = real_fma(a[d], b[d * b_stride], sum);
    }
    return sum;
}

/* The maximum so far becomes that of the new scores too; what was summed is rescaled to it. Returns
 * what to subtract from the scores. */
static inline real row_raise(row_state *row, const real *scores, int64_t count,
                             int64_t value_size) {
    real max = row->max;
    for (int64_t j = 0; j < count; j++) {
        max = scores[j] > max ? scores[j] : max;
    }
    if (max != row->max) {
        real factor = real_exp2(row->max - max);
        for (int64_t e = 0; e < value_size; e++) {
            row->acc[e] *= factor;
        }
        for (int lane = 0; lane < LANES; lane++) {
            row->sums[lane] *= factor;
        }
        row->max = max;
    }
    return max == -INFINITY ? 0 : max;
}

static inline attn_row_softmax row_finish(const row_state *row, int64_t value_size, real *output) {
    real sum = lanes_sum(row->sums), log_sum = real_log2(sum);
    for (int64_t e = 0; e < value_size; e++) {
        output[e] = sum == 0 ? 0 : row->acc[e] / sum;
    }
    real lse = sum == 0 ? -INFINITY : real_fma(row->max, REAL_LN2, log_sum * REAL_LN2);
    return (attn_row_softmax){lse, row->max, log_sum};
}

/* log2 of P of a score, once the softmax of its row is known; and P. */
static inline real log_weight(real s, attn_reference reference) {
    return real_fma(reference.minus, reference.unit, s) - reference.rest;
}
static inline real weight(real s, attn_reference reference) {
    return real_exp2(log_weight(s, reference));
}

#endif
