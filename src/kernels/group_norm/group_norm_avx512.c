/* kernels/group_norm/group_norm_avx512.c: group normalization compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/group_norm/group_norm_body.h"

void attn_group_norm_fill_avx512(attn_group_norm_kernels *kernels) {
    fill(kernels);
}
