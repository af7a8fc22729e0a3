/* kernels/matmul_bf16/matmul_bf16.c: the driver of the product with weights of bfloat16: its weights,
 * and how it is cut up for caches and threads.
 *
 * C is cut into a grid of blocks, whole register tiles high and whole panels of 16 columns wide, and
 * whoever is free takes the next. In a block the rows of A lie in the second-level cache and the
 * panels of W pass through the first-level one. k is not cut. M rows, N columns, K summed. Next:
 * matmul_bf16_kernels.h. */
#include "kernels/matmul_bf16/matmul_bf16.h"

#include <string.h>

#include "base/narrow.h"
#include "cpu/cpu.h"
#include "kernels/matmul/blocks.h"
#include "kernels/table.h"

enum {
    LINE = 64,         /* bytes of a cache line */
    BLOCK_A = 1 << 18, /* bytes of A in a block */
    SERIAL = 1 << 17,  /* products below which a second thread costs more than it gives */
};

/* ---- the weights ---- */

struct attn_matmul_bf16_weights {
    int64_t k, n, panels;
    uint16_t *packed; /* [panels][k][16], 0 beyond N */
};

bool attn_matmul_bf16_holds(int64_t count, const real *values) {
    for (int64_t i = 0; i < count; i++) {
        if (!((real)narrow_from_bf16(narrow_to_bf16((float)values[i])) == values[i])) {
            return false;
        }
    }
    return true;
}

static uint16_t *matmul_bf16_element(const attn_matmul_bf16_weights *weights, int64_t p,
                                     int64_t j) {
    return weights->packed + (j / LANES * weights->k + p) * LANES + j % LANES;
}

static void matmul_bf16_pack_panel(const attn_matmul_bf16_weights *weights, int64_t panel,
                                   const real *w, int64_t w_row, int64_t w_col) {
    for (int64_t p = 0; p < weights->k; p++) {
        for (int64_t j = panel * LANES; j < (panel + 1) * LANES; j++) {
            real value = j < weights->n ? w[p * w_row + j * w_col] : 0;
            *matmul_bf16_element(weights, p, j) = narrow_to_bf16((float)value);
        }
    }
}

attn_status attn_matmul_bf16_create(int64_t k, int64_t n, const real *w, int64_t w_row,
                                    int64_t w_col, attn_matmul_bf16_weights **out) {
    size_t bytes;
    attn_matmul_bf16_weights *weights = *out = attn_alloc_zero(1, sizeof *weights);
    if (weights == NULL) {
        return ATTN_ERR_MEMORY;
    }
    *weights = (attn_matmul_bf16_weights){.k = k, .n = n, .panels = attn_ceil_div(n, LANES)};
    bool fits =
        attn_size_mul((size_t)weights->panels * LANES, (size_t)k * sizeof(uint16_t), &bytes);
    weights->packed = fits ? attn_alloc(bytes) : NULL;
    if (weights->packed == NULL) {
        attn_free(weights);
        *out = NULL;
        return ATTN_ERR_MEMORY;
    }
    for (int64_t panel = 0; panel < weights->panels; panel++) {
        matmul_bf16_pack_panel(weights, panel, w, w_row, w_col);
    }
    return ATTN_OK;
}

void attn_matmul_bf16_free(attn_matmul_bf16_weights *weights) {
    if (weights != NULL) {
        attn_free(weights->packed);
        attn_free(weights);
    }
}

void attn_matmul_bf16_column(const attn_matmul_bf16_weights *weights, int64_t j, real *out) {
    for (int64_t p = 0; p < weights->k; p++) {
        out[p] = (real)narrow_from_bf16(*matmul_bf16_element(weights, p, j));
    }
}

/* The header, then the packed values. */
size_t attn_matmul_bf16_select_size(const attn_matmul_bf16_weights *from, int64_t count) {
    size_t header = (sizeof *from + LINE - 1) / LINE * LINE;
    return header + (size_t)(attn_ceil_div(count, LANES) * LANES * from->k) * sizeof(uint16_t);
}

attn_matmul_bf16_weights *attn_matmul_bf16_select(const attn_matmul_bf16_weights *from,
                                                  int64_t count, const int32_t *columns,
                                                  void *memory) {
    attn_matmul_bf16_weights *weights = memory;
    *weights =
        (attn_matmul_bf16_weights){.k = from->k, .n = count, .panels = attn_ceil_div(count, LANES)};
    weights->packed = (void *)((char *)memory + (sizeof *from + LINE - 1) / LINE * LINE);
    for (int64_t j = 0; j < weights->panels * LANES; j++) {
        const uint16_t *in = matmul_bf16_element(from, 0, columns[j < count ? j : count - 1]);
        uint16_t *out = matmul_bf16_element(weights, 0, j);
        for (int64_t p = 0; p < from->k; p++) {
            out[p * LANES] = in[p * LANES];
        }
    }
    return weights;
}

/* ---- the product ---- */

static void matmul_bf16_multiply_block(const attn_matmul_bf16 *product, const attn_blocks *blocks,
                                       int64_t number) {
    const attn_matmul_bf16_kernels *kernels = &attn_kernels_current()->matmul_bf16;
    const attn_matmul_bf16_weights *weights = product->weights;
    attn_block at = attn_block_at(blocks, number);
    int64_t row = at.first_tile * kernels->tile_rows, j = at.first_panel * LANES;
    const attn_matmul_epilogue whole = {product->bias, NULL, product->activation, product->residual,
                                        product->residual_row};
    attn_matmul_bf16_block block = {
        .rows = attn_min(at.last_tile * kernels->tile_rows, product->m) - row,
        .k = weights->k,
        .columns = attn_min(at.last_panel * LANES, weights->n) - j,
        .a = product->a + row * product->a_row,
        .a_row = product->a_row,
        .w = weights->packed + j * weights->k,
        .c = product->c + row * product->c_row + j,
        .c_row = product->c_row,
        .epilogue = attn_matmul_epilogue_at(whole, product->c_row, row, j),
    };
    kernels->multiply(&block);
}

void attn_matmul_bf16_run(const attn_matmul_bf16 *product) {
    const attn_matmul_bf16_weights *weights = product->weights;
    double products = (double)product->m * (double)weights->n * (double)weights->k;
    int threads = products < SERIAL ? 1 : attn_get_threads();
    int64_t tile = attn_kernels_current()->matmul_bf16.tile_rows;
    int64_t most_tiles =
        attn_max(1, BLOCK_A / (int64_t)sizeof(real) / attn_max(1, weights->k) / tile);
    attn_blocks blocks =
        attn_blocks_choose(attn_ceil_div(product->m, tile), weights->panels, most_tiles, threads);
    if (product->m == 0 || weights->n == 0) {
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t number = 0; number < blocks.down * blocks.across; number++) {
        matmul_bf16_multiply_block(product, &blocks, number);
    }
}
