/* kernels/group_norm/group_norm_avx2.c: group normalization compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/group_norm/group_norm_body.h"

void attn_group_norm_fill_avx2(attn_group_norm_kernels *kernels) {
    fill(kernels);
}
