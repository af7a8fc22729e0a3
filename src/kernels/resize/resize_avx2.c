/* kernels/resize/resize_avx2.c: resizing compiled for AVX2 and FMA. */
#include "kernels/isa/verbs_avx2.h"

#include "kernels/resize/resize_body.h"

void attn_resize_fill_avx2(attn_resize_kernels *kernels) {
    fill(kernels);
}
