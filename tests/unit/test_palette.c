/* tests/unit/test_palette.c: the colours hold for every eye: lightness of weights grows evenly, text on
 * them can be read, and the colours of heads are told apart without seeing red or green. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "show/palette.h"

typedef struct triple {
    double v[3];
} triple;

static double linear(double channel) {
    return channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4);
}

static triple linear_rgb(attn_color c) {
    return (triple){{linear(c.red), linear(c.green), linear(c.blue)}};
}

static triple times(const double m[3][3], triple c) {
    triple out;
    for (int i = 0; i < 3; i++) {
        out.v[i] = m[i][0] * c.v[0] + m[i][1] * c.v[1] + m[i][2] * c.v[2];
    }
    return out;
}

/* Ottosson 2020. */
static triple oklab(triple rgb) {
    static const double to_cones[3][3] = {{0.4122214708, 0.5363325363, 0.0514459929},
                                          {0.2119034982, 0.6806995451, 0.1073969566},
                                          {0.0883024619, 0.2817188376, 0.6299787005}};
    static const double to_lab[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                        {1.9779984951, -2.4285922050, 0.4505937099},
                                        {0.0259040371, 0.7827717662, -0.8086757660}};
    triple cones = times(to_cones, rgb);
    for (int i = 0; i < 3; i++) {
        cones.v[i] = cbrt(fmax(cones.v[i], 0));
    }
    return times(to_lab, cones);
}

static double distance(triple a, triple b) {
    return sqrt(pow(a.v[0] - b.v[0], 2) + pow(a.v[1] - b.v[1], 2) + pow(a.v[2] - b.v[2], 2));
}

/* Relative luminance and contrast of WCAG 2. */
static double luminance(attn_color c) {
    triple rgb = linear_rgb(c);
    return 0.2126 * rgb.v[0] + 0.7152 * rgb.v[1] + 0.0722 * rgb.v[2];
}

static double contrast(attn_color a, attn_color b) {
    double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
    return x > y ? x / y : y / x;
}

static void test_weights_grow_evenly(void **unused) {
    (void)unused;
    enum { STEPS = 64 };
    for (int theme = 0; theme < 2; theme++) {
        double sign = theme == ATTN_THEME_LIGHT ? -1 : 1, total = 0;
        triple first = oklab(linear_rgb(attn_palette_weight((attn_theme)theme, 0)));
        triple last = oklab(linear_rgb(attn_palette_weight((attn_theme)theme, 1)));
        total = fabs(last.v[0] - first.v[0]);
        assert_true(total > 0.6);
        for (int i = 0; i < STEPS; i++) {
            triple a = oklab(linear_rgb(attn_palette_weight((attn_theme)theme, i / 64.0)));
            triple b = oklab(linear_rgb(attn_palette_weight((attn_theme)theme, (i + 1) / 64.0)));
            double step = sign * (b.v[0] - a.v[0]);
            if (step < 0.5 * total / STEPS || step > 1.6 * total / STEPS) {
                fail_msg("theme %d, step %d: %g of %g", theme, i, step, total / STEPS);
            }
        }
    }
}

static void test_text_can_be_read(void **unused) {
    (void)unused;
    for (int theme = 0; theme < 2; theme++) {
        attn_theme t = (attn_theme)theme;
        attn_color background = attn_palette_background(t);
        assert_true(contrast(attn_palette_ink(t), background) > 7);
        assert_true(contrast(attn_palette_muted(t), background) > 4.5);
        assert_true(contrast(attn_palette_accent(t), background) > 3);
        for (int i = 0; i <= 100; i++) {
            double share = i / 100.0;
            double ratio =
                contrast(attn_palette_weight(t, share), attn_palette_on_weight(t, share));
            if (ratio < 3.9) {
                fail_msg("theme %d, share %g: contrast %g", theme, share, ratio);
            }
        }
    }
}

static void test_heads_are_told_apart(void **unused) {
    (void)unused;
    /* Vienot, Brettel and Mollon 1999: no red cones, no green ones. */
    static const double eyes[3][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
        {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
    };
    for (int theme = 0; theme < 2; theme++) {
        for (int eye = 0; eye < 3; eye++) {
            for (int a = 0; a < ATTN_HEAD_COLORS; a++) {
                for (int b = a + 1; b < ATTN_HEAD_COLORS; b++) {
                    triple x =
                        times(eyes[eye], linear_rgb(attn_palette_head((attn_theme)theme, a)));
                    triple y =
                        times(eyes[eye], linear_rgb(attn_palette_head((attn_theme)theme, b)));
                    if (distance(oklab(x), oklab(y)) < 0.07) {
                        fail_msg("theme %d, eye %d: heads %d and %d look alike", theme, eye, a, b);
                    }
                }
            }
        }
    }
    attn_color first = attn_palette_head(ATTN_THEME_LIGHT, 0);
    attn_color again = attn_palette_head(ATTN_THEME_LIGHT, ATTN_HEAD_COLORS);
    assert_memory_equal(&first, &again, sizeof again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_grow_evenly),
        cmocka_unit_test(test_text_can_be_read),
        cmocka_unit_test(test_heads_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
