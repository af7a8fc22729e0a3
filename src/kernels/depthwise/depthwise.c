/* kernels/depthwise/depthwise.c: finds the lines of pixels that have the same taps, and cuts the
 * work over threads: rows of the picture, and for the weights channels.
 *
 * Pixels whose taps all lie inside the picture make one line a row; those at its sides are lines of
 * one pixel. Next: depthwise_kernels.h, kernels/conv/taps.h. */
#include "kernels/depthwise/depthwise.h"

#include "kernels/conv/taps.h"
#include "kernels/table.h"

enum {
    SERIAL = 1 << 17, /* products below which a second thread costs more than it gives */
    CHANNELS = 16,    /* of the least part of the weights' gradient */
};

typedef struct depthwise_plan {
    int64_t channels, in_height, in_width;
    const real *in, *weight;
    conv_axis down, across;
    int64_t kernel_width, stride;
    int64_t rows, columns; /* of the output */
} depthwise_plan;

/* The taps of a line; pointers to the first pixel's input and to the weights. */
typedef struct line_taps {
    int count;
    const real *in[ATTN_DEPTHWISE_TAPS], *weight[ATTN_DEPTHWISE_TAPS];
} line_taps;

/* The taps of output (j, i) that lie inside picture b. */
static void find_taps(const depthwise_plan *p, int64_t b, int64_t j, int64_t i, line_taps *taps) {
    taps->count = 0;
    for (int64_t ty = 0; ty < p->down.count; ty++) {
        int64_t y = j * p->stride + p->down.first + ty * p->down.step;
        for (int64_t tx = 0; y >= 0 && y < p->in_height && tx < p->across.count; tx++) {
            int64_t x = i * p->stride + p->across.first + tx * p->across.step;
            if (x < 0 || x >= p->in_width) {
                continue;
            }
            int64_t ky = p->down.place + ty * p->down.place_step;
            int64_t kx = p->across.place + tx * p->across.place_step;
            taps->in[taps->count] =
                p->in + ((b * p->in_height + y) * p->in_width + x) * p->channels;
            taps->weight[taps->count++] = p->weight + (ky * p->kernel_width + kx) * p->channels;
        }
    }
}

/* How many pixels from i on have the same taps as pixel i: 1 at the sides. */
static int64_t line_length(const depthwise_plan *p, int64_t i) {
    int64_t first = p->across.first, last = first + (p->across.count - 1) * p->across.step;
    if (p->across.count == 0) {
        return p->columns - i;
    }
    if (i * p->stride + first < 0 || i * p->stride + last >= p->in_width) {
        return 1;
    }
    return conv_min(p->columns, (p->in_width - 1 - last) / p->stride + 1) - i;
}

static bool worth_threads(const attn_conv_shape *s) {
    return (double)s->batch * (double)attn_conv_out_height(s) * (double)attn_conv_out_width(s) *
               (double)s->in * (double)(s->kernel_height * s->kernel_width) >=
           SERIAL;
}

static depthwise_plan depthwise_plan_forward(const attn_conv_shape *s, const real *x,
                                             const real *weight) {
    return (depthwise_plan){
        .channels = s->in,
        .in_height = s->height,
        .in_width = s->width,
        .in = x,
        .weight = weight,
        .down = conv_axis_forward(s->kernel_height, s->dilation, s->padding_height),
        .across = conv_axis_forward(s->kernel_width, s->dilation, s->padding_width),
        .kernel_width = s->kernel_width,
        .stride = s->stride,
        .rows = attn_conv_out_height(s),
        .columns = attn_conv_out_width(s),
    };
}

/* A row that has just been written, while it lies in the cache. */
static void activate_row(attn_activation activation, int64_t count, real *y, real *slope) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    if (activation == ATTN_ACTIVATION_RELU) {
        kernels->relu(count, y, y);
    } else if (activation == ATTN_ACTIVATION_GELU && slope != NULL) {
        kernels->gelu_slope(count, y, y, slope);
    } else if (activation == ATTN_ACTIVATION_GELU) {
        kernels->gelu(count, y, y);
    }
}

