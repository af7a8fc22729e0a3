/* kernels/optimizer/optimizer_avx512.c: the optimizer compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/isa/math16.h"
#include "kernels/optimizer/optimizer_body.h"

void attn_optimizer_fill_avx512(attn_optimizer_kernels *kernels) {
    fill(kernels);
}
