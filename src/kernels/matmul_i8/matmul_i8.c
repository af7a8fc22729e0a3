/* kernels/matmul_i8/matmul_i8.c: the driver of the 8-bit product: its weights, and how it is cut up
 * for caches and threads.
 *
 * The rows of A become integers, each once; then C is cut into a grid of blocks, whole register
 * tiles high and whole panels of 16 columns wide, and whoever is free takes the next. In a block
 * the rows of A lie in the second-level cache and the panels of W pass through the first-level
 * one. k is not cut: what is summed is a quarter of the size of floats. M rows, N columns, K
 * summed. Next: matmul_i8_kernels.h. */
#include "kernels/matmul_i8/matmul_i8.h"

#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "cpu/cpu.h"
#include "kernels/matmul/blocks.h"
#include "kernels/table.h"

enum {
    LINE = 64,         /* bytes of a cache line */
    BLOCK_A = 1 << 18, /* bytes of A in a block: a quarter of a 1 MiB cache */
    SERIAL = 1 << 20,  /* products below which a second thread costs more than it gives */
};

/* ---- the weights ---- */

struct attn_matmul_i8_weights {
    int64_t k, n, groups, panels;
    int8_t *packed; /* [panels][groups][16][4], 0 beyond K and N */
    real *scale;    /* [panels * 16] */
    int32_t *sums;  /* [panels * 16]: of each column's integers over k */
};

/* max |w|, or NaN when one is not finite. */
static real column_peak(int64_t k, const real *w, int64_t w_row) {
    real peak = 0;
    bool finite = true;
    for (int64_t p = 0; p < k; p++) {
        real size = w[p * w_row] < 0 ? -w[p * w_row] : w[p * w_row];
        finite = finite && size < (real)INFINITY;
        peak = size > peak ? size : peak;
    }
    return finite ? peak : (real)NAN;
}

/* Column j of the panel at `packed`; NaN and 0 as the scale leave it 0. */
static int32_t pack_column(const attn_matmul_i8_weights *weights, const real *w, int64_t w_row,
                           real scale, int j, int8_t *packed) {
    int32_t sum = 0;
    bool usable = scale < 0 || scale > 0;
    for (int64_t p = 0; usable && p < weights->k; p++) {
        real level = real_rint(w[p * w_row] / scale);
        /* A subnormal scale is coarse: the quotient may pass 127. */
        level = level > 127 ? 127 : level < -127 ? -127 : level;
        packed[(p / I8_GROUP * LANES + j) * I8_GROUP + p % I8_GROUP] = (int8_t)level;
        sum += (int32_t)level;
    }
    return sum;
}

static void matmul_i8_pack_panel(attn_matmul_i8_weights *weights, int64_t panel, const real *w,
                                 int64_t w_row, int64_t w_col, const real *scale) {
    size_t size = (size_t)(weights->groups * LANES * I8_GROUP);
    int8_t *packed = weights->packed + (size_t)panel * size;
    memset(packed, 0, size);
    for (int j = 0; j < LANES; j++) {
        int64_t column = panel * LANES + j;
        bool exists = column < weights->n && weights->k > 0;
        const real *from = exists ? w + column * w_col : NULL;
        real peak = exists ? column_peak(weights->k, from, w_row) : 0;
        bool given = scale != NULL && exists && peak == peak;
        weights->scale[column] = given ? scale[column] : peak / 127;
        weights->sums[column] =
            exists ? pack_column(weights, from, w_row, weights->scale[column], j, packed) : 0;
    }
}

static attn_status allocate_weights(int64_t k, int64_t n, attn_matmul_i8_weights **out) {
    attn_matmul_i8_weights *weights = *out = attn_alloc_zero(1, sizeof *weights);
    if (weights == NULL) {
        return ATTN_ERR_MEMORY;
    }
    *weights = (attn_matmul_i8_weights){
        .k = k, .n = n, .groups = attn_ceil_div(k, I8_GROUP), .panels = attn_ceil_div(n, LANES)};
    size_t columns = (size_t)weights->panels * LANES, bytes;
    if (!attn_size_mul(columns, (size_t)weights->groups * I8_GROUP, &bytes)) {
        return ATTN_ERR_MEMORY;
    }
    weights->packed = attn_alloc(bytes);
    weights->scale = attn_alloc(columns * sizeof *weights->scale);
    weights->sums = attn_alloc(columns * sizeof *weights->sums);
    bool got = weights->packed != NULL && weights->scale != NULL && weights->sums != NULL;
    return got ? ATTN_OK : ATTN_ERR_MEMORY;
}

