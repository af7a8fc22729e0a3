/* kernels/conv/conv.c: convolution and its gradient by the input, without a copy of the kernel's
 * every place (im2col).
 *
 * At one row of the kernel, neighbouring output pixels read overlapping runs of KW * C contiguous
 * values: a matrix whose rows lie stride * C apart, which the product's tile reads where they
 * stand. So a block of output pixels copies only the rows of the picture that it needs, with the
 * padding around them, and C carries the chain from one run to the next. The gradient by the input
 * is the same with the weights turned around; with a stride s it falls into s * s such problems,
 * one for the pixels of each remainder. Next: conv_weight.c, kernels/matmul/matmul_kernels.h. */
#include "kernels/conv/conv.h"

#include <string.h>

#include "cpu/cpu.h"
#include "kernels/conv/taps.h"
#include "kernels/table.h"

enum {
    BAND = 1 << 16,        /* reals of the picture in a block: a quarter of a 1 MiB cache */
    LEAST_COLUMNS = 48,    /* of a block: whole register tiles of every instruction set */
    PIECE = 512,           /* of a run: a panel of weights is then 32 KiB */
    BLOCKS_PER_THREAD = 4, /* to even out threads that are held up */
    SERIAL = 1 << 19,      /* products below which a second thread costs more than it gives */
};

int64_t attn_conv_out_height(const attn_conv_shape *s) {
    return conv_out_size(s->height, s->kernel_height, s->stride, s->dilation, s->padding_height);
}

int64_t attn_conv_out_width(const attn_conv_shape *s) {
    return conv_out_size(s->width, s->kernel_width, s->stride, s->dilation, s->padding_width);
}

/* One convolution over pictures whose pixels lie anyhow. */
typedef struct conv_plan {
    const attn_matmul_kernels *kernels;
    int64_t batch, in_height, in_width, in_channels;
    const real *in;
    conv_axis down, across;
    int64_t stride;
    int64_t rows, columns, out_channels;      /* of the output */
    int64_t out_picture, out_row, out_column; /* distances in out, pre_activation and residual */
    real *out;
    const real *packed; /* panels of [taps * in_channels][16] */
    bool accumulate;
    const attn_conv_epilogue *epilogue; /* NULL: none */
    int threads;
    int64_t block_rows, block_columns;
    size_t band_size, pack_size; /* each thread's room, in reals */
} conv_plan;

/* How many pixels of the input `count` outputs along an axis reach over. */
static int64_t conv_reach(const conv_axis *a, int64_t stride, int64_t count) {
    return (count - 1) * stride + (conv_max(a->count, 1) - 1) * a->step + 1;
}

static void choose_blocks(conv_plan *p) {
    int64_t columns = p->columns, most = conv_max(1, p->rows);
    while (columns > LEAST_COLUMNS && conv_reach(&p->down, p->stride, 1) *
                                              conv_reach(&p->across, p->stride, columns) *
                                              p->in_channels >
                                          BAND) {
        columns = conv_ceil_div(conv_ceil_div(columns, 2), LEAST_COLUMNS) * LEAST_COLUMNS;
    }
    int64_t strips = conv_ceil_div(p->columns, columns) * p->batch;
    if (p->threads > 1) {
        most = conv_min(most,
                        conv_max(1, p->rows * strips / ((int64_t)p->threads * BLOCKS_PER_THREAD)));
    }
    int64_t rows = 1;
    while (rows < most && conv_reach(&p->down, p->stride, rows + 1) *
                                  conv_reach(&p->across, p->stride, columns) * p->in_channels <=
                              BAND) {
        rows++;
    }
    p->block_rows = rows;
    p->block_columns = columns;
}

static bool choose_room(conv_plan *p, size_t *bytes) {
    size_t height = (size_t)conv_reach(&p->down, p->stride, p->block_rows);
    size_t width = (size_t)conv_reach(&p->across, p->stride, p->block_columns), each;
    if (!attn_size_mul(height, width, &p->band_size) ||
        !attn_size_mul(p->band_size, (size_t)p->in_channels, &p->band_size)) {
        return false;
    }
    p->band_size = (p->band_size + LANES - 1) / LANES * LANES;
    p->pack_size = p->kernels->a_in_place ? 0 : (size_t)p->block_columns * PIECE;
    return attn_size_add(p->band_size, p->pack_size, &each) &&
           attn_size_mul(each, (size_t)p->threads * sizeof(real), bytes);
}

