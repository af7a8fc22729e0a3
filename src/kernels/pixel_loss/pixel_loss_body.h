/* kernels/pixel_loss/pixel_loss_body.h: pixels' classes over the verbs of any instruction set.
 *
 * Sixteen rows at a time, a row a lane. Include it after a verbs header and math16.h. Each function
 * repeats the one of pixel_loss_ref.c. */
#include "kernels/pixel_loss/pixel_loss_kernels.h"

#include <stdint.h>

/* turned[v * 16 + r] = x[r * classes + v]; lanes without a row become those of row 0. */
static void pixel_loss_turn(int rows, int64_t classes, const float *x, float *turned) {
    int64_t v = 0;
    if (rows == 16) {
        for (; v + 8 <= classes; v += 8) {
            v_transpose8(x + v, classes, turned + v * 16, 16);
            v_transpose8(x + v + 8 * classes, classes, turned + v * 16 + 8, 16);
        }
    }
    for (; v < classes; v++) {
        for (int r = 0; r < 16; r++) {
            turned[v * 16 + r] = x[(r < rows ? r : 0) * classes + v];
        }
    }
}

static void pixel_loss_turn_back(int rows, int64_t classes, const float *turned, float *y) {
    int64_t v = 0;
    if (rows == 16) {
        for (; v + 8 <= classes; v += 8) {
            v_transpose8(turned + v * 16, 16, y + v, classes);
            v_transpose8(turned + v * 16 + 8, 16, y + v + 8 * classes, classes);
        }
    }
    for (; v < classes; v++) {
        for (int r = 0; r < rows; r++) {
            y[r * classes + v] = turned[v * 16 + r];
        }
    }
}

static void pixel_loss_powers(int rows, int64_t classes, const float *x, float *turned,
                              attn_pixel_sums *sums) {
    pixel_loss_turn(rows, classes, x, turned);
    v16 max = v_load(turned), power = v_zero(), shifted = v_zero();
    for (int64_t v = 1; v < classes; v++) {
        max = v_max(v_load(turned + v * 16), max);
    }
    for (int64_t v = 0; v < classes; v++) {
        v16 difference = v_sub(v_load(turned + v * 16), max);
        v16 p = v_exp2(v_mul(difference, v_set1(REAL_LOG2E)));
        v_store(turned + v * 16, p);
        power = v_add(power, p);
        shifted = v_add(shifted, difference);
    }
    v_store(sums->max, max);
    v_store(sums->power, power);
    v_store(sums->shifted, shifted);
}

static void pixel_loss_affine(int rows, int64_t classes, float *turned, const float factor[16],
                              const float offset[16], float *y) {
    v16 f = v_load(factor), o = v_load(offset);
    for (int64_t v = 0; v < classes; v++) {
        v_store(turned + v * 16, v_fma(v_load(turned + v * 16), f, o));
    }
    pixel_loss_turn_back(rows, classes, turned, y);
}

static void pixel_loss_largest(int rows, int64_t classes, const float *x, float *turned,
                               float index[16]) {
    pixel_loss_turn(rows, classes, x, turned);
    v16 max = v_load(turned), found = v_zero();
    for (int64_t v = 1; v < classes; v++) {
        v16 next = v_load(turned + v * 16);
        m16 more = v_less(max, next);
        max = v_select(more, next, max);
        found = v_select(more, v_set1((float)v), found);
    }
    v_store(index, found);
}

static const attn_pixel_loss_kernels pixel_loss_kernels = {
    .powers = pixel_loss_powers,
    .affine = pixel_loss_affine,
    .largest = pixel_loss_largest,
};
