/* kernels/group_norm/group_norm_neon.c: group normalization compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/group_norm/group_norm_body.h"

void attn_group_norm_fill_neon(attn_group_norm_kernels *kernels) {
    fill(kernels);
}
