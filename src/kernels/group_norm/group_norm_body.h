/* kernels/group_norm/group_norm_body.h: group normalization over the verbs of any instruction set.
 *
 * Vectors run across channels. Include it after a verbs header. Each function repeats the one of
 * group_norm_ref.c. */
#include <stdbool.h>
#include <stddef.h>

#include "kernels/group_norm/group_norm_kernels.h"
#include "kernels/isa/part16.h"

/* Sums of `vectors` times 16 channels at once, since an addition has to wait for the one before;
 * when there is one vector, of n channels. mean NULL: of x; else of squared differences. */
V_INLINE void group_norm_sums_tile(const int vectors, int64_t rows, int64_t channels,
                                   const float *x, const float *mean, float *sum, int n) {
    v16 acc[4];
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) {
        acc[i] = v_zero();
    }
    for (int64_t r = 0; r < rows; r++, x += channels) {
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) {
            v16 part = v_load_part(x + 16 * i, n);
            if (mean) {
                part = v_sub(part, v_load_part(mean + 16 * i, n));
                acc[i] = v_fma(part, part, acc[i]);
            } else {
                acc[i] = v_add(acc[i], part);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) {
        v_store_part(sum + 16 * i, acc[i], n);
    }
}

V_INLINE void group_norm_all_sums(const bool squared, int64_t rows, int64_t channels,
                                  const float *x, const float *mean, float *sum) {
    int64_t c = 0;
    for (; c + 64 <= channels; c += 64) {
        group_norm_sums_tile(4, rows, channels, x + c, squared ? mean + c : NULL, sum + c, 16);
    }
    for (; c + 16 <= channels; c += 16) {
        group_norm_sums_tile(1, rows, channels, x + c, squared ? mean + c : NULL, sum + c, 16);
    }
    if (c < channels) {
        group_norm_sums_tile(1, rows, channels, x + c, squared ? mean + c : NULL, sum + c,
                             (int)(channels - c));
    }
}

static void group_norm_sums(int64_t rows, int64_t channels, const float *x, float *sum) {
    group_norm_all_sums(false, rows, channels, x, NULL, sum);
}

static void group_norm_squares(int64_t rows, int64_t channels, const float *x, const float *mean,
                               float *sum) {
    group_norm_all_sums(true, rows, channels, x, mean, sum);
}

V_INLINE void group_norm_apply_step(const float *x, const float *mean, const float *scale,
                                    const float *shift, float *y, int n) {
    v16 difference = v_sub(v_load_part(x, n), v_load_part(mean, n));
    v_store_part(y, v_fma(difference, v_load_part(scale, n), v_load_part(shift, n)), n);
}

static void group_norm_apply(int64_t rows, int64_t channels, const float *x, const float *mean,
                             const float *scale, const float *shift, float *y) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            group_norm_apply_step(x + c, mean + c, scale + c, shift + c, y + c, 16);
        }
        if (c < channels) {
            group_norm_apply_step(x + c, mean + c, scale + c, shift + c, y + c,
                                  (int)(channels - c));
        }
    }
}

/* What does not change down the rows: n channels from c on. */
typedef struct {
    v16 mean, scale, beta;
} gradient_channels;

V_INLINE gradient_channels group_norm_load_channels(const bool relu, const attn_group_norm_rows *g,
                                                    int64_t c, int n) {
    return (gradient_channels){.mean = v_load_part(g->mean + c, n),
                               .scale = v_load_part(g->scale + c, n),
                               .beta = relu ? v_load_part(g->beta + c, n) : v_zero()};
}

/* The gradient by norm(x), from d_y and x - mean. */
V_INLINE v16 group_norm_gradient_of_norm(const bool relu, const gradient_channels *k, v16 d,
                                         v16 difference) {
    if (!relu) {
        return d;
    }
    v16 normal = v_fma(difference, k->scale, k->beta);
    return v_select(v_less(v_zero(), normal), d, v_zero());
}

V_INLINE void group_norm_gradient_sums_tile(const bool relu, const attn_group_norm_rows *g,
                                            int64_t c, float *sum, float *product, int n) {
    v16 total = v_zero(), products = v_zero();
    gradient_channels k = group_norm_load_channels(relu, g, c, n);
    for (int64_t r = 0; r < g->rows; r++) {
        int64_t i = r * g->channels + c;
        v16 difference = v_sub(v_load_part(g->x + i, n), k.mean);
        v16 d = group_norm_gradient_of_norm(relu, &k, v_load_part(g->d_y + i, n), difference);
        total = v_add(total, d);
        products = v_fma(d, difference, products);
    }
    v_store_part(sum + c, total, n);
    v_store_part(product + c, products, n);
}

V_INLINE void group_norm_gradient_sums_of(const bool relu, const attn_group_norm_rows *g,
                                          float *sum, float *product) {
    int64_t c = 0;
    for (; c + 16 <= g->channels; c += 16) {
        group_norm_gradient_sums_tile(relu, g, c, sum, product, 16);
    }
    if (c < g->channels) {
        group_norm_gradient_sums_tile(relu, g, c, sum, product, (int)(g->channels - c));
    }
}

static void group_norm_gradient_sums(const attn_group_norm_rows *g, float *sum, float *product) {
    if (g->beta != NULL) {
        group_norm_gradient_sums_of(true, g, sum, product);
    } else {
        group_norm_gradient_sums_of(false, g, sum, product);
    }
}

V_INLINE void group_norm_gradient_step(const bool relu, const attn_group_norm_rows *g, int64_t r,
                                       int64_t c, const float *slope, const float *shift,
                                       const bool accumulate, float *d_x, int n) {
    int64_t i = r * g->channels + c;
    gradient_channels k = group_norm_load_channels(relu, g, c, n);
    v16 difference = v_sub(v_load_part(g->x + i, n), k.mean);
    v16 rest = v_fma(difference, v_load_part(slope + c, n), v_load_part(shift + c, n));
    v16 d = group_norm_gradient_of_norm(relu, &k, v_load_part(g->d_y + i, n), difference);
    v16 old = accumulate ? v_load_part(d_x + i, n) : v_zero();
    v_store_part(d_x + i, v_add(old, v_fma(d, k.scale, rest)), n);
}

V_INLINE void group_norm_gradient_rows(const bool relu, const attn_group_norm_rows *g,
                                       const float *slope, const float *shift,
                                       const bool accumulate, float *d_x) {
    for (int64_t r = 0; r < g->rows; r++) {
        int64_t c = 0;
        for (; c + 16 <= g->channels; c += 16) {
            group_norm_gradient_step(relu, g, r, c, slope, shift, accumulate, d_x, 16);
        }
        if (c < g->channels) {
            group_norm_gradient_step(relu, g, r, c, slope, shift, accumulate, d_x,
                                     (int)(g->channels - c));
        }
    }
}

static void group_norm_gradient(const attn_group_norm_rows *g, const float *slope,
                                const float *shift, bool accumulate, float *d_x) {
    if (g->beta != NULL && accumulate) {
        group_norm_gradient_rows(true, g, slope, shift, true, d_x);
    } else if (g->beta != NULL) {
        group_norm_gradient_rows(true, g, slope, shift, false, d_x);
    } else {
        group_norm_gradient_rows(false, g, slope, shift, accumulate, d_x);
    }
}

static const attn_group_norm_kernels group_norm_kernels = {
    .sums = group_norm_sums,
    .squares = group_norm_squares,
    .apply = group_norm_apply,
    .gradient_sums = group_norm_gradient_sums,
    .gradient = group_norm_gradient,
};
