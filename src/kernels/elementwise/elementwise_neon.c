/* kernels/elementwise/elementwise_neon.c: elementwise work compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/isa/math16.h"
#include "kernels/elementwise/elementwise_body.h"

void attn_elementwise_fill_neon(attn_elementwise_kernels *kernels) {
    fill(kernels);
}
