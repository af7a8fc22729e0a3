/* kernels/depthwise/depthwise_body.h: depthwise convolution over the verbs of any instruction set.
 *
 * Vectors run across channels; a tile of neighbouring pixels shares each load of a weight. Include
 * it after a verbs header. Each function repeats the one of depthwise_ref.c. */
#include "kernels/depthwise/depthwise_kernels.h"
#include "kernels/isa/part16.h"

/* `pixels` pixels from x on, n channels from c on; pixels is a constant in every call. */
V_INLINE void depthwise_line_tile(const int pixels, const attn_depthwise_line *l, int64_t x,
                                  int64_t c, int n) {
    v16 acc[V_CHAINS];
#pragma GCC unroll 16
    for (int i = 0; i < pixels; i++) {
        acc[i] = l->start ? v_load_part(l->start + (x + i) * l->start_step + c, n) : v_zero();
    }
    for (int t = 0; t < l->taps; t++) {
        const float *in = l->in[t] + x * l->in_step + c;
        v16 weight = v_load_part(l->weight[t] + c, n);
#pragma GCC unroll 16
        for (int i = 0; i < pixels; i++) {
            acc[i] = v_fma(v_load_part(in + i * l->in_step, n), weight, acc[i]);
        }
    }
    float *out = l->out + x * l->out_step + c;
#pragma GCC unroll 16
    for (int i = 0; i < pixels; i++) {
        v_store_part(out + i * l->out_step, acc[i], n);
    }
}

V_INLINE void depthwise_line_pixels(const int pixels, const attn_depthwise_line *l, int64_t x) {
    int64_t c = 0;
    for (; c + 16 <= l->channels; c += 16) {
        depthwise_line_tile(pixels, l, x, c, 16);
    }
    if (c < l->channels) {
        depthwise_line_tile(pixels, l, x, c, (int)(l->channels - c));
    }
}

static void depthwise_line(const attn_depthwise_line *l) {
    int64_t x = 0;
    for (; x + V_CHAINS <= l->pixels; x += V_CHAINS) {
        depthwise_line_pixels(V_CHAINS, l, x);
    }
    for (; x + 3 <= l->pixels; x += 3) {
        depthwise_line_pixels(3, l, x);
    }
    for (; x < l->pixels; x++) {
        depthwise_line_pixels(1, l, x);
    }
}

enum { WEIGHT_TAPS = 4 }; /* chains at a time: a multiply-add has to wait for the one before */

V_INLINE void depthwise_weights_tile(const int taps, const attn_depthwise_weights *l, int t,
                                     int64_t c, int n) {
    v16 acc[WEIGHT_TAPS];
    const float *in[WEIGHT_TAPS];
#pragma GCC unroll 4
    for (int i = 0; i < taps; i++) {
        acc[i] = v_load_part(l->d_weight[t + i] + c, n);
        in[i] = l->in[t + i] + c;
    }
    const float *d_out = l->d_out + c;
    for (int64_t x = 0; x < l->pixels; x++) {
        v16 d = v_load_part(d_out + x * l->out_step, n);
#pragma GCC unroll 4
        for (int i = 0; i < taps; i++) {
            acc[i] = v_fma(d, v_load_part(in[i] + x * l->in_step, n), acc[i]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < taps; i++) {
        v_store_part(l->d_weight[t + i] + c, acc[i], n);
    }
}

V_INLINE void depthwise_weights_channels(const attn_depthwise_weights *l, int64_t c, int n) {
    int t = 0;
    for (; t + WEIGHT_TAPS <= l->taps; t += WEIGHT_TAPS) {
        depthwise_weights_tile(WEIGHT_TAPS, l, t, c, n);
    }
    for (; t < l->taps; t++) {
        depthwise_weights_tile(1, l, t, c, n);
    }
}

static void depthwise_weights(const attn_depthwise_weights *l) {
    int64_t c = 0;
    for (; c + 16 <= l->channels; c += 16) {
        depthwise_weights_channels(l, c, 16);
    }
    if (c < l->channels) {
        depthwise_weights_channels(l, c, (int)(l->channels - c));
    }
}

static const attn_depthwise_kernels depthwise_kernels = {
    .line = depthwise_line,
    .weights = depthwise_weights,
};
