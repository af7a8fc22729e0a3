/* kernels/isa/part16.h: sixteen floats, or as many as are left at the end of a row.
 *
 * Include it after a verbs header. Where n is the constant 16 nothing remains of the choice. */
#ifndef ATTN_KERNELS_ISA_PART16_H
#define ATTN_KERNELS_ISA_PART16_H

#include <stdint.h>

/* How many of the next sixteen there are when `left` are. */
V_INLINE int v_rest(int64_t left) {
    return left < 16 ? (int)left : 16;
}
/* 1 <= n <= 16; other lanes load as 0, other memory is not touched. */
V_INLINE v16 v_load_part(const float *p, int n) {
    return n == 16 ? v_load(p) : v_load_first(p, n);
}
V_INLINE void v_store_part(float *p, v16 x, int n) {
    if (n == 16) {
        v_store(p, x);
    } else {
        v_store_first(p, x, n);
    }
}
/* The first n lanes; 0 in the others. */
V_INLINE v16 v_keep_first(v16 x, int n) {
    return n == 16 ? x : v_select(v_range(0, n), x, v_zero());
}

#endif
