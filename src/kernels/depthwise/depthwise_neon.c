/* kernels/depthwise/depthwise_neon.c: depthwise convolution compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/depthwise/depthwise_body.h"

void attn_depthwise_fill_neon(attn_depthwise_kernels *kernels) {
    fill(kernels);
}
