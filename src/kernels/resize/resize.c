/* kernels/resize/resize.c: bilinear resize: where each output lies, and the rows over threads.
 *
 * Places are found in whole numbers, so that no rounding decides between neighbours. Backward,
 * threads share out the rows of the input. Next: resize_kernels.h. */
#include "kernels/resize/resize.h"

#include <string.h>

#include "cpu/cpu.h"
#include "kernels/table.h"

enum { PART = 16384 }; /* elements worth a second thread */

/* ((2 i + 1) in - out) / (2 out), between 0 and the last input. */
static attn_resize_place resize_place_of(int64_t i, int64_t in, int64_t out) {
    int64_t above = (2 * i + 1) * in - out;
    above = above < 0 ? 0 : above;
    int64_t left = above / (2 * out);
    if (left >= in - 1) {
        return (attn_resize_place){in - 1, in - 1, 0};
    }
    return (attn_resize_place){left, left + 1,
                               (real)((double)(above % (2 * out)) / (double)(2 * out))};
}

typedef struct resize_plan {
    const attn_resize_shape *shape;
    const attn_resize_kernels *kernels;
    int threads;
    attn_resize_place *columns; /* [out_width] */
    real *rows;                 /* one row of the input a thread */
} resize_plan;

/* For so many rows of the output. */
static bool start_plan(resize_plan *p, const attn_resize_shape *s, int64_t count,
                       attn_scratch *scratch) {
    size_t places = (size_t)s->out_width * sizeof *p->columns, bytes;
    size_t row = (size_t)(s->in_width * s->channels) * sizeof(real);
    p->shape = s;
    p->kernels = &attn_kernels_current()->resize;
    int64_t elements = count * s->out_width * s->channels;
    p->threads = elements > PART ? attn_get_threads() : 1;
    places = (places + 63) / 64 * 64;
    if (!attn_size_mul(row, (size_t)p->threads, &bytes) || !attn_size_add(bytes, places, &bytes)) {
        return false;
    }
    char *room = attn_scratch_get(scratch, bytes);
    if (room == NULL) {
        return false;
    }
    p->columns = (attn_resize_place *)(void *)room;
    p->rows = (real *)(void *)(room + places);
    for (int64_t i = 0; i < s->out_width; i++) {
        p->columns[i] = resize_place_of(i, s->in_width, s->out_width);
    }
    return true;
}

attn_status attn_resize_rows(const attn_resize_shape *s, int64_t first, int64_t count,
                             const real *x, real *y, attn_scratch *scratch) {
    resize_plan p;
    if (!start_plan(&p, s, count, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    int64_t in_row = s->in_width * s->channels, out_row = s->out_width * s->channels;
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = first; i < first + count; i++) {
        attn_resize_place row = resize_place_of(i % s->out_height, s->in_height, s->out_height);
        const real *in = x + i / s->out_height * s->in_height * in_row;
        real *mine = p.rows + in_row * attn_thread_index();
        p.kernels->blend(in_row, row.weight, in + row.left * in_row, in + row.right * in_row, mine);
        p.kernels->blend_pixels(s->out_width, s->channels, p.columns, mine,
                                y + (i - first) * out_row);
    }
    return ATTN_OK;
}

attn_status attn_resize_forward(const attn_resize_shape *s, const real *x, real *y,
                                attn_scratch *scratch) {
    return attn_resize_rows(s, 0, s->batch * s->out_height, x, y, scratch);
}

/* Rows first .. end - 1 of picture b's input receive what the output hands back. */
static void backward_rows(const resize_plan *p, int64_t b, int64_t first, int64_t end,
                          const real *d_y, real *d_x, bool accumulate) {
    const attn_resize_shape *s = p->shape;
    const attn_elementwise_kernels *elementwise = &attn_kernels_current()->elementwise;
    int64_t in_row = s->in_width * s->channels, out_row = s->out_width * s->channels;
    real *mine = p->rows + in_row * attn_thread_index();
    d_y += b * s->out_height * out_row;
    d_x += b * s->in_height * in_row;
    if (!accumulate) {
        memset(d_x + first * in_row, 0, (size_t)((end - first) * in_row) * sizeof *d_x);
    }
    for (int64_t j = 0; j < s->out_height; j++) {
        attn_resize_place row = resize_place_of(j, s->in_height, s->out_height);
        if (row.right < first || row.left >= end) {
            continue;
        }
        memset(mine, 0, (size_t)in_row * sizeof *mine);
        p->kernels->spread_pixels(s->out_width, s->channels, p->columns, d_y + j * out_row, mine);
        if (row.left >= first) {
            real *left = d_x + row.left * in_row;
            elementwise->scale_add(in_row, 1 - row.weight, mine, left, left);
        }
        if (row.right < end) {
            real *right = d_x + row.right * in_row;
            elementwise->scale_add(in_row, row.weight, mine, right, right);
        }
    }
}

attn_status attn_resize_backward(const attn_resize_shape *s, const real *d_y, real *d_x,
                                 bool accumulate, attn_scratch *scratch) {
    resize_plan p;
    if (!start_plan(&p, s, s->batch * s->out_height, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    int64_t parts = p.threads < s->in_height ? p.threads : s->in_height;
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = 0; i < s->batch * parts; i++) {
        int64_t part = i % parts;
        backward_rows(&p, i / parts, s->in_height * part / parts, s->in_height * (part + 1) / parts,
                      d_y, d_x, accumulate);
    }
    return ATTN_OK;
}
