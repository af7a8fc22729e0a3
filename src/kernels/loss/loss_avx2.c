/* kernels/loss/loss_avx2.c: the loss compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/isa/math16.h"
#include "kernels/loss/loss_body.h"

void attn_loss_fill_avx2(attn_loss_kernels *kernels) {
    fill(kernels);
}
