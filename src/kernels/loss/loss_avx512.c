/* kernels/loss/loss_avx512.c: the loss compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/isa/math16.h"
#include "kernels/loss/loss_body.h"

void attn_loss_fill_avx512(attn_loss_kernels *kernels) {
    fill(kernels);
}
