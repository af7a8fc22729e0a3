/* kernels/depthwise/depthwise_avx512.c: depthwise convolution compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/depthwise/depthwise_body.h"

void attn_depthwise_fill_avx512(attn_depthwise_kernels *kernels) {
    fill(kernels);
}
