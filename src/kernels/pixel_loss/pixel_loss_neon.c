/* kernels/pixel_loss/pixel_loss_neon.c: the loss of pixels compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/isa/math16.h"
#include "kernels/pixel_loss/pixel_loss_body.h"

void attn_pixel_loss_fill_neon(attn_pixel_loss_kernels *kernels) {
    fill(kernels);
}
