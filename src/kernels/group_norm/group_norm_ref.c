/* kernels/group_norm/group_norm_ref.c: group normalization in plain C: the definition. */
#include <stddef.h>

#include "kernels/group_norm/group_norm_kernels.h"

static void group_norm_sums(int64_t rows, int64_t channels, const real *x, real *sum) {
    for (int64_t c = 0; c < channels; c++) {
        sum[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            sum[c] += x[r * channels + c];
        }
    }
}

static void group_norm_squares(int64_t rows, int64_t channels, const real *x, const real *mean,
                               real *sum) {
    for (int64_t c = 0; c < channels; c++) {
        sum[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            real difference = x[r * channels + c] - mean[c];
            sum[c] = real_fma(difference, difference, sum[c]);
        }
    }
}

static void group_norm_apply(int64_t rows, int64_t channels, const real *x, const real *mean,
                             const real *scale, const real *shift, real *y) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        for (int64_t c = 0; c < channels; c++) {
            y[c] = real_fma(x[c] - mean[c], scale[c], shift[c]);
        }
    }
}

/* The gradient by norm(x) at element i, of channel c. */
static real group_norm_gradient_of_norm(const attn_group_norm_rows *g, int64_t i, int64_t c) {
    if (g->beta != NULL && !(real_fma(g->x[i] - g->mean[c], g->scale[c], g->beta[c]) > 0)) {
        return 0;
    }
    return g->d_y[i];
}

static void group_norm_gradient_sums(const attn_group_norm_rows *g, real *sum, real *product) {
    for (int64_t c = 0; c < g->channels; c++) {
        sum[c] = product[c] = 0;
        for (int64_t r = 0; r < g->rows; r++) {
            int64_t i = r * g->channels + c;
            real d = group_norm_gradient_of_norm(g, i, c);
            sum[c] += d;
            product[c] = real_fma(d, g->x[i] - g->mean[c], product[c]);
        }
    }
}

static void group_norm_gradient(const attn_group_norm_rows *g, const real *slope, const real *shift,
                                bool accumulate, real *d_x) {
    for (int64_t r = 0; r < g->rows; r++) {
        for (int64_t c = 0; c < g->channels; c++) {
            int64_t i = r * g->channels + c;
            real rest = real_fma(g->x[i] - g->mean[c], slope[c], shift[c]);
            real change = real_fma(group_norm_gradient_of_norm(g, i, c), g->scale[c], rest);
            d_x[i] = (accumulate ? d_x[i] : 0) + change;
        }
    }
}

const attn_group_norm_kernels attn_group_norm_ref = {
    .sums = group_norm_sums,
    .squares = group_norm_squares,
    .apply = group_norm_apply,
    .gradient_sums = group_norm_gradient_sums,
    .gradient = group_norm_gradient,
};
