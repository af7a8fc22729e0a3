/* base/narrow.h: one float as bfloat16, float16 or int8: exact arithmetic or one correctly rounded IEEE
 * operation, so the bits are the same on every processor.
 *
 * Next: io/dtype.h for weights in files, kernels/attention/attention_cache.h for keys and values. */
#ifndef ATTN_BASE_NARROW_H
#define ATTN_BASE_NARROW_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* The upper half of a float: rounded to nearest, ties to even; overflow to infinity; NaN stays NaN
 * (quiet), with its sign. */
static inline uint16_t narrow_to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
        /* A NaN whose upper mantissa bits are all zero would turn into infinity. */
        return (uint16_t)((bits >> 16) | 0x40u);
    }
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}
static inline float narrow_from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary16: rounded and overflowing in the same way. */
static inline uint16_t narrow_to_f16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u) {
        return (uint16_t)(sign | 0x7E00u | (size >> 13 & 0x1FFu));
    }
    if (size >= 0x47800000u) { /* 2^16 */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (size < 0x38800000u) { /* below 2^-14: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)rintf(fabsf(x) * 0x1p24f));
    }
    size += 0xFFFu + (size >> 13 & 1u);
    return (uint16_t)(sign | (size - 0x38000000u) >> 13);
}
/* Exact; infinity and NaN keep their mantissa. */
static inline float narrow_from_f16(uint16_t x) {
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, size = x & 0x7FFFu;
    uint32_t bits = size >= 0x7C00u ? 0x7F800000u | size << 13 : (size << 13) + (112u << 23);
    if (size < 0x0400u) {
        float multiple = (float)size * 0x1p-24f;
        memcpy(&bits, &multiple, sizeof bits);
    }
    bits |= sign;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* round(x / scale), ties to even, within -127 .. 127; 0 when the scale is 0. A subnormal scale is
 * coarse: the quotient may pass 127. */
static inline int8_t narrow_to_i8(float x, float scale) {
    float level = scale > 0.0f ? rintf(x / scale) : 0.0f;
    level = level > 127.0f ? 127.0f : level < -127.0f ? -127.0f : level;
    return (int8_t)level;
}

#endif
