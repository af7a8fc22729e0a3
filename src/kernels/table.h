/* kernels/table.h: one struct of function pointers per instruction set.
 *
 * Each is the one below it overlaid with what the instruction set does better, starting from plain
 * C, so none has a hole. Drivers call through attn_kernels_current(); tests walk attn_kernels_list
 * and compare. To add an instruction set: one line in table.c. */
#ifndef ATTN_KERNELS_TABLE_H
#define ATTN_KERNELS_TABLE_H

#include "attn/threads.h"
#include "kernels/attention/attention_kernels.h"
#include "kernels/depthwise/depthwise_kernels.h"
#include "kernels/elementwise/elementwise_kernels.h"
#include "kernels/group_norm/group_norm_kernels.h"
#include "kernels/loss/loss_kernels.h"
#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul_bf16/matmul_bf16_kernels.h"
#include "kernels/matmul_i8/matmul_i8_kernels.h"
#include "kernels/norm/norm_kernels.h"
#include "kernels/optimizer/optimizer_kernels.h"
#include "kernels/pixel_loss/pixel_loss_kernels.h"
#include "kernels/resize/resize_kernels.h"

typedef struct attn_kernels {
    const char *isa;
    attn_matmul_kernels matmul;
    attn_matmul_i8_kernels matmul_i8;
    attn_matmul_bf16_kernels matmul_bf16;
    attn_attention_kernels attention;
    attn_norm_kernels norm;
    attn_elementwise_kernels elementwise;
    attn_loss_kernels loss;
    attn_optimizer_kernels optimizer;
    attn_depthwise_kernels depthwise;
    attn_group_norm_kernels group_norm;
    attn_resize_kernels resize;
    attn_pixel_loss_kernels pixel_loss;
} attn_kernels;

enum { ATTN_KERNELS_MAX = 5 };

/* The kernels in use (attn_set_isa, ATTN_ISA, or the best there are). Thread-safe. */
const attn_kernels *attn_kernels_current(void);
/* NULL when this build or this processor lacks the instruction set. Thread-safe. */
const attn_kernels *attn_kernels_for(const char *isa);
/* Those available here, lowest first; returns how many, at most max. Thread-safe. */
int attn_kernels_list(const attn_kernels *out[], int max);

#endif
