/* bfloat16 and int8 conversions against their definitions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "io/dtype.h"

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint16_t bf16(uint32_t bits) {
    float value = from_bits(bits);
    uint16_t out = 0;
    attn_bf16_from_f32(&value, 1, &out);
    return out;
}

static void names_and_sizes(void **state) {
    (void)state;
    attn_dtype dtype = ATTN_DTYPE_F32;
    assert_true(attn_dtype_find("BF16", &dtype));
    assert_int_equal(dtype, ATTN_DTYPE_BF16);
    assert_int_equal(attn_dtype_size(dtype), 2);
    assert_string_equal(attn_dtype_name(ATTN_DTYPE_I64), "I64");
    assert_int_equal(attn_dtype_size(ATTN_DTYPE_F64), 8);
    assert_true(attn_dtype_is_number(ATTN_DTYPE_I16) && !attn_dtype_is_number(ATTN_DTYPE_BOOL));
    assert_false(attn_dtype_find("bf16", &dtype));
    assert_int_equal(dtype, ATTN_DTYPE_BF16);
    assert_int_equal(attn_dtype_size((attn_dtype)99), 0);
    assert_null(attn_dtype_name((attn_dtype)99));
}

static void bf16_rounds_ties_to_even(void **state) {
    (void)state;
    assert_int_equal(bf16(0x3F800000), 0x3F80);
    assert_int_equal(bf16(0x3F808000), 0x3F80); /* half way, even below */
    assert_int_equal(bf16(0x3F818000), 0x3F82); /* half way, even above */
    assert_int_equal(bf16(0x3F808001), 0x3F81);
    assert_int_equal(bf16(0x3F807FFF), 0x3F80);
    assert_int_equal(bf16(0x80000000), 0x8000);
    assert_int_equal(bf16(0x00008000), 0x0000); /* subnormal, half way */
    assert_int_equal(bf16(0x00018000), 0x0002);
    assert_int_equal(bf16(0x7F7FFFFF), 0x7F80); /* the largest float overflows */
    assert_int_equal(bf16(0xFF800000), 0xFF80);
}

static void bf16_keeps_nan(void **state) {
    (void)state;
    static const uint32_t nans[] = {0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        uint16_t out = bf16(nans[i]);
        float back = 0;
        attn_f32_from_bf16(&out, 1, &back);
        assert_true(isnan(back));
        assert_int_equal(out >> 15, nans[i] >> 31);
    }
}

static void every_bf16_survives(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t in = (uint16_t)i, out = 0;
        float wide = 0;
        attn_f32_from_bf16(&in, 1, &wide);
        attn_bf16_from_f32(&wide, 1, &out);
        assert_true(isnan(wide) ? out == (in | 0x40) : out == in);
    }
}

/* The nearest of the two neighbours, found the slow way. */
static void bf16_is_nearest(void **state) {
    (void)state;
    attn_random random = attn_random_start(5);
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = attn_random_u32(&random);
        float value = from_bits(bits);
        if (!isfinite(value) || (bits & 0x7F800000) == 0x7F000000) {
            continue;
        }
        double below = from_bits(bits & 0xFFFF0000), above = from_bits((bits & 0xFFFF0000) + 65536);
        double rounded = from_bits((uint32_t)bf16(bits) << 16);
        double to_below = fabs(value - below), to_above = fabs(value - above);
        assert_true(to_below == to_above || rounded == (to_below < to_above ? below : above));
    }
}

static void i8_row_by_row(void **state) {
    (void)state;
    const float x[3][4] = {
        {127.0f, -127.0f, 0.5f, 1.5f}, {0.0f, -0.0f, 0.0f, 0.0f}, {-2.54f, 1.0f, 0.02f, 0.0f}};
    int8_t q[3][4];
    float scale[3], back[3][4];
    assert_int_equal(attn_i8_from_f32(x[0], 3, 4, q[0], scale, NULL), ATTN_OK);
    assert_true(scale[0] == 1.0f);
    const int8_t first[4] = {127, -127, 0, 2}; /* ties to even */
    assert_memory_equal(q[0], first, 4);
    assert_true(to_bits(scale[1]) == 0);
    const int8_t zero[4] = {0};
    assert_memory_equal(q[1], zero, 4);
    const int8_t third[4] = {-127, 50, 1, 0};
    assert_memory_equal(q[2], third, 4);
    attn_f32_from_i8(q[0], scale, 3, 4, back[0]);
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 4; c++) {
            assert_true(fabsf(back[r][c] - x[r][c]) <= 0.5001f * scale[r]);
        }
    }
}

