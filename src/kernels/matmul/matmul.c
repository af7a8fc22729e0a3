/* kernels/matmul/matmul.c: the driver of the matrix product: cuts it up for caches and threads.
 *
 * C is cut into a grid of blocks, whole register tiles high and whole panels of 16 columns wide;
 * whoever is free takes the next. In a block, k runs in slices: A's slice is packed so that it lies
 * in the second-level cache, B's panels of the slice pass through the first-level one, and C
 * carries the chain from slice to slice. Nothing of this shows in the result. M rows, N columns, K
 * summed. Next: matmul_kernels.h. */
#include "kernels/matmul/matmul.h"

#include "base/fail.h"
#include "base/sized.h"
#include "cpu/cpu.h"
#include "kernels/matmul/blocks.h"
#include "kernels/table.h"

enum {
    SLICE = 256,             /* of k: a panel of B is then half of a 32 KiB cache */
    LONG_SLICE = 512,        /* of k, when B is packed beforehand */
    BLOCK_A = 1 << 17,       /* floats of A in a block: half of a 1 MiB cache */
    BLOCK_ROWS = 240,        /* rows of a block when rows alone give work enough */
    SERIAL = 1 << 19,        /* products below which a second thread costs more than it gives */
    COLUMNS_PER_BLOCK = 256, /* when columns are cut: A is read or packed once for so many */
};

typedef struct matmul_plan {
    const attn_matmul *product;
    const attn_matmul_kernels *kernels;
    int threads;
    int64_t tiles, panels;             /* of C: register tiles down, 16 columns across */
    int64_t row_blocks, column_blocks; /* the grid */
    int64_t slices;
    bool pack_first;       /* all of B is packed before the first block */
    const real *b_packed;  /* NULL: each block packs its own */
    size_t a_size, b_size; /* each thread's room, in reals */
} matmul_plan;

size_t attn_matmul_packed_size(int64_t k, int64_t n) {
    return (size_t)(attn_ceil_div(n, LANES) * LANES * k);
}

static void matmul_pack_panel(const attn_matmul_kernels *kernels, const attn_matmul *product,
                              int64_t panel, int64_t p, int64_t k, real *packed) {
    int64_t j = panel * LANES;
    int columns = (int)attn_min(product->n - j, LANES);
    const real *b = product->b + p * product->b_row + j * product->b_col;
    kernels->pack_b(k, columns, b, product->b_row, product->b_col, packed);
}

void attn_matmul_pack(int64_t k, int64_t n, const real *b, int64_t b_row, int64_t b_col,
                      real *packed) {
    const attn_matmul_kernels *kernels = &attn_kernels_current()->matmul;
    const attn_matmul product = {.n = n, .k = k, .b = b, .b_row = b_row, .b_col = b_col};
    for (int64_t panel = 0; panel < attn_ceil_div(n, LANES); panel++) {
        matmul_pack_panel(kernels, &product, panel, 0, k, packed + panel * k * LANES);
    }
}

/* ---- the plan ---- */

static int matmul_count_threads(const attn_matmul *product) {
    double products = (double)product->m * (double)product->n * (double)product->k;
    return products < SERIAL ? 1 : attn_get_threads();
}

/* The chain may not pass through C when C's old values are needed at the end, and need not when
 * there are few rows: then B is read from memory, best as one stream. */
static int64_t count_slices(const matmul_plan *plan) {
    const attn_matmul *product = plan->product;
    bool keep_c = product->residual == product->c;
    bool many_rows = product->m > (int64_t)plan->threads * (BLOCK_A / SLICE);
    int64_t longest = product->b == NULL || many_rows ? LONG_SLICE : SLICE;
    bool few_rows = plan->tiles <= attn_max(2, plan->kernels->tile_panels);
    return keep_c || few_rows ? 1 : attn_max(1, attn_ceil_div(product->k, longest));
}

/* Rows of A that start a multiple of the first-level cache's way apart fall on the same few lines;
 * a tile of them and the next, which is on its way, do not fit. */
