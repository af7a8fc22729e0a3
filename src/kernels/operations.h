/* kernels/operations.h: the list of operations, and what an instruction set provides for each.
 *
 * A new operation is a folder and its lines here. Next: kernels/isa/list.h, the list of instruction
 * sets; kernels/table.h, which brings the two together. */
#ifndef ATTN_KERNELS_OPERATIONS_H
#define ATTN_KERNELS_OPERATIONS_H

/* clang-format off */
#define ATTN_OPERATIONS(X) \
    X(attention) \
    X(depthwise) \
    X(elementwise) \
    X(group_norm) \
    X(loss) \
    X(matmul) \
    X(matmul_bf16) \
    X(matmul_i8) \
    X(norm) \
    X(optimizer) \
    X(pixel_loss) \
    X(resize)
/* clang-format on */

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

/* An instruction set's file defines this and includes a header of verbs first: each body then leaves a
 * table OPERATION_kernels. */
#ifdef ATTN_WITH_BODIES
#include "kernels/attention/attention_backward_body.h"
#include "kernels/depthwise/depthwise_body.h"
#include "kernels/elementwise/elementwise_body.h"
#include "kernels/group_norm/group_norm_body.h"
#include "kernels/loss/loss_body.h"
#include "kernels/matmul/matmul_body.h"
#include "kernels/matmul_bf16/matmul_bf16_body.h"
#include "kernels/matmul_i8/matmul_i8_body.h"
#include "kernels/norm/norm_body.h"
#include "kernels/optimizer/optimizer_body.h"
#include "kernels/pixel_loss/pixel_loss_body.h"
#include "kernels/resize/resize_body.h"

#define ATTN_OWN_OPERATION(operation) .operation = &operation##_kernels,
#define ATTN_ALL_OPERATIONS                                                                        \
    { ATTN_OPERATIONS(ATTN_OWN_OPERATION) }
#endif

/* What kernels/isa/NAME.c provides; NULL: as the instruction set before it in kernels/isa/list.h. */
typedef struct attn_isa_kernels {
#define X(operation) const attn_##operation##_kernels *operation;
    ATTN_OPERATIONS(X)
#undef X
} attn_isa_kernels;

/* All kernels of one instruction set, its own and those that it takes over. */
typedef struct attn_kernels {
    const char *isa;
#define X(operation) attn_##operation##_kernels operation;
    ATTN_OPERATIONS(X)
#undef X
} attn_kernels;

#endif
