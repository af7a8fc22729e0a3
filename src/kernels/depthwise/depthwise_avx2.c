/* kernels/depthwise/depthwise_avx2.c: depthwise convolution compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/depthwise/depthwise_body.h"

void attn_depthwise_fill_avx2(attn_depthwise_kernels *kernels) {
    fill(kernels);
}