/* ---- one block of output pixels ---- */

typedef struct conv_block {
    int64_t picture, row, rows, column, columns; /* of the output */
    const real *in;                              /* what the first tap of the first pixel reads */
    int64_t in_row;                              /* between rows of it */
    real *pack_room;
} conv_block;

/* Row y of the picture from x on, `width` pixels, 0 outside the picture. */
static void copy_row(const conv_plan *p, int64_t picture, int64_t y, int64_t x, int64_t width,
                     real *out) {
    int64_t c = p->in_channels;
    int64_t from = conv_min(conv_max(0, -x), width),
            to = conv_min(conv_max(from, p->in_width - x), width);
    if (y < 0 || y >= p->in_height) {
        from = to = width;
    }
    memset(out, 0, (size_t)(from * c) * sizeof *out);
    if (to > from) {
        const real *in = p->in + ((picture * p->in_height + y) * p->in_width + x + from) * c;
        memcpy(out + from * c, in, (size_t)((to - from) * c) * sizeof *out);
    }
    memset(out + to * c, 0, (size_t)((width - to) * c) * sizeof *out);
}

/* The picture's rows under the block: where they stand when none reaches outside, else copied. */
static void read_band(const conv_plan *p, conv_block *b, real *band) {
    int64_t y = b->row * p->stride + p->down.first, x = b->column * p->stride + p->across.first;
    int64_t height = conv_reach(&p->down, p->stride, b->rows);
    int64_t width = conv_reach(&p->across, p->stride, b->columns);
    if (y >= 0 && x >= 0 && y + height <= p->in_height && x + width <= p->in_width) {
        b->in = p->in + ((b->picture * p->in_height + y) * p->in_width + x) * p->in_channels;
        b->in_row = p->in_width * p->in_channels;
        return;
    }
    b->in = band;
    b->in_row = width * p->in_channels;
    for (int64_t i = 0; i < height; i++) {
        copy_row(p, b->picture, y + i, x, width, band + i * b->in_row);
    }
}

/* A piece of a run: k contiguous values that every pixel reads at `offset`; `done` of the chain's
 * products come before it. */
typedef struct piece {
    int64_t offset, k, done;
    bool last;
} piece;

/* One row of the block by the panels from `panel` on that a tile takes together. */
static void multiply_row(const conv_plan *p, const conv_block *b, const piece *run, int64_t row,
                         int64_t panel, const real *a, int64_t a_row) {
    int64_t j = panel * LANES, products = p->down.count * p->across.count * p->in_channels;
    int64_t place =
        b->picture * p->out_picture + (b->row + row) * p->out_row + b->column * p->out_column + j;
    attn_matmul_epilogue epilogue = {0};
    if (run->last && p->epilogue != NULL) {
        const attn_conv_epilogue *e = p->epilogue;
        epilogue = (attn_matmul_epilogue){
            .bias = e->bias != NULL ? e->bias + j : NULL,
            .pre_activation = e->pre_activation != NULL ? e->pre_activation + place : NULL,
            .activation = e->activation,
            .residual = e->residual != NULL ? e->residual + place : NULL,
            .residual_row = p->out_column};
    }
    attn_matmul_panel call = {
        .rows = b->columns,
        .k = run->k,
        .columns = (int)conv_min(p->out_channels - j, (int64_t)p->kernels->tile_panels * LANES),
        .a = a,
        .a_row = a_row,
        .b = p->packed + (panel * products + run->done) * LANES,
        .b_row = LANES,
        .b_panel = products * LANES,
        .c = p->out + place,
        .c_row = p->out_column,
        .from_c = run->done > 0 || p->accumulate,
        .epilogue = run->last && p->epilogue != NULL ? &epilogue : NULL};
    p->kernels->multiply(&call);
}

