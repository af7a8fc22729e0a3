/* kernels/elementwise/elementwise_avx2.c: elementwise work compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/isa/math16.h"
#include "kernels/elementwise/elementwise_body.h"

void attn_elementwise_fill_avx2(attn_elementwise_kernels *kernels) {
    fill(kernels);
}
