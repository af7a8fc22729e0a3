/* kernels/elementwise/elementwise_avx512.c: elementwise work compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/isa/math16.h"
#include "kernels/elementwise/elementwise_body.h"

void attn_elementwise_fill_avx512(attn_elementwise_kernels *kernels) {
    fill(kernels);
}
