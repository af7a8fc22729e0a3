/* kernels/resize/resize_body.h: resizing over the verbs of any instruction set.
 *
 * Include it after a verbs header. Each function repeats the one of resize_ref.c. */
#include <stdbool.h>

#include "kernels/isa/part16.h"
#include "kernels/resize/resize_kernels.h"

V_INLINE void resize_blend_step(v16 weight, const float *a, const float *b, float *y, int n) {
    v16 first = v_load_part(a, n);
    v_store_part(y, v_fma(weight, v_sub(v_load_part(b, n), first), first), n);
}

V_INLINE void resize_blend_row(int64_t count, float weight, const float *a, const float *b,
                               float *y) {
    v16 w = v_set1(weight);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        resize_blend_step(w, a + i, b + i, y + i, 16);
    }
    if (i < count) {
        resize_blend_step(w, a + i, b + i, y + i, (int)(count - i));
    }
}

static void resize_blend(int64_t count, float weight, const float *a, const float *b, float *y) {
    resize_blend_row(count, weight, a, b, y);
}

static void resize_blend_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                                const float *x, float *y) {
    for (int64_t i = 0; i < pixels; i++) {
        resize_blend_row(channels, places[i].weight, x + places[i].left * channels,
                         x + places[i].right * channels, y + i * channels);
    }
}

/* n channels. What neighbouring outputs share stays in registers: through memory each addition would
 * wait for the store before it. */
V_INLINE void resize_spread_channels(int64_t pixels, int64_t channels,
                                     const attn_resize_place *places, const float *d_y, float *d_x,
                                     int n) {
    int64_t left = places[0].left, right = places[0].right;
    v16 at_left = v_load_part(d_x + left * channels, n);
    v16 at_right = v_load_part(d_x + right * channels, n);
    for (int64_t i = 0; i < pixels; i++, d_y += channels) {
        if (places[i].left != left || places[i].right != right) {
            if (right != left) {
                v_store_part(d_x + right * channels, at_right, n);
            }
            v_store_part(d_x + left * channels, at_left, n);
            bool next = places[i].left == right && right != left;
            left = places[i].left;
            right = places[i].right;
            at_left = next ? at_right : v_load_part(d_x + left * channels, n);
            at_right = v_load_part(d_x + right * channels, n);
        }
        v16 d = v_load_part(d_y, n), weight = v_set1(places[i].weight);
        at_left = v_fma(v_set1(1 - places[i].weight), d, at_left);
        if (right != left) {
            at_right = v_fma(weight, d, at_right);
        } else {
            at_left = v_fma(weight, d, at_left);
        }
    }
    if (right != left) {
        v_store_part(d_x + right * channels, at_right, n);
    }
    v_store_part(d_x + left * channels, at_left, n);
}

static void resize_spread_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                                 const float *d_y, float *d_x) {
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        resize_spread_channels(pixels, channels, places, d_y + c, d_x + c, 16);
    }
    if (c < channels) {
        resize_spread_channels(pixels, channels, places, d_y + c, d_x + c, (int)(channels - c));
    }
}

static const attn_resize_kernels resize_kernels = {
    .blend = resize_blend,
    .blend_pixels = resize_blend_pixels,
    .spread_pixels = resize_spread_pixels,
};
