/* kernels/resize/resize_body.h: resizing over the verbs of any instruction set.
 *
 * Include it after a verbs header. Each function repeats the one of resize_ref.c. */
#include "kernels/isa/part16.h"
#include "kernels/resize/resize_kernels.h"

V_INLINE void blend_step(v16 weight, const float *a, const float *b, float *y, int n) {
    v16 first = v_load_part(a, n);
    v_store_part(y, v_fma(weight, v_sub(v_load_part(b, n), first), first), n);
}

V_INLINE void blend_row(int64_t count, float weight, const float *a, const float *b, float *y) {
    v16 w = v_set1(weight);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        blend_step(w, a + i, b + i, y + i, 16);
    }
    if (i < count) {
        blend_step(w, a + i, b + i, y + i, (int)(count - i));
    }
}

static void blend(int64_t count, float weight, const float *a, const float *b, float *y) {
    blend_row(count, weight, a, b, y);
}

static void blend_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                         const float *x, float *y) {
    for (int64_t i = 0; i < pixels; i++) {
        blend_row(channels, places[i].weight, x + places[i].left * channels,
                  x + places[i].right * channels, y + i * channels);
    }
}

V_INLINE void spread_step(float weight, const float *d_y, float *left, float *right, int n) {
    v16 d = v_load_part(d_y, n);
    v_store_part(left, v_fma(v_set1(1 - weight), d, v_load_part(left, n)), n);
    v_store_part(right, v_fma(v_set1(weight), d, v_load_part(right, n)), n);
}

static void spread_pixels(int64_t pixels, int64_t channels, const attn_resize_place *places,
                          const float *d_y, float *d_x) {
    for (int64_t i = 0; i < pixels; i++, d_y += channels) {
        float *left = d_x + places[i].left * channels, *right = d_x + places[i].right * channels;
        int64_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            spread_step(places[i].weight, d_y + c, left + c, right + c, 16);
        }
        if (c < channels) {
            spread_step(places[i].weight, d_y + c, left + c, right + c, (int)(channels - c));
        }
    }
}

static void fill(attn_resize_kernels *kernels) {
    *kernels = (attn_resize_kernels){blend, blend_pixels, spread_pixels};
}
