/* kernels/isa/sve.c: every kernel for 64-bit ARM with scalable vectors of 256 bits. Next: verbs_sve.h,
 * kernels/operations.h. */
#include "kernels/isa/verbs_sve.h"
#define ATTN_WITH_BODIES
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_sve = ATTN_ALL_OPERATIONS;
