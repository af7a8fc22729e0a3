/* kernels/norm/norm_body.h: layer normalization over the verbs of any instruction set.
 *
 * R rows, C channels. Include it after a verbs header and math16.h. Each function repeats, to the
 * bit, the one of the same name in norm_ref.c; n counts the channels of a step, 16 except at the
 * end of a row. */
#include "base/real.h"
#include "kernels/isa/part16.h"
#include "kernels/norm/norm_kernels.h"

V_INLINE v16 norm_square_step(v16 sum, const float *x, v16 mean, int n) {
    v16 difference = v_keep_first(v_sub(v_load_part(x, n), mean), n);
    return v_fma(difference, difference, sum);
}

V_INLINE void norm_scale_step(const float *x, v16 mean, v16 rstd, const float *gamma,
                              const float *beta, float *y, int n) {
    v16 normal = v_mul(v_sub(v_load_part(x, n), mean), rstd);
    v16 shift = beta ? v_load_part(beta, n) : v_zero();
    v_store_part(y, v_fma(normal, v_load_part(gamma, n), shift), n);
}

static float norm_row_mean(int64_t channels, const float *x) {
    v16 sum = v_zero();
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        sum = v_add(sum, v_load(x + c));
    }
    if (c < channels) {
        sum = v_add(sum, v_load_first(x + c, (int)(channels - c)));
    }
    return v_sum(sum) / (float)channels;
}

static float norm_row_variance(int64_t channels, const float *x, float mean) {
    v16 sum = v_zero(), mean16 = v_set1(mean);
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        sum = norm_square_step(sum, x + c, mean16, 16);
    }
    if (c < channels) {
        sum = norm_square_step(sum, x + c, mean16, (int)(channels - c));
    }
    return v_sum(sum) / (float)channels;
}

static void norm_forward(int64_t rows, int64_t channels, const float *x, const float *gamma,
                         const float *beta, float epsilon, bool centred, float *y, float *mean,
                         float *rstd) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        float row_m = centred ? norm_row_mean(channels, x) : 0;
        float row_r = 1 / real_sqrt(norm_row_variance(channels, x, row_m) + epsilon);
        v16 m = v_set1(row_m), s = v_set1(row_r);
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            norm_scale_step(x + c, m, s, gamma + c, beta ? beta + c : NULL, y + c, 16);
        }
        if (c < channels) {
            norm_scale_step(x + c, m, s, gamma + c, beta ? beta + c : NULL, y + c,
                            (int)(channels - c));
        }
        if (mean) {
            mean[r] = row_m;
        }
        if (rstd) {
            rstd[r] = row_r;
        }
    }
}

/* One row of the backward by the input. */
typedef struct {
    v16 mean, rstd;
    v16 sum, products;          /* of d_n and of d_n * n */
    v16 mean_d_n, mean_product; /* their means, in the second pass */
} input_row;

V_INLINE void norm_input_sums_step(input_row *row, const float *x, const float *gamma,
                                   const float *d_y, int n) {
    v16 normal = v_keep_first(v_mul(v_sub(v_load_part(x, n), row->mean), row->rstd), n);
    v16 d_n = v_mul(v_load_part(d_y, n), v_load_part(gamma, n));
    row->sum = v_add(row->sum, d_n);
    row->products = v_fma(d_n, normal, row->products);
}

V_INLINE void norm_input_step(const input_row *row, const float *x, const float *gamma,
                              const float *d_y, float *d_x, int n) {
    v16 negative = v_mul(v_sub(row->mean, v_load_part(x, n)), row->rstd);
    v16 centred = v_sub(v_mul(v_load_part(d_y, n), v_load_part(gamma, n)), row->mean_d_n);
    v16 inner = v_fma(negative, row->mean_product, centred);
    v_store_part(d_x, v_fma(row->rstd, inner, v_load_part(d_x, n)), n);
}

static void norm_backward_input(int64_t rows, int64_t channels, const float *x, const float *gamma,
                                const float *mean, const float *rstd, const float *d_y, float *d_x,
                                bool centred) {
    for (int64_t r = 0; r < rows; r++, x += channels, d_y += channels, d_x += channels) {
        input_row row = {.mean = v_set1(mean[r]), .rstd = v_set1(rstd[r])};
        row.sum = row.products = v_zero();
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            norm_input_sums_step(&row, x + c, gamma + c, d_y + c, 16);
        }
        if (c < channels) {
            norm_input_sums_step(&row, x + c, gamma + c, d_y + c, (int)(channels - c));
        }
        row.mean_d_n = centred ? v_set1(v_sum(row.sum) / (float)channels) : v_zero();
        row.mean_product = v_set1(v_sum(row.products) / (float)channels);
        for (c = 0; c + 16 <= channels; c += 16) {
            norm_input_step(&row, x + c, gamma + c, d_y + c, d_x + c, 16);
        }
        if (c < channels) {
            norm_input_step(&row, x + c, gamma + c, d_y + c, d_x + c, (int)(channels - c));
        }
    }
}

V_INLINE void norm_parameters_step(const float *x, v16 mean, v16 rstd, const float *d_y,
                                   float *d_gamma, float *d_beta, int n) {
    v16 d = v_load_part(d_y, n);
    if (d_gamma) {
        v16 normal = v_mul(v_sub(v_load_part(x, n), mean), rstd);
        v_store_part(d_gamma, v_fma(d, normal, v_load_part(d_gamma, n)), n);
    }
    if (d_beta) {
        v_store_part(d_beta, v_add(v_load_part(d_beta, n), d), n);
    }
}

static void norm_backward_parameters(int64_t rows, int64_t channels, int64_t stride, const float *x,
                                     const float *mean, const float *rstd, const float *d_y,
                                     float *d_gamma, float *d_beta) {
    for (int64_t r = 0; r < rows; r++, x += stride, d_y += stride) {
        v16 m = v_set1(mean[r]), s = v_set1(rstd[r]);
        for (int64_t c = 0; c < channels; c += 16) {
            float *to_gamma = d_gamma ? d_gamma + c : NULL, *to_beta = d_beta ? d_beta + c : NULL;
            if (channels - c >= 16) {
                norm_parameters_step(x + c, m, s, d_y + c, to_gamma, to_beta, 16);
            } else {
                norm_parameters_step(x + c, m, s, d_y + c, to_gamma, to_beta, (int)(channels - c));
            }
        }
    }
}

static const attn_norm_kernels norm_kernels = {
    .forward = norm_forward,
    .backward_input = norm_backward_input,
    .backward_parameters = norm_backward_parameters,
};
