/* kernels/isa/avx512.c: every kernel for AVX-512 (F, DQ, BW, VL). Next: verbs_avx512.h, kernels/operations.h. */
#include "kernels/isa/verbs_avx512.h"
#define ATTN_WITH_BODIES
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_avx512 = ATTN_ALL_OPERATIONS;
