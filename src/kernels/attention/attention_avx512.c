/* kernels/attention/attention_avx512.c: attention for AVX-512. Next: attention_body.h. */
#include "kernels/isa/verbs_avx512.h"
#include "kernels/attention/attention_backward_body.h"

void attn_attention_fill_avx512(attn_attention_kernels *kernels) {
    *kernels = attention_kernels;
}
