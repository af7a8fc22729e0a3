/* kernels/matmul_i8/matmul_i8.h: the 8-bit product with the caller's temporary memory, for layers
 * that may not allocate inside a step. Its contract is attn/matmul_i8.h. Next: matmul_i8.c. */
#ifndef ATTN_KERNELS_MATMUL_I8_H
#define ATTN_KERNELS_MATMUL_I8_H

#include "attn/matmul_i8.h"
#include "base/memory.h"
#include "base/real.h"

/* scratch grows on first use and is then kept; not shared between concurrent calls. */
ATTN_MUST_CHECK attn_status attn_matmul_i8_run_scratch(const attn_matmul_i8 *product,
                                                       attn_scratch *scratch);

#endif
