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

/* Four rows, four elements of each. */
V_INLINE void transpose_4x4(const float *rows, int64_t stride, float *panel) {
    v4 a = v4_load(rows), b = v4_load(rows + stride);
    v4 c = v4_load(rows + 2 * stride), d = v4_load(rows + 3 * stride);
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
    if (count < 16) {
        memset(panel, 0, (size_t)size * 16 * sizeof *panel);
    }
    int quads = count / 4 * 4;
    int64_t whole = size / 4 * 4, d0 = 0;
    for (; count == 16 && d0 + 8 <= size; d0 += 8) {
        v_transpose8(rows + d0, stride, panel + d0 * 16, 16);
        v_transpose8(rows + 8 * stride + d0, stride, panel + d0 * 16 + 8, 16);
    }
    for (int64_t d = d0; d < whole; d += 4) {
        for (int r = 0; r < quads; r += 4) {
            transpose_4x4(rows + r * stride + d, stride, panel + d * 16 + r);
        }
    }
    for (int r = 0; r < count; r++) {
        for (int64_t d = r < quads ? whole : 0; d < size; d++) {
            panel[d * 16 + r] = rows[r * stride + d];
        }
    }
}

#endif
