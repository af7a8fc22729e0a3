/* kernels/group_norm/group_norm_ref.c: group normalization in plain C: the definition. */
#include "kernels/group_norm/group_norm_kernels.h"

static void sums(int64_t rows, int64_t channels, const real *x, real *sum) {
    for (int64_t c = 0; c < channels; c++) {
        sum[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            sum[c] += x[r * channels + c];
        }
    }
}

static void squares(int64_t rows, int64_t channels, const real *x, const real *mean, real *sum) {
    for (int64_t c = 0; c < channels; c++) {
        sum[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            real difference = x[r * channels + c] - mean[c];
            sum[c] = real_fma(difference, difference, sum[c]);
        }
    }
}

static void apply(int64_t rows, int64_t channels, const real *x, const real *mean,
                  const real *scale, const real *shift, real *y) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        for (int64_t c = 0; c < channels; c++) {
            y[c] = real_fma(x[c] - mean[c], scale[c], shift[c]);
        }
    }
}

static void gradient_sums(int64_t rows, int64_t channels, const real *x, const real *mean,
                          const real *d_y, real *sum, real *product) {
    for (int64_t c = 0; c < channels; c++) {
        sum[c] = product[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            real d = d_y[r * channels + c];
            sum[c] += d;
            product[c] = real_fma(d, x[r * channels + c] - mean[c], product[c]);
        }
    }
}

static void gradient(int64_t rows, int64_t channels, const real *x, const real *mean,
                     const real *d_y, const real *scale, const real *slope, const real *shift,
                     real *d_x) {
    for (int64_t r = 0; r < rows; r++, x += channels, d_y += channels, d_x += channels) {
        for (int64_t c = 0; c < channels; c++) {
            real rest = real_fma(x[c] - mean[c], slope[c], shift[c]);
            d_x[c] += real_fma(d_y[c], scale[c], rest);
        }
    }
}

void attn_group_norm_fill_ref(attn_group_norm_kernels *kernels) {
    *kernels = (attn_group_norm_kernels){sums, squares, apply, gradient_sums, gradient};
}
