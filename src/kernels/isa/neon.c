/* kernels/isa/neon.c: every kernel for 64-bit ARM. Next: verbs_neon.h, kernels/operations.h. */
#include "kernels/isa/verbs_neon.h"
#define ATTN_WITH_BODIES
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_neon = ATTN_ALL_OPERATIONS;
