/* io/dtype.h: the element types that a weights file may hold, and the way to and from float32.
 *
 * R rows, C columns. Every function is exact arithmetic or one correctly rounded IEEE operation an
 * element, so the bits are the same on every processor. Next: attn/safetensors.h. */
#ifndef ATTN_IO_DTYPE_H
#define ATTN_IO_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/safetensors.h"

/* Bytes of one element; 0 for a value that is no attn_dtype. */
size_t attn_dtype_size(attn_dtype dtype);
/* The name in the file, "F32" for example; NULL for a value that is no attn_dtype. */
const char *attn_dtype_name(attn_dtype dtype);
/* Whether attn_f32_from takes it. */
bool attn_dtype_is_number(attn_dtype dtype);
/* false when attn does not know the name; then *dtype is untouched. */
bool attn_dtype_find(const char *name, attn_dtype *dtype);

/* bfloat16 is the upper half of a float32: rounded to nearest, ties to even; overflow to infinity;
 * NaN stays NaN (quiet), with its sign. Back is exact. out may not overlap in. */
void attn_bf16_from_f32(const float *in, size_t count, uint16_t *out);
void attn_f32_from_bf16(const uint16_t *in, size_t count, float *out);
/* binary16 to float, exact; NaN stays NaN with its mantissa and sign. */
void attn_f32_from_f16(const uint16_t *in, size_t count, float *out);
/* Any element type that is a number to float: exact, or rounded to nearest for F64, I32 and I64. in is aligned for dtype. */
void attn_f32_from(attn_dtype dtype, const void *in, size_t count, float *out);

/* Row r: scale[r] = max|x[r][c]| / 127, q[r][c] = round(x[r][c] / scale[r]), ties to even, within
 * -127 .. 127. A row of zeros (or so small that its scale is not a float) has scale 0 and q 0.
 * ATTN_ERR_NUMERIC when x holds NaN or infinity; the error's position is the row. */
ATTN_MUST_CHECK attn_status attn_i8_from_f32(const float *x, size_t rows, size_t columns, int8_t *q,
                                             float *scale, attn_error *error);
/* x[r][c] = q[r][c] * scale[r]. */
void attn_f32_from_i8(const int8_t *q, const float *scale, size_t rows, size_t columns, float *x);

#endif
