/* kernels/attention/attention_neon.c: attention for 64-bit ARM. Next: attention_body.h. */
#include "kernels/isa/verbs_neon.h"
#include "kernels/attention/attention_backward_body.h"

void attn_attention_fill_neon(attn_attention_kernels *kernels) {
    *kernels = attention_kernels;
}
