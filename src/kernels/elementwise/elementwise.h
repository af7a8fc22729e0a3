/* kernels/elementwise/elementwise.h: what happens to each element on its own, and rows looked up.
 *
 * Threaded where it pays. Dropout is a function of (key, element index) alone: element e is kept
 * when word (e / 16) % 4 of philox(counter = {low32, high32 of (e / 64) * 16 + e % 16, 0, 0}, key)
 * is at least attn_dropout_threshold(p), and then divided by 1 - p (multiplied by the rounded
 * inverse). */
#ifndef ATTN_KERNELS_ELEMENTWISE_H
#define ATTN_KERNELS_ELEMENTWISE_H

#include <stdbool.h>

#include "attn/matmul.h"
#include "base/real.h"

/* y += x */
void attn_add(int64_t count, const real *x, real *y);
/* y *= x */
void attn_multiply(int64_t count, const real *x, real *y);
/* y[c] += the sum of the rows of x [rows, cols], one after another */
void attn_add_rows(int64_t rows, int64_t cols, const real *x, real *y);
/* y = x * factor; y may be x */
void attn_scale(int64_t count, const real *x, real factor, real *y);
/* y = fma(factor, x, base); base NULL counts as 0; y may be x or base */
void attn_scale_add(int64_t count, const real *x, real factor, const real *base, real *y);

/* d_x = d_y * activation'(x); x is the pre-activation; d_x may be d_y. */
void attn_activation_backward(attn_activation activation, int64_t count, const real *x,
                              const real *d_y, real *d_x);

/* round(p * 2^32), at most 2^32 - 1 */
uint32_t attn_dropout_threshold(double p);
/* y = base + dropout(x); base NULL counts as 0 (then y = dropout(x)); y may be x or base. p = 0
 * keeps all. */
void attn_dropout_forward(int64_t count, const real *x, const real *base, double p, uint64_t key,
                          real *y);
/* d_x (+)= dropout mask applied to d_y: the gradient by x of the same call. */
void attn_dropout_backward(int64_t count, const real *d_y, double p, uint64_t key, real *d_x,
                           bool accumulate);

/* y[t] = scale * table[ids[t]] + positions[position_ids[t]]; positions NULL: none. Rows of
 * `channels`. */
void attn_embedding_forward(int64_t tokens, int64_t channels, const int32_t *ids, const real *table,
                            real scale, const int32_t *position_ids, const real *positions,
                            real *y);
/* d_table[ids[t]] = fma(scale, d_y[t], d_table[ids[t]]), in the order of t for each row of the
 * table. `rows` is the table's. Also serves learned positions (scale 1). */
void attn_embedding_backward(int64_t tokens, int64_t channels, const int32_t *ids, int64_t rows,
                             real scale, const real *d_y, real *d_table);

#endif
