/* kernels/isa/avx2.c: every kernel for AVX2 and FMA. Next: verbs_avx2.h, kernels/operations.h. */
#include "kernels/isa/verbs_avx2.h"
#define ATTN_WITH_BODIES
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_avx2 = ATTN_ALL_OPERATIONS;
