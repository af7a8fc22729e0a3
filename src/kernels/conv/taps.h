/* kernels/conv/taps.h: which pixels a kernel's taps read, along one axis.
 *
 * Output j reads input j * stride + first + t * step with the weight at place + t * place_step, for
 * t < count. Forward, the taps are the kernel's places in order. For the gradient by the input, the
 * pixels of each remainder modulo the stride have taps of their own: those whose output exists, from
 * the first output on. Used by conv.c and kernels/depthwise. */
#ifndef ATTN_KERNELS_CONV_TAPS_H
#define ATTN_KERNELS_CONV_TAPS_H

#include <stdint.h>

typedef struct conv_axis {
    int64_t count, first, step, place, place_step;
} conv_axis;

static inline int64_t conv_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static inline int64_t conv_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t conv_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline int64_t conv_out_size(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                    int64_t padding) {
    int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

static inline conv_axis conv_axis_forward(int64_t kernel, int64_t dilation, int64_t padding) {
    return (conv_axis){kernel, -padding, dilation, 0, 1};
}

/* For the pixels whose place is `phase` modulo the stride: the taps for which the stride divides
 * phase + padding - tap * dilation, from the last, which reads the first output, to the first. */
static inline conv_axis conv_axis_backward(int64_t phase, int64_t kernel, int64_t stride,
                                           int64_t dilation, int64_t padding) {
    conv_axis a = {.step = 1, .place_step = -1};
    for (int64_t k = kernel - 1; k >= 0; k--) {
        int64_t distance = phase + padding - k * dilation;
        if (distance % stride != 0) {
            continue;
        }
        if (a.count == 0) {
            a.place = k;
            a.first = distance / stride;
        } else if (a.count == 1) {
            a.place_step = k - a.place;
            a.step = distance / stride - a.first;
        }
        a.count++;
    }
    return a;
}

#endif