void attn_depthwise_forward(const attn_conv_shape *s, const real *x, const real *weight,
                            const real *bias, attn_activation activation, real *y, real *slope) {
    const attn_depthwise_kernels *kernels = &attn_kernels_current()->depthwise;
    depthwise_plan p = depthwise_plan_forward(s, x, weight);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (worth_threads(s))
    for (int64_t row = 0; row < s->batch * p.rows; row++) {
        line_taps taps;
        for (int64_t i = 0, length; i < p.columns; i += length) {
            length = line_length(&p, i);
            find_taps(&p, row / p.rows, row % p.rows, i, &taps);
            kernels->line(&(attn_depthwise_line){.pixels = length,
                                                 .channels = s->in,
                                                 .taps = taps.count,
                                                 .in = taps.in,
                                                 .in_step = s->stride * s->in,
                                                 .weight = taps.weight,
                                                 .start = bias,
                                                 .out = y + (row * p.columns + i) * s->in,
                                                 .out_step = s->in});
        }
        int64_t count = p.columns * s->in, at = row * count;
        activate_row(activation, count, y + at, slope != NULL ? slope + at : NULL);
    }
}

/* One row of the pixels of one phase: row j of it, which is row j * stride + py of the picture. */
static void input_row(const attn_conv_shape *s, const depthwise_plan *p, int64_t b, int64_t y,
                      int64_t px, real *d_x, bool accumulate) {
    line_taps taps;
    for (int64_t i = 0, length; i < p->columns; i += length) {
        real *out = d_x + ((b * s->height + y) * s->width + px + i * s->stride) * s->in;
        length = line_length(p, i);
        find_taps(p, b, y / s->stride, i, &taps);
        attn_kernels_current()->depthwise.line(
            &(attn_depthwise_line){.pixels = length,
                                   .channels = s->in,
                                   .taps = taps.count,
                                   .in = taps.in,
                                   .in_step = s->in,
                                   .weight = taps.weight,
                                   .start = accumulate ? out : NULL,
                                   .start_step = s->stride * s->in,
                                   .out = out,
                                   .out_step = s->stride * s->in});
    }
}

void attn_depthwise_backward_input(const attn_conv_shape *s, const real *d_y, const real *weight,
                                   real *d_x, bool accumulate) {
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (worth_threads(s))
    for (int64_t row = 0; row < s->batch * s->height; row++) {
        int64_t y = row % s->height;
        depthwise_plan p = {
            .channels = s->in,
            .in_height = attn_conv_out_height(s),
            .in_width = attn_conv_out_width(s),
            .in = d_y,
            .weight = weight,
            .down = conv_axis_backward(y % s->stride, s->kernel_height, s->stride, s->dilation,
                                       s->padding_height),
            .kernel_width = s->kernel_width,
            .stride = 1,
        };
        for (int64_t px = 0; px < conv_min(s->stride, s->width); px++) {
            p.across =
                conv_axis_backward(px, s->kernel_width, s->stride, s->dilation, s->padding_width);
            p.columns = conv_ceil_div(s->width - px, s->stride);
            input_row(s, &p, row / s->height, y, px, d_x, accumulate);
        }
    }
}

/* Channels c .. c + count - 1 of the weights' gradient. */
static void weight_channels(const attn_conv_shape *s, const depthwise_plan *p, const real *d_y,
                            real *d_weight, int64_t c, int64_t count) {
    line_taps taps;
    real *d_taps[ATTN_DEPTHWISE_TAPS];
    for (int64_t row = 0; row < s->batch * p->rows; row++) {
        for (int64_t i = 0, length; i < p->columns; i += length) {
            length = line_length(p, i);
            find_taps(p, row / p->rows, row % p->rows, i, &taps);
            for (int t = 0; t < taps.count; t++) {
                d_taps[t] = d_weight + (taps.weight[t] - p->weight) + c;
                taps.in[t] += c;
            }
            attn_kernels_current()->depthwise.weights(
                &(attn_depthwise_weights){.pixels = length,
                                          .channels = count,
                                          .taps = taps.count,
                                          .in = taps.in,
                                          .in_step = s->stride * s->in,
                                          .d_out = d_y + (row * p->columns + i) * s->in + c,
                                          .out_step = s->in,
                                          .d_weight = d_taps});
        }
    }
}

void attn_depthwise_backward_weight(const attn_conv_shape *s, const real *x, const real *d_y,
                                    real *d_weight) {
    /* The places of the weights' gradient are found from those of the weights. */
    depthwise_plan p = depthwise_plan_forward(s, x, d_weight);
    int64_t threads = worth_threads(s) ? attn_get_threads() : 1;
    int64_t groups = conv_ceil_div(s->in, CHANNELS), parts = conv_min(groups, threads);
#pragma omp parallel for schedule(static) num_threads(parts) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t c = groups * i / parts * CHANNELS;
        int64_t end = conv_min(s->in, groups * (i + 1) / parts * CHANNELS);
        weight_channels(s, &p, d_y, d_weight, c, end - c);
    }
}
