/* kernels/isa/neondot.c: NEON with dot products (ARMv8.2): another 8-bit product, all else as
 * neon.
 *
 * Next: matmul_i8_body.h. */
#define V_OWN_DOT
#include "kernels/isa/verbs_neon.h"

#define I8_HAS_DOT 1

V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int8x16_t four = v_four(values);
    return (vi){vdotq_s32(acc.q0, w.q0, four), vdotq_s32(acc.q1, w.q1, four),
                vdotq_s32(acc.q2, w.q2, four), vdotq_s32(acc.q3, w.q3, four)};
}

#include "kernels/matmul_i8/matmul_i8_body.h"
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_neondot = {.matmul_i8 = &matmul_i8_kernels};
