/* kernels/loss/loss_neon.c: the loss compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/isa/math16.h"
#include "kernels/loss/loss_body.h"

void attn_loss_fill_neon(attn_loss_kernels *kernels) {
    fill(kernels);
}
