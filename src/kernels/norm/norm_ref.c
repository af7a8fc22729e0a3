/* kernels/norm/norm_ref.c: layer normalization in plain C: the definition.
 *
 * R rows, C channels. A sum along a row is kept in LANES partial sums, channel c in lane c % LANES.
 */
#include "kernels/norm/norm_kernels.h"

static void norm_forward(int64_t rows, int64_t channels, const real *x, const real *gamma,
                         const real *beta, real epsilon, bool centred, real *y, real *mean,
                         real *rstd) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        real sum[LANES] = {0}, squares[LANES] = {0};
        for (int64_t c = 0; c < channels; c++) {
            sum[c % LANES] += x[c];
        }
        real row_mean = centred ? lanes_sum(sum) / (real)channels : 0;
        for (int64_t c = 0; c < channels; c++) {
            real difference = x[c] - row_mean;
            squares[c % LANES] = real_fma(difference, difference, squares[c % LANES]);
        }
        real row_rstd = 1 / real_sqrt(lanes_sum(squares) / (real)channels + epsilon);
        for (int64_t c = 0; c < channels; c++) {
            y[c] = real_fma((x[c] - row_mean) * row_rstd, gamma[c], beta ? beta[c] : 0);
        }
        if (mean) {
            mean[r] = row_mean;
        }
        if (rstd) {
            rstd[r] = row_rstd;
        }
    }
}

/* With n = (x - mean) * rstd and d_n = d_y * gamma:
 *     d_x += rstd * (d_n - mean of d_n - n * mean of (d_n * n))
 * of which the first mean falls away where x is not centred. */
static void norm_backward_input(int64_t rows, int64_t channels, const real *x, const real *gamma,
                                const real *mean, const real *rstd, const real *d_y, real *d_x,
                                bool centred) {
    for (int64_t r = 0; r < rows; r++, x += channels, d_y += channels, d_x += channels) {
        real sum[LANES] = {0}, products[LANES] = {0};
        for (int64_t c = 0; c < channels; c++) {
            real n = (x[c] - mean[r]) * rstd[r];
            real d_n = d_y[c] * gamma[c];
            sum[c % LANES] += d_n;
            products[c % LANES] = real_fma(d_n, n, products[c % LANES]);
        }
        real mean_d_n = centred ? lanes_sum(sum) / (real)channels : 0;
        real mean_product = lanes_sum(products) / (real)channels;
        for (int64_t c = 0; c < channels; c++) {
            real negative_n = (mean[r] - x[c]) * rstd[r];
            real rest = d_y[c] * gamma[c] - mean_d_n;
            d_x[c] = real_fma(rstd[r], real_fma(negative_n, mean_product, rest), d_x[c]);
        }
    }
}

static void norm_backward_parameters(int64_t rows, int64_t channels, int64_t stride, const real *x,
                                     const real *mean, const real *rstd, const real *d_y,
                                     real *d_gamma, real *d_beta) {
    for (int64_t r = 0; r < rows; r++, x += stride, d_y += stride) {
        for (int64_t c = 0; d_gamma && c < channels; c++) {
            d_gamma[c] = real_fma(d_y[c], (x[c] - mean[r]) * rstd[r], d_gamma[c]);
        }
        for (int64_t c = 0; d_beta && c < channels; c++) {
            d_beta[c] += d_y[c];
        }
    }
}

const attn_norm_kernels attn_norm_ref = {
    .forward = norm_forward,
    .backward_input = norm_backward_input,
    .backward_parameters = norm_backward_parameters,
};