static bool a_in_place(const matmul_plan *plan) {
    const attn_matmul *product = plan->product;
    enum { WAY = 1024, WAYS = 8 };
    bool fits = product->a_row % WAY != 0 || product->m < WAYS;
    return product->a_col == 1 && product->a_row > 0 && plan->kernels->a_in_place && fits;
}

/* As few blocks of rows as the cache allows, for each reads all of B. When they are more than the
 * threads, or B is packed and the rows are many, there may be more of them; else each packs B on its
 * way, or B passes through the caches once, and columns are cut until the threads have enough. Where
 * A is packed, rows are cut before columns: nobody packs them twice. */
static void choose_grid(matmul_plan *plan) {
    const attn_matmul *product = plan->product;
    int64_t slice = attn_max(1, attn_ceil_div(product->k, plan->slices));
    int64_t most_tiles = attn_max(1, BLOCK_A / slice / plan->kernels->tile_rows);
    plan->row_blocks = attn_ceil_div(plan->tiles, most_tiles);
    plan->column_blocks = 1;
    plan->pack_first = product->b != NULL && plan->row_blocks > plan->threads;
    if (plan->pack_first || (product->b == NULL && product->m > BLOCK_ROWS)) {
        int64_t each = attn_ceil_div(attn_ceil_div(product->m, BLOCK_ROWS), plan->threads);
        plan->row_blocks = attn_max(plan->row_blocks, each * plan->threads);
    }
    if (plan->row_blocks > plan->threads) { /* as many for each thread */
        plan->row_blocks = attn_ceil_div(plan->row_blocks, plan->threads) * plan->threads;
    }
    plan->row_blocks = attn_min(plan->tiles, plan->row_blocks);
    if (product->b != NULL && 2 * product->m > product->n && !a_in_place(plan)) {
        plan->row_blocks = attn_min(plan->tiles, attn_max(plan->row_blocks, plan->threads));
    }
    if (plan->threads > 1 && plan->row_blocks < BLOCKS_PER_THREAD * plan->threads) {
        int64_t least = attn_ceil_div(plan->threads, plan->row_blocks);
        int64_t most = attn_ceil_div(BLOCKS_PER_THREAD * plan->threads, plan->row_blocks);
        most = attn_min(most, product->n / COLUMNS_PER_BLOCK);
        plan->column_blocks = attn_min(plan->panels, attn_max(least, most));
    }
    if (plan->row_blocks * plan->column_blocks < plan->threads) {
        plan->row_blocks = attn_min(plan->tiles, attn_ceil_div(plan->threads, plan->column_blocks));
    }
}

/* Sizes in reals; false when they do not fit a size_t. */
static bool plan_room(matmul_plan *plan, size_t *b_packed, size_t *bytes) {
    const attn_matmul *product = plan->product;
    size_t k = (size_t)product->k,
           slice = (size_t)attn_max(1, attn_ceil_div(product->k, plan->slices));
    size_t rows = (size_t)(attn_ceil_div(plan->tiles, plan->row_blocks) * plan->kernels->tile_rows);
    size_t each, all;
    *b_packed = 0;
    if (plan->pack_first && !attn_size_mul((size_t)plan->panels * LANES, k, b_packed)) {
        return false;
    }
    plan->b_size = product->b != NULL && !plan->pack_first
                       ? slice * LANES * (size_t)plan->kernels->tile_panels
                       : 0;
    if (!attn_size_mul(rows, slice, &plan->a_size) ||
        !attn_size_add(plan->a_size, plan->b_size + LANES, &each)) {
        return false;
    }
    each = each / LANES * LANES; /* whole cache lines: threads do not share one */
    plan->a_size = each - plan->b_size;
    return attn_size_mul(each, (size_t)plan->threads, &all) &&
           attn_size_add(all, *b_packed, &all) && attn_size_mul(all, sizeof(real), bytes);
}

/* ---- one block of C ---- */

typedef struct c_block {
    int64_t row, rows;     /* of C */
    int64_t panel, panels; /* of B and C */
    const real *a;         /* this slice of A, as in attn_matmul_panel */
    int64_t a_row;
    real *a_room, *b_room; /* this thread's room for packing */
} c_block;

