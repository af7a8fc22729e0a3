/* kernels/isa/ref.c: plain C, which every processor has and which says what the others have to give.
 * Next: kernels/operations.h, and each operation's _ref.c. */
#include "kernels/operations.h"

#define REFERENCE(operation) .operation = &attn_##operation##_ref,

const attn_isa_kernels attn_isa_ref = {ATTN_OPERATIONS(REFERENCE)};
