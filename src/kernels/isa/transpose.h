/* kernels/isa/transpose.h: rows into panels of sixteen, for every instruction set.
 *
 * panel[d][r] = row r, element d: what a product along d needs at sixteen rows at a time. What is not
 * eight by eight is done with the compiler's own vectors of four, which every instruction set has.
 * Include it after a verbs header. */
#ifndef ATTN_KERNELS_ISA_TRANSPOSE_H
#define ATTN_KERNELS_ISA_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

typedef float v4 __attribute__((vector_size(16)));

V_INLINE v4 v4_load(const float *p) {
    v4 x;
    memcpy(&x, p, sizeof x);
    return x;
}
V_INLINE void v4_store(float *p, v4 x) {
    memcpy(p, &x, sizeof x);
}

/* Four elements of four rows. */
V_INLINE void transpose_4x4(const float *const row[4], float *panel) {
    v4 a = v4_load(row[0]), b = v4_load(row[1]), c = v4_load(row[2]), d = v4_load(row[3]);
    v4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    v4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    v4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    v4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    v4_store(panel, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    v4_store(panel + 16, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    v4_store(panel + 32, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    v4_store(panel + 48, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

/* One panel of `count` <= 16 rows of `size` elements; columns without a row become 0. */
static inline void transpose_panel(int count, int64_t size, const float *rows, int64_t stride,
                                   float *panel) {
    static const float none[4] = {0, 0, 0, 0};
    int64_t eights = size / 8 * 8, fours = size / 4 * 4;
    int done = eights > 0 ? count / 8 * 8 : 0;
    for (int64_t d = 0; d < eights; d += 8) {
        for (int r = 0; r < done; r += 8) {
            v_transpose8(rows + r * stride + d, stride, panel + d * 16 + r, 16);
        }
    }
    for (int64_t d = 0; d < fours; d += 4) {
        for (int r = d < eights ? done : 0; r < 16; r += 4) {
            const float *row[4];
            for (int n = 0; n < 4; n++) {
                row[n] = r + n < count ? rows + (r + n) * stride + d : none;
            }
            transpose_4x4(row, panel + d * 16 + r);
        }
    }
    for (int64_t d = fours; d < size; d++) {
        for (int r = 0; r < 16; r++) {
            panel[d * 16 + r] = r < count ? rows[r * stride + d] : 0;
        }
    }
}

#endif