static void multiply_piece(const conv_plan *p, const conv_block *b, const piece *run) {
    int64_t panels = conv_ceil_div(p->out_channels, LANES), step = p->kernels->tile_panels;
    int64_t a_row = p->stride * p->in_channels;
    const real *a = b->in + run->offset;
    if (p->kernels->a_in_place) {
        for (int64_t panel = 0; panel < panels; panel += step) {
            for (int64_t row = 0; row < b->rows; row++) {
                multiply_row(p, b, run, row, panel, a + row * p->stride * b->in_row, a_row);
            }
        }
        return;
    }
    for (int64_t row = 0; row < b->rows; row++) {
        p->kernels->pack_a(b->columns, run->k, a + row * p->stride * b->in_row, a_row, 1,
                           b->pack_room);
        for (int64_t panel = 0; panel < panels; panel += step) {
            multiply_row(p, b, run, row, panel, b->pack_room, 0);
        }
    }
}

/* The taps in order, as runs of contiguous values, no longer than PIECE. */
static void conv_multiply_block(const conv_plan *p, const conv_block *b) {
    int64_t products = p->down.count * p->across.count * p->in_channels;
    bool joined = p->across.step == 1;
    int64_t runs = joined ? 1 : p->across.count;
    int64_t length = joined ? p->across.count * p->in_channels : p->in_channels;
    piece run = {.last = products == 0};
    if (products == 0) {
        multiply_piece(p, b, &run);
        return;
    }
    for (int64_t ty = 0; ty < p->down.count; ty++) {
        for (int64_t r = 0; r < runs; r++) {
            int64_t start = ty * p->down.step * b->in_row + r * p->across.step * p->in_channels;
            for (int64_t i = 0; i < length; i += PIECE) {
                run.offset = start + i;
                run.k = conv_min(PIECE, length - i);
                run.last = run.done + run.k == products;
                multiply_piece(p, b, &run);
                run.done += run.k;
            }
        }
    }
}

static void run_blocks(const conv_plan *p, real *room) {
    int64_t down = conv_ceil_div(p->rows, p->block_rows);
    int64_t across = conv_ceil_div(p->columns, p->block_columns);
    size_t each = p->band_size + p->pack_size;
#pragma omp parallel for schedule(dynamic, 1) num_threads(p->threads) if (p->threads > 1)
    for (int64_t i = 0; i < p->batch * down * across; i++) {
        real *mine = room + each * (size_t)attn_thread_index();
        conv_block b = {.picture = i / (down * across),
                        .row = i / across % down * p->block_rows,
                        .column = i % across * p->block_columns,
                        .pack_room = mine + p->band_size};
        b.rows = conv_min(p->block_rows, p->rows - b.row);
        b.columns = conv_min(p->block_columns, p->columns - b.column);
        read_band(p, &b, mine);
        conv_multiply_block(p, &b);
    }
}

static int conv_count_threads(const attn_conv_shape *s) {
    double products = (double)s->kernel_height * (double)s->kernel_width * (double)s->in *
                      (double)s->out * (double)s->batch * (double)attn_conv_out_height(s) *
                      (double)attn_conv_out_width(s);
    return products < SERIAL ? 1 : attn_get_threads();
}

/* ---- forward ---- */

static bool conv_plan_forward(conv_plan *p, const attn_conv_shape *s, size_t *bytes) {
    *p = (conv_plan){
        .kernels = &attn_kernels_current()->matmul,
        .batch = s->batch,
        .in_height = s->height,
        .in_width = s->width,
        .in_channels = s->in,
        .down = conv_axis_forward(s->kernel_height, s->dilation, s->padding_height),
        .across = conv_axis_forward(s->kernel_width, s->dilation, s->padding_width),
        .stride = s->stride,
        .rows = attn_conv_out_height(s),
        .columns = attn_conv_out_width(s),
        .out_channels = s->out,
        .threads = conv_count_threads(s),
    };
    p->out_column = s->out;
    p->out_row = p->columns * p->out_column;
    p->out_picture = p->rows * p->out_row;
    choose_blocks(p);
    return choose_room(p, bytes);
}

static bool does_nothing(const attn_conv_epilogue *e) {
    return e->bias == NULL && e->pre_activation == NULL && e->residual == NULL &&
           e->activation == ATTN_ACTIVATION_NONE;
}

