/* image/resize.c: separable triangle filter in fixed point: along rows first, into 16 bits, then
 * along columns.
 *
 * With N input and n output pixels, distances are counted in units of 1 / (2 n) input pixels, so
 * that every weight is a ratio of whole numbers: |(2 j + 1) n - (2 i + 1) N| between centres, and a
 * triangle that reaches 0 at 2 max(N, n). */
#include "image/resize.h"

#include <string.h>

#include "base/fail.h"

enum { WEIGHT_BITS = 14, EXTRA_BITS = 8 }; /* EXTRA_BITS: kept between the two passes */

/* The weights of outputs first .. first + count - 1: output i uses inputs start[i] .. start[i] +
 * taps - 1, some with weight 0. */
typedef struct filter {
    int64_t taps;
    int64_t *start;
    uint16_t *weight; /* [count, taps] */
} filter;

static int64_t count_taps(int64_t in, int64_t out) {
    int64_t taps = in > out ? 2 * ((in + out - 1) / out) + 1 : 3;
    return taps < in ? taps : in;
}

static int64_t distance(int64_t i, int64_t j, int64_t in, int64_t out) {
    int64_t d = (2 * j + 1) * out - (2 * i + 1) * in;
    return d < 0 ? -d : d;
}

/* One output's weights: the triangle, cut at the picture's edges, made to sum to 1 exactly; what
 * rounding leaves goes to the largest. */
static void fill_weights(int64_t i, int64_t in, int64_t out, filter *f, int64_t *start,
                         uint16_t *weight) {
    int64_t reach = 2 * (in > out ? in : out);
    int64_t first = ((2 * i + 1) * in - reach) / (2 * out);
    first = first < 0 ? 0 : first;
    first = first > in - f->taps ? in - f->taps : first;
    int64_t total = 0, sum = 0, largest = 0;
    for (int64_t t = 0; t < f->taps; t++) {
        int64_t w = reach - distance(i, first + t, in, out);
        total += w > 0 ? w : 0;
    }
    total = total > 0 ? total : 1; /* it is: the nearest input pixel is within reach */
    for (int64_t t = 0; t < f->taps; t++) {
        int64_t w = reach - distance(i, first + t, in, out);
        int64_t fixed = w > 0 ? ((w << WEIGHT_BITS) + total / 2) / total : 0;
        weight[t] = (uint16_t)fixed;
        sum += fixed;
        largest = weight[t] > weight[largest] ? t : largest;
    }
    weight[largest] = (uint16_t)(weight[largest] + (1 << WEIGHT_BITS) - sum);
    *start = first;
}

static void fill_filter(int64_t in, int64_t out, int64_t first, int64_t count, filter *f) {
    for (int64_t i = 0; i < count; i++) {
        fill_weights(first + i, in, out, f, &f->start[i], f->weight + i * f->taps);
    }
}

/* One row, input columns to output columns, with EXTRA_BITS of fraction. */
static void filter_row(const uint8_t *in, const filter *f, int64_t count, uint16_t *out) {
    enum { SHIFT = WEIGHT_BITS - EXTRA_BITS };
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *from = in + f->start[i] * 3;
        const uint16_t *weight = f->weight + i * f->taps;
        uint32_t sum[3] = {1 << (SHIFT - 1), 1 << (SHIFT - 1), 1 << (SHIFT - 1)};
        for (int64_t t = 0; t < f->taps; t++) {
            for (int c = 0; c < 3; c++) {
                sum[c] += (uint32_t)weight[t] * from[3 * t + c];
            }
        }
        for (int c = 0; c < 3; c++) {
            out[3 * i + c] = (uint16_t)(sum[c] >> SHIFT);
        }
    }
}

/* One output row from the filtered rows it uses; row stride is size. */
static void filter_column(const uint16_t *in, int64_t size, const uint16_t *weight, int64_t taps,
                          uint32_t *sum, uint8_t *out) {
    enum { SHIFT = WEIGHT_BITS + EXTRA_BITS };
    for (int64_t i = 0; i < size; i++) {
        sum[i] = 1u << (SHIFT - 1);
    }
    for (int64_t t = 0; t < taps; t++) {
        uint32_t w = weight[t];
        const uint16_t *row = in + t * size;
        for (int64_t i = 0; w != 0 && i < size; i++) {
            sum[i] += w * row[i];
        }
    }
    for (int64_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(sum[i] >> SHIFT);
    }
}

/* Space for everything at once, cut into its parts. */
typedef struct workspace {
    filter across, down;
    uint16_t *rows; /* [input rows in use, window width, 3] */
    uint32_t *sum;  /* [window width, 3] */
} workspace;

static void *take(char **at, int64_t count, size_t size) {
    void *part = *at;
    *at += ((size_t)count * size + 63) / 64 * 64;
    return part;
}

static attn_status lay_out(const attn_picture *in, const attn_resize_part *w, workspace *space,
                           attn_scratch *scratch, attn_error *error) {
    int64_t across = count_taps(in->width, w->full_width);
    int64_t down = count_taps(in->height, w->full_height);
    /* No more input rows than reach from the first output row's to the last one's. */
    int64_t rows = (w->height * in->height) / w->full_height + 2 * down + 2;
    rows = rows < in->height ? rows : in->height;
    int64_t line = w->width * 3;
    int64_t bytes = w->width * (8 + 2 * across) + w->height * (8 + 2 * down) + rows * line * 2 +
                    line * 4 + 6 * 64;
    char *at = attn_scratch_get(scratch, (size_t)bytes);
    if (at == NULL) {
        return attn_fail_memory(error, (size_t)bytes);
    }
    space->across.taps = across;
    space->across.start = take(&at, w->width, sizeof(int64_t));
    space->across.weight = take(&at, w->width * across, sizeof(uint16_t));
    space->down.taps = down;
    space->down.start = take(&at, w->height, sizeof(int64_t));
    space->down.weight = take(&at, w->height * down, sizeof(uint16_t));
    space->rows = take(&at, rows * line, sizeof(uint16_t));
    space->sum = take(&at, line, sizeof(uint32_t));
    return ATTN_OK;
}

attn_status attn_resize_picture(const attn_picture *in, const attn_resize_part *w, uint8_t *out,
                                attn_scratch *scratch, attn_error *error) {
    workspace space = {.rows = NULL};
    attn_status status = lay_out(in, w, &space, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
    fill_filter(in->width, w->full_width, w->x, w->width, &space.across);
    fill_filter(in->height, w->full_height, w->y, w->height, &space.down);
    int64_t line = w->width * 3;
    int64_t first = space.down.start[0];
    int64_t last = space.down.start[w->height - 1] + space.down.taps;
    for (int64_t y = first; y < last; y++) {
        filter_row(in->rgb + y * in->width * 3, &space.across, w->width,
                   space.rows + (y - first) * line);
    }
    for (int64_t y = 0; y < w->height; y++) {
        filter_column(space.rows + (space.down.start[y] - first) * line, line,
                      space.down.weight + y * space.down.taps, space.down.taps, space.sum,
                      out + y * line);
    }
    return ATTN_OK;
}

static int64_t nearest(int64_t i, int64_t in, int64_t out) {
    return (2 * i + 1) * in / (2 * out);
}

void attn_resize_mask(const attn_mask *in, const attn_resize_part *w, uint8_t *out) {
    for (int64_t y = 0; y < w->height; y++) {
        const uint8_t *row = in->label + nearest(w->y + y, in->height, w->full_height) * in->width;
        for (int64_t x = 0; x < w->width; x++) {
            out[y * w->width + x] = row[nearest(w->x + x, in->width, w->full_width)];
        }
    }
}
