/* kernels/norm/norm_neon.c: layer normalization compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/isa/math16.h"
#include "kernels/norm/norm_body.h"

void attn_norm_fill_neon(attn_norm_kernels *kernels) {
    fill(kernels);
}