static void slice_of_a(const matmul_plan *plan, c_block *block, int64_t p, int64_t k) {
    const attn_matmul *product = plan->product;
    block->a = block->a_room;
    block->a_row = 0;
    if (k == 0) {
        return; /* operands may be NULL */
    }
    const real *a = product->a + block->row * product->a_row + p * product->a_col;
    if (a_in_place(plan)) {
        block->a = a;
        block->a_row = product->a_row;
    } else {
        plan->kernels->pack_a(block->rows, k, a, product->a_row, product->a_col, block->a_room);
    }
}

/* What the panel tells of B: `count` panels from `index` on, sliced p .. p + k, either packed or
 * where they stand. */
static void panels_of_b(const matmul_plan *plan, const c_block *block, int64_t index, int count,
                        int64_t p, attn_matmul_panel *panel) {
    const attn_matmul *product = plan->product;
    panel->b_row = LANES;
    if (plan->b_packed != NULL) {
        panel->b = plan->b_packed + (index * product->k + p) * LANES;
        panel->b_panel = product->k * LANES;
        bool many_rows =
            block->rows > 2 * plan->kernels->tile_rows; /* else it would be in the way */
        if (many_rows && index + 2 * count <= block->panel + block->panels) {
            panel->b_next = panel->b + count * panel->b_panel;
        }
        return;
    }
    panel->b = block->b_room;
    panel->b_panel = panel->k * LANES;
    if (panel->k == 0) {
        return; /* operands may be NULL */
    }
    bool few_rows = block->rows <= plan->kernels->tile_rows;
    if (few_rows && product->b_col == 1 && (index + count) * LANES <= product->n) {
        panel->b = product->b + p * product->b_row + index * LANES;
        panel->b_row = product->b_row;
        panel->b_panel = LANES;
        return;
    }
    for (int n = 0; n < count; n++) {
        matmul_pack_panel(plan->kernels, product, index + n, p, panel->k,
                          block->b_room + n * panel->b_panel);
    }
}

static bool has_epilogue(const attn_matmul *product) {
    return product->bias != NULL || product->pre_activation != NULL ||
           product->activation != ATTN_ACTIVATION_NONE || product->residual != NULL;
}

static void matmul_multiply_slice(const matmul_plan *plan, const c_block *block, int64_t p,
                                  int64_t k) {
    const attn_matmul *product = plan->product;
    const attn_matmul_epilogue whole = {product->bias, product->pre_activation, product->activation,
                                        product->residual, product->residual_row};
    bool last = p + k == product->k && has_epilogue(product);
    int64_t end = block->panel + block->panels;
    int64_t step = plan->kernels->tile_panels;
    if (block->rows == 1) { /* waits for B from memory, which comes faster in fewer streams */
        step = attn_min(step, 2);
    }
    for (int64_t index = block->panel; index < end; index += step) {
        int count = (int)attn_min(end - index, step);
        int64_t j = index * LANES;
        attn_matmul_epilogue epilogue =
            attn_matmul_epilogue_at(whole, product->c_row, block->row, j);
        attn_matmul_panel panel = {
            .rows = block->rows,
            .k = k,
            .columns = (int)attn_min(product->n - j, (int64_t)count * LANES),
            .a = block->a,
            .a_row = block->a_row,
            .c = product->c + block->row * product->c_row + j,
            .c_row = product->c_row,
            .from_c = p > 0 || product->accumulate,
            .epilogue = last ? &epilogue : NULL,
        };
        panels_of_b(plan, block, index, count, p, &panel);
        plan->kernels->multiply(&panel);
    }
}

