/* kernels/norm/norm_avx2.c: layer normalization compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/isa/math16.h"
#include "kernels/norm/norm_body.h"

void attn_norm_fill_avx2(attn_norm_kernels *kernels) {
    fill(kernels);
}
