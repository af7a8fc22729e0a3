/* kernels/depthwise/depthwise_ref.c: depthwise convolution in plain C: the definition. */
#include "kernels/depthwise/depthwise_kernels.h"

static void depthwise_line(const attn_depthwise_line *l) {
    for (int64_t x = 0; x < l->pixels; x++) {
        for (int64_t c = 0; c < l->channels; c++) {
            real sum = l->start ? l->start[x * l->start_step + c] : 0;
            for (int t = 0; t < l->taps; t++) {
                sum = real_fma(l->in[t][x * l->in_step + c], l->weight[t][c], sum);
            }
            l->out[x * l->out_step + c] = sum;
        }
    }
}

static void depthwise_weights(const attn_depthwise_weights *l) {
    for (int t = 0; t < l->taps; t++) {
        for (int64_t x = 0; x < l->pixels; x++) {
            for (int64_t c = 0; c < l->channels; c++) {
                l->d_weight[t][c] = real_fma(l->d_out[x * l->out_step + c],
                                             l->in[t][x * l->in_step + c], l->d_weight[t][c]);
            }
        }
    }
}

const attn_depthwise_kernels attn_depthwise_ref = {
    .line = depthwise_line,
    .weights = depthwise_weights,
};
