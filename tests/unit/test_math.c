/* The library's own exp2, log, tanh, erf and GELU against libm in double, over dense inputs; the
 * sine, cosine and the table of positions likewise; that vectors repeat them is for tests/kernels.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attn/layers.h"
#include "base/math.h"
#include "base/trig.h"
#include "kernels/elementwise/elementwise.h"

/* The distance between found and expected in units of the last place of a float near expected. */
static double ulps(float found, double expected) {
    float size = (float)fabs(expected);
    double unit = (double)nextafterf(size, INFINITY) - (double)size;
    return fabs((double)found - expected) / unit;
}

typedef float (*float_function)(float);
typedef double (*double_function)(double);

/* The largest error in ulps over every 997th float between low and high, of either sign. */
static double worst(float_function ours, double_function exact, float low, float high) {
    uint32_t first, last;
    memcpy(&first, &low, sizeof first);
    memcpy(&last, &high, sizeof last);
    double largest = 0.0;
    for (uint32_t bits = first; bits <= last; bits += 997) {
        float x;
        memcpy(&x, &bits, sizeof x);
        double error = ulps(ours(x), exact((double)x));
        largest = error > largest ? error : largest;
        error = ulps(ours(-x), exact(-(double)x));
        largest = error > largest ? error : largest;
    }
    return largest;
}

static void assert_within(double error, double limit) {
    if (!(error <= limit)) {
        fail_msg("error of %.3f ulp, more than %.3f", error, limit);
    }
}

static void exp2_is_accurate(void **state) {
    (void)state;
    assert_within(worst(real_exp2, exp2, 1e-10f, 125.9f), 1.1);
    assert_true(real_exp2(0.0f) == 1.0f && real_exp2(-3.0f) == 0.125f);
    assert_true(real_exp2(-126.5f) == 0.0f && real_exp2(-INFINITY) == 0.0f);
    assert_true(isnan(real_exp2(NAN)));
}

static float log2_of_size(float x) {
    return real_log2(fabsf(x));
}
static double exact_log2_of_size(double x) {
    return log2(fabs(x));
}
static float log_of_size(float x) {
    return real_log(fabsf(x));
}
static double exact_log_of_size(double x) {
    return log(fabs(x));
}

static void logarithms_are_accurate(void **state) {
    (void)state;
    assert_within(worst(log2_of_size, exact_log2_of_size, 0x1p-149f, 0x1.fffffep127f), 1.5);
    assert_within(worst(log_of_size, exact_log_of_size, 0x1p-149f, 0x1.fffffep127f), 1.5);
    assert_true(real_log(1.0f) == 0.0f && real_log2(1.0f) == 0.0f && real_log2(0x1p-149f) == -149);
    assert_true(real_log(0.0f) == -INFINITY && real_log2(-0.0f) == -INFINITY);
    assert_true(real_log(INFINITY) == INFINITY && real_log2(INFINITY) == INFINITY);
    assert_true(isnan(real_log(-1.0f)) && isnan(real_log2(NAN)) && isnan(real_log(-INFINITY)));
}

static void tanh_and_erf_are_accurate(void **state) {
    (void)state;
    assert_within(worst(real_tanh, tanh, 1e-30f, 100.0f), 2.0);
    assert_within(worst(real_erf, erf, 1e-30f, 100.0f), 1.5);
    assert_true(real_tanh(INFINITY) == 1.0f && real_tanh(-INFINITY) == -1.0f);
    assert_true(real_erf(INFINITY) == 1.0f && real_erf(-INFINITY) == -1.0f);
    assert_true(isnan(real_tanh(NAN)) && isnan(real_erf(NAN)));
}

static void gelu_is_accurate(void **state) {
    (void)state;
    for (double x = -12.0; x < 12.0; x += 0.000731) {
        double scaled = (double)(float)x;
        double distribution = 0.5 * erfc(-scaled * sqrt(0.5));
        double density = exp(-0.5 * scaled * scaled) / sqrt(2.0 * acos(-1.0));
        double limit = 1.2e-7 * (fabs(scaled) + 1.0);
        double error = fabs((double)real_gelu((float)x) - scaled * distribution);
        assert_true(error <= limit);
        error = fabs((double)real_gelu_derivative((float)x) - (distribution + scaled * density));
        assert_true(error <= limit);
    }
    assert_true(isnan(real_gelu(NAN)) && isnan(real_gelu_derivative(NAN)));
    assert_true(isnan(real_relu(NAN)) && real_relu(-1.0f) == 0.0f && real_relu(2.0f) == 2.0f);
}

