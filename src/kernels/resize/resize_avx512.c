/* kernels/resize/resize_avx512.c: resizing compiled for AVX-512. */
#include "kernels/isa/verbs_avx512.h"

#include "kernels/resize/resize_body.h"

void attn_resize_fill_avx512(attn_resize_kernels *kernels) {
    fill(kernels);
}
