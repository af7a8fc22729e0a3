/* io/dtype.c: element types, bfloat16 and int8 with a scale per row.
 *
 * R rows, C columns. The contract is io/dtype.h. */
#include "io/dtype.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/narrow.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [ATTN_DTYPE_F32] = {"F32", 4},         [ATTN_DTYPE_BF16] = {"BF16", 2},
    [ATTN_DTYPE_I8] = {"I8", 1},           [ATTN_DTYPE_U8] = {"U8", 1},
    [ATTN_DTYPE_I32] = {"I32", 4},         [ATTN_DTYPE_I64] = {"I64", 8},
    [ATTN_DTYPE_F64] = {"F64", 8},         [ATTN_DTYPE_F16] = {"F16", 2},
    [ATTN_DTYPE_I16] = {"I16", 2},         [ATTN_DTYPE_BOOL] = {"BOOL", 1},
    [ATTN_DTYPE_U16] = {"U16", 2},         [ATTN_DTYPE_U32] = {"U32", 4},
    [ATTN_DTYPE_U64] = {"U64", 8},         [ATTN_DTYPE_C64] = {"C64", 8},
    [ATTN_DTYPE_F8_E4M3] = {"F8_E4M3", 1}, [ATTN_DTYPE_F8_E5M2] = {"F8_E5M2", 1},
    [ATTN_DTYPE_F8_E8M0] = {"F8_E8M0", 1},
};

enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

size_t attn_dtype_size(attn_dtype dtype) {
    return (size_t)dtype < DTYPE_COUNT ? dtypes[dtype].size : 0;
}

const char *attn_dtype_name(attn_dtype dtype) {
    return (size_t)dtype < DTYPE_COUNT ? dtypes[dtype].name : NULL;
}

bool attn_dtype_is_number(attn_dtype dtype) {
    return (size_t)dtype <= ATTN_DTYPE_I16;
}

bool attn_dtype_find(const char *name, attn_dtype *dtype) {
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = (attn_dtype)i;
            return true;
        }
    }
    return false;
}

void attn_bf16_from_f32(const float *in, size_t count, uint16_t *out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = narrow_to_bf16(in[i]);
    }
}

void attn_f32_from_bf16(const uint16_t *in, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = narrow_from_bf16(in[i]);
    }
}

void attn_f32_from_f16(const uint16_t *in, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = narrow_from_f16(in[i]);
    }
}

/* Each element of `type` becomes a float, rounded to nearest where it has more digits. */
#define FLOATS_FROM(type)                                                                          \
    for (size_t i = 0; i < count; i++) {                                                           \
        out[i] = (float)((const type *)in)[i];                                                     \
    }                                                                                              \
    break

void attn_f32_from(attn_dtype dtype, const void *in, size_t count, float *out) {
    switch (dtype) {
    case ATTN_DTYPE_BF16:
        attn_f32_from_bf16(in, count, out);
        break;
    case ATTN_DTYPE_F16:
        attn_f32_from_f16(in, count, out);
        break;
    case ATTN_DTYPE_F32:
        FLOATS_FROM(float);
    case ATTN_DTYPE_F64:
        FLOATS_FROM(double);
    case ATTN_DTYPE_I8:
        FLOATS_FROM(int8_t);
    case ATTN_DTYPE_U8:
        FLOATS_FROM(uint8_t);
    case ATTN_DTYPE_I16:
        FLOATS_FROM(int16_t);
    case ATTN_DTYPE_I32:
        FLOATS_FROM(int32_t);
    case ATTN_DTYPE_I64:
        FLOATS_FROM(int64_t);
    default: /* attn_dtype_is_number says no */
        break;
    }
}
#undef FLOATS_FROM

/* max|x|, or -1 when an element is not finite. */
static float row_peak(const float *x, size_t columns) {
    float peak = 0.0f;
    for (size_t c = 0; c < columns; c++) {
        if (!isfinite(x[c])) {
            return -1.0f;
        }
        peak = fabsf(x[c]) > peak ? fabsf(x[c]) : peak;
    }
    return peak;
}

attn_status attn_i8_from_f32(const float *x, size_t rows, size_t columns, int8_t *q, float *scale,
                             attn_error *error) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * columns;
        float peak = row_peak(row, columns);
        if (peak < 0.0f) {
            return attn_fail(error, ATTN_ERR_NUMERIC, NULL, (int64_t)r, NULL,
                             "row %zu holds NaN or infinity and cannot be stored as int8", r);
        }
        scale[r] = peak / 127.0f;
        for (size_t c = 0; c < columns; c++) {
            q[r * columns + c] = narrow_to_i8(row[c], scale[r]);
        }
    }
    return ATTN_OK;
}

void attn_f32_from_i8(const int8_t *q, const float *scale, size_t rows, size_t columns, float *x) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            x[r * columns + c] = (float)q[r * columns + c] * scale[r];
        }
    }
}