attn_status attn_matmul_i8_weights_create(int64_t k, int64_t n, const attn_real *w, int64_t w_row,
                                          int64_t w_col, const attn_real *scale,
                                          attn_matmul_i8_weights **out, attn_error *error) {
    *out = NULL;
    if (k < 0 || n < 0 || n > INT64_MAX / 64 || k > ATTN_MATMUL_I8_MAX_K) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "matmul_i8", -1, NULL,
                         "k is %lld and n %lld, expected k of 0 to %d and n of 0 or more",
                         (long long)k, (long long)n, ATTN_MATMUL_I8_MAX_K);
    }
    if (w == NULL && k > 0 && n > 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "matmul_i8", -1, NULL, "w is NULL");
    }
    attn_status status = allocate_weights(k, n, out);
    if (status != ATTN_OK) {
        attn_matmul_i8_weights_free(*out);
        *out = NULL;
        return attn_fail_memory(error, (size_t)k * (size_t)n);
    }
    attn_matmul_i8_weights *weights = *out;
    int threads = weights->panels * weights->groups < SERIAL / 1024 ? 1 : attn_get_threads();
    (void)threads; /* not read without OpenMP */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t panel = 0; panel < weights->panels; panel++) {
        matmul_i8_pack_panel(weights, panel, w, w_row, w_col, scale);
    }
    return ATTN_OK;
}

void attn_matmul_i8_weights_free(attn_matmul_i8_weights *weights) {
    if (weights == NULL) {
        return;
    }
    attn_free(weights->packed);
    attn_free(weights->scale);
    attn_free(weights->sums);
    attn_free(weights);
}

/* The header, the packed integers, the scales, the sums. */
size_t attn_matmul_i8_select_size(const attn_matmul_i8_weights *from, int64_t count) {
    size_t columns = (size_t)(attn_ceil_div(count, LANES) * LANES);
    size_t header = (sizeof *from + LINE - 1) / LINE * LINE;
    return header + columns * ((size_t)from->groups * I8_GROUP + sizeof(real) + sizeof(int32_t));
}

attn_matmul_i8_weights *attn_matmul_i8_select(const attn_matmul_i8_weights *from, int64_t count,
                                              const int32_t *columns, void *memory) {
    attn_matmul_i8_weights *weights = memory;
    size_t size = (size_t)(from->groups * LANES * I8_GROUP); /* of a panel */
    *weights = (attn_matmul_i8_weights){
        .k = from->k, .n = count, .groups = from->groups, .panels = attn_ceil_div(count, LANES)};
    weights->packed = (int8_t *)memory + (sizeof *from + LINE - 1) / LINE * LINE;
    weights->scale = (real *)(weights->packed + (size_t)weights->panels * size);
    weights->sums = (int32_t *)(weights->scale + weights->panels * LANES);
    for (int64_t j = 0; j < weights->panels * LANES; j++) {
        int64_t column = columns[j < count ? j : count - 1]; /* of the last panel: any column */
        const int8_t *in =
            from->packed + (size_t)(column / LANES) * size + column % LANES * I8_GROUP;
        int8_t *out = weights->packed + (size_t)(j / LANES) * size + j % LANES * I8_GROUP;
        for (int64_t g = 0; g < from->groups; g++) {
            memcpy(out + g * LANES * I8_GROUP, in + g * LANES * I8_GROUP, I8_GROUP);
        }
        weights->scale[j] = from->scale[column];
        weights->sums[j] = from->sums[column];
    }
    return weights;
}

/* ---- the plan ---- */

typedef struct i8_plan {
    const attn_matmul_i8 *product;
    const attn_matmul_i8_weights *weights;
    const attn_matmul_i8_kernels *kernels;
    int threads;
    attn_blocks blocks;
    int64_t a_bytes; /* of a row of integers */
    char *a;         /* [M] rows */
    real *a_scale;   /* [M] */
} i8_plan;

static int matmul_i8_count_threads(const attn_matmul_i8 *product) {
    const attn_matmul_i8_weights *weights = product->weights;
    double products = (double)product->m * (double)weights->n * (double)weights->k;
    return products < SERIAL ? 1 : attn_get_threads();
}

static int64_t row_bytes(const i8_plan *plan) {
    return attn_ceil_div(plan->weights->k, I8_ROW_ROOM) * I8_ROW_ROOM * plan->kernels->value_bytes;
}

/* Room for the integers and their scales; false when there is none. */
static bool matmul_i8_make_room(i8_plan *plan, attn_scratch *scratch) {
    size_t integers, scales, all;
    size_t tiles = (size_t)plan->blocks.tiles, tile = (size_t)plan->kernels->tile_rows;
    if (!attn_size_mul(tiles * tile, (size_t)plan->a_bytes, &integers) ||
        !attn_size_mul((size_t)plan->product->m, sizeof(real), &scales) ||
        !attn_size_add(integers, scales, &all)) {
        return false;
    }
    plan->a = attn_scratch_get(scratch, all);
    plan->a_scale = plan->a != NULL ? (real *)(plan->a + integers) : NULL;
    return plan->a != NULL;
}

/* ---- one block of C ---- */

