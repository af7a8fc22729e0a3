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

/* Columns columns[0 .. count - 1] of `from`, in that order, in the caller's memory of
 * attn_matmul_i8_select_size bytes, aligned to 64; never freed itself. A product with them gives the
 * same bits as these columns of the whole. */
size_t attn_matmul_i8_select_size(const attn_matmul_i8_weights *from, int64_t count);
attn_matmul_i8_weights *attn_matmul_i8_select(const attn_matmul_i8_weights *from, int64_t count,
                                              const int32_t *columns, void *memory);

#endif
