/* kernels/optimizer/optimizer_neon.c: the optimizer compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/isa/math16.h"
#include "kernels/optimizer/optimizer_body.h"

void attn_optimizer_fill_neon(attn_optimizer_kernels *kernels) {
    fill(kernels);
}
