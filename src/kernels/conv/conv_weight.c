/* kernels/conv/conv_weight.c: the gradient of a convolution by its weights.
 *
 * d_w [O, KH KW C] += d_y^T [O, pixels] X [pixels, KH KW C], where row n of X is what output pixel n
 * reads. X is never stored: for a chunk of pixels, sixteen of its columns at a time are gathered
 * into a panel, and as many panels as a tile takes. Threads share out the columns, so that each sum runs over the pixels in order.
 * Next: kernels/matmul/matmul_kernels.h. */
#include <string.h>

#include "cpu/cpu.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/taps.h"
#include "kernels/table.h"

enum { CHUNK = 512, SERIAL = 1 << 19 }; /* pixels: a panel of them is 32 KiB */

typedef struct weight_plan {
    const attn_conv_shape *shape;
    const attn_matmul_kernels *kernels;
    const real *x, *d_y;
    real *d_weight;
    int64_t height, width, pixels; /* of the output */
    int64_t products, panels;      /* KH KW C, in panels of 16 */
    int64_t groups, group_rows;    /* O is cut too when panels are fewer than threads */
    int threads;
} weight_plan;

/* Columns lane .. lane + count - 1 of a panel are channels c .. of one tap. */
typedef struct segment {
    int64_t ky, kx, c;
    int lane, count;
} segment;

/* `count` output pixels of one row from i on; panel: [count][16]. */
static void gather_row(const weight_plan *p, const segment *g, int64_t picture, int64_t j,
                       int64_t i, int64_t count, real *panel) {
    const attn_conv_shape *s = p->shape;
    int64_t y = j * s->stride - s->padding_height + g->ky * s->dilation;
    int64_t x = i * s->stride - s->padding_width + g->kx * s->dilation;
    bool outside = y < 0 || y >= s->height;
    const real *row = outside ? NULL : p->x + ((picture * s->height + y) * s->width) * s->in + g->c;
    real *out = panel + g->lane;
    for (int64_t n = 0; n < count; n++, x += s->stride, out += LANES) {
        if (outside || x < 0 || x >= s->width) {
            memset(out, 0, (size_t)g->count * sizeof *out);
        } else if (g->count == LANES) { /* a size the compiler knows */
            memcpy(out, row + x * s->in, LANES * sizeof *out);
        } else {
            memcpy(out, row + x * s->in, (size_t)g->count * sizeof *out);
        }
    }
}

static void gather_segment(const weight_plan *p, const segment *g, int64_t pixel, int64_t count,
                           real *panel) {
    while (count > 0) {
        int64_t line = pixel / p->width, i = pixel % p->width;
        int64_t here = conv_min(count, p->width - i);
        gather_row(p, g, line / p->height, line % p->height, i, here, panel);
        pixel += here;
        count -= here;
        panel += here * LANES;
    }
}

/* Columns `first` .. first + 15 of X at `count` pixels; those that do not exist are 0. */
static void gather_panel(const weight_plan *p, int64_t first, int64_t pixel, int64_t count,
                         real *panel) {
    const attn_conv_shape *s = p->shape;
    int columns = (int)conv_min(LANES, p->products - first);
    if (columns < LANES) {
        memset(panel, 0, (size_t)(count * LANES) * sizeof *panel);
    }
    for (int lane = 0; lane < columns;) {
        int64_t tap = (first + lane) / s->in, c = (first + lane) % s->in;
        segment g = {.ky = tap / s->kernel_width,
                     .kx = tap % s->kernel_width,
                     .c = c,
                     .lane = lane,
                     .count = (int)conv_min(columns - lane, s->in - c)};
        gather_segment(p, &g, pixel, count, panel);
        lane += g.count;
    }
}

/* Part `index` of the sums: some panels, some of the outputs. */
static void run_part(const weight_plan *p, int64_t index, int64_t parts, real *room) {
    int64_t group = index % p->groups, part = index / p->groups, count_of = parts / p->groups;
    int64_t o = group * p->group_rows, rows = conv_min(p->group_rows, p->shape->out - o);
    int64_t from = p->panels * part / count_of, to = p->panels * (part + 1) / count_of;
    real *d_y = room, *panel = room + p->group_rows * CHUNK;
    for (int64_t pixel = 0; pixel < p->pixels && rows > 0; pixel += CHUNK) {
        int64_t count = conv_min(CHUNK, p->pixels - pixel);
        p->kernels->pack_a(rows, count, p->d_y + pixel * p->shape->out + o, 1, p->shape->out, d_y);
        for (int64_t index_of = from; index_of < to; index_of += p->kernels->tile_panels) {
            int64_t j = index_of * LANES, many = conv_min(to - index_of, p->kernels->tile_panels);
            for (int64_t n = 0; n < many; n++) {
                gather_panel(p, j + n * LANES, pixel, count, panel + n * CHUNK * LANES);
            }
            p->kernels->multiply(
                &(attn_matmul_panel){.rows = rows,
                                     .k = count,
                                     .columns = (int)conv_min(many * LANES, p->products - j),
                                     .a = d_y,
                                     .b = panel,
                                     .b_row = LANES,
                                     .b_panel = CHUNK * LANES,
                                     .c = p->d_weight + o * p->products + j,
                                     .c_row = p->products,
                                     .from_c = true});
        }
    }
}

attn_status attn_conv_backward_weight(const attn_conv_shape *s, const real *x, const real *d_y,
                                      real *d_weight, attn_scratch *scratch) {
    weight_plan p = {.shape = s,
                     .kernels = &attn_kernels_current()->matmul,
                     .x = x,
                     .d_y = d_y,
                     .d_weight = d_weight,
                     .height = attn_conv_out_height(s),
                     .width = attn_conv_out_width(s),
                     .products = s->kernel_height * s->kernel_width * s->in};
    p.pixels = s->batch * p.height * p.width;
    p.panels = conv_ceil_div(p.products, LANES);
    double work = (double)p.pixels * (double)p.products * (double)s->out;
    p.threads = work < SERIAL ? 1 : attn_get_threads();
    p.groups =
        conv_min(conv_ceil_div(p.threads, p.panels), conv_ceil_div(s->out, p.kernels->tile_rows));
    p.groups = conv_max(1, p.groups);
    p.group_rows =
        conv_ceil_div(conv_ceil_div(s->out, p.groups), p.kernels->tile_rows) * p.kernels->tile_rows;
    int64_t parts = conv_min(p.threads, p.panels) * p.groups;
    int64_t columns = (int64_t)p.kernels->tile_panels * LANES;
    size_t each = (size_t)((p.group_rows + columns) * CHUNK), bytes;
    real *room = attn_size_mul(each, (size_t)p.threads * sizeof(real), &bytes)
                     ? attn_scratch_get(scratch, bytes)
                     : NULL;
    if (room == NULL) {
        return ATTN_ERR_MEMORY;
    }
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = 0; i < parts; i++) {
        run_part(&p, i, parts, room + each * (size_t)attn_thread_index());
    }
    return ATTN_OK;
}
