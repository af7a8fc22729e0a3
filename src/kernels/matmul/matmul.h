/* kernels/matmul/matmul.h: the contract between the product's driver and its kernels.
 *
 * attn_matmul_run_scratch is attn_matmul_run with the caller's temporary memory, for layers that
 * may not allocate inside a step. */
#ifndef ATTN_KERNELS_MATMUL_H
#define ATTN_KERNELS_MATMUL_H

#include "attn/matmul.h"
#include "base/memory.h"
#include "base/real.h"

/* scratch grows on first use and is then kept; not shared between concurrent calls. */
ATTN_MUST_CHECK attn_status attn_matmul_run_scratch(const attn_matmul *product,
                                                    attn_scratch *scratch);

#endif
