/* kernels/loss/loss_kernels.h: what an instruction set provides for the loss: one row at a time.
 *
 * V classes. kernels/loss/loss.c cuts the rows over threads. Definition: loss_ref.c. */
#ifndef ATTN_KERNELS_LOSS_KERNELS_H
#define ATTN_KERNELS_LOSS_KERNELS_H

#include "base/real.h"

typedef struct attn_loss_kernels {
    /* target in 0 .. classes - 1; gradient_scale 0 leaves the logits as they are. */
    void (*cross_entropy_row)(int64_t classes, real *logits, int64_t target, real smoothing,
                              real gradient_scale, real *loss, real *nll);
    void (*log_softmax_row)(int64_t classes, real *logits);
} attn_loss_kernels;

void attn_loss_fill_ref(attn_loss_kernels *kernels);
void attn_loss_fill_avx2(attn_loss_kernels *kernels);
void attn_loss_fill_avx512(attn_loss_kernels *kernels);
void attn_loss_fill_neon(attn_loss_kernels *kernels);

#endif
