/* kernels/pixel_loss/pixel_loss_avx2.c: the loss of pixels compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/isa/math16.h"
#include "kernels/pixel_loss/pixel_loss_body.h"

void attn_pixel_loss_fill_avx2(attn_pixel_loss_kernels *kernels) {
    fill(kernels);
}
