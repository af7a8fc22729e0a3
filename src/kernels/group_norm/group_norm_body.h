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
V_INLINE void sums_tile(const int vectors, int64_t rows, int64_t channels, const float *x,
                        const float *mean, float *sum, int n) {
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

V_INLINE void all_sums(const bool squared, int64_t rows, int64_t channels, const float *x,
                       const float *mean, float *sum) {
    int64_t c = 0;
    for (; c + 64 <= channels; c += 64) {
        sums_tile(4, rows, channels, x + c, squared ? mean + c : NULL, sum + c, 16);
    }
    for (; c + 16 <= channels; c += 16) {
        sums_tile(1, rows, channels, x + c, squared ? mean + c : NULL, sum + c, 16);
    }
    if (c < channels) {
        sums_tile(1, rows, channels, x + c, squared ? mean + c : NULL, sum + c,
                  (int)(channels - c));
    }
}

static void sums(int64_t rows, int64_t channels, const float *x, float *sum) {
    all_sums(false, rows, channels, x, NULL, sum);
}

static void squares(int64_t rows, int64_t channels, const float *x, const float *mean, float *sum) {
    all_sums(true, rows, channels, x, mean, sum);
}

V_INLINE void apply_step(const float *x, const float *mean, const float *scale, const float *shift,
                         float *y, int n) {
    v16 difference = v_sub(v_load_part(x, n), v_load_part(mean, n));
    v_store_part(y, v_fma(difference, v_load_part(scale, n), v_load_part(shift, n)), n);
}

static void apply(int64_t rows, int64_t channels, const float *x, const float *mean,
                  const float *scale, const float *shift, float *y) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            apply_step(x + c, mean + c, scale + c, shift + c, y + c, 16);
        }
        if (c < channels) {
            apply_step(x + c, mean + c, scale + c, shift + c, y + c, (int)(channels - c));
        }
    }
}

V_INLINE void gradient_sums_tile(int64_t rows, int64_t channels, const float *x, const float *mean,
                                 const float *d_y, float *sum, float *product, int n) {
    v16 total = v_zero(), products = v_zero(), m = v_load_part(mean, n);
    for (int64_t r = 0; r < rows; r++) {
        v16 d = v_load_part(d_y + r * channels, n);
        total = v_add(total, d);
        products = v_fma(d, v_sub(v_load_part(x + r * channels, n), m), products);
    }
    v_store_part(sum, total, n);
    v_store_part(product, products, n);
}

static void gradient_sums(int64_t rows, int64_t channels, const float *x, const float *mean,
                          const float *d_y, float *sum, float *product) {
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        gradient_sums_tile(rows, channels, x + c, mean + c, d_y + c, sum + c, product + c, 16);
    }
    if (c < channels) {
        gradient_sums_tile(rows, channels, x + c, mean + c, d_y + c, sum + c, product + c,
                           (int)(channels - c));
    }
}

V_INLINE void gradient_step(const float *x, const float *mean, const float *d_y, const float *scale,
                            const float *slope, const float *shift, float *d_x, int n) {
    v16 difference = v_sub(v_load_part(x, n), v_load_part(mean, n));
    v16 rest = v_fma(difference, v_load_part(slope, n), v_load_part(shift, n));
    v16 change = v_fma(v_load_part(d_y, n), v_load_part(scale, n), rest);
    v_store_part(d_x, v_add(v_load_part(d_x, n), change), n);
}

static void gradient(int64_t rows, int64_t channels, const float *x, const float *mean,
                     const float *d_y, const float *scale, const float *slope, const float *shift,
                     float *d_x) {
    for (int64_t r = 0; r < rows; r++, x += channels, d_y += channels, d_x += channels) {
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            gradient_step(x + c, mean + c, d_y + c, scale + c, slope + c, shift + c, d_x + c, 16);
        }
        if (c < channels) {
            gradient_step(x + c, mean + c, d_y + c, scale + c, slope + c, shift + c, d_x + c,
                          (int)(channels - c));
        }
    }
}

static void fill(attn_group_norm_kernels *kernels) {
    *kernels = (attn_group_norm_kernels){sums, squares, apply, gradient_sums, gradient};
}
