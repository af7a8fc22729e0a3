/* kernels/pixel_loss/pixel_loss_avx512.c: the loss of pixels compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/isa/math16.h"
#include "kernels/pixel_loss/pixel_loss_body.h"

void attn_pixel_loss_fill_avx512(attn_pixel_loss_kernels *kernels) {
    fill(kernels);
}
