/* layers/guide.c: the loss of a guided head and its gradient; see guide.h.
 *
 * A sentence is one thread's, rows and keys in order: every sum has one order. */
#include "layers/guide.h"

#include "attn/threads.h"
#include "base/math.h"
#include "kernels/attention/attention_kernels.h"

static real scale_of(const attn_guide_head *h) {
    return (real)1 / real_sqrt((real)h->size);
}

static real dot(const attn_guide_head *h, int64_t row, int64_t key) {
    const real *q = h->query + row * h->query_row, *k = h->key + key * h->key_row;
    real sum = 0;
    for (int64_t d = 0; d < h->size; d++) {
        sum += q[d] * k[d];
    }
    return sum;
}

bool attn_guide_fits(const attn_guide *g, const attn_guide_head *h, int64_t *row) {
    for (int64_t s = 0; s < h->sequences.count; s++) {
        int64_t keys = h->memory_sequences.starts[s + 1] - h->memory_sequences.starts[s];
        for (int64_t n = h->sequences.starts[s]; n < h->sequences.starts[s + 1]; n++) {
            for (int64_t i = g->start[n]; i < g->start[n + 1]; i++) {
                if (g->token[i] < 0 || g->token[i] >= keys) {
                    *row = n;
                    return false;
                }
            }
        }
    }
    return true;
}

/* What is taken from the scores of row n, of keys first .. last - 1, for log p: LSE, or where that is coarse
 * the maximum and then the logarithm of the sum. */
typedef struct row_softmax {
    real max, log_sum;
} row_softmax;

static row_softmax softmax_of(const attn_guide_head *h, int64_t n, int64_t first, int64_t last) {
    real scale = scale_of(h), max = -INFINITY, sum = 0;
    if (!attn_lse_is_coarse(h->lse[n])) {
        return (row_softmax){h->lse[n], 0};
    }
    for (int64_t m = first; m < last; m++) {
        real score = dot(h, n, m) * scale;
        max = score > max ? score : max;
    }
    for (int64_t m = first; m < last; m++) {
        sum += real_exp2((dot(h, n, m) * scale - max) * REAL_LOG2E);
    }
    return (row_softmax){max, real_log(sum)};
}

static real log_weight(const attn_guide_head *h, int64_t n, int64_t m, row_softmax row) {
    return dot(h, n, m) * scale_of(h) - row.max - row.log_sum;
}

double attn_guide_loss(const attn_guide *g, const attn_guide_head *h) {
    double loss = 0;
    for (int64_t s = 0; s < h->sequences.count; s++) {
        int64_t first_key = h->memory_sequences.starts[s];
        int64_t last_key = h->memory_sequences.starts[s + 1];
        for (int64_t n = h->sequences.starts[s]; n < h->sequences.starts[s + 1]; n++) {
            double count = (double)(g->start[n + 1] - g->start[n]);
            if (count == 0) {
                continue;
            }
            row_softmax row = softmax_of(h, n, first_key, last_key);
            for (int64_t i = g->start[n]; i < g->start[n + 1]; i++) {
                loss -= (double)log_weight(h, n, first_key + g->token[i], row) / count;
            }
        }
    }
    return loss;
}

/* forward: log p[j] = scale q k[j] - lse, so d loss / d (scale q k[j]) = p[j] - [j is a token of the row] / count */
static void backward_row(const attn_guide *g, const attn_guide_head *h, int64_t n, int64_t first,
                         int64_t last) {
    real scale = scale_of(h), each = (real)1 / (real)(g->start[n + 1] - g->start[n]);
    row_softmax row = softmax_of(h, n, first, last);
    for (int64_t m = first; m < last; m++) {
        real p = real_exp2(log_weight(h, n, m, row) * REAL_LOG2E), aim = 0;
        for (int64_t i = g->start[n]; i < g->start[n + 1]; i++) {
            aim += first + g->token[i] == m ? each : 0;
        }
        real d_score = (p - aim) * scale * g->gradient_scale;
        const real *q = h->query + n * h->query_row, *k = h->key + m * h->key_row;
        real *d_q = h->d_query + n * h->query_row, *d_k = h->d_key + m * h->key_row;
        for (int64_t d = 0; d < h->size; d++) {
            d_q[d] += d_score * k[d];
            d_k[d] += d_score * q[d];
        }
    }
}

void attn_guide_backward(const attn_guide *g, const attn_guide_head *h) {
    const int64_t *rows = h->sequences.starts, *keys = h->memory_sequences.starts;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t s = 0; s < h->sequences.count; s++) {
        for (int64_t n = rows[s]; n < rows[s + 1]; n++) {
            if (g->start[n] < g->start[n + 1]) {
                backward_row(g, h, n, keys[s], keys[s + 1]);
            }
        }
    }
}
