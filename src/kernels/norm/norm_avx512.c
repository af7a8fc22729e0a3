/* kernels/norm/norm_avx512.c: layer normalization compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/isa/math16.h"
#include "kernels/norm/norm_body.h"

void attn_norm_fill_avx512(attn_norm_kernels *kernels) {
    fill(kernels);
}