static void matmul_i8_multiply_block(const i8_plan *plan, int64_t number) {
    const attn_matmul_i8 *product = plan->product;
    const attn_matmul_i8_weights *weights = plan->weights;
    const attn_matmul_epilogue whole = {NULL, NULL, product->activation, product->residual,
                                        product->residual_row};
    int64_t tile = plan->kernels->tile_rows;
    attn_block at = attn_block_at(&plan->blocks, number);
    int64_t row = at.first_tile * tile, end = at.last_tile * tile;
    for (int64_t index = at.first_panel; index < at.last_panel;
         index += plan->kernels->tile_panels) {
        int64_t j = index * LANES;
        int64_t panels = attn_min(at.last_panel - index, plan->kernels->tile_panels);
        attn_matmul_i8_panel panel = {
            .rows = attn_min(end, product->m) - row,
            .groups = weights->groups,
            .columns = (int)attn_min(weights->n - j, panels * LANES),
            .a = plan->a + row * plan->a_bytes,
            .a_bytes = plan->a_bytes,
            .a_scale = plan->a_scale + row,
            .w = weights->packed + j * weights->groups * I8_GROUP,
            .w_scale = weights->scale + j,
            .w_sums = weights->sums + j,
            .c = product->c + row * product->c_row + j,
            .c_row = product->c_row,
            .bias = product->bias != NULL ? product->bias + j : NULL,
            .epilogue = attn_matmul_epilogue_at(whole, product->c_row, row, j),
        };
        plan->kernels->multiply(&panel);
    }
}

/* ---- the whole product ---- */

static void matmul_i8_quantize(const i8_plan *plan, int64_t i) {
    int64_t rows = plan->kernels->group_rows, group = I8_GROUP * plan->kernels->value_bytes;
    char *to = plan->a + i / rows * rows * plan->a_bytes + i % rows * group;
    plan->kernels->quantize_row(plan->weights->k, plan->product->a + i * plan->product->a_row, to,
                                rows * group, plan->a_scale + i);
}

static void matmul_i8_run_plan(const i8_plan *plan) {
    const attn_matmul_i8 *product = plan->product;
    int64_t blocks = plan->blocks.down * plan->blocks.across;
#pragma omp parallel num_threads(plan->threads) if (plan->threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < product->m; i++) {
            matmul_i8_quantize(plan, i);
        }
#pragma omp for schedule(dynamic, 1)
        for (int64_t number = 0; number < blocks; number++) {
            matmul_i8_multiply_block(plan, number);
        }
    }
}

/* What is wrong with a product; NULL: nothing. */
static const char *matmul_i8_fault(const attn_matmul_i8 *product) {
    if (product->m < 0) {
        return "m is negative";
    }
    if (product->weights == NULL) {
        return "weights is NULL";
    }
    if (product->m == 0 || product->weights->n == 0) {
        return NULL;
    }
    return product->c == NULL                              ? "c is NULL"
           : product->a == NULL && product->weights->k > 0 ? "a is NULL"
                                                           : NULL;
}

attn_status attn_matmul_i8_run_scratch(const attn_matmul_i8 *product, attn_scratch *scratch) {
    if (matmul_i8_fault(product) != NULL) {
        return ATTN_ERR_ARGUMENT;
    }
    if (product->m == 0 || product->weights->n == 0) {
        return ATTN_OK;
    }
    i8_plan plan = {.product = product,
                    .weights = product->weights,
                    .kernels = &attn_kernels_current()->matmul_i8,
                    .threads = matmul_i8_count_threads(product)};
    int64_t tile = plan.kernels->tile_rows;
    plan.a_bytes = row_bytes(&plan);
    plan.blocks =
        attn_blocks_choose(attn_ceil_div(product->m, tile), product->weights->panels,
                           attn_max(1, BLOCK_A / attn_max(1, plan.a_bytes) / tile), plan.threads);
    if (!matmul_i8_make_room(&plan, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    matmul_i8_run_plan(&plan);
    return ATTN_OK;
}

void attn_matmul_i8_init_sized(attn_matmul_i8 *product, size_t size) {
    const attn_matmul_i8 none = {.size = sizeof none};
    attn_sized_init(product, size, &none, sizeof none);
}

attn_status attn_matmul_i8_run(const attn_matmul_i8 *product, attn_error *error) {
    attn_matmul_i8 known = {.size = sizeof known};
    attn_status status =
        attn_sized_read(product, &known, sizeof known,
                        ATTN_SIZE_UP_TO(attn_matmul_i8, residual_row), "attn_matmul_i8", error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *wrong = matmul_i8_fault(&known);
    if (wrong != NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "matmul_i8", -1, NULL, "%s", wrong);
    }
    attn_scratch scratch = {NULL, 0};
    status = attn_matmul_i8_run_scratch(&known, &scratch);
    attn_scratch_free(&scratch);
    return status == ATTN_OK ? ATTN_OK
                             : attn_fail_memory(error, (size_t)known.m * (size_t)known.weights->k);
}