static void matmul_multiply_block(const matmul_plan *plan, int64_t number, real *room) {
    const attn_matmul *product = plan->product;
    int64_t tile = plan->kernels->tile_rows;
    int64_t down = number / plan->column_blocks, across = number % plan->column_blocks;
    int64_t first_panel = part_start(plan->panels, plan->column_blocks, across);
    c_block block = {
        .row = part_start(plan->tiles, plan->row_blocks, down) * tile,
        .panel = first_panel,
        .panels = part_start(plan->panels, plan->column_blocks, across + 1) - first_panel,
        .a_room = room,
        .b_room = room + plan->a_size,
    };
    int64_t end = part_start(plan->tiles, plan->row_blocks, down + 1) * tile;
    block.rows = attn_min(end, product->m) - block.row;
    for (int64_t s = 0; s < plan->slices; s++) {
        int64_t p = part_start(product->k, plan->slices, s);
        int64_t k = part_start(product->k, plan->slices, s + 1) - p;
        slice_of_a(plan, &block, p, k);
        matmul_multiply_slice(plan, &block, p, k);
    }
}

/* ---- the whole product ---- */

static void matmul_run_plan(const matmul_plan *plan, real *b_packed, real *rooms) {
    const attn_matmul *product = plan->product;
    int64_t blocks = plan->row_blocks * plan->column_blocks;
    size_t room = plan->a_size + plan->b_size;
#pragma omp parallel num_threads(plan->threads) if (plan->threads > 1)
    {
        if (plan->pack_first) {
#pragma omp for schedule(static)
            for (int64_t panel = 0; panel < plan->panels; panel++) {
                matmul_pack_panel(plan->kernels, product, panel, 0, product->k,
                                  b_packed + panel * product->k * LANES);
            }
        }
        real *mine = rooms + room * (size_t)attn_thread_index();
#pragma omp for schedule(dynamic, 1)
        for (int64_t number = 0; number < blocks; number++) {
            matmul_multiply_block(plan, number, mine);
        }
    }
}

/* What is wrong with a product; NULL: nothing. */
static const char *matmul_fault(const attn_matmul *product) {
    if (product->m < 0 || product->n < 0 || product->k < 0) {
        return "m, n or k is negative";
    }
    if (product->m == 0 || product->n == 0) {
        return NULL;
    }
    if (product->c == NULL) {
        return "c is NULL";
    }
    if (product->k == 0) {
        return NULL;
    }
    return product->a == NULL                                ? "a is NULL"
           : product->b == NULL && product->b_packed == NULL ? "b and b_packed are NULL"
                                                             : NULL;
}

attn_status attn_matmul_run_scratch(const attn_matmul *product, attn_scratch *scratch) {
    if (matmul_fault(product) != NULL) {
        return ATTN_ERR_ARGUMENT;
    }
    if (product->m == 0 || product->n == 0) {
        return ATTN_OK;
    }
    matmul_plan plan = {.product = product, .kernels = &attn_kernels_current()->matmul};
    plan.threads = matmul_count_threads(product);
    plan.tiles = attn_ceil_div(product->m, plan.kernels->tile_rows);
    plan.panels = attn_ceil_div(product->n, LANES);
    plan.slices = count_slices(&plan);
    choose_grid(&plan);
    size_t b_size, bytes;
    real *room = plan_room(&plan, &b_size, &bytes) ? attn_scratch_get(scratch, bytes) : NULL;
    if (room == NULL) {
        return ATTN_ERR_MEMORY;
    }
    plan.b_packed = plan.pack_first ? room : product->b != NULL ? NULL : product->b_packed;
    matmul_run_plan(&plan, room, room + b_size);
    return ATTN_OK;
}

void attn_matmul_init_sized(attn_matmul *product, size_t size) {
    const attn_matmul none = {.size = sizeof none};
    attn_sized_init(product, size, &none, sizeof none);
}

attn_status attn_matmul_run(const attn_matmul *product, attn_error *error) {
    attn_matmul known = {.size = sizeof known};
    attn_status status =
        attn_sized_read(product, &known, sizeof known, ATTN_SIZE_UP_TO(attn_matmul, residual_row),
                        "attn_matmul", error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *wrong = matmul_fault(&known);
    if (wrong != NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "matmul", -1, NULL, "%s", wrong);
    }
    attn_scratch scratch = {NULL, 0};
    status = attn_matmul_run_scratch(&known, &scratch);
    attn_scratch_free(&scratch);
    return status == ATTN_OK
               ? ATTN_OK
               : attn_fail_memory(error, attn_matmul_packed_size(known.k, known.n) * sizeof(real));
}
