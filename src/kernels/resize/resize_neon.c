/* kernels/resize/resize_neon.c: resizing compiled for NEON. */
#include "kernels/isa/verbs_neon.h"

#include "kernels/resize/resize_body.h"

void attn_resize_fill_neon(attn_resize_kernels *kernels) {
    fill(kernels);
}
