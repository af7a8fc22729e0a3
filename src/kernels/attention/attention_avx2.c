/* kernels/attention/attention_avx2.c: attention for AVX2. Next: attention_body.h. */
#include "kernels/isa/verbs_avx2.h"
#include "kernels/attention/attention_backward_body.h"

void attn_attention_fill_avx2(attn_attention_kernels *kernels) {
    *kernels = attention_kernels;
}