static void i8_extremes(void **state) {
    (void)state;
    /* The scale of the tiniest numbers is coarse or no float at all. */
    const float tiny[4] = {from_bits(1), from_bits(100), from_bits(190), -from_bits(190)};
    int8_t q[4];
    float scale = -1;
    assert_int_equal(attn_i8_from_f32(tiny, 1, 4, q, &scale, NULL), ATTN_OK);
    assert_true(q[2] == 127 && q[3] == -127);
    assert_int_equal(attn_i8_from_f32(tiny, 1, 1, q, &scale, NULL), ATTN_OK);
    assert_true(scale == 0 && q[0] == 0);
    const float huge[2] = {3.4028234e38f, -1e38f};
    assert_int_equal(attn_i8_from_f32(huge, 1, 2, q, &scale, NULL), ATTN_OK);
    assert_true(q[0] == 127 && q[1] == -37);
    const float wrong[3] = {1, 2, NAN};
    attn_error error;
    assert_int_equal(attn_i8_from_f32(wrong, 3, 1, q, (float[3]){0}, &error), ATTN_ERR_NUMERIC);
    assert_int_equal(error.position, 2);
    const float infinite = -INFINITY;
    assert_int_equal(attn_i8_from_f32(&infinite, 1, 1, q, &scale, NULL), ATTN_ERR_NUMERIC);
    assert_int_equal(attn_i8_from_f32(NULL, 0, 0, NULL, NULL, NULL), ATTN_OK);
}

/* Every half: what its bits say, worked out in another way. */
static void every_f16(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        uint16_t half = (uint16_t)bits;
        int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 1023);
        float sign = bits >> 15 != 0 ? -1.0f : 1.0f, found;
        float wanted = exponent == 0    ? ldexpf((float)mantissa, -24)
                       : exponent == 31 ? INFINITY
                                        : ldexpf((float)(1024 + mantissa), exponent - 25);
        attn_f32_from_f16(&half, 1, &found);
        if (exponent == 31 && mantissa != 0) {
            assert_true(isnan(found));
        } else {
            assert_true(found == sign * wanted);
        }
        assert_int_equal(signbit(found) != 0, bits >> 15);
    }
}

static void floats_from_every_type(void **state) {
    (void)state;
    static const int64_t i64[2] = {-3, 16777217};
    static const double f64[2] = {0.1, -1e300};
    static const int16_t i16[2] = {-32768, 7};
    static const uint8_t u8[2] = {255, 1};
    static const uint16_t bf16[2] = {0x3F80, 0xC000}, f16[2] = {0x3C00, 0x8001};
    const struct {
        attn_dtype dtype;
        const void *data;
        float wanted[2];
    } cases[] = {
        {ATTN_DTYPE_I64, i64, {-3, 16777216}},
        {ATTN_DTYPE_F64, f64, {0.1f, -INFINITY}},
        {ATTN_DTYPE_I16, i16, {-32768, 7}},
        {ATTN_DTYPE_U8, u8, {255, 1}},
        {ATTN_DTYPE_I8, u8, {-1, 1}},
        {ATTN_DTYPE_BF16, bf16, {1, -2}},
        {ATTN_DTYPE_F16, f16, {1, -0x1p-24f}},
        {ATTN_DTYPE_I32, i64, {-3, -1}},
        {ATTN_DTYPE_F32, (float[2]){2, 3}, {2, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float found[2];
        attn_f32_from(cases[i].dtype, cases[i].data, 2, found);
        assert_memory_equal(found, cases[i].wanted, sizeof found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sizes),
        cmocka_unit_test(bf16_rounds_ties_to_even),
        cmocka_unit_test(bf16_keeps_nan),
        cmocka_unit_test(every_bf16_survives),
        cmocka_unit_test(bf16_is_nearest),
        cmocka_unit_test(i8_row_by_row),
        cmocka_unit_test(i8_extremes),
        cmocka_unit_test(every_f16),
        cmocka_unit_test(floats_from_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