static void sine_and_cosine_are_accurate(void **state) {
    (void)state;
    for (double angle = -1e6; angle < 1e6; angle += 3.137) {
        double sine, cosine;
        attn_sin_cos(angle, &sine, &cosine);
        assert_true(fabs(sine - sin(angle)) < 1e-15);
        assert_true(fabs(cosine - cos(angle)) < 1e-15);
    }
    for (double x = -900.0; x < 900.0; x += 0.0137) {
        assert_true(fabs(attn_exp2_double(x) / exp2(x) - 1.0) < 1e-15);
        assert_true(fabs(attn_log2_double(attn_exp2_double(x)) - x) <= 4e-15 * fmax(fabs(x), 1));
    }
}

static void rotary_tables_are_angles(void **state) {
    (void)state;
    enum { PLACES = 1030, SIZE = 10 };
    static const double bases[] = {1.5, 10000, 1e6};
    static attn_real table[PLACES * SIZE];
    for (size_t n = 0; n < sizeof bases / sizeof *bases; n++) {
        attn_rotary_table(bases[n], PLACES, SIZE, table);
        for (int64_t i = 0; i < PLACES * SIZE / 2; i++) {
            int64_t place = i / (SIZE / 2), pair = i % (SIZE / 2);
            double angle = (double)place * pow(bases[n], -2.0 * (double)pair / SIZE);
            const attn_real *row = table + place * SIZE;
            assert_true(fabs((double)row[pair] - cos(angle)) < 1e-7);
            assert_true(fabs((double)row[SIZE / 2 + pair] - sin(angle)) < 1e-7);
        }
    }
}

static void positions_are_sines(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 2, 3, 4, 7, 128, 513};
    enum { POSITIONS = 1030 };
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        int64_t channels = widths[w], half = channels / 2;
        float *table = malloc((size_t)(POSITIONS * channels) * sizeof *table);
        assert_non_null(table);
        for (int kind = 0; kind < 4; kind++) {
            bool paper = kind % 2 == 1;
            int64_t first = kind / 2 * 2;
            attn_sinusoid_table(paper ? ATTN_SINUSOIDS_PAPER : ATTN_SINUSOIDS_TENSOR2TENSOR, first,
                                POSITIONS, channels, table);
            for (int64_t p = 0; p < POSITIONS; p++) {
                const float *row = table + p * channels;
                for (int64_t i = 0; i < half; i++) {
                    double last = (double)(paper ? half : half - 1);
                    double part = last > 0 ? (double)i / last : 0.0;
                    double angle = (double)(first + p) * pow(10000.0, -part);
                    assert_true(fabs((double)row[i] - sin(angle)) < 1e-7);
                    assert_true(fabs((double)row[half + i] - cos(angle)) < 1e-7);
                }
                assert_true(channels % 2 == 0 || row[channels - 1] == 0.0f);
            }
        }
        free(table);
    }
}

/* x * sigmoid(u) and its derivative, from doubles. */
static void check_gated(double x, double u, double slope, float value, float derivative) {
    double gate = 1 / (1 + exp(-u)), limit = 1.2e-7 * (fabs(x) + fabs(u) + 1.0);
    assert_true(fabs((double)value - x * gate) <= limit * (1 + fabs(x)));
    double exact = gate + x * slope * gate * (1 - gate);
    assert_true(fabs((double)derivative - exact) <= 3e-6);
}

static void gated_activations_are_accurate(void **state) {
    (void)state;
    const double factor = 2 * sqrt(2 / acos(-1.0));
    for (double at = -12.0; at < 12.0; at += 0.000731) {
        float x = (float)at;
        double d = (double)x;
        check_gated(d, d, 1, real_swish(x), real_swish_derivative(x));
        check_gated(d, 1.702 * d, 1.702, real_gelu_sigmoid(x), real_gelu_sigmoid_derivative(x));
        check_gated(d, factor * (d + 0.044715 * d * d * d), factor * (1 + 3 * 0.044715 * d * d),
                    real_gelu_tanh(x), real_gelu_tanh_derivative(x));
        assert_true(fabs((double)real_gelu_tanh(x) - (double)real_gelu(x)) < 5e-4);
    }
    assert_true(isnan(real_swish(NAN)) && isnan(real_gelu_tanh(NAN)));
    assert_true(isnan(real_gelu_sigmoid(NAN)) && isnan(real_swish_derivative(NAN)));
    assert_true(real_swish(1e30f) == 1e30f && fabsf(real_swish(-1e3f)) < 1e-30f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp2_is_accurate),
        cmocka_unit_test(logarithms_are_accurate),
        cmocka_unit_test(tanh_and_erf_are_accurate),
        cmocka_unit_test(gelu_is_accurate),
        cmocka_unit_test(gated_activations_are_accurate),
        cmocka_unit_test(sine_and_cosine_are_accurate),
        cmocka_unit_test(rotary_tables_are_angles),
        cmocka_unit_test(positions_are_sines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
