/* kernels/resize/resize_ref.c: resizing in plain C: the definition. */
#include "kernels/resize/resize_kernels.h"

static void resize_blend(int64_t count, real weight, const real *a, const real *b, real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = real_fma(weight, b[i] - a[i], a[i]);
    }
}

static void resize_blend_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                                const real *x, real *y) {
    for (int64_t i = 0; i < pixels; i++) {
        resize_blend(channels, places[i].weight, x + places[i].left * channels,
                     x + places[i].right * channels, y + i * channels);
    }
}

static void resize_spread_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                                 const real *d_y, real *d_x) {
    for (int64_t i = 0; i < pixels; i++, d_y += channels) {
        real *left = d_x + places[i].left * channels, *right = d_x + places[i].right * channels;
        for (int64_t c = 0; c < channels; c++) {
            left[c] = real_fma(1 - places[i].weight, d_y[c], left[c]);
            right[c] = real_fma(places[i].weight, d_y[c], right[c]);
        }
    }
}

const attn_resize_kernels attn_resize_ref = {
    .blend = resize_blend,
    .blend_pixels = resize_blend_pixels,
    .spread_pixels = resize_spread_pixels,
};
