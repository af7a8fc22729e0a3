/* kernels/elementwise/elementwise.c: elementwise work, cut over threads.
 *
 * Long arrays are cut into parts of PART elements at fixed places. Next: elementwise_ref.c. */
#include "kernels/elementwise/elementwise.h"

#include "kernels/table.h"

/* Elements worth a thread's while; a multiple of ATTN_DROPOUT_BLOCK. */
enum { PART = 16384 };

static int64_t parts_of(int64_t count) {
    return (count + PART - 1) / PART;
}

static int64_t part_size(int64_t count, int64_t part) {
    int64_t rest = count - part * PART;
    return rest < PART ? rest : PART;
}

void attn_add(int64_t count, const real *x, real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    int64_t parts = parts_of(count);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        kernels->add(part_size(count, i), x + i * PART, y + i * PART);
    }
}

void attn_multiply(int64_t count, const real *x, real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    int64_t parts = parts_of(count);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        kernels->multiply(part_size(count, i), x + i * PART, y + i * PART);
    }
}

/* Threads take columns: a sum runs over all rows. */
void attn_add_rows(int64_t rows, int64_t cols, const real *x, real *y) {
    enum { COLUMNS = 16 };
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    int64_t groups = (cols + COLUMNS - 1) / COLUMNS;
    int64_t parts = rows * cols > PART ? attn_get_threads() : 1;
    parts = parts < groups ? parts : groups;
#pragma omp parallel for schedule(static) num_threads(parts) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t c = groups * i / parts * COLUMNS, end = groups * (i + 1) / parts * COLUMNS;
        end = end < cols ? end : cols;
        kernels->add_rows(rows, end - c, cols, x + c, y + c);
    }
}

void attn_scale_add(int64_t count, const real *x, real factor, const real *base, real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    int64_t parts = parts_of(count);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        kernels->scale_add(part_size(count, i), factor, x + i * PART, base ? base + i * PART : NULL,
                           y + i * PART);
    }
}

void attn_scale(int64_t count, const real *x, real factor, real *y) {
    attn_scale_add(count, x, factor, NULL, y);
}

void attn_activation_backward(attn_activation activation, int64_t count, const real *x,
                              const real *d_y, real *d_x) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    if (activation == ATTN_ACTIVATION_NONE) {
        attn_scale(count, d_y, 1, d_x);
        return;
    }
    bool relu = activation == ATTN_ACTIVATION_RELU;
    int64_t parts = parts_of(count);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        if (relu) {
            kernels->relu_backward(part_size(count, i), x + i * PART, d_y + i * PART,
                                   d_x + i * PART);
        } else {
            kernels->curved_backward(part_size(count, i), activation, x + i * PART, d_y + i * PART,
                                     d_x + i * PART);
        }
    }
}

/* ---- dropout ---- */

uint32_t attn_dropout_threshold(double p) {
    double threshold = rint(p * 0x1p32);
    return threshold >= 0x1p32 - 1.0 ? UINT32_MAX : threshold > 0.0 ? (uint32_t)threshold : 0;
}

void attn_dropout_forward(int64_t count, const real *x, const real *base, double p, uint64_t key,
                          real *y) {
    if (!(p > 0.0)) {
        attn_scale_add(count, x, 1, base, y);
        return;
    }
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    attn_dropout mask = {key, attn_dropout_threshold(p), (real)(1.0 / (1.0 - p))};
    int64_t parts = parts_of(count);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        kernels->dropout(i * PART, part_size(count, i), &mask, x + i * PART,
                         base ? base + i * PART : NULL, y + i * PART);
    }
}

void attn_dropout_backward(int64_t count, const real *d_y, double p, uint64_t key, real *d_x,
                           bool accumulate) {
    attn_dropout_forward(count, d_y, accumulate ? d_x : NULL, p, key, d_x);
}

/* ---- rows of tables ---- */

void attn_embedding_forward(int64_t tokens, int64_t channels, const int32_t *ids, const real *table,
                            real scale, const int32_t *position_ids, const real *positions,
                            real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(attn_get_threads()) if (tokens * channels > PART)
    for (int64_t t = 0; t < tokens; t++) {
        kernels->scale_add(channels, scale, table + ids[t] * channels,
                           positions ? positions + position_ids[t] * channels : NULL,
                           y + t * channels);
    }
}

/* Every thread reads all ids and adds to the rows that are its own, so that each row of the table
 * sees its tokens in order, however many threads there are. */
void attn_embedding_backward(int64_t tokens, int64_t channels, const int32_t *ids, int64_t rows,
                             real scale, const real *d_y, real *d_table) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    int owners = tokens * channels > PART ? attn_get_threads() : 1;
    owners = rows < owners ? (int)rows : owners;
#pragma omp parallel for schedule(static) num_threads(owners) if (owners > 1)
    for (int owner = 0; owner < owners; owner++) {
        for (int64_t t = 0; t < tokens; t++) {
            if (ids[t] % owners == owner) {
                real *d_row = d_table + ids[t] * channels;
                kernels->scale_add(channels, scale, d_y + t * channels, d_row, d_row);
            }
        }
    }
}
