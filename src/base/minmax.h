/* base/minmax.h: the smaller, the larger, and division that rounds up. */
#ifndef ATTN_BASE_MINMAX_H
#define ATTN_BASE_MINMAX_H

#include <stdint.h>

static inline int64_t attn_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t attn_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The smallest q with q * b >= a; a at least 0, b at least 1. */
static inline int64_t attn_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* The smallest multiple of b that is at least a. */
static inline int64_t attn_round_up(int64_t a, int64_t b) {
    return attn_ceil_div(a, b) * b;
}

#endif
