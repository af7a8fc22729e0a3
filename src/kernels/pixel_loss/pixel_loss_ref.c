/* kernels/pixel_loss/pixel_loss_ref.c: pixels' classes in plain C: the definition. */
#include "base/math.h"
#include "kernels/pixel_loss/pixel_loss_kernels.h"

static void pixel_loss_powers(int rows, int64_t classes, const real *x, real *turned,
                              attn_pixel_sums *sums) {
    for (int r = 0; r < rows; r++, x += classes) {
        real max = x[0], power = 0, shifted = 0;
        for (int64_t v = 1; v < classes; v++) {
            max = x[v] > max ? x[v] : max;
        }
        for (int64_t v = 0; v < classes; v++) {
            real difference = x[v] - max, p = real_exp2(difference * REAL_LOG2E);
            turned[v * LANES + r] = p;
            power += p;
            shifted += difference;
        }
        sums->max[r] = max;
        sums->power[r] = power;
        sums->shifted[r] = shifted;
    }
}

static void pixel_loss_affine(int rows, int64_t classes, real *turned, const real factor[LANES],
                              const real offset[LANES], real *y) {
    for (int r = 0; r < rows; r++, y += classes) {
        for (int64_t v = 0; v < classes; v++) {
            y[v] = real_fma(turned[v * LANES + r], factor[r], offset[r]);
        }
    }
}

static void pixel_loss_largest(int rows, int64_t classes, const real *x, real *turned,
                               real index[LANES]) {
    (void)turned;
    for (int r = 0; r < rows; r++, x += classes) {
        int64_t found = 0;
        for (int64_t v = 1; v < classes; v++) {
            found = x[found] < x[v] ? v : found;
        }
        index[r] = (real)found;
    }
}

const attn_pixel_loss_kernels attn_pixel_loss_ref = {
    .powers = pixel_loss_powers,
    .affine = pixel_loss_affine,
    .largest = pixel_loss_largest,
};
