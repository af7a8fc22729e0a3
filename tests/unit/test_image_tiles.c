/* Tiles: every pixel covered, weights that sum to 1, few rows in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/tiles.h"

static void check_axis(int64_t length, int64_t tile, int64_t overlap) {
    attn_tile_axis axis = attn_tile_plan(length, tile, overlap);
    assert_true(axis.count >= 1 && axis.tile <= tile && axis.tile <= length);
    assert_int_equal(attn_tile_start(&axis, 0), 0);
    assert_int_equal(attn_tile_start(&axis, axis.count - 1) + axis.tile, length);
    int64_t kept = overlap < tile / 2 ? overlap : tile / 2;
    for (int64_t i = 0; i + 1 < axis.count; i++) {
        int64_t shared = attn_tile_start(&axis, i) + axis.tile - attn_tile_start(&axis, i + 1);
        assert_true(attn_tile_start(&axis, i) < attn_tile_start(&axis, i + 1));
        assert_true(shared >= kept);
    }
    for (int64_t pixel = 0; pixel < length; pixel++) {
        int sum = 0;
        for (int64_t i = 0; i < axis.count; i++) {
            int weight = attn_tile_weight(&axis, i, pixel);
            int64_t start = attn_tile_start(&axis, i);
            bool inside = pixel >= start && pixel < start + axis.tile;
            assert_true(weight >= 0 && (inside || weight == 0));
            sum += weight;
        }
        assert_int_equal(sum, ATTN_TILE_ONE);
    }
}

static void weights_sum_to_one(void **state) {
    (void)state;
    for (int64_t length = 1; length <= 60; length++) {
        for (int64_t tile = 1; tile <= 20; tile++) {
            for (int64_t overlap = 0; overlap <= 12; overlap += 1 + overlap / 3) {
                check_axis(length, tile, overlap);
            }
        }
    }
    check_axis(5003, 512, 64);
    check_axis(151, 100, 50); /* two tiles' overlap reaches into a third */
}

static void few_tiles(void **state) {
    (void)state;
    assert_int_equal(attn_tile_plan(100, 100, 20).count, 1);
    assert_int_equal(attn_tile_plan(99, 100, 20).tile, 99);
    assert_int_equal(attn_tile_plan(101, 100, 20).count, 2);
    assert_int_equal(attn_tile_plan(180, 100, 20).count, 2);
    assert_int_equal(attn_tile_plan(181, 100, 20).count, 3);
    assert_int_equal(attn_tile_plan(180, 100, 20).ramp, 20);
}

/* Weights pass over without a jump: no more than one ramp step a pixel. */
static void ramps_are_smooth(void **state) {
    (void)state;
    attn_tile_axis axis = attn_tile_plan(1000, 300, 100);
    assert_true(axis.ramp >= 90);
    for (int64_t i = 0; i < axis.count; i++) {
        for (int64_t pixel = 1; pixel < 1000; pixel++) {
            int step = attn_tile_weight(&axis, i, pixel) - attn_tile_weight(&axis, i, pixel - 1);
            assert_in_range(step + ATTN_TILE_ONE / 90 + 1, 0, 2 * (ATTN_TILE_ONE / 90 + 1));
        }
    }
}

/* Blends tiles cut out of a field of values; the result must be the field. */
static void blend_field(int64_t width, int64_t height, int64_t tile, int64_t overlap,
                        const float *field, int64_t channels, float tolerance) {
    attn_tile_axis x = attn_tile_plan(width, tile, overlap);
    attn_tile_axis y = attn_tile_plan(height, tile, overlap);
    attn_tile_blend *blend;
    float *values = malloc((size_t)(x.tile * y.tile * channels) * sizeof *values);
    int64_t next = 0;
    assert_int_equal(attn_tile_blend_create(&x, &y, channels, &blend, NULL), ATTN_OK);
    for (int64_t row = 0; row < y.count; row++) {
        for (int64_t column = 0; column < x.count; column++) {
            int64_t left = attn_tile_start(&x, column), top = attn_tile_start(&y, row);
            for (int64_t i = 0; i < y.tile; i++) {
                memcpy(values + i * x.tile * channels,
                       field + ((top + i) * width + left) * channels,
                       (size_t)(x.tile * channels) * sizeof *values);
            }
            attn_tile_blend_add(blend, column, row, values);
        }
        int64_t first, rows;
        const float *sums;
        attn_tile_blend_finish_row(blend, row, &first, &rows, &sums);
        assert_int_equal(first, next);
        assert_true(rows >= 1 && rows <= y.tile);
        for (int64_t i = 0; i < rows * width * channels; i++) {
            float expected = field[first * width * channels + i];
            assert_true(sums[i] - expected <= tolerance && expected - sums[i] <= tolerance);
        }
        next = first + rows;
    }
    assert_int_equal(next, height);
    attn_tile_blend_free(blend);
    free(values);
}

static void blending_gives_the_field_back(void **state) {
    (void)state;
    enum { WIDTH = 61, HEIGHT = 47, CHANNELS = 3 };
    static float field[WIDTH * HEIGHT * CHANNELS];
    for (int i = 0; i < WIDTH * HEIGHT * CHANNELS; i++) {
        field[i] = (float)(i * 37 % 1009) / 1009;
    }
    blend_field(WIDTH, HEIGHT, 20, 8, field, CHANNELS, 1e-6f);
    blend_field(WIDTH, HEIGHT, 16, 0, field, CHANNELS, 0);
    blend_field(WIDTH, HEIGHT, 33, 16, field, CHANNELS, 1e-6f);
    /* One tile changes no bit, nor do dyadic values, whose sums are exact. */
    blend_field(WIDTH, HEIGHT, 64, 16, field, CHANNELS, 0);
    for (int i = 0; i < WIDTH * HEIGHT * CHANNELS; i++) {
        field[i] = 0.5f;
    }
    blend_field(WIDTH, HEIGHT, 20, 8, field, CHANNELS, 0);
    blend_field(WIDTH, HEIGHT, 13, 6, field, CHANNELS, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_sum_to_one),
        cmocka_unit_test(few_tiles),
        cmocka_unit_test(ramps_are_smooth),
        cmocka_unit_test(blending_gives_the_field_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