attn_status attn_conv_forward(const attn_conv_shape *s, const real *x, const real *weight,
                              const real *packed, const attn_conv_epilogue *epilogue, real *y,
                              attn_scratch *scratch) {
    conv_plan p;
    size_t bytes;
    int64_t products = s->kernel_height * s->kernel_width * s->in;
    if (attn_conv_out_height(s) == 0 || attn_conv_out_width(s) == 0) {
        return ATTN_OK;
    }
    size_t packed_size = packed == NULL ? attn_matmul_packed_size(products, s->out) : 0;
    if (!conv_plan_forward(&p, s, &bytes) ||
        !attn_size_add(bytes, packed_size * sizeof(real), &bytes)) {
        return ATTN_ERR_MEMORY;
    }
    real *room = attn_scratch_get(scratch, bytes);
    if (room == NULL) {
        return ATTN_ERR_MEMORY;
    }
    if (packed == NULL) {
        attn_matmul_pack(products, s->out, weight, 1, products, room);
        packed = room;
    }
    p.in = x;
    p.out = y;
    p.packed = packed;
    p.epilogue = does_nothing(epilogue) ? NULL : epilogue;
    run_blocks(&p, room + packed_size);
    return ATTN_OK;
}

/* ---- gradient by the input ---- */

/* packed[panel][(ty, tx, o)][16]: the weights that take the outputs o of each tap to 16 inputs. */
static void pack_turned(const conv_plan *p, const attn_conv_shape *s, const real *weight,
                        real *packed) {
    int64_t products = s->kernel_height * s->kernel_width * s->in;
    for (int64_t panel = 0; panel < conv_ceil_div(s->in, LANES); panel++) {
        int64_t c = panel * LANES;
        int columns = (int)conv_min(s->in - c, LANES);
        for (int64_t ty = 0; ty < p->down.count; ty++) {
            for (int64_t tx = 0; tx < p->across.count; tx++) {
                int64_t ky = p->down.place + ty * p->down.place_step;
                int64_t kx = p->across.place + tx * p->across.place_step;
                const real *from = weight + (ky * s->kernel_width + kx) * s->in + c;
                p->kernels->pack_b(s->out, columns, from, products, 1, packed);
                packed += s->out * LANES;
            }
        }
    }
}

static attn_status input_phase(const attn_conv_shape *s, int64_t py, int64_t px, const real *d_y,
                               const real *weight, real *d_x, bool accumulate,
                               attn_scratch *scratch) {
    conv_plan p = {
        .kernels = &attn_kernels_current()->matmul,
        .batch = s->batch,
        .in_height = attn_conv_out_height(s),
        .in_width = attn_conv_out_width(s),
        .in_channels = s->out,
        .in = d_y,
        .down = conv_axis_backward(py, s->kernel_height, s->stride, s->dilation, s->padding_height),
        .across = conv_axis_backward(px, s->kernel_width, s->stride, s->dilation, s->padding_width),
        .stride = 1,
        .rows = conv_ceil_div(s->height - py, s->stride),
        .columns = conv_ceil_div(s->width - px, s->stride),
        .out_channels = s->in,
        .out_picture = s->height * s->width * s->in,
        .out_row = s->stride * s->width * s->in,
        .out_column = s->stride * s->in,
        .out = d_x + (py * s->width + px) * s->in,
        .accumulate = accumulate,
        .threads = conv_count_threads(s),
    };
    choose_blocks(&p);
    int64_t products = p.down.count * p.across.count * s->out;
    size_t bytes, packed_size = attn_matmul_packed_size(products, s->in);
    if (!choose_room(&p, &bytes) || !attn_size_add(bytes, packed_size * sizeof(real), &bytes)) {
        return ATTN_ERR_MEMORY;
    }
    real *room = attn_scratch_get(scratch, bytes);
    if (room == NULL) {
        return ATTN_ERR_MEMORY;
    }
    pack_turned(&p, s, weight, room);
    p.packed = room;
    run_blocks(&p, room + packed_size);
    return ATTN_OK;
}

attn_status attn_conv_backward_input(const attn_conv_shape *s, const real *d_y, const real *weight,
                                     real *d_x, bool accumulate, attn_scratch *scratch) {
    attn_status status = ATTN_OK;
    for (int64_t py = 0; py < conv_min(s->stride, s->height); py++) {
        for (int64_t px = 0; px < conv_min(s->stride, s->width) && status == ATTN_OK; px++) {
            status = input_phase(s, py, px, d_y, weight, d_x, accumulate, scratch);
        }
    }
    return status;
}
