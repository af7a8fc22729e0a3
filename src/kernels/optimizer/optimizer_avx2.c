/* kernels/optimizer/optimizer_avx2.c: the optimizer compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/isa/math16.h"
#include "kernels/optimizer/optimizer_body.h"

void attn_optimizer_fill_avx2(attn_optimizer_kernels *kernels) {
    fill(kernels);
}
