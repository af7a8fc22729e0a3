/* kernels/loss/loss.h: softmax over the vocabulary, its cross-entropy and its gradient.
 *
 * Letters: N rows, V classes. log p[v] = x[v] - max - log(sum over v of exp(x[v] - max)); the sum
 * is 16 lanes (v % 16) and lanes_sum; exp is exp2((x - max) * log2(e)). Label smoothing e:  loss =
 * (1 - e) * -log p[target] + e / V * sum over v of -log p[v]   (Szegedy et al. 2016). */
#ifndef ATTN_KERNELS_LOSS_H
#define ATTN_KERNELS_LOSS_H

#include "base/real.h"

/* The bias of a class that a model lacks, a word without a row in another program's vocabulary: softmax makes it exactly 0. */
#define ATTN_NEVER ((real)-1e9)

/* Such classes: label smoothing gives them no share, V counts the others alone, and their gradient is 0. */
typedef struct attn_absent_classes {
    const int32_t *id;
    int64_t count;
} attn_absent_classes;

/* Per row: loss[r] (smoothed) and nll[r] (-log p[target]), each may be NULL. Writes the gradient
 * over the logits in place: logits[r, v] = gradient_scale * (p[v] - (1 - e) [v = target] - e / V);
 * gradient_scale 0 leaves the logits as they are, apart from those of absent classes (NULL: there are none). Rows with target < 0 are ignored: loss 0,
 * gradient 0. Rows are row_stride apart. Threaded over rows. */
void attn_cross_entropy(int64_t rows, int64_t classes, int64_t row_stride, real *logits,
                        const int32_t *targets, const attn_absent_classes *absent, real smoothing,
                        real gradient_scale, real *loss, real *nll);
/* R-Drop (Liang et al. 2021): the same targets after two passes with different dropout, p and q. Per row
 *     loss = (loss of p + loss of q) / 2 + agreement / 4 * (KL(p || q) + KL(q || p))
 * (half of the article's, so that agreement 0 is the mean of both), nll the mean of both. The gradients over both
 * logits are written in place as above; sums along a row are 16 lanes and lanes_sum. room: 2 * classes for each of
 * attn_get_threads() threads. */
void attn_cross_entropy_twice(int64_t rows, int64_t classes, int64_t row_stride, real *first,
                              real *second, const int32_t *targets,
                              const attn_absent_classes *absent, real smoothing, real agreement,
                              real gradient_scale, real *room, real *loss, real *nll);
/* In place: logits -> log-probabilities. Threaded over rows. */
void attn_log_softmax(int64_t rows, int64_t classes, int64_t row_stride, real *logits);

/* The sum of values in double, in index order: for totals of losses. */
double attn_sum_double(int64_t count, const real *values);

#endif
